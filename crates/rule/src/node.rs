//! A rule made ready: a tree that answers yes or no about a request.

use crate::matcher::Matcher;
use crate::request::Request;

/// Negation sits only on leaves, and a node never has children of its own kind.
#[derive(Debug)]
pub(crate) enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Is(Matcher),
    Not(Matcher),
}

impl Node {
    pub(crate) fn all(nodes: Vec<Node>) -> Node {
        let mut flat = Vec::with_capacity(nodes.len());
        for node in nodes {
            match node {
                Node::All(children) => flat.extend(children),
                other => flat.push(other),
            }
        }
        one_or(flat, Node::All)
    }

    pub(crate) fn any(nodes: Vec<Node>) -> Node {
        let mut flat = Vec::with_capacity(nodes.len());
        for node in nodes {
            match node {
                Node::Any(children) => flat.extend(children),
                other => flat.push(other),
            }
        }
        one_or(flat, Node::Any)
    }

    /// The opposite, by De Morgan's laws.
    pub(crate) fn negated(self) -> Node {
        let all = |children: Vec<Node>| children.into_iter().map(Node::negated).collect();
        match self {
            Node::All(children) => Node::Any(all(children)),
            Node::Any(children) => Node::All(all(children)),
            Node::Is(matcher) => Node::Not(matcher),
            Node::Not(matcher) => Node::Is(matcher),
        }
    }

    pub(crate) fn matches(&self, request: &dyn Request) -> bool {
        match self {
            Node::All(children) => children.iter().all(|child| child.matches(request)),
            Node::Any(children) => children.iter().any(|child| child.matches(request)),
            Node::Is(matcher) => matcher.matches(request),
            Node::Not(matcher) => !matcher.matches(request),
        }
    }
}

fn one_or(mut nodes: Vec<Node>, many: fn(Vec<Node>) -> Node) -> Node {
    if nodes.len() == 1 { nodes.remove(0) } else { many(nodes) }
}
