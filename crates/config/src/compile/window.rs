//! `quotas`: how many requests may pass in longer windows.

use std::fmt::Display;
use std::time::Duration;

use jiff::tz::TimeZoneDatabase;
use tollgate_limiter::window::{self, Unit, Window, WindowError};

use super::notes::{Advise, Noted, Notes};
use crate::checked::{RateLimit, WindowQuota};
use crate::duration::SignedDuration;
use crate::dynamic::WindowQuota as Written;
use crate::suggest;

/// The windows that have a name, with their length where they slide.
const NAMED: [(Unit, Duration); 4] =
    [(Unit::Hour, hours(1)), (Unit::Day, hours(24)), (Unit::Week, hours(7 * 24)), (Unit::Month, hours(30 * 24))];

const fn hours(hours: u64) -> Duration {
    Duration::from_secs(3600 * hours)
}

/// What `window` may be.
const WINDOWS: &str = "use hour, day, week or month (by the calendar), or a duration from 1s to 8784h (any stretch of \
                       that length)";

/// Checks the quotas written at `at`. All mistakes are noted, not the first.
pub(super) fn compile(written: &[Written], at: &str, notes: &mut Notes<'_>) -> Result<Vec<WindowQuota>, Noted> {
    if written.len() > RateLimit::QUOTAS_MAX {
        let message = format!("{} quotas are more than {}", written.len(), RateLimit::QUOTAS_MAX);
        notes.error("too-many-quotas", at, message).advise("each is looked at for every request");
        return Err(Noted);
    }
    // Every one is looked at, though the first mistake disables them all.
    let checked: Vec<_> =
        written.iter().enumerate().map(|(index, written)| one(written, &format!("{at}[{index}]"), notes)).collect();
    let quotas = checked.into_iter().collect::<Result<Vec<_>, _>>()?;
    for (index, quota) in quotas.iter().enumerate() {
        if let Some(first) = quotas[..index].iter().position(|other| other.name == quota.name) {
            let message = format!("there is a quota named {} already: quotas[{first}]", quota.name);
            notes
                .error("quota-twice", &format!("{at}[{index}]"), message)
                .advise("a limit has one quota for each window; the smaller one counts, so keep that");
            return Err(Noted);
        }
    }
    Ok(quotas)
}

fn one(written: &Written, at: &str, notes: &mut Notes<'_>) -> Result<WindowQuota, Noted> {
    let limit = u64::try_from(written.limit).map_err(|_| negative(written.limit, &format!("{at}.limit"), notes))?;
    let quota = match form(written, at, notes)? {
        Form::Calendar(unit) => {
            let zone = if written.time_zone.is_empty() { "UTC" } else { &written.time_zone };
            window::WindowQuota::calendar(limit, unit, zone)
        }
        Form::Sliding(length) => window::WindowQuota::sliding(limit, length),
    };
    let quota = quota.map_err(|error| refused(&error, at, notes))?;
    Ok(WindowQuota { name: name(quota.window()), quota })
}

/// The two forms of a window.
enum Form {
    Calendar(Unit),
    Sliding(Duration),
}

fn form(written: &Written, at: &str, notes: &mut Notes<'_>) -> Result<Form, Noted> {
    let text = written.window.as_str();
    let named = NAMED.into_iter().find(|(unit, _)| unit.as_str().eq_ignore_ascii_case(text));
    let length = match (named, written.sliding) {
        (Some((unit, _)), None | Some(false)) => return Ok(Form::Calendar(unit)),
        (Some((_, length)), Some(true)) => length,
        (None, sliding) => {
            let length = length(text, &format!("{at}.window"), notes)?;
            if sliding == Some(false) {
                let message = format!("a window of {text} begins nowhere in the calendar: it always slides");
                notes
                    .error("sliding-window", &format!("{at}.sliding"), message)
                    .advise("remove sliding, or set window to hour, day, week or month");
                return Err(Noted);
            }
            length
        }
    };
    if !written.time_zone.is_empty() {
        let message = "timeZone is not used: a sliding window is the same everywhere";
        notes
            .warning("time-zone-unused", &format!("{at}.timeZone"), message)
            .advise("for days that begin at midnight set window to day, without sliding");
    }
    Ok(Form::Sliding(length))
}

fn length(text: &str, at: &str, notes: &mut Notes<'_>) -> Result<Duration, Noted> {
    if text.is_empty() {
        notes.error("no-window", at, "window is required").advise(WINDOWS);
        return Err(Noted);
    }
    let Ok(length) = SignedDuration::parse(text) else {
        let message = format!("{text:?} is no window: neither a word for one nor a duration");
        notes.error("not-a-window", at, message).advise(window_advice(text));
        return Err(Noted);
    };
    length.to_duration().ok_or_else(|| negative(length, at, notes))
}

fn negative(value: impl Display, at: &str, notes: &mut Notes<'_>) -> Noted {
    notes.error("negative-value", at, format!("negative value not valid: {value}")).advise("remove the minus");
    Noted
}

/// Says what the limiter has against a quota.
fn refused(error: &WindowError, at: &str, notes: &mut Notes<'_>) -> Noted {
    let (code, option, hint) = match error {
        WindowError::Limit { .. } => {
            ("impossible-quota", "limit", "limit is how many requests may pass in one window".to_owned())
        }
        WindowError::Length { .. } => {
            let hint = "for less than a second use the rate of the limit; 366 days are 8784h";
            ("impossible-quota", "window", hint.to_owned())
        }
        WindowError::TimeZone { name } => ("unknown-time-zone", "timeZone", zone_advice(name)),
    };
    notes.error(code, &format!("{at}.{option}"), error.to_string()).advise(hint);
    Noted
}

/// Go's durations end with the hour; what people write for a day has a number and one letter more.
fn window_advice(text: &str) -> String {
    let number = |unit| text.strip_suffix(unit).and_then(|number| number.parse::<u32>().ok()).map(u64::from);
    if let Some(days) = number('d').or_else(|| number('w').map(|weeks| 7 * weeks)) {
        return format!("the longest unit of a duration is the hour: write {}h", 24 * days);
    }
    match suggest::closest(text, NAMED.map(|(unit, _)| unit.as_str())) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None => WINDOWS.to_owned(),
    }
}

fn zone_advice(written: &str) -> String {
    match closest_zone(written) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None => "use a name of the IANA, like Europe/Berlin or UTC".to_owned(),
    }
}

/// The zone with a name like this one, or with a city like it.
fn closest_zone(written: &str) -> Option<String> {
    let zones: Vec<_> = TimeZoneDatabase::bundled().available().map(|zone| zone.as_str().to_owned()).collect();
    let meant = suggest::closest(written, zones.iter().map(String::as_str)).map(str::to_owned);
    meant.or_else(|| {
        let city = |zone: &String| zone.rsplit_once('/').is_some_and(|(_, city)| is_same_word(city, written));
        zones.into_iter().find(city)
    })
}

fn is_same_word(city: &str, written: &str) -> bool {
    city.eq_ignore_ascii_case(&written.replace(' ', "_"))
}

/// `day`, `1h30m`: what is counted in, in as few letters as say it.
fn name(window: &Window) -> String {
    match window {
        Window::Calendar(calendar) => calendar.unit().as_str().to_owned(),
        Window::Sliding(sliding) => {
            let nanoseconds = i64::try_from(sliding.length().as_nanos()).unwrap_or(i64::MAX);
            let mut name = SignedDuration::from_nanos(nanoseconds).to_string();
            // Go says 24h0m0s, and reads 24h as the same.
            for ending in ["m0s", "h0m"] {
                if name.ends_with(ending) {
                    name.truncate(name.len() - 2);
                }
            }
            name
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_windows_are_short_and_read_back_as_their_length() {
        for (text, expected) in [
            ("1h", "1h"),
            ("60", "1m"),
            ("90m", "1h30m"),
            ("90s", "1m30s"),
            ("10s", "10s"),
            ("30m0s", "30m"),
            ("1h0m10s", "1h0m10s"),
            ("1.5s", "1.5s"),
            ("24h", "24h"),
            ("8784h", "8784h"),
        ] {
            let length = SignedDuration::parse(text).unwrap().to_duration().unwrap();
            let quota = window::WindowQuota::sliding(1, length).unwrap();
            let name = name(quota.window());
            assert_eq!(name, expected, "{text}");
            assert_eq!(SignedDuration::parse(&name).unwrap().to_duration(), Some(length), "{text}");
        }
    }

    #[test]
    fn every_zone_that_is_suggested_exists() {
        for (written, meant) in [
            ("Europe/Berlim", "Europe/Berlin"),
            ("europe-berlin", "Europe/Berlin"),
            ("berlin", "Europe/Berlin"),
            ("New York", "America/New_York"),
            ("Auckland", "Pacific/Auckland"),
        ] {
            assert_eq!(closest_zone(written).as_deref(), Some(meant), "{written}");
            assert!(window::WindowQuota::calendar(1, Unit::Day, meant).is_ok(), "{meant}");
        }
        assert_eq!(closest_zone("Middle/Earth"), None);
    }
}
