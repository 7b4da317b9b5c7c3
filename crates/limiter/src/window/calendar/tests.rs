//! Where the calendar turns, in the places where it does so oddly.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn second(text: &str) -> u64 {
    let moment: jiff::Timestamp = text.parse().unwrap();
    u64::try_from(moment.as_second()).unwrap()
}

fn around(unit: Unit, zone: &str, now: u64) -> [u64; 4] {
    Calendar::new(unit, zone).unwrap().around(Timestamp::from_micros(now * 1_000_000 + 999_999))
}

/// A moment, and where the window that it is in begins and ends, and the one after. Computed minute by minute from the
/// zone data of Python 3.13 and Debian: a day begins when a later date is first on the clock.
#[test]
fn windows_of_the_calendar() {
    use Unit::{Day, Hour, Month, Week};
    for (now, zone, unit, expected) in [
        // Days of 23 and 25 hours, and the week and the month with them.
        (
            "2026-03-29T12:00:00Z",
            "Europe/Berlin",
            Day,
            ["2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z"],
        ),
        (
            "2026-10-25T12:00:00Z",
            "Europe/Berlin",
            Day,
            ["2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", "2026-10-26T23:00:00Z"],
        ),
        (
            "2026-10-25T12:00:00Z",
            "Europe/Berlin",
            Week,
            ["2026-10-18T22:00:00Z", "2026-10-25T23:00:00Z", "2026-11-01T23:00:00Z"],
        ),
        (
            "2026-03-10T12:00:00Z",
            "Europe/Berlin",
            Month,
            ["2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z", "2026-04-30T22:00:00Z"],
        ),
        // Leap years, and the year.
        (
            "2024-02-29T23:30:00Z",
            "UTC",
            Month,
            ["2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z", "2024-04-01T00:00:00Z"],
        ),
        (
            "2024-02-29T23:30:00Z",
            "Europe/Berlin",
            Month,
            ["2024-02-29T23:00:00Z", "2024-03-31T22:00:00Z", "2024-04-30T22:00:00Z"],
        ),
        (
            "2025-12-31T20:00:00Z",
            "UTC",
            Month,
            ["2025-12-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"],
        ),
        // Offsets of 45 and 30 minutes.
        (
            "2026-06-15T18:14:59Z",
            "Asia/Kathmandu",
            Day,
            ["2026-06-14T18:15:00Z", "2026-06-15T18:15:00Z", "2026-06-16T18:15:00Z"],
        ),
        (
            "2026-06-15T18:15:00Z",
            "Asia/Kathmandu",
            Day,
            ["2026-06-15T18:15:00Z", "2026-06-16T18:15:00Z", "2026-06-17T18:15:00Z"],
        ),
        (
            "2026-06-15T18:14:59Z",
            "Asia/Kathmandu",
            Hour,
            ["2026-06-15T17:15:00Z", "2026-06-15T18:15:00Z", "2026-06-15T19:15:00Z"],
        ),
        (
            "2026-06-15T18:30:00Z",
            "Asia/Kolkata",
            Day,
            ["2026-06-15T18:30:00Z", "2026-06-16T18:30:00Z", "2026-06-17T18:30:00Z"],
        ),
        // Samoa had no 30 December 2011.
        (
            "2011-12-30T09:59:59Z",
            "Pacific/Apia",
            Day,
            ["2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"],
        ),
        (
            "2011-12-30T10:00:00Z",
            "Pacific/Apia",
            Day,
            ["2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z", "2012-01-01T10:00:00Z"],
        ),
        (
            "2011-12-30T10:00:00Z",
            "Pacific/Apia",
            Week,
            ["2011-12-26T10:00:00Z", "2012-01-01T10:00:00Z", "2012-01-08T10:00:00Z"],
        ),
        // The Line Islands went from 31 December 1994 to 1 January 1995 without one of them.
        (
            "1994-12-31T12:00:00Z",
            "Pacific/Kiritimati",
            Day,
            ["1994-12-31T10:00:00Z", "1995-01-01T10:00:00Z", "1995-01-02T10:00:00Z"],
        ),
        // No midnight: the day begins at one.
        (
            "2018-11-04T02:59:59Z",
            "America/Sao_Paulo",
            Day,
            ["2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"],
        ),
        (
            "2018-11-04T12:00:00Z",
            "America/Sao_Paulo",
            Day,
            ["2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z", "2018-11-06T02:00:00Z"],
        ),
        // Two midnights: the first.
        (
            "2020-11-01T05:30:00Z",
            "America/Havana",
            Day,
            ["2020-11-01T04:00:00Z", "2020-11-02T05:00:00Z", "2020-11-03T05:00:00Z"],
        ),
        // Back over midnight, at one minute past: the day that has begun goes on.
        (
            "2006-10-29T02:45:00Z",
            "America/St_Johns",
            Day,
            ["2006-10-29T02:30:00Z", "2006-10-30T03:30:00Z", "2006-10-31T03:30:00Z"],
        ),
        // Its hours: one minute, then 59.
        (
            "2006-10-29T02:30:30Z",
            "America/St_Johns",
            Hour,
            ["2006-10-29T02:30:00Z", "2006-10-29T02:31:00Z", "2006-10-29T03:30:00Z"],
        ),
        // Half an hour is put back or forth.
        (
            "2026-04-04T14:50:00Z",
            "Australia/Lord_Howe",
            Hour,
            ["2026-04-04T14:00:00Z", "2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z"],
        ),
        (
            "2026-10-03T15:20:00Z",
            "Australia/Lord_Howe",
            Hour,
            ["2026-10-03T14:30:00Z", "2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z"],
        ),
        // An hour that comes twice is two hours; one that does not come is none.
        (
            "2026-10-25T00:30:00Z",
            "Europe/Berlin",
            Hour,
            ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"],
        ),
        (
            "2026-03-29T00:59:59Z",
            "Europe/Berlin",
            Hour,
            ["2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"],
        ),
    ] {
        let [_, windows @ ..] = around(unit, zone, second(now));
        assert_eq!(windows, expected.map(second), "{unit:?} at {now} in {zone}");
    }
}

#[test]
fn times_that_no_store_has_do_no_harm() {
    for unit in [Unit::Hour, Unit::Day, Unit::Week, Unit::Month] {
        for now in [0, 1, 86_400 * 40, SECOND_MAX, SECOND_MAX + 1] {
            let starts = around(unit, "Asia/Kathmandu", now);
            assert!(starts.is_sorted(), "{unit:?} {now}: {starts:?}");
        }
        let calendar = Calendar::new(unit, "America/New_York").unwrap();
        assert!(calendar.around(Timestamp::from_micros(u64::MAX)).is_sorted());
    }
}

/// The zones that change their offset, each with the moments at which it does between 1971 and 2040.
fn changes() -> Vec<(String, Vec<i64>)> {
    let names: HashSet<_> = TimeZoneDatabase::bundled().available().map(|name| name.as_str().to_owned()).collect();
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort();
    let span =
        i64::try_from(second("1971-01-01T00:00:00Z")).unwrap()..i64::try_from(second("2040-01-01T00:00:00Z")).unwrap();
    let mut zones = Vec::new();
    for name in names {
        let Ok(calendar) = Calendar::new(Unit::Day, &name) else { continue };
        let following = calendar.zone.following(moment(span.start)).map(|change| change.timestamp().as_second());
        let changes: Vec<_> = following.take_while(|change| *change < span.end).collect();
        if !changes.is_empty() {
            zones.push((name, changes));
        }
    }
    assert!(zones.len() > 200, "the program has brought its zones");
    zones
}

/// The greatest date (or Monday, or first of a month) that was on the clock up to `now`, looking back for two days.
fn greatest_label(calendar: &Calendar, now: i64) -> Date {
    let mut moments = vec![now, now - 2 * 86_400];
    // Within an offset the clock only goes forward, so that the greatest label is met at its end.
    let changes = calendar.zone.preceding(moment(now + 1)).map(|change| change.timestamp().as_second());
    moments.extend(changes.take_while(|change| now - change <= 2 * 86_400).map(|change| change - 1));
    moments.into_iter().map(|moment| calendar.first_date(moment)).max().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Windows stand side by side without a gap and without overlapping, wherever one looks from, in every zone at its
    /// changes. Dates begin when they are first on the clock, and hours are an hour at most.
    #[test]
    fn windows_divide_time(
        zone in any::<prop::sample::Index>(),
        change in any::<prop::sample::Index>(),
        beside in prop_oneof![-2..=2_i64, -100_000..100_000_i64, -3_000_000..3_000_000_i64],
        unit in prop::sample::select(&[Unit::Hour, Unit::Day, Unit::Week, Unit::Month]),
    ) {
        thread_local!(static ZONES: Vec<(String, Vec<i64>)> = changes());
        let (name, now) = ZONES.with(|zones| {
            let (name, changes) = zone.get(zones);
            (name.clone(), change.get(changes) + beside)
        });
        let now = now.unsigned_abs();
        let [before, start, next, end] = around(unit, &name, now);
        prop_assert!(before < start && start <= now && now < next && next < end, "{name} {now}");
        for (moment, expected) in [(start, [before, start, next]), (next - 1, [before, start, next])] {
            prop_assert_eq!(&around(unit, &name, moment)[..3], expected);
        }
        prop_assert_eq!(&around(unit, &name, next)[..3], [start, next, end]);
        prop_assert_eq!(&around(unit, &name, start - 1)[1..], [before, start, next]);

        let calendar = Calendar::new(unit, &name).unwrap();
        if unit == Unit::Hour {
            prop_assert!(next - start <= 3_600);
        } else {
            let label = |second: u64| greatest_label(&calendar, second.cast_signed());
            prop_assert!(label(start - 1) < label(start));
            prop_assert_eq!(label(start), label(next - 1));
        }
    }
}
