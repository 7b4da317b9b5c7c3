//! What the limiter and its stores count themselves, read when it is asked for.

use crate::exposition::{Collector, Exposition};

/// A snapshot of the limiter's own counters.
#[derive(Debug, Clone, Default)]
pub struct LimiterFacts {
    /// Each limit in use.
    pub limits: Vec<LimitFacts>,
    /// Each store in use.
    pub stores: Vec<StoreFacts>,
}

/// A snapshot of one limit's counters.
#[derive(Debug, Clone, Default)]
pub struct LimitFacts {
    /// Which limit: the qualified name of its middleware.
    pub limit: String,
    /// Decisions, by verdict and by who decided.
    pub decisions: Vec<(&'static str, &'static str, u64)>,
    /// Decisions on the bucket that keys share for which the memory store had no room.
    pub overflowed: u64,
}

/// A snapshot of one store's counters.
#[derive(Debug, Clone, Default)]
pub struct StoreFacts {
    /// Which store: `memory`, or the address of a shared one, without any credential.
    pub store: String,
    /// Buckets held in this process.
    pub buckets: u64,
    /// Refusals of a shared store that this process remembers.
    pub denials: u64,
    /// Those it forgot before their time, because there were too many.
    pub forgotten: u64,
    /// Calls answered.
    pub calls: u64,
    /// Decisions that needed no call of their own because they shared another's.
    pub coalesced: u64,
    /// Calls that failed, by kind.
    pub errors: Vec<(&'static str, u64)>,
    /// How long answered calls took: an upper bound in seconds, and the calls that took no longer.
    pub durations: Vec<(f64, u64)>,
    /// Seconds spent in all answered calls.
    pub duration_sum: f64,
    /// False while the store does not answer and failure policies decide.
    pub available: bool,
}

/// Any closure that takes a snapshot is a collector of it.
impl<F: Fn() -> LimiterFacts + Send + Sync> Collector for F {
    fn collect(&self, out: &mut Exposition) {
        let facts = self();
        write_limits(out, &facts.limits);
        write_calls(out, &facts.stores);
        write_states(out, &facts.stores);
    }
}

/// Decisions that never happened have no series: of the twelve kinds that a limit could make, few are.
fn write_limits(out: &mut Exposition, limits: &[LimitFacts]) {
    let mut decisions =
        out.counter("tollgate_limiter_decisions_total", "What limits decided, by limit, verdict and who decided.");
    for limit in limits {
        for &(verdict, source, count) in limit.decisions.iter().filter(|(.., count)| *count > 0) {
            decisions.sample(&[("limit", &limit.limit), ("source", source), ("verdict", verdict)], count);
        }
    }
    let mut overflow =
        out.counter("tollgate_limiter_overflow_total", "Decisions on a bucket shared for want of room, by limit.");
    for limit in limits {
        overflow.sample(&[("limit", &limit.limit)], limit.overflowed);
    }
}

/// A store that is part of the process is not called, and has no kinds of errors.
fn write_calls(out: &mut Exposition, stores: &[StoreFacts]) {
    let stores: Vec<_> = stores.iter().filter(|store| !store.errors.is_empty()).collect();
    let mut calls = out.counter("tollgate_limiter_store_calls_total", "Calls to a store, by outcome.");
    for store in &stores {
        let failed: u64 = store.errors.iter().map(|(_, count)| count).sum();
        calls.sample(&[("outcome", "ok"), ("store", &store.store)], store.calls);
        calls.sample(&[("outcome", "error"), ("store", &store.store)], failed);
    }
    let mut durations =
        out.histogram("tollgate_limiter_store_call_duration_seconds", "How long answered calls to a store took.");
    for store in stores.iter().filter(|store| !store.durations.is_empty()) {
        durations.cumulative(&[("store", &store.store)], &store.durations, store.calls, store.duration_sum);
    }
    let mut errors = out.counter("tollgate_limiter_store_errors_total", "Calls to a store that failed, by kind.");
    for store in &stores {
        for &(kind, count) in &store.errors {
            errors.sample(&[("kind", kind), ("store", &store.store)], count);
        }
    }
    let mut coalesced =
        out.counter("tollgate_limiter_coalesced_total", "Decisions that shared the store call of another request.");
    for store in &stores {
        coalesced.sample(&[("store", &store.store)], store.coalesced);
    }
}

fn write_states(out: &mut Exposition, stores: &[StoreFacts]) {
    let mut buckets = out.gauge("tollgate_limiter_buckets", "Buckets held in this process.");
    for store in stores {
        buckets.sample(&[("store", &store.store)], store.buckets);
    }
    let mut denials = out.gauge("tollgate_limiter_denials", "Refusals of a shared store that this process remembers.");
    for store in stores {
        denials.sample(&[("store", &store.store)], store.denials);
    }
    let mut forgotten = out.counter(
        "tollgate_limiter_denials_forgotten_total",
        "Refusals of a shared store forgotten before their time, because there were too many to remember.",
    );
    for store in stores.iter().filter(|store| !store.errors.is_empty()) {
        forgotten.sample(&[("store", &store.store)], store.forgotten);
    }
    let mut policy = out.gauge(
        "tollgate_limiter_policy_in_force",
        "1 while a store does not answer and failure policies decide, else 0.",
    );
    for store in stores {
        policy.sample(&[("store", &store.store)], u8::from(!store.available));
    }
}
