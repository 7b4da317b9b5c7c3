//! What is meant: a configuration that cannot hold a mistake.
//!
//! Only [`compile`](crate::compile()) builds it, from what was written. References are resolved,
//! rules parsed, quotas valid, key material read. What was disabled is not in it.

mod redis;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tollgate_limiter::{AddressSet, Criterion, FailurePolicy, Quota};
use tollgate_rule::Rule;

pub use redis::{RedisStore, Tls, Topology};
pub use window::WindowQuota;

use crate::dynamic::Headers;
use crate::dynamic::values::Url;
use crate::name::QualifiedName;

/// Everything that is enabled.
#[derive(Debug, Clone, Default)]
pub struct CheckedConfig {
    /// Routers, by name.
    pub routers: Vec<Router>,
    /// Middlewares, whether a router uses them or not.
    pub middlewares: BTreeMap<QualifiedName, Arc<Middleware>>,
    /// Services, whether a router uses them or not.
    pub services: BTreeMap<QualifiedName, Arc<Service>>,
}

/// A router on the entry points where it can work.
#[derive(Debug, Clone)]
pub struct Router {
    /// `name@provider`.
    pub name: QualifiedName,
    /// Which requests it takes.
    pub rule: Rule,
    /// Higher is asked first. Already the rule's length where none was written.
    pub priority: i64,
    /// Where it listens, in the order written; never empty.
    pub entry_points: Vec<String>,
    /// What requests pass, by entry point: the entry point's middlewares, then the router's,
    /// chains replaced by their members. Has every entry point of the router and never a
    /// [`MiddlewareKind::Chain`].
    pub middlewares: BTreeMap<String, Vec<Arc<Middleware>>>,
    /// Who answers.
    pub service: Arc<Service>,
    /// Whether its requests appear in the access log.
    pub access_log: bool,
    /// Whether its requests are counted.
    pub metrics: bool,
}

/// A middleware.
#[derive(Debug, Clone, PartialEq)]
pub struct Middleware {
    /// `name@provider`.
    pub name: QualifiedName,
    /// What it does.
    pub kind: MiddlewareKind,
}

/// What a middleware does.
#[derive(Debug, Clone, PartialEq)]
pub enum MiddlewareKind {
    /// Limits how many requests pass.
    RateLimit(RateLimit),
    /// Lets only some addresses pass.
    IpAllowList(IpAllowList),
    /// Edits headers. Names, values and regular expressions are valid.
    Headers(Arc<Headers>),
    /// Removes the first prefix that fits.
    StripPrefix {
        /// The prefixes, in order.
        prefixes: Vec<String>,
    },
    /// Puts a prefix before the path.
    AddPrefix {
        /// The prefix; not empty.
        prefix: String,
    },
    /// Other middlewares, in order.
    Chain(Vec<QualifiedName>),
}

/// A rate limit, of either kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// How fast; `None` is as fast as anybody likes.
    pub quota: Option<Quota>,
    /// How much in longer windows, at most [`RateLimit::QUOTAS_MAX`], each with a name of its own. With neither these nor a
    /// rate nothing is limited.
    pub quotas: Vec<WindowQuota>,
    /// How long a request may be held instead of refused.
    pub max_delay: Duration,
    /// Whose requests share a bucket.
    pub criterion: Criterion,
    /// What a bucket belongs to.
    pub scope: Scope,
    /// Who remembers.
    pub store: Store,
    /// Whether to decide without a call to the store where that is safe.
    pub leases: bool,
    /// What to answer when the store cannot.
    pub failure_policy: FailurePolicy,
    /// Whether responses tell the state of the bucket.
    pub response_headers: bool,
    /// How it was written.
    pub origin: RateLimitOrigin,
}

impl RateLimit {
    /// The most quotas that one limit may have: each costs every request a look.
    pub const QUOTAS_MAX: usize = 8;
}

/// What the buckets of a limit belong to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The middleware: whoever uses it shares them.
    #[default]
    Middleware,
    /// Each router that uses the middleware has its own.
    Router,
}

/// Which middleware a rate limit was written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateLimitOrigin {
    /// `rateLimit` of Traefik.
    RateLimit,
    /// `plugin.distributedRateLimit` of Traefik Hub.
    DistributedRateLimit,
}

/// Who remembers buckets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Store {
    /// This instance.
    Memory,
    /// Redis or Valkey. Equal stores share connections, also across reloads.
    Redis(Arc<RedisStore>),
}

/// Lets only some addresses pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpAllowList {
    /// Who passes.
    pub allowed: AddressSet,
    /// Which address is the client's; never a header or the host.
    pub strategy: Criterion,
    /// Status for the others, 100 to 999.
    pub reject_status: u16,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// `name@provider`.
    pub name: QualifiedName,
    /// Who answers.
    pub kind: ServiceKind,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceKind {
    /// One of some servers.
    LoadBalancer(LoadBalancer),
    /// Tollgate itself.
    Internal(InternalService),
}

/// Servers that do the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadBalancer {
    /// The servers that get requests; empty answers 503.
    pub servers: Vec<Server>,
    /// Whether servers see the client's `Host`.
    pub pass_host_header: bool,
    /// How long a piece of a body may wait; `None` is not at all.
    pub flush_interval: Option<Duration>,
}

/// A server that speaks HTTP/1.1 in clear text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Server {
    /// As written: the name in logs, metrics and the API.
    pub url: Url,
    /// `host:port`, the port always there; IPv6 in brackets.
    pub authority: String,
    /// The value of `Host` when the client's is not passed: the authority as written.
    pub host_header: String,
    /// What stands before the request's path; empty unless `preservePath`.
    pub path: String,
    /// Its share; at least 1.
    pub weight: u32,
}

/// What Tollgate answers itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InternalService {
    /// The API: `api@internal`.
    Api,
    /// The dashboard: `dashboard@internal`.
    Dashboard,
    /// The health check: `ping@internal`.
    Ping,
    /// Metrics: `prometheus@internal`.
    Prometheus,
    /// Nothing, with status 418: `noop@internal`.
    Noop,
}

impl InternalService {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Api, Self::Dashboard, Self::Ping, Self::Prometheus, Self::Noop];

    /// The name without `@internal`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Dashboard => "dashboard",
            Self::Ping => "ping",
            Self::Prometheus => "prometheus",
            Self::Noop => "noop",
        }
    }

    /// The internal service of this name (without `@internal`).
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }
}
