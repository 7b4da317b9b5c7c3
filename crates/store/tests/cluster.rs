//! A real cluster: calls find their node while slots move and nodes die, and who is away is missed by its own keys only.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "support/instance.rs"]
mod instance;

use std::sync::Arc;
use std::time::{Duration, Instant};

use instance::{Answer, HOUR, Instance, SECOND, SLACK, Terms, bucket_name, excess, key_name, load, options};
use tollgate_limiter::{DecisionSource, FailurePolicy};
use tollgate_store::{ErrorKind, Health, NodeRole, RedisOptions, Topology};
use tollgate_testkit::resp::Reply;
use tollgate_testkit::{Program, RedisCluster, wait_until};

const PATIENCE: Duration = Duration::from_secs(20);
const PATIENT: Duration = Duration::from_secs(3);
const TERMS: Terms = (100, SECOND, 20);
const KEYS: usize = 24;

/// With a deadline that a node of a loaded machine meets: here nodes die, and do not fall silent.
fn cluster_of(seeds: Vec<String>) -> RedisOptions {
    RedisOptions { deadline: PATIENT, connect_timeout: PATIENT, ..options(Topology::Cluster { seeds }) }
}

async fn instances(cluster: &RedisCluster, count: usize) -> Vec<Arc<Instance>> {
    let mut instances = Vec::new();
    for _ in 0..count {
        // One seed, which knows the others.
        let seeds = vec![cluster.primary(0).endpoint()];
        instances.push(Instance::ready(cluster_of(seeds), TERMS, FailurePolicy::Deny).await);
    }
    instances
}

fn keyslot(cluster: &RedisCluster, key: &str) -> u16 {
    u16::try_from(cluster.primary(0).command(&["CLUSTER", "KEYSLOT", key]).integer()).unwrap()
}

/// Answers of a policy, by key.
fn lost(answers: &[Answer], after: Instant) -> Vec<usize> {
    let lost = answers.iter().filter(|answer| answer.sent > after && answer.source == DecisionSource::Policy);
    let mut keys: Vec<_> = lost.map(|answer| answer.key).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_share_their_limits_over_all_nodes() {
    let cluster = RedisCluster::start();
    let instances = instances(&cluster, 2).await;
    let answers = load(&instances, 4, KEYS, tokio::time::sleep(2 * SECOND)).await;
    assert!(excess(TERMS, &answers) <= 0.0);
    assert!(answers.iter().all(|answer| answer.source != DecisionSource::Policy));
    for instance in &instances {
        assert_eq!(instance.all_errors(), []);
        let nodes = instance.redis.nodes();
        assert!(nodes.iter().all(|node| node.role == NodeRole::Primary && node.available && node.latency.count > 0));
        assert_eq!(nodes.iter().map(|node| node.slots).sum::<u16>(), 16_384);
    }
    // A cluster has no other database.
    let third = RedisOptions { database: 3, ..cluster_of(cluster.endpoints()) };
    Instance::ready(third, TERMS, FailurePolicy::Deny).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_that_move_under_load_cost_nobody_a_verdict() {
    for program in Program::ALL {
        slots_move(&RedisCluster::of(program, 0, &[])).await;
    }
}

async fn slots_move(cluster: &RedisCluster) {
    let mut instances = instances(cluster, 1).await;
    // The rights that the hint names are enough for all that happens here.
    let rights = ErrorKind::Permission.hint().split(": ").nth(1).unwrap();
    let user: Vec<_> = ["ACL", "SETUSER", "gateway", "on", ">secret"].into_iter().chain(rights.split(' ')).collect();
    for node in 0..3 {
        assert_eq!(cluster.primary(node).command(&user).text(), "OK");
    }
    let gateway = RedisOptions {
        username: "gateway".into(),
        password: "secret".into(),
        strict: true,
        ..cluster_of(cluster.endpoints())
    };
    instances.push(Instance::ready(gateway, TERMS, FailurePolicy::Deny).await);
    let (first, last) = cluster.range(0);
    let mut slots: Vec<_> = (0..KEYS).map(|key| keyslot(cluster, &bucket_name(&key_name(key)))).collect();
    slots.retain(|slot| (first..=last).contains(slot));
    slots.sort_unstable();
    slots.dedup();
    assert!(!slots.is_empty());
    let mut moved = 0;
    let answers = load(&instances, 4, KEYS, async {
        for slot in &slots {
            cluster.begin_move(*slot, 0, 1);
            tokio::time::sleep(Duration::from_millis(50)).await;
            // Those that came meanwhile are there already; those that were there are moved.
            moved += cluster.move_keys(*slot, 0, 1);
            tokio::time::sleep(Duration::from_millis(50)).await;
            cluster.end_move(*slot, 0, 1);
        }
        tokio::time::sleep(SECOND).await;
    })
    .await;
    assert!(moved > 0);
    let excess = excess(TERMS, &answers);
    assert!(excess <= 0.0, "{excess} too many in some window");
    assert!(answers.iter().all(|answer| answer.source != DecisionSource::Policy));
    for instance in &instances {
        assert_eq!(instance.all_errors(), []);
        let owned = |index: usize| {
            let address = cluster.primary(index).endpoint();
            instance.redis.nodes().into_iter().find(|node| node.address == address).unwrap().slots
        };
        // The third node hears of it last, and may have been asked last.
        let expected = usize::from(last - first + 1) - slots.len();
        wait_until(|| usize::from(owned(0)) == expected, PATIENCE).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_dies_is_missed_by_its_own_keys_until_its_replica_is_promoted() {
    // The other nodes serve although one is missing; by default they would not.
    let mut cluster = RedisCluster::with_config(1, &["cluster-require-full-coverage no"]);
    let instances = instances(&cluster, 2).await;
    load(&instances, 4, KEYS, tokio::time::sleep(SECOND)).await;
    let dead = cluster.primary(1).endpoint();
    let promoted = cluster.replica_of(1).endpoint();
    let (mut killed, mut followed, mut impaired) = (None, Duration::MAX, 0);
    let watched = instances.clone();
    let answers = load(&instances, 4, KEYS, async {
        cluster.primary_mut(1).kill();
        killed = Some(Instant::now());
        for instance in &watched {
            wait_until(|| instance.redis.health() != Health::Available, PATIENCE).await;
            impaired += usize::from(matches!(instance.redis.health(), Health::Impaired(_)));
        }
        let replica = cluster.replica_of(1);
        wait_until(|| replica.command(&["ROLE"]).text_at(0) == "master", PATIENCE).await;
        let since = Instant::now();
        for instance in &watched {
            instance.is_available().await;
            assert!(instance.redis.nodes().iter().any(|node| node.address == promoted && node.available));
            assert!(instance.redis.nodes().iter().all(|node| node.address != dead));
        }
        followed = since.elapsed();
        tokio::time::sleep(SECOND).await;
    })
    .await;
    assert_eq!(impaired, 2, "the other nodes go on");
    assert!(followed <= SECOND + SLACK, "{followed:?}");
    let lost = lost(&answers, killed.unwrap());
    assert!(!lost.is_empty());
    let (first, last) = cluster.range(1);
    for key in lost {
        let slot = keyslot(&cluster, &bucket_name(&key_name(key)));
        let errors = [instances[0].all_errors(), instances[1].all_errors()];
        assert!((first..=last).contains(&slot), "key {key} of slot {slot} was another's: {errors:?}");
    }
    let excess = excess(TERMS, &answers);
    assert!(excess <= 0.0, "{excess} too many in some window");
    let slowest = answers.iter().map(|answer| answer.answered - answer.sent).max().unwrap();
    assert!(slowest < PATIENT, "{slowest:?}");
}

#[tokio::test]
async fn a_cluster_that_is_down_is_no_error_and_its_return_is_noticed() {
    // Without replicas, and no node serves while one is missing.
    let mut cluster = RedisCluster::start();
    let instance = Instance::ready(cluster_of(cluster.endpoints()), (1, HOUR, 1), FailurePolicy::Allow).await;
    cluster.primary_mut(2).kill();
    let asked = Instant::now();
    instance.decide("a").await;
    assert!(asked.elapsed() < PATIENT);
    let down =
        || matches!(cluster.primary(0).command(&["GET", "x"]), Reply::Error(error) if error.starts_with("CLUSTERDOWN"));
    wait_until(down, PATIENCE).await;
    // Whoever has a key at a node that lives learns it by asking.
    for key in 0..KEYS {
        assert!(instance.passes(&key_name(key)).await);
    }
    instance.fails_with(ErrorKind::Cluster).await;
    let asked = Instant::now();
    for key in 0..100 {
        assert_eq!(instance.decide(&key_name(key)).await.source, DecisionSource::Policy);
    }
    assert!(asked.elapsed() < SLACK, "nobody waits for a cluster that is known to be down");
    cluster.primary_mut(2).restart();
    // A node that comes back waits for a while before it serves.
    let up =
        || (0..3).all(|node| cluster.primary(node).command(&["CLUSTER", "INFO"]).text().contains("cluster_state:ok"));
    wait_until(up, PATIENCE).await;
    let back = Instant::now();
    instance.is_available().await;
    assert!(back.elapsed() < SECOND + SLACK, "{:?}", back.elapsed());
    for key in 100..100 + KEYS {
        assert_eq!(instance.decide(&key_name(key)).await.source, DecisionSource::Store);
    }
}

#[tokio::test]
async fn a_slot_without_an_owner_is_missed_alone() {
    let cluster = RedisCluster::with_config(0, &["cluster-require-full-coverage no"]);
    let instance = Instance::ready(cluster_of(cluster.endpoints()), (1, HOUR, 100), FailurePolicy::Deny).await;
    let slot = keyslot(&cluster, &bucket_name("a"));
    let others: Vec<_> = (0..KEYS).map(key_name).collect();
    for node in 0..3 {
        cluster.primary(node).command(&["CLUSTER", "DELSLOTS", &slot.to_string()]);
    }
    // `CLUSTERDOWN Hash slot not served` is about the slot, not about the node.
    assert_eq!(instance.decide("a").await.source, DecisionSource::Policy);
    for key in &others {
        assert_eq!(instance.decide(key).await.source, DecisionSource::Store, "{key}");
    }
    assert!(instance.errors(ErrorKind::HashSlot) >= 1);
    wait_until(
        || matches!(instance.redis.health(), Health::Impaired(error) if error.kind == ErrorKind::HashSlot),
        PATIENCE,
    )
    .await;
    cluster.primary(0).command(&["CLUSTER", "ADDSLOTS", &slot.to_string()]);
    instance.is_available().await;
    assert_eq!(instance.decide("a").await.source, DecisionSource::Store);
}

#[tokio::test]
async fn keys_that_are_on_two_nodes_for_a_moment_are_asked_for_again_and_nobody_else_is_hurt() {
    let cluster = RedisCluster::start();
    // Whoever is strict asks for a bucket and its fence together.
    let strict = RedisOptions { strict: true, ..cluster_of(cluster.endpoints()) };
    let first = Instance::ready(strict.clone(), (1, HOUR, 100), FailurePolicy::Deny).await;
    let instance = Instance::ready(strict, (1, HOUR, 100), FailurePolicy::Deny).await;
    let bucket = bucket_name("a");
    let slot = keyslot(&cluster, &bucket);
    let from = cluster.primary_of(slot);
    let to = (from + 1) % 3;
    assert_eq!(first.decide("a").await.source, DecisionSource::Store);

    // The fence is here, the bucket would be there.
    cluster.begin_move(slot, from, to);
    cluster.primary(from).command(&["DEL", &bucket]);
    let asked = Instant::now();
    assert_eq!(instance.decide("a").await.source, DecisionSource::Policy);
    assert!(asked.elapsed() >= Duration::from_millis(150), "it was tried again: {:?}", asked.elapsed());
    assert_eq!(instance.all_errors(), [("hash_slot", 1)]);
    assert_eq!(instance.redis.health(), Health::Available, "the node is not to blame");
    for key in 0..KEYS {
        assert_eq!(instance.decide(&key_name(key)).await.source, DecisionSource::Store);
    }

    // The move ends while a call waits for that.
    let waiting = tokio::spawn({
        let instance = instance.clone();
        async move { instance.decide("a").await.source }
    });
    tokio::time::sleep(Duration::from_millis(30)).await;
    cluster.move_keys(slot, from, to);
    cluster.end_move(slot, from, to);
    assert_eq!(waiting.await.unwrap(), DecisionSource::Store);
    assert_eq!(instance.all_errors(), [("hash_slot", 1)]);
}
