//! What is known of one request besides its bytes.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, Method, StatusCode, Uri};
use smallvec::SmallVec;
use tollgate_limiter::ShortKey;

/// The record of one exchange, from the first byte of the request to the last of the answer.
///
/// Each part is written by whoever learns it: the entry point, the router, the limiter, the upstream client. The
/// access log and the metrics read it once, when the answer has left.
#[derive(Debug)]
pub struct Exchange {
    /// When the head of the request was complete, on the clock that durations are measured with.
    pub started: Instant,
    /// The same moment on the wall clock, for the log.
    pub started_at: SystemTime,
    /// The name of the entry point the connection came in by.
    pub entry_point: Arc<str>,
    /// Who is at the other end of the connection. IPv4-mapped addresses are already plain IPv4.
    pub peer: SocketAddr,
    /// The address of ours that the connection was made to.
    pub local: SocketAddr,
    /// `http` or `https`.
    pub scheme: Scheme,
    /// HTTP/1.0, HTTP/1.1 or HTTP/2.
    pub protocol: Protocol,
    /// The request line as it arrived, before anything rewrote it: method, target and canonical host.
    pub method: Method,
    /// The target as it arrived.
    pub target: Uri,
    /// The request's authority as it arrived (Host header or `:authority`), with its port.
    pub authority: Arc<str>,
    /// Header fields that the client asked to be dropped by naming them in `Connection`. They are no longer in the
    /// request, but a limit that counts by one of them still sees it, so that nobody sheds his identity that way.
    pub withdrawn: Option<Box<HeaderMap>>,
    /// What becomes of `X-Forwarded-For` when the request is sent upstream.
    pub forwarded_for: ForwardedFor,
    /// The qualified name of the router that took the request.
    pub router: Option<Arc<str>>,
    /// The qualified name of the service behind it, once the request has passed the middlewares.
    pub service: Option<Arc<str>>,
    /// What is known of the exchange with the backend.
    pub upstream: Option<Upstream>,
    /// What each limit that was asked said, in order.
    pub limits: SmallVec<[LimitRecord; 1]>,
    /// Bytes of the request's body that have arrived so far are counted by the entry point, at the end.
    pub request_bytes: u64,
}

impl Exchange {
    /// The address of the client's end of the connection.
    pub fn peer_ip(&self) -> IpAddr {
        self.peer.ip()
    }
}

/// What the upstream client does with `X-Forwarded-For`. Everything before it, limits included, sees the header as the
/// hop in front of us sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForwardedFor {
    /// Adds the peer's address at the end.
    #[default]
    Append,
    /// Leaves it as it is: the entry point says `notAppendXForwardedFor`, or a `headers` middleware removed the header.
    Keep,
}

/// The exchange with a backend.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// The backend's URL as configured.
    pub url: Arc<str>,
    /// The backend's host and port.
    pub address: Arc<str>,
    /// The status it answered with; `None` if it never did.
    pub status: Option<StatusCode>,
    /// From sending the request to the head of its answer, or to the failure.
    pub duration: Duration,
    /// How often the request was sent again after a stale connection.
    pub retries: u32,
}

/// What one limit said about the request.
#[derive(Debug, Clone)]
pub struct LimitRecord {
    /// The limit's id: the qualified name of its middleware.
    pub limit: Arc<str>,
    /// The key that was counted, short and safe to print: addresses and hosts as they are, header values hashed.
    pub key: ShortKey,
    /// What was decided.
    pub verdict: Verdict,
    /// Who decided it.
    pub source: VerdictSource,
    /// Whole tokens left after this request, if known.
    pub remaining: Option<u64>,
}

/// What a limit said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Passed at once.
    Allow,
    /// Passed after being held for the duration.
    Delay(Duration),
    /// Refused.
    Deny,
}

impl Verdict {
    /// The word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Delay(_) => "delay",
            Self::Deny => "deny",
        }
    }
}

/// Who decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VerdictSource {
    /// The shared store, asked for this request.
    Store,
    /// A slot that the shared store has lent to this instance.
    Lease,
    /// A denial remembered by this instance.
    DenialCache,
    /// The memory of this instance.
    Memory,
    /// The failure policy, because the store did not answer.
    Policy,
    /// This instance's share of the limit, because the store did not answer.
    Local,
    /// Nobody had to: the limit is unlimited.
    Unlimited,
}

impl VerdictSource {
    /// The word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Lease => "lease",
            Self::DenialCache => "denial_cache",
            Self::Memory => "memory",
            Self::Policy => "policy",
            Self::Local => "local",
            Self::Unlimited => "unlimited",
        }
    }
}

/// The URL scheme of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Clear text.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// The scheme as it stands in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// The version of HTTP that the client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
    /// HTTP/2.
    Http2,
}

impl Protocol {
    /// As it stands in a request line and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2.0",
        }
    }
}
