//! How many decisions four instances make when each client asks again as soon as it was told.

use super::{CLIENTS, in_turns, progress};
use crate::load::{Keys, Load, Pace, Terms};
use crate::options::Options;
use crate::outcome::{Outcome, median};
use crate::peer::Peer;
use crate::table::{Table, short, whole};

const INSTANCES: usize = 4;
/// More than anybody asks for.
const TERMS: Terms = Terms { per_second: 1_000_000, burst: 1_000_000 };

pub(crate) fn section(options: &Options) -> String {
    let head = ["", "decisions/s", "× Tollgate", "p50 µs", "p99 µs", "calls per decision", "store µs per decision"];
    let mut text = String::new();
    for (title, keys) in [("one busy key that is never refused", Keys::One), ("every request a new key", Keys::Fresh)] {
        let mut table = Table::new(&format!("As fast as it goes: {title}"), &head);
        let able = |peer: &Peer| !(matches!(keys, Keys::Fresh) && *peer == Peer::LimitadorCached);
        let peers: Vec<_> = Peer::sharing().into_iter().filter(able).collect();
        let rounds = in_turns(&peers, options, |peer, round| {
            progress(&format!("{}, {title}", peer.name()));
            let seed = options.seed_of(round);
            let load = Load { pace: Pace::WhenTold, keys, clients: CLIENTS, length: options.length, seed };
            peer.run(INSTANCES, TERMS, &load)
        });
        let ours = median(&rounds[0], Outcome::per_second);
        for (peer, rounds) in peers.iter().zip(rounds) {
            let decisions = median(&rounds, Outcome::per_second);
            table.row(&[
                peer.name(),
                whole(decisions),
                short(decisions / ours),
                short(median(&rounds, |outcome| outcome.p50)),
                short(median(&rounds, |outcome| outcome.p99)),
                short(median(&rounds, Outcome::calls_per_request)),
                short(median(&rounds, Outcome::store_cpu_per_request)),
            ]);
        }
        text.push_str(&table.into_text());
    }
    text
}
