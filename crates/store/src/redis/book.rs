//! What this instance knows of the keys of a shared store: who waits, what was refused, what is held.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Place;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;
use tollgate_limiter::turnstile::{Call, Entered, Settled, Surplus, Told, Turnstile};
use tollgate_limiter::window::Hint;
use tollgate_limiter::{Decision, DecisionSource, KeyBytes, Monotonic, Run, Slot, Verdict};

use super::error::StoreError;
use super::script::key_name;
use super::servers::hash_slot;
use crate::answer::{Answer, Held};
use crate::bound::{Kind, Meter};
use crate::hash::KeyHash;
use crate::stats::StoreStats;

/// What one who waits is told.
pub(super) type Outcome = Result<Answer, StoreError>;

/// One who waits.
pub(super) type Waiter = oneshot::Sender<Outcome>;

/// What stands before one key.
#[derive(Debug)]
struct Entry {
    hash: KeyHash,
    digest: [u8; 16],
    meter: Arc<Meter>,
    turnstile: Turnstile<Waiter>,
    /// Of a window: what its last reply told.
    permits: Option<Permits>,
    /// Somebody looks after what is held here.
    is_watched: bool,
}

/// What is known of a window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Permits {
    /// To be told with the next call.
    pub(super) hint: Hint,
    /// The slice of the permits that were lent last.
    pub(super) index: u64,
    /// How many were left for everybody.
    pub(super) remaining: u64,
    /// When it is over.
    pub(super) reset: Monotonic,
}

/// The turnstiles of all keys that were asked about lately, in parts under locks of their own, because all threads come
/// by here. A lock is held for a look, never across a wait.
///
/// What is remembered of a key that is not busy is how far its bucket was: enough to heal a store that forgets.
#[derive(Debug)]
pub(super) struct Book {
    parts: Box<[Mutex<HashTable<Entry>>]>,
    stats: Arc<StoreStats>,
}

/// A power of two well above the number of threads.
const PARTS: usize = 64;
/// Keys per part. When they are more, those that nobody waits for and nothing is held of are forgotten, and if these
/// are too few, all that nobody waits for. That costs calls, never a verdict.
const KEYS_MAX: usize = 4_096;

/// What becomes of a request that comes to the book.
pub(super) enum Visit {
    /// Decided here. `calls`: nobody calls for the key, and it is time to.
    Decided { answer: Answer, calls: bool },
    /// To be told by whoever calls; `calls` says that nobody does yet.
    Waits { told: oneshot::Receiver<Outcome>, calls: bool },
    /// Only the store could tell, and it is known to be away.
    Away,
}

/// A call to make, for one key.
pub(super) struct Due {
    pub(super) hash: KeyHash,
    pub(super) digest: [u8; 16],
    pub(super) slot: u16,
    pub(super) meter: Arc<Meter>,
    pub(super) call: Call<Waiter>,
    pub(super) permits: Option<Permits>,
}

impl Due {
    pub(super) fn is_window(&self) -> bool {
        matches!(self.meter.kind, Kind::Window(_))
    }
}

/// Slots or permits to give back.
pub(super) struct Back {
    pub(super) hash: KeyHash,
    pub(super) digest: [u8; 16],
    pub(super) slot: u16,
    pub(super) run: Run,
    pub(super) permits: Option<Permits>,
}

/// What a look after a key found.
pub(super) struct Looked {
    pub(super) back: Option<Back>,
    /// There is something left to look after.
    pub(super) again: bool,
}

impl Book {
    pub(super) fn new(stats: Arc<StoreStats>) -> Self {
        Self { parts: (0..PARTS).map(|_| Mutex::new(HashTable::new())).collect(), stats }
    }

    /// A request for a key arrives. `is_away` says whether the server of a hash slot is known to be away.
    pub(super) fn visit(
        &self,
        meter: &Arc<Meter>,
        key: &KeyBytes<'_>,
        hash: KeyHash,
        now: Monotonic,
        is_away: impl FnOnce(u16) -> bool,
    ) -> Visit {
        let mut part = self.part(hash);
        if part.len() >= KEYS_MAX {
            self.make_room(&mut part, now);
        }
        let entry = match part.entry(hash[0], |entry| entry.hash == hash, |entry| entry.hash[0]) {
            Place::Occupied(entry) => entry.into_mut(),
            Place::Vacant(place) => place.insert(Entry::new(meter, key, hash)).into_mut(),
        };
        entry.is_of(meter);
        match entry.turnstile.decide(&meter.terms, now) {
            Some(Entered::Spent { spent, left, calls }) => {
                let answer = entry.leased(spent.slot, spent.due, left, now);
                Visit::Decided { answer, calls }
            }
            Some(Entered::Denied { denial, calls }) => {
                Visit::Decided { answer: entry.denied(denial.retry_after(now), now), calls }
            }
            _ if is_away(entry.slot()) => Visit::Away,
            _ => {
                let (tell, told) = oneshot::channel();
                Visit::Waits { told, calls: entry.turnstile.wait(tell) }
            }
        }
    }

    /// The refusal of a key that stands at `now`, if one is known.
    pub(super) fn refusal(&self, hash: KeyHash, now: Monotonic) -> Option<Answer> {
        let part = self.part(hash);
        let entry = part.find(hash[0], |entry| entry.hash == hash)?;
        let denial = entry.turnstile.refusal(now)?;
        Some(entry.denied(denial.retry_after(now), now))
    }

    fn make_room(&self, part: &mut HashTable<Entry>, now: Monotonic) {
        let before = part.len();
        part.retain(|entry| !entry.turnstile.is_cold(now));
        if part.len() * 4 > KEYS_MAX * 3 {
            part.retain(|entry| {
                let stays = !entry.turnstile.is_only_remembering();
                self.stats.died(if stays { 0 } else { entry.turnstile.held() });
                stays
            });
        }
        self.stats.forgot(before - part.len());
    }

    /// The next turn of a key: tells those who need no call any more, and says what to ask for; nothing if the turn is
    /// over. Whoever has gone away meanwhile is passed over.
    pub(super) fn turn(&self, hash: KeyHash, instances: u32, now: Monotonic, most: usize) -> Option<Due> {
        let mut part = self.part(hash);
        let entry = part.find_mut(hash[0], |entry| entry.hash == hash)?;
        let turn = entry.turnstile.turn(&entry.meter.terms, instances, now, most, oneshot::Sender::is_closed);
        self.stats.settled(turn.settled.len());
        for (waiter, how) in turn.settled {
            match how {
                Settled::Spent(spent, left) => {
                    let answer = entry.leased(spent.slot, spent.due, left, now);
                    if waiter.send(Ok(answer)).is_err() {
                        entry.turnstile.put_back(&entry.meter.terms, spent.slot);
                    }
                }
                // Nobody is there any more: nothing was taken.
                Settled::Denied(denial) => drop(waiter.send(Ok(entry.denied(denial.retry_after(now), now)))),
            }
        }
        let call = turn.call?;
        let (slot, meter) = (entry.slot(), entry.meter.clone());
        Some(Due { hash, digest: entry.digest, slot, meter, call, permits: entry.permits })
    }

    /// A reply is here. True if there is something to look after that nobody looks after yet.
    pub(super) fn on_reply(&self, hash: KeyHash, meter: &Meter, told: &Told, permits: Option<Permits>) -> bool {
        let mut part = self.part(hash);
        let Some(entry) = part.find_mut(hash[0], |entry| entry.hash == hash) else { return false };
        // What was lent under another quota is not spent under this one.
        if entry.meter.is_like(meter) {
            entry.turnstile.on_reply(&meter.terms, told);
            entry.permits = permits;
        }
        entry.turnstile.holds() && !std::mem::replace(&mut entry.is_watched, true)
    }

    /// A call failed.
    pub(super) fn on_failure(&self, hash: KeyHash, now: Monotonic) {
        let mut part = self.part(hash);
        if let Some(entry) = part.find_mut(hash[0], |entry| entry.hash == hash) {
            entry.turnstile.on_failure(now);
        }
    }

    /// A request is not let through: the slot it took is the next one's. True as for [`Book::on_reply`].
    pub(super) fn put_back(&self, hash: KeyHash, slot: Slot) -> bool {
        let mut part = self.part(hash);
        let Some(entry) = part.find_mut(hash[0], |entry| entry.hash == hash) else { return false };
        entry.turnstile.put_back(&entry.meter.terms, slot);
        !std::mem::replace(&mut entry.is_watched, true)
    }

    /// Looks after what is held of a key; with `all` it is given back whether it is needed or not.
    pub(super) fn look(&self, hash: KeyHash, now: Monotonic, all: bool) -> Looked {
        let mut part = self.part(hash);
        let Some(entry) = part.find_mut(hash[0], |entry| entry.hash == hash) else {
            return Looked { back: None, again: false };
        };
        self.stats.died(entry.turnstile.take_died(now));
        let surplus = entry.turnstile.surplus(now, all);
        entry.is_watched = entry.turnstile.holds();
        let (digest, slot, permits) = (entry.digest, entry.slot(), entry.permits);
        let back = surplus.map(|Surplus { run }| Back { hash, digest, slot, run, permits });
        Looked { back, again: entry.is_watched }
    }

    /// Permits were given back, so often in all.
    pub(super) fn on_returned(&self, hash: KeyHash, returns: u64) {
        let mut part = self.part(hash);
        let permits = part.find_mut(hash[0], |entry| entry.hash == hash).and_then(|entry| entry.permits.as_mut());
        if let Some(permits) = permits {
            permits.hint.returns = permits.hint.returns.max(returns);
        }
    }

    /// The keys of which something is held.
    pub(super) fn holding(&self) -> Vec<KeyHash> {
        let held = |part: &Mutex<HashTable<Entry>>| {
            part.lock().iter().filter(|entry| entry.turnstile.holds()).map(|entry| entry.hash).collect::<Vec<_>>()
        };
        self.parts.iter().flat_map(held).collect()
    }

    /// Slots held of a key.
    pub(super) fn held(&self, hash: KeyHash) -> u64 {
        let part = self.part(hash);
        part.find(hash[0], |entry| entry.hash == hash).map_or(0, |entry| entry.turnstile.held())
    }

    /// What is remembered of a refusal is not so any more.
    pub(super) fn forget_denial(&self, hash: KeyHash) {
        let mut part = self.part(hash);
        if let Some(entry) = part.find_mut(hash[0], |entry| entry.hash == hash) {
            entry.turnstile.forget_denial();
        }
    }

    /// Nor of any.
    pub(super) fn forget_denials(&self) {
        for part in &self.parts {
            part.lock().iter_mut().for_each(|entry| entry.turnstile.forget_denial());
        }
    }

    /// Forgets what nobody would miss in one part.
    pub(super) fn sweep(&self, part: usize, now: Monotonic) {
        let mut part = self.parts[part % PARTS].lock();
        part.retain(|entry| !entry.turnstile.is_idle(now));
        if part.len() * 4 < part.capacity() {
            let len = part.len();
            part.shrink_to(len * 2, |entry| entry.hash[0]);
        }
    }

    /// Keys remembered, slots held, and the keys they are of.
    pub(super) fn size(&self) -> BookSize {
        let mut size = BookSize::default();
        for part in &self.parts {
            let part = part.lock();
            size.keys += part.len() as u64;
            for held in part.iter().map(|entry| entry.turnstile.held()).filter(|held| *held > 0) {
                size.leases += 1;
                size.slots += held;
            }
        }
        size
    }

    fn part(&self, hash: KeyHash) -> MutexGuard<'_, HashTable<Entry>> {
        self.parts[(hash[1] >> 32) as usize % PARTS].lock()
    }
}

/// How much is in a book.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BookSize {
    pub(super) keys: u64,
    pub(super) leases: u64,
    pub(super) slots: u64,
}

impl Entry {
    fn new(meter: &Arc<Meter>, key: &KeyBytes<'_>, hash: KeyHash) -> Self {
        let digest = key.digest(&meter.space);
        Self { hash, digest, meter: meter.clone(), turnstile: Turnstile::default(), permits: None, is_watched: false }
    }

    fn slot(&self) -> u16 {
        hash_slot(&key_name(&self.digest))
    }

    /// The key is asked for under `meter`. If the limit was changed meanwhile, what was refused or lent under the old one
    /// says nothing about the new.
    fn is_of(&mut self, meter: &Arc<Meter>) {
        if !Arc::ptr_eq(&self.meter, meter) {
            if !self.meter.is_like(meter) {
                self.turnstile.on_change();
                self.permits = None;
            }
            self.meter = meter.clone();
        }
    }

    /// How long until the bucket is full, or the window over.
    fn reset_after(&self, now: Monotonic) -> Option<Duration> {
        match &self.permits {
            Some(permits) => Some(permits.reset.since(now)),
            None => self.turnstile.full_after(now),
        }
    }

    fn leased(&self, slot: Slot, due: Monotonic, left: u64, now: Monotonic) -> Answer {
        let verdict = if due > now { Verdict::Delay(due.since(now)) } else { Verdict::Allow };
        let decision = Decision {
            verdict,
            source: DecisionSource::Lease,
            remaining: Some(left),
            reset_after: self.reset_after(now),
            window: self.meter.window,
        };
        Answer { decision, held: Held::Slot(slot) }
    }

    fn denied(&self, retry_after: Duration, now: Monotonic) -> Answer {
        let decision = Decision {
            verdict: Verdict::Deny { retry_after },
            source: DecisionSource::DenialCache,
            remaining: Some(0),
            reset_after: self.reset_after(now),
            window: self.meter.window,
        };
        Answer { decision, held: Held::Nothing }
    }
}
