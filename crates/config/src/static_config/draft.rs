//! A tree that grows one option at a time, for the sources that have no structure of their own.

use super::options::{self, Kind, OptionTree};
use crate::node::{Key, Node, Value};
use crate::place::Place;

/// Options put together from single settings.
#[derive(Debug)]
pub(crate) struct Draft {
    root: Node,
}

/// One step of the path of a setting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step<'a> {
    /// The text of the step.
    pub(crate) text: &'a str,
    /// Whether digits may be a place in a list, where the option is one.
    pub(crate) may_be_index: bool,
}

/// What became of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placed {
    /// It was the first of its name.
    New,
    /// It took the place of an earlier one.
    Replaced,
    /// It was added to the texts of an earlier one.
    Joined,
    /// It names a place so far down a list that nobody can mean it.
    TooFar,
}

impl Draft {
    /// An empty tree. `place` stands for the whole source.
    pub(crate) fn new(place: Place) -> Self {
        Self { root: Node::new(Value::Null, place) }
    }

    /// Puts one setting where it belongs.
    pub(crate) fn put(&mut self, path: &[Step<'_>], text: &str, place: &Place) -> Placed {
        put(&mut self.root, Some(options::root()), path, text, place)
    }

    /// The tree; null when nothing was put into it.
    pub(crate) fn finish(self) -> Node {
        self.root
    }
}

fn put(node: &mut Node, option: Option<&OptionTree>, path: &[Step<'_>], text: &str, place: &Place) -> Placed {
    let Some((step, rest)) = path.split_first() else {
        return put_text(node, option, text, place);
    };
    if let Some(index) = index(*step, option) {
        return match item(node, index, place) {
            Some(item) => put(item, option, rest, text, place),
            None => Placed::TooFar,
        };
    }
    let below = option.and_then(|option| option.child(step.text));
    let chosen = below.is_none_or(OptionTree::is_name);
    put(entry(node, step.text, chosen, place), below, rest, text, place)
}

fn put_text(node: &mut Node, option: Option<&OptionTree>, text: &str, place: &Place) -> Placed {
    let kind = option.and_then(OptionTree::kind);
    match &mut node.value {
        Value::Null => {
            *node = Node::string(text, place.clone());
            Placed::New
        }
        Value::Scalar(before, _) if kind == Some(Kind::List) => {
            before.push(',');
            before.push_str(text);
            Placed::Joined
        }
        // `--ping` after `--ping.entryPoint=web` asks for what is already there.
        Value::Map(_) if text.eq_ignore_ascii_case("true") => Placed::New,
        _ => {
            *node = Node::string(text, place.clone());
            Placed::Replaced
        }
    }
}

fn index(step: Step<'_>, option: Option<&OptionTree>) -> Option<usize> {
    let listed = step.may_be_index && option.is_some_and(OptionTree::takes_index);
    listed.then(|| step.text.parse().ok()).flatten()
}

/// The item of a list, which becomes one if it was not. Places skipped are null.
fn item<'a>(node: &'a mut Node, index: usize, place: &Place) -> Option<&'a mut Node> {
    if index > ITEMS_MAX {
        return None;
    }
    if !matches!(node.value, Value::List(_)) {
        *node = Node::new(Value::List(Vec::new()), place.clone());
    }
    let Value::List(items) = &mut node.value else {
        return None;
    };
    while items.len() <= index {
        items.push(Node::new(Value::Null, place.clone()));
    }
    items.get_mut(index)
}

/// The entry of a map, which becomes one if it was not. A chosen name keeps its case; the name of
/// an option is the same in any.
fn entry<'a>(node: &'a mut Node, name: &str, chosen: bool, place: &Place) -> &'a mut Node {
    if !matches!(node.value, Value::Map(_)) {
        *node = Node::new(Value::Map(Vec::new()), place.clone());
    }
    let Value::Map(entries) = &mut node.value else {
        unreachable!("made a map above");
    };
    let same = |key: &Key| if chosen { key.name == name } else { key.name.eq_ignore_ascii_case(name) };
    let index = entries.iter().position(|(key, _)| same(key)).unwrap_or_else(|| {
        let key = Key { name: name.to_owned(), place: place.clone() };
        entries.push((key, Node::new(Value::Null, place.clone())));
        entries.len() - 1
    });
    &mut entries[index].1
}

/// Longer than any list of a static configuration, short enough to hold places for.
const ITEMS_MAX: usize = 1_000;
