//! YAML to [`Node`], with scalars resolved as Go's `yaml.v3` resolves them.
//!
//! One document. Duplicate keys are refused; anchors, aliases and merge keys work; what aliases
//! expand to, and how deep collections nest, is bounded.

mod scalar;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use crate::diagnostic::Diagnostic;
use crate::node::{Key, Node, Value};
use crate::place::Place;

/// How deep collections may nest.
const DEPTH: usize = 100;

/// How many nodes a file may have once aliases are expanded.
const NODES: usize = 1_000_000;

/// Reads a YAML document. An empty one is null.
pub fn load(text: &str, file: &Arc<str>) -> Result<Node, Vec<Diagnostic>> {
    let mut loader = Loader {
        file,
        stack: Vec::new(),
        root: None,
        anchors: HashMap::new(),
        nodes: 0,
        documents: 0,
        problems: Vec::new(),
    };
    if let Err(fatal) = loader.run(text) {
        loader.problems.push(*fatal);
    }
    if loader.problems.is_empty() {
        let start = Place::new(file, 1, 1);
        Ok(loader.root.unwrap_or(Node::new(Value::Null, start)))
    } else {
        Err(loader.problems)
    }
}

struct Loader<'a> {
    file: &'a Arc<str>,
    stack: Vec<Frame>,
    root: Option<Node>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    documents: usize,
    problems: Vec<Diagnostic>,
}

/// A collection that is still open.
struct Frame {
    anchor: usize,
    place: Place,
    open: Open,
}

enum Open {
    List(Vec<Node>),
    Map { entries: Vec<(Key, Node)>, lines: HashMap<String, usize>, key: Option<MapKey>, merges: Vec<Node> },
}

enum MapKey {
    Name(Key),
    Merge,
}

impl Loader<'_> {
    fn run(&mut self, text: &str) -> Result<(), Box<Diagnostic>> {
        let mut parser = Parser::new_from_str(text);
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| {
                let marker = error.marker();
                let place = Place::new(self.file, marker.line(), marker.col() + 1);
                let mut fatal = fatal(place, format!("yaml: {}", error.info()));
                fatal.hint = advice(error.info()).map(str::to_owned);
                fatal
            })?;
            self.on_event(event, span)?;
        }
        Ok(())
    }

    fn on_event(&mut self, event: Event<'_>, span: Span) -> Result<(), Box<Diagnostic>> {
        let place = Place::new(self.file, span.start.line(), span.start.col() + 1);
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    let message = "yaml: more than one document in the file";
                    let hint = "split the file, or remove the separator \"---\"";
                    return Err(hinted(place, message, hint));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let merge = style == ScalarStyle::Plain && text == "<<" && tag.is_none();
                if merge && self.expects_key() {
                    self.set_key(MapKey::Merge, &place);
                    return Ok(());
                }
                let value = match scalar::resolve(&text, style, tag.as_deref()) {
                    Ok(value) => value,
                    Err(message) => return Err(fatal(place, message)),
                };
                let node = Node::new(value, place);
                self.finish(node, anchor)
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(fatal(place, "yaml: an alias refers to a value that contains it"));
                };
                self.count(node.weight(), &place)?;
                self.finish(node, 0)
            }
            Event::SequenceStart(anchor, tag) => {
                collection_tag(tag.as_deref(), "seq", &place)?;
                self.open(anchor, place, Open::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                collection_tag(tag.as_deref(), "map", &place)?;
                let open = Open::Map { entries: Vec::new(), lines: HashMap::new(), key: None, merges: Vec::new() };
                self.open(anchor, place, open)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn open(&mut self, anchor: usize, place: Place, open: Open) -> Result<(), Box<Diagnostic>> {
        if self.stack.len() == DEPTH {
            let message = format!("yaml: collections nest deeper than {DEPTH} levels");
            return Err(fatal(place, message));
        }
        self.stack.push(Frame { anchor, place, open });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Box<Diagnostic>> {
        let Some(frame) = self.stack.pop() else {
            return Ok(());
        };
        let value = match frame.open {
            Open::List(items) => Value::List(items),
            Open::Map { mut entries, lines, merges, .. } => {
                merge(&mut entries, &lines, merges);
                Value::Map(entries)
            }
        };
        self.finish(Node::new(value, frame.place), frame.anchor)
    }

    /// Puts a finished value where it belongs.
    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), Box<Diagnostic>> {
        self.count(1, &node.place)?;
        if anchor > 0 {
            // A copy to expand aliases from; it counts like the value itself.
            self.count(node.weight(), &node.place)?;
            self.anchors.insert(anchor, node.clone());
        }
        if self.expects_key() {
            return self.key_from(node);
        }
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Frame { open: Open::List(items), .. }) => items.push(node),
            Some(Frame { open: Open::Map { entries, key, merges, .. }, .. }) => match key.take() {
                Some(MapKey::Merge) => return add_merges(merges, node),
                Some(MapKey::Name(key)) => entries.push((key, node)),
                None => {}
            },
        }
        Ok(())
    }

    fn expects_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame { open: Open::Map { key: None, .. }, .. }))
    }

    fn key_from(&mut self, node: Node) -> Result<(), Box<Diagnostic>> {
        let name = match node.value {
            Value::Scalar(text, _) => text,
            Value::Null => "null".to_owned(),
            Value::List(_) | Value::Map(_) => {
                return Err(fatal(node.place, "yaml: a key must be a single value"));
            }
        };
        let place = node.place.clone();
        let key = Key { name, place: node.place };
        self.set_key(MapKey::Name(key), &place);
        Ok(())
    }

    fn set_key(&mut self, new: MapKey, place: &Place) {
        let Some(Frame { open: Open::Map { key, lines, .. }, .. }) = self.stack.last_mut() else {
            return;
        };
        if let MapKey::Name(name) = &new {
            let line = place.line as usize;
            if let Some(first) = lines.insert(name.name.clone(), line) {
                let message = format!("yaml: mapping key {:?} already defined at line {first}", name.name);
                self.problems.push(Diagnostic::error("duplicate-key", "", Some(place.clone()), message));
            }
        }
        *key = Some(new);
    }

    fn count(&mut self, nodes: usize, place: &Place) -> Result<(), Box<Diagnostic>> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > NODES {
            let message = format!("yaml: more than {NODES} values once aliases are expanded");
            return Err(fatal(place.clone(), message));
        }
        Ok(())
    }
}

fn collection_tag(tag: Option<&Tag>, expected: &str, place: &Place) -> Result<(), Box<Diagnostic>> {
    match tag {
        Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix == expected) => {
            let message = format!("yaml: cannot decode !!{expected} as a {tag}");
            Err(hinted(place.clone(), message, "remove the tag"))
        }
        _ => Ok(()),
    }
}

fn fatal(place: Place, message: impl Into<String>) -> Box<Diagnostic> {
    Box::new(Diagnostic::error("syntax", "", Some(place), message))
}

/// What to do about the mistakes that are made most often.
fn advice(info: &str) -> Option<&'static str> {
    const ADVICE: [(&str, &str); 3] = [
        ("unexpected character", "put the value in quotes"),
        ("mapping values are not allowed", "put a value that has \": \" in it in quotes"),
        ("tabs disallowed", "indent with spaces"),
    ];
    ADVICE.into_iter().find(|(mistake, _)| info.contains(mistake)).map(|(_, advice)| advice)
}

fn hinted(place: Place, message: impl Into<String>, hint: &str) -> Box<Diagnostic> {
    Box::new(fatal(place, message).hint(hint))
}

/// The value of `<<`: a map, or a list of maps of which the first wins.
fn add_merges(merges: &mut Vec<Node>, node: Node) -> Result<(), Box<Diagnostic>> {
    let wrong = "yaml: map merge requires map or sequence of maps as the value";
    match node.value {
        Value::Map(_) => merges.push(node),
        Value::List(items) => {
            for item in items {
                match item.value {
                    Value::Map(_) => merges.push(item),
                    _ => return Err(fatal(item.place, wrong)),
                }
            }
        }
        _ => return Err(fatal(node.place, wrong)),
    }
    Ok(())
}

/// What the map itself says wins over what it merges, wherever the `<<` stands.
fn merge(entries: &mut Vec<(Key, Node)>, lines: &HashMap<String, usize>, merges: Vec<Node>) {
    let mut merged: HashSet<String> = HashSet::new();
    for node in merges {
        let Value::Map(from) = node.value else { continue };
        for (key, value) in from {
            if lines.contains_key(&key.name) || !merged.insert(key.name.clone()) {
                continue;
            }
            entries.push((key, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yaml(text: &str) -> Result<Node, Vec<Diagnostic>> {
        load(text, &"t.yml".into())
    }

    fn message(text: &str) -> String {
        yaml(text).unwrap_err()[0].to_string()
    }

    #[test]
    fn quotes_and_tags_say_what_a_scalar_is() {
        let text = |source: &str| yaml(source).unwrap().as_text().map(str::to_owned);
        assert_eq!(text("\"1e3\"").as_deref(), Some("1e3"));
        assert_eq!(text("!!str 1e3").as_deref(), Some("1e3"));
        assert_eq!(text("!!int \"5\"").as_deref(), Some("5"));
        assert_eq!(text("''").as_deref(), Some(""));
        assert_eq!(message("!!int x"), r#"t.yml:1:1: error: yaml: cannot decode "x" as a !!int"#);
        assert!(message("!mine x").contains("as a !mine"));
    }

    #[test]
    fn aliases_and_merges_expand() {
        let node = yaml("base: &b {x: 1, y: 2}\nz:\n  <<: *b\n  y: 3\n").unwrap();
        let (_, z) = node.entry("z").unwrap();
        assert_eq!(z.entry("x").unwrap().1.as_text(), Some("1"));
        assert_eq!(z.entry("y").unwrap().1.as_text(), Some("3"));
        let node = yaml("a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b]}\n").unwrap();
        let (_, c) = node.entry("c").unwrap();
        assert_eq!(c.entry("x").unwrap().1.as_text(), Some("1"));
        assert_eq!(c.entry("y").unwrap().1.as_text(), Some("2"));
    }

    #[test]
    fn refusals_tell_where() {
        assert_eq!(
            message("a: 1\nb:\n  c: 1\n  c: 2\n"),
            r#"t.yml:4:3: error: yaml: mapping key "c" already defined at line 3"#
        );
        assert!(message("a: 1\n---\nb: 2\n").starts_with("t.yml:2:1: error: yaml: more than one"));
        assert!(message("a: &a [*a]\n").contains("refers to a value that contains it"));
        assert!(message("<<: 3\n").contains("map merge requires map"));
        assert!(message("a: [1, 2\nb: 3\n").starts_with("t.yml:"));
        assert!(message("rule: `x`\n").ends_with("; hint: put the value in quotes"));
        assert!(message("a:\n\tb: 1\n").ends_with("; hint: indent with spaces"));
        assert!(message("? [a]\n: 1\n").contains("a key must be a single value"));
    }

    #[test]
    fn bombs_and_towers_are_refused() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let last = level - 1;
            let aliases = vec![format!("*a{last}"); 10].join(", ");
            bomb += &["a", &level.to_string(), ": &a", &level.to_string(), " [", &aliases, "]\n"].concat();
        }
        assert!(message(&bomb).contains("once aliases are expanded"));
        assert!(message(&"[".repeat(150)).contains("nest deeper than 100"));
        assert!(message(&"[".repeat(50_000)).contains("recursion limit"));
        let tower: String = (0..300).map(|n| " ".repeat(n) + "a:\n").collect();
        assert!(message(&tower).contains("nest deeper than 100"));
    }

    #[test]
    fn an_empty_file_is_null() {
        for text in ["", "# nothing\n", "---\n", "null"] {
            assert!(yaml(text).unwrap().is_null(), "{text:?}");
        }
    }
}
