//! Buckets in this process.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tollgate_limiter::shared;
use tollgate_limiter::{Ask, Decision, DecisionSource, KeyBytes, Quota, Span, Timestamp, Verdict, schedule};

use crate::bound::{KeyState, Meter};
use crate::clock::{Clock, memory_time};
use crate::hash::KeyHash;

mod shard;
#[cfg_attr(not(test), expect(dead_code, reason = "requests are counted in windows next"))]
mod windows;

use shard::{Bucket, Place, Shard};

/// How much a memory store may hold.
#[derive(Debug, Clone, Copy)]
pub struct MemoryOptions {
    /// Buckets, over all limits. A bucket takes 32 bytes, its place in the table up to as much again.
    pub buckets_max: usize,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self { buckets_max: 1_000_000 }
    }
}

/// Buckets in this process: the store of a limit that names no other.
///
/// A decision is a hash, a short lock and a compare. Memory is bounded, and the bound is no way around a limit: a
/// full bucket carries no information and goes first, a bucket in debt never goes. When only buckets in debt are
/// left, new keys of a limit share one *overflow bucket* until some are full again.
#[derive(Debug)]
pub struct MemoryStore {
    shards: Box<[Mutex<Shard>]>,
    clock: Clock,
    sweeping: AtomicUsize,
}

/// A power of two well above the number of threads, so that two of them seldom meet.
const SHARDS: usize = 64;

impl MemoryStore {
    /// An empty store.
    pub fn new(options: MemoryOptions, clock: Clock) -> Self {
        let capacity = options.buckets_max.div_ceil(SHARDS).max(1);
        Self {
            shards: (0..SHARDS).map(|_| Mutex::new(Shard::new(capacity))).collect(),
            clock,
            sweeping: AtomicUsize::new(0),
        }
    }

    /// Decides about one request for a key of `meter` by this `quota`: its own, or a share of it.
    pub(crate) fn step(&self, meter: &Meter, quota: &Quota, hash: KeyHash, source: DecisionSource) -> Decision {
        let now = memory_time(self.clock.now());
        if let Some(place) = self.shard(hash).lock().place(hash, now) {
            return step(quota, meter.max_delay, hash, place, now, source);
        }
        // No room for a new key. Those that find none are counted together, in a bucket of the limit's own: a flood
        // of invented keys pays with requests of its own limit and of no other. There are as many as limits.
        meter.stats.overflowed();
        let overflow = meter.hasher.hash(&KeyBytes::overflow());
        step(quota, meter.max_delay, overflow, self.shard(overflow).lock().any_place(overflow), now, source)
    }

    /// The refusal of a key that stands, if one does. It asks for nothing.
    pub(crate) fn refusal(&self, meter: &Meter, hash: KeyHash) -> Option<Decision> {
        let now = memory_time(self.clock.now());
        let next = self.shard(hash).lock().next(hash)?;
        let wait = next.since(now);
        (wait > meter.max_delay).then(|| Decision {
            verdict: Verdict::Deny { retry_after: wait.to_duration() },
            source: DecisionSource::Memory,
            remaining: Some(0),
            reset_after: Some(schedule::reset_after(&meter.quota, Some(next), now)),
        })
    }

    /// A request is not let through after all: its token is there again. In one bucket, whose tokens are spent the
    /// moment they are taken, that leaves it as if nobody had asked.
    pub(crate) fn put_back(&self, quota: &Quota, hash: KeyHash) {
        let mut shard = self.shard(hash).lock();
        let Some(next) = shard.next(hash) else { return };
        let next = next - quota.interval();
        shard.any_place(hash).put(Bucket::new(hash, next, next + quota.life()));
    }

    /// How a bucket stands.
    pub(crate) fn peek(&self, quota: &Quota, hash: KeyHash) -> KeyState {
        let now = memory_time(self.clock.now());
        let next = self.shard(hash).lock().next(hash).unwrap_or(now.before(quota.life()));
        KeyState::new(quota, next, now, 0)
    }

    /// Gives a bucket so many slots, or all that it holds.
    pub(crate) fn amend(&self, quota: &Quota, hash: KeyHash, slots: Option<u64>) {
        let now = memory_time(self.clock.now());
        let mut shard = self.shard(hash).lock();
        // A bucket that is not here is full.
        let Some(next) = shard.next(hash) else { return };
        let next = shared::amend(quota, Some(next.into()), now, Span::ZERO, slots).next;
        shard.any_place(hash).put(Bucket::new(hash, next, next + quota.life()));
    }

    fn shard(&self, hash: KeyHash) -> &Mutex<Shard> {
        // The low bits choose the place within the table.
        &self.shards[(hash[1] >> 32) as usize % SHARDS]
    }

    /// Buckets held.
    pub fn buckets(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Forgets the full buckets of a part of the store and gives memory back that is not needed any more. Called now
    /// and then it keeps the store as small as its load; not calling it costs memory, never a verdict.
    pub fn sweep(&self) {
        let now = memory_time(self.clock.now());
        for _ in 0..SHARDS / 8 {
            let index = self.sweeping.fetch_add(1, Ordering::Relaxed) % SHARDS;
            self.shards[index].lock().sweep(now);
        }
    }
}

fn step(
    quota: &Quota,
    max_delay: Span,
    hash: KeyHash,
    place: Place<'_>,
    now: Timestamp,
    source: DecisionSource,
) -> Decision {
    let known = place.bucket().map(Bucket::next);
    let grant = schedule::grant(quota, known, now, max_delay, Ask::ONE);
    if let Some(next) = grant.next.filter(|next| known != Some(*next)) {
        place.put(Bucket::new(hash, next, next + quota.life()));
    }
    let verdict = match (grant.count, grant.first.since(now)) {
        (0, wait) => Verdict::Deny { retry_after: wait.to_duration() },
        (_, Span::ZERO) => Verdict::Allow,
        (_, wait) => Verdict::Delay(wait.to_duration()),
    };
    Decision {
        verdict,
        source,
        remaining: Some(schedule::remaining(quota, grant.next, now)),
        reset_after: Some(schedule::reset_after(quota, grant.next, now)),
    }
}

#[cfg(test)]
mod tests;
