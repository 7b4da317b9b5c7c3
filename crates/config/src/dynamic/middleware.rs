//! Middlewares as written.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::decode::{Decode, Decoder, section};
use crate::dynamic::headers::Headers;
use crate::dynamic::rate_limit::{IpStrategy, RateLimit};
use crate::dynamic::shapes;
use crate::dynamic::values::AllowEmpty;
use crate::node::{Node, Value};
use crate::shape::{Shape, Shaped, Shown};

/// A middleware: exactly one kind, if it is a good one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Middleware {
    /// The kinds that were written under one name.
    pub kinds: Vec<MiddlewareKind>,
}

/// What a middleware does.
#[derive(Debug, Clone, PartialEq)]
pub enum MiddlewareKind {
    /// `rateLimit`
    RateLimit(Box<RateLimit>),
    /// `ipAllowList`
    IpAllowList(IpAllowList),
    /// `ipWhiteList`, the deprecated name of `ipAllowList`
    IpWhiteList(IpAllowList),
    /// `headers`
    Headers(Box<Headers>),
    /// `stripPrefix`
    StripPrefix(StripPrefix),
    /// `addPrefix`
    AddPrefix(AddPrefix),
    /// `chain`
    Chain(Chain),
    /// `plugin`
    Plugin(Plugin),
    /// One of Traefik's that does not run here yet.
    NotYet {
        /// Its name in the configuration.
        name: &'static str,
        /// What was written.
        written: Shaped,
    },
}

section! {
    /// `ipAllowList`: only these addresses.
    pub struct IpAllowList: "dynamic.IPAllowList" {
        /// Addresses and nets.
        "sourceRange" => source_range: Vec<String>,
        /// Which address is the client's.
        "ipStrategy" => ip_strategy: Option<AllowEmpty<IpStrategy>>,
        /// Status for the others; 0 means 403.
        "rejectStatusCode" => reject_status_code: i64,
    }
}

section! {
    /// `stripPrefix`: removes the first prefix that fits.
    pub struct StripPrefix: "dynamic.StripPrefix" {
        /// Prefixes to remove.
        "prefixes" => prefixes: Vec<String>,
        /// Deprecated: keep a slash where nothing is left.
        "forceSlash" => force_slash: Option<bool>,
    }
}

section! {
    /// `addPrefix`: puts a prefix before the path.
    pub struct AddPrefix: "dynamic.AddPrefix" {
        /// The prefix.
        "prefix" => prefix: String,
    }
}

section! {
    /// `chain`: other middlewares in this order.
    pub struct Chain: "dynamic.Chain" {
        /// References to middlewares.
        "middlewares" => middlewares: Vec<String>,
    }
}

/// `plugin`: names and their settings, whatever these are.
#[derive(Debug, Clone, PartialEq)]
pub struct Plugin {
    /// Settings by name of the plugin.
    pub settings: BTreeMap<String, Node>,
}

impl MiddlewareKind {
    /// The name in the configuration, `rateLimit`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RateLimit(_) => "rateLimit",
            Self::IpAllowList(_) => "ipAllowList",
            Self::IpWhiteList(_) => "ipWhiteList",
            Self::Headers(_) => "headers",
            Self::StripPrefix(_) => "stripPrefix",
            Self::AddPrefix(_) => "addPrefix",
            Self::Chain(_) => "chain",
            Self::Plugin(_) => "plugin",
            Self::NotYet { name, .. } => name,
        }
    }

    fn decode(name: &'static str, node: &Node, decoder: &mut Decoder) -> Option<Self> {
        Some(match name {
            "rateLimit" => Self::RateLimit(Box::new(Decode::decode(node, decoder)?)),
            "ipAllowList" => Self::IpAllowList(Decode::decode(node, decoder)?),
            "ipWhiteList" => Self::IpWhiteList(Decode::decode(node, decoder)?),
            "headers" => Self::Headers(Box::new(Decode::decode(node, decoder)?)),
            "stripPrefix" => Self::StripPrefix(Decode::decode(node, decoder)?),
            "addPrefix" => Self::AddPrefix(Decode::decode(node, decoder)?),
            "chain" => Self::Chain(Decode::decode(node, decoder)?),
            "plugin" => Self::Plugin(Decode::decode(node, decoder)?),
            name => Self::NotYet { name, written: Shaped::decode(shape_of(name)?, node, decoder)? },
        })
    }
}

const RUNNING: [&str; 8] =
    ["rateLimit", "ipAllowList", "ipWhiteList", "headers", "stripPrefix", "addPrefix", "chain", "plugin"];

fn shape_of(name: &str) -> Option<&'static Shape> {
    shapes::MIDDLEWARES.iter().find(|(known, _)| *known == name).map(|(_, shape)| shape)
}

impl Decode for Middleware {
    fn type_name() -> String {
        "dynamic.Middleware".to_owned()
    }

    fn element_name() -> String {
        "*dynamic.Middleware".to_owned()
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        if !matches!(node.value, Value::Map(_)) {
            let message = "expected a map with one kind of middleware";
            decoder.error("wrong-type", &node.place, message);
            return None;
        }
        let names: Vec<&'static str> =
            RUNNING.into_iter().chain(shapes::MIDDLEWARES.iter().map(|(name, _)| *name)).collect();
        let mut middleware = Self::default();
        decoder.each_field(node, &names, |found, child, decoder| match found {
            Ok(index) => middleware.kinds.extend(MiddlewareKind::decode(names[index], child, decoder)),
            Err(key) => decoder.unknown_field(key, &names),
        });
        Some(middleware)
    }
}

impl Decode for Plugin {
    fn type_name() -> String {
        "map[string]dynamic.PluginConf".to_owned()
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        if node.entries().next().is_none() {
            crate::decode::standalone(node, decoder, &Self::type_name());
            return None;
        }
        let settings = node.entries().map(|(key, node)| (key.name.clone(), node.clone())).collect();
        Some(Self { settings })
    }
}

impl Serialize for Middleware {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.kinds.iter().map(|kind| (kind.name(), kind)))
    }
}

impl Serialize for MiddlewareKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::RateLimit(written) => written.serialize(serializer),
            Self::IpAllowList(written) | Self::IpWhiteList(written) => written.serialize(serializer),
            Self::Headers(written) => written.serialize(serializer),
            Self::StripPrefix(written) => written.serialize(serializer),
            Self::AddPrefix(written) => written.serialize(serializer),
            Self::Chain(written) => written.serialize(serializer),
            Self::Plugin(plugin) => {
                serializer.collect_map(plugin.settings.iter().map(|(name, node)| (name, Shown::Free(node))))
            }
            Self::NotYet { written, .. } => written.serialize(serializer),
        }
    }
}
