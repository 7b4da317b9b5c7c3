//! From a tree of text to types, by the rules of Traefik's decoder (paerser).
//!
//! * keys match whatever their case; an unknown key is `field not found, node: foo`;
//! * scalars are text, parsed by the field: `"5"`, `5` and `5.0` are the same whole number;
//! * null means absent; an absent field has its default;
//! * an empty section is `redis cannot be a standalone element (type *dynamic.Redis)`, unless the
//!   section may be empty; then `true` is an empty one and any other scalar means absent;
//! * a list of scalars may be written as text with commas; items are trimmed; an empty list is
//!   an absent one.
//!
//! Unlike paerser, a [`Decoder`] goes on after a mistake and collects them all, with places.
//! Structs are described once with the macro `section!`, which derives decoding and the API's JSON.

mod types;

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::node::{Key, Node, Value};
use crate::place::Place;
use crate::suggest;

/// A type that can be read from a [`Node`].
pub trait Decode: Sized {
    /// The name of the type in Traefik, for messages: `*dynamic.RateLimit`, `map[string]string`.
    fn type_name() -> String;

    /// Reads the value of a field. `None` means absent: because it was not written, or because
    /// it was wrong and the decoder knows.
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self>;

    /// Reads an element of a list or map, which, unlike a field, may be an empty section.
    fn decode_element(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        Self::decode(node, decoder)
    }

    /// The name of the type as the element of a map.
    fn element_name() -> String {
        Self::type_name()
    }
}

/// A struct of settings. Implemented by `section!`.
pub trait Section: Default {
    /// Name of the struct in Traefik, without the pointer: `dynamic.RateLimit`.
    const TYPE: &'static str;
    /// Whether the section may be empty (Traefik's tag `allowEmpty`).
    const ALLOW_EMPTY: bool;
    /// Its fields, in the order of declaration.
    const FIELDS: &'static [Field];

    /// Reads field number `index` of [`FIELDS`](Self::FIELDS).
    fn set(&mut self, index: usize, node: &Node, decoder: &mut Decoder);
}

/// A field of a section, for messages and reference documentation.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The name as Traefik documents it.
    pub name: &'static str,
    /// What it does: the doc comment of the field.
    pub doc: &'static str,
}

/// What `serde` leaves out, as Go's `omitempty` does.
pub trait Omit {
    /// Whether this value is not shown.
    fn omit(&self) -> bool;
}

/// Collects the mistakes of one source while it is read.
#[derive(Debug, Default)]
pub struct Decoder {
    path: Vec<(String, Option<Place>)>,
    diagnostics: Vec<Diagnostic>,
}

impl Decoder {
    /// A decoder whose paths start with `path` (dotted, may be empty).
    pub fn new(path: &str) -> Self {
        Self {
            path: match path {
                "" => Vec::new(),
                path => vec![(path.to_owned(), None)],
            },
            diagnostics: Vec::new(),
        }
    }

    /// What was found, in the order of the source.
    pub fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics
    }

    /// The dotted path of what is being read.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for (step, _) in &self.path {
            if !path.is_empty() && !step.starts_with('[') {
                path.push('.');
            }
            path.push_str(step);
        }
        path
    }

    /// The last step of the path: the name of what is being read.
    pub fn name(&self) -> &str {
        self.path.last().map_or("", |(name, _)| name)
    }

    /// Where the name of what is being read was written, if it has one.
    pub fn place(&self) -> Option<&Place> {
        self.path.last().and_then(|(_, place)| place.as_ref())
    }

    /// Reads something one step further down.
    pub fn within<T>(&mut self, step: impl Into<String>, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push((step.into(), None));
        let result = read(self);
        self.path.pop();
        result
    }

    /// Reads the value of a key, whose name and place [`name`](Self::name) and
    /// [`place`](Self::place) tell meanwhile.
    pub fn within_key<T>(&mut self, name: &str, place: &Place, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push((name.to_owned(), Some(place.clone())));
        let result = read(self);
        self.path.pop();
        result
    }

    /// Records a mistake at the current path.
    pub fn error(&mut self, code: &'static str, place: &Place, message: impl Into<String>) {
        let diagnostic = Diagnostic::error(code, self.path(), Some(place.clone()), message);
        self.diagnostics.push(diagnostic);
    }

    /// Records a mistake at the current path, with advice.
    pub fn error_with_hint(
        &mut self,
        code: &'static str,
        place: &Place,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        self.error(code, place, message);
        if let Some(last) = self.diagnostics.last_mut() {
            last.hint = hint;
        }
    }

    /// Records a warning at the current path.
    pub fn warning(&mut self, code: &'static str, place: &Place, message: impl Into<String>) {
        let diagnostic = Diagnostic::warning(code, self.path(), Some(place.clone()), message);
        self.diagnostics.push(diagnostic);
    }

    /// Reads the entries of a map into a section; the emptiness rule is the caller's.
    pub fn fields<T: Section>(&mut self, section: &mut T, node: &Node) {
        let names: Vec<_> = T::FIELDS.iter().map(|field| field.name).collect();
        self.each_field(node, &names, |found, child, decoder| match found {
            Ok(index) => section.set(index, child, decoder),
            Err(unknown) => decoder.unknown_field(unknown, &names),
        });
    }

    /// Visits the entries of a map: the index of the field in `names`, whatever its case, or the
    /// key of an unknown one. Known fields are visited one step down the path.
    pub fn each_field(
        &mut self,
        node: &Node,
        names: &[&str],
        mut visit: impl FnMut(Result<usize, &Key>, &Node, &mut Self),
    ) {
        let mut written: BTreeMap<usize, &str> = BTreeMap::new();
        for (key, child) in in_order(node) {
            let found = names.iter().position(|name| name.eq_ignore_ascii_case(&key.name));
            let Some(index) = found else {
                visit(Err(key), child, self);
                continue;
            };
            self.within_key(names[index], &key.place, |decoder| {
                if let Some(first) = written.insert(index, &key.name) {
                    let message = format!("{:?} and {first:?} are the same field; the last one counts", key.name);
                    decoder.warning("field-twice", &key.place, message);
                }
                visit(Ok(index), child, decoder);
            });
        }
    }

    /// Records an unknown field, with the known one that was probably meant.
    pub fn unknown_field(&mut self, key: &Key, names: &[&str]) {
        let name = &key.name;
        let hint = match suggest::closest(name, names.iter().copied()) {
            Some(meant) => Some(format!("did you mean {meant:?}?")),
            None => elsewhere(self.name(), name)
                .map(str::to_owned)
                .or_else(|| (names.len() <= 12).then(|| format!("known fields here: {}", names.join(", ")))),
        };
        self.within(name.as_str(), |decoder| {
            let message = format!("field not found, node: {name}");
            decoder.error_with_hint("unknown-field", &key.place, message, hint);
        });
    }

    /// The text of a scalar, or a mistake.
    pub fn text<'n>(&mut self, node: &'n Node) -> Option<&'n str> {
        match &node.value {
            Value::Scalar(text, _) => Some(text),
            Value::Null => None,
            Value::List(_) => {
                self.error("wrong-type", &node.place, "expected a single value, found a list");
                None
            }
            Value::Map(_) => {
                let message = format!("invalid node {}: expected a single value", self.name());
                self.error("wrong-type", &node.place, message);
                None
            }
        }
    }

    /// The items of a list: a list, or text with commas. Empty means absent.
    fn items<'n>(&mut self, node: &'n Node) -> Option<Items<'n>> {
        match &node.value {
            Value::Null => None,
            Value::List(items) if items.is_empty() => None,
            Value::List(items) => Some(Items::Listed(items)),
            Value::Scalar(text, _) if text.is_empty() => None,
            Value::Scalar(text, kind) => Some(Items::Split(
                text.split(',')
                    .map(|item| {
                        let value = Value::Scalar(item.trim().to_owned(), *kind);
                        Node::new(value, node.place.clone())
                    })
                    .collect(),
            )),
            Value::Map(_) => {
                self.error("wrong-type", &node.place, "expected a list, found a map");
                None
            }
        }
    }

    /// Runs a parser over a scalar; its refusal becomes the message.
    pub(crate) fn parse<T, E: ToString>(
        &mut self,
        code: &'static str,
        node: &Node,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(node)?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(message) => {
                self.error(code, &node.place, message.to_string());
                None
            }
        }
    }
}

enum Items<'n> {
    Listed(&'n [Node]),
    Split(Vec<Node>),
}

/// Entries sorted by key where case makes two keys the same field, since paerser lets the last
/// in byte order win; otherwise in the order of the file.
fn in_order(node: &Node) -> Vec<(&Key, &Node)> {
    let mut entries: Vec<_> = node.entries().collect();
    let folded = |name: &str| name.to_ascii_lowercase();
    let mut names: Vec<_> = entries.iter().map(|(key, _)| folded(&key.name)).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        entries.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
    }
    entries
}

/// Advice for fields that exist, but not there.
fn elsewhere(section: &str, field: &str) -> Option<&'static str> {
    let field = field.to_ascii_lowercase();
    Some(match (section, field.as_str()) {
        ("rateLimit", "limit") => "rateLimit calls it \"average\"; \"limit\" is a field of plugin.distributedRateLimit",
        ("rateLimit", "denyonerror") => {
            "that is a field of plugin.distributedRateLimit; rateLimit has Tollgate's own \"failurePolicy\""
        }
        ("rateLimit", "responseheaders" | "store") => "that is a field of plugin.distributedRateLimit",
        ("redis", "sentinel" | "timeout" | "cluster" | "database") => {
            "that is a field of plugin.distributedRateLimit.store.redis"
        }
        _ => return None,
    })
}

/// Reads a section as a field: it may not be empty unless it is one of those that may.
pub fn section_field<T: Section>(node: &Node, decoder: &mut Decoder, name: &str) -> Option<T> {
    if !may_be_section(node, T::ALLOW_EMPTY, decoder, name)? {
        return Some(T::default());
    }
    section_element(node, decoder)
}

/// Whether there is something to read in a field that holds a section: `Some(false)` when it is
/// present but empty, `None` when it is absent or wrongly empty.
pub(crate) fn may_be_section(node: &Node, allow_empty: bool, decoder: &mut Decoder, type_name: &str) -> Option<bool> {
    if allow_empty {
        return match node.as_text() {
            Some(text) => (text.is_empty() || text.eq_ignore_ascii_case("true")).then_some(false),
            None => Some(true),
        };
    }
    if node.entries().next().is_none() {
        standalone(node, decoder, type_name);
        return None;
    }
    Some(true)
}

/// Reads a section as an element of a list or a map, where it may be empty.
pub fn section_element<T: Section>(node: &Node, decoder: &mut Decoder) -> Option<T> {
    if let Value::Scalar(..) | Value::List(_) = node.value {
        let message = format!("expected a map of the fields of {}", T::TYPE);
        decoder.error("wrong-type", &node.place, message);
        return None;
    }
    let mut section = T::default();
    decoder.fields(&mut section, node);
    Some(section)
}

pub(crate) fn standalone(node: &Node, decoder: &mut Decoder, type_name: &str) {
    if node.is_null() {
        return;
    }
    let name = decoder.name().to_owned();
    let message = format!("{name} cannot be a standalone element (type {type_name})");
    let hint = format!("remove {name:?}, or set at least one field of it");
    decoder.error_with_hint("empty-section", &node.place, message, Some(hint));
}

/// Describes a struct of settings once: fields with their written names, defaults and
/// documentation. Derives `Default`, [`Decode`], [`Section`](crate::decode::Section) and
/// `Serialize` in the shape of Traefik's API.
///
/// ```text
/// section! {
///     /// A middleware's Redis.
///     pub struct Redis: "dynamic.Redis" {
///         /// Addresses.
///         "endpoints" => endpoints: Vec<String> = vec!["localhost:6379".into()],
///         /// Database number.
///         "db" => db: i64,
///     }
/// }
/// ```
/// `pub struct Ping: "ping.Handler", allow_empty { … }` is a section that may be empty.
macro_rules! section {
    (
        $(#[$meta:meta])*
        pub struct $name:ident: $type_name:literal $(, $allow_empty:ident)? {
            $(
                $(#[doc = $doc:literal])*
                $key:literal => $field:ident: $type:ty $(= $default:expr)?,
            )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        pub struct $name {
            $(
                $(#[doc = $doc])*
                #[serde(rename = $key, skip_serializing_if = "crate::decode::Omit::omit")]
                pub $field: $type,
            )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($field: $crate::decode::section!(@default $($default)?),)*
                }
            }
        }

        impl $crate::decode::Section for $name {
            const TYPE: &'static str = $type_name;
            const ALLOW_EMPTY: bool = $crate::decode::section!(@allow_empty $($allow_empty)?);
            const FIELDS: &'static [$crate::decode::Field] = &[
                $($crate::decode::Field { name: $key, doc: concat!($($doc, "\n"),*) },)*
            ];

            #[allow(unused_variables, unused_assignments, unused_mut)]
            fn set(
                &mut self,
                index: usize,
                node: &$crate::node::Node,
                decoder: &mut $crate::decode::Decoder,
            ) {
                let mut at = 0;
                $(
                    if index == at {
                        if let Some(value) = $crate::decode::Decode::decode(node, decoder) {
                            self.$field = value;
                        }
                        return;
                    }
                    at += 1;
                )*
            }
        }

        impl $crate::decode::Decode for $name {
            fn type_name() -> String {
                $type_name.to_owned()
            }

            fn element_name() -> String {
                concat!("*", $type_name).to_owned()
            }

            fn decode(
                node: &$crate::node::Node,
                decoder: &mut $crate::decode::Decoder,
            ) -> Option<Self> {
                $crate::decode::section_field(node, decoder, concat!("*", $type_name))
            }

            fn decode_element(
                node: &$crate::node::Node,
                decoder: &mut $crate::decode::Decoder,
            ) -> Option<Self> {
                $crate::decode::section_element(node, decoder)
            }
        }

        impl $crate::decode::Omit for $name {
            fn omit(&self) -> bool {
                false
            }
        }
    };
    (@default) => { Default::default() };
    (@default $default:expr) => { $default };
    (@allow_empty) => { false };
    (@allow_empty allow_empty) => { true };
}
pub(crate) use section;

#[cfg(test)]
mod tests;
