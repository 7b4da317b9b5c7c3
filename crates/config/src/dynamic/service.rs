//! Services as written.

use serde::{Serialize, Serializer};

use crate::decode::{Decode, Decoder, section};
use crate::duration::SignedDuration;
use crate::dynamic::shapes;
use crate::dynamic::values::Url;
use crate::node::{Node, Value};
use crate::shape::{Shape, Shaped};

/// A service: exactly one kind, if it is a good one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Service {
    /// The kinds that were written under one name.
    pub kinds: Vec<ServiceKind>,
    /// Middlewares between the router's and the servers.
    pub middlewares: Vec<String>,
}

/// What a service does.
#[derive(Debug, Clone, PartialEq)]
pub enum ServiceKind {
    /// `loadBalancer`
    LoadBalancer(Box<LoadBalancer>),
    /// One of Traefik's that does not run here yet.
    NotYet {
        /// Its name in the configuration.
        name: &'static str,
        /// What was written.
        written: Shaped,
    },
}

section! {
    /// `loadBalancer`: some servers that do the same.
    pub struct LoadBalancer: "dynamic.ServersLoadBalancer" {
        /// One client, one server.
        "sticky" => sticky: Option<Sticky>,
        /// The servers.
        "servers" => servers: Vec<Server>,
        /// How a server is picked: `wrr`, `p2c`, `hrw`, `leasttime`.
        "strategy" => strategy: String = "wrr".to_owned(),
        /// Asking servers whether they are well.
        "healthCheck" => health_check: Option<HealthCheck>,
        /// Learning from failures.
        "passiveHealthCheck" => passive_health_check: Option<PassiveHealthCheck>,
        /// Whether servers see the client's `Host`.
        "passHostHeader" => pass_host_header: Option<bool> = Some(true),
        /// How responses are passed on.
        "responseForwarding" => response_forwarding: Option<ResponseForwarding> =
            Some(ResponseForwarding::default()),
        /// Reference to how to connect.
        "serversTransport" => servers_transport: String,
    }
}

section! {
    /// A server.
    pub struct Server: "dynamic.Server" {
        /// `http://host:port`; a path counts only with `preservePath`.
        "url" => url: Url,
        /// Its share of the requests; 0 or less means none.
        "weight" => weight: Option<i64>,
        /// Whether the path of the URL is put before the request's.
        "preservePath" => preserve_path: bool,
    }
}

section! {
    /// How responses are passed on.
    pub struct ResponseForwarding: "dynamic.ResponseForwarding" {
        /// How long a piece of a body may wait; negative means not at all.
        "flushInterval" => flush_interval: SignedDuration = SignedDuration::from_millis(100),
    }
}

macro_rules! shaped {
    ($($(#[$meta:meta])* $name:ident => $shape:path;)*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(transparent)]
        pub struct $name(pub Shaped);

        impl Decode for $name {
            fn type_name() -> String {
                $shape.type_name.to_owned()
            }

            fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
                Shaped::decode(&$shape, node, decoder).map(Self)
            }
        }
    )*};
}

shaped! {
    /// `sticky`
    Sticky => shapes::STICKY;
    /// `healthCheck`
    HealthCheck => shapes::HEALTH_CHECK;
    /// `passiveHealthCheck`
    PassiveHealthCheck => shapes::PASSIVE_HEALTH_CHECK;
}

impl ServiceKind {
    /// The name in the configuration, `loadBalancer`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::LoadBalancer(_) => "loadBalancer",
            Self::NotYet { name, .. } => name,
        }
    }
}

impl Decode for Service {
    fn type_name() -> String {
        "dynamic.Service".to_owned()
    }

    fn element_name() -> String {
        "*dynamic.Service".to_owned()
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        if !matches!(node.value, Value::Map(_)) {
            let message = "expected a map with one kind of service";
            decoder.error("wrong-type", &node.place, message);
            return None;
        }
        let known: &[(&'static str, Shape)] = &shapes::SERVICES;
        let mut names = vec!["loadBalancer", "middlewares"];
        names.extend(known.iter().map(|(name, _)| *name));
        let mut service = Self::default();
        decoder.each_field(node, &names, |found, child, decoder| match found {
            Ok(0) => {
                let written = LoadBalancer::decode(child, decoder);
                service.kinds.extend(written.map(|written| ServiceKind::LoadBalancer(Box::new(written))));
            }
            Ok(1) => service.middlewares = Decode::decode(child, decoder).unwrap_or_default(),
            Ok(index) => {
                let (name, shape) = &shapes::SERVICES[index - 2];
                let written = Shaped::decode(shape, child, decoder);
                service.kinds.extend(written.map(|written| ServiceKind::NotYet { name, written }));
            }
            Err(key) => decoder.unknown_field(key, &names),
        });
        Some(service)
    }
}

impl Serialize for Service {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        for kind in &self.kinds {
            match kind {
                ServiceKind::LoadBalancer(written) => map.serialize_entry(kind.name(), written)?,
                ServiceKind::NotYet { written, .. } => map.serialize_entry(kind.name(), written)?,
            }
        }
        if !self.middlewares.is_empty() {
            map.serialize_entry("middlewares", &self.middlewares)?;
        }
        map.end()
    }
}
