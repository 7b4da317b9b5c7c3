//! What a decision costs: in memory on hot keys and over a million keys, and a refusal that a shared store's
//! instance remembers. Also the memory of a bucket.
//!
//! `cargo bench -p tollgate-store --bench decide`. Batches of 64 decisions are timed, so that the clock costs nothing
//! worth mentioning; the quantiles are over batches. Compare figures of one run with each other, and runs in
//! alternation: machines differ from minute to minute.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark times and prints")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_limiter::{Criterion, FailurePolicy, KeyBytes, Limit, Quota, Source};
use tollgate_store::{BoundLimit, Clock, MemoryOptions, Stores};

const BATCH: usize = 64;
const MILLION: u32 = 1_000_000;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let options = MemoryOptions { buckets_max: 2 * MILLION as usize };
    let stores = Stores::new(options, Clock::system(), runtime.handle().clone());
    let never = bind(&stores, "never-refuses", 1_000_000, 1_000_000);
    let always = bind(&stores, "refuses", 1, 1);
    let store = stores.memory();
    let decide = |limit: &Arc<BoundLimit>, address: u32| {
        let key = KeyBytes::from(Source::Address(std::net::Ipv4Addr::from(address).into()));
        std::hint::black_box(store.ask(limit, &key));
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
}

fn bind(stores: &Stores, id: &str, limit: u64, burst: u64) -> Arc<BoundLimit> {
    stores.bind(Limit {
        id: id.into(),
        quota: Quota::new(limit, Duration::from_secs(1), burst)
            .or_else(|_| Quota::new(limit, Duration::from_secs(3_600), burst))
            .expect("a quota"),
        criterion: Criterion::RemoteAddress { ipv6_subnet: None },
        max_delay: Duration::ZERO,
        failure_policy: FailurePolicy::Deny,
    })
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
