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
    /// It is a cluster, or part of a cluster that is not whole.
    Cluster,
    /// A key of ours holds something that we did not write.
    ForeignValue,
    /// The answer makes no sense.
    Protocol,
    /// Something else that the server said.
    Refused,
}

impl ErrorKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 12] = [
        Self::Timeout,
        Self::Unreachable,
        Self::Tls,
        Self::Credentials,
        Self::Permission,
        Self::ReadOnly,
        Self::NotReady,
        Self::OutOfMemory,
        Self::Cluster,
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
            Self::Permission => "the user needs: ~tollgate:* +evalsha +script|load +time +get +set +select +ping",
            Self::ReadOnly => "the endpoint is a replica; name the primary",
            Self::OutOfMemory => "raise maxmemory or free memory; buckets that are full expire by themselves",
            Self::Cluster => "name a server that is not part of a cluster",
            Self::ForeignValue => "another program writes keys that begin with tollgate:",
        }
    }

    /// Whether it says something about the whole server, and not about one key.
    pub(crate) fn concerns_the_server(self) -> bool {
        self != Self::ForeignValue
    }

    /// The kind of an error that begins with `code`, as servers write them.
    pub(crate) fn of_code(code: &str, detail: &str) -> Self {
        match code {
            "WRONGPASS" | "NOAUTH" => Self::Credentials,
            "NOPERM" => Self::Permission,
            "READONLY" => Self::ReadOnly,
            "LOADING" | "BUSY" | "MASTERDOWN" | "NOREPLICAS" | "TRYAGAIN" => Self::NotReady,
            "OOM" | "MISCONF" => Self::OutOfMemory,
            "MOVED" | "ASK" | "CROSSSLOT" | "CLUSTERDOWN" => Self::Cluster,
            "WRONGTYPE" => Self::ForeignValue,
            // Inside a script the ACL speaks without its code.
            _ if detail.contains("can't run this command") || detail.contains("ACL") => Self::Permission,
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
            Self::Cluster => "is a cluster",
            Self::ForeignValue => "a key holds something else",
            Self::Protocol => "answer makes no sense",
            Self::Refused => "refused",
        })
    }
}

impl StoreError {
    pub(crate) fn not_connected() -> Self {
        Self { kind: ErrorKind::Unreachable, detail: "not connected yet".into() }
    }

    pub(crate) fn timeout(limit: Duration) -> Self {
        Self { kind: ErrorKind::Timeout, detail: format!("nothing within {limit:?}") }
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
