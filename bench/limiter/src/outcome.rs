//! What a run came to.

use std::time::Duration;

use tollgate_limiter::Quota;
use tollgate_sim::oracle::Ideal;
use tollgate_testkit::Admission;

use crate::excess::certain_excess;
use crate::load::{Request, Terms};
use crate::peer::Counts;
use crate::server::Usage;

/// What a limit is meant to keep.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Contract {
    /// Burst + rate × time in every window of time.
    Bucket(Terms),
    /// So many in a window of a second, the next of which begins with the first request after its end. From outside that
    /// is judged as a bucket whose burst is a whole window.
    Windows {
        /// How many.
        per_second: u64,
    },
}

/// One run of one peer.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) asked: f64,
    pub(crate) admitted: f64,
    /// What one bucket, or one counter of windows, that everybody reaches in no time would have admitted.
    pub(crate) ideal: f64,
    /// Requests over burst + rate × time, in the worst window. Zero or less: none.
    pub(crate) excess: f64,
    pub(crate) seconds: f64,
    /// How long decisions took, in microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) usage: Usage,
    pub(crate) counts: Counts,
}

impl Outcome {
    /// Judges `requests` for one key, in the order in which they were sent.
    pub(crate) fn of_one_key(contract: Contract, requests: &[Request], usage: Usage, counts: Counts) -> Self {
        let admissions: Vec<_> = requests
            .iter()
            .filter(|request| request.admitted)
            .map(|Request { sent, answered, .. }| Admission { sent: *sent, answered: *answered })
            .collect();
        let excess = certain_excess(contract.terms(), &admissions);
        Self { excess, ideal: contract.ideal(requests), ..Self::of_many_keys(requests, usage, counts) }
    }

    /// As [`Outcome::of_one_key`], for requests each of which has a full bucket of its own.
    pub(crate) fn of_many_keys(requests: &[Request], usage: Usage, counts: Counts) -> Self {
        let mut micros: Vec<_> =
            requests.iter().map(|request| (request.answered - request.sent).as_nanos() as f64 / 1e3).collect();
        micros.sort_by(f64::total_cmp);
        let start = requests.first().map(|request| request.sent);
        let end = requests.iter().map(|request| request.answered).max();
        let took = start.zip(end).map_or(Duration::ZERO, |(start, end)| end - start);
        let asked = requests.len() as f64;
        Self {
            asked,
            admitted: requests.iter().filter(|request| request.admitted).count() as f64,
            ideal: asked,
            excess: 0.0,
            seconds: took.as_secs_f64(),
            p50: quantile(&micros, 0.5),
            p99: quantile(&micros, 0.99),
            usage,
            counts,
        }
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.asked / self.seconds
    }

    pub(crate) fn calls_per_request(&self) -> f64 {
        self.usage.calls / self.asked
    }

    /// Of the store's process, in microseconds.
    pub(crate) fn store_cpu_per_request(&self) -> f64 {
        self.usage.cpu_seconds * 1e6 / self.asked
    }
}

impl Contract {
    fn terms(self) -> Terms {
        match self {
            Self::Bucket(terms) => terms,
            Self::Windows { per_second } => Terms { per_second, burst: per_second },
        }
    }

    fn ideal(self, requests: &[Request]) -> f64 {
        let Some(first) = requests.first() else { return 0.0 };
        let times = requests.iter().map(|request| (request.sent - first.sent).as_secs_f64());
        match self {
            Self::Bucket(Terms { per_second, burst }) => {
                let quota = Quota::new(per_second, Duration::from_secs(1), burst).expect("terms that are a quota");
                let mut bucket = Ideal::new(&quota);
                times.filter(|at| bucket.admits(*at)).count() as f64
            }
            Self::Windows { per_second } => {
                let (mut end, mut inside) = (1.0, 0);
                let admits = |at: &f64| {
                    if *at >= end {
                        (end, inside) = (at + 1.0, 0);
                    }
                    inside += 1;
                    inside <= per_second
                };
                times.filter(admits).count() as f64
            }
        }
    }
}

/// Of numbers in order; zero if there are none.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = (sorted.len() as f64 * share) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0.0)
}

/// The middle of what the rounds gave.
pub(crate) fn median(rounds: &[Outcome], figure: impl Fn(&Outcome) -> f64) -> f64 {
    let mut figures: Vec<_> = rounds.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    quantile(&figures, 0.5)
}

/// The worst that the rounds gave.
pub(crate) fn worst(rounds: &[Outcome], figure: impl Fn(&Outcome) -> f64) -> f64 {
    rounds.iter().map(figure).fold(f64::NEG_INFINITY, f64::max)
}
