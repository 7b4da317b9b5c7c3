//! How much: a rate and a burst, checked once.

use std::time::Duration;

use crate::Span;

/// `limit` requests per `period`, at most `burst` of them at once.
///
/// *Burst* is what people get wrong most often: it is the size of the bucket, not something on top of the rate. With
/// a limit of 100 per minute and a burst of 20, an idle client may send 20 requests at once and from then on one
/// every 600 ms; in any minute at most 120 pass, in any hour at most 6020.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quota {
    limit: u64,
    period: Duration,
    burst: u64,
    interval: Span,
    life: Span,
}

/// Why a rate and a burst are not a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuotaError {
    /// A limit of nothing per period.
    #[error("the limit is zero")]
    ZeroLimit,
    /// Something per no time.
    #[error("the period is zero")]
    ZeroPeriod,
    /// A bucket that holds nothing admits nobody, ever.
    #[error("the burst is zero")]
    ZeroBurst,
    /// Faster than the arithmetic is exact for.
    #[error("{limit} per {period:?} is more than 5000000 per second")]
    TooFast {
        /// Requests per period.
        limit: u64,
        /// The period.
        period: Duration,
    },
    /// More at once than the arithmetic inside the store is exact for.
    #[error("a burst of {burst} is more than 536870912")]
    BurstTooLarge {
        /// The burst.
        burst: u64,
    },
    /// A bucket that takes more than 50 years to fill.
    #[error("a burst of {burst} at {limit} per {period:?} takes more than 50 years to refill")]
    TooSlow {
        /// Requests per period.
        limit: u64,
        /// The period.
        period: Duration,
        /// The burst.
        burst: u64,
    },
}

/// The shortest interval between slots: 5 000 000 per second.
const INTERVAL_MIN: Span = Span::fraction_of(200, 1);
/// 2²⁹: times a 24-bit fraction it stays below 2⁵³, where the doubles of a script inside Redis are exact.
const BURST_MAX: u64 = 1 << 29;
/// 50 years: a bucket that became full before the store's epoch, 1970, could not be told apart from one that did so
/// at it. Added to today's microseconds it also stays below 2⁵³.
const REFILL_MAX: Span = Span::from_micros(50 * 366 * 86_400 * 1_000_000);

impl Quota {
    /// A quota of `limit` per `period` with `burst` at once, if the arithmetic can keep it exactly.
    pub fn new(limit: u64, period: Duration, burst: u64) -> Result<Self, QuotaError> {
        if limit == 0 {
            return Err(QuotaError::ZeroLimit);
        }
        if period.is_zero() {
            return Err(QuotaError::ZeroPeriod);
        }
        if burst == 0 {
            return Err(QuotaError::ZeroBurst);
        }
        if burst > BURST_MAX {
            return Err(QuotaError::BurstTooLarge { burst });
        }
        let interval = Span::fraction_of(period.as_nanos(), u128::from(limit));
        if interval < INTERVAL_MIN {
            return Err(QuotaError::TooFast { limit, period });
        }
        if interval.times(burst) > REFILL_MAX {
            return Err(QuotaError::TooSlow { limit, period, burst });
        }
        Ok(Self { limit, period, burst, interval, life: interval.times(burst - 1) })
    }

    /// The share of one of `instances`: the rate and the burst divided by their number, the burst at least 1. `None` if
    /// that is too slow to be kept exactly.
    pub fn share(&self, instances: u32) -> Option<Self> {
        let instances = instances.max(1);
        Self::new(self.limit, self.period.checked_mul(instances)?, (self.burst / u64::from(instances)).max(1)).ok()
    }

    /// Requests per [`Quota::period`].
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// What [`Quota::limit`] is counted over.
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// The most that pass at once.
    pub const fn burst(&self) -> u64 {
        self.burst
    }

    /// T: how far slots are apart. Rounded up to a tick, so that the rate is never exceeded.
    pub const fn interval(&self) -> Span {
        self.interval
    }

    /// (burst − 1)·T: how long after its time a slot may still be spent.
    pub const fn life(&self) -> Span {
        self.life
    }

    /// The longest that Traefik holds a request instead of refusing it: half of what one token takes, at most half a
    /// second (`pkg/middlewares/ratelimiter/rate_limiter.go`, v3.7: 500 ms below 1/s, else 1 s / (2·⌊rate⌋)).
    pub fn traefik_max_delay(&self) -> Duration {
        let per_second = u128::from(self.limit) * 1_000_000_000 / self.period.as_nanos();
        match u64::try_from(per_second) {
            Ok(0) => Duration::from_millis(500),
            Ok(whole) => Duration::from_nanos(1_000_000_000 / whole.saturating_mul(2)),
            Err(_) => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_kept_is_refused() {
        let second = Duration::from_secs(1);
        assert_eq!(Quota::new(0, second, 1), Err(QuotaError::ZeroLimit));
        assert_eq!(Quota::new(1, Duration::ZERO, 1), Err(QuotaError::ZeroPeriod));
        assert_eq!(Quota::new(1, second, 0), Err(QuotaError::ZeroBurst));
        assert!(matches!(Quota::new(5_000_001, second, 1), Err(QuotaError::TooFast { .. })));
        assert!(matches!(Quota::new(1, second, 1 << 30), Err(QuotaError::BurstTooLarge { .. })));
        assert!(matches!(Quota::new(1, Duration::from_hours(24), 40_000), Err(QuotaError::TooSlow { .. })));
    }

    #[test]
    fn the_long_run_rate_is_exact_to_a_millionth() {
        for (limit, period) in [
            (1, Duration::from_hours(24)),
            (100, Duration::from_mins(1)),
            (7, Duration::from_secs(3)),
            (299_993, Duration::from_secs(1)),
            (4_999_999, Duration::from_secs(1)),
            (5_000_000, Duration::from_secs(1)),
            (1, Duration::from_nanos(333)),
        ] {
            let quota = Quota::new(limit, period, 1).unwrap();
            let slots = 1_000_000_u64;
            let spent = quota.interval().times(slots).to_duration().as_nanos();
            let exact = period.as_nanos() * u128::from(slots) / u128::from(limit);
            assert!(spent >= exact, "{limit} per {period:?} is exceeded");
            assert!((spent - exact) * 1_000_000 <= exact, "{limit} per {period:?} is not reached");
        }
    }

    /// Traefik's derived parameters, as computed from its source (cases §1.1, §1.3).
    #[test]
    fn the_delay_is_traefiks() {
        for (limit, period_ms, delay_micros) in [
            (1, 1_000, 500_000),
            (2, 1_000, 250_000),
            (3, 2_000, 500_000),
            (10, 1_000, 50_000),
            (100, 1_000, 5_000),
            (200, 1_000, 2_500),
            (1_000, 1_000, 500),
            (100, 60_000, 500_000),
            (10, 60_000, 500_000),
            (2, 10_000, 500_000),
            (1, 3_600_000, 500_000),
            (50, 500, 5_000),
            (7, 3_000, 250_000),
        ] {
            let quota = Quota::new(limit, Duration::from_millis(period_ms), 10).unwrap();
            assert_eq!(quota.traefik_max_delay(), Duration::from_micros(delay_micros), "{limit} per {period_ms} ms");
        }
    }
}
