//! What should have been: the contract, and one ideal bucket.

use tollgate_limiter::{Quota, Timestamp};

/// Ticks of the fixed-point time, as a number that can be negative.
fn ticks(moment: Timestamp) -> i128 {
    (i128::from(moment.micros()) << 24) + i128::from(moment.fraction())
}

/// The most by which any window of time holds more admissions than `burst + rate × window`: exact, in tokens. The
/// contract is kept if it is zero or less.
///
/// One pass over the sorted admissions (Le Boudec's reformulation of a leaky bucket): admissions i to j have more than
/// the burst exactly if (j + 1) − r·tⱼ is more than the burst above the least of i − r·tᵢ before it.
pub fn excess(quota: &Quota, admissions: &mut [Timestamp]) -> f64 {
    admissions.sort_unstable();
    let interval = quota.interval();
    let interval = (i128::from(interval.micros()) << 24) + i128::from(interval.fraction());
    let (mut start, mut worst) = (i128::MIN, i128::MIN);
    for (count, moment) in (0_i128..).zip(admissions.iter()) {
        let earned = ticks(*moment);
        start = start.max(earned - count * interval);
        worst = worst.max((count + 1) * interval - earned + start);
    }
    if admissions.is_empty() {
        return -(quota.burst() as f64);
    }
    (worst - i128::from(quota.burst()) * interval) as f64 / interval as f64
}

/// One bucket for all, that everybody reaches in no time.
#[derive(Debug, Clone)]
pub struct Ideal {
    interval: f64,
    burst: f64,
    level: f64,
    at: f64,
}

impl Ideal {
    /// Full.
    pub fn new(quota: &Quota) -> Self {
        let interval = quota.interval().to_duration().as_secs_f64();
        Self { interval, burst: quota.burst() as f64, level: quota.burst() as f64, at: 0.0 }
    }

    /// Whether it would have admitted a request at this moment, in seconds.
    pub fn admits(&mut self, at: f64) -> bool {
        self.level = (self.level + (at - self.at) / self.interval).min(self.burst);
        self.at = at;
        let admits = self.level >= 1.0;
        self.level -= f64::from(u8::from(admits));
        admits
    }
}

/// Jain's index of fairness: 1 if all shares are equal, 1/n if one has everything.
pub fn jain(shares: &[f64]) -> f64 {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    if squares == 0.0 { 1.0 } else { sum * sum / (shares.len() as f64 * squares) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn it_sees_one_too_many_and_not_one_too_few() {
        let quota = Quota::new(10, Duration::from_secs(1), 3).unwrap();
        let at = |ms: &[u64]| {
            let mut times: Vec<_> = ms.iter().map(|ms| Timestamp::from_micros(1_000_000 + ms * 1_000)).collect();
            excess(&quota, &mut times)
        };
        assert!(at(&[0, 0, 0]) <= 0.0);
        assert!((at(&[0, 0, 0, 0]) - 1.0).abs() < 1e-9);
        assert!(at(&[0, 0, 0, 100, 200, 300]) <= 0.0);
        assert!((at(&[0, 0, 0, 50, 100]) - 1.0).abs() < 1e-9);
        assert!(at(&[]) < 0.0);
    }

    #[test]
    fn fairness() {
        assert!((jain(&[1.0, 1.0, 1.0]) - 1.0).abs() < 1e-9);
        assert!((jain(&[1.0, 0.0, 0.0, 0.0]) - 0.25).abs() < 1e-9);
    }
}
