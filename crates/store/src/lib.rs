//! Who remembers the buckets.
//!
//! A [`Store`] decides about one request and one limit. [`MemoryStore`] keeps its buckets in this process;
//! [`RedisStore`] shares them with every other instance through a Redis or Valkey server. Both do the same step
//! (`tollgate_limiter::schedule::grant`; in Redis its twin, `grant.lua`), so that the choice says who shares a limit
//! and not what it means.
//!
//! [`Stores`] is what outlives a reload: buckets, connections and counters are found again there by what they are,
//! not by which configuration asked for them.

mod answer;
mod bound;
mod clock;
mod hash;
mod memory;
mod redis;
mod stats;
mod stores;
mod together;

pub use bound::{BoundLimit, KeyState};
pub use clock::{Clock, FakeClock};
pub use memory::{MemoryOptions, MemoryStore};
pub use redis::{
    ErrorKind, Health, Most, NodeRole, NodeSnapshot, RedisOptions, RedisStore, RedisTls, StoreError, Topology,
    WindowAnswer, WindowAsk, WindowReplies, WindowStep, decode_replies, decode_windows,
};
pub use stats::{LatencySnapshot, LimitSnapshot, LimitStats, StoreSnapshot, StoreStats};
pub use stores::{Pending, Reply, Store, Stores};
pub use together::{Part, PendingAll, Together, ask_all};
