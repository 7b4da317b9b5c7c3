//! Numbers as clients are told them.

use std::fmt::Write as _;
use std::time::Duration;

/// Whole seconds, rounded up, at least 1: the value of `Retry-After` (RFC 9110 §10.2.3), as Traefik computes it. A
/// client that waits that long has waited long enough.
pub fn retry_after(wait: Duration) -> u64 {
    seconds_up(wait).max(1)
}

/// Whole seconds, rounded up: the unit of the `X-Rate-Limit-Reset` and `-Period` fields.
pub fn seconds_up(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// A duration as Go prints it (`time.Duration.String`): `1h2m3.5s`, `97.68ms`, `1.5µs`, `0s`. Traefik's `X-Retry-In`
/// is written like this.
pub fn go_duration(duration: Duration) -> String {
    let mut text = String::with_capacity(24);
    let nanos = duration.subsec_nanos();
    match duration.as_secs() {
        0 if nanos == 0 => text.push_str("0s"),
        0 if nanos < 1_000 => push(&mut text, nanos.into(), 0, 0, "ns"),
        0 if nanos < 1_000_000 => push(&mut text, (nanos / 1_000).into(), nanos % 1_000, 3, "µs"),
        0 => push(&mut text, (nanos / 1_000_000).into(), nanos % 1_000_000, 6, "ms"),
        seconds => {
            if seconds >= 3_600 {
                push(&mut text, seconds / 3_600, 0, 0, "h");
            }
            if seconds >= 60 {
                push(&mut text, seconds / 60 % 60, 0, 0, "m");
            }
            push(&mut text, seconds % 60, nanos, 9, "s");
        }
    }
    text
}

/// `whole`, and `part / 10^digits` without trailing zeros, and the unit.
fn push(text: &mut String, whole: u64, part: u32, digits: usize, unit: &str) {
    // Writing to a string does not fail.
    let _ = write!(text, "{whole}");
    if part > 0 {
        let _ = write!(text, ".{part:0digits$}");
        text.truncate(text.trim_end_matches('0').len());
    }
    text.push_str(unit);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_printed_as_go_prints_them() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (941_015_082, "941.015082ms"),
            (940_920_000, "940.92ms"),
            (1_000_000_000, "1s"),
            (1_997_794_265, "1.997794265s"),
            (60_000_000_000, "1m0s"),
            (305_600_000_000, "5m5.6s"),
            (3_600_000_000_000, "1h0m0s"),
            (4_000_000_000_001, "1h6m40.000000001s"),
        ] {
            assert_eq!(go_duration(Duration::from_nanos(nanos)), text);
        }
    }

    #[test]
    fn waits_are_rounded_up() {
        assert_eq!(retry_after(Duration::from_nanos(1)), 1);
        assert_eq!(retry_after(Duration::from_millis(1_001)), 2);
        assert_eq!(retry_after(Duration::ZERO), 1);
        assert_eq!(seconds_up(Duration::ZERO), 0);
    }
}
