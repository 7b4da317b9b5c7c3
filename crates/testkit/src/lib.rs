//! For tests only: real stores, upstreams and clients on free ports.
//!
//! Nothing here pretends: [`Redis`] is a real server, [`FaultProxy`] stands before it and breaks things on command,
//! [`Upstream`] and [`RawClient`] are the two ends of real connections. Whatever is missing or goes wrong panics with
//! the reason, so that no test is skipped silently. The servers run on threads of their own and answer whatever runtime
//! the test is on.

pub mod fault_proxy;
pub mod message;
pub mod oracle;
pub mod port;
pub mod raw_client;
pub mod redis;
pub mod redis_cluster;
pub mod redis_sentinels;
pub mod resp;
pub mod upstream;
pub mod wait;

pub use fault_proxy::{Fault, FaultProxy};
pub use message::Message;
pub use oracle::{Admission, certain_excess};
pub use port::free_port;
pub use raw_client::{RawClient, http_get};
pub use redis::{Program, Redis};
pub use redis_cluster::RedisCluster;
pub use redis_sentinels::RedisSentinels;
pub use upstream::{Gate, Peer, Upstream};
pub use wait::{wait_until, wait_until_blocking};
