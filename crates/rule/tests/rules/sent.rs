//! A request as it came over the wire.

use std::net::IpAddr;

use tollgate_rule::{Request, canonical};

/// What a rule sees, computed from raw parts as the gateway does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sent {
    host: String,
    path: String,
    query: String,
    method: String,
    peer: Option<IpAddr>,
    headers: Vec<(String, Vec<u8>)>,
}

impl Sent {
    pub(crate) fn to(url: &str) -> Sent {
        let (_, rest) = url.split_once("://").expect("a URL");
        let start = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(start);
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path = canonical::path(path).expect("a path");
        Sent {
            host: canonical::host(authority).into_owned(),
            path: canonical::routing_path(&path).into_owned(),
            query: query.to_owned(),
            method: "GET".to_owned(),
            ..Sent::default()
        }
    }

    pub(crate) fn method(mut self, method: &str) -> Sent {
        method.clone_into(&mut self.method);
        self
    }

    pub(crate) fn from(mut self, peer: Option<IpAddr>) -> Sent {
        self.peer = peer;
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &[u8]) -> Sent {
        self.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }
}

impl Request for Sent {
    fn host(&self) -> &str {
        &self.host
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn method(&self) -> &str {
        &self.method
    }

    fn client_ip(&self) -> Option<IpAddr> {
        self.peer
    }

    fn header_any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.headers.iter().any(|(found, value)| found == name && test(value))
    }

    fn query_any(&self, key: &str, test: &mut dyn FnMut(&str) -> bool) -> bool {
        canonical::query(&self.query).any(|(found, value)| found == key && test(&value))
    }
}
