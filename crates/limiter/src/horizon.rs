//! How many slots an instance asks to keep, so that it neither calls often nor holds what others need.

use std::time::Duration;

use crate::lease::Lease;
use crate::shared::{AHEAD_MAX, LeaseAsk};
use crate::turnstile::{HORIZON_MAX, Terms};
use crate::{Monotonic, Reading, Span, Timestamp};

/// The size of a key's leases here, as it follows from the traffic. Nothing to tune:
///
/// - While slots are left in the bucket an instance keeps what it is about to need within the horizon of the limit: so
///   many as arrive in that time, upwards at most twofold from one call to the next.
/// - While most requests are refused here, slots to come are asked for: at most half as many as requests will have come
///   by then, so that each is surely spent, and at most this instance's equal share of the time ahead.
#[derive(Debug, Default)]
pub(crate) struct Horizon {
    /// The size of the next lease.
    size: u64,
    /// The size of the next lease of slots to come.
    chunk: u64,
    /// Arrivals, and refusals among them, since `from`.
    arrived: u64,
    refused: u64,
    from: Monotonic,
    last_arrival: Monotonic,
    /// When slots to come may be asked for again.
    ahead_from: Monotonic,
    /// Nothing was lent by the last reply although it was asked for.
    is_dry: bool,
    /// How long a lease is meant to last.
    lasts: Duration,
    /// How far ahead slots to come are asked for.
    ahead: Span,
}

/// How far ahead slots to come are asked for: within that time all instances together call about once each. More if
/// that is not two slots for each instance, but never more than three quarters of a slot's life: when the traffic
/// stops or moves to another instance, that is how long the slots of the first are missed.
const AHEAD: Duration = Duration::from_millis(100);

/// So many arrivals at least, and one in so many of them refused, say that there is more demand than there are slots.
const SATURATED_MIN: u64 = 16;
const SATURATED_PART: u64 = 4;
/// So many arrivals say how many there are; older ones count half.
const ARRIVED_MANY: u64 = 32;
/// Nor do they count in full when they are older than this.
const WINDOW_MAX: Duration = Duration::from_millis(500);
/// A lease of fewer slots saves no calls, and costs the bucket what is passed over for it.
const SIZE_MIN: u64 = 2;
/// So many horizons without an arrival, and a lease is not needed any more.
const IDLE_HORIZONS: u32 = 2;
/// And at least so long: what was given back and is needed after all costs a call.
const IDLE_MIN: Duration = Duration::from_millis(50);

impl Horizon {
    pub(crate) fn on_arrival(&mut self, now: Monotonic) {
        self.arrived += 1;
        self.last_arrival = now;
    }

    /// A request was refused. True if it is time to ask for slots to come.
    pub(crate) fn on_refusal(&mut self, held: &Lease, now: Monotonic) -> bool {
        self.refused += 1;
        self.looks_ahead(held, now)
    }

    /// Requests were refused by the store.
    pub(crate) fn on_refusals(&mut self, count: u64) {
        self.refused += count;
    }

    fn is_saturated(&self) -> bool {
        self.arrived >= SATURATED_MIN && self.refused * SATURATED_PART >= self.arrived
    }

    fn looks_ahead(&self, held: &Lease, now: Monotonic) -> bool {
        now >= self.ahead_from && self.is_saturated() && held.len() <= self.chunk / 2
    }

    /// True if it is time to ask for more, so that nobody has to wait.
    pub(crate) fn is_low(&self, held: &Lease) -> bool {
        !self.is_dry && !self.is_saturated() && self.size >= SIZE_MIN && held.len() <= self.size / 4
    }

    /// What to ask for with a call for `waiters`.
    pub(crate) fn ask(
        &mut self,
        held: &Lease,
        terms: &Terms,
        instances: u32,
        now: Monotonic,
        waiters: u64,
    ) -> LeaseAsk {
        if waiters == 0 && !self.looks_ahead(held, now) && !self.is_low(held) {
            return LeaseAsk::default();
        }
        self.lasts = terms.horizon.to_duration();
        let per_second = self.arrived as f64 / now.since(self.from).as_secs_f64().max(1e-6);
        let expected = |duration: Duration| (per_second * duration.as_secs_f64()) as u64;
        let ask = if self.is_saturated() && !terms.interval.is_zero() {
            let instances = instances.max(1);
            let two_each = terms.interval.times(2 * u64::from(instances));
            self.ahead = two_each
                .max(Span::from(AHEAD))
                .min(Span::from(AHEAD_MAX))
                .min(terms.life.saturating_sub(terms.life.part(4)));
            let share = self.ahead.part(instances).div(terms.interval);
            let spent = expected(self.ahead.to_duration()) / 2;
            self.chunk = spent.min(2 * self.chunk + 1).min(share);
            if self.chunk == 0 {
                self.ahead_from = now.after(AHEAD_MAX);
            }
            LeaseAsk { most: self.chunk, life: Span::ZERO, ahead: self.ahead }
        } else {
            self.chunk = 0;
            // What is lost of a lease is there again after that time.
            let soon = if terms.interval.is_zero() { u64::MAX } else { Span::from(HORIZON_MAX).div(terms.interval) };
            self.size = expected(self.lasts).min(2 * self.size + SIZE_MIN).min(soon);
            let most = if self.size < SIZE_MIN { 0 } else { self.size.saturating_sub(held.len()) };
            LeaseAsk { most, life: terms.horizon, ahead: Span::ZERO }
        };
        if self.arrived >= ARRIVED_MANY || now.since(self.from) > WINDOW_MAX {
            let elapsed = now.since(self.from) / 2;
            self.from = Monotonic(now.0.saturating_sub(elapsed.as_nanos() as u64));
            self.arrived /= 2;
            self.refused /= 2;
        }
        ask
    }

    pub(crate) fn on_reply(&mut self, terms: &Terms, reading: &Reading, lent: u64, next: Timestamp) {
        self.is_dry = lent == 0;
        // From when on a whole chunk more lies within the time ahead.
        let end = next + terms.interval.times(self.chunk.max(1) - 1);
        self.ahead_from = reading.surely_after(end - self.ahead);
    }

    /// A call failed: whoever waits next asks again, and nobody asks only to have more.
    pub(crate) fn on_failure(&mut self, now: Monotonic) {
        self.is_dry = true;
        self.ahead_from = now.after(AHEAD_MAX);
    }

    /// True if nobody has come for so long that what is held is not needed.
    pub(crate) fn is_idle(&self, now: Monotonic) -> bool {
        now.since(self.last_arrival) > (self.lasts * IDLE_HORIZONS).max(IDLE_MIN)
    }

    /// What was held was given back.
    pub(crate) fn rest(&mut self) {
        self.size = 0;
        self.chunk = 0;
    }

    pub(crate) fn size(&self) -> u64 {
        self.size.max(self.chunk)
    }
}
