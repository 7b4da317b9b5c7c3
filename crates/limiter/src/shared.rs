//! One step of a bucket that several instances share.
//!
//! It is [`schedule::grant`] and four things more, none of which touches the promise:
//!
//! - **Leases.** Beside the slots for the requests that wait now, an instance may be given some to keep and to spend by
//!   itself, each only within its life and on the store's time as far as that is known ([`crate::Lease`]). The promise
//!   assumes nothing about who holds a slot, or for how long.
//! - **Hints.** Every instance remembers the next free slot that it was last told, and says so when it asks again.
//!   `next` is the greatest of all it was told: a register that only grows. A store that has lost its data is so
//!   healed by any instance that remembers; and since it then knows that others may have been granted more, it hands
//!   out nothing that they may have.
//! - **Giving back.** An instance that does not need the end of its lease returns it, if nobody was given a slot since.
//!   Then `next` moves back, and hints up to where it was say nothing any more: the bucket is *void* up to there.
//! - **A fence.** Slots before it are not handed out: what a store may have granted in a former life is over.
//!
//! `grant.lua` and `give_back.lua` in `tollgate-store` are the twins of [`step`] and [`give_back`].

use std::time::Duration;

use crate::schedule::{self, Ask};
use crate::{Quota, Span, Timestamp};

/// The farthest ahead of the store's time that a slot is lent.
pub const AHEAD_MAX: Duration = Duration::from_millis(500);

/// How long a store that may have forgotten hands out nothing: longer than any slot lies ahead that it may have granted
/// before, and that is [`AHEAD_MAX`] or the longest that a request is held, half a second too.
pub const FENCE: Span = Span::from_micros(1_000_000);

/// What a store remembers of one key. A bucket that it does not remember is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// The next free slot.
    pub next: Timestamp,
    /// Slots up to here were handed out once and given back; whole microseconds. Always after `next`.
    pub void: Option<Timestamp>,
}

impl From<Timestamp> for Bucket {
    /// The bucket whose next free slot that is.
    fn from(next: Timestamp) -> Self {
        Self { next, void: None }
    }
}

impl Bucket {
    /// From when on nobody would miss this bucket: it is full, and no hint can say otherwise.
    pub fn full_at(&self, quota: &Quota) -> Timestamp {
        self.void.unwrap_or(self.next).max(self.next) + quota.life()
    }

    fn moved_to(self, next: Timestamp) -> Self {
        Self { next, void: self.void.filter(|void| *void >= next) }
    }
}

/// How many slots an instance would like to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeaseAsk {
    /// The most that are of use.
    pub most: u64,
    /// The least life that a slot must have left to be of use. Older ones are passed over.
    pub life: Span,
    /// How far ahead of the store's time slots are wanted. Zero: only those that are due, and of those only a quarter of
    /// what is there, for others may come.
    pub ahead: Span,
}

/// What is asked of one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// For those who wait.
    pub ask: Ask,
    /// How far ahead a slot for one who waits may lie.
    pub max_delay: Span,
    /// To keep.
    pub lease: LeaseAsk,
    /// The next free slot that the one who asks was last told.
    pub hint: Option<Timestamp>,
    /// No slot before this.
    pub fence: Option<Timestamp>,
}

impl Step {
    /// Asks for slots for those who wait, and for nothing else.
    pub fn plain(ask: Ask, max_delay: Span) -> Self {
        Self { ask, max_delay, lease: LeaseAsk::default(), hint: None, fence: None }
    }
}

/// What a step gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stepped {
    /// Slots for those who wait.
    pub count: u64,
    /// The first of them or, if there was none, the one to wait for.
    pub first: Timestamp,
    /// Slots to keep: the last ones before [`Stepped::next`].
    pub lease: u64,
    /// The next free slot now.
    pub next: Timestamp,
    /// Whether the hint told the store something that it had lost.
    pub healed: bool,
    /// What the store has to remember.
    pub bucket: Option<Bucket>,
}

/// Hands out slots of `bucket` at store time `now`. See [`schedule::grant`] for the rules.
pub fn step(quota: &Quota, bucket: Option<Bucket>, now: Timestamp, step: &Step) -> Stepped {
    let oldest = now.before(quota.life());
    let remembered = bucket.map(|bucket| bucket.next);
    let void = bucket.and_then(|bucket| bucket.void);
    let hint = step.hint.filter(|hint| void.is_none_or(|void| *hint > void));
    // See `schedule::grant`; a lease can have gone farther ahead.
    let farthest = now + farthest_ahead(quota, step.max_delay);
    let told = remembered.max(hint).map(|next| next.min(farthest));
    let healed = told.is_some_and(|next| next > oldest) && told > remembered && hint >= told;
    // Somebody knows more than the store: it has lost something, and he may not know all of it. What others were granted
    // and have not told yet is at most so far ahead.
    let unheard = healed.then(|| now + lendable_ahead(quota).max(step.max_delay));
    let known = told.max(unheard).max(step.fence);
    let grant = schedule::hand_out(quota, known, now, step.max_delay, step.ask);
    let free = if grant.count == 0 { known.map_or(oldest, |next| next.max(oldest)) } else { grant.first }
        + quota.interval().times(grant.count);
    let first_lent = free.max(oldest + step.lease.life);
    let lease = if grant.count < step.ask.want && step.lease.ahead.is_zero() {
        0
    } else {
        lent(quota, first_lent, now, &step.lease)
    };
    let next = if lease == 0 { free } else { first_lent + quota.interval().times(lease) };
    let moved = bucket.unwrap_or(Bucket::from(next)).moved_to(next);
    let bucket = match (grant.count + lease, known) {
        (0, None) => None,
        (0, Some(known)) if remembered == Some(known) => bucket,
        (0, Some(known)) => Some(bucket.unwrap_or(Bucket::from(known)).moved_to(known)),
        _ => Some(moved),
    };
    Stepped { count: grant.count, first: grant.first, lease, next, healed, bucket }
}

/// How far ahead of a store's time the next free slot can be at most under this quota.
pub fn farthest_ahead(quota: &Quota, max_delay: Span) -> Span {
    quota.interval().times(quota.burst()) + max_delay + lendable_ahead(quota)
}

/// How far ahead of a store's time slots are lent at most: no farther than they live.
fn lendable_ahead(quota: &Quota) -> Span {
    quota.life().min(Span::from(AHEAD_MAX))
}

fn lent(quota: &Quota, first: Timestamp, now: Timestamp, ask: &LeaseAsk) -> u64 {
    let until = now + ask.ahead;
    if first > until {
        return 0;
    }
    let there = until.since(first).div(quota.interval()).saturating_add(1);
    ask.most.min(if ask.ahead.is_zero() { there / 4 } else { there })
}

/// Takes back the slots from `start` to just before `end`, the end of a lease, if none was handed out since: then the
/// bucket as it is now; else `None`, and the slots die with whoever held them.
///
/// It may be asked any number of times: what was given back once lies before the void, and is not taken again.
pub fn give_back(bucket: Bucket, start: Timestamp, end: Timestamp) -> Option<Bucket> {
    let is_last = bucket.next == end && bucket.void.is_none_or(|void| void < end);
    (is_last && start < end).then(|| Bucket { next: start, void: Some(end.to_micros_up()) })
}

/// The bucket to which an operator has given `slots` beyond its schedule; `None`: all that it holds. It is full at most.
///
/// What any instance was told before counts no more. Slots that are lent stay so.
pub fn amend(quota: &Quota, bucket: Option<Bucket>, now: Timestamp, max_delay: Span, slots: Option<u64>) -> Bucket {
    let oldest = now.before(quota.life());
    let next = bucket.map_or(oldest, |bucket| bucket.next);
    let farthest = now + Span::from_micros(farthest_ahead(quota, max_delay).micros() + 1);
    let told = Timestamp::from_micros(next.micros() + 1).max(farthest);
    let void = bucket.and_then(|bucket| bucket.void).map_or(told, |void| void.max(told));
    let next = slots.map_or(oldest, |slots| next.before(quota.interval().times(slots)).max(oldest));
    Bucket { next, void: Some(void) }
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

    fn lease(most: u64, life_micros: u64, ahead_micros: u64) -> Step {
        let lease = LeaseAsk { most, life: Span::from_micros(life_micros), ahead: Span::from_micros(ahead_micros) };
        Step { lease, ..Step::plain(Ask::up_to(1), Span::ZERO) }
    }

    #[test]
    fn a_lease_leaves_three_quarters_to_the_others() {
        let quota = quota(1_000, 1_000, 101);
        let stepped = step(&quota, None, at(0), &lease(1_000, 0, 0));
        assert_eq!((stepped.count, stepped.lease), (1, 25));
        assert_eq!(stepped.next, at(0) - Span::from_micros(100_000) + Span::from_micros(26_000));
    }

    #[test]
    fn slots_that_are_about_to_die_are_not_lent_but_given_to_those_who_wait() {
        let quota = quota(1_000, 1_000, 101);
        let stepped = step(&quota, None, at(0), &lease(5, 10_000, 0));
        assert_eq!((stepped.count, stepped.first), (1, at(0) - quota.life()));
        assert_eq!(stepped.lease, 5);
        assert_eq!(stepped.next, at(0) - Span::from_micros(90_000) + Span::from_micros(5_000));
    }

    #[test]
    fn an_empty_bucket_lends_what_is_to_come() {
        let quota = quota(1_000, 1_000, 10);
        let empty = Some(Bucket::from(at(500)));
        assert_eq!(step(&quota, empty, at(0), &lease(9, 0, 0)).lease, 0);
        let stepped = step(&quota, empty, at(0), &lease(9, 0, 5_000));
        assert_eq!((stepped.count, stepped.lease, stepped.next), (0, 5, at(5_500)));
    }

    #[test]
    fn who_remembers_heals_a_store_that_forgot() {
        let quota = quota(10, 1_000, 10);
        let asks = |hint| Step { hint, ..Step::plain(Ask::up_to(20), Span::ZERO) };
        let before = step(&quota, None, at(0), &asks(None));
        assert_eq!((before.count, before.next, before.healed), (10, at(100_000), false));
        let after = step(&quota, None, at(150_000), &asks(Some(before.next)));
        assert_eq!((after.count, after.healed), (0, true));
        assert_eq!(after.next, at(650_000), "what others may have been lent is left to them");
        let known = step(&quota, after.bucket, at(650_000), &asks(Some(before.next)));
        assert_eq!((known.count, known.healed), (1, false), "an old hint says nothing new");
        let wild = step(&quota, after.bucket, at(150_000), &asks(Some(at(9_000_000_000))));
        assert!(wild.next <= at(150_000 + 1_000_000 + 500_000), "a hint is believed as far as it can be true");
    }

    #[test]
    fn what_is_given_back_is_there_again_but_only_once() {
        let quota = quota(10, 1_000, 41);
        let granted = step(&quota, None, at(0), &lease(8, 0, 0));
        assert_eq!(granted.lease, 8);
        let bucket = granted.bucket.unwrap();
        let start = granted.next - quota.interval().times(6);
        let returned = give_back(bucket, start, granted.next).unwrap();
        assert_eq!(returned.next, start);
        assert_eq!(give_back(returned, start, granted.next), None);
        // Somebody is given exactly what came back: the message, doubled, finds `next` where it was.
        let again = step(&quota, Some(returned), at(0), &Step::plain(Ask::all(6), Span::ZERO));
        assert_eq!(again.next, granted.next);
        assert_eq!(give_back(again.bucket.unwrap(), start, granted.next), None, "and is not believed");
        // Who was told of the later slot does not take the returned ones away again.
        let hinted = Step { hint: Some(granted.next), ..Step::plain(Ask::up_to(1), Span::ZERO) };
        let stepped = step(&quota, Some(returned), at(0), &hinted);
        assert_eq!((stepped.first, stepped.healed), (start, false));
    }

    #[test]
    fn nothing_before_the_fence() {
        let quota = quota(10, 1_000, 10);
        let fenced = Step { fence: Some(at(50_000)), ..Step::plain(Ask::up_to(20), Span::ZERO) };
        assert_eq!(step(&quota, None, at(0), &fenced).count, 0);
        assert_eq!(step(&quota, None, at(50_000), &fenced).count, 1);
        assert_eq!(step(&quota, None, at(450_000), &fenced).count, 5);
    }

    #[test]
    fn an_operator_is_obeyed_whatever_instances_remember() {
        let quota = quota(1, 1_000, 10);
        let empty = Some(Bucket::from(at(1_000_000)));
        let hint = Some(at(1_000_000));
        let asks = Step { hint, ..Step::plain(Ask::up_to(20), Span::ZERO) };
        assert_eq!(step(&quota, empty, at(0), &asks).count, 0);
        let three = amend(&quota, empty, at(0), Span::ZERO, Some(3));
        assert_eq!(step(&quota, Some(three), at(0), &asks).count, 3);
        let full = amend(&quota, empty, at(0), Span::ZERO, None);
        assert_eq!(step(&quota, Some(full), at(0), &asks).count, 10);
        let more = amend(&quota, Some(full), at(0), Span::ZERO, Some(5));
        assert_eq!(step(&quota, Some(more), at(0), &asks).count, 10, "full at most");
    }

    #[test]
    fn looking_changes_nothing() {
        let quota = quota(10, 1_000, 10);
        let look = Step::plain(Ask { want: 0, need: 0 }, Span::ZERO);
        assert_eq!(step(&quota, None, at(0), &look).bucket, None);
        let bucket = Some(Bucket { next: at(70), void: Some(at(900)) });
        assert_eq!(step(&quota, bucket, at(0), &look).bucket, bucket);
    }
}
