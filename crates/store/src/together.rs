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

use crate::bound::{BoundLimit, Meter};
use crate::hash::KeyHash;
use crate::redis::{Answer, Asked, Waiting};
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
pub struct PendingAll(Vec<Charge>);

/// One limit, about to be charged.
struct Charge {
    limit: Arc<BoundLimit>,
    hash: KeyHash,
    state: State,
}

enum State {
    Told(Answer),
    Waits(Waiting),
}

/// Asks all limits about one request. The answer has a decision for each limit in their order: if one is a refusal, only
/// refusals, and nothing for those that let it pass, for they were not charged.
pub fn ask_all(parts: &[Part<'_>]) -> Together {
    let refusals: Vec<_> = parts.iter().map(Part::refusal).collect();
    if refusals.iter().any(Option::is_some) {
        for (part, refusal) in parts.iter().zip(&refusals) {
            refusal.map(|decision| part.limit.count(decision));
        }
        return Together::Now(refusals);
    }
    let mut charges = Vec::with_capacity(parts.len());
    for part in parts {
        let charge = part.charge();
        let is_refused = charge.is_refused();
        charges.push(charge);
        if is_refused {
            break;
        }
    }
    if charges.iter().any(|charge| matches!(charge.state, State::Waits(_))) && !charges.iter().any(Charge::is_refused) {
        return Together::Later(PendingAll(charges));
    }
    // Those that still wait are not waited for: their slot comes back when nobody is there to take it.
    let mut decisions = settle(charges);
    decisions.resize(parts.len(), None);
    Together::Now(decisions)
}

impl PendingAll {
    /// Waits for those that were asked of a store, each at most until its store's deadline.
    pub async fn decisions(self) -> Vec<Option<Decision>> {
        settle(join_all(self.0.into_iter().map(Charge::told)).await)
    }
}

/// Counts what was decided, and gives back what was taken if one refuses.
fn settle(charges: Vec<Charge>) -> Vec<Option<Decision>> {
    let is_refused = charges.iter().any(Charge::is_refused);
    charges
        .into_iter()
        .map(|charge| {
            let State::Told(answer) = charge.state else { return None };
            if is_refused && !denies(&answer.decision) {
                charge.limit.store.put_back(&charge.limit.bucket, charge.hash, &answer);
                return None;
            }
            Some(charge.limit.count(answer.decision))
        })
        .collect()
}

fn denies(decision: &Decision) -> bool {
    matches!(decision.verdict, Verdict::Deny { .. })
}

impl Part<'_> {
    /// The refusal that is known to stand.
    fn refusal(&self) -> Option<Decision> {
        let meter = &self.limit.bucket;
        match &self.limit.store {
            Store::Memory(store) => store.refusal(meter, meter.hasher.hash(&self.key)),
            Store::Redis(store) => store.refusal(meter, &self.key).map(|answer| answer.decision),
        }
    }

    fn charge(&self) -> Charge {
        let meter = &self.limit.bucket;
        let hash = meter.hasher.hash(&self.key);
        let state = match &self.limit.store {
            Store::Memory(store) => {
                let decision = store.step(meter, &meter.quota, hash, DecisionSource::Memory);
                State::Told(Answer { decision, slot: None })
            }
            Store::Redis(store) => match store.ask(meter, &self.key) {
                Asked::Now(answer) => State::Told(answer),
                Asked::Later(waiting) => State::Waits(waiting),
            },
        };
        Charge { limit: self.limit.clone(), hash, state }
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
        match (self, answer.slot) {
            (Self::Memory(store), _) => store.put_back(&meter.quota, hash),
            (Self::Redis(store), Some(slot)) => store.put_back(hash, slot),
            // Counted in a share of this instance's own, or not at all.
            (Self::Redis(store), None) => store.put_back_locally(meter, hash, answer),
        }
    }
}
