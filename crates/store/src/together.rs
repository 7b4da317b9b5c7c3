//! Several limits on one request: all are charged, or none.
//!
//! What is known to be refused is refused before anybody is charged. The others are asked at the same time, wherever
//! their buckets are. If one of them refuses after all, the rest get back what they gave: a bucket in this process as if
//! nobody had asked, and a slot of a shared one goes to the next request here or back to the store.
//!
//! For the time of a round trip, a request that is refused by one limit may so hold a slot of another: somebody who comes
//! in that moment for the very last slot is told to come again. Nothing passes too much, and nothing is lost.

use std::sync::Arc;

use futures_util::future::join_all;
use tollgate_limiter::{Decision, DecisionSource, KeyBytes, Verdict};

use crate::answer::{Answer, Held};
use crate::bound::{BoundLimit, Meter};
use crate::hash::KeyHash;
use crate::redis::{Asked, Waiting};
use crate::stores::Store;

/// One of several limits on a request.
pub struct Part<'a> {
    /// The limit.
    pub limit: &'a Arc<BoundLimit>,
    /// Whom it counts the request to.
    pub key: KeyBytes<'a>,
}

/// What several limits say.
pub enum Together {
    /// Known without waiting.
    Now(Vec<Option<Decision>>),
    /// To be awaited with [`PendingAll::decisions`].
    Later(PendingAll),
}

/// Decisions of which some were asked of a shared store.
pub struct PendingAll {
    charges: Vec<Charge>,
    limits: usize,
}

/// One meter of a limit, charged or about to be.
struct Charge {
    /// Which of the limits.
    place: usize,
    limit: Arc<BoundLimit>,
    meter: Arc<Meter>,
    hash: KeyHash,
    state: State,
}

enum State {
    Told(Answer),
    Waits(Waiting),
}

/// Asks all limits about one request, each with its bucket and its windows. The answer has a decision for each limit in
/// their order: if one is a refusal, only refusals, and nothing for those that let it pass, for they were not charged.
pub fn ask_all(parts: &[Part<'_>]) -> Together {
    let refusals: Vec<_> = parts.iter().map(Part::refusal).collect();
    if refusals.iter().any(Option::is_some) {
        for (part, refusal) in parts.iter().zip(&refusals) {
            refusal.map(|decision| part.limit.count(decision));
        }
        return Together::Now(refusals);
    }
    let mut charges = Vec::with_capacity(parts.len());
    let mut is_refused = false;
    let meters = parts
        .iter()
        .enumerate()
        .flat_map(|(place, part)| part.limit.meters.iter().map(move |meter| (place, part, meter)));
    for (place, part, meter) in meters {
        let charge = part.charge(place, meter);
        is_refused = charge.is_refused();
        charges.push(charge);
        if is_refused {
            break;
        }
    }
    let waits = charges.iter().any(|charge| matches!(charge.state, State::Waits(_)));
    // Once one refuses, those that still wait are not waited for: their slot comes back when nobody is there to take it.
    if waits && !is_refused {
        return Together::Later(PendingAll { charges, limits: parts.len() });
    }
    Together::Now(settle(charges, parts.len()))
}

impl PendingAll {
    /// Waits for those that were asked of a store, each at most until its store's deadline.
    pub async fn decisions(self) -> Vec<Option<Decision>> {
        settle(join_all(self.charges.into_iter().map(Charge::told)).await, self.limits)
    }
}

/// Counts what was decided, and gives back what was taken if one refuses.
fn settle(charges: Vec<Charge>, limits: usize) -> Vec<Option<Decision>> {
    let is_refused = charges.iter().any(Charge::is_refused);
    let mut decided: Vec<Option<(Arc<BoundLimit>, Decision)>> = (0..limits).map(|_| None).collect();
    for charge in charges {
        let State::Told(answer) = charge.state else { continue };
        if is_refused && !denies(&answer.decision) {
            charge.limit.store.put_back(&charge.meter, charge.hash, &answer);
            continue;
        }
        let place = &mut decided[charge.place];
        let before = place.take();
        let decision = before.map_or(answer.decision, |(_, before)| stricter(before, answer.decision));
        *place = Some((charge.limit, decision));
    }
    decided.into_iter().map(|decided| decided.map(|(limit, decision)| limit.count(decision))).collect()
}

/// What two meters of one limit say together: the refusal that lasts longer, else the one with less left; and the longer
/// wait of the two.
fn stricter(one: Decision, other: Decision) -> Decision {
    let wait = |decision: &Decision| match decision.verdict {
        Verdict::Allow => None,
        Verdict::Delay(wait) | Verdict::Deny { retry_after: wait } => Some(wait),
    };
    if denies(&one) || denies(&other) {
        return if (denies(&one), wait(&one)) >= (denies(&other), wait(&other)) { one } else { other };
    }
    let verdict = if wait(&one) >= wait(&other) { one.verdict } else { other.verdict };
    let left = |decision: &Decision| decision.remaining.unwrap_or(u64::MAX);
    Decision { verdict, ..if left(&one) <= left(&other) { one } else { other } }
}

fn denies(decision: &Decision) -> bool {
    matches!(decision.verdict, Verdict::Deny { .. })
}

impl Part<'_> {
    /// The refusal that is known to stand.
    fn refusal(&self) -> Option<Decision> {
        let refusals = self.limit.meters.iter().filter_map(|meter| match &self.limit.store {
            Store::Memory(store) => store.refusal(meter, meter.hasher.hash(&self.key)),
            Store::Redis(store) => store.refusal(meter, &self.key).map(|answer| answer.decision),
        });
        refusals.reduce(stricter)
    }

    fn charge(&self, place: usize, meter: &Arc<Meter>) -> Charge {
        let hash = meter.hasher.hash(&self.key);
        let state = match &self.limit.store {
            Store::Memory(store) => State::Told(store.step(meter, &meter.kind, hash, DecisionSource::Memory)),
            Store::Redis(store) => match store.ask(meter, &self.key) {
                Asked::Now(answer) => State::Told(answer),
                Asked::Later(waiting) => State::Waits(waiting),
            },
        };
        Charge { place, limit: self.limit.clone(), meter: meter.clone(), hash, state }
    }
}

impl Charge {
    fn is_refused(&self) -> bool {
        matches!(&self.state, State::Told(answer) if denies(&answer.decision))
    }

    async fn told(self) -> Self {
        match self.state {
            State::Told(_) => self,
            State::Waits(waiting) => Self { state: State::Told(waiting.answer().await), ..self },
        }
    }
}

impl Store {
    fn put_back(&self, meter: &Meter, hash: KeyHash, answer: &Answer) {
        match (self, answer.held) {
            (Self::Memory(store), held) => store.put_back(&meter.kind, held),
            (Self::Redis(store), Held::Slot(slot)) => store.put_back(hash, slot),
            (Self::Redis(store), held) => store.put_back_locally(meter, held),
        }
    }
}
