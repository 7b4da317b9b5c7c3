//! One call in flight per key.

use std::collections::VecDeque;

use crate::{Denial, Monotonic};

/// What stands in front of one key of a shared store: at most one call is under way, and those who arrive meanwhile
/// wait and are asked for together by the next. The load on a hot key is then bounded by the round trip, whatever
/// the traffic. While a refusal is known to stand, nobody has to ask at all.
///
/// It holds no lock, no clock and no connection; `W` is whatever stands for one who waits.
#[derive(Debug)]
pub struct Turnstile<W> {
    calling: bool,
    waiting: VecDeque<W>,
    denial: Option<Denial>,
}

/// What becomes of one who arrives.
#[derive(Debug, PartialEq, Eq)]
pub enum Entered {
    /// Refused: a refusal of the store still stands.
    Denied(Denial),
    /// Waits for the call that is under way, and for the one after it.
    Waits,
    /// Nobody is calling: call now, for all who wait.
    Calls,
}

impl<W> Default for Turnstile<W> {
    fn default() -> Self {
        Self { calling: false, waiting: VecDeque::new(), denial: None }
    }
}

impl<W> Turnstile<W> {
    /// Somebody arrives at `now`.
    pub fn enter(&mut self, waiter: impl FnOnce() -> W, now: Monotonic) -> Entered {
        if let Some(denial) = self.denial.filter(|denial| denial.stands(now)) {
            return Entered::Denied(denial);
        }
        self.waiting.push_back(waiter());
        if std::mem::replace(&mut self.calling, true) { Entered::Waits } else { Entered::Calls }
    }

    /// Those to call for, in order of arrival; at most `most`. Whoever calls takes them, again after each reply, until
    /// there are none: then nobody is calling any more.
    pub fn take(&mut self, most: usize) -> VecDeque<W> {
        let rest = self.waiting.split_off(most.min(self.waiting.len()));
        let batch = std::mem::replace(&mut self.waiting, rest);
        self.calling = !batch.is_empty();
        batch
    }

    /// A reply has said until when nobody will be given a slot (`None`: there are slots left).
    pub fn on_reply(&mut self, denial: Option<Denial>) {
        self.denial = denial;
    }

    /// Nobody calls or waits: all that is here is a refusal, which costs a call if it is forgotten, never a verdict.
    pub fn is_only_remembering(&self) -> bool {
        !self.calling && self.waiting.is_empty()
    }

    /// Nobody calls or waits, and no refusal is remembered.
    pub fn is_forgettable(&self) -> bool {
        self.is_only_remembering() && self.denial.is_none()
    }

    /// Nothing here that anybody would miss at `now`.
    pub fn is_idle(&self, now: Monotonic) -> bool {
        self.is_only_remembering() && !self.denial.is_some_and(|denial| denial.stands(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reading, Span, Timestamp};

    const NOW: Monotonic = Monotonic(0);

    #[test]
    fn the_first_calls_and_the_others_wait_for_the_next_call() {
        let mut turnstile = Turnstile::default();
        assert_eq!(turnstile.enter(|| 1, NOW), Entered::Calls);
        assert_eq!(turnstile.take(10), [1]);
        assert_eq!(turnstile.enter(|| 2, NOW), Entered::Waits);
        assert_eq!(turnstile.enter(|| 3, NOW), Entered::Waits);
        turnstile.on_reply(None);
        assert_eq!(turnstile.take(10), [2, 3], "in order of arrival");
        assert!(turnstile.take(10).is_empty());
        assert!(turnstile.is_idle(NOW));
        assert_eq!(turnstile.enter(|| 4, NOW), Entered::Calls, "whoever comes after the last call calls again");
    }

    #[test]
    fn a_known_refusal_is_given_without_a_call() {
        let reading = Reading { store: Timestamp::from_micros(0), sent: NOW, received: NOW };
        let denial = Denial::new(&reading, Timestamp::from_micros(1_000), Span::ZERO);
        let mut turnstile = Turnstile::<u8>::default();
        turnstile.on_reply(Some(denial));
        assert_eq!(turnstile.enter(|| 1, NOW), Entered::Denied(denial));
        assert!(!turnstile.is_idle(NOW));
        assert_eq!(turnstile.enter(|| 1, Monotonic(1_000_000)), Entered::Calls);
    }

    #[test]
    fn a_batch_is_bounded() {
        let mut turnstile = Turnstile::default();
        for waiter in 0..5 {
            turnstile.enter(|| waiter, NOW);
        }
        assert_eq!(turnstile.take(3), [0, 1, 2]);
        assert_eq!(turnstile.take(3), [3, 4]);
        assert!(turnstile.take(3).is_empty());
    }
}
