//! One step of a bucket.
//!
//! A bucket is a schedule of slots, [`Quota::interval`] apart. Its only state is the time of *the next free slot*
//! (GCRA, the generic cell rate algorithm, calls it the theoretical arrival time); a bucket nobody remembers is full.
//! At store time *c* the slots that may still be spent begin at `base = max(next, c − (b−1)·T)`; handing out *n* of
//! them gives base, base + T, … and moves `next` to base + n·T. A slot *v* is spent once, at a time *a* with
//! v ≤ a ≤ v + (b−1)·T.
//!
//! Why that keeps the promise: slots are at least T apart and `next` does not move back, so the admissions of
//! `[s, t]` spend distinct slots of `[s − (b−1)·T, t]`, and that interval holds at most b + ⌊(t−s)/T⌋ of them.
//! Nothing is assumed about who asks, how often, or in which order.
//!
//! The script that runs inside Redis (`tollgate-store`, `grant.lua`) is the twin of [`grant`]: for the same sequence
//! of asks both give the same slots.

use std::time::Duration;

use crate::{Quota, Span, Timestamp};

/// How many slots are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// The most that are of use.
    pub want: u64,
    /// Fewer than these are of no use: then none are taken.
    pub need: u64,
}

impl Ask {
    /// One slot.
    pub const ONE: Self = Self { want: 1, need: 1 };

    /// `cost` slots or none.
    pub const fn all(cost: u64) -> Self {
        Self { want: cost, need: cost }
    }

    /// As many as there are, up to `want`.
    pub const fn up_to(want: u64) -> Self {
        Self { want, need: 1 }
    }
}

/// What was handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The first slot handed out or, if there was none, the one to wait for.
    pub first: Timestamp,
    /// How many slots were handed out, T apart.
    pub count: u64,
    /// The next free slot afterwards: what the bucket has to remember. If nothing was handed out it is what it was,
    /// but for the one case in which it was farther ahead than the quota can bring about.
    pub next: Option<Timestamp>,
}

/// Hands out slots of the bucket whose next free slot is `next` (`None`: a full bucket), at store time `now`, none of
/// them more than `max_delay` ahead.
///
/// `now` is at least a bucket's time to fill after the store's epoch; stores whose clock starts at zero begin at
/// an offset.
pub fn grant(quota: &Quota, next: Option<Timestamp>, now: Timestamp, max_delay: Span, ask: Ask) -> Grant {
    // No bucket under this quota is ever farther ahead: the quota was loosened, or the store's clock stepped back.
    // Without this, one long wait promised earlier would be kept for ever.
    let farthest = now + quota.interval().times(quota.burst()) + max_delay;
    hand_out(quota, next.map(|next| next.min(farthest)), now, max_delay, ask)
}

/// [`grant`] for a `next` that this quota can have brought about.
pub(crate) fn hand_out(quota: &Quota, next: Option<Timestamp>, now: Timestamp, max_delay: Span, ask: Ask) -> Grant {
    let oldest = now.before(quota.life());
    let base = next.map_or(oldest, |next| next.max(oldest));
    let horizon = now + max_delay;
    let available = if base > horizon { 0 } else { horizon.since(base).div(quota.interval()).saturating_add(1) };
    let count = available.min(ask.want);
    if count < ask.need {
        return Grant { first: base + quota.interval().times(ask.need - 1), count: 0, next };
    }
    Grant { first: base, count, next: Some(base + quota.interval().times(count)) }
}

/// How many requests would pass at once at `now`: the tokens that are left.
pub fn remaining(quota: &Quota, next: Option<Timestamp>, now: Timestamp) -> u64 {
    match next {
        None => quota.burst(),
        Some(next) if next > now => 0,
        Some(next) => now.since(next).div(quota.interval()).saturating_add(1).min(quota.burst()),
    }
}

/// How long until the bucket is full, if nothing more is taken. That long a store has to remember it, and no longer.
pub fn reset_after(quota: &Quota, next: Option<Timestamp>, now: Timestamp) -> Duration {
    next.map_or(Duration::ZERO, |next| (next + quota.life()).since(now).to_duration())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000 + micros)
    }

    fn quota(limit: u64, period_ms: u64, burst: u64) -> Quota {
        Quota::new(limit, Duration::from_millis(period_ms), burst).unwrap()
    }

    #[test]
    fn a_full_bucket_gives_its_burst_and_then_one_slot_per_interval() {
        let quota = quota(10, 1_000, 3);
        let grant = grant(&quota, None, at(0), Span::ZERO, Ask::up_to(9));
        assert_eq!(grant.count, 3);
        let denied = super::grant(&quota, grant.next, at(99_999), Span::ZERO, Ask::ONE);
        assert_eq!((denied.count, denied.first, denied.next), (0, at(100_000), grant.next));
        assert_eq!(super::grant(&quota, grant.next, at(100_000), Span::ZERO, Ask::ONE).count, 1);
    }

    #[test]
    fn a_slot_a_little_ahead_is_handed_out_when_waiting_is_allowed() {
        let quota = quota(10, 1_000, 1);
        let delay = Span::from_micros(50_000);
        let first = grant(&quota, None, at(0), delay, Ask::ONE);
        assert_eq!(grant(&quota, first.next, at(49_999), delay, Ask::ONE).count, 0);
        let held = grant(&quota, first.next, at(62_000), delay, Ask::ONE);
        assert_eq!((held.count, held.first), (1, at(100_000)));
    }

    #[test]
    fn all_or_none() {
        let quota = quota(1, 1_000, 5);
        let some = grant(&quota, None, at(0), Span::ZERO, Ask::all(3));
        let none = grant(&quota, some.next, at(0), Span::ZERO, Ask::all(3));
        assert_eq!((none.count, none.next), (0, some.next));
        assert_eq!(none.first, at(1_000_000), "the third of the slots asked for is a second away");
        assert_eq!(grant(&quota, some.next, at(0), Span::ZERO, Ask::all(2)).count, 2);
    }

    #[test]
    fn what_is_left_and_until_when() {
        let quota = quota(1, 1_000, 5);
        let next = grant(&quota, None, at(0), Span::ZERO, Ask::all(2)).next;
        assert_eq!(remaining(&quota, next, at(0)), 3);
        assert_eq!(reset_after(&quota, next, at(0)), Duration::from_secs(2));
        assert_eq!(remaining(&quota, next, at(2_000_000)), 5);
        assert_eq!(remaining(&quota, next, at(9_000_000)), 5);
        assert_eq!(reset_after(&quota, None, at(0)), Duration::ZERO);
    }

    #[test]
    fn a_loosened_quota_takes_effect_at_once() {
        let hourly = quota(1, 3_600_000, 1);
        let next = grant(&hourly, None, at(0), Span::ZERO, Ask::ONE).next;
        let quick = quota(100, 1_000, 1);
        let refused = grant(&quick, next, at(1_000), Span::ZERO, Ask::ONE);
        assert_eq!((refused.count, refused.first), (0, at(11_000)), "within one bucket of the new quota");
        assert_eq!(grant(&quick, refused.next, at(11_000), Span::ZERO, Ask::ONE).count, 1);
    }
}
