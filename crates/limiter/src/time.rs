//! Moments and lengths of store time. No clock: the store tells the time, everything here only adds it up.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// Bits behind the binary point: a tick is 2⁻²⁴ µs, about 60 femtoseconds.
///
/// An interval between slots is rounded *up* to a tick, so rounding never admits a request too many, and at the
/// fastest rate allowed (5 000 000 per second, 0.2 µs apart) the long-run rate is still exact to 0.3 ppm. The
/// scripts that run inside Redis do the same arithmetic on pairs of doubles, microseconds and ticks; 24 bits leave
/// every product of theirs below 2⁵³.
pub(crate) const FRACTION_BITS: u32 = 24;
const TICKS_PER_MICRO: u128 = 1 << FRACTION_BITS;

/// A moment on a store's clock, in ticks of 2⁻²⁴ µs since that store's epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u128);

/// A length of store time, never negative, in ticks of 2⁻²⁴ µs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(u128);

impl Timestamp {
    /// Whole microseconds since the store's epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Self((micros as u128) << FRACTION_BITS)
    }

    /// Microseconds and ticks since the store's epoch, as [`Timestamp::micros`] and [`Timestamp::fraction`] gave them.
    pub const fn from_parts(micros: u64, fraction: u32) -> Self {
        Self(((micros as u128) << FRACTION_BITS) + fraction as u128)
    }

    /// The whole microseconds, rounded down.
    pub const fn micros(self) -> u64 {
        (self.0 >> FRACTION_BITS) as u64
    }

    /// The ticks beyond the whole microseconds: less than 2²⁴.
    pub const fn fraction(self) -> u32 {
        (self.0 & (TICKS_PER_MICRO - 1)) as u32
    }

    /// The first whole microsecond that is not before this.
    pub const fn to_micros_up(self) -> Self {
        Self::from_micros(self.micros() + (self.fraction() > 0) as u64)
    }

    /// The moment `span` before this, if it is not before the epoch.
    pub(crate) const fn since_start(self, span: Span) -> Option<Self> {
        match self.0.checked_sub(span.0) {
            Some(ticks) => Some(Self(ticks)),
            None => None,
        }
    }

    /// The last moment before this.
    pub(crate) const fn just_before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// The moment `span` before this, or the epoch if that would lie before it.
    pub const fn before(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({} µs + {}/2^{FRACTION_BITS})", self.micros(), self.fraction())
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// Whole microseconds.
    pub const fn from_micros(micros: u64) -> Self {
        Self((micros as u128) << FRACTION_BITS)
    }

    /// `nanos / parts` nanoseconds, rounded up to a tick.
    pub(crate) const fn fraction_of(nanos: u128, parts: u128) -> Self {
        Self((nanos << FRACTION_BITS).div_ceil(1_000 * parts))
    }

    /// This span `times` over.
    pub const fn times(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times as u128))
    }

    /// One of `parts` equal parts of this span, rounded down to a tick.
    pub(crate) const fn part(self, parts: u32) -> Self {
        Self(self.0 / parts as u128)
    }

    /// How often `part` fits into this span.
    pub(crate) const fn div(self, part: Self) -> u64 {
        let times = self.0 / part.0;
        if times > u64::MAX as u128 { u64::MAX } else { times as u64 }
    }

    /// The whole microseconds, rounded down.
    pub const fn micros(self) -> u64 {
        (self.0 >> FRACTION_BITS) as u64
    }

    /// The ticks beyond the whole microseconds: less than 2²⁴.
    pub const fn fraction(self) -> u32 {
        (self.0 & (TICKS_PER_MICRO - 1)) as u32
    }

    /// True if this is no time at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// What is left after taking `other` away; zero if nothing is.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// As a [`Duration`], rounded up to a nanosecond: whoever waits that long has waited long enough.
    pub const fn to_duration(self) -> Duration {
        let nanos = self.0.saturating_mul(1_000).div_ceil(TICKS_PER_MICRO);
        Duration::new((nanos / 1_000_000_000) as u64, (nanos % 1_000_000_000) as u32)
    }
}

impl From<Duration> for Span {
    /// Exact to a tick, rounded down.
    fn from(duration: Duration) -> Self {
        Self((duration.as_nanos() << FRACTION_BITS) / 1_000)
    }
}

impl Add for Span {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Span {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;

    fn sub(self, span: Span) -> Self {
        self.before(span)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Span({} µs + {}/2^{FRACTION_BITS})", self.micros(), self.fraction())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_round_trip() {
        let moment = Timestamp::from_parts(1_795_456_501_054_579, 12_345);
        assert_eq!((moment.micros(), moment.fraction()), (1_795_456_501_054_579, 12_345));
    }

    #[test]
    fn a_duration_made_of_a_span_is_never_shorter() {
        for (nanos, parts) in [(1_000_000_000, 3), (1_000, 7), (60_000_000_000, 100)] {
            let span = Span::fraction_of(nanos, parts);
            assert!(Span::from(span.to_duration()) + Span::fraction_of(1, 1_000) >= span);
            assert!(span.to_duration().as_nanos() * parts >= nanos);
        }
    }

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        assert_eq!(Timestamp::from_micros(5).before(Span::from_micros(9)), Timestamp::from_micros(0));
        assert_eq!(Timestamp::from_micros(5).since(Timestamp::from_micros(9)), Span::ZERO);
        assert_eq!(Span::from_micros(u64::MAX).to_duration(), Duration::from_micros(u64::MAX));
    }
}
