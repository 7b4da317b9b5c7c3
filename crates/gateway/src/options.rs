//! What the gateway is told once, at start.

mod from_static;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use tollgate_limiter::AddressSet;

pub use from_static::AddressError;

/// What the gateway is told once, at start.
#[derive(Debug, Clone)]
pub struct GatewayOptions {
    /// Where connections come in.
    pub entry_points: Vec<EntryPointOptions>,
    /// How many threads serve; `None` for one per core.
    pub threads: Option<NonZeroUsize>,
    /// How many connections may be open at a time over all entry points; `None` for what the limit of open files
    /// leaves room for.
    pub max_connections: Option<usize>,
}

/// How one entry point listens and serves. The defaults are Traefik's.
#[derive(Debug, Clone)]
pub struct EntryPointOptions {
    /// Its name.
    pub name: Arc<str>,
    /// Where it listens. Port 0 lets the system choose.
    pub address: SocketAddr,
    /// Whether other processes may listen on the same address.
    pub reuse_port: bool,
    /// Whose forwarding headers are believed.
    pub forwarded: ForwardedOptions,
    /// How long a client may take.
    pub timeouts: TimeoutOptions,
    /// How the end goes.
    pub life_cycle: LifeCycleOptions,
    /// Requests after which a connection is closed; 0 for any number.
    pub keep_alive_max_requests: u32,
    /// Age at which a connection is closed after its next answer.
    pub keep_alive_max_time: Option<Duration>,
    /// Whether `.`, `..` and double slashes are removed from paths before routing.
    pub sanitize_path: bool,
    /// What becomes of a `;` in a query.
    pub query_semicolons: QuerySemicolons,
    /// Bytes of a request's head at most.
    pub max_header_bytes: u32,
    /// Streams of one HTTP/2 connection at a time at most.
    pub max_concurrent_streams: u32,
}

/// What becomes of a `;` in a query, which some servers take for a separator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QuerySemicolons {
    /// It separates, for us and, as `&`, for the backend.
    #[default]
    Separate,
    /// It becomes `%3B` (`encodeQuerySemicolons`).
    Encode,
}

/// Whose forwarding headers (`X-Forwarded-*`, `X-Real-Ip`) are believed.
#[derive(Debug, Clone, Default)]
pub struct ForwardedOptions {
    /// Everybody's.
    pub insecure: bool,
    /// Those of these peers.
    pub trusted: Option<AddressSet>,
    /// Fields that the middlewares see although the client names them in `Connection`. No backend does.
    pub connection: Vec<HeaderName>,
    /// Whether the peer's address stays out of `X-Forwarded-For`.
    pub not_append_forwarded_for: bool,
}

/// How long a client may take; `None` for ever.
#[derive(Debug, Clone, Copy)]
pub struct TimeoutOptions {
    /// For the head of a request. Traefik has no such timeout of its own, only `read`.
    pub head: Option<Duration>,
    /// For a whole request, body included.
    pub read: Option<Duration>,
    /// For taking an answer, from the head of the request on.
    pub write: Option<Duration>,
    /// Between an answer and the next request.
    pub idle: Option<Duration>,
}

/// How the end goes.
#[derive(Debug, Clone, Copy)]
pub struct LifeCycleOptions {
    /// How long new requests are still taken after the end was announced.
    pub accept_grace: Duration,
    /// How long requests in flight may take to finish.
    pub grace: Duration,
}

impl EntryPointOptions {
    /// An entry point with Traefik's defaults.
    pub fn new(name: impl Into<Arc<str>>, address: SocketAddr) -> Self {
        Self {
            name: name.into(),
            address,
            reuse_port: false,
            forwarded: ForwardedOptions::default(),
            timeouts: TimeoutOptions::default(),
            life_cycle: LifeCycleOptions::default(),
            keep_alive_max_requests: 0,
            keep_alive_max_time: None,
            sanitize_path: true,
            query_semicolons: QuerySemicolons::default(),
            max_header_bytes: 1 << 20,
            max_concurrent_streams: 250,
        }
    }
}

impl Default for TimeoutOptions {
    fn default() -> Self {
        Self {
            head: Some(Duration::from_secs(10)),
            read: Some(Duration::from_secs(60)),
            write: None,
            idle: Some(Duration::from_secs(180)),
        }
    }
}

impl Default for LifeCycleOptions {
    fn default() -> Self {
        Self { accept_grace: Duration::ZERO, grace: Duration::from_secs(10) }
    }
}
