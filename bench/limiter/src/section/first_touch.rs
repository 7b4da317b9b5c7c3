//! What the first request for a key waits, beside what a round trip takes.

use std::process::{Child, Command};
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
    let head = ["", "p50 µs", "p99 µs", "p50 µs, cores kept awake", "p99 µs, cores kept awake"];
    let mut table = Table::new("First touch of a key, one at a time", &head);
    let mut rounds: [Vec<[f64; 4]>; 2] = Default::default();
    for _ in 0..options.rounds {
        progress("first touch");
        let asleep = round();
        let awake = {
            let _awake = Awake::keep();
            round()
        };
        for (rounds, (asleep, awake)) in rounds.iter_mut().zip(asleep.into_iter().zip(awake)) {
            rounds.push([asleep[0], asleep[1], awake[0], awake[1]]);
        }
    }
    let [ping, touch] = rounds.map(|rounds| [0, 1, 2, 3].map(|place| median(&rounds, place)));
    let difference = [0, 1, 2, 3].map(|place| touch[place] - ping[place]);
    for (what, figures) in WHAT.into_iter().chain(["difference"]).zip([ping, touch, difference]) {
        let figures = figures.into_iter().map(whole);
        table.row(&std::iter::once(what.into()).chain(figures).collect::<Vec<_>>());
    }
    table.into_text()
}

/// Work for every core that nobody else has work for, until it is dropped: what it costs to wake a core is a matter of
/// the machine, and not small beside a round trip on it.
struct Awake(Vec<Child>);

impl Awake {
    fn keep() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let work = || Command::new("chrt").args(["-i", "0", "sh", "-c", "while :; do :; done"]).spawn();
        Self((0..cores).map(|_| work().expect("chrt of util-linux can be started")).collect())
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // It may be gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
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

fn median(rounds: &[[f64; 4]], place: usize) -> f64 {
    let mut figures: Vec<_> = rounds.iter().map(|round| round[place]).collect();
    figures.sort_by(f64::total_cmp);
    quantile(&figures, 0.5)
}
