//! Dynamic configuration as written: everything Traefik accepts under `http`, `tcp`, `udp` and
//! `tls`, with defaults applied, and nothing yet said about what it means.
//!
//! Its JSON is the shape of Traefik's API, with every secret as `xxxx`.

pub mod headers;
mod merge;
pub mod middleware;
pub mod rate_limit;
pub mod router;
pub mod service;
pub(crate) mod shapes;
pub mod values;

use std::collections::BTreeMap;

use serde::Serialize;

pub use headers::Headers;
pub use merge::MergedConfig;
pub use middleware::{Middleware, MiddlewareKind};
pub use rate_limit::{DistributedRateLimit, RateLimit, Redis, SourceCriterion, WindowQuota};
pub use router::Router;
pub use service::{LoadBalancer, Server, Service, ServiceKind};

use crate::decode::{Decode, Decoder, section};
use crate::node::{Node, Value};
use crate::shape::Shaped;
use crate::written::Written;

/// What one provider says.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DynamicConfig {
    /// HTTP routers, services and middlewares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,
    /// TCP routers, services and middlewares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp: Option<Shaped>,
    /// UDP routers and services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udp: Option<Shaped>,
    /// Certificates, TLS options and stores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Shaped>,
}

section! {
    /// The section `http`.
    pub struct Http: "dynamic.HTTPConfiguration" {
        /// Routers by name.
        "routers" => routers: BTreeMap<String, Written<Router>>,
        /// Services by name.
        "services" => services: BTreeMap<String, Written<Service>>,
        /// Middlewares by name.
        "middlewares" => middlewares: BTreeMap<String, Written<Middleware>>,
        /// How to connect to servers, by name.
        "serversTransports" => servers_transports: BTreeMap<String, Written<ServersTransport>>,
    }
}

/// A `serversTransport` as written.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct ServersTransport(pub Shaped);

impl Decode for ServersTransport {
    fn type_name() -> String {
        shapes::SERVERS_TRANSPORT.type_name.to_owned()
    }

    fn element_name() -> String {
        format!("*{}", Self::type_name())
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        Shaped::decode(&shapes::SERVERS_TRANSPORT, node, decoder).map(Self)
    }
}

impl DynamicConfig {
    /// Reads a whole file. Unknown top-level keys are accepted with a warning, as Traefik accepts
    /// them without one.
    pub fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        let mut config = Self::default();
        if !matches!(node.value, Value::Map(_) | Value::Null) {
            let message = "the file must be a map of http, tcp, udp and tls";
            decoder.error("wrong-type", &node.place, message);
            return config;
        }
        let names = ["http", "tcp", "udp", "tls"];
        decoder.each_field(node, &names, |found, child, decoder| match found {
            Ok(0) => config.http = Http::decode(child, decoder),
            Ok(1) => config.tcp = Shaped::decode(&shapes::TCP, child, decoder),
            Ok(2) => config.udp = Shaped::decode(&shapes::UDP, child, decoder),
            Ok(_) => config.tls = Shaped::decode(&shapes::TLS, child, decoder),
            // The usual place for anchors.
            Err(key) if key.name.starts_with("x-") => {}
            Err(key) => decoder.within(key.name.as_str(), |decoder| {
                let message = format!("unknown top-level key {:?} is ignored", key.name);
                decoder.warning("unknown-top-level-key", &key.place, message);
            }),
        });
        config
    }

    /// One configuration from all providers, with qualified names.
    pub fn merge(per_provider: &BTreeMap<String, Self>) -> MergedConfig {
        merge::merge(per_provider)
    }
}
