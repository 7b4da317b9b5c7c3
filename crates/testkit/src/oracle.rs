//! Whether a limit was kept, judged from outside by what was admitted.

use std::time::{Duration, Instant};

/// One request that was admitted: somewhere between sending it and having its answer.
#[derive(Debug, Clone, Copy)]
pub struct Admission {
    /// When it was sent.
    pub sent: Instant,
    /// When its answer was here.
    pub answered: Instant,
}

/// The most by which any window of time holds more admissions than `burst + rate × window`, counting in a window only
/// those that certainly fell into it. Zero or less: the limit was kept, as far as anybody outside can tell. It needs no
/// clock but the observer's own, and raises no false alarm.
///
/// For every window that begins when one was sent and ends when one was answered, it counts those in between: as many
/// steps as there are pairs of admissions.
pub fn certain_excess(limit: u64, period: Duration, burst: u64, admissions: &[Admission]) -> f64 {
    let Some(start) = admissions.iter().map(|admission| admission.sent).min() else {
        return -(burst as f64);
    };
    let rate = limit as f64 / period.as_secs_f64();
    let seconds = |moment: Instant| moment.duration_since(start).as_secs_f64();
    let mut by_answer: Vec<_> =
        admissions.iter().map(|admission| (seconds(admission.sent), seconds(admission.answered))).collect();
    by_answer.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut worst = f64::NEG_INFINITY;
    for &(begin, _) in &by_answer {
        let mut inside = 0.0;
        for &(_, end) in by_answer.iter().filter(|(sent, _)| *sent >= begin) {
            inside += 1.0;
            worst = f64::max(worst, inside - burst as f64 - rate * (end - begin));
        }
    }
    worst
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(times_ms: &[u64]) -> Vec<Admission> {
        let start = Instant::now();
        let moment = |ms| start + Duration::from_millis(ms);
        times_ms.iter().map(|ms| Admission { sent: moment(*ms), answered: moment(ms + 1) }).collect()
    }

    #[test]
    fn it_sees_one_too_many_and_not_one_too_few() {
        let excess = |times: &[u64]| certain_excess(10, Duration::from_secs(1), 3, &at(times));
        assert!(excess(&[0, 0, 0]) <= 0.0);
        assert!(excess(&[0, 0, 0, 0]) > 0.9);
        assert!(excess(&[0, 0, 0, 100, 200, 300]) <= 0.0);
        assert!(excess(&[0, 0, 0, 50, 100]) > 0.4, "two in a hundred milliseconds after a spent burst");
        assert!(excess(&[0, 5_000, 5_000, 5_000, 5_000]) > 0.9, "an idle hour is worth no more than the burst");
        assert!(excess(&[]) <= 0.0);
    }
}
