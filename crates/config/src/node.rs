//! A tree of what was written, with where it was written.
//!
//! YAML, TOML, JSON, flags and environment variables all become a [`Node`]; `decode` gives it
//! types. Scalars are text, as in Traefik's own decoder: what a field means by `1e3` or `"5"` is
//! the field's business, what the file format means by it has been resolved before.

use crate::place::Place;

/// A value and its place. Two nodes are equal when their values are, wherever they stand.
#[derive(Debug, Clone)]
pub struct Node {
    /// What was written.
    pub value: Value,
    /// Where.
    pub place: Place,
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing: the same as if the key were absent.
    Null,
    /// Text after the file format's own resolution: `1e3` is `1000`, `0x10` is `16`.
    Scalar(String, ScalarKind),
    /// A list.
    List(Vec<Node>),
    /// A map in the order of the file. Keys are unique as text (not when case is folded).
    Map(Vec<(Key, Node)>),
}

/// What the file format took a scalar for. Fields do not care; free maps keep it for the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalarKind {
    /// Quoted, or plain text that is nothing else.
    String,
    /// A whole number.
    Integer,
    /// A number with a fraction or exponent.
    Float,
    /// `true` or `false`.
    Bool,
}

/// A key of a map. Equality ignores the place.
#[derive(Debug, Clone)]
pub struct Key {
    /// The key as written.
    pub name: String,
    /// Where it was written.
    pub place: Place,
}

impl Node {
    /// A node with a value.
    pub fn new(value: Value, place: Place) -> Self {
        Self { value, place }
    }

    /// A string scalar.
    pub fn string(text: impl Into<String>, place: Place) -> Self {
        Self::new(Value::Scalar(text.into(), ScalarKind::String), place)
    }

    /// A whole, finite or not, number the way Traefik's decoder prints it: six digits after the
    /// point, none for whole numbers (paerser, `getSimpleValue`).
    pub fn float(number: f64, place: Place) -> Self {
        let text = if number.is_nan() {
            "NaN".to_owned()
        } else if number.is_infinite() {
            if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
        } else {
            let text = format!("{number:.6}");
            text.strip_suffix(".000000").unwrap_or(&text).to_owned()
        };
        Self::new(Value::Scalar(text, ScalarKind::Float), place)
    }

    /// Whether nothing was written.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// The text of a scalar.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text, _) => Some(text),
            _ => None,
        }
    }

    /// The entries of a map, nulls left out: a null key is an absent one.
    pub fn entries(&self) -> impl Iterator<Item = (&Key, &Node)> {
        let entries: &[(Key, Node)] = match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        };
        entries.iter().filter(|(_, node)| !node.is_null()).map(|(key, node)| (key, node))
    }

    /// The entry with this name, case folded as Traefik does.
    pub fn entry(&self, name: &str) -> Option<(&Key, &Node)> {
        self.entries().find(|(key, _)| key.name.eq_ignore_ascii_case(name))
    }

    /// The place of the entry that a dotted path names, or of the nearest one above that exists.
    ///
    /// `path` has the shape of [`Diagnostic::path`](crate::Diagnostic::path), relative to this
    /// node: `rateLimit.redis.endpoints[1]`. The place is the value's when it is a scalar, since
    /// that is what to change, else the key's.
    pub fn place_of(&self, path: &str) -> &Place {
        let mut place = &self.place;
        let mut node = self;
        for step in path.split('.').flat_map(steps) {
            let next = match step {
                Step::Key(name) => node.entry(name).map(|(key, child)| (&key.place, child)),
                Step::Index(index) => match &node.value {
                    Value::List(items) => items.get(index).map(|item| (&item.place, item)),
                    _ => None,
                },
            };
            let Some((at, child)) = next else { break };
            place = if child.as_text().is_some() { &child.place } else { at };
            node = child;
        }
        place
    }

    /// Changes all places in this tree.
    pub(crate) fn each_place(&mut self, change: &impl Fn(&mut Place)) {
        change(&mut self.place);
        match &mut self.value {
            Value::Null | Value::Scalar(..) => {}
            Value::List(items) => items.iter_mut().for_each(|item| item.each_place(change)),
            Value::Map(entries) => {
                for (key, node) in entries {
                    change(&mut key.place);
                    node.each_place(change);
                }
            }
        }
    }

    /// How many nodes this is, itself included.
    pub fn weight(&self) -> usize {
        1 + match &self.value {
            Value::Null | Value::Scalar(..) => 0,
            Value::List(items) => items.iter().map(Self::weight).sum(),
            Value::Map(entries) => entries.iter().map(|(_, node)| node.weight()).sum(),
        }
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// `endpoints[1]` is a key and an index.
fn steps(segment: &str) -> impl Iterator<Item = Step<'_>> {
    let (name, rest) = match segment.find('[') {
        Some(at) => segment.split_at(at),
        None => (segment, ""),
    };
    let key = (!name.is_empty()).then_some(Step::Key(name));
    let indexes = rest.split(['[', ']']).filter_map(|index| index.parse().ok().map(Step::Index));
    key.into_iter().chain(indexes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_traefik_prints_them() {
        let text = |number| Node::float(number, Place::label("t")).as_text().unwrap().to_owned();
        assert_eq!(text(1.5), "1.500000");
        assert_eq!(text(1e3), "1000");
        assert_eq!(text(10.0), "10");
        assert_eq!(text(f64::INFINITY), "+Inf");
        assert_eq!(text(f64::NAN), "NaN");
    }
}
