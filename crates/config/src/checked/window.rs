//! How many requests may pass in a longer window.

use std::fmt;
use std::time::Duration;

/// At most so many requests per key in a window, beside the rate of the limit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WindowQuota {
    /// Requests per window: 1 to 2⁵³, up to where the numbers of a script inside the store are exact.
    pub limit: u64,
    /// What they are counted in.
    pub window: Window,
    /// What names it in headers and logs: `day`, `30m`. It follows from the window alone, and no other quota of the
    /// limit has it.
    pub name: String,
}

/// What requests are counted in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Window {
    /// From one turn of the calendar to the next.
    Calendar {
        /// What turns.
        unit: Unit,
        /// Where it turns: a name of the IANA that there is, in its own spelling.
        time_zone: String,
    },
    /// Any stretch of this length: 1 s to 366 days.
    Sliding {
        /// How long.
        length: Duration,
    },
}

/// A unit of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// An hour of the clock.
    Hour,
    /// A day, from midnight to midnight.
    Day,
    /// A week, from Monday to Sunday.
    Week,
    /// A month.
    Month,
}

impl Unit {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// How long a sliding one is; a month is 30 days.
    pub fn length(self) -> Duration {
        let hours = match self {
            Self::Hour => 1,
            Self::Day => 24,
            Self::Week => 7 * 24,
            Self::Month => 30 * 24,
        };
        Duration::from_secs(hours * 3600)
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
