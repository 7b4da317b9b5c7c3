//! Durations as Go and Traefik write them.
//!
//! Traefik's type is signed 64-bit nanoseconds. A whole number (or a string of digits) is
//! seconds; anything else is Go's syntax, `1h30m`, `250ms`, `-1.5s` (paerser `types.Duration`,
//! Go `time.ParseDuration`). Messages are Go's.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// A duration that may be negative, in nanoseconds. Prints as Go prints it: `1m0s`, `2.5ms`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignedDuration(i64);

/// A text that is no duration. Displays as Go's message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not a duration at all, or too long for 292 years.
    #[error("time: invalid duration {0:?}")]
    Invalid(String),
    /// A number without a unit.
    #[error("time: missing unit in duration {0:?}")]
    MissingUnit(String),
    /// A unit Go does not have.
    #[error("time: unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit {
        /// The unit that was written.
        unit: String,
        /// The whole text.
        text: String,
    },
}

impl SignedDuration {
    /// Whole seconds.
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(SECOND.cast_signed()))
    }

    /// Milliseconds.
    pub const fn from_millis(milliseconds: i64) -> Self {
        Self(milliseconds.saturating_mul(MILLISECOND.cast_signed()))
    }

    /// Nanoseconds.
    pub const fn from_nanos(nanoseconds: i64) -> Self {
        Self(nanoseconds)
    }

    /// Nanoseconds.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Whether it is below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Whether it is zero.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The same as an unsigned duration; `None` when negative.
    pub fn to_duration(self) -> Option<Duration> {
        u64::try_from(self.0).ok().map(Duration::from_nanos)
    }

    /// Parses a setting: whole numbers are seconds, the rest is Go's syntax.
    pub fn parse(text: &str) -> Result<Self, DurationError> {
        match text.parse::<i64>() {
            Ok(seconds) => seconds
                .checked_mul(SECOND.cast_signed())
                .map(Self)
                .ok_or_else(|| DurationError::Invalid(text.to_owned())),
            Err(_) => Self::parse_go(text),
        }
    }

    /// Parses Go's syntax alone (`time.ParseDuration`), where only `0` may lack a unit.
    pub fn parse_go(text: &str) -> Result<Self, DurationError> {
        let invalid = || DurationError::Invalid(text.to_owned());
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if unsigned == "0" {
            return Ok(Self(0));
        }
        if unsigned.is_empty() {
            return Err(invalid());
        }
        let mut total: u64 = 0;
        let mut rest = unsigned;
        while !rest.is_empty() {
            let (nanoseconds, tail) = one_term(text, rest)?;
            total = total.checked_add(nanoseconds).ok_or_else(invalid)?;
            if total > 1 << 63 {
                return Err(invalid());
            }
            rest = tail;
        }
        match (negative, i64::try_from(total)) {
            (false, Ok(nanoseconds)) => Ok(Self(nanoseconds)),
            (true, Ok(nanoseconds)) => Ok(Self(-nanoseconds)),
            // The one value whose magnitude has no positive twin.
            (true, Err(_)) => Ok(Self(i64::MIN)),
            (false, Err(_)) => Err(invalid()),
        }
    }
}

/// One number with its unit, in nanoseconds, and what follows it.
fn one_term<'a>(text: &str, rest: &'a str) -> Result<(u64, &'a str), DurationError> {
    let invalid = || DurationError::Invalid(text.to_owned());
    let (whole, after_whole) = split_while(rest, |c| c.is_ascii_digit());
    let (fraction, after_number) = match after_whole.strip_prefix('.') {
        Some(tail) => split_while(tail, |c| c.is_ascii_digit()),
        None => ("", after_whole),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(invalid());
    }
    let (unit, tail) = split_while(after_number, |c| c != '.' && !c.is_ascii_digit());
    if unit.is_empty() {
        return Err(DurationError::MissingUnit(text.to_owned()));
    }
    let scale = nanoseconds_per(unit)
        .ok_or_else(|| DurationError::UnknownUnit { unit: unit.to_owned(), text: text.to_owned() })?;
    let whole: u64 = match whole {
        "" => 0,
        digits => digits.parse().map_err(|_| invalid())?,
    };
    let nanoseconds = whole.checked_mul(scale).ok_or_else(invalid)?;
    nanoseconds
        .checked_add(fraction_of(fraction, scale))
        .filter(|&sum| sum <= 1 << 63)
        .map(|sum| (sum, tail))
        .ok_or_else(invalid)
}

/// `0.<digits>` of a unit, in nanoseconds rounded down. Digits beyond the 18th are below one.
fn fraction_of(digits: &str, scale: u64) -> u64 {
    let digits = &digits[..digits.len().min(18)];
    let numerator: u128 = digits.parse().unwrap_or(0);
    let denominator = 10u128.pow(digits.len() as u32);
    // Below `scale`, which is a u64.
    (numerator * u128::from(scale) / denominator) as u64
}

fn nanoseconds_per(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        // Micro sign and Greek mu, as in Go.
        "us" | "µs" | "μs" => MICROSECOND,
        "ms" => MILLISECOND,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        _ => return None,
    })
}

fn split_while(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text.split_at(end)
}

impl fmt::Display for SignedDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let nanoseconds = self.0.unsigned_abs();
        match nanoseconds {
            0 => f.write_str("0s"),
            1..MICROSECOND => write!(f, "{nanoseconds}ns"),
            MICROSECOND..MILLISECOND => decimal(f, nanoseconds, MICROSECOND, "µs"),
            MILLISECOND..SECOND => decimal(f, nanoseconds, MILLISECOND, "ms"),
            _ => {
                let (hours, minutes) = (nanoseconds / HOUR, nanoseconds / MINUTE);
                if hours > 0 {
                    write!(f, "{hours}h")?;
                }
                if minutes > 0 {
                    write!(f, "{}m", minutes % 60)?;
                }
                decimal(f, nanoseconds % MINUTE, SECOND, "s")
            }
        }
    }
}

/// `value / scale` with as many decimals as it needs.
fn decimal(f: &mut fmt::Formatter<'_>, value: u64, scale: u64, unit: &str) -> fmt::Result {
    let (whole, fraction) = (value / scale, value % scale);
    if fraction == 0 {
        return write!(f, "{whole}{unit}");
    }
    let width = scale.ilog10() as usize;
    let digits = format!("{fraction:0width$}");
    write!(f, "{whole}.{}{unit}", digits.trim_end_matches('0'))
}

impl Serialize for SignedDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_parse_as_in_traefik() {
        for (text, printed) in [
            ("10", "10s"),
            ("-1", "-1s"),
            ("0", "0s"),
            ("1.5s", "1.5s"),
            ("1h30m", "1h30m0s"),
            ("250ms", "250ms"),
            ("1us", "1µs"),
            ("1µs", "1µs"),
            (".5s", "500ms"),
            ("1.s", "1s"),
            ("-1s", "-1s"),
            ("+5s", "5s"),
            ("941.015082ms", "941.015082ms"),
            ("2m0.5s", "2m0.5s"),
            ("1h", "1h0m0s"),
            ("-2562047h47m16.854775808s", "-2562047h47m16.854775808s"),
        ] {
            let parsed = SignedDuration::parse(text).unwrap();
            assert_eq!(parsed.to_string(), printed, "{text}");
        }
    }

    #[test]
    fn refusals_use_the_words_of_go() {
        for (text, message) in [
            ("abc", r#"time: invalid duration "abc""#),
            ("", r#"time: invalid duration """#),
            ("true", r#"time: invalid duration "true""#),
            ("1d", r#"time: unknown unit "d" in duration "1d""#),
            ("1.500000", r#"time: missing unit in duration "1.500000""#),
            ("10 s", r#"time: unknown unit " s" in duration "10 s""#),
            (" 5s", r#"time: invalid duration " 5s""#),
            ("9223372036854775807", r#"time: invalid duration "9223372036854775807""#),
            ("3000000h", r#"time: invalid duration "3000000h""#),
            (".s", r#"time: invalid duration ".s""#),
        ] {
            let error = SignedDuration::parse(text).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }
}
