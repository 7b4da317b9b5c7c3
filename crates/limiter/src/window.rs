//! Quotas over long windows: at most so many requests of a key per hour, day, week or month.
//!
//! A window is one of two things.
//! - [`Calendar`]: from one turn of the calendar to the next in a time zone, whatever its length.
//! - [`Sliding`]: *any* stretch of a length *W*, closed at its beginning and open at its end.
//!
//! The promise is that no window ever holds more than [`WindowQuota::limit`] requests on the store's clock, whoever
//! asks, and whatever is lost, doubled or reordered between an instance and the store.
//!
//! # How it is kept
//!
//! Requests are counted in *slices* of time, and a permit counted in a slice can only be spent while the store's clock
//! is in that slice, before [`Taken::until`]. A calendar window is one slice. A sliding one is covered by
//! [`SLICES`] slices of *s = W / SLICES*, whose edges are multiples of *s* since the store's epoch. A stretch of
//! length *W* touches at most `SLICES + 1` of them; a permit is handed out only if the slices from `SLICES` before the
//! present one on hold fewer than the limit. So when the last of the permits that a stretch can have seen was handed
//! out, all the slices of that stretch were in the sum, and the sum was within the limit.
//!
//! What it costs: a permit comes back when its slice has surely left every stretch, at most one slice (1.7 % of the
//! window) later than it would from an exact log of all requests, and under steady overload at least
//! `SLICES / (SLICES + 1)` of the limit pass per window. What it saves: the state is bounded by 61 counts instead of
//! one entry per request.
//!
//! 60 slices, because hours, days, weeks and months then fall into whole minutes and seconds: with fewer, permits come
//! back later; with more, a busy key takes more memory.
//!
//! # What can happen
//!
//! - A permit that is not spent dies with its slice, or is given back ([`give_back`]). Both can only let fewer pass.
//!   A message that gives back counts once however often it arrives: it names the number of the returns that came
//!   before it.
//! - A store that forgets is healed by the first who asks and has not forgotten ([`Hint`]). What nobody remembers is
//!   lost: the limit is then exceeded by at most that.
//! - A store whose clock steps back by up to a minute hands out nothing until it is where it was. If it steps
//!   farther, that was an accident: what was counted in the time to come is counted as if it were now, so that no key
//!   stays refused until then.
//! - An instance cannot be sure of the store's time, and the script inside the store knows no calendars. So the
//!   instance sends a [`Frame`]: the calendar windows around the present.
//!
//! The script (`tollgate-store`, `window.lua`) is the twin of [`take`] and [`give_back`].
//!
//! ```
//! use tollgate_limiter::window::{self, Hint, Unit, Usage, WindowQuota};
//! use tollgate_limiter::{Ask, Timestamp};
//!
//! let quota = WindowQuota::calendar(1_000, Unit::Day, "Europe/Berlin")?;
//! let now = Timestamp::from_micros(1_774_738_800_000_000); // 2026-03-29 00:00 in Berlin, a day of 23 hours
//! let mut usage = Usage::default();
//! let slice = quota.slice(now);
//! let taken = window::take(&quota, &mut usage, &slice, now, Ask::up_to(1_500), Hint::default());
//! assert_eq!((taken.count, taken.remaining), (1_000, 0));
//! assert_eq!(taken.next_free.since(now).to_duration().as_secs(), 23 * 3_600);
//! # Ok::<(), tollgate_limiter::window::WindowError>(())
//! ```

use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

use crate::Timestamp;

mod calendar;
mod frame;
mod usage;

pub use calendar::{Calendar, Unit};
pub use frame::{Frame, Slice};
pub use usage::{BadUsage, GiveBack, Hint, Taken, Usage, give_back, take};

/// Slices of a sliding window.
pub const SLICES: u64 = 60;
/// 2⁵³: the numbers of the scripts inside a store are doubles, whole up to here. No count exceeds the limit, so no sum
/// of theirs does.
const LIMIT_MAX: u64 = 1 << 53;
/// What is shorter is a rate.
const LENGTH_MIN: Duration = Duration::from_secs(1);
/// What is longer nobody waits for; and a slice's microseconds times its number stay far below 2⁵³.
const LENGTH_MAX: Duration = Duration::from_secs(366 * 86_400);

/// At most `limit` requests of a key per window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowQuota {
    limit: u64,
    window: Window,
}

/// What requests are counted in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// From one turn of the calendar to the next.
    Calendar(Calendar),
    /// Any stretch of a length.
    Sliding(Sliding),
}

/// Any stretch of a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sliding {
    length: Duration,
    slice: NonZeroU64,
}

/// Why something is not a quota over a window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// Nothing per window, or more than can be counted.
    #[error("a quota of {limit} is not from 1 to 9007199254740992")]
    Limit {
        /// Requests per window.
        limit: u64,
    },
    /// Too short or too long.
    #[error("a window of {length:?} is not from 1 s to 366 days")]
    Length {
        /// Of the window.
        length: Duration,
    },
    /// A time zone that the IANA does not list.
    #[error("unknown time zone {name:?}")]
    TimeZone {
        /// As it was written.
        name: String,
    },
}

impl WindowQuota {
    /// `limit` requests (1 to 2⁵³) per calendar `unit` in the time zone of that IANA name.
    pub fn calendar(limit: u64, unit: Unit, time_zone: &str) -> Result<Self, WindowError> {
        Self::new(limit, Window::Calendar(Calendar::new(unit, time_zone)?))
    }

    /// `limit` requests (1 to 2⁵³) in any stretch of `length` (1 s to 366 days).
    pub fn sliding(limit: u64, length: Duration) -> Result<Self, WindowError> {
        Self::new(limit, Window::Sliding(Sliding::new(length)?))
    }

    fn new(limit: u64, window: Window) -> Result<Self, WindowError> {
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(WindowError::Limit { limit });
        }
        Ok(Self { limit, window })
    }

    /// The share of one of `instances`: at least one request per window.
    #[must_use]
    pub fn share(&self, instances: u32) -> Self {
        Self { limit: (self.limit / u64::from(instances.max(1))).max(1), window: self.window.clone() }
    }

    /// Requests per window.
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// How long a window is, for people: a month is 30 days, and no day has a clock put forward.
    pub fn nominal_length(&self) -> Duration {
        match &self.window {
            Window::Calendar(calendar) => calendar.unit().nominal_length(),
            Window::Sliding(sliding) => sliding.length(),
        }
    }

    /// What they are counted in.
    pub const fn window(&self) -> &Window {
        &self.window
    }

    /// What the store has to be told to find the slice it is in, if its time is about `now`.
    pub fn frame(&self, now: Timestamp) -> Frame {
        match &self.window {
            Window::Calendar(calendar) => Frame::Calendar { starts: calendar.around(now) },
            Window::Sliding(sliding) => Frame::Sliding { slice: sliding.slice },
        }
    }

    /// The slice at `now`. For calendars it is worth keeping the [`Frame`] and asking that.
    pub fn slice(&self, now: Timestamp) -> Slice {
        self.frame(now).current(now)
    }

    /// What stands for the limit `id` in the names of this quota's keys ([`crate::KeyBytes::digest`]).
    ///
    /// It contains the window, because what is counted in one window says nothing about another, and a space, which
    /// keeps it apart from the id of every limit: those end with `@` and their provider. The number of requests is not
    /// part of it: what was used stays used when the limit is raised or lowered.
    pub fn key_space(&self, id: &str) -> String {
        format!("{id} {}", self.window)
    }
}

impl Sliding {
    fn new(length: Duration) -> Result<Self, WindowError> {
        if !(LENGTH_MIN..=LENGTH_MAX).contains(&length) {
            return Err(WindowError::Length { length });
        }
        // Rounded up to whole microseconds, which is what a store's clock counts: the slices cover the window, and at
        // most 60 microseconds more.
        let slice = length.as_nanos().div_ceil(1_000 * u128::from(SLICES)) as u64;
        let slice = NonZeroU64::new(slice).expect("a window is a second at least");
        Ok(Self { length, slice })
    }

    /// How long a stretch is.
    pub const fn length(&self) -> Duration {
        self.length
    }
}

impl fmt::Display for Window {
    /// `day Europe/Berlin`, `sliding 3600000000us`: equal for equal windows, and for no others.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calendar(calendar) => write!(f, "{} {}", calendar.unit().as_str(), calendar.time_zone()),
            Self::Sliding(sliding) => write!(f, "sliding {}us", SLICES * sliding.slice.get()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_counted_is_refused() {
        let hour = Duration::from_hours(1);
        assert_eq!(WindowQuota::sliding(0, hour), Err(WindowError::Limit { limit: 0 }));
        assert!(WindowQuota::sliding(1 << 53, hour).is_ok());
        assert_eq!(WindowQuota::sliding((1 << 53) + 1, hour), Err(WindowError::Limit { limit: (1 << 53) + 1 }));
        for length in [Duration::from_millis(999), Duration::from_hours(366 * 24) + Duration::from_nanos(1)] {
            assert_eq!(WindowQuota::sliding(1, length), Err(WindowError::Length { length }));
        }
        for name in ["", "Europe/Berlim", "Etc/Unknown"] {
            let refused = WindowQuota::calendar(1, Unit::Day, name);
            assert_eq!(refused, Err(WindowError::TimeZone { name: name.into() }));
        }
    }

    #[test]
    fn the_slices_cover_the_window() {
        for (length, slice) in [
            (Duration::from_hours(1), 60_000_000),
            (Duration::from_hours(24), 1_440_000_000),
            (Duration::from_secs(1), 16_667),
            (Duration::from_nanos(1_000_000_001), 16_667),
            (Duration::from_secs(90), 1_500_000),
        ] {
            let quota = WindowQuota::sliding(1, length).unwrap();
            let frame = Frame::Sliding { slice: NonZeroU64::new(slice).unwrap() };
            assert_eq!(quota.frame(Timestamp::from_micros(0)), frame);
            assert!(Duration::from_micros(SLICES * slice) >= length);
        }
    }

    #[test]
    fn only_equal_windows_share_their_keys() {
        let spaces = [
            WindowQuota::calendar(5, Unit::Day, "europe/berlin"),
            WindowQuota::calendar(5, Unit::Day, "UTC"),
            WindowQuota::calendar(5, Unit::Hour, "UTC"),
            WindowQuota::sliding(5, Duration::from_hours(1)),
            WindowQuota::sliding(5, Duration::from_hours(24)),
        ]
        .map(|quota| quota.unwrap().key_space("api@file"));
        assert_eq!(spaces[0], "api@file day Europe/Berlin");
        assert_eq!(spaces[3], "api@file sliding 3600000000us");
        for (index, space) in spaces.iter().enumerate() {
            assert!(!spaces[..index].contains(space));
        }
        let raised = WindowQuota::calendar(50, Unit::Day, "Europe/Berlin").unwrap();
        assert_eq!(raised.key_space("api@file"), spaces[0], "what was used stays used");
    }
}
