//! Slots that an instance was given to spend by itself.

use std::collections::VecDeque;

use crate::{Monotonic, Reading, Span, Timestamp};

/// Slots, `step` apart: each may be spent once, from its time on, for as long as it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The first of them.
    pub first: Timestamp,
    /// How far they are apart. Zero: they are alike, as the permits of a window are.
    pub step: Span,
    /// How long after its time a slot may be spent.
    pub life: Span,
    /// How many there are.
    pub count: u64,
}

impl Run {
    fn slot(&self, index: u64) -> Timestamp {
        self.first + self.step.times(index)
    }

    /// Just behind the last slot.
    pub fn end(&self) -> Timestamp {
        self.slot(self.count)
    }

    fn drop_first(&mut self, count: u64) {
        self.first = self.slot(count);
        self.count -= count;
    }

    /// How many slots lie at or before `moment`.
    fn until(&self, moment: Timestamp) -> u64 {
        match moment {
            moment if moment < self.first => 0,
            _ if self.step.is_zero() => self.count,
            moment => moment.since(self.first).div(self.step).saturating_add(1).min(self.count),
        }
    }
}

/// What an instance holds of one bucket, the oldest slot first.
///
/// A slot *v* is spent at a moment of ours at which the store's time has surely reached *v* and has surely not passed
/// the end of its life, whatever the two clocks did since the last reading. What is not spent by then dies here,
/// unseen by anybody else: a bucket never gets more out of a lease than its schedule holds.
#[derive(Debug, Default)]
pub struct Lease {
    runs: VecDeque<Run>,
    /// Known without arithmetic: this many of the first run may be spent, as long as it is before `ready_until`.
    ready: u64,
    ready_until: Monotonic,
    died: u64,
}

/// A slot that was spent here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// The slot. A request that does not pass after all brings it back.
    pub slot: Slot,
    /// The moment of ours at which the request may pass: at or before the one at which it was asked for, or later if
    /// it is held.
    pub due: Monotonic,
}

/// One slot of a bucket, or one permit of a window, taken out of its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Its time.
    pub at: Timestamp,
    /// How long after that it may be spent.
    pub life: Span,
}

/// Runs held at a time. A new one comes when the last is nearly used up, so that two are usual.
const RUNS_MAX: usize = 8;

impl Lease {
    /// Takes in what a store lent. Slots only get later.
    pub fn add(&mut self, run: Run) {
        if run.count == 0 {
            return;
        }
        match self.runs.back_mut() {
            Some(last) if last.end() == run.first && last.step == run.step && last.life == run.life => {
                last.count += run.count;
            }
            _ => self.runs.push_back(run),
        }
        while self.runs.len() > RUNS_MAX {
            self.died += self.runs.pop_front().map_or(0, |run| run.count);
        }
        self.ready = 0;
    }

    /// Spends the oldest slot that may be spent at `now`, or else one that is due at most `max_delay` later.
    pub fn spend(&mut self, reading: &Reading, now: Monotonic, max_delay: Span) -> Option<Spent> {
        if self.ready == 0 || now >= self.ready_until {
            self.look(reading, now);
        }
        if self.ready > 0 {
            self.ready -= 1;
            return Some(Spent { slot: self.pop()?, due: now });
        }
        let due = reading.surely_after(self.runs.front()?.first);
        let holds = !max_delay.is_zero() && due.since(now) <= max_delay.to_duration();
        if holds { Some(Spent { slot: self.pop()?, due }) } else { None }
    }

    /// Forgets what has died, and counts what is ready in the oldest run.
    fn look(&mut self, reading: &Reading, now: Monotonic) {
        self.ready = 0;
        let known = reading.at(now);
        while let Some(run) = self.runs.front_mut() {
            // A slot lives at `latest` if `latest` ≤ slot + life.
            let dead = match known.latest.since_start(run.life) {
                Some(moment) if moment > run.first => run.until(moment.just_before()),
                _ => 0,
            };
            self.died += dead;
            if dead < run.count {
                run.drop_first(dead);
                self.ready = run.until(known.earliest);
                self.ready_until = reading.not_before(run.first + run.life);
                return;
            }
            self.runs.pop_front();
        }
    }

    fn pop(&mut self) -> Option<Slot> {
        let run = self.runs.front_mut()?;
        let slot = Slot { at: run.first, life: run.life };
        run.drop_first(1);
        if run.count == 0 {
            self.runs.pop_front();
            self.ready = 0;
        }
        Some(slot)
    }

    /// Brings back a slot that was not spent after all: the next request here may have it.
    pub fn put_back(&mut self, slot: Slot, step: Span) {
        let run = Run { first: slot.at, step, life: slot.life, count: 1 };
        let place = self.runs.iter().position(|run| run.first > slot.at).unwrap_or(self.runs.len());
        match self.runs.get_mut(place) {
            Some(next) if run.end() == next.first && next.step == step => {
                next.first = slot.at;
                next.count += 1;
            }
            _ => self.runs.insert(place, run),
        }
        self.ready = 0;
    }

    /// When the oldest slot held is due, if it is not yet.
    pub fn due(&self, reading: &Reading) -> Option<Monotonic> {
        self.runs.front().map(|run| reading.surely_after(run.first))
    }

    /// How many slots are held, whether due or not.
    pub fn len(&self) -> u64 {
        self.runs.iter().map(|run| run.count).sum()
    }

    /// True if nothing is held.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// How many of the slots held may certainly be spent now: what a client may be told is left.
    pub fn ready(&self) -> u64 {
        self.ready
    }

    /// The last run.
    pub fn last(&self) -> Option<Run> {
        self.runs.back().copied()
    }

    /// Takes out the last run, to give it back to the store.
    pub fn take_last(&mut self) -> Option<Run> {
        self.ready = 0;
        self.runs.pop_back()
    }

    /// Lets everything go.
    pub fn clear(&mut self) {
        self.died += self.len();
        self.runs.clear();
        self.ready = 0;
    }

    /// How many slots have died here unspent since this was asked last, those among them that are dead by `now`.
    pub fn take_died(&mut self, reading: &Reading, now: Monotonic) -> u64 {
        self.look(reading, now);
        std::mem::take(&mut self.died)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// Asked at 0, answered at 1 ms of ours, at 5 s of the store's.
    const READING: Reading =
        Reading { store: Timestamp::from_micros(5_000_000), sent: Monotonic(0), received: Monotonic(MS) };

    fn run(first_micros: u64, count: u64) -> Run {
        Run {
            first: Timestamp::from_micros(first_micros),
            step: Span::from_micros(1_000),
            life: Span::from_micros(10_000),
            count,
        }
    }

    fn spend(lease: &mut Lease, now_micros: u64) -> Option<u64> {
        let now = Monotonic(now_micros * 1_000);
        lease.spend(&READING, now, Span::ZERO).map(|spent| spent.slot.at.micros())
    }

    #[test]
    fn slots_are_spent_in_order_and_not_before_their_time() {
        let mut lease = Lease::default();
        lease.add(run(4_999_000, 4));
        assert_eq!(spend(&mut lease, 1_000), Some(4_999_000));
        assert_eq!(spend(&mut lease, 1_000), Some(5_000_000));
        assert_eq!(spend(&mut lease, 1_000), None, "its time has come at the earliest when it was read");
        assert_eq!(spend(&mut lease, 2_010), Some(5_001_000));
        assert_eq!(lease.len(), 1);
    }

    #[test]
    fn a_slot_may_have_died_before_it_surely_has() {
        let mut lease = Lease::default();
        lease.add(run(4_995_000, 1));
        lease.add(run(4_999_000, 1));
        // The first dies at 5.005 s of the store's time, and that may be as early as 5 ms after the question left.
        assert_eq!(spend(&mut lease, 5_010), Some(4_999_000));
        assert_eq!(lease.take_died(&READING, Monotonic(5_010_000)), 1);
        assert!(lease.is_empty());
    }

    #[test]
    fn what_was_ready_is_looked_at_again_when_it_may_have_died() {
        let mut lease = Lease::default();
        lease.add(run(4_991_000, 10));
        assert_eq!(spend(&mut lease, 1_000), Some(4_992_000), "one was dead, for all we know");
        assert_eq!(spend(&mut lease, 1_000), Some(4_993_000));
        assert_eq!(spend(&mut lease, 8_500), Some(4_999_000));
        assert_eq!(lease.take_died(&READING, Monotonic(8_500_000)), 6);
    }

    #[test]
    fn a_slot_may_be_taken_a_little_ahead_and_waited_for() {
        let mut lease = Lease::default();
        lease.add(run(5_010_000, 1));
        assert_eq!(lease.spend(&READING, Monotonic(2 * MS), Span::from_micros(5_000)), None);
        let spent = lease.spend(&READING, Monotonic(8 * MS), Span::from_micros(5_000)).unwrap();
        assert!(READING.at(spent.due).earliest >= spent.slot.at);
    }

    #[test]
    fn what_comes_back_is_the_next_to_go() {
        let mut lease = Lease::default();
        lease.add(run(4_998_000, 2));
        let spent = lease.spend(&READING, Monotonic(MS), Span::ZERO).unwrap();
        lease.put_back(spent.slot, Span::from_micros(1_000));
        assert_eq!(lease.len(), 2);
        assert_eq!(lease.take_last().map(|run| run.count), Some(2), "and joins its neighbour");
        lease.put_back(spent.slot, Span::from_micros(1_000));
        assert_eq!(spend(&mut lease, 1_000), Some(4_998_000));
    }

    #[test]
    fn the_permits_of_a_window_are_all_alike() {
        let mut lease = Lease::default();
        let (first, life) = (Timestamp::from_micros(4_000_000), Span::from_micros(1_500_000));
        lease.add(Run { first, step: Span::ZERO, life, count: 3 });
        assert_eq!(spend(&mut lease, 1_000), Some(4_000_000));
        assert_eq!(spend(&mut lease, 400_000), Some(4_000_000));
        assert_eq!(spend(&mut lease, 600_000), None);
        assert_eq!(lease.take_died(&READING, Monotonic(600 * MS)), 1);
    }
}
