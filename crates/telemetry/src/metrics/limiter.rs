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
    /// Keys of a shared store that this process remembers something of.
    pub keys_known: u64,
    /// Those it forgot before their time, because there were too many.
    pub keys_forgotten: u64,
    /// Keys of which it holds slots.
    pub leases: u64,
    /// Slots it holds.
    pub slots_held: u64,
    /// Leases it was granted.
    pub leases_granted: u64,
    /// Slots in them.
    pub slots_lent: u64,
    /// Slots it gave back.
    pub slots_returned: u64,
    /// Slots that it neither spent nor gave back in time.
    pub slots_died: u64,
    /// How often it told the store what that had lost.
    pub hints_healed: u64,
    /// Instances last seen sharing the store, this one included.
    pub instances: u32,
    /// Calls answered.
    pub calls: u64,
    /// Keys asked for in them.
    pub keys: u64,
    /// Decisions that needed no call of their own because they shared another's.
    pub coalesced: u64,
    /// Calls that failed, by kind: every kind; none of a store that is part of the process.
    pub errors: Vec<(&'static str, u64)>,
    /// How long answered calls took.
    pub durations: Durations,
    /// False while the store, or a part of it, does not answer and failure policies decide.
    pub available: bool,
    /// The servers it consists of at the moment.
    pub servers: Vec<ServerFacts>,
}

/// A snapshot of one server of a store.
#[derive(Debug, Clone, Default)]
pub struct ServerFacts {
    /// Its `host:port`.
    pub server: String,
    /// What it is there for: `server`, `primary`, `sentinel`.
    pub role: &'static str,
    /// False while nobody waits for it because it failed.
    pub available: bool,
    /// How long answered calls to it took.
    pub durations: Durations,
}

/// How long calls took.
#[derive(Debug, Clone, Default)]
pub struct Durations {
    /// An upper bound in seconds, and the calls that took no longer.
    pub buckets: Vec<(f64, u64)>,
    /// All calls.
    pub count: u64,
    /// Seconds spent in all of them.
    pub sum: f64,
}

/// Any closure that takes a snapshot is a collector of it.
impl<F: Fn() -> LimiterFacts + Send + Sync> Collector for F {
    fn collect(&self, out: &mut Exposition) {
        let facts = self();
        write_limits(out, &facts.limits);
        write_states(out, &facts.stores);
        let shared: Vec<_> = facts.stores.iter().filter(|store| store.is_shared()).collect();
        write_calls(out, &shared);
        write_counts(out, &shared);
        write_servers(out, &shared);
    }
}

impl StoreFacts {
    /// A store that is part of the process is not called, and has no kinds of errors.
    fn is_shared(&self) -> bool {
        !self.errors.is_empty()
    }
}

/// Decisions that never happened have no series: of the eighteen kinds that a limit could make, few are.
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

fn write_states(out: &mut Exposition, stores: &[StoreFacts]) {
    let mut buckets = out.gauge("tollgate_limiter_buckets", "Buckets held in this process.");
    for store in stores {
        buckets.sample(&[("store", &store.store)], store.buckets);
    }
    let mut policy = out.gauge(
        "tollgate_limiter_policy_in_force",
        "1 while a store does not answer and failure policies decide, else 0.",
    );
    for store in stores {
        policy.sample(&[("store", &store.store)], u8::from(!store.available));
    }
}

fn write_calls(out: &mut Exposition, stores: &[&StoreFacts]) {
    let mut calls = out.counter("tollgate_limiter_store_calls_total", "Calls to a store, by outcome.");
    for store in stores {
        let failed: u64 = store.errors.iter().map(|(_, count)| count).sum();
        calls.sample(&[("outcome", "ok"), ("store", &store.store)], store.calls);
        calls.sample(&[("outcome", "error"), ("store", &store.store)], failed);
    }
    let mut durations =
        out.histogram("tollgate_limiter_store_call_duration_seconds", "How long answered calls to a store took.");
    for store in stores {
        let Durations { buckets, count, sum } = &store.durations;
        durations.cumulative(&[("store", &store.store)], buckets, *count, *sum);
    }
    let mut errors = out.counter("tollgate_limiter_store_errors_total", "Calls to a store that failed, by kind.");
    for store in stores {
        for &(kind, count) in &store.errors {
            errors.sample(&[("kind", kind), ("store", &store.store)], count);
        }
    }
}

/// What is one number per shared store.
fn write_counts(out: &mut Exposition, stores: &[&StoreFacts]) {
    for (name, help, read) in COUNTERS {
        let mut family = out.counter(name, help);
        for store in stores {
            family.sample(&[("store", &store.store)], read(store));
        }
    }
    for (name, help, read) in GAUGES {
        let mut family = out.gauge(name, help);
        for store in stores {
            family.sample(&[("store", &store.store)], read(store));
        }
    }
}

/// A name, what it says, and where the number is.
type Count = (&'static str, &'static str, fn(&StoreFacts) -> u64);

const COUNTERS: [Count; 8] = [
    ("tollgate_limiter_store_keys_total", "Keys asked for in answered calls to a store.", |store| store.keys),
    ("tollgate_limiter_coalesced_total", "Decisions that shared the store call of another request.", |store| {
        store.coalesced
    }),
    ("tollgate_limiter_leases_granted_total", "Leases that a store granted to this instance.", |store| {
        store.leases_granted
    }),
    ("tollgate_limiter_slots_lent_total", "Slots in the leases that a store granted.", |store| store.slots_lent),
    ("tollgate_limiter_slots_returned_total", "Slots that were given back to a store unspent.", |store| {
        store.slots_returned
    }),
    ("tollgate_limiter_slots_died_total", "Slots that were neither spent nor given back in time.", |store| {
        store.slots_died
    }),
    ("tollgate_limiter_hints_healed_total", "How often a store was told what it had forgotten.", |store| {
        store.hints_healed
    }),
    (
        "tollgate_limiter_keys_forgotten_total",
        "Keys of a shared store forgotten before their time, because there were too many to remember.",
        |store| store.keys_forgotten,
    ),
];

const GAUGES: [Count; 4] = [
    ("tollgate_limiter_keys_known", "Keys of a shared store that this process remembers something of.", |store| {
        store.keys_known
    }),
    ("tollgate_limiter_leases", "Keys of which this instance holds slots.", |store| store.leases),
    ("tollgate_limiter_slots_held", "Slots that this instance holds.", |store| store.slots_held),
    ("tollgate_limiter_instances", "Instances last seen sharing a store, this one included.", |store| {
        store.instances.into()
    }),
];

/// Servers come and go with the topology of a store; only those of the moment have series.
fn write_servers(out: &mut Exposition, stores: &[&StoreFacts]) {
    let servers: Vec<_> =
        stores.iter().flat_map(|store| store.servers.iter().map(|server| (store.store.as_str(), server))).collect();
    let mut breakers = out.gauge(
        "tollgate_limiter_breaker_open",
        "1 while nobody waits for a server of a store because it failed, else 0.",
    );
    for (store, server) in &servers {
        let labels = [("role", server.role), ("server", &server.server), ("store", store)];
        breakers.sample(&labels, u8::from(!server.available));
    }
    let mut durations = out.histogram(
        "tollgate_limiter_server_call_duration_seconds",
        "How long answered calls to a server of a store took.",
    );
    // Sentinels are asked by nobody who has to wait.
    for (store, server) in servers.iter().filter(|(_, server)| server.role != "sentinel") {
        let Durations { buckets, count, sum } = &server.durations;
        durations.cumulative(&[("server", &server.server), ("store", store)], buckets, *count, *sum);
    }
}
