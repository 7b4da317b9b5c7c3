//! A refusal that is known without asking.

use std::time::Duration;

use crate::{Monotonic, Reading, Timestamp};

/// What a store's refusal says about the time to come: nobody is given a slot of this bucket before `slot`.
///
/// Until then every request for the key is refused here, and costs the store nothing. It is exact: slots are handed
/// out in order, so that what was not there for the one who asked is not there for anybody who asks later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denial {
    until: Monotonic,
    admissible: Monotonic,
}

impl Denial {
    /// The denial that follows from a reply: `slot` is the slot to wait for, `max_delay` how far ahead of its time a
    /// slot may be taken.
    pub fn new(reading: &Reading, slot: Timestamp, max_delay: crate::Span) -> Self {
        Self { until: reading.not_before(slot - max_delay), admissible: reading.surely_after(slot) }
    }

    /// The denial that ends when a slot of ours is due.
    pub const fn until(due: Monotonic) -> Self {
        Self { until: due, admissible: due }
    }

    /// Whether the refusal still stands at `now`. If it does not, the store has to be asked again.
    pub fn stands(&self, now: Monotonic) -> bool {
        now < self.until
    }

    /// How long a client has to wait so that its slot is surely due.
    pub fn retry_after(&self, now: Monotonic) -> Duration {
        self.admissible.since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Span;

    #[test]
    fn a_denial_ends_no_later_than_the_slot_may_be_taken() {
        let reading =
            Reading { store: Timestamp::from_micros(1_000_000), sent: Monotonic(0), received: Monotonic(300_000) };
        let slot = Timestamp::from_micros(1_100_000);
        let denial = Denial::new(&reading, slot, Span::from_micros(50_000));
        assert!(denial.stands(Monotonic(49_000_000)));
        assert!(!denial.stands(Monotonic(50_000_000)));
        assert!(denial.retry_after(Monotonic(300_000)) >= Duration::from_millis(100));
        assert!(denial.retry_after(Monotonic(300_000)) < Duration::from_millis(101));
    }
}
