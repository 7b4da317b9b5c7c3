//! `quotas`: how many requests may pass in longer windows.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::tz::{self, TimeZone};

use super::notes::{Advise, Noted, Notes};
use crate::checked::{RateLimit, Unit, Window, WindowQuota};
use crate::duration::SignedDuration;
use crate::dynamic::WindowQuota as Written;
use crate::suggest;

/// Up to 2⁵³ the doubles of a script inside the store are whole numbers.
const LIMIT: RangeInclusive<u64> = 1..=1 << 53;
/// What is shorter is a rate; what is longer nobody waits for.
const LENGTH: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(366 * DAY);
const DAY: u64 = 86_400;

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
    let limit = limit(written.limit, &format!("{at}.limit"), notes);
    let window = window(written, at, notes);
    let (limit, window) = (limit?, window?);
    let name = name(&window);
    Ok(WindowQuota { limit, window, name })
}

fn limit(written: i64, at: &str, notes: &mut Notes<'_>) -> Result<u64, Noted> {
    if let Some(limit) = u64::try_from(written).ok().filter(|limit| LIMIT.contains(limit)) {
        return Ok(limit);
    }
    let message = format!("a quota of {written} is not from {} to {}", LIMIT.start(), LIMIT.end());
    notes.error("impossible-quota", at, message).advise("limit is how many requests may pass in one window");
    Err(Noted)
}

fn window(written: &Written, at: &str, notes: &mut Notes<'_>) -> Result<Window, Noted> {
    let at_window = format!("{at}.window");
    let text = written.window.as_str();
    if text.is_empty() {
        notes.error("no-window", &at_window, "window is required").advise(WINDOWS);
        return Err(Noted);
    }
    let named = Unit::ALL.into_iter().find(|unit| unit.as_str().eq_ignore_ascii_case(text));
    let length = match named {
        Some(unit) if written.sliding != Some(true) => {
            let time_zone = time_zone(&written.time_zone, &format!("{at}.timeZone"), notes)?;
            return Ok(Window::Calendar { unit, time_zone });
        }
        Some(unit) => unit.length(),
        None => length(text, &at_window, notes)?,
    };
    if named.is_none() && written.sliding == Some(false) {
        let message = format!("a window of {text} begins nowhere in the calendar: it always slides");
        notes
            .error("sliding-window", &format!("{at}.sliding"), message)
            .advise("remove sliding, or set window to hour, day, week or month");
        return Err(Noted);
    }
    if !written.time_zone.is_empty() {
        let message = "timeZone is not used: a sliding window is the same everywhere";
        notes
            .warning("time-zone-unused", &format!("{at}.timeZone"), message)
            .advise("for days that begin at midnight set window to day, without sliding");
    }
    Ok(Window::Sliding { length })
}

fn length(text: &str, at: &str, notes: &mut Notes<'_>) -> Result<Duration, Noted> {
    let Ok(length) = SignedDuration::parse(text) else {
        let message = format!("{text:?} is no window: neither a word for one nor a duration");
        notes.error("not-a-window", at, message).advise(window_advice(text));
        return Err(Noted);
    };
    if let Some(length) = length.to_duration().filter(|length| LENGTH.contains(length)) {
        return Ok(length);
    }
    let message = format!("a window of {length} is not from 1s to 366 days");
    notes
        .error("not-a-window", at, message)
        .advise("for less than a second use the rate of the limit; 366 days are 8784h");
    Err(Noted)
}

/// Go's durations end with the hour; what people write for a day has a number and one letter more.
fn window_advice(text: &str) -> String {
    let number = |unit| text.strip_suffix(unit).and_then(|number| number.parse::<u32>().ok()).map(u64::from);
    if let Some(days) = number('d').or_else(|| number('w').map(|weeks| 7 * weeks)) {
        return format!("the longest unit of a duration is the hour: write {}h", 24 * days);
    }
    match suggest::closest(text, Unit::ALL.map(Unit::as_str)) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None => WINDOWS.to_owned(),
    }
}

/// The name of a time zone in the spelling of the IANA; none means UTC.
fn time_zone(written: &str, at: &str, notes: &mut Notes<'_>) -> Result<String, Noted> {
    if written.is_empty() {
        return Ok("UTC".to_owned());
    }
    let zone = TimeZone::get(written).ok().filter(|zone| !zone.is_unknown());
    if let Some(name) = zone.as_ref().and_then(TimeZone::iana_name) {
        return Ok(name.to_owned());
    }
    let hint = match closest_zone(written) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None => "use a name of the IANA, like Europe/Berlin or UTC".to_owned(),
    };
    notes.error("unknown-time-zone", at, format!("unknown time zone {written:?}")).advise(hint);
    Err(Noted)
}

/// The zone with a name like this one, or with a city like it.
fn closest_zone(written: &str) -> Option<String> {
    let zones: Vec<_> = tz::db().available().map(|zone| zone.as_str().to_owned()).collect();
    let meant = suggest::closest(written, zones.iter().map(String::as_str)).map(str::to_owned);
    meant.or_else(|| {
        let city = |zone: &String| zone.rsplit_once('/').is_some_and(|(_, city)| is_same_word(city, written));
        zones.into_iter().find(city)
    })
}

fn is_same_word(city: &str, written: &str) -> bool {
    city.eq_ignore_ascii_case(&written.replace(' ', "_"))
}

/// `day`, `90m`: what is counted in, in as few letters as say it.
fn name(window: &Window) -> String {
    match window {
        Window::Calendar { unit, .. } => unit.to_string(),
        Window::Sliding { length } => {
            let nanoseconds = i64::try_from(length.as_nanos()).unwrap_or(i64::MAX);
            let mut name = SignedDuration::from_nanos(nanoseconds).to_string();
            // Go says 24h0m0s, and reads 24h as the same.
            for (ending, zeros) in [("m0s", 2), ("h0m", 2)] {
                if name.ends_with(ending) {
                    name.truncate(name.len() - zeros);
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
            let name = name(&Window::Sliding { length });
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
            assert!(TimeZone::get(meant).is_ok());
        }
        assert_eq!(closest_zone("Middle/Earth"), None);
    }
}
