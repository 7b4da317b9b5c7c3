//! Several instances, one real server, and slots that are lent: the limit holds, calls are few, and what happens to the
//! server or to an instance costs what is said.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_limiter::{Criterion, Decision, DecisionSource, FailurePolicy, KeyBytes, Limit, Quota, Source, Verdict};
use tollgate_store::{BoundLimit, Clock, Health, MemoryOptions, RedisOptions, RedisStore, Store, Stores, Topology};
use tollgate_testkit::redis::Redis;
use tollgate_testkit::{Admission, certain_excess, wait_until};

const SECOND: Duration = Duration::from_secs(1);

/// One instance: stores of its own.
struct Instance {
    stores: Stores,
    redis: Arc<RedisStore>,
    limit: Arc<BoundLimit>,
}

impl Instance {
    async fn start(server: &Redis, per_second: u64, burst: u64, policy: FailurePolicy) -> Self {
        Self::with(options(server), per_second, burst, policy).await
    }

    async fn with(options: RedisOptions, per_second: u64, burst: u64, policy: FailurePolicy) -> Self {
        let stores = Stores::new(MemoryOptions::default(), Clock::system(), tokio::runtime::Handle::current());
        let store = stores.redis(options);
        let Store::Redis(redis) = store.clone() else { unreachable!("it was made as one") };
        wait_until(|| redis.health() == Health::Available, Duration::from_secs(10)).await;
        let limit = Limit {
            id: "api@file".into(),
            quota: Some(Quota::new(per_second, SECOND, burst).unwrap()),
            windows: Vec::new(),
            criterion: Criterion::Host,
            max_delay: Duration::ZERO,
            leases: true,
            failure_policy: policy,
        };
        let limit = stores.bind(limit, store);
        Self { stores, redis, limit }
    }

    async fn several<const N: usize>(
        server: &Redis,
        per_second: u64,
        burst: u64,
        policy: FailurePolicy,
    ) -> [Arc<Self>; N] {
        let mut instances = Vec::new();
        for _ in 0..N {
            instances.push(Arc::new(Self::start(server, per_second, burst, policy).await));
        }
        wait_until(|| instances.iter().all(|one| one.redis.snapshot().instances == N as u32), Duration::from_secs(10))
            .await;
        instances.try_into().ok().expect("so many were started")
    }

    async fn decide(&self) -> Decision {
        self.limit.decide(&key()).await
    }

    /// Asks `per_second` times for so long; what was admitted, and how many were asked.
    async fn ask_for(self: Arc<Self>, per_second: u64, length: Duration) -> (Vec<Admission>, u64) {
        let mut pace = tokio::time::interval(Duration::from_millis(1));
        let (start, mut asked, mut admitted) = (Instant::now(), 0, Vec::new());
        while start.elapsed() < length {
            pace.tick().await;
            let due = (start.elapsed().as_secs_f64() * per_second as f64) as u64;
            while asked < due {
                asked += 1;
                let sent = Instant::now();
                if !matches!(self.decide().await.verdict, Verdict::Deny { .. }) {
                    admitted.push(Admission { sent, answered: Instant::now() });
                }
            }
        }
        (admitted, asked)
    }
}

fn key() -> KeyBytes<'static> {
    KeyBytes::from(Source::Host("a"))
}

fn options(server: &Redis) -> RedisOptions {
    RedisOptions {
        topology: Topology::Standalone { endpoint: server.endpoint() },
        username: String::new(),
        password: String::new(),
        database: 0,
        connect_timeout: Duration::from_secs(5),
        deadline: SECOND,
        tls: None,
        strict: false,
    }
}

/// What all instances together admitted and asked, in so long at this pace each.
async fn together<const N: usize>(
    instances: &[Arc<Instance>; N],
    per_second: u64,
    length: Duration,
) -> (Vec<Admission>, u64) {
    let runs = instances.iter().map(|one| tokio::spawn(one.clone().ask_for(per_second, length)));
    let (mut admitted, mut asked) = (Vec::new(), 0);
    for run in runs.collect::<Vec<_>>() {
        let (some, of) = run.await.unwrap();
        admitted.extend(some);
        asked += of;
    }
    (admitted, asked)
}

fn calls<const N: usize>(instances: &[Arc<Instance>; N]) -> u64 {
    instances.iter().map(|one| one.redis.snapshot().calls).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hot_key_below_its_limit_is_decided_here_and_nobody_is_refused() {
    let server = Redis::start();
    let instances: [_; 4] = Instance::several(&server, 4_000, 4_000, FailurePolicy::Deny).await;
    let (admitted, asked) = together(&instances, 500, 2 * SECOND).await;
    assert_eq!(admitted.len() as u64, asked, "nobody is over the limit");
    let per_request = calls(&instances) as f64 / asked as f64;
    // On a machine that is not overloaded it is 0.02.
    assert!(per_request < 0.2, "{per_request} calls per request");
    let leased = instances.iter().map(|one| one.redis.snapshot().slots_lent).sum::<u64>();
    assert!(leased * 2 > asked, "{leased} of {asked} slots were lent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_gets_what_the_limit_allows_and_no_more() {
    let server = Redis::start();
    let instances: [_; 4] = Instance::several(&server, 100, 50, FailurePolicy::Deny).await;
    let length = 3 * SECOND;
    let start = Instant::now();
    let (admitted, asked) = together(&instances, 2_500, length).await;
    let took = start.elapsed();
    let excess = certain_excess(100, SECOND, 50, &admitted);
    assert!(excess <= 0.0, "{excess} too many of {}", admitted.len());
    let ideal = 50.0 + 100.0 * took.as_secs_f64();
    // Slots for the time to come are held when it ends, and the machine has other things to do.
    assert!(admitted.len() as f64 >= 0.75 * ideal, "{} of {ideal}", admitted.len());
    let per_request = calls(&instances) as f64 / asked as f64;
    assert!(per_request < 0.02, "{per_request} calls per request");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_forgets_is_healed_by_those_who_remember() {
    let server = Redis::start();
    let instances: [_; 3] = Instance::several(&server, 200, 100, FailurePolicy::Deny).await;
    let flood = tokio::spawn({
        let instances = instances.clone();
        async move { together(&instances, 1_000, 3 * SECOND).await }
    });
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(600)).await;
        server.command(&["FLUSHALL"]);
    }
    let (admitted, _) = flood.await.unwrap();
    let excess = certain_excess(200, SECOND, 100, &admitted);
    assert!(excess <= 0.0, "{excess} too many of {}", admitted.len());
    assert!(instances.iter().any(|one| one.redis.snapshot().hints_healed > 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_instance_holds_goes_back_when_it_ends() {
    let server = Redis::start();
    let [one, other]: [_; 2] = Instance::several(&server, 1_000, 1_000, FailurePolicy::Deny).await;
    one.clone().ask_for(1_000, SECOND).await;
    wait_until(|| one.redis.snapshot().slots_held > 0, Duration::from_secs(5)).await;
    let held = one.redis.snapshot().slots_held;
    one.stores.close().await;
    let after = one.redis.snapshot();
    assert_eq!(after.slots_held, 0);
    assert!(after.slots_returned > 0, "none of {held} came back");
    // And it is not counted any more.
    wait_until(|| other.redis.snapshot().instances == 1, Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_needed_any_more_goes_back() {
    let server = Redis::start();
    let [one]: [_; 1] = Instance::several(&server, 1_000, 1_000, FailurePolicy::Deny).await;
    // Until the bucket is half empty: the slots of a full one die without loss.
    one.clone().ask_for(1_500, SECOND).await;
    let is_back = || one.redis.snapshot().slots_held == 0 && one.redis.snapshot().slots_returned > 0;
    wait_until(is_back, Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_store_each_instance_goes_on_with_its_share() {
    let mut server = Redis::start();
    let instances: [_; 2] = Instance::several(&server, 20, 40, FailurePolicy::Local).await;
    for one in &instances {
        assert_eq!(one.decide().await.source, DecisionSource::Store);
    }
    server.kill();
    for one in &instances {
        wait_until(|| one.redis.health() != Health::Available, Duration::from_secs(10)).await;
    }
    let start = Instant::now();
    let (admitted, asked) = together(&instances, 200, 2 * SECOND).await;
    let took = start.elapsed().as_secs_f64();
    // Two halves: of the burst and of the rate.
    let all = 40.0 + 20.0 * took;
    let share = admitted.len() as f64;
    assert!(share <= all + 1.0 && share >= 0.9 * all, "{share} of {asked}, {all} expected");
    let decision = instances[0].decide().await;
    assert_eq!(decision.source, DecisionSource::Local);
    assert!(decision.remaining.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_looks_and_gives() {
    let server = Redis::start();
    let [one]: [_; 1] = Instance::several(&server, 1, 3, FailurePolicy::Deny).await;
    assert_eq!(one.limit.peek(&key()).await.unwrap()[0].remaining, 3);
    for _ in 0..3 {
        assert_eq!(one.decide().await.verdict, Verdict::Allow);
    }
    for _ in 0..2 {
        let state = one.limit.peek(&key()).await.unwrap().remove(0);
        assert!(state.remaining <= 1 && state.reset_after > SECOND, "{state:?}");
    }
    assert!(matches!(one.decide().await.verdict, Verdict::Deny { .. }));
    one.limit.grant(&key(), 2).await.unwrap();
    for _ in 0..2 {
        assert_eq!(one.decide().await.verdict, Verdict::Allow);
    }
    assert!(matches!(one.decide().await.verdict, Verdict::Deny { .. }));
    one.limit.reset(&key()).await.unwrap();
    assert_eq!(one.limit.peek(&key()).await.unwrap()[0].remaining, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_operator_does_reaches_every_instance() {
    let server = Redis::start();
    let [one, other]: [_; 2] = Instance::several(&server, 1, 1, FailurePolicy::Deny).await;
    let hourly = |instance: &Instance| {
        let limit = Limit { quota: Quota::new(1, 3_600 * SECOND, 1).ok(), ..instance.limit.limit().clone() };
        instance.stores.bind(limit, instance.limit.store().clone())
    };
    let (here, there) = (hourly(&one), hourly(&other));
    assert_eq!(here.decide(&key()).await.verdict, Verdict::Allow);
    assert!(matches!(there.decide(&key()).await.verdict, Verdict::Deny { .. }));
    assert_eq!(there.decide(&key()).await.source, DecisionSource::DenialCache);
    here.reset(&key()).await.unwrap();
    let mut waited = 0;
    while there.decide(&key()).await.verdict != Verdict::Allow {
        waited += 1;
        assert!(waited < 100, "the refusal is remembered for an hour");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Nobody alive remembers: the instances that asked before are gone, and the server with what it knew. Strict, nothing is
/// granted twice all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strict_store_that_lost_its_memory_grants_nothing_twice() {
    for (strict, at_once) in [(false, 20), (true, 0)] {
        let mut server = Redis::start();
        let strictly =
            |endpoint| RedisOptions { topology: Topology::Standalone { endpoint }, strict, ..options(&server) };
        let first = Instance::with(strictly(server.endpoint()), 10, 20, FailurePolicy::Deny).await;
        let options = strictly(server.endpoint());
        // A server that was never seen before may have granted anything a moment ago.
        if strict {
            tokio::time::sleep(Duration::from_millis(1_100)).await;
        }
        while !matches!(first.decide().await.verdict, Verdict::Deny { .. }) {}
        drop(first);
        server.kill();
        server.restart();
        let second = Instance::with(options, 10, 20, FailurePolicy::Deny).await;
        let mut admitted = 0;
        while !matches!(second.decide().await.verdict, Verdict::Deny { .. }) {
            admitted += 1;
        }
        assert!(admitted >= at_once && admitted <= at_once + 3, "strict {strict}: {admitted} at once");
        if strict {
            let mut waited = 0;
            while second.decide().await.verdict != Verdict::Allow {
                waited += 1;
                assert!(waited < 100, "the fence is never passed");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
