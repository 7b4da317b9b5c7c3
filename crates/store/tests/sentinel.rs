//! Real sentinels: the primary that they name is used, whatever happens to it and to them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "support/instance.rs"]
mod instance;

use std::sync::Arc;
use std::time::{Duration, Instant};

use instance::{HOUR, Instance, SECOND, SLACK, excess, load, options};
use tollgate_limiter::{DecisionSource, FailurePolicy};
use tollgate_store::{ErrorKind, Health, NodeRole, RedisOptions, Topology};
use tollgate_testkit::{Program, Redis, RedisCluster, RedisSentinels, wait_until};

const PATIENCE: Duration = Duration::from_secs(20);

fn watched_by(endpoints: Vec<String>) -> RedisOptions {
    options(Topology::Sentinel {
        endpoints,
        master_set: RedisSentinels::MASTER_SET.into(),
        username: String::new(),
        password: String::new(),
    })
}

/// The address of the server in use, and whether it may be asked.
fn primary(instance: &Instance) -> Option<(String, bool)> {
    let node = instance.redis.nodes().into_iter().find(|node| node.role == NodeRole::Primary)?;
    Some((node.address, node.available))
}

/// Waits until the second server is a primary and a sentinel knows.
async fn is_promoted(all: &RedisSentinels) {
    let known = |sentinel| all.primary_port(sentinel) == all.server(1).port();
    wait_until(|| (0..3).any(|sentinel| all.sentinel(sentinel).is_running() && known(sentinel)), PATIENCE).await;
}

async fn uses(instance: &Instance, server: &Redis) {
    wait_until(|| primary(instance) == Some((server.endpoint(), true)), PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_is_followed_within_a_second_and_no_limit_is_exceeded() {
    let terms = (100, SECOND, 20);
    for (program, is_killed) in [(Program::Redis, true), (Program::Valkey, false)] {
        let mut all = RedisSentinels::of(program, &[]);
        let mut instances = Vec::new();
        for _ in 0..2 {
            instances.push(Instance::ready(watched_by(all.endpoints()), terms, FailurePolicy::Deny).await);
        }
        assert_eq!(primary(&instances[0]), Some((all.server(0).endpoint(), true)));
        let mut followed = Duration::MAX;
        let watched = instances.clone();
        let answers = load(&instances, 4, 3, async {
            tokio::time::sleep(SECOND).await;
            // A frozen server is worse than a dead one: it comes back and holds itself for the primary.
            if is_killed {
                all.server_mut(0).kill();
            } else {
                all.server(0).pause();
            }
            is_promoted(&all).await;
            let promoted = Instant::now();
            for instance in &watched {
                uses(instance, all.server(1)).await;
                assert_eq!(instance.decide("another").await.source, DecisionSource::Store);
            }
            followed = promoted.elapsed();
            if !is_killed {
                all.server(0).resume();
            }
            tokio::time::sleep(2 * SECOND).await;
            for instance in &watched {
                assert_eq!(primary(instance), Some((all.server(1).endpoint(), true)));
            }
        })
        .await;
        assert!(followed <= SECOND + SLACK, "{followed:?}");
        let excess = excess(terms, &answers);
        assert!(excess <= 0.0, "{excess} too many in some window");
        let slowest = answers.iter().map(|answer| answer.answered - answer.sent).max().unwrap();
        assert!(slowest < SECOND + SLACK, "{slowest:?}");
        assert!(answers.iter().any(|answer| answer.source == DecisionSource::Policy));
    }
}

#[tokio::test]
async fn a_primary_that_is_demoted_is_left() {
    let all = RedisSentinels::start();
    let instance = Instance::ready(watched_by(all.endpoints()), (1, HOUR, 5), FailurePolicy::Deny).await;
    assert!(instance.passes("a").await);
    all.fail_over();
    is_promoted(&all).await;
    let promoted = Instant::now();
    uses(&instance, all.server(1)).await;
    assert!(promoted.elapsed() <= SECOND + SLACK, "{:?}", promoted.elapsed());
    // One was admitted before; the replica knew of it.
    let mut admitted = 0;
    for _ in 0..10 {
        admitted += u32::from(instance.passes("a").await);
    }
    assert_eq!(admitted, 4);
}

#[tokio::test]
async fn sentinels_that_are_gone_are_not_missed_and_others_are_found() {
    let mut all = RedisSentinels::start();
    // One is named; the others it names itself.
    let instance =
        Instance::ready(watched_by(vec![all.endpoints().remove(0)]), (1, HOUR, 100), FailurePolicy::Deny).await;
    let sentinels = |is_available: bool| {
        let nodes = instance.redis.nodes();
        nodes.iter().filter(|node| node.role == NodeRole::Sentinel && node.available == is_available).count()
    };
    wait_until(|| sentinels(true) == 3, PATIENCE).await;
    all.sentinel_mut(0).kill();
    wait_until(|| (sentinels(true), sentinels(false)) == (2, 1), PATIENCE).await;
    all.server_mut(0).kill();
    is_promoted(&all).await;
    uses(&instance, all.server(1)).await;
    assert_eq!(instance.decide("a").await.source, DecisionSource::Store);

    all.sentinel_mut(1).kill();
    all.sentinel_mut(2).kill();
    wait_until(|| sentinels(true) == 0, PATIENCE).await;
    assert_eq!(instance.redis.health(), Health::Available);
    assert_eq!(instance.decide("b").await.source, DecisionSource::Store);
}

#[tokio::test]
async fn what_is_wrong_with_the_sentinels_is_said() {
    let all = RedisSentinels::with_config(&["requirepass secret"]);
    let cluster = RedisCluster::start();
    let server = Redis::start();
    let sentinel = all.sentinel(0).endpoint();
    let with = |endpoint: &str, master_set: &str, password: &str| {
        options(Topology::Sentinel {
            endpoints: vec![endpoint.to_owned()],
            master_set: master_set.to_owned(),
            username: String::new(),
            password: password.to_owned(),
        })
    };
    let standalone = |endpoint: String| options(Topology::Standalone { endpoint });
    for (options, kind, words) in [
        (with(&sentinel, "main", "wrong"), ErrorKind::Sentinel, vec![&*sentinel, "log-in refused", "password"]),
        (with(&sentinel, "main", ""), ErrorKind::Sentinel, vec![&sentinel, "log-in refused", "password"]),
        (with(&sentinel, "mian", "secret"), ErrorKind::Sentinel, vec![&sentinel, "no master set \"mian\""]),
        (with(&server.endpoint(), "main", ""), ErrorKind::Sentinel, vec!["it is a server and no sentinel"]),
        (with("127.0.0.1:1", "main", ""), ErrorKind::Sentinel, vec!["127.0.0.1:1", "cannot be reached"]),
        (standalone(cluster.primary(0).endpoint()), ErrorKind::Topology, vec!["part of a cluster: say cluster"]),
        (
            options(Topology::Cluster { seeds: vec![server.endpoint()] }),
            ErrorKind::Topology,
            vec![&server.endpoint(), "not part of a cluster"],
        ),
    ] {
        let what = format!("{options:?}");
        let instance = Arc::new(Instance::start(options, (1, SECOND, 1), FailurePolicy::Allow));
        let error = instance.fails_with(kind).await;
        for word in words {
            assert!(error.to_string().contains(word), "{what}: {error} does not say {word}");
        }
        assert!(!error.to_string().contains("wrong"), "{error}");
        let asked = Instant::now();
        assert_eq!(instance.decide("a").await.source, DecisionSource::Policy);
        assert!(asked.elapsed() < SLACK, "nobody waits for a store that nobody can name");
    }
    let plain = RedisSentinels::start();
    let instance = Instance::start(standalone(plain.sentinel(0).endpoint()), (1, SECOND, 1), FailurePolicy::Deny);
    let error = instance.fails_with(ErrorKind::Topology).await;
    assert!(error.to_string().contains("it is a sentinel"), "{error}");
    let right = with(&sentinel, "main", "secret");
    Instance::ready(right, (1, SECOND, 1), FailurePolicy::Deny).await;

    // The rights that the hint names are enough.
    let rights = ErrorKind::Sentinel.hint().split(": ").nth(1).unwrap();
    let user: Vec<_> = ["ACL", "SETUSER", "watcher", "on", ">other"].into_iter().chain(rights.split(' ')).collect();
    assert_eq!(all.sentinel(0).connect_with("secret").command(&user).unwrap().text(), "OK");
    let watcher = options(Topology::Sentinel {
        endpoints: vec![sentinel],
        master_set: "main".into(),
        username: "watcher".into(),
        password: "other".into(),
    });
    Instance::ready(watcher, (1, SECOND, 1), FailurePolicy::Deny).await;
}
