//! The same load for all, with four instances.

use super::{CASES, in_turns, progress};
use crate::options::Options;
use crate::outcome::{Outcome, median, worst};
use crate::peer::Peer;
use crate::table::{Table, over, percent, short, whole};

const INSTANCES: usize = 4;

pub(crate) fn section(options: &Options) -> String {
    let peers = Peer::all();
    let head = [
        "",
        "requests/s",
        "calls per request",
        "p50 µs",
        "p99 µs",
        "admitted, of ideal",
        "over the limit",
        "store µs per request",
    ];
    let mut text = String::new();
    for case in &CASES {
        let mut table = Table::new(&format!("Four instances: {}", case.title), &head);
        let rounds = in_turns(&peers, options, |peer, round| {
            progress(&format!("{}, {}", peer.name(), case.title));
            peer.run(INSTANCES, case.terms, &case.load(options, round))
        });
        for (peer, rounds) in peers.iter().zip(rounds) {
            table.row(&[
                peer.name(),
                whole(median(&rounds, Outcome::per_second)),
                short(median(&rounds, Outcome::calls_per_request)),
                short(median(&rounds, |outcome| outcome.p50)),
                short(median(&rounds, |outcome| outcome.p99)),
                percent(median(&rounds, |outcome| outcome.admitted / outcome.ideal)),
                over(worst(&rounds, |outcome| outcome.excess)),
                short(median(&rounds, Outcome::store_cpu_per_request)),
            ]);
        }
        text.push_str(&table.into_text());
    }
    text
}
