//! What an instance knows of the store's clock.

use std::time::Duration;

use crate::{Span, Timestamp};

/// How much faster or slower an instance's monotonic clock may run than the store's, in parts per million. Quartz
/// keeps within 100 and NTP slews by at most 500 for a while; the bounds are renewed by every reply, so that what
/// matters is the drift over seconds.
pub const DRIFT_PPM: u64 = 200;

/// A moment on this instance's own monotonic clock, in nanoseconds since some start. It never enters the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Monotonic(pub u64);

impl Monotonic {
    /// How long after `earlier` this is; zero if it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The moment `duration` after this.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// One look at the store's clock: what it said, and when it was asked and had answered on ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The time in the reply.
    pub store: Timestamp,
    /// When the question left.
    pub sent: Monotonic,
    /// When the answer was here.
    pub received: Monotonic,
}

/// The store's time, as far as an instance can know it: somewhere between two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreTime {
    /// It is at least this.
    pub earliest: Timestamp,
    /// It is at most this.
    pub latest: Timestamp,
}

impl Reading {
    /// The store's time at `now`. The reply's time was read between sending and receiving, so the store is at least
    /// as far on as if it had been read when the answer arrived, and at most as far as if it had been read when the
    /// question left. Clock drift widens both.
    pub fn at(&self, now: Monotonic) -> StoreTime {
        StoreTime {
            earliest: self.store + slowed(now.since(self.received)),
            latest: self.store + hastened(now.since(self.sent)),
        }
    }

    /// The first moment of ours at which the store's time may have reached `moment`. Before it, it has not.
    pub fn not_before(&self, moment: Timestamp) -> Monotonic {
        self.sent.after(to_slowed(moment.since(self.store)))
    }

    /// The first moment of ours at which the store's time has surely reached `moment`.
    pub fn surely_after(&self, moment: Timestamp) -> Monotonic {
        self.received.after(to_hastened(moment.since(self.store)))
    }
}

fn slowed(duration: Duration) -> Span {
    Span::from(duration.saturating_sub(duration / drift_part()))
}

fn hastened(duration: Duration) -> Span {
    Span::from(duration + duration / drift_part()) + Span::from_micros(1)
}

/// A length of store time on a clock of ours that may be slow: the least we may measure for it.
fn to_slowed(span: Span) -> Duration {
    let duration = span.to_duration().saturating_sub(Duration::from_micros(1));
    duration.saturating_sub(duration / drift_part())
}

/// A length of store time on a clock of ours that may be fast: the most we may measure for it.
fn to_hastened(span: Span) -> Duration {
    let duration = span.to_duration();
    duration + duration / (drift_part() - 1) + Duration::from_micros(1)
}

/// The store's clock counts whole microseconds, so that a reading may be up to one behind; the bounds allow for it.
const fn drift_part() -> u32 {
    (1_000_000 / DRIFT_PPM) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const READING: Reading = Reading {
        store: Timestamp::from_micros(5_000_000),
        sent: Monotonic(1_000_000),
        received: Monotonic(1_400_000),
    };

    #[test]
    fn the_bounds_hold_whatever_the_clocks_do_within_the_drift() {
        for (drift_ppm, read_at, later_ns) in
            [(-200_i64, 1_000_000_u64, 0_u64), (200, 1_400_000, 3_000_000_000), (0, 1_200_000, 1)]
        {
            // The store read its clock when ours said `read_at`, and runs `drift_ppm` faster than ours.
            let now = Monotonic(1_400_000 + later_ns);
            let ours = i128::from(now.0 - read_at);
            let theirs = ours + ours * i128::from(drift_ppm) / 1_000_000;
            let truth = READING.store + Span::from(Duration::from_nanos(u64::try_from(theirs).unwrap()));
            let known = READING.at(now);
            assert!(known.earliest <= truth && truth <= known.latest, "{drift_ppm} ppm, {later_ns} ns later");
        }
    }

    #[test]
    fn a_moment_is_not_expected_early_nor_promised_late() {
        let moment = Timestamp::from_micros(5_010_000);
        let not_before = READING.not_before(moment);
        assert!(READING.at(Monotonic(not_before.0 - 2_000)).latest < moment);
        let surely = READING.surely_after(moment);
        assert!(READING.at(surely).earliest >= moment);
    }
}
