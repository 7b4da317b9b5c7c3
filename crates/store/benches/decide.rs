//! What a decision costs: in memory on hot keys and over a million keys, with the memory of a bucket; and through a real
//! Redis server, cold, hot and refused.
//!
//! `cargo bench -p tollgate-store --bench decide`. Batches of 64 decisions are timed, so that the clock costs nothing
//! worth mentioning; the quantiles are over batches. Compare figures of one run with each other, and runs in
//! alternation: machines differ from minute to minute.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark times and prints")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_limiter::{Criterion, FailurePolicy, KeyBytes, Limit, Quota, Source};
use tollgate_store::{BoundLimit, Clock, MemoryOptions, RedisOptions, Reply, Store, Stores, Topology};

const BATCH: usize = 64;
const MILLION: u32 = 1_000_000;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let options = MemoryOptions { buckets_max: 2 * MILLION as usize, ..MemoryOptions::default() };
    let stores = Stores::new(options, Clock::system(), runtime.handle().clone());
    let store = stores.memory();
    let never = bind(&stores, &store, "never-refuses", 1_000_000, 1_000_000);
    let always = bind(&stores, &store, "refuses", 1, 1);
    let decide = |limit: &Arc<BoundLimit>, address: u32| {
        let key = KeyBytes::from(Source::Address(std::net::Ipv4Addr::from(address).into()));
        std::hint::black_box(limit.ask(&key));
    };

    println!("{:<44} {:>8} {:>8} {:>8}", "nanoseconds per decision", "p50", "p99", "mean");
    report("memory, 16 hot keys, allowed", 20_000, |batch, place| decide(&never, ((batch + place) % 16) as u32));
    report("memory, 16 hot keys, refused", 20_000, |batch, place| decide(&always, ((batch + place) % 16) as u32));

    let before = resident_bytes();
    for address in 0..MILLION {
        decide(&always, address + 1_000);
    }
    let bytes = resident_bytes().saturating_sub(before) / u64::from(MILLION);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    report("memory, a million keys at random", 50_000, move |_, _| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        decide(&always, (random % u64::from(MILLION)) as u32 + 1_000);
    });
    println!("{:<44} {bytes:>8}", "bytes per bucket, resident, a million keys");
    runtime.block_on(shared(&stores));
}

/// The same through a real server on this machine, started for this.
async fn shared(stores: &Stores) {
    let server = tollgate_testkit::Redis::start();
    let store = stores.redis(RedisOptions {
        topology: Topology::Standalone { endpoint: server.endpoint() },
        username: String::new(),
        password: String::new(),
        database: 0,
        connect_timeout: Duration::from_secs(5),
        deadline: Duration::from_secs(5),
        tls: None,
        strict: false,
    });
    let key = |address: u32| KeyBytes::from(Source::Address(std::net::Ipv4Addr::from(address).into()));
    let always = bind(stores, &store, "shared-refuses", 1, 1);
    always.decide(&key(1)).await;
    report("shared, a refusal that is remembered", 20_000, |_, _| {
        std::hint::black_box(always.ask(&key(1)));
    });

    let never = bind(stores, &store, "shared-never-refuses", 1_000_000, 1_000_000);
    // A key that is busy is decided from its lease: driven here at a rate that the limit bears.
    let leased = bind(stores, &store, "shared-leased", 1_000_000, 1_000_000);
    for _ in 0..2_000 {
        leased.decide(&key(2)).await;
        tokio::time::sleep(Duration::from_micros(50)).await;
    }
    let mut here = Vec::new();
    for _ in 0..20_000 {
        let started = Instant::now();
        let mut decided = 0;
        for _ in 0..BATCH {
            match std::hint::black_box(leased.ask(&key(2))) {
                Reply::Now(_) => decided += 1,
                Reply::Later(pending) => drop(pending.decision().await),
            }
        }
        let nanos = started.elapsed().as_nanos() as f64 / BATCH as f64;
        if decided == BATCH {
            here.push(nanos);
        }
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
    here.sort_by(f64::total_cmp);
    let (p50, p99) = (here[here.len() / 2], here[here.len() * 99 / 100]);
    println!("{:<44} {p50:>8.0} {p99:>8.0}", "shared, a busy key, decided from its lease");

    let mut micros = Vec::new();
    for address in 0..5_000 {
        let started = Instant::now();
        std::hint::black_box(never.decide(&key(address + 10)).await);
        micros.push(started.elapsed().as_nanos() as f64 / 1e3);
    }
    micros.sort_by(f64::total_cmp);
    let (p50, p99) = (micros[2_500], micros[4_950]);
    println!("{:<44} {p50:>8.0} {p99:>8.0}  microseconds", "shared, a cold key, one at a time");

    for (what, keys) in [("shared, one hot key, 64 at a time", 1), ("shared, 64 keys, 64 at a time", 64)] {
        let calls = || stores.store_snapshots().iter().map(|snapshot| snapshot.calls).sum::<u64>();
        let (before, started) = (calls(), Instant::now());
        let clients: Vec<_> = (0..64)
            .map(|client| {
                let never = never.clone();
                tokio::spawn(async move {
                    for _ in 0..2_000 {
                        let address = std::net::Ipv4Addr::from(1 + client % keys);
                        let key = KeyBytes::from(Source::Address(address.into()));
                        std::hint::black_box(never.decide(&key).await);
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.expect("a client that does not panic");
        }
        let decisions = 64.0 * 2_000.0;
        let nanos = started.elapsed().as_nanos() as f64 / decisions;
        let calls = (calls() - before) as f64 / decisions;
        println!("{what:<44} {nanos:>8.0} nanoseconds and {calls:.3} calls per decision");
    }
}

fn bind(stores: &Stores, store: &Store, id: &str, limit: u64, burst: u64) -> Arc<BoundLimit> {
    let limit = Limit {
        id: id.into(),
        quota: Some(
            Quota::new(limit, Duration::from_secs(1), burst)
                .or_else(|_| Quota::new(limit, Duration::from_secs(3_600), burst))
                .expect("a quota"),
        ),
        windows: Vec::new(),
        criterion: Criterion::RemoteAddress { ipv6_subnet: None },
        max_delay: Duration::ZERO,
        leases: true,
        failure_policy: FailurePolicy::Deny,
    };
    stores.bind(limit, store.clone())
}

fn report(what: &str, batches: usize, mut decision: impl FnMut(usize, usize)) {
    let mut nanos: Vec<f64> = (0..batches)
        .map(|batch| {
            let started = Instant::now();
            for place in 0..BATCH {
                decision(batch, place);
            }
            started.elapsed().as_nanos() as f64 / BATCH as f64
        })
        .collect();
    let mean = nanos.iter().sum::<f64>() / nanos.len() as f64;
    nanos.sort_by(f64::total_cmp);
    let quantile = |share: f64| nanos[(nanos.len() as f64 * share) as usize];
    println!("{what:<44} {:>8.0} {:>8.0} {mean:>8.0}", quantile(0.5), quantile(0.99));
}

fn resident_bytes() -> u64 {
    let pages =
        std::fs::read_to_string("/proc/self/statm").ok().and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}
