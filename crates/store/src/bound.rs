//! A limit made ready for a store.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tollgate_limiter::turnstile::Terms;
use tollgate_limiter::{Decision, DecisionSource, FailurePolicy, KeyBytes, Limit, Quota, Span, Timestamp, schedule};

use crate::hash::LimitHasher;
use crate::redis::{Asked, StoreError};
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

    /// How the bucket of `key` stands. It costs the bucket nothing.
    pub async fn peek(&self, key: &KeyBytes<'_>) -> Result<KeyState, StoreError> {
        match &self.store {
            Store::Memory(store) => Ok(store.peek(&self.bucket.quota, self.bucket.hasher.hash(key))),
            Store::Redis(store) => store.peek(&self.bucket, key).await,
        }
    }

    /// Makes the bucket of `key` full.
    pub async fn reset(&self, key: &KeyBytes<'_>) -> Result<(), StoreError> {
        self.amend(key, None).await
    }

    /// Gives the bucket of `key` so many requests beyond its rate; it is full at most.
    pub async fn grant(&self, key: &KeyBytes<'_>, requests: u64) -> Result<(), StoreError> {
        self.amend(key, Some(requests)).await
    }

    async fn amend(&self, key: &KeyBytes<'_>, slots: Option<u64>) -> Result<(), StoreError> {
        match &self.store {
            Store::Memory(store) => {
                store.amend(&self.bucket.quota, self.bucket.hasher.hash(key), slots);
                Ok(())
            }
            Store::Redis(store) => store.amend(&self.bucket, key, slots).await,
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

/// How a bucket stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyState {
    /// Requests that would pass at once. Those that instances hold slots for are not among them.
    pub remaining: u64,
    /// How long until one would pass, if none would now.
    pub retry_after: Duration,
    /// How long until the bucket is full.
    pub reset_after: Duration,
    /// Slots that this instance holds.
    pub held_here: u64,
}

impl KeyState {
    pub(crate) fn new(quota: &Quota, next: Timestamp, now: Timestamp, held_here: u64) -> Self {
        Self {
            remaining: schedule::remaining(quota, Some(next), now),
            retry_after: next.since(now).to_duration(),
            reset_after: schedule::reset_after(quota, Some(next), now),
            held_here,
        }
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
