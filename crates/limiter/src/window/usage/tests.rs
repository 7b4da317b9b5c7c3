//! One step, one behaviour.

use std::time::Duration;

use super::super::{Frame, SLICES, Unit};
use super::*;
use crate::Span;

/// A Monday, midnight in Greenwich: the beginning of an hour and of a slice of every window used here.
const START: u64 = 1_774_828_800;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros((START + seconds) * 1_000_000)
}

fn hourly(limit: u64) -> WindowQuota {
    WindowQuota::sliding(limit, Duration::from_hours(1)).unwrap()
}

fn daily(limit: u64) -> WindowQuota {
    WindowQuota::calendar(limit, Unit::Day, "UTC").unwrap()
}

fn take(quota: &WindowQuota, usage: &mut Usage, now: Timestamp, ask: Ask) -> Taken {
    super::take(quota, usage, &quota.slice(now), now, ask, Hint::default())
}

#[test]
fn a_day_has_its_limit_and_the_next_day_its_own() {
    let (quota, mut usage) = (daily(10), Usage::default());
    let taken = take(&quota, &mut usage, at(100), Ask::up_to(7));
    assert_eq!((taken.count, taken.remaining, taken.until), (7, 3, at(86_400)));
    assert_eq!((taken.next_free, taken.reset), (at(100), at(86_400)));
    let rest = take(&quota, &mut usage, at(80_000), Ask::up_to(7));
    assert_eq!((rest.count, rest.remaining, rest.next_free), (3, 0, at(86_400)));
    assert_eq!(take(&quota, &mut usage, at(86_399), Ask::ONE).count, 0);
    assert_eq!(take(&quota, &mut usage, at(86_400), Ask::up_to(70)).count, 10);
    assert_eq!(usage.len(), 1, "yesterday is forgotten");
}

#[test]
fn a_permit_of_a_sliding_window_comes_back_when_its_slice_has_left_every_stretch() {
    let (quota, mut usage) = (hourly(10), Usage::default());
    let first = take(&quota, &mut usage, at(59), Ask::up_to(4));
    assert_eq!((first.until, first.reset), (at(60), at(3_660)));
    take(&quota, &mut usage, at(60), Ask::up_to(6));
    let refused = take(&quota, &mut usage, at(3_659), Ask::ONE);
    assert_eq!((refused.count, refused.next_free, refused.reset), (0, at(3_660), at(3_720)));
    let one = take(&quota, &mut usage, at(3_660), Ask::up_to(10));
    assert_eq!((one.count, one.next_free), (4, at(3_720)));
}

#[test]
fn what_is_waited_for_is_what_is_needed() {
    let (quota, mut usage) = (hourly(10), Usage::default());
    for minute in 0..10 {
        take(&quota, &mut usage, at(60 * minute), Ask::ONE);
    }
    for need in 1..=10 {
        let refused = take(&quota, &mut usage, at(600), Ask::all(need));
        assert_eq!((refused.count, refused.next_free), (0, at(3_600 + 60 * need)), "{need}");
    }
}

#[test]
fn all_or_none() {
    let (quota, mut usage) = (daily(5), Usage::default());
    take(&quota, &mut usage, at(0), Ask::all(3));
    let before = usage.clone();
    let none = take(&quota, &mut usage, at(0), Ask::all(3));
    assert_eq!((none.count, none.remaining, none.next_free), (0, 2, at(86_400)));
    assert_eq!(usage, before, "a refusal takes nothing");
    assert_eq!(take(&quota, &mut usage, at(0), Ask::all(2)).count, 2);
}

#[test]
fn looking_takes_nothing() {
    let (quota, mut usage) = (hourly(5), Usage::default());
    take(&quota, &mut usage, at(0), Ask::all(5));
    let before = usage.clone();
    let seen = take(&quota, &mut usage, at(90), Ask { want: 0, need: 0 });
    assert_eq!((seen.count, seen.remaining, seen.next_free), (0, 0, at(3_660)));
    assert_eq!(usage, before);
}

#[test]
fn a_changed_limit_keeps_what_was_used() {
    let mut usage = Usage::default();
    take(&daily(10), &mut usage, at(0), Ask::all(10));
    assert_eq!(take(&daily(20), &mut usage, at(1), Ask::up_to(99)).count, 10);
    let lowered = take(&daily(5), &mut usage, at(2), Ask::ONE);
    assert_eq!((lowered.count, lowered.remaining), (0, 0));
}

#[test]
fn what_is_given_back_is_free_again_in_its_own_slice() {
    let (quota, mut usage) = (hourly(10), Usage::default());
    let old = take(&quota, &mut usage, at(0), Ask::all(6));
    let new = take(&quota, &mut usage, at(60), Ask::all(4));
    assert_eq!(give_back(&mut usage, old.index, 5, 0), GiveBack::Done);
    let again = take(&quota, &mut usage, at(61), Ask::up_to(9));
    assert_eq!((again.count, again.hint.returns, again.next_free), (5, 1, at(3_660)));
    assert_eq!(give_back(&mut usage, new.index, 9, 1), GiveBack::Done);
    assert_eq!(usage.to_string(), format!("{}@0A1~2", new.index), "the latest slice holds the number of returns");
    assert_eq!(give_back(&mut usage, old.index, 1, 2), GiveBack::Done);
    assert_eq!(give_back(&mut usage, old.index, 1, 3), GiveBack::Gone);
}

#[test]
fn a_return_counts_once_however_often_it_arrives() {
    let (quota, mut usage) = (daily(10), Usage::default());
    let taken = take(&quota, &mut usage, at(0), Ask::all(10));
    assert_eq!(give_back(&mut usage, taken.index, 10, taken.hint.returns), GiveBack::Done);
    assert_eq!(take(&quota, &mut usage, at(1), Ask::up_to(99)).count, 10);
    assert_eq!(give_back(&mut usage, taken.index, 10, taken.hint.returns), GiveBack::Again { returns: 1 });
    assert_eq!(take(&quota, &mut usage, at(1), Ask::ONE).count, 0);
}

#[test]
fn what_is_gone_cannot_be_given_back() {
    let (quota, mut usage) = (daily(10), Usage::default());
    assert_eq!(give_back(&mut usage, START, 1, 0), GiveBack::Gone, "the store has forgotten it");
    let yesterday = take(&quota, &mut usage, at(0), Ask::all(10));
    take(&quota, &mut usage, at(86_400), Ask::all(10));
    assert_eq!(give_back(&mut usage, yesterday.index, 1, 0), GiveBack::Gone);
    assert_eq!(give_back(&mut usage, START + 86_400, 11, 0), GiveBack::Gone, "more than was taken");
}

/// The clock of a store that has taken over is a little behind.
#[test]
fn a_small_step_back_is_waited_out() {
    for (quota, until) in [(daily(10), 86_400), (hourly(10), 60)] {
        let mut usage = Usage::default();
        take(&quota, &mut usage, at(until), Ask::ONE);
        let before = usage.clone();
        let early = take(&quota, &mut usage, at(until - 60), Ask::ONE);
        assert_eq!((early.count, early.remaining, early.next_free), (0, 0, at(until)), "{quota:?}");
        assert_eq!(usage, before);
        assert_eq!(take(&quota, &mut usage, at(until), Ask::up_to(99)).count, 9);
    }
}

/// Somebody had set the store's clock ahead for a moment.
#[test]
fn a_clock_that_was_far_ahead_does_not_block_a_key_until_then() {
    let year = 366 * 86_400;
    for quota in [daily(10), hourly(10)] {
        let mut usage = Usage::default();
        take(&quota, &mut usage, at(year), Ask::all(4));
        let now = take(&quota, &mut usage, at(0), Ask::up_to(99));
        assert_eq!((now.count, now.remaining), (6, 0), "what was used counts as if it were used now: {quota:?}");
        assert_eq!(take(&quota, &mut usage, now.next_free, Ask::up_to(99)).count, 10, "{quota:?}");
    }
}

/// One second is short: a step of more than it has nothing to do with it any more.
#[test]
fn short_windows_are_not_refused_for_a_minute() {
    let (quota, mut usage) = (WindowQuota::sliding(5, Duration::from_secs(1)).unwrap(), Usage::default());
    take(&quota, &mut usage, at(30), Ask::ONE);
    assert_eq!(take(&quota, &mut usage, at(28), Ask::up_to(9)).count, 4);
}

/// Two instances may know different rules for a zone: then the day has two beginnings.
#[test]
fn a_window_that_another_calendar_began_later_is_continued() {
    let (quota, mut usage) = (daily(10), Usage::default());
    let theirs = Frame::Calendar { starts: [0, START + 3_600, START + 90_000, START + 180_000] };
    let theirs = theirs.slice(at(7_200)).unwrap();
    assert_eq!(super::take(&quota, &mut usage, &theirs, at(7_200), Ask::all(6), Hint::default()).count, 6);
    let ours = take(&quota, &mut usage, at(7_200), Ask::up_to(9));
    assert_eq!((ours.count, ours.index), (4, theirs.index));
    assert_eq!(super::take(&quota, &mut usage, &theirs, at(7_201), Ask::ONE, Hint::default()).count, 0);
    assert_eq!(usage.len(), 1);
}

/// A store has forgotten, or another that lags has taken over; somebody remembers.
#[test]
fn a_store_that_forgot_is_healed() {
    for quota in [daily(10), hourly(10)] {
        let mut usage = Usage::default();
        take(&quota, &mut usage, at(0), Ask::all(2));
        let mut lagging = usage.clone();
        take(&quota, &mut usage, at(60), Ask::all(3));
        let told = take(&quota, &mut usage, at(120), Ask::all(3)).hint;
        assert_eq!(told.used, 8);
        for (store, before) in [(&mut Usage::default(), 0), (&mut lagging, 2)] {
            let ask = |store: &mut Usage, hint| {
                super::take(&quota, store, &quota.slice(at(180)), at(180), Ask::up_to(99), hint)
            };
            assert_eq!(ask(&mut store.clone(), Hint::default()).count, 10 - before);
            let healed = ask(store, told);
            assert_eq!((healed.count, healed.healed, healed.remaining), (2, true, 0), "{quota:?}");
            let again = ask(store, told);
            assert_eq!((again.count, again.healed), (0, false));
        }
    }
}

/// A refusal is remembered too.
#[test]
fn healing_is_kept_when_nothing_is_handed_out() {
    let (quota, mut usage) = (hourly(10), Usage::default());
    let told = take(&quota, &mut usage, at(0), Ask::all(10)).hint;
    let mut lost = Usage::default();
    let refused = super::take(&quota, &mut lost, &quota.slice(at(60)), at(60), Ask::ONE, told);
    assert_eq!((refused.count, refused.healed, refused.next_free), (0, true, at(3_660)));
    assert_eq!(lost, usage);
}

#[test]
fn a_hint_of_before_a_return_is_old() {
    let (quota, mut usage) = (daily(10), Usage::default());
    let told = take(&quota, &mut usage, at(0), Ask::all(10));
    assert_eq!(give_back(&mut usage, told.index, 4, 0), GiveBack::Done);
    let taken = super::take(&quota, &mut usage, &quota.slice(at(1)), at(1), Ask::up_to(99), told.hint);
    assert_eq!((taken.count, taken.healed), (4, false));
}

#[test]
fn hints_of_times_that_are_not_now_say_nothing() {
    let quota = hourly(10);
    for seconds in [-3_661_i64, 60] {
        let index = (START.cast_signed() + seconds).div_euclid(60).cast_unsigned();
        let hint = Hint { index, count: 10, used: 10, returns: 0 };
        let taken = super::take(&quota, &mut Usage::default(), &quota.slice(at(0)), at(0), Ask::all(10), hint);
        assert_eq!((taken.count, taken.healed), (10, false), "{seconds}");
    }
}

#[test]
fn folding_brings_nothing_back_earlier() {
    let (quota, mut usage) = (hourly(100), Usage::default());
    for minute in 0..SLICES {
        take(&quota, &mut usage, at(60 * minute), Ask::ONE);
    }
    let mut folded = usage.clone();
    folded.fold(7);
    assert_eq!(folded.len(), 7);
    for seconds in (3_540..7_400).step_by(20) {
        let left = |usage: &Usage| take(&quota, &mut usage.clone(), at(seconds), Ask { want: 0, need: 0 }).remaining;
        assert!(left(&folded) <= left(&usage), "{seconds}");
    }
    let slice = quota.slice(at(3_600));
    assert_eq!(folded.gone_at(&slice), usage.gone_at(&slice));
    folded.fold(0);
    assert_eq!((folded.len(), folded.heap_bytes()), (1, 0));
}

#[test]
fn no_number_is_too_large() {
    let quota = hourly(1 << 53);
    let mut usage: Usage = format!("{}@9007199254740992A9007199254740992", START / 60).parse().unwrap();
    let taken = take(&quota, &mut usage, at(0), Ask::up_to(u64::MAX));
    assert_eq!((taken.count, taken.remaining), (0, 0));
    let mut fresh = Usage::default();
    assert_eq!(take(&quota, &mut fresh, at(0), Ask::up_to(u64::MAX)).count, 1 << 53);
    for now in [Timestamp::from_micros(u64::MAX), Timestamp::from_micros(0)] {
        take(&quota, &mut fresh, now, Ask::ONE);
        take(&daily(1), &mut Usage::default(), now + Span::from_micros(1), Ask::ONE);
    }
}
