//! A limit made ready for a store.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tollgate_limiter::turnstile::Terms;
use tollgate_limiter::window::Taken;
use tollgate_limiter::{Decision, DecisionSource, FailurePolicy, KeyBytes, Limit, Quota, Span, Timestamp, schedule};

use crate::hash::{LimitHasher, ProcessKeys};
use crate::memory::BoundWindow;
use crate::redis::{Asked, StoreError};
use crate::stats::LimitStats;
use crate::stores::{Asking, Pending, Reply, Store};
use crate::together::{Part, Together, ask_all};

/// A limit and the store that its buckets are in. Made by `Stores::bind`.
pub struct BoundLimit {
    pub(crate) limit: Limit,
    /// The bucket, if there is one, and the windows.
    pub(crate) meters: Vec<Arc<Meter>>,
    pub(crate) stats: Arc<LimitStats>,
    pub(crate) store: Store,
}

/// What requests are counted by: the bucket of a limit, or one of its windows.
#[derive(Debug)]
pub(crate) struct Meter {
    /// What names its keys in a shared store.
    pub(crate) space: Arc<str>,
    pub(crate) hasher: LimitHasher,
    pub(crate) kind: Kind,
    /// Its place among the windows of its limit.
    pub(crate) window: Option<usize>,
    pub(crate) max_delay: Span,
    /// What a turnstile in front of a key has to know.
    pub(crate) terms: Terms,
    pub(crate) policy: FailurePolicy,
    pub(crate) stats: Arc<LimitStats>,
    /// The share of one of so many instances: kept, because it costs a division.
    share: Mutex<Option<(u32, Option<Arc<Kind>>)>>,
}

/// How they are counted.
#[derive(Debug)]
pub(crate) enum Kind {
    Bucket(Quota),
    Window(BoundWindow),
}

impl BoundLimit {
    pub(crate) fn new(limit: Limit, keys: &ProcessKeys, stats: Arc<LimitStats>, store: Store) -> Self {
        let meters = Meter::of(&limit, keys, &stats);
        Self { limit, meters, stats, store }
    }

    /// Decides about one request for `key`.
    pub fn ask(self: &Arc<Self>, key: &KeyBytes<'_>) -> Reply {
        let [meter] = &self.meters[..] else {
            return match ask_all(&[Part { limit: self, key: key.clone() }]) {
                Together::Now(decisions) => Reply::Now(only(decisions)),
                Together::Later(pending) => Reply::Later(Pending::new(Asking::All(pending))),
            };
        };
        match &self.store {
            Store::Memory(store) => {
                let hash = meter.hasher.hash(key);
                Reply::Now(self.count(store.step(meter, &meter.kind, hash, DecisionSource::Memory).decision))
            }
            Store::Redis(store) => match store.ask(meter, key) {
                Asked::Now(answer) => Reply::Now(self.count(answer.decision)),
                Asked::Later(waiting) => Reply::Later(Pending::new(Asking::One(waiting, self.clone()))),
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

    /// How the bucket of `key` and its windows stand: the bucket first, if there is one. It costs them nothing.
    pub async fn peek(&self, key: &KeyBytes<'_>) -> Result<Vec<KeyState>, StoreError> {
        let mut states = Vec::with_capacity(self.meters.len());
        for meter in &self.meters {
            states.push(match &self.store {
                Store::Memory(store) => store.peek(meter, meter.hasher.hash(key)),
                Store::Redis(store) => store.peek(meter, key).await?,
            });
        }
        Ok(states)
    }

    /// Makes the bucket of `key` full. What its windows hold is not touched.
    pub async fn reset(&self, key: &KeyBytes<'_>) -> Result<(), StoreError> {
        self.amend(key, None).await
    }

    /// Gives the bucket of `key` so many requests beyond its rate; it is full at most.
    pub async fn grant(&self, key: &KeyBytes<'_>, requests: u64) -> Result<(), StoreError> {
        self.amend(key, Some(requests)).await
    }

    async fn amend(&self, key: &KeyBytes<'_>, slots: Option<u64>) -> Result<(), StoreError> {
        for meter in &self.meters {
            let Kind::Bucket(quota) = &meter.kind else { continue };
            match &self.store {
                Store::Memory(store) => store.amend(quota, meter.hasher.hash(key), slots),
                Store::Redis(store) => store.amend(meter, quota, key, slots).await?,
            }
        }
        Ok(())
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
        self.stats.count(&decision);
        decision
    }
}

/// What the decisions about one limit come to.
pub(crate) fn only(decisions: Vec<Option<Decision>>) -> Decision {
    decisions.into_iter().flatten().next().expect("a limit that is asked alone decides")
}

/// How a bucket or a window of a key stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyState {
    /// Which window; `None`: the bucket.
    pub window: Option<usize>,
    /// Requests that would pass at once. Those that instances hold slots for are not among them.
    pub remaining: u64,
    /// How long until one would pass, if none would now.
    pub retry_after: Duration,
    /// How long until the bucket is full, or the window is over.
    pub reset_after: Duration,
    /// Slots that this instance holds.
    pub held_here: u64,
}

impl KeyState {
    pub(crate) fn of_bucket(quota: &Quota, next: Timestamp, now: Timestamp, held_here: u64) -> Self {
        Self {
            window: None,
            remaining: schedule::remaining(quota, Some(next), now),
            retry_after: next.since(now).to_duration(),
            reset_after: schedule::reset_after(quota, Some(next), now),
            held_here,
        }
    }

    pub(crate) fn of_window(window: Option<usize>, taken: &Taken, now: Timestamp, held_here: u64) -> Self {
        Self {
            window,
            remaining: taken.remaining,
            retry_after: if taken.remaining > 0 { Duration::ZERO } else { taken.next_free.since(now).to_duration() },
            reset_after: taken.reset.since(now).to_duration(),
            held_here,
        }
    }
}

impl Meter {
    /// What `limit` counts by: its bucket, if it has one, and its windows.
    fn of(limit: &Limit, keys: &ProcessKeys, stats: &Arc<LimitStats>) -> Vec<Arc<Self>> {
        // Whole microseconds: what the script inside the store can be told.
        let micros = u64::try_from(limit.max_delay.as_micros()).unwrap_or(u64::MAX);
        let max_delay = Span::from_micros(micros.min(u64::from(u32::MAX)));
        let meter = |space: Arc<str>, kind, window, max_delay, terms| {
            Arc::new(Self {
                hasher: keys.for_limit(&space),
                space,
                kind,
                window,
                max_delay,
                terms,
                policy: limit.failure_policy,
                stats: stats.clone(),
                share: Mutex::new(None),
            })
        };
        let bucket = limit.quota.map(|quota| {
            let terms = Terms::of(&quota, max_delay, limit.leases);
            meter(limit.id.clone(), Kind::Bucket(quota), None, max_delay, terms)
        });
        let windows = limit.windows.iter().enumerate().map(|(index, (_, quota))| {
            let space = quota.key_space(&limit.id).into();
            let kind = Kind::Window(BoundWindow::new(quota.clone(), Timestamp::from_micros(0)));
            meter(space, kind, Some(index), Span::ZERO, Terms::of_window(limit.leases))
        });
        bucket.into_iter().chain(windows).collect()
    }

    /// True if slots of one say something about the slots of the other.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let same = match (&self.kind, &other.kind) {
            (Kind::Bucket(one), Kind::Bucket(two)) => one == two,
            (Kind::Window(one), Kind::Window(two)) => one.quota() == two.quota(),
            _ => false,
        };
        same && self.terms == other.terms
    }

    /// What one of so many instances may admit by itself.
    pub(crate) fn share(&self, instances: u32) -> Option<Arc<Kind>> {
        let mut share = self.share.lock();
        if let Some((_, kind)) = share.as_ref().filter(|(of, _)| *of == instances) {
            return kind.clone();
        }
        let kind = match &self.kind {
            Kind::Bucket(quota) => quota.share(instances).map(Kind::Bucket),
            Kind::Window(window) => {
                let quota = window.quota().share(instances);
                Some(Kind::Window(BoundWindow::new(quota, Timestamp::from_micros(0))))
            }
        };
        let kind = kind.map(Arc::new);
        *share = Some((instances, kind.clone()));
        kind
    }
}
