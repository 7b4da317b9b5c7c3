//! The only place that reads time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tollgate_limiter::{Monotonic, Timestamp};

/// A monotonic clock: the operating system's, or one that a test moves.
#[derive(Debug, Clone)]
pub struct Clock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    /// When it was made, by its own measure and in microseconds since 1970.
    System(Instant, u64),
    Fake(FakeClock),
}

/// A clock that stands still until it is told to move.
#[derive(Debug, Clone, Default)]
pub struct FakeClock(Arc<AtomicU64>);

impl Clock {
    /// The operating system's monotonic clock.
    pub fn system() -> Self {
        #[allow(clippy::disallowed_methods, reason = "this is where time comes in")]
        let (start, wall) = (Instant::now(), SystemTime::now());
        let since = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(Kind::System(start, u64::try_from(since.as_micros()).unwrap_or(0)))
    }

    /// A clock that `fake` moves.
    pub fn fake(fake: &FakeClock) -> Self {
        Self(Kind::Fake(fake.clone()))
    }

    /// Now.
    pub fn now(&self) -> Monotonic {
        match &self.0 {
            Kind::System(start, _) => Monotonic(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)),
            Kind::Fake(fake) => Monotonic(fake.0.load(Ordering::SeqCst)),
        }
    }
}

impl Clock {
    /// The time since 1970 that a monotonic moment is at: for the calendar of this process's own windows. It goes on as
    /// evenly as the monotonic clock, whatever is done to the wall clock meanwhile.
    pub(crate) fn calendar_time(&self, now: Monotonic) -> Timestamp {
        let start = match &self.0 {
            Kind::System(_, start) => *start,
            Kind::Fake(_) => FAKE_CALENDAR_MICROS,
        };
        Timestamp::from_micros(start + now.0 / 1_000)
    }
}

/// 2024-01-01 00:00 UTC, a Monday.
const FAKE_CALENDAR_MICROS: u64 = 1_704_067_200_000_000;

/// The memory store's own time at a monotonic moment. Its epoch lies further back than any bucket takes to fill, so
/// that there is always a time at which the bucket of a new key became full.
pub(crate) const fn memory_time(now: Monotonic) -> Timestamp {
    Timestamp::from_micros(MEMORY_EPOCH_MICROS + now.0 / 1_000)
}

/// Two centuries; a quota takes at most 50 years to fill its bucket.
const MEMORY_EPOCH_MICROS: u64 = 200 * 366 * 86_400 * 1_000_000;

impl FakeClock {
    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }
}
