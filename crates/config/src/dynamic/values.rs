//! Values that hide a part of themselves when they are shown.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use serde::{Serialize, Serializer};

use crate::decode::{Decode, Decoder, Omit, Section, section_element};
use crate::node::Node;
use crate::redacted::{MASK, address_without_user_info, is_credential_name};

/// A URL or `host:port` as written. Shows without its user information.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Url(pub String);

impl Deref for Url {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&address_without_user_info(&self.0))
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", address_without_user_info(&self.0))
    }
}

impl Serialize for Url {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Decode for Url {
    fn type_name() -> String {
        String::type_name()
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        String::decode(node, decoder).map(Self)
    }
}

impl Omit for Url {
    fn omit(&self) -> bool {
        self.0.is_empty()
    }
}

/// Header names and values. Values of headers that carry credentials do not show.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HeaderMap(pub BTreeMap<String, String>);

impl HeaderMap {
    fn shown(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| {
            let hidden = is_credential_name(name) && !value.is_empty();
            (name.as_str(), if hidden { MASK } else { value })
        })
    }
}

impl Deref for HeaderMap {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl fmt::Debug for HeaderMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.shown()).finish()
    }
}

impl Serialize for HeaderMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.shown())
    }
}

impl Decode for HeaderMap {
    fn type_name() -> String {
        BTreeMap::<String, String>::type_name()
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        BTreeMap::decode(node, decoder).map(Self)
    }
}

impl Omit for HeaderMap {
    fn omit(&self) -> bool {
        self.0.is_empty()
    }
}

/// A section that may be empty here, though not elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct AllowEmpty<T>(pub T);

impl<T: Section + Decode> Decode for AllowEmpty<T> {
    fn type_name() -> String {
        T::type_name()
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match node.as_text() {
            Some(text) => (text.is_empty() || text.eq_ignore_ascii_case("true")).then(Self::default),
            None => section_element(node, decoder).map(Self),
        }
    }
}
