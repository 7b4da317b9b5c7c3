//! What Tollgate asks of a store, and what that costs the store.

use super::{CASES, CLIENTS, Case, in_turns, progress};
use crate::load::{Keys, Load, Pace, Terms};
use crate::options::Options;
use crate::outcome::{Outcome, median, worst};
use crate::peer::Peer;
use crate::table::{Table, over, percent, short, whole};

const INSTANCES: [usize; 2] = [4, 16];

const EDGES: [Case; 5] = [
    Case { title: "1,000/s, burst 1, five-fold", terms: Terms { per_second: 1_000, burst: 1 }, per_second: 5_000.0 },
    Case { title: "1,000/s, burst 2, five-fold", terms: Terms { per_second: 1_000, burst: 2 }, per_second: 5_000.0 },
    Case { title: "1,000/s, burst 20, at 90 %", terms: Terms { per_second: 1_000, burst: 20 }, per_second: 900.0 },
    Case { title: "1,000/s, burst 100, at 90 %", terms: Terms { per_second: 1_000, burst: 100 }, per_second: 900.0 },
    Case { title: "10/s, burst 10, a hundred-fold", terms: Terms { per_second: 10, burst: 10 }, per_second: 1_000.0 },
];

/// Keys that are busy.
pub(crate) fn hot(options: &Options) -> String {
    section("Calls to the store", &CASES, options)
}

/// Keys of which little can be lent, because slots live too short or because there are few.
pub(crate) fn edges(options: &Options) -> String {
    section("Calls to the store where little can be lent", &EDGES, options)
}

fn section(title: &str, cases: &[Case], options: &Options) -> String {
    let head = [
        "one key",
        "instances",
        "requests/s",
        "calls per request",
        "decided here",
        "admitted, of ideal",
        "over the limit",
        "Redis µs per request",
    ];
    let mut table = Table::new(title, &head);
    for case in cases {
        let rounds = in_turns(&INSTANCES, options, |instances, round| {
            progress(&format!("{instances} instances, {}", case.title));
            Peer::Tollgate.run(instances, case.terms, &case.load(options, round))
        });
        for (instances, rounds) in INSTANCES.iter().zip(rounds) {
            table.row(&row(case, *instances, &rounds));
        }
    }
    table.into_text()
}

fn row(case: &Case, instances: usize, rounds: &[Outcome]) -> Vec<String> {
    vec![
        case.title.into(),
        instances.to_string(),
        whole(median(rounds, Outcome::per_second)),
        short(median(rounds, Outcome::calls_per_request)),
        percent(median(rounds, |outcome| outcome.counts.here / outcome.counts.decisions)),
        percent(median(rounds, |outcome| outcome.admitted / outcome.ideal)),
        over(worst(rounds, |outcome| outcome.excess)),
        short(median(rounds, Outcome::store_cpu_per_request)),
    ]
}

/// Keys of which each is asked about once: nothing can be known of them, and only going together helps.
pub(crate) fn cold(options: &Options) -> String {
    let head = [
        "instances",
        "decisions/s",
        "keys per call",
        "µs in the script per decision",
        "Redis µs per decision",
        "p50 µs",
        "p99 µs",
    ];
    let mut table = Table::new("Cold keys, 64 requests at a time", &head);
    let load = |instances: usize, round| Load {
        pace: Pace::WhenTold,
        keys: Keys::Fresh,
        clients: 4 * CLIENTS / instances,
        length: options.length,
        seed: options.seed_of(round),
    };
    let instances = [1, 4, 16];
    let rounds = in_turns(&instances, options, |instances, round| {
        progress(&format!("{instances} instances, cold keys"));
        Peer::Tollgate.run(instances, TERMS, &load(instances, round))
    });
    for (instances, rounds) in instances.iter().zip(rounds) {
        table.row(&[
            instances.to_string(),
            whole(median(&rounds, Outcome::per_second)),
            short(median(&rounds, |outcome| outcome.counts.keys / outcome.counts.calls)),
            short(median(&rounds, |outcome| outcome.usage.script_micros / outcome.asked)),
            short(median(&rounds, Outcome::store_cpu_per_request)),
            whole(median(&rounds, |outcome| outcome.p50)),
            whole(median(&rounds, |outcome| outcome.p99)),
        ]);
    }
    table.into_text()
}

const TERMS: Terms = Terms { per_second: 100, burst: 100 };
