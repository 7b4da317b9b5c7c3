//! What stands in front of one key of a shared store.

use std::collections::VecDeque;
use std::time::Duration;

use crate::horizon::Horizon;
use crate::lease::{Lease, Run, Slot, Spent};
use crate::schedule::Ask;
use crate::shared::LeaseAsk;
use crate::{Denial, Monotonic, Quota, Reading, Span, Timestamp};

/// The state of one key on one instance: who waits, which call is under way, and what can be decided here.
///
/// At most one call is under way, and those who arrive meanwhile wait and are asked for together by the next. The load
/// on a hot key is then bounded by the round trip, whatever the traffic. While a refusal is known to stand nobody has
/// to ask, and while slots are held, nobody either.
///
/// It holds no lock, no clock and no connection; `W` is whatever stands for one who waits.
#[derive(Debug)]
pub struct Turnstile<W> {
    calling: bool,
    waiting: VecDeque<W>,
    denial: Option<Denial>,
    known: Option<Known>,
    /// Only keys that are asked for again and again have one.
    hot: Option<Box<Hot>>,
}

/// What the last reply said.
#[derive(Debug, Clone, Copy)]
struct Known {
    reading: Reading,
    /// The next free slot: the hint of the next call.
    next: Timestamp,
    /// When the bucket is surely full if nothing more is taken.
    full_at: Monotonic,
}

/// What a key has that is busy here.
#[derive(Debug, Default)]
struct Hot {
    lease: Lease,
    horizon: Horizon,
}

/// What a turnstile has to know about its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How long a leased slot has to live at least, and how long a lease is meant to last; zero: no leases.
    pub horizon: Span,
    /// How far slots are apart; zero: what is leased are permits of a window.
    pub interval: Span,
    /// How long a slot lives.
    pub life: Span,
    /// How far ahead a slot for one who waits may lie.
    pub max_delay: Span,
}

impl Terms {
    /// The terms of a bucket: leases, if wanted, last so long that what all instances hold together is at most a tenth
    /// of the burst. Where slots come so slowly that not even two of them do in the longest time that a lease lasts, there
    /// is none: it would save next to nothing, and a slot that is lost with a message or an instance would be missed for
    /// long.
    pub fn of(quota: &Quota, max_delay: Span, leases: bool) -> Self {
        let tenth = quota.interval().times(quota.burst()).part(10).min(Span::from(HORIZON_MAX));
        let is_slow = quota.interval().times(2) > Span::from(HORIZON_MAX);
        let horizon = if leases && !is_slow { tenth } else { Span::ZERO };
        Self { horizon, interval: quota.interval(), life: quota.life(), max_delay }
    }
}

impl Terms {
    /// The terms of a window, whose permits are all alike.
    pub fn of_window(leases: bool) -> Self {
        let horizon = if leases { Span::from(HORIZON_MAX) } else { Span::ZERO };
        Self { horizon, interval: Span::ZERO, life: Span::from(WINDOW_LIFE), max_delay: Span::ZERO }
    }
}

/// Permits of a window live until it is over: long enough for any lease.
const WINDOW_LIFE: Duration = Duration::from_secs(3_600);
/// The longest that a lease is meant to last: a hot key is asked for a few times per second.
pub(crate) const HORIZON_MAX: Duration = Duration::from_millis(250);

/// What becomes of one who arrives.
#[derive(Debug, PartialEq, Eq)]
pub enum Entered {
    /// Admitted with a slot that was held here. `calls`: it is time to ask for more.
    Spent {
        /// The slot, and from when on the request may pass.
        spent: Spent,
        /// What is certainly left for the next ones here.
        left: u64,
        /// Nobody is calling: call now, for the lease.
        calls: bool,
    },
    /// Refused: nobody is given a slot yet.
    Denied {
        /// Until when.
        denial: Denial,
        /// Nobody is calling: call now, for slots to come.
        calls: bool,
    },
    /// Waits for the call that is under way, and for the one after it.
    Waits,
    /// Nobody is calling: call now, for all who wait.
    Calls,
}

/// What is to be done in turn.
#[derive(Debug)]
pub struct Turn<W> {
    /// Those who need no call any more.
    pub settled: Vec<(W, Settled)>,
    /// The call to make; without one the turn is over.
    pub call: Option<Call<W>>,
}

/// How one who waited was served without a call of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// With a slot that came in meanwhile; how many are certainly left.
    Spent(Spent, u64),
    /// By a refusal that was learned meanwhile.
    Denied(Denial),
}

/// A call to the store.
#[derive(Debug)]
pub struct Call<W> {
    /// Those it asks for, in order of arrival. Maybe none.
    pub waiters: VecDeque<W>,
    /// The slots asked for to keep.
    pub lease: LeaseAsk,
    /// The next free slot as this instance knows it.
    pub hint: Option<Timestamp>,
}

impl<W> Call<W> {
    /// What is asked for those who wait: as many as there are.
    pub fn ask(&self) -> Ask {
        let want = self.waiters.len() as u64;
        Ask { want, need: want.min(1) }
    }
}

/// What the store said.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// When, by its clock and ours.
    pub reading: Reading,
    /// Slots lent.
    pub lease: Option<Run>,
    /// The next free slot.
    pub next: Timestamp,
    /// How many of those who waited got none.
    pub refused: u64,
}

/// Slots that this instance does not need, and will not spend any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surplus {
    /// The slots.
    pub run: Run,
}

impl<W> Default for Turnstile<W> {
    fn default() -> Self {
        Self { calling: false, waiting: VecDeque::new(), denial: None, known: None, hot: None }
    }
}

impl<W> Turnstile<W> {
    /// Somebody arrives at `now`.
    pub fn enter(&mut self, terms: &Terms, now: Monotonic, waiter: impl FnOnce() -> W) -> Entered {
        match self.decide(terms, now) {
            Some(entered) => entered,
            None if self.wait(waiter()) => Entered::Calls,
            None => Entered::Waits,
        }
    }

    /// Somebody arrives at `now`: what can be said without the store, if anything.
    pub fn decide(&mut self, terms: &Terms, now: Monotonic) -> Option<Entered> {
        let calling = self.calling;
        if let (Some(hot), Some(known)) = (&mut self.hot, &self.known) {
            hot.horizon.on_arrival(now);
            let spent =
                if self.waiting.is_empty() { hot.lease.spend(&known.reading, now, terms.max_delay) } else { None };
            if let Some(spent) = spent {
                let calls = !calling && hot.horizon.is_low(&hot.lease);
                self.calling |= calls;
                return Some(Entered::Spent { spent, left: hot.lease.ready(), calls });
            }
        }
        let denial = self.denial(now)?;
        let calls = !calling && self.hot.as_mut().is_some_and(|hot| hot.horizon.on_refusal(&hot.lease, now));
        self.calling |= calls;
        Some(Entered::Denied { denial, calls })
    }

    /// Somebody waits for the store. True if nobody calls it: call now.
    pub fn wait(&mut self, waiter: W) -> bool {
        self.waiting.push_back(waiter);
        !std::mem::replace(&mut self.calling, true)
    }

    /// The refusal that stands at `now`, if one does. It asks for nothing and counts nobody.
    pub fn refusal(&self, now: Monotonic) -> Option<Denial> {
        match (&self.hot, &self.known) {
            // A slot that is held and due will do.
            (Some(hot), Some(known)) if hot.lease.due(&known.reading).is_some_and(|due| due <= now) => None,
            _ => self.denial(now),
        }
    }

    /// How long until the bucket is full if nothing more is taken, as far as this instance knows.
    pub fn full_after(&self, now: Monotonic) -> Option<Duration> {
        self.known.map(|known| known.full_at.since(now))
    }

    /// The refusal that stands at `now`: before a slot that is held here is due nobody else is given one, and before
    /// the next free slot is due nobody at all.
    fn denial(&self, now: Monotonic) -> Option<Denial> {
        let held = match (&self.hot, &self.known) {
            (Some(hot), Some(known)) => hot.lease.due(&known.reading),
            _ => None,
        };
        match held {
            Some(due) if due > now => Some(Denial::until(due)),
            Some(_) => None,
            None => self.denial.filter(|denial| denial.stands(now)),
        }
    }

    /// The next turn of whoever calls, again after each reply: those who can be told without asking, and the call for
    /// the rest, at most `most` of them. `instances` share the store; `gone` says that one who waits has left.
    pub fn turn(
        &mut self,
        terms: &Terms,
        instances: u32,
        now: Monotonic,
        most: usize,
        gone: impl Fn(&W) -> bool,
    ) -> Turn<W> {
        let mut settled = Vec::new();
        while let Some(waiter) = self.waiting.pop_front() {
            if gone(&waiter) {
                continue;
            }
            let spent = match (&mut self.hot, &self.known) {
                (Some(hot), Some(known)) => hot
                    .lease
                    .spend(&known.reading, now, terms.max_delay)
                    .map(|spent| Settled::Spent(spent, hot.lease.ready())),
                _ => None,
            };
            let Some(how) = spent.or_else(|| self.denial(now).map(Settled::Denied)) else {
                self.waiting.push_front(waiter);
                break;
            };
            if let (Settled::Denied(_), Some(hot)) = (how, &mut self.hot) {
                hot.horizon.on_refusals(1);
            }
            settled.push((waiter, how));
        }
        Turn { settled, call: self.call(terms, instances, now, most, gone) }
    }

    fn call(
        &mut self,
        terms: &Terms,
        instances: u32,
        now: Monotonic,
        most: usize,
        gone: impl Fn(&W) -> bool,
    ) -> Option<Call<W>> {
        let rest = self.waiting.split_off(most.min(self.waiting.len()));
        let mut waiters = std::mem::replace(&mut self.waiting, rest);
        waiters.retain(|waiter| !gone(waiter));
        let lease = self.lease_ask(terms, instances, now, waiters.len() as u64);
        self.calling = !waiters.is_empty() || lease.most > 0;
        let hint = self.known.map(|known| known.next);
        self.calling.then_some(Call { waiters, lease, hint })
    }

    fn lease_ask(&mut self, terms: &Terms, instances: u32, now: Monotonic, waiters: u64) -> LeaseAsk {
        let Some(known) = &self.known else { return LeaseAsk::default() };
        let round_trip = known.reading.received.since(known.reading.sent);
        // A slot has to live long enough that what an instance does not know of the store's time hardly matters.
        if terms.horizon.is_zero() || terms.life < Span::from(round_trip * ROUND_TRIPS_MIN) {
            return LeaseAsk::default();
        }
        let hot = self.hot.get_or_insert_default();
        hot.horizon.ask(&hot.lease, terms, instances, now, waiters)
    }

    /// The reply to a call. Those it asked for have been told by it.
    pub fn on_reply(&mut self, terms: &Terms, told: &Told) {
        let Told { reading, lease, next, refused } = *told;
        self.known = Some(Known { reading, next, full_at: reading.surely_after(next + terms.life) });
        let none_left = next > reading.store + terms.max_delay;
        self.denial = none_left.then(|| Denial::new(&reading, next, terms.max_delay));
        if let Some(hot) = &mut self.hot {
            hot.horizon.on_refusals(refused);
            hot.horizon.on_reply(terms, &reading, lease.map_or(0, |run| run.count), next);
            if let Some(run) = lease {
                hot.lease.add(run);
            }
        }
    }

    /// The call failed. Those it asked for have been told.
    pub fn on_failure(&mut self, now: Monotonic) {
        if let Some(hot) = &mut self.hot {
            hot.horizon.on_failure(now);
        }
    }

    /// The limit was changed: what was refused or lent under the old one says nothing about the new.
    pub fn on_change(&mut self) {
        self.denial = None;
        self.known = None;
        self.hot = None;
    }

    /// What was remembered of refusals is not so any more.
    pub fn forget_denial(&mut self) {
        self.denial = None;
    }

    /// A slot that was taken here comes back, because its request is not let through.
    pub fn put_back(&mut self, terms: &Terms, slot: Slot) {
        self.hot.get_or_insert_default().lease.put_back(slot, terms.interval);
    }

    /// Whether anything is held here that should be looked after.
    pub fn holds(&self) -> bool {
        self.hot.as_ref().is_some_and(|hot| !hot.lease.is_empty())
    }

    /// What this instance holds and has not needed for a while, or, with `all`, whatever it holds of the end of the
    /// schedule: to be given back. It is not spent here any more.
    pub fn surplus(&mut self, now: Monotonic, all: bool) -> Option<Surplus> {
        let (hot, known) = (self.hot.as_mut()?, self.known.as_mut()?);
        if self.calling || !(all || hot.horizon.is_idle(now)) {
            return None;
        }
        let last = hot.lease.last()?;
        // What lies behind it is somebody else's: it will be spent here, or die.
        if !last.step.is_zero() && last.end() != known.next {
            return None;
        }
        hot.horizon.rest();
        let run = hot.lease.take_last()?;
        if !run.step.is_zero() {
            known.next = run.first;
            self.denial = None;
        }
        Some(Surplus { run })
    }

    /// How many slots died here unspent since this was asked last.
    pub fn take_died(&mut self, now: Monotonic) -> u64 {
        match (&mut self.hot, &self.known) {
            (Some(hot), Some(known)) => hot.lease.take_died(&known.reading, now),
            _ => 0,
        }
    }

    /// Slots held.
    pub fn held(&self) -> u64 {
        self.hot.as_ref().map_or(0, |hot| hot.lease.len())
    }

    /// The size of the lease that is asked for at present.
    pub fn lease_size(&self) -> u64 {
        self.hot.as_ref().map_or(0, |hot| hot.horizon.size())
    }

    /// Nobody calls or waits: what is here costs a call if it is forgotten, never a verdict.
    pub fn is_only_remembering(&self) -> bool {
        !self.calling && self.waiting.is_empty()
    }

    /// Nothing here at `now` but a hint.
    pub fn is_cold(&self, now: Monotonic) -> bool {
        self.is_only_remembering() && self.held() == 0 && self.denial(now).is_none()
    }

    /// Nothing here that anybody would miss at `now`: no slot, no refusal, and a bucket that is full by now.
    pub fn is_idle(&self, now: Monotonic) -> bool {
        self.is_cold(now) && self.known.is_none_or(|known| now >= known.full_at)
    }
}

/// How many round trips a slot has to live to be worth a lease.
const ROUND_TRIPS_MIN: u32 = 10;

#[cfg(test)]
mod tests;
