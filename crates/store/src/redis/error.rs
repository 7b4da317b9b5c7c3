//! What can go wrong with a store, and what to do about it.

use std::fmt;
use std::time::Duration;

/// Why the store gave no verdict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {detail}{}{}", if kind.hint().is_empty() { "" } else { "; hint: " }, kind.hint())]
pub struct StoreError {
    /// What kind of failure it is.
    pub kind: ErrorKind,
    /// What the server or the operating system said.
    pub detail: String,
}

/// Kinds of failure, told apart because they are mended in different ways. Also the label of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No answer within the deadline. What was asked may have been done; it is not asked again.
    Timeout,
    /// No connection, or it broke.
    Unreachable,
    /// The two do not believe each other's certificates, or one of them does not speak TLS.
    Tls,
    /// The server wants a password, or another one.
    Credentials,
    /// The ACL user may not do what the script does.
    Permission,
    /// The server is a replica.
    ReadOnly,
    /// The server is not ready: loading its data, busy with a script, without its master or its replicas.
    NotReady,
    /// The server has no memory left, or cannot write its disk.
    OutOfMemory,
    /// The server is part of a cluster that is down.
    Cluster,
    /// One hash slot of a cluster cannot be served: it is being moved, or nobody is responsible for it.
    HashSlot,
    /// The sentinels do not name a primary.
    Sentinel,
    /// What is configured is of another kind: one server, a cluster and sentinels are asked in different ways.
    Topology,
    /// A key of ours holds something that we did not write.
    ForeignValue,
    /// The answer makes no sense.
    Protocol,
    /// Something else that the server said.
    Refused,
}

impl ErrorKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 15] = [
        Self::Timeout,
        Self::Unreachable,
        Self::Tls,
        Self::Credentials,
        Self::Permission,
        Self::ReadOnly,
        Self::NotReady,
        Self::OutOfMemory,
        Self::Cluster,
        Self::HashSlot,
        Self::Sentinel,
        Self::Topology,
        Self::ForeignValue,
        Self::Protocol,
        Self::Refused,
    ];

    /// The word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::Credentials => "credentials",
            Self::Permission => "permission",
            Self::ReadOnly => "read_only",
            Self::NotReady => "not_ready",
            Self::OutOfMemory => "out_of_memory",
            Self::Cluster => "cluster",
            Self::HashSlot => "hash_slot",
            Self::Sentinel => "sentinel",
            Self::Topology => "topology",
            Self::ForeignValue => "foreign_value",
            Self::Protocol => "protocol",
            Self::Refused => "refused",
        }
    }

    /// What an operator can do.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Timeout | Self::NotReady | Self::Protocol | Self::Refused => "",
            Self::Unreachable => "check the endpoint and that the server is running",
            Self::Tls => "check tls.ca, the name in the server's certificate, and that the port speaks TLS",
            Self::Credentials => "check username and password of the store",
            Self::Permission => {
                "the user needs: ~tollgate:* +evalsha +script|load +time +get +set +pexpire +zadd +zcard +zrem \
                 +zremrangebyscore +select +ping +info +asking +cluster|slots"
            }
            Self::ReadOnly => "the endpoint is a replica; name the primary",
            Self::OutOfMemory => "raise maxmemory or free memory; buckets that are full expire by themselves",
            Self::Cluster | Self::HashSlot => {
                "look at CLUSTER INFO: nodes may be missing, or slots be without an owner"
            }
            Self::Sentinel => {
                "check the endpoints, and masterSet, username and password under sentinel; the user needs there: \
                 +sentinel|get-master-addr-by-name +sentinel|master +sentinel|sentinels"
            }
            Self::Topology => "name one server, or say what the endpoints are: cluster or sentinel",
            Self::ForeignValue => "another program writes keys that begin with tollgate:",
        }
    }

    /// Whether it says something about the whole server, and not about one key.
    pub(crate) fn concerns_the_server(self) -> bool {
        !matches!(self, Self::ForeignValue | Self::HashSlot)
    }

    /// The kind of an error that begins with `code`, as servers write them.
    pub(crate) fn of_code(code: &str, detail: &str) -> Self {
        match code {
            "WRONGPASS" | "NOAUTH" => Self::Credentials,
            "NOPERM" => Self::Permission,
            "READONLY" => Self::ReadOnly,
            "LOADING" | "BUSY" | "MASTERDOWN" | "NOREPLICAS" => Self::NotReady,
            "OOM" | "MISCONF" => Self::OutOfMemory,
            "TRYAGAIN" => Self::HashSlot,
            "CLUSTERDOWN" if detail.contains("slot not served") => Self::HashSlot,
            "CLUSTERDOWN" => Self::Cluster,
            "MOVED" | "ASK" | "CROSSSLOT" => Self::Topology,
            "WRONGTYPE" => Self::ForeignValue,
            // Inside a script the ACL speaks without its code.
            _ if detail.contains("can't run this command") || detail.contains("ACL") => Self::Permission,
            // Nor does the client pass the code on when it is its choice of a database that is not answered.
            _ if detail.contains("is busy running a script") => Self::NotReady,
            _ if detail.contains("invalid password") || detail.contains("AUTH") => Self::Credentials,
            _ => Self::Refused,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "no answer in time",
            Self::Unreachable => "cannot be reached",
            Self::Tls => "no TLS connection",
            Self::Credentials => "log-in refused",
            Self::Permission => "permission missing",
            Self::ReadOnly => "is a replica",
            Self::NotReady => "not ready",
            Self::OutOfMemory => "out of memory",
            Self::Cluster => "the cluster is down",
            Self::HashSlot => "a hash slot is not served",
            Self::Sentinel => "no sentinel names a primary",
            Self::Topology => "is of another kind",
            Self::ForeignValue => "a key holds something else",
            Self::Protocol => "answer makes no sense",
            Self::Refused => "refused",
        })
    }
}

impl StoreError {
    pub(crate) fn not_connected() -> Self {
        Self::new(ErrorKind::Unreachable, "not connected yet")
    }

    pub(crate) fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// The same, with where it happened.
    pub(crate) fn at(mut self, place: impl fmt::Display) -> Self {
        self.detail = format!("{place}: {}", self.detail);
        self
    }

    /// The one of several that tells most: that a server was not there tells little when another refused us.
    pub(crate) fn most_telling(errors: impl IntoIterator<Item = Self>) -> Option<Self> {
        errors.into_iter().min_by_key(|error| matches!(error.kind, ErrorKind::Unreachable | ErrorKind::Timeout))
    }

    pub(crate) fn timeout(limit: Duration) -> Self {
        Self::new(ErrorKind::Timeout, format!("nothing within {limit:?}"))
    }
}

impl From<redis::RedisError> for StoreError {
    fn from(error: redis::RedisError) -> Self {
        let detail = error.to_string();
        let kind = match error.code() {
            Some(code) => ErrorKind::of_code(code, &detail),
            None if speaks_of_tls(&detail) => ErrorKind::Tls,
            None if error.is_timeout() => ErrorKind::Timeout,
            None if error.kind() == redis::ErrorKind::AuthenticationFailed => ErrorKind::Credentials,
            None if error.is_io_error() || error.is_connection_dropped() || error.is_connection_refusal() => {
                ErrorKind::Unreachable
            }
            None if error.kind() == redis::ErrorKind::Parse => ErrorKind::Protocol,
            None => ErrorKind::of_code("", &detail),
        };
        Self { kind, detail }
    }
}

/// The words of the TLS library: its errors arrive as errors of the socket.
fn speaks_of_tls(detail: &str) -> bool {
    [
        "certificate",
        "TLS",
        "InvalidContentType",
        "corrupt message",
        "peer is incompatible",
        "UnknownIssuer",
        "BadSignature",
    ]
    .iter()
    .any(|word| detail.contains(word))
}
