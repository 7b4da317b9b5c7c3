//! Several limits on one request, wherever they are, and windows beside a bucket: all are charged, or none.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::sync::Arc;
use std::time::Duration;

use tollgate_limiter::window::{Unit, WindowQuota};
use tollgate_limiter::{Criterion, Decision, FailurePolicy, KeyBytes, Limit, Quota, Source, Verdict};
use tollgate_store::{
    BoundLimit, Clock, Health, MemoryOptions, Part, RedisOptions, Store, Stores, Together, Topology, ask_all,
};
use tollgate_testkit::redis::Redis;
use tollgate_testkit::wait_until;

const HOUR: Duration = Duration::from_secs(3_600);

fn stores() -> Stores {
    Stores::new(MemoryOptions::default(), Clock::system(), tokio::runtime::Handle::current())
}

async fn shared(stores: &Stores, server: &Redis) -> Store {
    let store = stores.redis(RedisOptions {
        topology: Topology::Standalone { endpoint: server.endpoint() },
        username: String::new(),
        password: String::new(),
        database: 0,
        connect_timeout: Duration::from_secs(5),
        deadline: Duration::from_secs(1),
        tls: None,
        strict: false,
    });
    let Store::Redis(redis) = store.clone() else { unreachable!("it was made as one") };
    wait_until(|| redis.health() == Health::Available, Duration::from_secs(10)).await;
    store
}

fn limit(id: &str, burst: Option<u64>, windows: &[(&str, WindowQuota)]) -> Limit {
    Limit {
        id: id.into(),
        quota: burst.map(|burst| Quota::new(1, HOUR, burst).unwrap()),
        windows: windows.iter().map(|(name, quota)| ((*name).into(), quota.clone())).collect(),
        criterion: Criterion::Host,
        max_delay: Duration::ZERO,
        leases: true,
        failure_policy: FailurePolicy::Deny,
    }
}

fn key() -> KeyBytes<'static> {
    KeyBytes::from(Source::Host("a"))
}

async fn ask(limits: &[&Arc<BoundLimit>]) -> Vec<Option<Decision>> {
    let parts: Vec<_> = limits.iter().map(|limit| Part { limit, key: key() }).collect();
    match ask_all(&parts) {
        Together::Now(decisions) => decisions,
        Together::Later(pending) => pending.decisions().await,
    }
}

async fn left(limit: &BoundLimit) -> Vec<u64> {
    limit.peek(&key()).await.unwrap().iter().map(|state| state.remaining + state.held_here).collect()
}

fn passes(decision: &Decision) -> bool {
    !matches!(decision.verdict, Verdict::Deny { .. })
}

/// A wide limit beside a narrow one: what the narrow one refuses costs the wide one nothing.
async fn a_refusal_costs_the_others_nothing(wide: &Arc<BoundLimit>, narrow: &Arc<BoundLimit>) {
    for order in [[wide, narrow], [narrow, wide]] {
        wide.reset(&key()).await.unwrap();
        narrow.reset(&key()).await.unwrap();
        for _ in 0..3 {
            let decisions = ask(&order).await;
            assert!(decisions.iter().all(|decision| decision.as_ref().is_some_and(passes)), "{decisions:?}");
        }
        for _ in 0..20 {
            let decisions = ask(&order).await;
            let told: Vec<_> = decisions.iter().flatten().collect();
            assert!(told.len() == 1 && !passes(told[0]), "only the one that refuses speaks: {decisions:?}");
        }
        // What comes back to a shared bucket does so a moment later.
        let mut remaining = left(wide).await;
        for _ in 0..100 {
            if remaining == [7] {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            remaining = left(wide).await;
        }
        assert_eq!(remaining, [7], "three of ten were let pass");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_or_none_wherever_they_are() {
    let stores = stores();
    let (server, other) = (Redis::start(), Redis::start());
    let (one, two) = (shared(&stores, &server).await, shared(&stores, &other).await);
    for (name, here, there) in [
        ("both in memory", stores.memory(), stores.memory()),
        ("one in memory", stores.memory(), one.clone()),
        ("the other in memory", one.clone(), stores.memory()),
        ("both in one store", one.clone(), one.clone()),
        ("in two stores", one.clone(), two),
    ] {
        let wide = stores.bind(limit(&format!("wide {name}"), Some(10), &[]), here);
        let narrow = stores.bind(limit(&format!("narrow {name}"), Some(3), &[]), there);
        a_refusal_costs_the_others_nothing(&wide, &narrow).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn windows_count_beside_the_bucket_in_one_decision() {
    let stores = stores();
    let server = Redis::start();
    let windows = [
        ("day", WindowQuota::calendar(6, Unit::Day, "Europe/Berlin").unwrap()),
        ("1h", WindowQuota::sliding(4, HOUR).unwrap()),
    ];
    for store in [stores.memory(), shared(&stores, &server).await] {
        let limit = stores.bind(limit("both", Some(10), &windows), store);
        for round in 0..4 {
            let decision = limit.decide(&key()).await;
            assert!(passes(&decision), "{decision:?}");
            assert_eq!(decision.window, Some(1), "of the hour is the least left");
            assert!(decision.remaining.unwrap() <= 3 - round);
        }
        for _ in 0..10 {
            let refused = limit.decide(&key()).await;
            assert_eq!(refused.window, Some(1), "the hour refuses");
            let Verdict::Deny { retry_after } = refused.verdict else { panic!("{refused:?}") };
            assert!(retry_after > HOUR / 2 && retry_after <= HOUR + HOUR / 60 + Duration::from_secs(1));
        }
        let mut remaining = left(&limit).await;
        for _ in 0..100 {
            if remaining == [6, 2, 0] {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            remaining = left(&limit).await;
        }
        assert_eq!(remaining, [6, 2, 0], "what the hour refused cost the bucket and the day nothing");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_instances_share_a_window_exactly() {
    let server = Redis::start();
    let day = [("day", WindowQuota::calendar(500, Unit::Day, "UTC").unwrap())];
    let mut instances = Vec::new();
    for _ in 0..4 {
        let stores = stores();
        let store = shared(&stores, &server).await;
        let limit = stores.bind(limit("daily", None, &day), store);
        instances.push((stores, limit));
    }
    let clients = instances.iter().map(|(_, limit)| {
        let limit = limit.clone();
        tokio::spawn(async move {
            let mut admitted = 0_u64;
            for asked in 0..400 {
                admitted += u64::from(passes(&limit.decide(&key()).await));
                if asked % 50 == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            admitted
        })
    });
    let mut admitted = 0;
    for client in clients.collect::<Vec<_>>() {
        admitted += client.await.unwrap();
    }
    assert!(admitted <= 500, "{admitted} of 500");
    // What an instance holds unspent goes to nobody at the very end.
    assert!(admitted >= 450, "{admitted} of 500");
    for (stores, _) in &instances {
        stores.close().await;
    }
    let (_, limit) = &instances[0];
    let left = limit.peek(&key()).await.unwrap()[0].remaining;
    assert!(admitted + left <= 500 && left + admitted >= 495, "{left} are left of 500, {admitted} were admitted");
}
