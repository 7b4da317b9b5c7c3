//! What outlives a reload: every store, found again by what it is.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tollgate_limiter::{Decision, Limit};

use crate::bound::{self, BoundLimit};
use crate::clock::Clock;
use crate::hash::ProcessKeys;
use crate::memory::{MemoryOptions, MemoryStore};
use crate::redis::{InstanceId, RedisOptions, RedisStore, Waiting};
use crate::stats::{LatencySnapshot, LimitSnapshot, LimitStats, StoreSnapshot, StoreStats};
use crate::together::PendingAll;

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
pub struct Pending(Asking);

pub(crate) enum Asking {
    /// A bucket, or a window.
    One(Waiting, Arc<BoundLimit>),
    /// Several of one limit.
    All(PendingAll),
}

impl Pending {
    pub(crate) fn new(asking: Asking) -> Self {
        Self(asking)
    }

    /// Waits for it, at most until the store's deadline; then the limit's failure policy decides.
    pub async fn decision(self) -> Decision {
        match self.0 {
            Asking::One(waiting, limit) => limit.count(waiting.answer().await.decision),
            Asking::All(pending) => bound::only(pending.decisions().await),
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
    /// The latest of each name: while a configuration is replaced there are two.
    in_force: Mutex<BTreeMap<Arc<str>, Weak<BoundLimit>>>,
    keys: ProcessKeys,
    /// What every shared store counts this instance under, also when a reload opens it a second time.
    id: InstanceId,
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
        Self {
            memory,
            redis: Mutex::default(),
            limits: Mutex::default(),
            in_force: Mutex::default(),
            keys: ProcessKeys::random(),
            id: InstanceId::random(),
            clock,
            runtime,
        }
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
        let (id, clock, memory) = (self.id.clone(), self.clock.clone(), self.memory.clone());
        let store = Arc::new(RedisStore::start(options.clone(), id, clock, memory, &self.runtime));
        stores.insert(options, Arc::downgrade(&store));
        Store::Redis(store)
    }

    /// Puts the buckets of a limit into `store`. Its counters go on if a limit of that name is in use already.
    pub fn bind(&self, limit: Limit, store: Store) -> Arc<BoundLimit> {
        let mut limits = self.limits.lock();
        limits.retain(|_, stats| stats.strong_count() > 0);
        let stats = limits.get(&limit.id).and_then(Weak::upgrade).unwrap_or_else(|| {
            let stats = Arc::new(LimitStats::default());
            limits.insert(limit.id.clone(), Arc::downgrade(&stats));
            stats
        });
        let bound = Arc::new(BoundLimit::new(limit, &self.keys, stats, store));
        let mut in_force = self.in_force.lock();
        in_force.retain(|_, limit| limit.strong_count() > 0);
        in_force.insert(bound.limit.id.clone(), Arc::downgrade(&bound));
        bound
    }

    /// The limits in force, by name.
    pub fn limits(&self) -> Vec<Arc<BoundLimit>> {
        self.in_force.lock().values().filter_map(Weak::upgrade).collect()
    }

    /// The limit of that name, if it is in force.
    pub fn limit(&self, id: &str) -> Option<Arc<BoundLimit>> {
        self.in_force.lock().get(id).and_then(Weak::upgrade)
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

    /// Gives back what is held of shared stores, and takes leave of them: for the end of the process, when nothing is
    /// asked any more.
    pub async fn close(&self) {
        futures_util::future::join_all(self.shared().iter().map(|store| store.close())).await;
    }

    /// The shared stores in use.
    pub fn shared(&self) -> Vec<Arc<RedisStore>> {
        self.redis.lock().values().filter_map(Weak::upgrade).collect()
    }
}
