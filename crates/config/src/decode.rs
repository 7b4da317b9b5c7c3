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

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::duration::SignedDuration;
use crate::node::{Key, Node, Value};
use crate::place::Place;
use crate::redacted::Redacted;
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
        ("rateLimit", "denyonerror" | "responseheaders" | "store") => "that is a field of plugin.distributedRateLimit",
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

// === impl Decode ===

impl Decode for String {
    fn type_name() -> String {
        "string".to_owned()
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        decoder.text(node).map(str::to_owned)
    }
}

impl Decode for bool {
    fn type_name() -> String {
        "bool".to_owned()
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let text = decoder.text(node)?;
        let value = match text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
            _ => None,
        };
        if value.is_none() {
            let message = format!("strconv.ParseBool: parsing {text:?}: invalid syntax");
            let hint = Some("use true or false".to_owned());
            decoder.error_with_hint("not-a-bool", &node.place, message, hint);
        }
        value
    }
}

macro_rules! decode_integer {
    ($($type:ty, $name:literal, $function:literal;)*) => {$(
        impl Decode for $type {
            fn type_name() -> String {
                $name.to_owned()
            }

            fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
                decoder.parse("not-an-integer", node, |text| {
                    text.parse::<$type>().map_err(|error| {
                        use std::num::IntErrorKind::{NegOverflow, PosOverflow};
                        let reason = match error.kind() {
                            PosOverflow | NegOverflow => "value out of range",
                            _ => "invalid syntax",
                        };
                        format!(concat!("strconv.", $function, ": parsing {:?}: {}"), text, reason)
                    })
                })
            }
        }

        impl Omit for $type {
            fn omit(&self) -> bool {
                *self == 0
            }
        }
    )*};
}

decode_integer! {
    i32, "int32", "ParseInt";
    i64, "int", "ParseInt";
    u16, "uint16", "ParseUint";
    u32, "uint32", "ParseUint";
    u64, "uint64", "ParseUint";
}

impl Decode for f64 {
    fn type_name() -> String {
        "float64".to_owned()
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        decoder.parse("not-a-number", node, |text| {
            text.parse::<f64>().map_err(|_| format!("strconv.ParseFloat: parsing {text:?}: invalid syntax"))
        })
    }
}

impl Decode for SignedDuration {
    fn type_name() -> String {
        "types.Duration".to_owned()
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let text = decoder.text(node)?;
        match Self::parse(text) {
            Ok(duration) => Some(duration),
            Err(error) => {
                let hint = "use seconds, or a number with a unit of ns, us, ms, s, m, h: 10, 250ms, 1h30m";
                decoder.error_with_hint("not-a-duration", &node.place, error.to_string(), Some(hint.to_owned()));
                None
            }
        }
    }
}

impl<T: Decode> Decode for Redacted<T> {
    fn type_name() -> String {
        T::type_name()
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        T::decode(node, decoder).map(Self::new)
    }
}

impl<T: Decode> Decode for Option<T> {
    fn type_name() -> String {
        format!("*{}", T::type_name())
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        T::decode(node, decoder).map(Some)
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn type_name() -> String {
        format!("[]{}", T::type_name())
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let items = decoder.items(node)?;
        let items = match &items {
            Items::Listed(items) => items,
            Items::Split(items) => items.as_slice(),
        };
        let mut list = Self::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            decoder.within(format!("[{index}]"), |decoder| {
                if item.is_null() {
                    let message = "unsupported simple value type: invalid";
                    decoder.error("null-item", &item.place, message);
                } else {
                    list.extend(T::decode_element(&trimmed(item), decoder));
                }
            });
        }
        Some(list)
    }
}

/// Items of lists lose the space around them.
fn trimmed(item: &Node) -> std::borrow::Cow<'_, Node> {
    use std::borrow::Cow;
    match &item.value {
        Value::Scalar(text, kind) if text.trim().len() != text.len() => {
            Cow::Owned(Node::new(Value::Scalar(text.trim().to_owned(), *kind), item.place.clone()))
        }
        _ => Cow::Borrowed(item),
    }
}

impl<T: Decode> Decode for BTreeMap<String, T> {
    fn type_name() -> String {
        format!("map[string]{}", T::element_name())
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        if node.entries().next().is_none() {
            standalone(node, decoder, &Self::type_name());
            return None;
        }
        let mut map = Self::new();
        for (key, child) in node.entries() {
            decoder.within_key(&key.name, &key.place, |decoder| {
                if let Some(value) = T::decode_element(child, decoder) {
                    map.insert(key.name.clone(), value);
                }
            });
        }
        Some(map)
    }
}

// === impl Omit ===

impl Omit for String {
    fn omit(&self) -> bool {
        self.is_empty()
    }
}

impl Omit for bool {
    fn omit(&self) -> bool {
        !self
    }
}

impl Omit for f64 {
    fn omit(&self) -> bool {
        *self == 0.0
    }
}

impl Omit for SignedDuration {
    fn omit(&self) -> bool {
        self.is_zero()
    }
}

impl<T: Omit> Omit for Redacted<T> {
    fn omit(&self) -> bool {
        self.expose().omit()
    }
}

impl<T> Omit for Option<T> {
    fn omit(&self) -> bool {
        self.is_none()
    }
}

impl<T> Omit for Vec<T> {
    fn omit(&self) -> bool {
        self.is_empty()
    }
}

impl<K, V> Omit for BTreeMap<K, V> {
    fn omit(&self) -> bool {
        self.is_empty()
    }
}

#[cfg(test)]
#[allow(unreachable_pub)]
mod tests {
    use super::*;
    use crate::load::{Format, load_node};

    section! {
        /// All kinds of fields.
        pub struct Sample: "test.Sample" {
            /// How many.
            "count" => count: i64 = 7,
            /// Or not.
            "flag" => flag: bool,
            /// How long.
            "period" => period: SignedDuration = SignedDuration::from_secs(1),
            /// Which.
            "names" => names: Vec<String>,
            /// More.
            "inner" => inner: Option<Inner>,
            /// May be empty.
            "maybe" => maybe: Option<Maybe>,
            /// Many.
            "many" => many: BTreeMap<String, Inner>,
            /// A row.
            "row" => row: Vec<Inner>,
            /// Hidden.
            "password" => password: Redacted<String>,
        }
    }

    section! {
        /// A section.
        pub struct Inner: "test.Inner" {
            /// A value.
            "value" => value: String = "default".to_owned(),
        }
    }

    section! {
        /// A section that may be empty.
        pub struct Maybe: "test.Maybe", allow_empty {
            /// A value.
            "value" => value: i64 = 1,
        }
    }

    fn sample(text: &str) -> (Option<Sample>, Vec<String>) {
        let node = load_node(text, Format::Yaml, "t").unwrap();
        let mut decoder = Decoder::default();
        let sample = Sample::decode_element(&node, &mut decoder);
        let said = decoder.into_diagnostics();
        (sample, said.iter().map(ToString::to_string).collect())
    }

    fn good(text: &str) -> Sample {
        let (sample, said) = sample(text);
        assert!(said.is_empty(), "{said:?}");
        sample.unwrap()
    }

    fn said(text: &str) -> String {
        sample(text).1.join("\n")
    }

    #[test]
    fn keys_fold_case_and_texts_are_typed_by_the_field() {
        let sample = good("COUNT: \"100\"\nflag: \"1\"\nPeriod: 1e3\nnames: \"a, b\"\n");
        assert_eq!((sample.count, sample.flag), (100, true));
        assert_eq!(sample.period, SignedDuration::from_secs(1000));
        assert_eq!(sample.names, ["a", "b"]);
    }

    #[test]
    fn null_and_empty_lists_are_absent() {
        let sample = good("count: null\ninner:\nnames: []\nperiod: 10.0\n");
        assert_eq!(sample.count, 7);
        assert_eq!(sample.inner, None);
        assert_eq!(sample.period.to_string(), "10s");
    }

    #[test]
    fn items_of_lists_are_trimmed() {
        assert_eq!(good("names: [' a ', b]").names, ["a", "b"]);
    }

    #[test]
    fn empty_sections_are_refused_except_where_allowed() {
        for text in ["inner: {}", "inner: true", "inner: {value: null}"] {
            assert!(said(text).contains(": inner: inner cannot be a standalone element (type *test.Inner)"), "{text}");
        }
        assert!(said("many: {}").contains("(type map[string]*test.Inner)"));
        assert_eq!(good("many: {a: {}}").many["a"], Inner::default());
        for text in ["maybe: {}", "maybe: true", "maybe: ''"] {
            assert_eq!(good(text).maybe, Some(Maybe::default()), "{text}");
        }
        assert_eq!(good("maybe: false").maybe, None);
    }

    #[test]
    fn every_mistake_is_told_with_path_place_and_hint() {
        let said = said("cuont: 1\nflag: yes\ncount: 1.5\nrow:\n  - value: a\n  - valu: b\n");
        let expected = [
            "t:1:1: error: cuont: field not found, node: cuont; hint: did you mean \"count\"?",
            "t:2:7: error: flag: strconv.ParseBool: parsing \"yes\": invalid syntax; hint: use true or false",
            "t:3:8: error: count: strconv.ParseInt: parsing \"1.500000\": invalid syntax",
            "t:6:5: error: row[1].valu: field not found, node: valu; hint: did you mean \"value\"?",
        ];
        assert_eq!(said, expected.join("\n"));
    }

    #[test]
    fn json_leaves_out_what_go_leaves_out() {
        let sample = good("count: 0\nperiod: 60\npassword: secret\ninner: {value: x}\n");
        assert_eq!(
            serde_json::to_string(&sample).unwrap(),
            r#"{"period":"1m0s","inner":{"value":"x"},"password":"xxxx"}"#
        );
    }

    #[test]
    fn the_last_of_two_spellings_counts() {
        let (sample, said) = sample("count: 1\nCount: 2\n");
        assert_eq!(sample.unwrap().count, 1);
        assert!(said[0].contains("are the same field"));
    }
}
