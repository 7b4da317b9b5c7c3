//! Several instances and one real server: the limit holds, calls are few, and whatever happens to the server, every
//! answer comes in time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_limiter::{Criterion, Decision, DecisionSource, FailurePolicy, KeyBytes, Limit, Quota, Source, Verdict};
use tollgate_store::{
    BoundLimit, Clock, ErrorKind, Health, MemoryOptions, RedisOptions, RedisStore, Store, Stores, Topology,
};
use tollgate_testkit::redis::Redis;
use tollgate_testkit::{Admission, Fault, FaultProxy, certain_excess, wait_until};

const DEADLINE: Duration = Duration::from_millis(300);
/// What a loaded machine may add to a deadline before the test says that something waits that should not.
const SLACK: Duration = Duration::from_millis(400);

/// One instance: stores of its own on a runtime of the test's.
struct Instance {
    // Keeps the stores, which hold theirs weakly.
    _stores: Stores,
    redis: Arc<RedisStore>,
    limit: Arc<BoundLimit>,
}

impl Instance {
    fn start(options: RedisOptions, quota: (u64, Duration, u64), policy: FailurePolicy) -> Self {
        let stores = Stores::new(MemoryOptions::default(), Clock::system(), tokio::runtime::Handle::current());
        let store = stores.redis(options);
        let limit = Limit {
            id: "api@file".into(),
            quota: Some(Quota::new(quota.0, quota.1, quota.2).unwrap()),
            windows: Vec::new(),
            criterion: Criterion::Host,
            max_delay: Duration::ZERO,
            leases: false,
            failure_policy: policy,
        };
        let Store::Redis(redis) = store.clone() else { unreachable!("it was made as one") };
        let limit = stores.bind(limit, store);
        Self { _stores: stores, redis, limit }
    }

    async fn ready(options: RedisOptions, quota: (u64, Duration, u64), policy: FailurePolicy) -> Self {
        let instance = Self::start(options, quota, policy);
        instance.is_available().await;
        instance
    }

    async fn is_available(&self) {
        wait_until(|| self.redis.health() == Health::Available, Duration::from_secs(10)).await;
    }

    async fn fails_with(&self, kind: ErrorKind) {
        let failed = || matches!(self.redis.health(), Health::Unavailable(error) if error.kind == kind);
        wait_until(failed, Duration::from_secs(10)).await;
    }

    async fn decide(&self, key: &str) -> Decision {
        self.limit.decide(&KeyBytes::from(Source::Host(key))).await
    }

    async fn passes(&self, key: &str) -> bool {
        passes(&self.decide(key).await)
    }

    fn calls(&self) -> u64 {
        self.redis.snapshot().calls
    }

    fn errors(&self, kind: ErrorKind) -> u64 {
        self.redis.snapshot().errors.iter().find(|(name, _)| *name == kind.as_str()).map_or(0, |(_, count)| *count)
    }
}

fn passes(decision: &Decision) -> bool {
    !matches!(decision.verdict, Verdict::Deny { .. })
}

fn options(endpoint: String) -> RedisOptions {
    RedisOptions {
        topology: Topology::Standalone { endpoint },
        username: String::new(),
        password: String::new(),
        database: 0,
        connect_timeout: DEADLINE,
        deadline: DEADLINE,
        tls: None,
        strict: false,
    }
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_share_one_limit_exactly() {
    let server = Redis::start();
    // The bucket holds a second's worth, so that a pause of a loaded machine costs nobody anything.
    let quota = (500, SECOND, 500);
    let mut instances = Vec::new();
    for _ in 0..4 {
        instances.push(Arc::new(Instance::ready(options(server.endpoint()), quota, FailurePolicy::Deny).await));
    }
    let started = Instant::now();
    let clients: Vec<_> = (0..16)
        .map(|client| {
            let instance = instances[client % instances.len()].clone();
            tokio::spawn(async move {
                let mut admitted = Vec::new();
                while started.elapsed() < Duration::from_secs(3) {
                    let sent = Instant::now();
                    if instance.passes("hot").await {
                        admitted.push(Admission { sent, answered: Instant::now() });
                    }
                    tokio::time::sleep(Duration::from_micros(200)).await;
                }
                admitted
            })
        })
        .collect();
    let mut admitted = Vec::new();
    for client in clients {
        admitted.extend(client.await.unwrap());
    }
    let excess = certain_excess(quota.0, quota.1, quota.2, &admitted);
    assert!(excess <= 0.0, "{excess} too many in some window");
    let ideal = 500.0 + 500.0 * 3.0;
    // What a loaded machine kept the clients from asking for at the end was not refused.
    assert!(admitted.len() as f64 >= 0.9 * ideal, "{} admitted of {ideal}", admitted.len());
    for instance in &instances {
        assert_eq!(instance.redis.snapshot().errors.iter().map(|(_, count)| count).sum::<u64>(), 0);
    }
}

#[tokio::test]
async fn a_bucket_is_shared_by_name_and_by_nothing_else() {
    let server = Redis::start();
    let one = Instance::ready(options(server.endpoint()), (1, HOUR, 2), FailurePolicy::Deny).await;
    let two = Instance::ready(options(server.endpoint()), (1, HOUR, 2), FailurePolicy::Deny).await;
    assert!(one.passes("a").await && two.passes("a").await);
    assert!(!one.passes("a").await && !two.passes("a").await);
    assert!(one.passes("b").await);
    // Two buckets, those of the two probes for a second, and the instances.
    let keys = server.command(&["KEYS", "tollgate:*"]);
    let tollgate_testkit::resp::Reply::Array(keys) = keys else { panic!("{keys:?}") };
    assert!((3..=5).contains(&keys.len()), "{keys:?}");
    let other_database = RedisOptions { database: 3, ..options(server.endpoint()) };
    let three = Instance::ready(other_database, (1, HOUR, 2), FailurePolicy::Deny).await;
    assert!(three.passes("a").await, "another database is another store");
}

#[tokio::test]
async fn a_known_refusal_costs_no_call_and_says_when() {
    let server = Redis::start();
    let instance = Instance::ready(options(server.endpoint()), (1, HOUR, 1), FailurePolicy::Deny).await;
    assert!(instance.passes("a").await);
    let before = instance.calls();
    for _ in 0..1_000 {
        let decision = instance.decide("a").await;
        assert_eq!(decision.source, DecisionSource::DenialCache);
        let Verdict::Deny { retry_after } = decision.verdict else { panic!("{decision:?}") };
        assert!(retry_after + SECOND * 5 > HOUR && retry_after < HOUR + SECOND * 2, "{retry_after:?}");
        assert_eq!(decision.remaining, Some(0));
    }
    assert_eq!(instance.calls(), before);
}

#[tokio::test]
async fn a_refusal_ends_when_the_slot_comes_up() {
    let server = Redis::start();
    let instance = Instance::ready(options(server.endpoint()), (10, SECOND, 1), FailurePolicy::Deny).await;
    assert!(instance.passes("a").await);
    for _ in 0..10 {
        let decision = instance.decide("a").await;
        let Verdict::Deny { retry_after } = decision.verdict else { panic!("{decision:?}") };
        assert!(retry_after <= Duration::from_millis(101), "{retry_after:?}");
        tokio::time::sleep(retry_after).await;
        assert!(instance.passes("a").await, "the wait that was told suffices");
    }
}

#[tokio::test]
async fn requests_that_wait_for_one_key_are_asked_for_together() {
    let server = Redis::start();
    let proxy = FaultProxy::start(server.address());
    let instance = Arc::new(Instance::ready(options(proxy.endpoint()), (1, HOUR, 150), FailurePolicy::Deny).await);
    proxy.set(Fault::Delay(Duration::from_millis(40)));
    let before = instance.calls();
    let requests: Vec<_> = (0..200)
        .map(|_| {
            let instance = instance.clone();
            tokio::spawn(async move { instance.passes("a").await })
        })
        .collect();
    let mut admitted = 0;
    for request in requests {
        admitted += u32::from(request.await.unwrap());
    }
    assert_eq!(admitted, 150);
    assert!(instance.calls() - before <= 3, "{} calls for 200 requests", instance.calls() - before);
}

#[tokio::test]
async fn a_server_that_dies_is_no_error_and_is_missed_for_less_than_a_second() {
    for (policy, passing) in [(FailurePolicy::Deny, false), (FailurePolicy::Allow, true)] {
        let mut server = Redis::start();
        let instance = Instance::ready(options(server.endpoint()), (100, SECOND, 10), policy).await;
        assert_eq!(instance.decide("a").await.source, DecisionSource::Store);
        server.kill();
        let asked = Instant::now();
        let first = instance.decide("b").await;
        assert_eq!((passes(&first), first.source), (passing, DecisionSource::Policy));
        assert!(asked.elapsed() < DEADLINE + SLACK, "{:?}", asked.elapsed());
        instance.fails_with(ErrorKind::Unreachable).await;

        let asked = Instant::now();
        for _ in 0..1_000 {
            assert_eq!(instance.decide("b").await.source, DecisionSource::Policy);
        }
        assert!(asked.elapsed() < SLACK, "nobody waits for a server that is known to be away");

        server.restart();
        let back = Instant::now();
        instance.is_available().await;
        assert!(back.elapsed() < SECOND + SLACK, "{:?}", back.elapsed());
        assert_eq!(instance.decide("c").await.source, DecisionSource::Store);
    }
}

#[tokio::test]
async fn a_server_that_falls_silent_costs_each_request_the_deadline_and_soon_nothing() {
    let server = Redis::start();
    let instance = Instance::ready(options(server.endpoint()), (100, SECOND, 10), FailurePolicy::Deny).await;
    server.pause();
    for key in ["a", "b", "c"] {
        let asked = Instant::now();
        assert_eq!(instance.decide(key).await.source, DecisionSource::Policy);
        assert!(asked.elapsed() < DEADLINE + SLACK, "{:?}", asked.elapsed());
    }
    instance.fails_with(ErrorKind::Timeout).await;
    let asked = Instant::now();
    for _ in 0..1_000 {
        instance.decide("d").await;
    }
    assert!(asked.elapsed() < SLACK);
    server.resume();
    let back = Instant::now();
    instance.is_available().await;
    assert!(back.elapsed() < SECOND + SLACK, "{:?}", back.elapsed());
    assert!(instance.passes("e").await);
}

#[tokio::test]
async fn a_server_that_is_not_there_at_the_start_is_used_when_it_comes() {
    let mut server = Redis::start();
    server.kill();
    let instance = Instance::start(options(server.endpoint()), (100, SECOND, 10), FailurePolicy::Allow);
    let asked = Instant::now();
    let first = instance.decide("a").await;
    assert!(asked.elapsed() < DEADLINE + SLACK, "{:?}", asked.elapsed());
    assert_eq!((passes(&first), first.source), (true, DecisionSource::Policy));
    server.restart();
    instance.is_available().await;
    assert_eq!(instance.decide("a").await.source, DecisionSource::Store);
}

#[tokio::test]
async fn the_first_request_waits_for_the_connection() {
    let server = Redis::start();
    let instance = Instance::start(options(server.endpoint()), (100, SECOND, 10), FailurePolicy::Deny);
    assert_eq!(instance.decide("a").await.source, DecisionSource::Store);
}

#[tokio::test]
async fn a_reply_that_is_lost_is_not_asked_for_again() {
    let server = Redis::start();
    let proxy = FaultProxy::start(server.address());
    let instance = Instance::ready(options(proxy.endpoint()), (1, HOUR, 10), FailurePolicy::Deny).await;
    assert!(instance.passes("a").await);
    proxy.set(Fault::LoseReplies);
    assert_eq!(instance.decide("a").await.source, DecisionSource::Policy);
    proxy.cut();
    wait_until(|| instance.redis.health() != Health::Available, Duration::from_secs(10)).await;
    proxy.set(Fault::None);
    instance.is_available().await;
    // One was admitted, one was lost on the way back: eight are left, whatever was tried in between.
    let mut admitted = 0;
    for _ in 0..20 {
        admitted += u32::from(instance.passes("a").await);
    }
    assert_eq!(admitted, 8);
}

#[tokio::test]
async fn a_script_that_was_forgotten_is_loaded_again_unnoticed() {
    let server = Redis::start();
    let instance = Instance::ready(options(server.endpoint()), (1, HOUR, 100), FailurePolicy::Deny).await;
    for round in 0..5 {
        server.command(&["SCRIPT", "FLUSH"]);
        assert_eq!(instance.decide("a").await.remaining, Some(99 - round));
    }
    assert_eq!(instance.redis.snapshot().errors.iter().map(|(_, count)| count).sum::<u64>(), 0);
}

#[tokio::test]
async fn every_ailment_has_a_name_and_ends() {
    let server = Redis::with_config(&["requirepass secret"]);
    let wrong = RedisOptions { password: "wrong".into(), ..options(server.endpoint()) };
    for (options, kind) in [(options(server.endpoint()), ErrorKind::Credentials), (wrong, ErrorKind::Credentials)] {
        let instance = Instance::start(options, (1, SECOND, 1), FailurePolicy::Deny);
        instance.fails_with(kind).await;
        let Health::Unavailable(error) = instance.redis.health() else { panic!("it has failed") };
        assert!(error.to_string().contains("hint") && !error.to_string().contains("wrong"), "{error}");
    }
    let right = RedisOptions { password: "secret".into(), ..options(server.endpoint()) };
    Instance::ready(right, (1, SECOND, 1), FailurePolicy::Deny).await;

    let server = Redis::start();
    let refuse = |setting: &[&str]| assert_eq!(server.command(setting).text(), "OK", "{setting:?}");
    let instance = Instance::ready(options(server.endpoint()), (1_000, SECOND, 1_000), FailurePolicy::Deny).await;
    for (ail, heal, kind) in [
        (&["REPLICAOF", "127.0.0.1", "1"][..], &["REPLICAOF", "NO", "ONE"][..], ErrorKind::ReadOnly),
        (&["CONFIG", "SET", "maxmemory", "1"], &["CONFIG", "SET", "maxmemory", "0"], ErrorKind::OutOfMemory),
        (
            &["CONFIG", "SET", "min-replicas-to-write", "1"],
            &["CONFIG", "SET", "min-replicas-to-write", "0"],
            ErrorKind::NotReady,
        ),
        (&["ACL", "SETUSER", "default", "-evalsha"], &["ACL", "SETUSER", "default", "+evalsha"], ErrorKind::Permission),
        (&["ACL", "SETUSER", "default", "-set"], &["ACL", "SETUSER", "default", "+set"], ErrorKind::Permission),
        (
            &["ACL", "SETUSER", "default", "resetkeys", "~other:*"],
            &["ACL", "SETUSER", "default", "allkeys"],
            ErrorKind::Permission,
        ),
    ] {
        refuse(ail);
        assert_eq!(instance.decide("a").await.source, DecisionSource::Policy, "{ail:?}");
        instance.fails_with(kind).await;
        refuse(heal);
        instance.is_available().await;
        assert_eq!(instance.decide("a").await.source, DecisionSource::Store, "{heal:?}");
    }
}

#[tokio::test]
async fn the_rights_that_the_hint_names_suffice() {
    let server = Redis::start();
    let rights = ErrorKind::Permission.hint().split(": ").nth(1).unwrap();
    let mut command = vec!["ACL", "SETUSER", "gateway", "on", ">secret"];
    command.extend(rights.split(' '));
    assert_eq!(server.command(&command).text(), "OK");
    let options = RedisOptions {
        username: "gateway".into(),
        password: "secret".into(),
        database: 1,
        ..options(server.endpoint())
    };
    let instance = Instance::ready(options, (1, HOUR, 1), FailurePolicy::Deny).await;
    assert!(instance.passes("a").await && !instance.passes("a").await);
}

#[tokio::test]
async fn a_key_that_somebody_else_wrote_spoils_itself_and_no_other() {
    let server = Redis::start();
    let instance = Instance::ready(options(server.endpoint()), (1, HOUR, 5), FailurePolicy::Deny).await;
    assert!(instance.passes("a").await);
    let keys = server.command(&["KEYS", "tollgate:*"]);
    let tollgate_testkit::resp::Reply::Array(keys) = keys else { panic!("{keys:?}") };
    // How many instances there are is not at stake here.
    for key in keys.iter().filter(|key| key.text() != "tollgate:instances") {
        server.command(&["DEL", &key.text()]);
        server.command(&["LPUSH", &key.text(), "x"]);
    }
    assert_eq!(instance.decide("a").await.source, DecisionSource::Policy);
    assert_eq!(instance.errors(ErrorKind::ForeignValue), 1);
    assert_eq!(instance.redis.health(), Health::Available);
    assert!(instance.passes("b").await);
}

#[tokio::test]
async fn a_store_that_nobody_uses_any_more_hangs_up() {
    let server = Redis::start();
    // Besides the connection that asks.
    let clients = || server.command(&["CLIENT", "LIST"]).text().lines().count() - 1;
    let stores = Stores::new(MemoryOptions::default(), Clock::system(), tokio::runtime::Handle::current());
    for _ in 0..20 {
        let one = stores.redis(options(server.endpoint()));
        let same = stores.redis(options(server.endpoint()));
        assert_eq!(stores.shared().len(), 1, "equal options are one store");
        let Store::Redis(redis) = one else { unreachable!("it was made as one") };
        wait_until(|| redis.health() == Health::Available, Duration::from_secs(10)).await;
        assert!(clients() >= 1);
        drop((redis, same));
    }
    wait_until(|| clients() == 0, Duration::from_secs(10)).await;
}

#[tokio::test]
async fn a_changed_limit_counts_at_once() {
    let server = Redis::start();
    let stores = Stores::new(MemoryOptions::default(), Clock::system(), tokio::runtime::Handle::current());
    let store = stores.redis(options(server.endpoint()));
    let Store::Redis(redis) = store.clone() else { unreachable!("it was made as one") };
    wait_until(|| redis.health() == Health::Available, Duration::from_secs(10)).await;
    let bind = |limit, period, burst| {
        let limit = Limit {
            id: "api@file".into(),
            quota: Some(Quota::new(limit, period, burst).unwrap()),
            windows: Vec::new(),
            criterion: Criterion::Host,
            max_delay: Duration::ZERO,
            leases: false,
            failure_policy: FailurePolicy::Deny,
        };
        stores.bind(limit, store.clone())
    };
    let key = KeyBytes::from(Source::Host("a"));
    let hourly = bind(1, HOUR, 1);
    assert!(passes(&hourly.decide(&key).await));
    assert_eq!(hourly.decide(&key).await.source, DecisionSource::DenialCache);
    // Loosened: the refusal that is remembered was the old limit's, and the debt shrinks to one bucket of the new.
    let quick = bind(100, SECOND, 5);
    let decision = quick.decide(&key).await;
    assert_eq!(decision.source, DecisionSource::Store);
    let Verdict::Deny { retry_after } = decision.verdict else { panic!("{decision:?}") };
    assert!(retry_after < Duration::from_millis(100), "{retry_after:?}");
    tokio::time::sleep(retry_after).await;
    assert!(passes(&quick.decide(&key).await));
}
