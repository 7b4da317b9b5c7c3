//! Requests to ask rules about.

use std::net::IpAddr;

use tollgate_rule::{Request, canonical};

/// A request as a rule sees it.
pub(crate) struct Sent {
    host: &'static str,
    path: String,
    query: &'static str,
    method: &'static str,
    peer: Option<IpAddr>,
    headers: &'static [(&'static str, &'static [u8])],
}

/// Requests that differ in everything a rule may ask for, and lack all of it.
pub(crate) fn requests() -> [Sent; 4] {
    [
        Sent {
            host: "a.test",
            path: routing_path("/api/v1/items"),
            query: "q=1&q=two%20words;empty",
            method: "GET",
            peer: Some(IpAddr::from([192, 0, 2, 1])),
            headers: &[("accept", b"text/html, */*"), ("x-a", b"1"), ("x-a", b"\xff\xfe")],
        },
        Sent {
            host: "www.a.test.",
            path: routing_path("/%E2%82%AC%2F%FF/"),
            query: "%zz&=&a=%FF",
            method: "purge",
            peer: Some(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1])),
            headers: &[("x-a", b"")],
        },
        Sent { host: "fe80::1%eth0", path: "*".to_owned(), query: "", method: "OPTIONS", peer: None, headers: &[] },
        Sent { host: "", path: String::new(), query: "", method: "", peer: None, headers: &[] },
    ]
}

fn routing_path(raw: &str) -> String {
    let path = canonical::path(raw).expect("a path from this file");
    canonical::routing_path(&path).into_owned()
}

impl Request for Sent {
    fn host(&self) -> &str {
        self.host
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn method(&self) -> &str {
        self.method
    }

    fn client_ip(&self) -> Option<IpAddr> {
        self.peer
    }

    fn header_any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.headers.iter().any(|(found, value)| *found == name && test(value))
    }

    fn query_any(&self, key: &str, test: &mut dyn FnMut(&str) -> bool) -> bool {
        canonical::query(self.query).any(|(found, value)| found == key && test(&value))
    }
}
