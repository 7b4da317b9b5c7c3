//! The parts of the report.

pub(crate) mod calls;
pub(crate) mod first_touch;
pub(crate) mod here;
pub(crate) mod side_by_side;
pub(crate) mod throughput;

use crate::load::{Keys, Load, Pace, Terms};
use crate::options::Options;
use crate::outcome::Outcome;

/// One key, asked about at a pace of its own.
pub(crate) struct Case {
    pub(crate) title: &'static str,
    pub(crate) terms: Terms,
    pub(crate) per_second: f64,
}

/// What the limits of `docs/limits.md` are for: a client within its limit, one over it, and a flood.
pub(crate) const CASES: [Case; 3] = [
    Case {
        title: "10,000/s, burst 10,000, at 80 %",
        terms: Terms { per_second: 10_000, burst: 10_000 },
        per_second: 8_000.0,
    },
    Case {
        title: "2,000/s, burst 200, five-fold",
        terms: Terms { per_second: 2_000, burst: 200 },
        per_second: 10_000.0,
    },
    Case {
        title: "1,000/s, burst 100, a hundred-fold",
        terms: Terms { per_second: 1_000, burst: 100 },
        per_second: 1e5,
    },
];

/// So many requests of one instance are under way at a time.
const CLIENTS: usize = 16;

impl Case {
    fn load(&self, options: &Options, round: u32) -> Load {
        let pace = Pace::PerSecond(self.per_second);
        Load { pace, keys: Keys::One, clients: CLIENTS, length: options.length, seed: options.seed_of(round) }
    }
}

/// Tells whoever waits how far it is.
fn progress(what: &str) {
    eprintln!("{what}");
}

/// Lets all of `what` take their turn in every round, each round beginning with another. What each of them gave, in
/// their order.
fn in_turns<T: Copy>(what: &[T], options: &Options, run: impl Fn(T, u32) -> Outcome) -> Vec<Vec<Outcome>> {
    let mut outcomes = vec![Vec::new(); what.len()];
    for round in 0..options.rounds {
        for step in 0..what.len() {
            let place = (step + round as usize) % what.len();
            outcomes[place].push(run(what[place], round));
        }
    }
    outcomes
}
