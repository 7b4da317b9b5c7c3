//! Buckets in this process.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tollgate_limiter::shared;
use tollgate_limiter::{Ask, Decision, DecisionSource, KeyBytes, Quota, Span, Timestamp, Verdict, schedule};

use crate::answer::{Answer, Held};
use crate::bound::{KeyState, Kind, Meter};
use crate::clock::{Clock, memory_time};
use crate::hash::KeyHash;

mod shard;
mod windows;

use shard::{Bucket, Place, Shard};
pub(crate) use windows::BoundWindow;
use windows::{Counted, WindowKey, Windows};

/// How much a memory store may hold.
#[derive(Debug, Clone, Copy)]
pub struct MemoryOptions {
    /// Buckets, over all limits. A bucket takes 32 bytes, its place in the table up to as much again.
    pub buckets_max: usize,
    /// Bytes for what is counted in windows, over all limits.
    pub windows_bytes_max: usize,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self { buckets_max: 1_000_000, windows_bytes_max: 64 << 20 }
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
    windows: Windows,
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
            windows: Windows::new(options.windows_bytes_max),
            clock,
            sweeping: AtomicUsize::new(0),
        }
    }

    /// Decides about one request for a key of `meter`, by `kind`: the meter's own, or a share of it.
    pub(crate) fn step(&self, meter: &Meter, kind: &Kind, hash: KeyHash, source: DecisionSource) -> Answer {
        match kind {
            Kind::Bucket(quota) => self.step_bucket(meter, quota, hash, source),
            Kind::Window(window) => self.step_window(meter, window, hash, source),
        }
    }

    fn step_bucket(&self, meter: &Meter, quota: &Quota, hash: KeyHash, source: DecisionSource) -> Answer {
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

    fn step_window(&self, meter: &Meter, window: &BoundWindow, hash: KeyHash, source: DecisionSource) -> Answer {
        let now = self.clock.calendar_time(self.clock.now());
        let key = WindowKey { own: hash, overflow: meter.hasher.hash(&KeyBytes::overflow()) };
        let Counted { taken, place } = self.windows.take(window, key, now, Ask::ONE);
        if place != hash {
            meter.stats.overflowed();
        }
        let passes = taken.count > 0;
        let verdict = if passes {
            Verdict::Allow
        } else {
            Verdict::Deny { retry_after: taken.next_free.since(now).to_duration() }
        };
        let decision = Decision {
            verdict,
            source,
            remaining: Some(taken.remaining),
            reset_after: Some(taken.reset.since(now).to_duration()),
            window: meter.window,
        };
        Answer { decision, held: if passes { Held::Permit(place, taken.index) } else { Held::Nothing } }
    }

    /// The refusal of a key that stands, if one does. It asks for nothing.
    pub(crate) fn refusal(&self, meter: &Meter, hash: KeyHash) -> Option<Decision> {
        let state = self.peek(meter, hash);
        (state.remaining == 0 && state.retry_after > meter.max_delay.to_duration()).then_some(Decision {
            verdict: Verdict::Deny { retry_after: state.retry_after },
            source: DecisionSource::Memory,
            remaining: Some(0),
            reset_after: Some(state.reset_after),
            window: meter.window,
        })
    }

    /// A request is not let through after all: what it took is there again. In one bucket, whose tokens are spent the
    /// moment they are taken, that leaves it as if nobody had asked.
    pub(crate) fn put_back(&self, kind: &Kind, held: Held) {
        match (kind, held) {
            (Kind::Bucket(quota), Held::Token(hash)) => {
                let mut shard = self.shard(hash).lock();
                let Some(next) = shard.next(hash) else { return };
                let next = next - quota.interval();
                shard.any_place(hash).put(Bucket::new(hash, next, next + quota.life()));
            }
            (Kind::Window(_), Held::Permit(place, index)) => {
                // Its slice may be over: then nothing is left to give back to.
                self.windows.give_back(place, index, 1);
            }
            _ => {}
        }
    }

    /// How a bucket or a window of a key stands.
    pub(crate) fn peek(&self, meter: &Meter, hash: KeyHash) -> KeyState {
        let now = self.clock.now();
        match &meter.kind {
            Kind::Bucket(quota) => {
                let now = memory_time(now);
                let next = self.shard(hash).lock().next(hash).unwrap_or(now.before(quota.life()));
                KeyState::of_bucket(quota, next, now, 0)
            }
            Kind::Window(window) => {
                let now = self.clock.calendar_time(now);
                let taken = self.windows.peek(window, hash, now);
                KeyState::of_window(meter.window, &taken, now, 0)
            }
        }
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
        self.windows.sweep(self.clock.calendar_time(self.clock.now()));
    }

    /// Keys counted in windows, and the bytes that they take.
    pub fn windows(&self) -> (usize, usize) {
        (self.windows.len(), self.windows.bytes())
    }
}

fn step(
    quota: &Quota,
    max_delay: Span,
    hash: KeyHash,
    place: Place<'_>,
    now: Timestamp,
    source: DecisionSource,
) -> Answer {
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
    let decision = Decision {
        verdict,
        source,
        remaining: Some(schedule::remaining(quota, grant.next, now)),
        reset_after: Some(schedule::reset_after(quota, grant.next, now)),
        window: None,
    };
    Answer { decision, held: if grant.count > 0 { Held::Token(hash) } else { Held::Nothing } }
}

#[cfg(test)]
mod tests;
