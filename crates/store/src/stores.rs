//! What outlives a reload: every store, found again by what it is.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tollgate_limiter::{Decision, KeyBytes, Limit};

use crate::bound::BoundLimit;
use crate::clock::Clock;
use crate::hash::ProcessKeys;
use crate::memory::{MemoryOptions, MemoryStore};
use crate::redis::{RedisOptions, RedisStore, Waiting};
use crate::stats::{LatencySnapshot, LimitSnapshot, LimitStats, StoreSnapshot, StoreStats};

/// Where the buckets of a limit are.
#[derive(Clone)]
pub enum Store {
    /// In this process.
    Memory(Arc<MemoryStore>),
    /// In a server that all instances share.
    Redis(Arc<RedisStore>),
}

/// The answer of a store: here already, or to be waited for.
pub enum Reply {
    /// Known without waiting.
    Now(Decision),
    /// To be awaited with [`Pending::decision`].
    Later(Pending),
}

/// A decision that the shared store has been asked for.
pub struct Pending(Waiting);

impl Pending {
    /// Waits for it, at most until the store's deadline; then the limit's failure policy decides.
    pub async fn decision(self) -> Decision {
        self.0.decision().await
    }
}

impl From<Waiting> for Pending {
    fn from(waiting: Waiting) -> Self {
        Self(waiting)
    }
}

impl Store {
    /// Decides about one request for `key` under `limit`.
    pub fn ask(&self, limit: &Arc<BoundLimit>, key: &KeyBytes<'_>) -> Reply {
        match self {
            Self::Memory(store) => Reply::Now(store.decide(limit, key)),
            Self::Redis(store) => store.ask(limit, key),
        }
    }

    /// [`Store::ask`], waited for.
    pub async fn decide(&self, limit: &Arc<BoundLimit>, key: &KeyBytes<'_>) -> Decision {
        match self.ask(limit, key) {
            Reply::Now(decision) => decision,
            Reply::Later(pending) => pending.decision().await,
        }
    }
}

/// The stores of this instance, and the counters of its limits.
///
/// A configuration asks for what it needs with [`Stores::memory`], [`Stores::redis`] and [`Stores::bind`]; whoever
/// asks for the same gets the same. A shared store that no configuration uses any more is closed.
pub struct Stores {
    memory: Arc<MemoryStore>,
    redis: Mutex<HashMap<RedisOptions, Weak<RedisStore>>>,
    limits: Mutex<HashMap<Arc<str>, Weak<LimitStats>>>,
    keys: ProcessKeys,
    clock: Clock,
    runtime: tokio::runtime::Handle,
}

/// How often the memory store is swept; each time an eighth of it.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

impl Stores {
    /// Stores whose tasks run on `runtime`, which should have a thread for itself: every request of every thread
    /// may wait for it.
    pub fn new(memory: MemoryOptions, clock: Clock, runtime: tokio::runtime::Handle) -> Self {
        // Whoever was first has chosen the provider for the process; there is only this one to choose.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let memory = Arc::new(MemoryStore::new(memory, clock.clone()));
        let swept = Arc::downgrade(&memory);
        runtime.spawn(async move {
            let mut interval = tokio::time::interval(SWEEP_EVERY);
            // Ends with the store.
            while let Some(memory) = swept.upgrade() {
                memory.sweep();
                drop(memory);
                interval.tick().await;
            }
        });
        Self { memory, redis: Mutex::default(), limits: Mutex::default(), keys: ProcessKeys::random(), clock, runtime }
    }

    /// The buckets in this process.
    pub fn memory(&self) -> Store {
        Store::Memory(self.memory.clone())
    }

    /// The buckets in a server.
    pub fn redis(&self, options: RedisOptions) -> Store {
        let mut stores = self.redis.lock();
        stores.retain(|_, store| store.strong_count() > 0);
        if let Some(store) = stores.get(&options).and_then(Weak::upgrade) {
            return Store::Redis(store);
        }
        let store = Arc::new(RedisStore::start(options.clone(), self.clock.clone(), &self.runtime));
        stores.insert(options, Arc::downgrade(&store));
        Store::Redis(store)
    }

    /// Makes a limit ready for any of the stores. Its counters go on if a limit of that name is in use already.
    pub fn bind(&self, limit: Limit) -> Arc<BoundLimit> {
        let mut limits = self.limits.lock();
        limits.retain(|_, stats| stats.strong_count() > 0);
        let stats = limits.get(&limit.id).and_then(Weak::upgrade).unwrap_or_else(|| {
            let stats = Arc::new(LimitStats::default());
            limits.insert(limit.id.clone(), Arc::downgrade(&stats));
            stats
        });
        let hasher = self.keys.for_limit(&limit.id);
        Arc::new(BoundLimit::new(limit, hasher, stats))
    }

    /// The counts of all limits in use, by name.
    pub fn limit_snapshots(&self) -> Vec<LimitSnapshot> {
        let limits = self.limits.lock();
        let mut snapshots: Vec<_> =
            limits.iter().filter_map(|(id, stats)| Some(stats.upgrade()?.snapshot(id.clone()))).collect();
        snapshots.sort_by(|a, b| a.id.cmp(&b.id));
        snapshots
    }

    /// The counts of the memory store and of all shared stores in use.
    pub fn store_snapshots(&self) -> Vec<StoreSnapshot> {
        let memory = StoreSnapshot {
            name: "memory".into(),
            buckets: self.memory.buckets() as u64,
            available: true,
            // It is part of the process: nobody calls it.
            errors: Vec::new(),
            latency: LatencySnapshot::default(),
            ..StoreStats::default().snapshot()
        };
        let shared: Vec<_> = self.redis.lock().values().filter_map(Weak::upgrade).collect();
        std::iter::once(memory).chain(shared.iter().map(|store| store.snapshot())).collect()
    }

    /// The shared stores in use.
    pub fn shared(&self) -> Vec<Arc<RedisStore>> {
        self.redis.lock().values().filter_map(Weak::upgrade).collect()
    }
}
