//! Which routers can match a host at all.

use std::collections::HashMap;

use crate::matcher::{HostPattern, Matcher};
use crate::node::Node;
use crate::rule::Rule;

/// The place of a router in the table's order.
type Rank = u32;

/// Ranks by the host a rule requires. The lists may offer a rule that does not
/// match; they never hide one that does. Every list is in order.
#[derive(Debug, Default)]
pub(super) struct Index {
    exact: HashMap<Box<str>, Vec<Rank>>,
    /// By the host below which the required one is: `example.com` for `*.example.com`.
    child: HashMap<Box<str>, Vec<Rank>>,
    /// Rules that require no host we could look up.
    rest: Vec<Rank>,
}

impl Index {
    pub(super) fn new<'a>(rules: impl Iterator<Item = &'a Rule>) -> Index {
        let mut index = Index::default();
        for (rank, rule) in (0..).zip(rules) {
            match required(rule.node()) {
                Some(keys) => keys.iter().for_each(|key| index.insert(key, rank)),
                None => index.rest.push(rank),
            }
        }
        index
    }

    fn insert(&mut self, key: &Key<'_>, rank: Rank) {
        let ranks = match key {
            Key::Exact(host) => self.exact.entry((*host).into()).or_default(),
            Key::Child(parent) => self.child.entry((*parent).into()).or_default(),
        };
        if ranks.last() != Some(&rank) {
            ranks.push(rank);
        }
    }

    /// The ranks worth trying for `host`, in order. A rank may come twice.
    pub(super) fn candidates(&self, host: &str) -> impl Iterator<Item = Rank> {
        let host = undotted(host);
        let exact = self.exact.get(host);
        let child = host.split_once('.').and_then(|(_, parent)| self.child.get(parent));
        Merged([exact.map_or(&[], Vec::as_slice), child.map_or(&[], Vec::as_slice), &self.rest])
    }
}

/// A host without which a rule cannot match, final dots removed.
enum Key<'a> {
    Exact(&'a str),
    Child(&'a str),
}

impl<'a> Key<'a> {
    fn new(pattern: &'a HostPattern) -> Option<Key<'a>> {
        let key = match pattern {
            HostPattern::Every => return None,
            HostPattern::Exact(host) => Key::Exact(undotted(host)),
            HostPattern::Child(suffix) => Key::Child(undotted(suffix.strip_prefix('.')?)),
        };
        match key {
            // Nothing is left of a pattern that was all dots.
            Key::Exact("") | Key::Child("") => None,
            key => Some(key),
        }
    }
}

/// The hosts of which a request must have one for `node` to match; `None` if
/// other requests may match too.
fn required(node: &Node) -> Option<Vec<Key<'_>>> {
    match node {
        Node::Is(Matcher::Host(pattern)) => Key::new(pattern).map(|key| vec![key]),
        Node::Is(_) | Node::Not(_) => None,
        // Each child alone is a condition: the narrowest is the best.
        Node::All(children) => children.iter().filter_map(required).min_by_key(Vec::len),
        Node::Any(children) => {
            let keys: Option<Vec<_>> = children.iter().map(required).collect();
            keys.map(|keys| keys.into_iter().flatten().collect())
        }
    }
}

/// Final dots do not distinguish hosts here; the rule itself looks closer.
fn undotted(host: &str) -> &str {
    host.trim_end_matches('.')
}

/// Ascending lists as one ascending list.
struct Merged<'a>([&'a [Rank]; 3]);

impl Iterator for Merged<'_> {
    type Item = Rank;

    fn next(&mut self) -> Option<Rank> {
        let list = self.0.iter_mut().filter(|list| !list.is_empty()).min_by_key(|list| list[0])?;
        let (first, rest) = list.split_first()?;
        *list = rest;
        Some(*first)
    }
}
