//! How to reach a Redis or Valkey.

use std::time::Duration;

use crate::redacted::Redacted;

/// A Redis and how to talk to it. Equal values can share their connections.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RedisStore {
    /// `host:port`, at least one. What they are depends on the topology.
    pub endpoints: Vec<String>,
    /// ACL user; empty is the default user.
    pub username: Redacted<String>,
    /// Password; empty is none.
    pub password: Redacted<String>,
    /// Database number; 0 in a cluster, which has no other.
    pub database: u32,
    /// How long connecting may take.
    pub dial_timeout: Option<Duration>,
    /// How long an answer may take; `None` is unbounded.
    pub read_timeout: Option<Duration>,
    /// How long sending may take; `None` is unbounded.
    pub write_timeout: Option<Duration>,
    /// TLS, if any.
    pub tls: Option<Tls>,
    /// What the endpoints are.
    pub topology: Topology,
    /// Whether, after a failover or a loss of data, nothing is granted that might have been granted before.
    pub strict: bool,
}

/// What the endpoints of a Redis are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topology {
    /// One server.
    Standalone,
    /// Some nodes of a cluster.
    Cluster,
    /// Sentinels that know the master.
    Sentinel {
        /// The name of the master set.
        master_set: String,
        /// ACL user at the sentinels.
        username: Redacted<String>,
        /// Password at the sentinels.
        password: Redacted<String>,
    },
}

/// TLS to a server, with material as PEM text that was read when the configuration was.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tls {
    /// Certificates to trust; `None` is the system's.
    pub ca: Option<String>,
    /// The certificate to present, with its key.
    pub identity: Option<(String, Redacted<String>)>,
    /// Whether the server's certificate is not verified.
    pub insecure_skip_verify: bool,
}
