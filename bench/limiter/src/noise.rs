//! What else goes on on the machine.

use std::fs;
use std::hint::black_box;
use std::time::Instant;

use tollgate_sim::Random;

use crate::outcome::quantile;

/// Does the same piece of work again and again, a second or so, and tells how evenly it went.
pub(crate) fn report() -> String {
    let mut millis: Vec<_> = (0..200).map(|_| work()).collect();
    millis.sort_by(f64::total_cmp);
    let [best, p50, p90, worst] = [0.0, 0.5, 0.9, 1.0].map(|share| quantile(&millis, share));
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "the same piece of work took {best:.1} ms at best, {p50:.1} in the median, {p90:.1} at p90 and {worst:.1} at worst; \
         load average {}",
        load.split_whitespace().next().unwrap_or("?"),
    )
}

fn work() -> f64 {
    let started = Instant::now();
    let mut random = Random::new(1);
    for _ in 0..5_000_000 {
        black_box(random.bits());
    }
    started.elapsed().as_secs_f64() * 1e3
}
