//! The routers of an entry point, and which of them wins.

mod index;

use std::cmp::Reverse;

use crate::precedence;
use crate::request::Request;
use crate::rule::Rule;
use index::Index;

/// One router.
#[derive(Debug, Clone)]
pub struct Entry<T> {
    /// Which requests it takes.
    pub rule: Rule,
    /// Higher is asked first. See [`Rule::default_priority`].
    pub priority: i64,
    /// Where it comes from, as `file` or `kubernetescrd`.
    pub provider: String,
    /// Its name, without the provider.
    pub name: String,
    /// What it stands for.
    pub value: T,
}

/// Routers in the order they are asked: by priority, highest first, then by
/// Traefik's precedence of providers, then by name. The last is ours: Traefik
/// leaves the order of routers of one provider and priority to chance.
///
/// Routers that require a host are found by it, so the cost of a selection does
/// not grow with the number of hosts.
#[derive(Debug)]
pub struct Table<T> {
    entries: Vec<Entry<T>>,
    index: Index,
}

impl<T> Table<T> {
    /// Orders and indexes `entries`.
    pub fn new(mut entries: Vec<Entry<T>>) -> Self {
        entries.sort_by(|a, b| order(a).cmp(&order(b)));
        let index = Index::new(entries.iter().map(|entry| &entry.rule));
        Table { entries, index }
    }

    /// The first router that takes `request`. Does not allocate.
    pub fn select(&self, request: &dyn Request) -> Option<&T> {
        self.index
            .candidates(request.host())
            .map(|rank| &self.entries[rank as usize])
            .find(|entry| entry.rule.matches(request))
            .map(|entry| &entry.value)
    }

    /// All routers, in the order they are asked.
    pub fn entries(&self) -> &[Entry<T>] {
        &self.entries
    }
}

fn order<T>(entry: &Entry<T>) -> (Reverse<i64>, usize, &str, &str) {
    (Reverse(entry.priority), precedence::of(&entry.provider), &entry.name, &entry.provider)
}
