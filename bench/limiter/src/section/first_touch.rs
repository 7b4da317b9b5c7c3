//! What the first request for a key waits, beside what a round trip takes.

use std::time::Instant;

use tokio::runtime::Builder;
use tollgate_testkit::Redis;

use super::progress;
use crate::load::Terms;
use crate::options::Options;
use crate::outcome::quantile;
use crate::peer::tollgate;
use crate::table::{Table, whole};

const TOUCHES: u32 = 5_000;
const TERMS: Terms = Terms { per_second: 100, burst: 100 };
const WHAT: [&str; 2] = ["`PING` on a socket, blocking", "first request for a key"];

pub(crate) fn section(options: &Options) -> String {
    let mut rounds: [Vec<[f64; 2]>; 2] = Default::default();
    for _ in 0..options.rounds {
        progress("first touch");
        for (rounds, quantiles) in rounds.iter_mut().zip(round()) {
            rounds.push(quantiles);
        }
    }
    let mut table = Table::new("First touch of a key, one at a time", &["", "p50 µs", "p99 µs"]);
    let medians = rounds.map(|rounds| [0, 1].map(|place| median(&rounds, place)));
    for (what, [p50, p99]) in WHAT.iter().zip(medians) {
        table.row(&[(*what).into(), whole(p50), whole(p99)]);
    }
    let [ping, touch] = medians;
    table.row(&["difference".into(), whole(touch[0] - ping[0]), whole(touch[1] - ping[1])]);
    table.into_text()
}

/// Both in turn, on a store whose tasks have a thread for themselves, as in the gateway.
fn round() -> [[f64; 2]; 2] {
    let redis = Redis::start();
    let stores = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let requests = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let instance = {
        let _entered = stores.enter();
        tollgate::Instance::start(redis.port(), TERMS)
    };
    let mut connection = redis.connect();
    let mut micros: [Vec<f64>; 2] = Default::default();
    requests.block_on(async {
        instance.sees(1).await;
        for key in 0..TOUCHES {
            let started = Instant::now();
            connection.command(&["PING"]).expect("the store replies");
            micros[0].push(started.elapsed().as_nanos() as f64 / 1e3);
            let started = Instant::now();
            instance.decide(key).await;
            micros[1].push(started.elapsed().as_nanos() as f64 / 1e3);
        }
    });
    drop(instance);
    stores.shutdown_background();
    micros.map(|mut micros| {
        micros.sort_by(f64::total_cmp);
        [quantile(&micros, 0.5), quantile(&micros, 0.99)]
    })
}

fn median(rounds: &[[f64; 2]], place: usize) -> f64 {
    let mut figures: Vec<_> = rounds.iter().map(|round| round[place]).collect();
    figures.sort_by(f64::total_cmp);
    quantile(&figures, 0.5)
}
