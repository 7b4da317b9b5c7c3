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
    let nanos = duration.as_nanos();
    match nanos {
        0 => "0s".into(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => decimal(nanos, 3) + "µs",
        1_000_000..1_000_000_000 => decimal(nanos, 6) + "ms",
        _ => {
            let seconds = duration.as_secs();
            let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
            let mut text = String::new();
            if hours > 0 {
                let _ = write!(text, "{hours}h");
            }
            if seconds >= 60 {
                let _ = write!(text, "{minutes}m");
            }
            text + &decimal(nanos % 60_000_000_000, 9) + "s"
        }
    }
}

/// `value / 10^digits` without trailing zeros.
fn decimal(value: u128, digits: u32) -> String {
    let scale = 10_u128.pow(digits);
    let (whole, part) = (value / scale, value % scale);
    if part == 0 {
        return whole.to_string();
    }
    let part = format!("{part:0width$}", width = digits as usize);
    format!("{whole}.{}", part.trim_end_matches('0'))
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
