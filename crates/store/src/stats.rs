//! What is counted. Plain numbers that go up, read when somebody looks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tollgate_limiter::{Decision, DecisionSource, Verdict};

use crate::redis::ErrorKind;

/// The decisions of one limit, by verdict and by who decided.
#[derive(Debug, Default)]
pub struct LimitStats {
    decisions: [[AtomicU64; VERDICTS.len()]; SOURCES.len()],
    overflowed: AtomicU64,
}

const SOURCES: [&str; 6] = ["store", "lease", "denial_cache", "memory", "policy", "local"];
const VERDICTS: [&str; 3] = ["allow", "delay", "deny"];

impl LimitStats {
    pub(crate) fn count(&self, decision: &Decision) {
        let source = match decision.source {
            DecisionSource::Store => 0,
            DecisionSource::Lease => 1,
            DecisionSource::DenialCache => 2,
            DecisionSource::Memory => 3,
            DecisionSource::Policy => 4,
            DecisionSource::Local => 5,
        };
        let verdict = match decision.verdict {
            Verdict::Allow => 0,
            Verdict::Delay(_) => 1,
            Verdict::Deny { .. } => 2,
        };
        up(&self.decisions[source][verdict], 1);
    }

    pub(crate) fn overflowed(&self) {
        up(&self.overflowed, 1);
    }

    /// The counts so far.
    pub fn snapshot(&self, id: Arc<str>) -> LimitSnapshot {
        let mut decisions = Vec::with_capacity(SOURCES.len() * VERDICTS.len());
        for (source, counts) in SOURCES.iter().zip(&self.decisions) {
            for (verdict, count) in VERDICTS.iter().zip(counts) {
                decisions.push((*verdict, *source, read(count)));
            }
        }
        LimitSnapshot { id, decisions, overflowed: read(&self.overflowed) }
    }
}

/// The counts of one limit at one moment.
#[derive(Debug, Clone)]
pub struct LimitSnapshot {
    /// The limit.
    pub id: Arc<str>,
    /// (verdict, source, decisions): every combination, also those that never happened.
    pub decisions: Vec<(&'static str, &'static str, u64)>,
    /// Requests whose key found no place in memory and that were counted in the bucket that such keys share.
    pub overflowed: u64,
}

/// What is counted about one shared store.
#[derive(Debug, Default)]
pub struct StoreStats {
    calls: AtomicU64,
    keys: AtomicU64,
    coalesced: AtomicU64,
    forgotten: AtomicU64,
    leases: AtomicU64,
    lent: AtomicU64,
    returned: AtomicU64,
    died: AtomicU64,
    healed: AtomicU64,
    errors: [AtomicU64; ErrorKind::ALL.len()],
    latency: Latency,
}

impl StoreStats {
    pub(crate) fn called(&self, keys: usize, waiters: usize, took: Duration) {
        up(&self.calls, 1);
        up(&self.keys, keys as u64);
        up(&self.coalesced, waiters.saturating_sub(keys) as u64);
        self.latency.record(took);
    }

    /// Requests that had waited for a call and were told by what another had brought.
    pub(crate) fn settled(&self, waiters: usize) {
        up(&self.coalesced, waiters as u64);
    }

    pub(crate) fn forgot(&self, keys: usize) {
        up(&self.forgotten, keys as u64);
    }

    pub(crate) fn lent(&self, slots: u64) {
        if slots > 0 {
            up(&self.leases, 1);
            up(&self.lent, slots);
        }
    }

    pub(crate) fn returned(&self, slots: u64) {
        up(&self.returned, slots);
    }

    pub(crate) fn died(&self, slots: u64) {
        if slots > 0 {
            up(&self.died, slots);
        }
    }

    pub(crate) fn healed(&self, healed: bool) {
        up(&self.healed, u64::from(healed));
    }

    pub(crate) fn failed(&self, kind: ErrorKind) {
        up(&self.errors[kind as usize], 1);
    }

    pub(crate) fn snapshot(&self) -> StoreSnapshot {
        StoreSnapshot {
            name: String::new(),
            buckets: 0,
            keys_known: 0,
            leases: 0,
            slots_held: 0,
            instances: 1,
            leases_granted: read(&self.leases),
            slots_lent: read(&self.lent),
            slots_returned: read(&self.returned),
            slots_died: read(&self.died),
            hints_healed: read(&self.healed),
            calls: read(&self.calls),
            keys: read(&self.keys),
            coalesced: read(&self.coalesced),
            forgotten: read(&self.forgotten),
            errors: ErrorKind::ALL.iter().zip(&self.errors).map(|(kind, count)| (kind.as_str(), read(count))).collect(),
            latency: self.latency.snapshot(),
            available: true,
        }
    }
}

/// The counts of one store at one moment.
#[derive(Debug, Clone)]
pub struct StoreSnapshot {
    /// `memory`, or the endpoint of a shared store.
    pub name: String,
    /// Buckets held in this process.
    pub buckets: u64,
    /// Keys of a shared store that this process remembers something of.
    pub keys_known: u64,
    /// Keys of which it holds slots now.
    pub leases: u64,
    /// Slots it holds now.
    pub slots_held: u64,
    /// Instances last seen sharing the store, this one included.
    pub instances: u32,
    /// Leases that it was granted so far, the slots in them, those of them that it gave back and those that died
    /// unspent.
    pub leases_granted: u64,
    /// See [`StoreSnapshot::leases_granted`].
    pub slots_lent: u64,
    /// See [`StoreSnapshot::leases_granted`].
    pub slots_returned: u64,
    /// See [`StoreSnapshot::leases_granted`].
    pub slots_died: u64,
    /// How often it told the store what that had lost.
    pub hints_healed: u64,
    /// Calls answered.
    pub calls: u64,
    /// Keys asked for in those calls.
    pub keys: u64,
    /// Requests that needed no call of their own because they were asked for together with another.
    pub coalesced: u64,
    /// Keys that were forgotten before their time, because there were too many to remember.
    pub forgotten: u64,
    /// (kind, calls that failed like that): every kind; none of a store that is not called.
    pub errors: Vec<(&'static str, u64)>,
    /// How long answered calls took.
    pub latency: LatencySnapshot,
    /// False while the store cannot be used and failure policies are in force.
    pub available: bool,
}

/// A histogram of durations with fixed bounds.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    counts: [AtomicU64; LATENCY_BOUNDS_MICROS.len() + 1],
    sum_nanos: AtomicU64,
}

/// Upper bounds, in microseconds: from a round trip on one machine to a timeout.
const LATENCY_BOUNDS_MICROS: [u64; 14] =
    [50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 102_400, 512_000, 1_024_000];

/// A histogram at one moment.
#[derive(Debug, Clone, Default)]
pub struct LatencySnapshot {
    /// (upper bound in seconds, calls that took at most that long): cumulative.
    pub buckets: Vec<(f64, u64)>,
    /// All calls.
    pub count: u64,
    /// Seconds spent in all of them.
    pub sum: f64,
}

impl Latency {
    pub(crate) fn record(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let index = LATENCY_BOUNDS_MICROS.partition_point(|bound| *bound < micros);
        up(&self.counts[index], 1);
        up(&self.sum_nanos, u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn snapshot(&self) -> LatencySnapshot {
        let mut count = 0;
        let mut buckets = Vec::with_capacity(LATENCY_BOUNDS_MICROS.len());
        for (bound, bucket) in LATENCY_BOUNDS_MICROS.iter().zip(&self.counts) {
            count += read(bucket);
            buckets.push((*bound as f64 / 1e6, count));
        }
        count += read(&self.counts[LATENCY_BOUNDS_MICROS.len()]);
        LatencySnapshot { buckets, count, sum: read(&self.sum_nanos) as f64 / 1e9 }
    }
}

/// The order of counts among threads says nothing, so none is asked for.
fn up(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
