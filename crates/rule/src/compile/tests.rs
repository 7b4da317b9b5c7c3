//! The trees of `tests/facts/parser.txt`.

use super::{compile, v3};
use crate::matcher::Matcher;
use crate::node::Node;
use crate::parser;

const FACTS: &str = include_str!("../../tests/facts/parser.txt");

#[test]
fn trees_are_those_of_traefik() {
    let facts = || FACTS.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let mut rows = 0;
    for (head, tree) in facts().zip(facts().skip(1)).filter(|(_, tree)| tree.starts_with(' ')) {
        let text = head.strip_prefix("rule").expect("a rule").trim();
        let node = parser::parse(text).and_then(|expr| compile(&expr, v3::call));
        let shown = node.map_or("INVALID".to_owned(), |node| show(&node));
        assert_eq!(shown, tree.trim(), "{text}");
        rows += 1;
    }
    assert_eq!(rows, 24);
}

fn show(node: &Node) -> String {
    let list = |children: &[Node]| children.iter().map(show).collect::<Vec<_>>().join(", ");
    let leaf = |matcher: &Matcher| match matcher {
        Matcher::Path(path) => format!("Path({path})"),
        other => panic!("only Path stands in the facts, not {other:?}"),
    };
    match node {
        Node::All(children) => format!("and({})", list(children)),
        Node::Any(children) => format!("or({})", list(children)),
        Node::Is(matcher) => leaf(matcher),
        Node::Not(matcher) => format!("!{}", leaf(matcher)),
    }
}
