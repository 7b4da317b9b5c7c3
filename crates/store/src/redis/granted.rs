//! What a reply says about one key, for those who waited for it and for those who come later.

use tollgate_limiter::turnstile::Told;
use tollgate_limiter::window::Taken;
use tollgate_limiter::{Decision, DecisionSource, Reading, Run, Slot, Span, Timestamp, Verdict, schedule};

use super::book::{Due, Permits};
use super::reply::KeyReply;
use crate::answer::{Answer, Held};
use crate::bound::{Kind, Meter};

/// What was granted to one key.
pub(super) struct Granted {
    /// How many of those who wait are admitted.
    pub(super) count: u64,
    /// What is remembered.
    pub(super) told: Told,
    /// The same, of a window.
    pub(super) permits: Option<Permits>,
    /// Whether the store had lost what it was told.
    pub(super) healed: bool,
    what: What,
}

enum What {
    /// The first slot for one who waits.
    Slots { first: Timestamp },
    /// Permits, alike.
    Permits { each: Slot, taken: Taken },
}

/// Between a slice and the next: permits are spent before its end, and a lease counts the end of a life in.
const TICK: Span = Span::from_micros(1);

impl Granted {
    /// Slots of a bucket.
    pub(super) fn slots(due: &Due, reply: &KeyReply, reading: &Reading) -> Self {
        let lease = match due.meter.kind {
            Kind::Bucket(quota) if reply.lent > 0 => {
                let (step, count) = (quota.interval(), reply.lent);
                Some(Run { first: reply.next - step.times(count), step, life: quota.life(), count })
            }
            _ => None,
        };
        let refused = (due.call.waiters.len() as u64).saturating_sub(reply.count);
        Self {
            count: reply.count,
            told: Told { reading: *reading, lease, next: reply.next, refused },
            permits: None,
            healed: reply.healed,
            what: What::Slots { first: reply.first },
        }
    }

    /// Permits of a window: those who wait come first, what is more is lent.
    pub(super) fn permits(due: &Due, taken: &Taken, reading: &Reading) -> Self {
        let waiting = due.call.waiters.len() as u64;
        let count = taken.count.min(waiting);
        let each = Slot { at: reading.store, life: taken.until.since(reading.store + TICK) };
        let lent = taken.count - count;
        let lease = (lent > 0).then_some(Run { first: each.at, step: Span::ZERO, life: each.life, count: lent });
        let next = if taken.remaining > 0 { reading.store } else { taken.next_free };
        let permits = Permits {
            hint: taken.hint,
            index: taken.index,
            remaining: taken.remaining,
            reset: reading.surely_after(taken.reset),
        };
        Self {
            count,
            told: Told { reading: *reading, lease, next, refused: waiting - count },
            permits: Some(permits),
            healed: taken.healed,
            what: What::Permits { each, taken: *taken },
        }
    }

    /// The answer for one who waited, by his place among those who are admitted.
    pub(super) fn admitted(&self, meter: &Meter, reading: &Reading, place: u64) -> Answer {
        match (&self.what, &meter.kind) {
            (What::Slots { first }, Kind::Bucket(quota)) => {
                let at = *first + quota.interval().times(place);
                let verdict = if at.since(reading.store) == Span::ZERO {
                    Verdict::Allow
                } else {
                    // Until the store's time has surely reached the slot.
                    Verdict::Delay(reading.surely_after(at).since(reading.received))
                };
                // Of those who are told by one reply, each stands before those after him.
                let next = if self.told.lease.is_none() { at + quota.interval() } else { self.told.next };
                let held = Held::Slot(Slot { at, life: quota.life() });
                Answer { decision: self.decision(meter, reading, verdict, next), held }
            }
            (What::Permits { each, .. }, _) => Answer {
                decision: self.decision(meter, reading, Verdict::Allow, self.told.next),
                held: Held::Slot(*each),
            },
            // What was asked of a bucket is answered for a bucket.
            (What::Slots { .. }, Kind::Window(_)) => self.refused(meter, reading),
        }
    }

    /// The answer for one who waited and got nothing.
    pub(super) fn refused(&self, meter: &Meter, reading: &Reading) -> Answer {
        let retry_after = reading.surely_after(self.told.next).since(reading.received);
        let decision = self.decision(meter, reading, Verdict::Deny { retry_after }, self.told.next);
        Answer { decision, held: Held::Nothing }
    }

    fn decision(&self, meter: &Meter, reading: &Reading, verdict: Verdict, next: Timestamp) -> Decision {
        let (remaining, reset_after) = match (&self.what, &meter.kind) {
            (What::Permits { taken, .. }, _) => (taken.remaining, taken.reset.since(reading.store).to_duration()),
            (What::Slots { .. }, Kind::Bucket(quota)) => (
                schedule::remaining(quota, Some(next), reading.store),
                schedule::reset_after(quota, Some(next), reading.store),
            ),
            (What::Slots { .. }, Kind::Window(_)) => (0, std::time::Duration::ZERO),
        };
        Decision {
            verdict,
            source: DecisionSource::Store,
            remaining: Some(remaining),
            reset_after: Some(reset_after),
            window: meter.window,
        }
    }
}
