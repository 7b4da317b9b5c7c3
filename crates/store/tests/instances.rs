//! How many instances share a store, and what becomes of a store whose options change.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "support/instance.rs"]
mod instance;

use std::time::{Duration, Instant};

use instance::{HOUR, Instance, SECOND, SLACK, options};
use tollgate_limiter::{DecisionSource, FailurePolicy};
use tollgate_store::{ErrorKind, NodeRole, RedisOptions, Topology};
use tollgate_testkit::{Fault, FaultProxy, Program, Redis, RedisCluster, wait_until};

const PATIENCE: Duration = Duration::from_secs(20);
const TERMS: instance::Terms = (1, HOUR, 10);

fn alone(server: &Redis) -> RedisOptions {
    options(Topology::Standalone { endpoint: server.endpoint() })
}

fn seen(instance: &Instance) -> u32 {
    instance.redis.snapshot().instances
}

async fn sees(instance: &Instance, count: u32) {
    wait_until(|| seen(instance) == count, PATIENCE).await;
}

#[tokio::test]
async fn those_who_share_a_store_count_each_other() {
    let cluster = RedisCluster::of(Program::Valkey, 0, &[]);
    let server = Redis::start();
    for options in [alone(&server), options(Topology::Cluster { seeds: cluster.endpoints() })] {
        let one = Instance::ready(options.clone(), TERMS, FailurePolicy::Local).await;
        assert_eq!(seen(&one), 1);
        let two = Instance::ready(options.clone(), TERMS, FailurePolicy::Local).await;
        let three = Instance::ready(options.clone(), TERMS, FailurePolicy::Local).await;
        // Whoever comes is seen with the next beat.
        let came = Instant::now();
        for instance in [&one, &two, &three] {
            sees(instance, 3).await;
        }
        assert!(came.elapsed() < 2 * SECOND + SLACK, "{:?}", came.elapsed());
        // Whoever takes his leave is believed to be gone when the others have heard no more of him for a while; and
        // so is whoever does not.
        two.redis.close().await;
        drop(three);
        let left = Instant::now();
        sees(&one, 1).await;
        assert!(left.elapsed() > 2 * SECOND, "a number that falls is not believed at once: {:?}", left.elapsed());
        assert!(left.elapsed() < 10 * SECOND, "{:?}", left.elapsed());
    }
}

#[tokio::test]
async fn the_number_is_known_before_the_first_decision_and_stands_while_the_store_is_away() {
    let mut server = Redis::start();
    let one = Instance::ready(alone(&server), TERMS, FailurePolicy::Local).await;
    let two = Instance::start(alone(&server), TERMS, FailurePolicy::Local);
    assert_eq!(two.decide("a").await.source, DecisionSource::Store);
    assert_eq!(seen(&two), 2, "it was learned with the connection");
    sees(&one, 2).await;
    // A server that loses its memory, again and again, makes nobody believe that he is alone.
    for _ in 0..3 {
        server.kill();
        one.fails_with(ErrorKind::Unreachable).await;
        assert_eq!((seen(&one), seen(&two)), (2, 2));
        server.restart();
        one.is_available().await;
        assert_eq!(seen(&one), 2);
    }
}

#[tokio::test]
async fn a_new_password_takes_over_without_forgetting_a_bucket() {
    let server = Redis::with_config(&["requirepass before"]);
    let proxy = FaultProxy::start(server.address());
    let with = |password: &str| RedisOptions {
        password: password.into(),
        ..options(Topology::Standalone { endpoint: proxy.endpoint() })
    };
    let instance = Instance::ready(with("before"), TERMS, FailurePolicy::Deny).await;
    for _ in 0..4 {
        assert!(instance.passes("a").await);
    }
    // Whoever is logged in stays so.
    server.connect_with("before").command(&["CONFIG", "SET", "requirepass", "after"]).unwrap();
    assert!(instance.passes("a").await);

    // A reload: one request is under way when the old store goes.
    proxy.set(Fault::Delay(Duration::from_millis(100)));
    let (next, under_way) = instance.reload(with("after"), "b").await;
    assert_eq!(under_way.source, DecisionSource::Store, "it ends where it began");
    proxy.set(Fault::None);
    next.is_available().await;
    assert_eq!(seen(&next), 1, "the instance is the same");
    let mut admitted = 0;
    for _ in 0..10 {
        admitted += u32::from(next.passes("a").await);
    }
    assert_eq!(admitted, 5, "the bucket is where it was");
    let (failing, _) = next.reload(with("mistyped"), "b").await;
    let error = failing.fails_with(ErrorKind::Credentials).await;
    assert!(error.to_string().contains("hint: check username and password"), "{error}");
    assert!(!error.to_string().contains("mistyped"), "{error}");
}

#[tokio::test]
async fn a_run_of_the_server_is_known_to_those_who_are_strict() {
    let mut server = Redis::start();
    let run = |instance: &Instance| {
        let node = instance.redis.nodes().into_iter().find(|node| node.role == NodeRole::Server).unwrap();
        node.run_id.map(|run| run.to_string())
    };
    let loose = Instance::ready(alone(&server), TERMS, FailurePolicy::Deny).await;
    assert_eq!(run(&loose), None);
    let strict = RedisOptions { strict: true, ..alone(&server) };
    let strict = Instance::ready(strict, TERMS, FailurePolicy::Deny).await;
    let first = run(&strict).unwrap();
    server.kill();
    strict.fails_with(ErrorKind::Unreachable).await;
    server.restart();
    strict.is_available().await;
    assert_ne!(run(&strict).unwrap(), first);
    // The right to ask is needed by nobody else.
    server.command(&["ACL", "SETUSER", "default", "-info"]);
    Instance::ready(RedisOptions { database: 1, ..alone(&server) }, TERMS, FailurePolicy::Deny).await;
    let other = RedisOptions { strict: true, database: 2, ..alone(&server) };
    Instance::start(other, TERMS, FailurePolicy::Deny).fails_with(ErrorKind::Permission).await;
}
