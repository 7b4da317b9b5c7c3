//! Who waits for which key, and which refusals still stand.

use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Place;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tollgate_limiter::{Denial, Entered, KeyBytes, Monotonic, Turnstile};

use super::error::StoreError;
use crate::bound::BoundLimit;
use crate::hash::KeyHash;
use crate::stats::StoreStats;

/// What one who waits is told.
pub(super) type Outcome = Result<tollgate_limiter::Decision, StoreError>;

/// One who waits.
pub(super) type Waiter = oneshot::Sender<Outcome>;

/// What stands before one key.
#[derive(Debug)]
struct Entry {
    hash: KeyHash,
    digest: [u8; 16],
    limit: Arc<BoundLimit>,
    turnstile: Turnstile<Waiter>,
}

/// The turnstiles of all keys that somebody waits for or that are refused for a while yet, in parts under locks of
/// their own, because all threads come by here. A lock is held for a look, never across a wait.
#[derive(Debug)]
pub(super) struct Book {
    parts: Box<[Mutex<HashTable<Entry>>]>,
    stats: Arc<StoreStats>,
}

/// A power of two well above the number of threads.
const PARTS: usize = 64;
/// Keys remembered per part only because a refusal stands: beyond that, the part forgets them. A refusal forgotten
/// costs a call, never a verdict.
const DENIALS_MAX: usize = 4_096;

/// What becomes of a request that comes to the book.
pub(super) enum Visit {
    /// Refused here.
    Denied(Denial),
    /// To be told by whoever calls; `calls` says that nobody does yet.
    Waits { told: oneshot::Receiver<Outcome>, calls: bool },
}

/// Those to call for, for one key.
pub(super) struct Due {
    pub(super) hash: KeyHash,
    pub(super) digest: [u8; 16],
    pub(super) limit: Arc<BoundLimit>,
    pub(super) waiters: Vec<Waiter>,
}

impl Book {
    pub(super) fn new(stats: Arc<StoreStats>) -> Self {
        Self { parts: (0..PARTS).map(|_| Mutex::new(HashTable::new())).collect(), stats }
    }

    /// A request for a key arrives.
    pub(super) fn visit(&self, limit: &Arc<BoundLimit>, key: &KeyBytes<'_>, hash: KeyHash, now: Monotonic) -> Visit {
        let mut part = self.part(hash).lock();
        if part.len() >= DENIALS_MAX {
            let before = part.len();
            part.retain(|entry| !entry.turnstile.is_only_remembering());
            self.stats.forgot(before - part.len());
        }
        let entry = match part.entry(hash[0], |entry| entry.hash == hash, |entry| entry.hash[0]) {
            Place::Occupied(entry) => entry.into_mut(),
            Place::Vacant(place) => {
                let digest = key.digest(&limit.limit.id);
                let entry = Entry { hash, digest, limit: limit.clone(), turnstile: Turnstile::default() };
                place.insert(entry).into_mut()
            }
        };
        if !Arc::ptr_eq(&entry.limit, limit) {
            if entry.limit.limit.quota != limit.limit.quota || entry.limit.max_delay != limit.max_delay {
                // The limit was changed: what was refused under the old one may be allowed under the new.
                entry.turnstile.on_reply(None);
            }
            entry.limit = limit.clone();
        }
        let mut told = None;
        let entered = entry.turnstile.enter(
            || {
                let (tell, receiver) = oneshot::channel();
                told = Some(receiver);
                tell
            },
            now,
        );
        match (entered, told) {
            (Entered::Denied(denial), _) => Visit::Denied(denial),
            (entered, told) => Visit::Waits {
                told: told.expect("whoever is not denied becomes a waiter"),
                calls: entered == Entered::Calls,
            },
        }
    }

    /// Those who wait for a key now; none if its turn is over. Whoever has gone away meanwhile is passed over.
    pub(super) fn take(&self, hash: KeyHash, most: usize) -> Option<Due> {
        let mut part = self.part(hash).lock();
        let mut place = part.find_entry(hash[0], |entry| entry.hash == hash).ok()?;
        loop {
            let waiting = place.get_mut().turnstile.take(most);
            if waiting.is_empty() {
                if place.get().turnstile.is_forgettable() {
                    place.remove();
                }
                return None;
            }
            let waiters: Vec<_> = waiting.into_iter().filter(|waiter| !waiter.is_closed()).collect();
            if !waiters.is_empty() {
                let entry = place.get();
                return Some(Due { hash, digest: entry.digest, limit: entry.limit.clone(), waiters });
            }
        }
    }

    /// A reply has told until when nobody will get a slot.
    pub(super) fn on_reply(&self, hash: KeyHash, denial: Option<Denial>) {
        let mut part = self.part(hash).lock();
        if let Some(entry) = part.find_mut(hash[0], |entry| entry.hash == hash) {
            entry.turnstile.on_reply(denial);
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

    /// Keys held.
    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(|part| part.lock().len()).sum()
    }

    fn part(&self, hash: KeyHash) -> &Mutex<HashTable<Entry>> {
        &self.parts[(hash[1] >> 32) as usize % PARTS]
    }
}
