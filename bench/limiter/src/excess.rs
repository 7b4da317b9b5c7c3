//! Whether a limit was kept, judged by what was admitted.

use std::ops::Range;
use std::time::Instant;

use tollgate_testkit::Admission;

use crate::load::Terms;

/// What `tollgate_testkit::certain_excess` says, in n log n steps instead of n²: for the runs here, seconds.
///
/// The most by which any window of time holds more admissions than `burst + rate × window`, counting only those that
/// certainly fell into it. Windows are tried from the last begin to the first; for each end that an admission gives,
/// the tree holds what the window to there holds beyond the rate.
pub(crate) fn certain_excess(terms: Terms, admissions: &[Admission]) -> f64 {
    let Some(start) = admissions.iter().map(|admission| admission.sent).min() else {
        return -(terms.burst as f64);
    };
    let rate = terms.per_second as f64;
    let seconds = |moment: Instant| moment.duration_since(start).as_secs_f64();
    let mut by_answer: Vec<_> =
        admissions.iter().map(|admission| (seconds(admission.sent), seconds(admission.answered))).collect();
    by_answer.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut ends = Tree::new(by_answer.iter().map(|(_, end)| -rate * end - ABSENT));
    let mut by_begin: Vec<usize> = (0..by_answer.len()).collect();
    by_begin.sort_by(|a, b| by_answer[*b].0.total_cmp(&by_answer[*a].0));
    let mut worst = f64::NEG_INFINITY;
    for place in by_begin {
        ends.raise(place..place + 1, ABSENT);
        ends.raise(place..by_answer.len(), 1.0);
        worst = worst.max(ends.most() + rate * by_answer[place].0);
    }
    worst - terms.burst as f64
}

/// Keeps ends that are not in question yet below all others: beyond any count here, and small enough that a double holds
/// a ten-millionth of a token beside it.
const ABSENT: f64 = 1e9;

/// Numbers in a row; ranges of them are raised, and the most of all is known.
struct Tree {
    places: usize,
    most: Vec<f64>,
    raised: Vec<f64>,
}

impl Tree {
    fn new(numbers: impl ExactSizeIterator<Item = f64>) -> Self {
        let places = numbers.len().next_power_of_two();
        let mut most = vec![f64::NEG_INFINITY; 2 * places];
        for (place, number) in numbers.enumerate() {
            most[places + place] = number;
        }
        for node in (1..places).rev() {
            most[node] = most[2 * node].max(most[2 * node + 1]);
        }
        Self { places, raised: vec![0.0; 2 * places], most }
    }

    fn most(&self) -> f64 {
        self.most[1]
    }

    fn raise(&mut self, range: Range<usize>, by: f64) {
        self.raise_below(1, 0..self.places, &range, by);
    }

    fn raise_below(&mut self, node: usize, covers: Range<usize>, range: &Range<usize>, by: f64) {
        if range.end <= covers.start || covers.end <= range.start {
            return;
        }
        if range.start <= covers.start && covers.end <= range.end {
            self.most[node] += by;
            self.raised[node] += by;
            return;
        }
        let middle = covers.start.midpoint(covers.end);
        self.raise_below(2 * node, covers.start..middle, range, by);
        self.raise_below(2 * node + 1, middle..covers.end, range, by);
        self.most[node] = self.most[2 * node].max(self.most[2 * node + 1]) + self.raised[node];
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tollgate_sim::Random;

    use super::*;

    #[test]
    fn it_says_what_the_oracle_of_the_tests_says() {
        let seed = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
        println!("seed {seed}");
        let mut random = Random::new(seed);
        let start = Instant::now();
        for _ in 0..300 {
            let terms = Terms { per_second: random.magnitude(1, 10_000), burst: random.between(1, 20) };
            let moment = |random: &mut Random| Duration::from_micros(100 * random.below(500));
            let admissions: Vec<_> = (0..random.below(60))
                .map(|_| {
                    let sent = start + moment(&mut random);
                    Admission { sent, answered: sent + moment(&mut random) / 10 }
                })
                .collect();
            let second = Duration::from_secs(1);
            let slow = tollgate_testkit::certain_excess(terms.per_second, second, terms.burst, &admissions);
            let fast = certain_excess(terms, &admissions);
            assert!((slow - fast).abs() < 1e-5, "{slow} {fast} {terms:?} {admissions:?}");
        }
    }
}
