//! Where connections come in.

use std::fmt;

use serde::{Serialize, Serializer};

use super::values::{Networks, Timeout};
use crate::decode::{Decode, Decoder, Omit, section};
use crate::node::Node;

section! {
    /// An entry point: an address and how its connections are served.
    pub struct EntryPoint: "static.EntryPoint" {
        /// Where to listen: `[host]:port[/tcp]`. Without a host: on all addresses.
        "address" => address: Address,
        /// Whether routers that name no entry point are on this one. When no entry point says
        /// so, they are on all but the internal one.
        "asDefault" => as_default: bool,
        /// Whether several processes may listen on the address (`SO_REUSEPORT`).
        "reusePort" => reuse_port: bool,
        /// Whose forwarding headers are believed.
        "forwardedHeaders" => forwarded_headers: ForwardedHeaders,
        /// Timeouts and lifetimes of connections.
        "transport" => transport: Transport,
        /// What is done to every request that comes in here.
        "http" => http: Http,
        /// HTTP/2.
        "http2" => http2: Http2,
    }
}

section! {
    /// Whose forwarding headers (`X-Forwarded-*`) are believed.
    pub struct ForwardedHeaders: "static.ForwardedHeaders" {
        /// Believe everybody.
        "insecure" => insecure: bool,
        /// Believe these addresses and networks.
        "trustedIPs" => trusted_ips: Networks,
        /// Headers that a client may name in `Connection` and that pass all the same.
        "connection" => connection: Vec<String>,
        /// Do not add the peer's address to `X-Forwarded-For`.
        "notAppendXForwardedFor" => not_append_x_forwarded_for: bool,
    }
}

section! {
    /// Timeouts and lifetimes of connections.
    pub struct Transport: "static.EntryPointsTransport" {
        /// How the process ends.
        "lifeCycle" => life_cycle: LifeCycle,
        /// Timeouts of a connection.
        "respondingTimeouts" => responding_timeouts: RespondingTimeouts,
        /// Requests after which a connection is closed; 0: any number.
        "keepAliveMaxRequests" => keep_alive_max_requests: u32,
        /// Age at which a connection is closed after its request; 0: any age.
        "keepAliveMaxTime" => keep_alive_max_time: Timeout,
    }
}

section! {
    /// How the process ends.
    pub struct LifeCycle: "static.LifeCycle" {
        /// How long requests are still accepted after the signal, while `/ping` says that it is
        /// ending.
        "requestAcceptGraceTimeout" => request_accept_grace_timeout: Timeout,
        /// How long requests in flight may take to finish.
        "graceTimeOut" => grace_time_out: Timeout = Timeout::from_secs(10),
    }
}

section! {
    /// Timeouts of a connection; 0 is none.
    pub struct RespondingTimeouts: "static.RespondingTimeouts" {
        /// For reading a whole request, body included.
        "readTimeout" => read_timeout: Timeout = Timeout::from_secs(60),
        /// For writing an answer.
        "writeTimeout" => write_timeout: Timeout,
        /// For an idle connection.
        "idleTimeout" => idle_timeout: Timeout = Timeout::from_secs(180),
    }
}

section! {
    /// What is done to every request of an entry point.
    pub struct Http: "static.HTTPConfig" {
        /// Middlewares before those of the router, with their provider: `auth@file`.
        "middlewares" => middlewares: Vec<String>,
        /// Encode `;` in queries instead of taking it for a separator.
        "encodeQuerySemicolons" => encode_query_semicolons: bool,
        /// Remove `.`, `..` and double slashes from paths before routing.
        "sanitizePath" => sanitize_path: bool = true,
        /// Size of a request's head at most, in bytes.
        "maxHeaderBytes" => max_header_bytes: u32 = 1_048_576,
    }
}

section! {
    /// HTTP/2.
    pub struct Http2: "static.HTTP2Config" {
        /// Streams of one connection at a time at most.
        "maxConcurrentStreams" => max_concurrent_streams: u32 = 250,
    }
}

/// Where an entry point listens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Address {
    /// A name or an IP address without brackets; empty: all addresses.
    pub host: String,
    /// The port; 0: one that is free.
    pub port: u16,
    /// What is spoken there.
    pub protocol: Protocol,
}

/// The transport protocol of an entry point.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP, which is not yet here: such entry points are left out with a warning.
    Udp,
}

impl Address {
    /// A TCP address.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port, protocol: Protocol::Tcp }
    }

    /// Reads `[host]:port[/tcp|/udp]`. Messages are Traefik's and Go's.
    fn parse(text: &str) -> Result<Self, String> {
        let (address, protocol) = match text.split_once('/') {
            None => (text, Protocol::Tcp),
            Some((address, word)) if word.eq_ignore_ascii_case("tcp") => (address, Protocol::Tcp),
            Some((address, word)) if word.eq_ignore_ascii_case("udp") => (address, Protocol::Udp),
            Some((_, word)) => return Err(format!("invalid protocol: {word}")),
        };
        let (host, port) =
            address.rsplit_once(':').ok_or_else(|| format!("address {address}: missing port in address"))?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if bare.is_none() && host.contains(':') {
            return Err(format!("address {address}: too many colons in address"));
        }
        Ok(Self {
            host: bare.unwrap_or(host).to_owned(),
            port: port.parse().map_err(|_| format!("address {address}: invalid port"))?,
            protocol,
        })
    }
}

impl Decode for Address {
    fn type_name() -> String {
        "string".to_owned()
    }

    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        match Self::parse(decoder.text(node)?) {
            Ok(address) => Some(address),
            Err(message) => {
                let hint = Some("write [host]:port, for example :80 or 127.0.0.1:8080".to_owned());
                decoder.error_with_hint("not-an-address", &node.place, message, hint);
                None
            }
        }
    }
}

impl Omit for Address {
    fn omit(&self) -> bool {
        false
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)?;
        } else {
            write!(f, "{}:{}", self.host, self.port)?;
        }
        match self.protocol {
            Protocol::Tcp => Ok(()),
            Protocol::Udp => f.write_str("/udp"),
        }
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_traefik_reads_them() {
        for (text, host, port, protocol, shown) in [
            (":80", "", 80, Protocol::Tcp, ":80"),
            ("127.0.0.1:0", "127.0.0.1", 0, Protocol::Tcp, "127.0.0.1:0"),
            ("[::1]:8080/tcp", "::1", 8080, Protocol::Tcp, "[::1]:8080"),
            ("localhost:53/UDP", "localhost", 53, Protocol::Udp, "localhost:53/udp"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!((address.host.as_str(), address.port), (host, port));
            assert_eq!(address.protocol, protocol);
            assert_eq!(address.to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (text, message) in [
            ("8080", "address 8080: missing port in address"),
            ("", "address : missing port in address"),
            (":80/sctp", "invalid protocol: sctp"),
            ("::1:80", "address ::1:80: too many colons in address"),
            (":65536", "address :65536: invalid port"),
            (":http", "address :http: invalid port"),
        ] {
            assert_eq!(Address::parse(text), Err(message.to_owned()));
        }
    }
}
