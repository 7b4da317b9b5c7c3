//! The memory store on a clock that the tests move.

use std::sync::Arc;
use std::time::Duration;

use tollgate_limiter::{Criterion, FailurePolicy, Limit, Quota, Source};

use super::*;
use crate::bound::BoundLimit;
use crate::clock::FakeClock;
use crate::hash::ProcessKeys;
use crate::stats::LimitStats;
use crate::stores::Store;

fn limit(id: &str, limit: u64, period: Duration, burst: u64) -> BoundLimit {
    let quota = Quota::new(limit, period, burst).unwrap();
    let limit = Limit {
        id: id.into(),
        quota: Some(quota),
        windows: Vec::new(),
        criterion: Criterion::Host,
        max_delay: Duration::ZERO,
        leases: true,
        failure_policy: FailurePolicy::Deny,
    };
    BoundLimit::new(limit, &ProcessKeys::random(), Arc::default(), nowhere())
}

/// These tests ask the store they made, not the one that a limit names.
fn nowhere() -> Store {
    Store::Memory(Arc::new(store(1).0))
}

fn store(buckets_max: usize) -> (MemoryStore, FakeClock) {
    let clock = FakeClock::default();
    (MemoryStore::new(MemoryOptions { buckets_max, ..MemoryOptions::default() }, Clock::fake(&clock)), clock)
}

fn decide(store: &MemoryStore, limit: &BoundLimit, host: &str) -> Decision {
    let meter = &limit.meters[0];
    store.step(meter, &meter.kind, meter.hasher.hash(&Source::Host(host).into()), DecisionSource::Memory).decision
}

fn passes(store: &MemoryStore, limit: &BoundLimit, host: &str) -> bool {
    let decision = decide(store, limit, host);
    !matches!(decision.verdict, Verdict::Deny { .. })
}

fn snapshot(stats: &LimitStats) -> crate::LimitSnapshot {
    stats.snapshot("l".into())
}

#[test]
fn a_drained_bucket_is_not_full_again_before_it_has_refilled() {
    let (store, clock) = store(1_000);
    let limit = limit("l", 10, Duration::from_secs(1), 1_000);
    assert_eq!((0..2_000).filter(|_| passes(&store, &limit, "a")).count(), 1_000);
    clock.advance(Duration::from_millis(2_100));
    store.sweep();
    assert_eq!((0..2_000).filter(|_| passes(&store, &limit, "a")).count(), 21);
}

#[test]
fn a_flood_of_keys_does_not_set_a_drained_bucket_free() {
    let (store, clock) = store(1_000);
    let limit = limit("l", 1, Duration::from_secs(3_600), 1);
    assert!(passes(&store, &limit, "victim"));
    let admitted = (0..100_000).filter(|key| passes(&store, &limit, &format!("key{key}"))).count();
    // A thousand buckets and some places over because parts fill unevenly; then one shared bucket with one slot.
    assert!((900..=1_100).contains(&admitted), "{admitted}");
    assert!(!passes(&store, &limit, "victim"));
    assert!(store.buckets() <= 1_025);
    assert!(snapshot(&limit.stats).overflowed > 90_000);

    clock.advance(Duration::from_secs(3_602));
    assert!(passes(&store, &limit, "victim"), "full again, and there is room again");
    assert!((0..200).all(|key| passes(&store, &limit, &format!("new{key}"))));
}

#[test]
fn full_buckets_go_and_the_memory_with_them() {
    let (store, clock) = store(100_000);
    let limit = limit("l", 1, Duration::from_secs(1), 1);
    for key in 0..50_000 {
        assert!(passes(&store, &limit, &format!("key{key}")));
    }
    assert_eq!(store.buckets(), 50_000);
    clock.advance(Duration::from_secs(3));
    for _ in 0..8 {
        store.sweep();
    }
    assert_eq!(store.buckets(), 0);
}

#[test]
fn limits_do_not_share_buckets() {
    let (store, _clock) = store(100);
    let keys = ProcessKeys::random();
    let [one, two] = ["one", "two"].map(|id| {
        let BoundLimit { limit, .. } = limit(id, 1, Duration::from_secs(60), 1);
        BoundLimit::new(limit, &keys, Arc::default(), nowhere())
    });
    assert!(passes(&store, &one, "a"));
    assert!(passes(&store, &two, "a"));
    assert!(!passes(&store, &one, "a"));
}

#[test]
fn what_is_told_about_a_decision() {
    let (store, clock) = store(100);
    let limit = limit("l", 1, Duration::from_secs(10), 3);
    let decide = || decide(&store, &limit, "a");
    let first = decide();
    assert_eq!((first.verdict, first.remaining), (Verdict::Allow, Some(2)));
    assert_eq!(first.reset_after, Some(Duration::from_secs(10)));
    decide();
    decide();
    clock.advance(Duration::from_secs(4));
    let refused = decide();
    assert_eq!(refused.verdict, Verdict::Deny { retry_after: Duration::from_secs(6) });
    assert_eq!((refused.remaining, refused.reset_after), (Some(0), Some(Duration::from_secs(26))));
}
