//! The laws of a limit, for random quotas and random arrivals.
//!
//! The oracle is the contract itself, checked in one pass over the admissions, and an ideal bucket in exact rational
//! arithmetic that shares no code with the schedule.

use std::time::Duration;

use proptest::prelude::*;
use tollgate_limiter::{Ask, Quota, Span, Timestamp, schedule};

const START: u64 = 1_700_000_000_000_000;

fn quotas() -> impl Strategy<Value = Quota> {
    (1..10_000_u64, 1..100_000_000_u64, 1..500_u64).prop_filter_map("impossible quota", |(limit, micros, burst)| {
        Quota::new(limit, Duration::from_micros(micros), burst).ok()
    })
}

/// Gaps between arrivals, in thousandths of the interval between slots: floods, steady streams and silence.
fn gaps() -> impl Strategy<Value = Vec<u64>> {
    let gap = prop_oneof![4 => Just(0_u64), 4 => 0..500_u64, 2 => 500..3_000_u64, 1 => 3_000..300_000_u64];
    prop::collection::vec(gap, 1..400)
}

fn arrivals<'a>(quota: &'a Quota, gaps: &'a [u64]) -> impl Iterator<Item = Timestamp> + 'a {
    let mut now = START;
    let interval = u128::from(quota.interval().micros().max(1));
    gaps.iter().map(move |gap| {
        now += (interval * u128::from(*gap) / 1_000) as u64;
        Timestamp::from_micros(now)
    })
}

/// Admissions in `[s, t]` beyond `burst + floor(rate · (t − s))`, at worst, over all windows that begin and end with
/// an admission: exact, in ticks times the limit.
fn excess(quota: &Quota, admissions: &[Timestamp]) -> i128 {
    let ticks = |micros: u64, fraction: u32| (i128::from(micros) << 24) + i128::from(fraction);
    let earned = |moment: &Timestamp| ticks(moment.micros(), moment.fraction()) * i128::from(quota.limit());
    let per_token = ticks(quota.period().as_micros() as u64, 0);
    let mut best_start = i128::MIN;
    let mut worst = i128::MIN;
    for (count, moment) in (0_i128..).zip(admissions) {
        best_start = best_start.max(earned(moment) - count * per_token);
        worst = worst.max((count + 1) * per_token - earned(moment) + best_start);
    }
    worst - i128::from(quota.burst()) * per_token
}

proptest! {
    /// C: never more than burst + rate × time, in any window.
    #[test]
    fn no_window_holds_more_than_the_contract(quota in quotas(), gaps in gaps(), sizes in prop::collection::vec(1..6_u64, 400)) {
        let (mut next, mut admissions) = (None, Vec::new());
        for (now, want) in arrivals(&quota, &gaps).zip(sizes) {
            let grant = schedule::grant(&quota, next, now, Span::ZERO, Ask::up_to(want));
            admissions.extend(std::iter::repeat_n(now, grant.count as usize));
            next = grant.next;
        }
        prop_assert!(excess(&quota, &admissions) <= 0, "{} admitted", admissions.len());
    }

    /// The same with requests that are held: what counts is when they are let go.
    #[test]
    fn holding_admits_nothing_too_early(quota in quotas(), gaps in gaps(), delay in 0..2_000_000_u64) {
        let delay = Span::from_micros(delay);
        let (mut next, mut admissions) = (None, Vec::new());
        for now in arrivals(&quota, &gaps) {
            let grant = schedule::grant(&quota, next, now, delay, Ask::ONE);
            if grant.count > 0 {
                prop_assert!(grant.first.since(now) <= delay);
                admissions.push(grant.first.max(now));
            }
            next = grant.next;
        }
        prop_assert!(excess(&quota, &admissions) <= 0, "{} admitted", admissions.len());
    }

    /// U: never a needless refusal. An ideal bucket in exact arithmetic, fed with the same arrivals, admits no more.
    #[test]
    fn an_ideal_bucket_admits_no_more(quota in quotas(), gaps in gaps()) {
        let per_token = quota.period().as_nanos().cast_signed();
        let (mut level, mut before) = (i128::from(quota.burst()) * per_token, START);
        let (mut next, mut ours, mut ideal) = (None, 0_u64, 0_u64);
        for now in arrivals(&quota, &gaps) {
            level += i128::from(now.micros() - before) * 1_000 * i128::from(quota.limit());
            level = level.min(i128::from(quota.burst()) * per_token);
            before = now.micros();
            if level >= per_token {
                level -= per_token;
                ideal += 1;
            }
            let grant = schedule::grant(&quota, next, now, Span::ZERO, Ask::ONE);
            ours += grant.count;
            next = grant.next;
        }
        // Rounding an interval up to 2^-24 microseconds can cost the one request that came at its very end.
        prop_assert!(ours <= ideal && ideal - ours <= 1, "ours {ours}, ideal {ideal}");
    }

    /// A client that waits as long as it was told is served, and one that waits less is not.
    #[test]
    fn the_wait_that_is_told_suffices(quota in quotas(), gaps in gaps(), cost in 1..20_u64) {
        let ask = Ask::all(cost.min(quota.burst()));
        let mut next = None;
        for now in arrivals(&quota, &gaps) {
            let grant = schedule::grant(&quota, next, now, Span::ZERO, ask);
            if grant.count == 0 {
                let patient = schedule::grant(&quota, next, grant.first, Span::ZERO, ask);
                prop_assert_eq!(patient.count, ask.want);
                let hasty = grant.first - Span::from_micros(1);
                prop_assert_eq!(schedule::grant(&quota, next, hasty, Span::ZERO, ask).count, 0);
                prop_assert_eq!(grant.next, next, "a refusal takes nothing");
            }
            next = grant.next;
        }
    }

    /// Asking one by one or together gives the same slots: coalescing changes nothing.
    #[test]
    fn together_or_one_by_one(quota in quotas(), gaps in gaps(), want in 1..50_u64, delay in 0..100_000_u64) {
        let delay = Span::from_micros(delay);
        let mut next = None;
        for now in arrivals(&quota, &gaps) {
            let together = schedule::grant(&quota, next, now, delay, Ask::up_to(want));
            let mut one_by_one = next;
            let mut count = 0;
            for _ in 0..want {
                let grant = schedule::grant(&quota, one_by_one, now, delay, Ask::ONE);
                count += grant.count;
                one_by_one = grant.next;
            }
            prop_assert_eq!((together.count, together.next), (count, one_by_one));
            next = together.next;
        }
    }

    /// The next free slot never moves back, so that whoever asks, in whatever order, no slot is given twice; and a
    /// bucket that is forgotten when it is full decides as if it had been remembered.
    #[test]
    fn slots_are_given_once_and_forgetting_a_full_bucket_changes_nothing(quota in quotas(), gaps in gaps()) {
        let (mut next, mut forgetful) = (None, None);
        for now in arrivals(&quota, &gaps) {
            if schedule::reset_after(&quota, forgetful, now).is_zero() {
                forgetful = None;
            }
            let grant = schedule::grant(&quota, next, now, Span::ZERO, Ask::ONE);
            let forgotten = schedule::grant(&quota, forgetful, now, Span::ZERO, Ask::ONE);
            prop_assert_eq!((grant.count, grant.first), (forgotten.count, forgotten.first));
            prop_assert!(grant.next >= next);
            prop_assert!(next.is_none_or(|next| grant.first >= next));
            (next, forgetful) = (grant.next, forgotten.next);
        }
    }

    /// What is said to be left is what would pass.
    #[test]
    fn remaining_is_what_would_pass(quota in quotas(), gaps in gaps()) {
        let mut next = None;
        for now in arrivals(&quota, &gaps) {
            next = schedule::grant(&quota, next, now, Span::ZERO, Ask::ONE).next;
            let left = schedule::remaining(&quota, next, now);
            let all = schedule::grant(&quota, next, now, Span::ZERO, Ask::up_to(u64::MAX));
            prop_assert_eq!(left, all.count);
        }
    }
}

/// The case this project began with: 100 per minute, burst 20, 25 requests every 2.5 s for a minute. Traefik 3.7.15
/// lets 480 through, because it forgets a bucket after two seconds.
#[test]
fn a_minute_of_bursts_gets_the_burst_and_the_rate() {
    let quota = Quota::new(100, Duration::from_secs(60), 20).unwrap();
    let delay = Span::from(quota.traefik_max_delay());
    let (mut next, mut admitted) = (None, 0);
    for burst in 0..=24_u64 {
        for _ in 0..25 {
            let now = Timestamp::from_micros(START + burst * 2_500_000);
            let grant = schedule::grant(&quota, next, now, delay, Ask::ONE);
            admitted += grant.count;
            next = grant.next;
        }
    }
    assert!((119..=121).contains(&admitted), "{admitted}");
}

/// Traefik's own throughput table (cases §1.2): accepted within [0.95 W, 1.02 W], W = floor(rate × time) + burst.
#[test]
fn throughput_is_what_traefiks_tests_expect() {
    for (average, period_ms, burst, offered, seconds, pre_burst) in [
        (100, 1_000, 1, 400, 2, 0),
        (100, 1_000, 100, 200, 2, 0),
        (100, 1_000, 100, 200, 2, 50),
        (100, 1_000, 100, 200, 2, 150),
        (100, 1_000, 200, 200, 2, 300),
        (5, 10_000, 1, 100, 2, 0),
        (1, 10_000, 1, 100, 2, 0),
        (5, 10_000, 1, 100, 60, 0),
        (1, 10_000, 1, 100, 60, 0),
        (1, 60_000, 1, 100, 60, 0),
        (50, 500, 1, 300, 2, 0),
    ] {
        let quota = Quota::new(average, Duration::from_millis(period_ms), burst).unwrap();
        let delay = Span::from(quota.traefik_max_delay());
        let (mut next, mut accepted, mut now) = (None, 0_u64, START);
        let start = now;
        // Held requests make the sender wait, as they did in the measurement.
        let mut send = |now: &mut u64| {
            let grant = schedule::grant(&quota, next, Timestamp::from_micros(*now), delay, Ask::ONE);
            next = grant.next;
            *now = (*now).max(if grant.count > 0 { grant.first.micros() } else { 0 });
            grant.count
        };
        while accepted < pre_burst {
            accepted += send(&mut now);
            now += 100;
        }
        while now < start + seconds * 1_000_000 {
            accepted += send(&mut now);
            now += 1_000_000 / offered;
        }
        let window = (average * seconds * 1_000 / period_ms + burst) as f64;
        let range = 0.95 * window - 1.0..=1.02 * window + 1.0;
        assert!(
            range.contains(&(accepted as f64)),
            "{average} per {period_ms} ms, burst {burst}: {accepted} of {window}"
        );
    }
}
