//! Moments as logs print them, in UTC.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `23/Nov/2026:20:26:25 +0000`, as in the Common Log Format.
pub(crate) fn push_clf(out: &mut Vec<u8>, at: SystemTime) {
    thread_local! {
        static LAST: Last = const { Last::new(write_clf) };
    }
    LAST.with(|last| last.push(out, since_epoch(at).as_secs()));
}

/// `2026-11-23T20:26:25Z`, RFC 3339 in whole seconds.
pub(crate) fn push_seconds(out: &mut Vec<u8>, at: SystemTime) {
    push_date_time(out, since_epoch(at).as_secs());
    out.push(b'Z');
}

/// `2026-11-23T20:26:25.250634217Z`, RFC 3339 with as many digits of the second as there are (Go's `RFC3339Nano`).
pub(crate) fn push_nanos(out: &mut Vec<u8>, at: SystemTime) {
    let since = since_epoch(at);
    push_date_time(out, since.as_secs());
    if since.subsec_nanos() > 0 {
        out.push(b'.');
        push_padded(out, since.subsec_nanos(), 9);
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
    out.push(b'Z');
}

fn push_date_time(out: &mut Vec<u8>, second: u64) {
    thread_local! {
        static LAST: Last = const { Last::new(write_date_time) };
    }
    LAST.with(|last| last.push(out, second));
}

/// The text of a second. Most moments that are printed fall into the same second as the one before them.
struct Last {
    write: fn(&mut Vec<u8>, OffsetDateTime),
    text: RefCell<(u64, Vec<u8>)>,
}

impl Last {
    const fn new(write: fn(&mut Vec<u8>, OffsetDateTime)) -> Self {
        Self { write, text: RefCell::new((u64::MAX, Vec::new())) }
    }

    fn push(&self, out: &mut Vec<u8>, second: u64) {
        let (last, text) = &mut *self.text.borrow_mut();
        if *last != second {
            text.clear();
            (self.write)(text, civil(second));
            *last = second;
        }
        out.extend_from_slice(text);
    }
}

/// A decimal number.
pub(crate) fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// A duration in whole nanoseconds; one that does not fit (584 years) is the longest that does.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn write_clf(out: &mut Vec<u8>, at: OffsetDateTime) {
    push_padded(out, u32::from(at.day()), 2);
    out.push(b'/');
    out.extend_from_slice(MONTHS[usize::from(u8::from(at.month())) - 1].as_bytes());
    out.push(b'/');
    push_padded(out, at.year().unsigned_abs(), 4);
    out.push(b':');
    push_clock(out, at);
    out.extend_from_slice(b" +0000");
}

fn write_date_time(out: &mut Vec<u8>, at: OffsetDateTime) {
    push_padded(out, at.year().unsigned_abs(), 4);
    out.push(b'-');
    push_padded(out, u32::from(u8::from(at.month())), 2);
    out.push(b'-');
    push_padded(out, u32::from(at.day()), 2);
    out.push(b'T');
    push_clock(out, at);
}

fn push_clock(out: &mut Vec<u8>, at: OffsetDateTime) {
    push_padded(out, u32::from(at.hour()), 2);
    out.push(b':');
    push_padded(out, u32::from(at.minute()), 2);
    out.push(b':');
    push_padded(out, u32::from(at.second()), 2);
}

fn push_padded(out: &mut Vec<u8>, number: u32, width: usize) {
    let start = out.len();
    push_number(out, u64::from(number));
    for _ in out.len() - start..width {
        out.insert(start, b'0');
    }
}

/// A clock that is before the epoch reads as the epoch.
fn since_epoch(at: SystemTime) -> Duration {
    at.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The calendar's view of a second since the epoch. One that is out of the calendar's range reads as the epoch.
fn civil(second: u64) -> OffsetDateTime {
    let second = i64::try_from(second).ok();
    second.and_then(|second| OffsetDateTime::from_unix_timestamp(second).ok()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(push: fn(&mut Vec<u8>, SystemTime), at: SystemTime) -> String {
        let mut out = Vec::new();
        push(&mut out, at);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn moments_print_as_traefik_prints_them() {
        let at = UNIX_EPOCH + Duration::new(1_795_465_585, 250_634_200);
        assert_eq!(printed(push_clf, at), "23/Nov/2026:20:26:25 +0000");
        assert_eq!(printed(push_seconds, at), "2026-11-23T20:26:25Z");
        assert_eq!(printed(push_nanos, at), "2026-11-23T20:26:25.2506342Z");
        assert_eq!(printed(push_nanos, UNIX_EPOCH + Duration::new(1, 5)), "1970-01-01T00:00:01.000000005Z");
        assert_eq!(printed(push_nanos, UNIX_EPOCH), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn clocks_that_are_out_of_range_still_print() {
        assert_eq!(printed(push_seconds, UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00Z");
        let far = UNIX_EPOCH + Duration::from_secs(1 << 60);
        assert_eq!(printed(push_seconds, far), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn numbers_print() {
        for number in [0, 7, 10, 1_234_567_890, u64::MAX] {
            let mut out = Vec::new();
            push_number(&mut out, number);
            assert_eq!(out, number.to_string().into_bytes());
        }
    }
}
