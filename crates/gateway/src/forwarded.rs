//! What a request says of the way it came, and what of it stays behind here.
//!
//! Traefik 3.7, `pkg/middlewares/forwardedheaders`: forwarding headers of strangers go, those that are missing are
//! written, and what the client or its connection meant only for us is removed. All of it before routing and before
//! any middleware, so that nothing a middleware writes can be removed by the client's `Connection` afterwards.

use std::net::IpAddr;

use http::header::{
    CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use smallvec::SmallVec;
use tollgate_pipeline::{ForwardedFor, Scheme, alias};

use crate::options::ForwardedOptions;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_SERVER: HeaderName = HeaderName::from_static("x-forwarded-server");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The fields that a proxy writes and a client must not.
const MANAGED: [&str; 13] = [
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-method",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-tls-client-cert",
    "x-forwarded-tls-client-cert-info",
    "x-forwarded-uri",
    "x-real-ip",
    "x-scheme",
];

/// The stage of an entry point that deals with forwarding and hop-by-hop headers.
#[derive(Debug)]
pub(crate) struct Forwarded {
    options: ForwardedOptions,
    server: HeaderValue,
}

/// What is known of the request besides its headers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival<'a> {
    /// Whether the peer's forwarding headers are believed.
    pub(crate) trusted: bool,
    /// The peer's address as text.
    pub(crate) peer: &'a HeaderValue,
    /// The port in the request's `Host`, if it has one.
    pub(crate) port: Option<&'a HeaderValue>,
    /// How the connection is made.
    pub(crate) scheme: Scheme,
    /// Whether the request may change the protocol: it is HTTP/1.1 and has no body.
    pub(crate) upgradable: bool,
}

impl Forwarded {
    /// The stage for an entry point of the machine called `hostname`.
    pub(crate) fn new(options: ForwardedOptions, hostname: &str) -> Self {
        let server = HeaderValue::from_str(hostname).unwrap_or(HeaderValue::from_static("localhost"));
        Self { options, server }
    }

    /// Whether the forwarding headers of `peer` are believed.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        self.options.insecure || self.options.trusted.as_ref().is_some_and(|trusted| trusted.contains(peer))
    }

    /// What the upstream client does with `X-Forwarded-For`.
    pub(crate) fn forwarded_for(&self) -> ForwardedFor {
        if self.options.not_append_forwarded_for { ForwardedFor::Keep } else { ForwardedFor::Append }
    }

    /// Removes what must not go on, writes what is missing, and returns the fields that the client asked to drop.
    ///
    /// Of the hop-by-hop fields only `Connection: Upgrade` with its `Upgrade` stays, and only where an upgrade may be
    /// asked for; and `Connection` with the names of fields that the middlewares may see.
    pub(crate) fn apply(&self, headers: &mut HeaderMap, arrival: Arrival<'_>) -> Option<Box<HeaderMap>> {
        let Census { managed, hop_by_hop, connection } = Census::of(headers);
        if !arrival.trusted {
            for name in managed {
                headers.remove(name);
            }
        }
        let upgrade = connection.then(|| upgrade(headers, arrival.upgradable)).flatten();
        self.rewrite(headers, arrival, upgrade.as_ref());
        let Named { withdrawn, passing } = if connection { self.withdraw(headers) } else { Named::default() };
        for name in hop_by_hop {
            remove_hop_by_hop(headers, &name);
        }
        if let Some(protocol) = upgrade {
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(UPGRADE, protocol);
        }
        // The middlewares see them, and the way to the backend drops them: it is told by the same field.
        for name in passing {
            headers.append(CONNECTION, HeaderValue::from(name));
        }
        withdrawn
    }

    fn rewrite(&self, headers: &mut HeaderMap, arrival: Arrival<'_>, upgrade: Option<&HeaderValue>) {
        // Nothing that a stranger sent is left.
        let is_missing = |headers: &HeaderMap, name: &HeaderName| !arrival.trusted || is_missing(headers, name);
        if is_missing(headers, &X_REAL_IP) {
            headers.insert(X_REAL_IP, arrival.peer.clone());
        }
        if is_missing(headers, &X_FORWARDED_PROTO) {
            let websocket = upgrade.is_some_and(|protocol| lists(protocol, b"websocket"));
            headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(protocol(arrival.scheme, websocket)));
        }
        if is_missing(headers, &X_FORWARDED_PORT) {
            let port = arrival.port.cloned().unwrap_or_else(|| default_port(headers, arrival.scheme));
            headers.insert(X_FORWARDED_PORT, port);
        }
        if is_missing(headers, &X_FORWARDED_HOST)
            && let Some(host) = headers.get(HOST).filter(|host| !host.is_empty()).cloned()
        {
            headers.insert(X_FORWARDED_HOST, host);
        }
        if arrival.trusted {
            join_lines(headers, &X_FORWARDED_FOR);
        }
        headers.insert(X_FORWARDED_SERVER, self.server.clone());
    }

    /// Removes the fields that the client names in `Connection`. Not the framing, not the host, not what we write
    /// ourselves: those are nobody's to remove.
    fn withdraw(&self, headers: &mut HeaderMap) -> Named {
        let mut withdrawn: Option<Box<HeaderMap>> = None;
        let named: Names = headers
            .get_all(CONNECTION)
            .iter()
            .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
            .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
            .filter(|name| !is_untouchable(name))
            .collect();
        let (passing, leaving): (Names, Names) =
            named.into_iter().partition(|name| self.options.connection.contains(name));
        for name in leaving {
            if let http::header::Entry::Occupied(entry) = headers.entry(&name) {
                let (_, values) = entry.remove_entry_mult();
                let kept = withdrawn.get_or_insert_default();
                for value in values {
                    kept.append(&name, value);
                }
            }
        }
        Named { withdrawn, passing }
    }
}

type Names = SmallVec<[HeaderName; 4]>;

/// What becomes of the fields that a client names in `Connection`.
#[derive(Default)]
struct Named {
    /// What was taken out of the request.
    withdrawn: Option<Box<HeaderMap>>,
    /// What stays in it until it leaves for a backend (`forwardedHeaders.connection`).
    passing: Names,
}

/// The fields of a request that concern this stage, found in one pass over its names.
struct Census {
    managed: SmallVec<[HeaderName; 4]>,
    hop_by_hop: SmallVec<[HeaderName; 4]>,
    connection: bool,
}

impl Census {
    fn of(headers: &HeaderMap) -> Self {
        let mut census = Self { managed: SmallVec::new(), hop_by_hop: SmallVec::new(), connection: false };
        for name in headers.keys() {
            if is_managed(name) {
                census.managed.push(name.clone());
            } else if is_hop_by_hop(name) {
                census.connection |= name == CONNECTION;
                census.hop_by_hop.push(name.clone());
            }
        }
        census
    }
}

/// True for the managed fields, however they are spelt.
pub(crate) fn is_managed(name: &HeaderName) -> bool {
    let text = name.as_str();
    text.starts_with('x') && MANAGED.iter().any(|managed| *managed == text || alias::spells(name, managed))
}

/// Fields that are about one connection and its framing, not about the request. `Trailer` and `Expect` are not among
/// them: the upstream client needs them to send trailers, and to hold the body back until the backend wants it.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    match name.as_str().as_bytes()[0] {
        b'c' => name == CONNECTION,
        b'h' => name == "http2-settings",
        b'k' => name == "keep-alive",
        b'p' => name == PROXY_AUTHENTICATE || name == PROXY_AUTHORIZATION || name == "proxy-connection",
        b't' => name == TE || name == TRANSFER_ENCODING,
        b'u' => name == UPGRADE,
        _ => false,
    }
}

fn is_untouchable(name: &HeaderName) -> bool {
    is_managed(name) || is_hop_by_hop(name) || name == HOST || name == http::header::CONTENT_LENGTH || name == "trailer"
}

/// Removes the field, but leaves the one thing that `TE` may say to the next hop.
fn remove_hop_by_hop(headers: &mut HeaderMap, name: &HeaderName) {
    let trailers = *name == TE && headers.get_all(TE).iter().any(|line| lists(line, b"trailers"));
    headers.remove(name);
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// The protocol that the client asks to change to. Not HTTP/2: it would be spoken past us (R30).
fn upgrade(headers: &HeaderMap, upgradable: bool) -> Option<HeaderValue> {
    let asked = upgradable && headers.get_all(CONNECTION).iter().any(|line| lists(line, b"upgrade"));
    let protocol = headers.get(UPGRADE).filter(|_| asked)?;
    (!protocol.is_empty() && !lists(protocol, b"h2c") && !lists(protocol, b"h2")).then(|| protocol.clone())
}

fn protocol(scheme: Scheme, websocket: bool) -> &'static str {
    match (scheme, websocket) {
        (Scheme::Http, false) => "http",
        (Scheme::Https, false) => "https",
        (Scheme::Http, true) => "ws",
        (Scheme::Https, true) => "wss",
    }
}

fn default_port(headers: &HeaderMap, scheme: Scheme) -> HeaderValue {
    let secure = headers.get(X_FORWARDED_PROTO).is_some_and(|proto| proto == "https" || proto == "wss");
    HeaderValue::from_static(if secure || scheme == Scheme::Https { "443" } else { "80" })
}

fn is_missing(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get(name).is_none_or(HeaderValue::is_empty)
}

/// Makes one line of several, so that everybody counts the same hops.
fn join_lines(headers: &mut HeaderMap, name: &HeaderName) {
    let mut lines = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else {
        return;
    };
    let joined = [first, second].into_iter().chain(lines).collect::<Vec<_>>().join(&b", "[..]);
    if let Ok(joined) = HeaderValue::from_bytes(&joined) {
        headers.insert(name, joined);
    }
}

/// Whether `item` is in a comma-separated list.
fn lists(line: &HeaderValue, item: &[u8]) -> bool {
    line.as_bytes().split(|&byte| byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(item))
}

/// The name of this machine, for `X-Forwarded-Server`.
pub(crate) fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests;
