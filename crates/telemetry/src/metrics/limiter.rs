//! What the limiter and its stores count themselves, read when it is asked for.

use std::time::Duration;

use crate::exposition::{Collector, Exposition};

/// A snapshot of the limiter's own counters.
#[derive(Debug, Clone, Default)]
pub struct LimiterFacts {
    /// Each store that decides.
    pub stores: Vec<StoreFacts>,
    /// How often the keys of a limit had to share a bucket because the memory store was full, by limit.
    pub overflow: Vec<(String, u64)>,
    /// Decisions that waited for the call of another request for the same key, and shared it.
    pub coalesced: u64,
}

/// A snapshot of one store's counters.
#[derive(Debug, Clone, Default)]
pub struct StoreFacts {
    /// Which store: `memory`, or the address of a shared one, without any credential.
    pub store: String,
    /// Calls, by outcome.
    pub calls: Vec<(&'static str, u64)>,
    /// How long calls took.
    pub durations: Option<Bucketed>,
    /// Errors, by kind.
    pub errors: Vec<(&'static str, u64)>,
    /// How many buckets it holds; `None` if only the store itself knows.
    pub buckets: Option<u64>,
    /// True while the store does not answer and failure policies decide.
    pub degraded: bool,
}

/// A histogram's state: durations counted in buckets.
#[derive(Debug, Clone, Default)]
pub struct Bucketed {
    /// Upper bounds in seconds, ascending.
    pub bounds: Vec<f64>,
    /// How many fell into each, not summed up; one more than there are bounds.
    pub counts: Vec<u64>,
    /// All durations together.
    pub sum: Duration,
}

/// Any closure that takes a snapshot is a collector of it.
impl<F: Fn() -> LimiterFacts + Send + Sync> Collector for F {
    fn collect(&self, out: &mut Exposition) {
        self().write(out);
    }
}

impl LimiterFacts {
    fn write(&self, out: &mut Exposition) {
        let mut calls = out.counter("tollgate_limiter_store_calls_total", "Calls to a store, by outcome.");
        for store in &self.stores {
            for &(outcome, count) in &store.calls {
                calls.sample(&[("outcome", outcome), ("store", &store.store)], count);
            }
        }
        let mut durations = out.histogram("tollgate_limiter_store_call_duration_seconds", "How long store calls took.");
        for store in &self.stores {
            if let Some(Bucketed { bounds, counts, sum }) = &store.durations {
                durations.distribution(&[("store", &store.store)], bounds, counts, *sum);
            }
        }
        let mut errors = out.counter("tollgate_limiter_store_errors_total", "Store calls that failed, by kind.");
        for store in &self.stores {
            for &(kind, count) in &store.errors {
                errors.sample(&[("kind", kind), ("store", &store.store)], count);
            }
        }
        let mut buckets = out.gauge("tollgate_limiter_buckets", "Buckets that a store holds.");
        for store in &self.stores {
            if let Some(held) = store.buckets {
                buckets.sample(&[("store", &store.store)], held);
            }
        }
        let mut overflow =
            out.counter("tollgate_limiter_overflow_total", "Decisions on a bucket shared for want of room, by limit.");
        for (limit, count) in &self.overflow {
            overflow.sample(&[("limit", limit)], count);
        }
        let mut policy = out.gauge(
            "tollgate_limiter_policy_in_force",
            "1 while a store does not answer and failure policies decide, else 0.",
        );
        for store in &self.stores {
            policy.sample(&[("store", &store.store)], u8::from(store.degraded));
        }
        out.counter("tollgate_limiter_coalesced_total", "Decisions that shared the store call of another request.")
            .sample(&[], self.coalesced);
    }
}
