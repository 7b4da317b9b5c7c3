//! The laws of a quota over a window, for random quotas and random arrivals.
//!
//! The oracle is the promise itself, counted stretch by stretch over everything that was spent, and an exact log of
//! what was taken. It shares no code with the slices.

use std::time::Duration;

use proptest::prelude::*;
use tollgate_limiter::window::{self, GiveBack, Hint, Taken, Unit, Usage, Window, WindowQuota};
use tollgate_limiter::{Ask, Timestamp};

/// A Sunday evening in March: a day, a week, a month and summer time begin within the next days.
const START: u64 = 1_774_798_000_000_000;
const DAY: u64 = 86_400_000_000;

fn sliding() -> impl Strategy<Value = WindowQuota> {
    let length = prop_oneof![1_000_000..10_000_000_u64, 1_000_000..DAY, Just(3_600_000_000), DAY..366 * DAY];
    (1..200_u64, length).prop_filter_map("impossible quota", |(limit, micros)| {
        WindowQuota::sliding(limit, Duration::from_micros(micros)).ok()
    })
}

fn calendar() -> impl Strategy<Value = WindowQuota> {
    let unit = prop::sample::select(&[Unit::Hour, Unit::Day, Unit::Week, Unit::Month]);
    let zone = prop::sample::select(&["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York"]);
    (1..200_u64, unit, zone)
        .prop_filter_map("impossible quota", |(limit, unit, zone)| WindowQuota::calendar(limit, unit, zone).ok())
}

fn quotas() -> impl Strategy<Value = WindowQuota> {
    prop_oneof![2 => sliding(), 1 => calendar()]
}

/// About how long a window is, in microseconds.
fn length(quota: &WindowQuota) -> u64 {
    match quota.window() {
        Window::Sliding(sliding) => sliding.length().as_micros() as u64,
        Window::Calendar(calendar) => match calendar.unit() {
            Unit::Hour => DAY / 24,
            Unit::Day => DAY,
            Unit::Week => 7 * DAY,
            Unit::Month => 30 * DAY,
        },
    }
}

/// Gaps between events, in ten thousandths of a window: floods, steady streams, silence.
fn gap() -> impl Strategy<Value = u64> {
    prop_oneof![5 => Just(0_u64), 4 => 0..100_u64, 3 => 100..400_u64, 1 => 400..25_000_u64]
}

/// What one who holds permits does.
#[derive(Debug, Clone)]
enum Event {
    Take(u64, u64),
    /// Spends up to so many of what it holds.
    Spend(u64),
    /// Gives back up to so many of those that it took so many takes ago.
    GiveBack(usize, u64),
    /// An old message arrives again.
    Again(usize),
}

fn events() -> impl Strategy<Value = Vec<(u64, Event)>> {
    let event = prop_oneof![
        4 => (1..40_u64, 1..4_u64).prop_map(|(want, need)| Event::Take(want, need)),
        4 => (1..40_u64).prop_map(Event::Spend),
        2 => (0..4_usize, 1..20_u64).prop_map(|(which, count)| Event::GiveBack(which, count)),
        1 => any::<usize>().prop_map(Event::Again),
    ];
    prop::collection::vec((gap(), event), 1..300)
}

/// What is on its way to the store.
#[derive(Debug, Clone, Copy)]
struct Return {
    index: u64,
    count: u64,
    returns: u64,
}

/// The most that any window of the quota holds of `spent`, which is sorted.
fn worst(quota: &WindowQuota, spent: &[u64]) -> u64 {
    let length = |start| match quota.window() {
        Window::Sliding(sliding) => sliding.length().as_micros() as u64,
        Window::Calendar(_) => quota.slice(at(start)).until().micros() - start,
    };
    let (mut worst, mut end) = (0, 0);
    for (index, start) in spent.iter().enumerate() {
        // A calendar window begins with the first that the one before did not hold; a stretch begins anywhere.
        if *start >= end || matches!(quota.window(), Window::Sliding(_)) {
            end = start + length(*start);
            worst = worst.max(spent[index..].partition_point(|moment| *moment < end) as u64);
        }
    }
    worst
}

fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn take(quota: &WindowQuota, usage: &mut Usage, now: u64, ask: Ask) -> Taken {
    window::take(quota, usage, &quota.slice(at(now)), at(now), ask, Hint::default())
}

const PEEK: Ask = Ask { want: 0, need: 0 };

/// The times of the arrivals, when a gap is so many ten thousandths of a window.
fn arrivals<'a>(quota: &WindowQuota, gaps: &'a [u64]) -> impl Iterator<Item = u64> + 'a {
    let (mut now, part) = (START, (length(quota) / 10_000).max(1));
    gaps.iter().map(move |gap| {
        now += part * gap + 1;
        now
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// The promise, with permits that are kept for a while, and returns that are lost, late, and arrive twice.
    #[test]
    fn no_window_ever_holds_more_than_the_limit(quota in quotas(), events in events()) {
        let mut usage = Usage::default();
        let (mut held, mut spent, mut sent): (Vec<Taken>, Vec<u64>, Vec<Return>) = Default::default();
        let gaps: Vec<_> = events.iter().map(|(gap, _)| *gap).collect();
        for (now, (_, event)) in arrivals(&quota, &gaps).zip(events) {
            held.retain(|taken| at(now) < taken.until && taken.count > 0);
            match event {
                Event::Take(want, need) => held.push(take(&quota, &mut usage, now, Ask { want, need })),
                Event::Spend(count) => {
                    let Some(taken) = held.last_mut() else { continue };
                    let count = count.min(taken.count);
                    taken.count -= count;
                    spent.extend(std::iter::repeat_n(now, count as usize));
                }
                Event::GiveBack(which, count) => {
                    let Some(taken) = held.iter_mut().rev().nth(which) else { continue };
                    // Once it is said they are nobody's, whatever becomes of the message.
                    let count = count.min(taken.count);
                    taken.count -= count;
                    let message = Return { index: taken.index, count, returns: taken.hint.returns };
                    sent.push(message);
                    if count % 3 > 0 {
                        let done = window::give_back(&mut usage, message.index, count, message.returns);
                        if let GiveBack::Again { returns } = done {
                            sent.push(Return { returns, ..message });
                            let again = window::give_back(&mut usage, message.index, count, returns);
                            prop_assert_eq!(again, GiveBack::Done);
                        }
                    }
                }
                Event::Again(which) if !sent.is_empty() => {
                    let message = sent[which % sent.len()];
                    window::give_back(&mut usage, message.index, message.count, message.returns);
                }
                Event::Again(_) => {}
            }
            let text = usage.to_string();
            prop_assert!(text.is_empty() || text.parse::<Usage>().as_ref() == Ok(&usage), "{}", text);
        }
        let worst = worst(&quota, &spent);
        prop_assert!(worst <= quota.limit(), "{worst} of {}", quota.limit());
    }

    /// A store's clock that steps back by less than a minute, and less than a window, costs time and never a request
    /// too many.
    #[test]
    fn small_steps_of_the_clock_let_nothing_more_pass(quota in quotas(), steps in prop::collection::vec((gap(), 0..100_u64, 1..30_u64), 1..300)) {
        let mut usage = Usage::default();
        let (mut now, mut spent) = (START, Vec::new());
        let (part, most) = ((length(&quota) / 10_000).max(1), length(&quota).min(60_000_000));
        let mut latest = now;
        for (gap, back, want) in steps {
            now += part * gap;
            latest = latest.max(now);
            if back > 80 {
                now = latest - most * (back - 80) / 20;
            }
            let count = take(&quota, &mut usage, now, Ask::up_to(want)).count;
            spent.extend(std::iter::repeat_n(now, count as usize));
        }
        spent.sort_unstable();
        let worst = worst(&quota, &spent);
        prop_assert!(worst <= quota.limit(), "{worst} of {}", quota.limit());
    }

    /// Never a needless refusal: a calendar window has all of its limit, and of a sliding one what was taken comes
    /// back at most a sixtieth of the window (and 61 µs of rounding) later than in an exact log.
    #[test]
    fn what_an_exact_log_has_free_a_little_earlier_is_given(quota in quotas(), gaps in prop::collection::vec(gap(), 1..400), want in 1..30_u64) {
        let mut usage = Usage::default();
        let mut log: Vec<(u64, u64)> = Vec::new();
        for now in arrivals(&quota, &gaps) {
            // When what is taken now comes back, in an exact log that is a little late.
            let back = match quota.window() {
                Window::Sliding(sliding) => now + sliding.length().as_micros() as u64 * 61 / 60 + 61,
                Window::Calendar(_) => quota.slice(at(now)).until().micros(),
            };
            let used: u64 = log.iter().filter(|(back, _)| *back > now).map(|(_, count)| count).sum();
            let taken = take(&quota, &mut usage, now, Ask::up_to(want));
            prop_assert!(taken.count >= quota.limit().saturating_sub(used).min(want), "{used} used, {taken:?}");
            log.push((back, taken.count));
        }
    }

    /// Whoever waits as long as it was told gets what it needs, and a microsecond before it does not.
    #[test]
    fn the_wait_that_is_told_is_exact(quota in quotas(), gaps in prop::collection::vec(gap(), 1..300), need in 1..30_u64) {
        let ask = Ask::all(need.min(quota.limit()));
        let mut usage = Usage::default();
        for now in arrivals(&quota, &gaps) {
            let before = usage.clone();
            let taken = take(&quota, &mut usage, now, ask);
            if taken.count == 0 {
                prop_assert_eq!(&usage, &before, "a refusal takes nothing");
            }
            let free_at = taken.next_free.micros();
            prop_assert_eq!(free_at == now, taken.remaining >= ask.need);
            prop_assert_eq!(take(&quota, &mut usage.clone(), free_at, ask).count, ask.want);
            if free_at > now {
                prop_assert_eq!(take(&quota, &mut usage.clone(), free_at - 1, ask).count, 0);
            }
            let reset = taken.reset.micros();
            prop_assert_eq!(take(&quota, &mut usage.clone(), reset, PEEK).remaining, quota.limit());
            if reset > now {
                prop_assert!(take(&quota, &mut usage.clone(), reset - 1, PEEK).remaining < quota.limit());
            }
        }
    }

    /// Asking one by one or together is the same: coalescing changes nothing.
    #[test]
    fn together_or_one_by_one(quota in quotas(), gaps in prop::collection::vec(gap(), 1..200), want in 1..50_u64) {
        let (mut together, mut singly) = (Usage::default(), Usage::default());
        for now in arrivals(&quota, &gaps) {
            let all = take(&quota, &mut together, now, Ask::up_to(want));
            let ones: Vec<_> = (0..want).map(|_| take(&quota, &mut singly, now, Ask::ONE)).collect();
            prop_assert_eq!(all.count, ones.iter().map(|one| one.count).sum::<u64>());
            prop_assert_eq!(ones.last(), Some(&Taken { count: ones[ones.len() - 1].count, ..all }));
            prop_assert_eq!(&together, &singly);
        }
    }

    /// A usage that is forgotten when nothing of it counts decides as if it had been remembered, and giving back what
    /// was forgotten is giving back what is gone.
    #[test]
    fn forgetting_what_is_gone_changes_no_verdict(quota in quotas(), gaps in prop::collection::vec(gap(), 1..300), want in 1..60_u64) {
        let (mut usage, mut forgetful) = (Usage::default(), Usage::default());
        for (step, now) in arrivals(&quota, &gaps).enumerate() {
            if forgetful.gone_at(&quota.slice(at(now))) <= at(now) {
                forgetful = Usage::default();
            }
            let taken = take(&quota, &mut usage, now, Ask::up_to(want));
            prop_assert_eq!(&taken, &take(&quota, &mut forgetful, now, Ask::up_to(want)));
            if step % 3 == 0 {
                let back = |usage: &mut Usage| window::give_back(usage, taken.index, taken.count / 2, taken.hint.returns);
                prop_assert_eq!(back(&mut usage), back(&mut forgetful));
            }
            prop_assert!(usage.len() <= 61);
        }
    }

    /// A store that forgets everything, or falls back to what it was some time ago, lets nothing more pass as long as the
    /// one who asks remembers what it was told.
    #[test]
    fn whoever_remembers_heals_the_store(quota in quotas(), steps in prop::collection::vec((gap(), 1..30_u64, 0..12_u8), 1..300)) {
        let (mut usage, mut before, mut hint, mut spent) = (Usage::default(), Usage::default(), Hint::default(), Vec::new());
        let gaps: Vec<_> = steps.iter().map(|(gap, ..)| *gap).collect();
        for (now, (_, want, what)) in arrivals(&quota, &gaps).zip(steps) {
            match what {
                0 => usage = Usage::default(),
                1 => usage = before.clone(),
                2 => before = usage.clone(),
                _ => {}
            }
            let taken = window::take(&quota, &mut usage, &quota.slice(at(now)), at(now), Ask::up_to(want), hint);
            hint = taken.hint;
            let back = if what == 3 { taken.count / 2 } else { 0 };
            window::give_back(&mut usage, taken.index, back, hint.returns);
            spent.extend(std::iter::repeat_n(now, (taken.count - back) as usize));
        }
        let worst = worst(&quota, &spent);
        prop_assert!(worst <= quota.limit(), "{worst} of {}", quota.limit());
    }

    /// A store that has forgotten nothing pays no heed to hints, however old they are, and whoever they come from.
    #[test]
    fn hints_change_nothing_where_nothing_was_lost(quota in quotas(), steps in prop::collection::vec((gap(), 1..30_u64, any::<prop::sample::Index>(), 0..4_u8), 1..300)) {
        let (mut usage, mut hinted, mut told) = (Usage::default(), Usage::default(), vec![Hint::default()]);
        let gaps: Vec<_> = steps.iter().map(|(gap, ..)| *gap).collect();
        for (now, (_, want, which, what)) in arrivals(&quota, &gaps).zip(steps) {
            let taken = take(&quota, &mut usage, now, Ask::up_to(want));
            let slice = quota.slice(at(now));
            let with_hint = window::take(&quota, &mut hinted, &slice, at(now), Ask::up_to(want), *which.get(&told));
            prop_assert_eq!(&taken, &with_hint);
            told.push(taken.hint);
            if what == 0 {
                for usage in [&mut usage, &mut hinted] {
                    window::give_back(usage, taken.index, taken.count / 2, taken.hint.returns);
                }
            }
            prop_assert_eq!(&usage, &hinted);
        }
    }

    /// Making do with fewer slices lets nothing more pass, and whoever gives back afterwards neither.
    #[test]
    fn folding_lets_nothing_more_pass(quota in quotas(), gaps in prop::collection::vec(gap(), 1..300), want in 1..30_u64, most in 1..10_usize) {
        let mut usage = Usage::default();
        let mut spent = Vec::new();
        for now in arrivals(&quota, &gaps) {
            let taken = take(&quota, &mut usage, now, Ask::up_to(want));
            usage.fold(most);
            let back = taken.count / 3;
            let given = window::give_back(&mut usage, taken.index, back, taken.hint.returns);
            prop_assert!(taken.count == 0 || given == GiveBack::Done);
            spent.extend(std::iter::repeat_n(now, (taken.count - back) as usize));
            prop_assert!(usage.len() <= most);
        }
        prop_assert!(worst(&quota, &spent) <= quota.limit());
    }
}

/// Under steady overload a sliding hour lets at least 60/61 of its limit pass per hour, and never more than all.
#[test]
fn a_sliding_window_is_used_well() {
    for (limit, every) in [(100, 1_000_000), (1_000, 100_000), (61, 7_000_000)] {
        let quota = WindowQuota::sliding(limit, Duration::from_hours(1)).unwrap();
        let mut usage = Usage::default();
        let hours = 100;
        let admitted: u64 = (START..START + hours * DAY / 24)
            .step_by(every)
            .map(|now| take(&quota, &mut usage, now, Ask::ONE).count)
            .sum();
        assert!(admitted <= hours * limit, "{admitted} of {limit} in {hours} hours");
        assert!(admitted * 61 >= (hours - 1) * limit * 60, "{admitted} of {limit} in {hours} hours");
    }
}
