//! Parts of Traefik's configuration that are understood but not run yet.
//!
//! A [`Shape`] is a table of fields and their kinds. It is enough to refuse what Traefik refuses,
//! to show the part in the API and to keep its secrets, until the part gets types of its own.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::decode::{Decode, Decoder, may_be_section};
use crate::duration::SignedDuration;
use crate::node::{Node, ScalarKind, Value};
use crate::redacted::{self, MASK};

/// The fields of a section.
#[derive(Debug, PartialEq)]
pub struct Shape {
    /// Name of the struct in Traefik, without the pointer.
    pub type_name: &'static str,
    /// Whether the section may be empty.
    pub allow_empty: bool,
    /// What to say about a field that is not in the table.
    pub unknown: Unknown,
    /// Names and kinds.
    pub fields: &'static [(&'static str, Kind)],
}

/// What a field outside the table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// A mistake: the table is complete.
    Refused,
    /// Perhaps something newer: a warning.
    Warned,
}

/// What a field holds.
#[derive(Debug, PartialEq)]
pub enum Kind {
    /// Text.
    Text,
    /// Text, or a list of texts, that must not be shown.
    Secret,
    /// A URL whose user information must not be shown.
    Url,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// Yes or no.
    Bool,
    /// A duration.
    Duration,
    /// A list of texts.
    Texts,
    /// Names and texts, secret where the name says so.
    TextMap,
    /// Another section.
    Section(&'static Shape),
    /// A list of sections.
    Sections(&'static Shape),
    /// Named sections.
    Map(&'static Shape),
    /// Anything.
    Free,
}

/// A tree that has the given shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Shaped {
    shape: &'static Shape,
    node: Option<Node>,
}

impl Shaped {
    /// Reads a field of this shape.
    pub fn decode(shape: &'static Shape, node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let type_name = format!("*{}", shape.type_name);
        let node = may_be_section(node, shape.allow_empty, decoder, &type_name)?.then(|| {
            check_section(shape, node, decoder);
            node.clone()
        });
        Some(Self { shape, node })
    }

    /// What was written; `None` for an empty section.
    pub fn node(&self) -> Option<&Node> {
        self.node.as_ref()
    }

    /// The names under a map of this tree: the routers of `tcp`, say.
    pub fn names(&self, map: &str) -> Vec<(&str, &Node)> {
        let entry = self.node.as_ref().and_then(|node| node.entry(map));
        entry.map_or_else(Vec::new, |(_, node)| node.entries().map(|(key, node)| (key.name.as_str(), node)).collect())
    }
}

impl Serialize for Shaped {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.node {
            None => serializer.serialize_map(Some(0))?.end(),
            Some(node) => Shown::Section(self.shape, node).serialize(serializer),
        }
    }
}

// === checking ===

fn check_section(shape: &'static Shape, node: &Node, decoder: &mut Decoder) {
    if !matches!(node.value, Value::Map(_)) {
        let message = format!("expected a map of the fields of {}", shape.type_name);
        decoder.error("wrong-type", &node.place, message);
        return;
    }
    let names: Vec<_> = shape.fields.iter().map(|(name, _)| *name).collect();
    decoder.each_field(node, &names, |found, child, decoder| match found {
        Ok(index) => check(&shape.fields[index].1, child, decoder),
        Err(key) if shape.unknown == Unknown::Refused => decoder.unknown_field(key, &names),
        Err(key) => decoder.within(key.name.as_str(), |decoder| {
            let message = format!("{:?} is not known here and is ignored", key.name);
            decoder.warning("unknown-field", &key.place, message);
        }),
    });
}

fn check(kind: &Kind, node: &Node, decoder: &mut Decoder) {
    match kind {
        Kind::Text | Kind::Url => drop(String::decode(node, decoder)),
        Kind::Secret | Kind::Texts => drop(Vec::<String>::decode(node, decoder)),
        Kind::Integer => drop(i64::decode(node, decoder)),
        Kind::Number => drop(f64::decode(node, decoder)),
        Kind::Bool => drop(bool::decode(node, decoder)),
        Kind::Duration => drop(SignedDuration::decode(node, decoder)),
        Kind::TextMap => {
            drop(std::collections::BTreeMap::<String, String>::decode(node, decoder));
        }
        Kind::Section(shape) => drop(Shaped::decode(shape, node, decoder)),
        Kind::Sections(shape) => check_list(shape, node, decoder),
        Kind::Map(shape) => check_map(shape, node, decoder),
        Kind::Free => {}
    }
}

fn check_list(shape: &'static Shape, node: &Node, decoder: &mut Decoder) {
    match &node.value {
        Value::Scalar(text, _) if text.is_empty() => {}
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                decoder.within(format!("[{index}]"), |decoder| {
                    check_section(shape, item, decoder);
                });
            }
        }
        _ => decoder.error("wrong-type", &node.place, "expected a list"),
    }
}

fn check_map(shape: &'static Shape, node: &Node, decoder: &mut Decoder) {
    let type_name = format!("map[string]*{}", shape.type_name);
    if may_be_section(node, false, decoder, &type_name).is_none() {
        return;
    }
    for (key, child) in node.entries() {
        decoder.within_key(&key.name, &key.place, |decoder| {
            check_section(shape, child, decoder);
        });
    }
}

// === showing ===

/// A node on its way to the API.
pub(crate) enum Shown<'a> {
    Section(&'static Shape, &'a Node),
    Kind(&'static Kind, &'a Node),
    Map(&'static Shape, &'a Node),
    /// A tree without a table: credentials are guessed from names.
    Free(&'a Node),
    Masked,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Masked => serializer.serialize_str(MASK),
            Self::Section(shape, node) => serializer.collect_map(node.entries().map(|(key, child)| {
                let field = shape.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(&key.name));
                match field {
                    Some((name, kind)) => (*name, Shown::Kind(kind, child)),
                    None => (key.name.as_str(), named(&key.name, child)),
                }
            })),
            Self::Map(shape, node) => {
                serializer.collect_map(node.entries().map(|(key, child)| (&key.name, Shown::Section(shape, child))))
            }
            Self::Kind(kind, node) => show(kind, node, serializer),
            Self::Free(node) => show_free(node, serializer),
        }
    }
}

fn show<S: Serializer>(kind: &'static Kind, node: &Node, serializer: S) -> Result<S::Ok, S::Error> {
    match (kind, &node.value) {
        (Kind::Secret, Value::List(items)) => serializer.collect_seq(items.iter().map(|_| Shown::Masked)),
        (Kind::Secret, _) => serializer.serialize_str(MASK),
        (Kind::Section(shape), Value::Map(_)) => Shown::Section(shape, node).serialize(serializer),
        (Kind::Section(_), _) => serializer.serialize_map(Some(0))?.end(),
        (Kind::Sections(shape), Value::List(items)) => {
            serializer.collect_seq(items.iter().map(|item| Shown::Section(shape, item)))
        }
        (Kind::Map(shape), _) => Shown::Map(shape, node).serialize(serializer),
        (Kind::Integer, Value::Scalar(text, _)) => match text.parse::<i64>() {
            Ok(number) => serializer.serialize_i64(number),
            Err(_) => serializer.serialize_str(text),
        },
        (Kind::Bool, Value::Scalar(text, _)) => {
            serializer.serialize_bool(matches!(text.as_str(), "1" | "t" | "T" | "true" | "TRUE" | "True"))
        }
        (Kind::Duration, Value::Scalar(text, _)) => match SignedDuration::parse(text) {
            Ok(duration) => duration.serialize(serializer),
            Err(_) => serializer.serialize_str(text),
        },
        (Kind::Texts, Value::Scalar(text, _)) => serializer.collect_seq(text.split(',').map(str::trim)),
        (Kind::Text, Value::Scalar(text, _)) => serializer.serialize_str(text),
        _ => show_free(node, serializer),
    }
}

fn show_free<S: Serializer>(node: &Node, serializer: S) -> Result<S::Ok, S::Error> {
    match &node.value {
        Value::Null => serializer.serialize_unit(),
        Value::Scalar(text, ScalarKind::Bool) => serializer.serialize_bool(text == "true"),
        Value::Scalar(text, ScalarKind::Integer) => match text.parse::<i64>() {
            Ok(number) => serializer.serialize_i64(number),
            Err(_) => serializer.serialize_str(text),
        },
        Value::Scalar(text, _) => serializer.serialize_str(&without_credentials(text)),
        Value::List(items) => serializer.collect_seq(items.iter().map(Shown::Free)),
        Value::Map(_) => {
            serializer.collect_map(node.entries().map(|(key, child)| (&key.name, named(&key.name, child))))
        }
    }
}

/// Text that may be a URL or an address with credentials.
fn without_credentials(text: &str) -> String {
    let user_info = text.split_once('@').map_or("", |(before, _)| before);
    if user_info.contains(':') && !user_info.contains([' ', '/']) {
        redacted::address_without_user_info(text)
    } else {
        redacted::without_user_info(text)
    }
}

/// A child of a tree without a table.
fn named<'a>(name: &str, node: &'a Node) -> Shown<'a> {
    match node.value {
        Value::Map(_) => Shown::Free(node),
        _ if redacted::is_credential_name(name) => Shown::Masked,
        _ => Shown::Free(node),
    }
}
