//! What a decision costs that nobody else is asked for: on one thread, timed one by one.

use std::hint::black_box;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tollgate_limiter::DecisionSource;
use tollgate_store::{Clock, MemoryOptions, Reply, Stores};
use tollgate_testkit::Redis;

use super::progress;
use crate::load::Terms;
use crate::options::Options;
use crate::outcome::quantile;
use crate::peer::{limitador, throttlecrab, tollgate};
use crate::table::{Table, whole};

const DECISIONS: usize = 100_000;
const KEYS: u32 = 16;
/// More than anybody asks for.
const WIDE: Terms = Terms { per_second: 1_000_000_000, burst: 1_000_000_000 };
/// What a store can be asked to lend of.
const BUSY: Terms = Terms { per_second: 1_000_000, burst: 1_000_000 };
/// Spent at once.
const NARROW: Terms = Terms { per_second: 1, burst: 1 };

/// A way of deciding: nanoseconds for each of many decisions.
type Way = (&'static str, fn() -> Vec<f64>);

const WAYS: [Way; 8] = [
    ("Tollgate, shared: a slot that is lent", lent),
    ("Tollgate, shared: a refusal that is remembered", remembered),
    ("Tollgate, in memory: admitted", || in_memory(BUSY)),
    ("Tollgate, in memory: refused", || in_memory(NARROW)),
    ("Limitador, in memory: admitted", || limitador_in_memory(WIDE)),
    ("Limitador, in memory: refused", || limitador_in_memory(NARROW)),
    ("throttlecrab, in memory: admitted", || throttlecrab_in_memory(BUSY)),
    ("throttlecrab, in memory: refused", || throttlecrab_in_memory(NARROW)),
];

pub(crate) fn section(options: &Options) -> String {
    let mut rounds: Vec<Vec<[f64; 2]>> = vec![Vec::new(); WAYS.len()];
    for round in 0..options.rounds as usize {
        for step in 0..WAYS.len() {
            let place = (step + round) % WAYS.len();
            let (what, way) = WAYS[place];
            progress(what);
            let mut nanos = way();
            nanos.sort_by(f64::total_cmp);
            let reading = reading();
            rounds[place].push([0.5, 0.99].map(|share| (quantile(&nanos, share) - reading).max(0.0)));
        }
    }
    let mut table = Table::new("A decision here", &["", "p50 ns", "p99 ns"]);
    for ((what, _), rounds) in WAYS.iter().zip(rounds) {
        let figure = |place: usize| {
            let mut figures: Vec<_> = rounds.iter().map(|round| round[place]).collect();
            figures.sort_by(f64::total_cmp);
            whole(quantile(&figures, 0.5))
        };
        table.row(&[(*what).into(), figure(0), figure(1)]);
    }
    table.into_text()
}

/// What reading the clock costs, which is in every figure and is taken off again.
fn reading() -> f64 {
    let mut nanos: Vec<_> = (0..DECISIONS).map(|_| timed(|| ())).collect();
    nanos.sort_by(f64::total_cmp);
    quantile(&nanos, 0.5)
}

fn timed<T>(decide: impl FnOnce() -> T) -> f64 {
    let started = Instant::now();
    black_box(decide());
    started.elapsed().as_nanos() as f64
}

fn in_turn(decide: impl Fn(u32) -> bool) -> Vec<f64> {
    let keys = (0..KEYS).cycle();
    keys.take(DECISIONS).map(|key| timed(|| decide(key))).collect()
}

fn in_memory(terms: Terms) -> Vec<f64> {
    let runtime = Runtime::new().expect("a runtime");
    let stores = Stores::new(MemoryOptions::default(), Clock::system(), runtime.handle().clone());
    let limit = stores.bind(tollgate::limit(terms), stores.memory());
    let nanos = in_turn(|key| matches!(limit.ask(&tollgate::key_bytes(key)), Reply::Now(_)));
    drop(stores);
    runtime.shutdown_background();
    nanos
}

fn limitador_in_memory(terms: Terms) -> Vec<f64> {
    let instance = limitador::Instance::memory(terms);
    in_turn(|key| instance.decide_here(key))
}

fn throttlecrab_in_memory(terms: Terms) -> Vec<f64> {
    let instance = throttlecrab::Instance::memory(terms);
    in_turn(|key| instance.decide_here(key))
}

/// A key that is busy, but not more than its limit bears: 64 requests, a pause, and again.
fn lent() -> Vec<f64> {
    shared(BUSY, DecisionSource::Lease, Duration::from_micros(100))
}

fn remembered() -> Vec<f64> {
    shared(NARROW, DecisionSource::DenialCache, Duration::ZERO)
}

/// Decisions of an instance with a real server, those that had this source.
fn shared(terms: Terms, wanted: DecisionSource, pause: Duration) -> Vec<f64> {
    let redis = Redis::start();
    let runtime = Runtime::new().expect("a runtime");
    let instance = {
        let _entered = runtime.enter();
        tollgate::Instance::start(redis.port(), terms)
    };
    runtime.block_on(instance.sees(1));
    let mut nanos = Vec::with_capacity(DECISIONS);
    while nanos.len() < DECISIONS {
        for _ in 0..64 {
            let started = Instant::now();
            let reply = black_box(instance.ask(0));
            let took = started.elapsed().as_nanos() as f64;
            match reply {
                Reply::Now(decision) if decision.source == wanted => nanos.push(took),
                Reply::Now(_) => {}
                Reply::Later(pending) => drop(runtime.block_on(pending.decision())),
            }
        }
        std::thread::sleep(pause);
    }
    drop(instance);
    runtime.shutdown_background();
    nanos
}
