//! The only place that reads time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tollgate_limiter::{Monotonic, Timestamp};

/// A monotonic clock: the operating system's, or one that a test moves.
#[derive(Debug, Clone)]
pub struct Clock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    System(Instant),
    Fake(FakeClock),
}

/// A clock that stands still until it is told to move.
#[derive(Debug, Clone, Default)]
pub struct FakeClock(Arc<AtomicU64>);

impl Clock {
    /// The operating system's monotonic clock.
    pub fn system() -> Self {
        #[allow(clippy::disallowed_methods, reason = "this is where time comes in")]
        Self(Kind::System(Instant::now()))
    }

    /// A clock that `fake` moves.
    pub fn fake(fake: &FakeClock) -> Self {
        Self(Kind::Fake(fake.clone()))
    }

    /// Now.
    pub fn now(&self) -> Monotonic {
        match &self.0 {
            Kind::System(start) => Monotonic(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)),
            Kind::Fake(fake) => Monotonic(fake.0.load(Ordering::SeqCst)),
        }
    }
}

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
