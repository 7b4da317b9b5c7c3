//! For tests only: real stores, upstreams and clients on free ports.
//!
//! Nothing here pretends: [`Redis`] is a real server, [`FaultProxy`] stands before it and breaks things on command.
//! Whatever is missing or goes wrong panics with the reason, so that no test is skipped silently. The servers run on
//! threads of their own and answer whatever runtime the test is on.

pub mod fault_proxy;
pub mod port;
pub mod redis;
pub mod resp;
pub mod wait;

pub use fault_proxy::{Fault, FaultProxy};
pub use port::free_port;
pub use redis::Redis;
pub use wait::{wait_until, wait_until_blocking};
