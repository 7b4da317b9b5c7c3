//! The values of static options: parsed once, shown as written.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Serialize, Serializer};
use tollgate_limiter::AddressSet;

use crate::decode::{Decode, Decoder, Omit};
use crate::duration::SignedDuration;
use crate::node::Node;
use crate::place::Place;

/// A time to wait at most; zero is no limit, or none at all, as its option says.
///
/// A negative one is zero with a warning: Go's servers take both for "none".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timeout(Duration);

impl Timeout {
    /// Whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The duration itself.
    pub const fn get(self) -> Duration {
        self.0
    }

    /// The duration, where zero means that there is no limit.
    pub fn limit(self) -> Option<Duration> {
        (!self.0.is_zero()).then_some(self.0)
    }
}

impl Decode for Timeout {
    fn type_name() -> String {
        SignedDuration::type_name()
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let duration = SignedDuration::decode(node, decoder)?;
        Some(Self(duration.to_duration().unwrap_or_else(|| {
            let message = format!("negative duration {duration}: taken as 0");
            decoder.warning("negative-duration", &node.place, message);
            Duration::ZERO
        })))
    }
}

impl Omit for Timeout {
    fn omit(&self) -> bool {
        self.0.is_zero()
    }
}

impl Serialize for Timeout {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let nanoseconds = i64::try_from(self.0.as_nanos()).unwrap_or(i64::MAX);
        SignedDuration::from_nanos(nanoseconds).serialize(serializer)
    }
}

/// Addresses and networks, as written and ready to be asked.
#[derive(Debug, Clone, Default)]
pub struct Networks {
    written: Vec<String>,
    set: Option<AddressSet>,
}

impl Networks {
    /// Whether an address is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.set.as_ref().is_some_and(|set| set.contains(address))
    }

    /// The set to ask; `None` when nothing was written.
    pub fn set(&self) -> Option<&AddressSet> {
        self.set.as_ref()
    }

    /// The texts of the configuration.
    pub fn written(&self) -> &[String] {
        &self.written
    }
}

impl PartialEq for Networks {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Decode for Networks {
    fn type_name() -> String {
        Vec::<String>::type_name()
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let written = Vec::<String>::decode(node, decoder)?;
        match AddressSet::parse(&written) {
            Ok(set) => Some(Self { written, set: Some(set) }),
            Err(error) => {
                decoder.error("not-an-address", &node.place, error.to_string());
                None
            }
        }
    }
}

impl Omit for Networks {
    fn omit(&self) -> bool {
        self.written.is_empty()
    }
}

impl Serialize for Networks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written.serialize(serializer)
    }
}

/// Status codes from one to another, both included; written `200-299`, or `404` for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusRange {
    /// The first.
    pub from: u16,
    /// The last.
    pub to: u16,
}

impl StatusRange {
    /// Whether a status is in the range.
    pub fn contains(self, status: u16) -> bool {
        (self.from..=self.to).contains(&status)
    }

    fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let (from, to) = (from.parse().ok()?, to.parse().ok()?);
        (from <= to).then_some(Self { from, to })
    }
}

impl Decode for StatusRange {
    fn type_name() -> String {
        "string".to_owned()
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let text = decoder.text(node)?;
        let range = Self::parse(text);
        if range.is_none() {
            let message = format!("invalid status codes {text:?}");
            let hint = Some("write one, or two with a hyphen: 404, 200-299".to_owned());
            decoder.error_with_hint("not-a-status-range", &node.place, message, hint);
        }
        range
    }
}

impl fmt::Display for StatusRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.from == self.to { write!(f, "{}", self.from) } else { write!(f, "{}-{}", self.from, self.to) }
    }
}

impl Serialize for StatusRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An enumeration of words, matched in any case, shown in the first spelling.
macro_rules! choice {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
        pub enum $name {
            $($(#[$variant_meta])* #[serde(rename = $text)] $variant,)*
        }

        impl $crate::decode::Decode for $name {
            fn type_name() -> String {
                "string".to_owned()
            }

            fn decode(
                node: &$crate::node::Node,
                decoder: &mut $crate::decode::Decoder,
            ) -> Option<Self> {
                const WORDS: &[&str] = &[$($text),*];
                let text = decoder.text(node)?;
                // As in Traefik, and as in a variable that was passed on without a value.
                if text.is_empty() {
                    return None;
                }
                $(if text.eq_ignore_ascii_case($text) {
                    return Some(Self::$variant);
                })*
                let message = format!("unknown value {text:?}");
                let hint = Some(format!("use one of: {}", WORDS.join(", ")));
                decoder.error_with_hint("unknown-value", &node.place, message, hint);
                None
            }
        }

        impl $crate::decode::Omit for $name {
            fn omit(&self) -> bool {
                false
            }
        }
    };
}
pub(crate) use choice;

/// What Go's `ParseBool` makes of a text.
pub(crate) fn parse_switch(text: &str) -> Option<bool> {
    let node = Node::string(text, Place::label(""));
    bool::decode(&node, &mut Decoder::default())
}
