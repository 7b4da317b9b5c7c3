//! A limit made ready for a store.

use std::sync::Arc;

use parking_lot::Mutex;
use tollgate_limiter::turnstile::Terms;
use tollgate_limiter::{Decision, DecisionSource, FailurePolicy, KeyBytes, Limit, Quota, Span};

use crate::hash::LimitHasher;
use crate::redis::Asked;
use crate::stats::LimitStats;
use crate::stores::{Pending, Reply, Store};

/// A limit and the store that its buckets are in. Made by `Stores::bind`.
pub struct BoundLimit {
    pub(crate) limit: Limit,
    pub(crate) bucket: Arc<Meter>,
    pub(crate) store: Store,
}

/// What requests are counted by: the bucket of a limit.
#[derive(Debug)]
pub(crate) struct Meter {
    /// What names its keys in a shared store.
    pub(crate) space: Arc<str>,
    pub(crate) hasher: LimitHasher,
    pub(crate) quota: Quota,
    pub(crate) max_delay: Span,
    /// What a turnstile in front of a key has to know.
    pub(crate) terms: Terms,
    pub(crate) policy: FailurePolicy,
    pub(crate) stats: Arc<LimitStats>,
    /// The share of one of so many instances: kept, because it costs a division.
    share: Mutex<Option<(u32, Option<Quota>)>>,
}

impl BoundLimit {
    pub(crate) fn new(limit: Limit, hasher: LimitHasher, stats: Arc<LimitStats>, store: Store) -> Self {
        let bucket = Arc::new(Meter::new(&limit, hasher, stats));
        Self { limit, bucket, store }
    }

    /// Decides about one request for `key`.
    pub fn ask(self: &Arc<Self>, key: &KeyBytes<'_>) -> Reply {
        let meter = &self.bucket;
        match &self.store {
            Store::Memory(store) => {
                let hash = meter.hasher.hash(key);
                Reply::Now(self.count(store.step(meter, &meter.quota, hash, DecisionSource::Memory)))
            }
            Store::Redis(store) => match store.ask(meter, key) {
                Asked::Now(answer) => Reply::Now(self.count(answer.decision)),
                Asked::Later(waiting) => Reply::Later(Pending::new(waiting, self.clone())),
            },
        }
    }

    /// [`BoundLimit::ask`], waited for.
    pub async fn decide(self: &Arc<Self>, key: &KeyBytes<'_>) -> Decision {
        match self.ask(key) {
            Reply::Now(decision) => decision,
            Reply::Later(pending) => pending.decision().await,
        }
    }

    /// Where its buckets are.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The limit.
    pub fn limit(&self) -> &Limit {
        &self.limit
    }

    pub(crate) fn count(&self, decision: Decision) -> Decision {
        self.bucket.stats.count(&decision);
        decision
    }
}

impl Meter {
    fn new(limit: &Limit, hasher: LimitHasher, stats: Arc<LimitStats>) -> Self {
        // Whole microseconds: what the script inside the store can be told.
        let micros = u64::try_from(limit.max_delay.as_micros()).unwrap_or(u64::MAX);
        let max_delay = Span::from_micros(micros.min(u64::from(u32::MAX)));
        Self {
            space: limit.id.clone(),
            hasher,
            quota: limit.quota,
            max_delay,
            terms: Terms::of(&limit.quota, max_delay, limit.leases),
            policy: limit.failure_policy,
            stats,
            share: Mutex::new(None),
        }
    }

    /// True if slots of one say something about the slots of the other.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.quota == other.quota && self.terms == other.terms
    }

    /// What one of so many instances may admit by itself.
    pub(crate) fn share(&self, instances: u32) -> Option<Quota> {
        let mut share = self.share.lock();
        match *share {
            Some((of, quota)) if of == instances => quota,
            _ => {
                let quota = self.quota.share(instances);
                *share = Some((instances, quota));
                quota
            }
        }
    }
}
