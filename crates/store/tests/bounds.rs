//! What a store may take, however many keys there are: of the server per key, and of an instance in all.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "support/instance.rs"]
mod instance;

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use instance::{HOUR, Instance, SECOND, Terms, bucket_name, options, passes};
use tollgate_limiter::{Criterion, FailurePolicy, KeyBytes, Limit, Quota, Source};
use tollgate_store::{BoundLimit, Clock, MemoryOptions, RedisOptions, Store, StoreSnapshot, Stores, Topology};
use tollgate_testkit::resp::Reply;
use tollgate_testkit::{Program, Redis, wait_until};

/// (the limit, whether slots were given back to the bucket, the most bytes that it takes by the server's own account)
const BUCKETS: [(Terms, bool, i64); 4] = [
    // Slots are whole microseconds apart.
    ((100, Duration::from_secs(60), 20), false, 120),
    // They are not.
    ((7, Duration::from_secs(3), 20), false, 120),
    // Until slots are handed out again that were handed out before.
    ((1_000, SECOND, 1_000), true, 136),
    ((999, SECOND, 1_000), true, 136),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_takes_little_room_in_the_server() {
    for program in Program::ALL {
        let server = Redis::of(program, &[]);
        for (terms, is_given_back, bytes_max) in BUCKETS {
            server.command(&["FLUSHALL"]);
            let topology = Topology::Standalone { endpoint: server.endpoint() };
            let instance = Instance::ready(options(topology), terms, FailurePolicy::Deny).await;
            let value = || match server.command(&["GET", &bucket_name("a")]) {
                Reply::Bulk(text) => String::from_utf8(text).unwrap(),
                _ => String::new(),
            };
            if is_given_back {
                // Faster than the limit for a while, so that the bucket is not full when nobody comes any more.
                let start = Instant::now();
                while start.elapsed() < SECOND / 2 {
                    for _ in 0..4 {
                        instance.decide("a").await;
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                wait_until(|| value().contains('/'), Duration::from_secs(10)).await;
            } else {
                assert!(instance.passes("a").await);
            }
            let bytes = server.command(&["MEMORY", "USAGE", &bucket_name("a")]).integer();
            assert!(bytes <= bytes_max, "{bytes} bytes for {} on {program:?}", value());
        }
    }
}

/// A limit whose buckets are in debt for long after one request, and who asks it.
struct Flooded {
    stores: Stores,
    limit: Arc<BoundLimit>,
}

impl Flooded {
    fn with(store: impl FnOnce(&Stores) -> Store) -> Self {
        let stores = Stores::new(MemoryOptions::default(), Clock::system(), tokio::runtime::Handle::current());
        let limit = Limit {
            id: "api@file".into(),
            quota: Some(Quota::new(1, HOUR, 1).unwrap()),
            criterion: Criterion::Host,
            max_delay: Duration::ZERO,
            leases: true,
            failure_policy: FailurePolicy::Deny,
            windows: Vec::new(),
        };
        let limit = stores.bind(limit, store(&stores));
        Self { stores, limit }
    }

    async fn passes(&self, key: &str) -> bool {
        passes(&self.limit.decide(&KeyBytes::from(Source::Host(key))).await)
    }

    /// Spends what the bucket of the victim holds.
    async fn drain_victim(&self) {
        assert!(self.passes("victim").await);
        assert!(!self.passes("victim").await);
    }

    /// Whether its refusal is remembered or not.
    async fn victim_is_still_drained(&self) {
        let state = self.limit.peek(&KeyBytes::from(Source::Host("victim"))).await.unwrap();
        assert_eq!(state[0].remaining, 0);
        assert!(!self.passes("victim").await);
    }

    /// What the store of the limit has counted.
    fn snapshot(&self) -> StoreSnapshot {
        let name = match self.limit.store() {
            Store::Redis(store) => store.snapshot().name,
            Store::Memory(_) => "memory".to_owned(),
        };
        self.stores.store_snapshots().into_iter().find(|store| store.name == name).unwrap()
    }
}

/// Memory of this process, in MiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1_024
}

/// What the tests here may take at most, all of them together.
const RESIDENT_MAX: u64 = 320;
/// Keys that an instance remembers of a server: 64 parts of 4096.
const KNOWN_MAX: u64 = 64 * 4_096;
/// Buckets in memory, and those over because parts fill unevenly.
const BUCKETS_MAX: u64 = 1_000_000 + 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_keys_fills_neither_the_books_nor_anybodys_bucket() {
    let server = Redis::start();
    let alone = Topology::Standalone { endpoint: server.endpoint() };
    let patient = RedisOptions { deadline: Duration::from_secs(10), ..options(alone) };
    let flooded = Arc::new(Flooded::with(|stores| stores.redis(patient)));
    flooded.drain_victim().await;
    let before = resident();
    // Many who do not wait for their answer.
    for key in 0..1_000_000_u32 {
        drop(flooded.limit.ask(&KeyBytes::from(Source::Host(&format!("gone-{key}")))));
    }
    // And many who do, and who are known to be refused from then on.
    let clients = (0..256).map(|client| {
        let flooded = flooded.clone();
        tokio::spawn(async move {
            for key in 0..256 {
                assert!(flooded.passes(&format!("flood-{client}-{key}")).await);
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    let snapshot = flooded.snapshot();
    assert!(snapshot.keys_known <= KNOWN_MAX && snapshot.forgotten > 700_000, "{snapshot:?}");
    assert!(resident() <= before + RESIDENT_MAX, "{} MiB, {before} before", resident());
    flooded.victim_is_still_drained().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_keys_fills_neither_the_memory_nor_anybodys_bucket() {
    let flooded = Flooded::with(Stores::memory);
    flooded.drain_victim().await;
    let before = resident();
    let mut admitted = 0;
    for key in 0..2_000_000_u32 {
        admitted += u64::from(flooded.passes(&format!("flood-{key}")).await);
    }
    assert!(flooded.snapshot().buckets <= BUCKETS_MAX, "{:?}", flooded.snapshot());
    // Those who found no place shared one.
    assert!(admitted <= BUCKETS_MAX, "{admitted} were admitted");
    assert!(resident() <= before + RESIDENT_MAX, "{} MiB, {before} before", resident());
    flooded.victim_is_still_drained().await;
}
