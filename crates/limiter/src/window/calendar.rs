//! Where the calendar turns.

use std::fmt;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{Span, ToSpan as _};

use super::WindowError;
use crate::Timestamp;

/// A unit of the calendar in a time zone.
///
/// The zones are those that the program brings with it. A day begins with the first moment of its date, which need
/// not be midnight and need not be 24 hours before the next; a week with its Monday, a month with its first.
/// Days that a zone has skipped are not there. When clocks are put back over midnight, the day that had begun goes on.
/// Hours are hours of the clock, so that in a zone of +05:45 they begin at a quarter past those of UTC; where the offset
/// changes within one, a new one begins.
#[derive(Clone, PartialEq, Eq)]
pub struct Calendar {
    unit: Unit,
    zone: TimeZone,
}

/// A unit of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// An hour of the clock.
    Hour,
    /// A day.
    Day,
    /// A week, from Monday on.
    Week,
    /// A month.
    Month,
}

/// The last second that the clocks of the scripts inside a store can tell in microseconds: in the year 2255.
const SECOND_MAX: u64 = (1 << 53) / 1_000_000;

impl Calendar {
    pub(super) fn new(unit: Unit, time_zone: &str) -> Result<Self, WindowError> {
        // Not the system's zones: every instance has to know the same ones, and nothing is read here.
        match TimeZoneDatabase::bundled().get(time_zone) {
            Ok(zone) if zone.iana_name().is_some() && !zone.is_unknown() => Ok(Self { unit, zone }),
            _ => Err(WindowError::TimeZone { name: time_zone.to_owned() }),
        }
    }

    /// What turns.
    pub const fn unit(&self) -> Unit {
        self.unit
    }

    /// The IANA name of the zone it turns in.
    pub fn time_zone(&self) -> &str {
        self.zone.iana_name().expect("a zone was found by its name")
    }

    /// The beginnings of the window before the one that `now` is in, of that one, of the next, and its end: seconds
    /// since 1970, each later than the one before unless it would be earlier than 1970.
    pub(super) fn around(&self, now: Timestamp) -> [u64; 4] {
        let now = (now.micros() / 1_000_000).min(SECOND_MAX).cast_signed();
        let starts = match self.unit {
            Unit::Hour => self.hours(now),
            Unit::Day | Unit::Week | Unit::Month => self.dates(now),
        };
        starts.map(|second| u64::try_from(second).unwrap_or(0))
    }

    fn dates(&self, now: i64) -> [i64; 4] {
        let mut date = self.first_date(now);
        // The date of now may have begun later than now: its beginning is met twice when clocks are put back over it.
        while self.start(date) > now {
            date = self.turn(date, -1);
        }
        while self.start(self.turn(date, 1)) <= now {
            date = self.turn(date, 1);
        }
        let start = self.start(date);
        let mut before = self.turn(date, -1);
        while self.start(before) == start {
            before = self.turn(before, -1);
        }
        let mut after = self.turn(date, 1);
        let next = self.start(after);
        while self.start(after) == next {
            after = self.turn(after, 1);
        }
        [self.start(before), start, next, self.start(after)]
    }

    /// The date that begins the unit which the date of `now` belongs to.
    fn first_date(&self, now: i64) -> Date {
        let date = self.zone.to_datetime(moment(now)).date();
        match self.unit {
            Unit::Hour | Unit::Day => date,
            Unit::Week => date.saturating_sub(i64::from(date.weekday().to_monday_zero_offset()).days()),
            Unit::Month => date.first_of_month(),
        }
    }

    fn turn(&self, date: Date, by: i64) -> Date {
        let span: Span = match self.unit {
            Unit::Hour | Unit::Day => by.days(),
            Unit::Week => by.weeks(),
            Unit::Month => by.months(),
        };
        date.saturating_add(span)
    }

    /// The first second of a date, or of the next one that there is.
    fn start(&self, date: Date) -> i64 {
        let midnight = self.zone.to_ambiguous_timestamp(date.at(0, 0, 0, 0));
        let skipped = matches!(midnight.offset(), AmbiguousOffset::Gap { .. });
        // Of two midnights the earlier.
        let start = midnight.compatible().expect("the years 1970 to 2255 are within the calendar");
        if skipped {
            // As much after the gap as midnight was within it; the date begins where the gap ends.
            return self.change_up_to(start.as_second()).unwrap_or(start.as_second());
        }
        start.as_second()
    }

    fn hours(&self, now: i64) -> [i64; 4] {
        let start = self.hour_start(now);
        let next = self.hour_end(start);
        [self.hour_start(start - 1), start, next, self.hour_end(next)]
    }

    fn hour_start(&self, now: i64) -> i64 {
        let offset = self.offset(now);
        let start = (now + offset).div_euclid(3_600) * 3_600 - offset;
        self.change_up_to(now).map_or(start, |change| change.max(start))
    }

    fn hour_end(&self, start: i64) -> i64 {
        let offset = self.offset(start);
        let end = (start + offset).div_euclid(3_600) * 3_600 + 3_600 - offset;
        let changes = self.zone.following(moment(start)).map(|change| change.timestamp().as_second());
        changes.take_while(|change| *change < end).find(|change| self.is_change(*change)).unwrap_or(end)
    }

    /// The last second up to `now` at which the offset changed, if it did within two days: nobody asks for more, and
    /// no date that was skipped was longer.
    fn change_up_to(&self, now: i64) -> Option<i64> {
        let changes = self.zone.preceding(moment(now + 1)).map(|change| change.timestamp().as_second());
        changes.take_while(|change| now - change <= 2 * 86_400).find(|change| self.is_change(*change))
    }

    /// The name of the offset may also change, and nothing else.
    fn is_change(&self, second: i64) -> bool {
        self.offset(second) != self.offset(second - 1)
    }

    fn offset(&self, now: i64) -> i64 {
        i64::from(self.zone.to_offset(moment(now)).seconds())
    }
}

fn moment(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(second).expect("the years 1970 to 2255 are within the calendar")
}

impl Unit {
    pub(crate) const fn nominal_length(self) -> Duration {
        let days = match self {
            Self::Hour => return Duration::from_hours(1),
            Self::Day => 1,
            Self::Week => 7,
            Self::Month => 30,
        };
        Duration::from_hours(24 * days)
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

impl fmt::Debug for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Calendar({:?} {})", self.unit, self.time_zone())
    }
}

#[cfg(test)]
mod tests;
