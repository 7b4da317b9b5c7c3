//! How the servers of a store are.

use std::sync::Arc;

use super::error::StoreError;
use crate::stats::LatencySnapshot;

/// Whether a store can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Available,
    /// Some nodes of a cluster do not, and failure policies are in force for their keys.
    Impaired(StoreError),
    /// It does not, and failure policies are in force until a probe finds it well.
    Unavailable(StoreError),
}

/// One server of a store at one moment.
#[derive(Debug, Clone)]
pub struct NodeSnapshot {
    /// `host:port`.
    pub address: String,
    /// What it is there for.
    pub role: NodeRole,
    /// Whether it answers.
    pub available: bool,
    /// Why not.
    pub error: Option<StoreError>,
    /// Which run of the server it is, if that is known.
    pub run_id: Option<Arc<str>>,
    /// Hash slots that it is responsible for: all but of a cluster or a sentinel.
    pub slots: u16,
    /// How long calls to it took that were answered.
    pub latency: LatencySnapshot,
}

/// What a server is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeRole {
    /// The one server.
    Server,
    /// It keeps keys that replicas repeat.
    Primary,
    /// It says who does.
    Sentinel,
}

impl NodeRole {
    /// The word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Primary => "primary",
            Self::Sentinel => "sentinel",
        }
    }
}
