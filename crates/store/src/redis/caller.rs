//! The one task that calls a store: collects the keys that are due, asks for them together, tells those who wait, and
//! gives back what is not needed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::mpsc;
use tollgate_limiter::{Ask, Monotonic, Reading};

use super::book::{Back, Book, Due};
use super::calls::{Scripts, WindowTake, give_back, take_permits, take_slots};
use super::error::StoreError;
use super::granted::Granted;
use super::script::KeyAsk;
use super::servers::Servers;
use crate::answer::Held;
use crate::bound::Kind;
use crate::clock::Clock;
use crate::hash::KeyHash;
use crate::stats::StoreStats;

/// Keys asked for in one script call. With 8 to 16 most of what a call costs besides its keys is shared; more would
/// make the first wait for the last.
pub(super) const KEYS_MAX: usize = 16;
/// Requests of one key asked for together. It bounds the work of one reply; the rest asks with the next.
const WAITERS_MAX: usize = 1_024;
/// How often a part of the book is swept.
const SWEEP_EVERY: Duration = Duration::from_millis(100);
/// How often what is held of a key is looked after.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What the calling task is told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Word {
    /// A call is due for this key.
    Due(KeyHash),
    /// Something is held of this key that somebody has to look after.
    Look(KeyHash),
}

/// What the calling task works with.
pub(super) struct Caller {
    pub(super) book: Arc<Book>,
    pub(super) servers: Arc<Servers>,
    pub(super) scripts: Scripts,
    pub(super) clock: Clock,
    pub(super) stats: Arc<StoreStats>,
}

/// What a call leaves to be done.
#[derive(Default)]
struct Done {
    /// Others may be waiting for these by now.
    keys: Vec<KeyHash>,
    /// Slots came in that somebody has to look after.
    look: Vec<KeyHash>,
}

/// Keys to look after, the next first.
type Looks = VecDeque<(Monotonic, KeyHash)>;

impl Caller {
    /// Calls for the keys that come in, until nobody can send any more.
    pub(super) async fn run(self, mut words: mpsc::UnboundedReceiver<Word>) {
        let mut calls: FuturesUnordered<BoxFuture<'_, Done>> = FuturesUnordered::new();
        let mut heard = Vec::new();
        let mut due = Vec::new();
        let mut looks = Looks::new();
        let mut ticking = tokio::time::interval(LOOK_EVERY / 2);
        let (mut ticks, mut part) = (0_u32, 0);
        loop {
            tokio::select! {
                biased;
                Some(Done { keys, look }) = calls.next() => {
                    heard.extend(keys.into_iter().map(Word::Due));
                    heard.extend(look.into_iter().map(Word::Look));
                }
                count = words.recv_many(&mut heard, KEYS_MAX) => if count == 0 { break },
                _ = ticking.tick() => {
                    ticks = ticks.wrapping_add(1);
                    if ticks % (SWEEP_EVERY.as_millis() / (LOOK_EVERY / 2).as_millis()) as u32 == 0 {
                        self.book.sweep(part, self.clock.now());
                        part += 1;
                    }
                    if self.servers.is_changed() {
                        self.book.forget_denials();
                    }
                    let back = self.look(&mut looks);
                    if !back.is_empty() {
                        calls.push(Box::pin(self.give_back(back)));
                    }
                }
            }
            // Whatever else is due by now goes out with it.
            while let Ok(word) = words.try_recv() {
                heard.push(word);
            }
            let (now, instances) = (self.clock.now(), self.servers.instances());
            for word in heard.drain(..) {
                match word {
                    Word::Due(key) => due.extend(self.book.turn(key, instances, now, WAITERS_MAX)),
                    Word::Look(key) => looks.push_back((now.after(LOOK_EVERY), key)),
                }
            }
            for together in self.together(&mut due) {
                calls.push(Box::pin(self.call(together)));
            }
        }
    }

    /// What goes out in one call each: buckets and windows apart, for they are counted by different scripts, and in a
    /// cluster the keys of each hash slot.
    fn together(&self, due: &mut Vec<Due>) -> Vec<Vec<Due>> {
        if due.is_empty() {
            return Vec::new();
        }
        let is_cluster = self.servers.is_cluster();
        let kind = |due: &Due| (due.is_window(), if is_cluster { due.slot } else { 0 });
        due.sort_by_key(kind);
        let mut calls: Vec<Vec<Due>> = Vec::with_capacity(1);
        for due in due.drain(..) {
            match calls.last_mut() {
                Some(call) if call.len() < KEYS_MAX && kind(&call[0]) == kind(&due) => call.push(due),
                _ => calls.push(vec![due]),
            }
        }
        calls
    }

    /// One call: asks, tells those who wait, and says what is left to be done.
    async fn call(&self, due: Vec<Due>) -> Done {
        let mut done = Done { keys: due.iter().map(|due| due.hash).collect(), look: Vec::new() };
        match self.ask(&due).await {
            Ok((reading, granted)) => {
                let waiters = due.iter().map(|due| due.call.waiters.len()).sum();
                self.stats.called(due.len(), waiters, reading.received.since(reading.sent));
                for (due, granted) in due.into_iter().zip(granted) {
                    let hash = due.hash;
                    if self.tell(due, granted, &reading) {
                        done.look.push(hash);
                    }
                }
            }
            Err(error) => {
                let now = self.clock.now();
                for due in due {
                    self.book.on_failure(due.hash, now);
                    for waiter in due.call.waiters {
                        let _ = waiter.send(Err(error.clone()));
                    }
                }
            }
        }
        done
    }

    async fn ask(&self, due: &[Due]) -> Result<(Reading, Vec<Result<Granted, StoreError>>), StoreError> {
        let slot = due[0].slot;
        if due[0].is_window() {
            let takes: Vec<_> = due.iter().filter_map(|due| self.window_take(due)).collect();
            let (reading, taken) = take_permits(&self.servers, &self.scripts.window, slot, &takes).await?;
            let granted = taken.into_iter().zip(due).map(|(taken, due)| Ok(Granted::permits(due, &taken?, &reading)));
            return Ok((reading, granted.collect()));
        }
        let asks: Vec<_> = due.iter().filter_map(key_ask).collect();
        let (reading, replies) = take_slots(&self.servers, &self.scripts.grant, slot, &asks).await?;
        let granted = replies.into_iter().zip(due).map(|(reply, due)| Ok(Granted::slots(due, &reply?, &reading)));
        Ok((reading, granted.collect()))
    }

    /// What is asked of a window: permits for those who wait and, of what is left for everybody, a little to keep.
    fn window_take<'a>(&self, due: &'a Due) -> Option<WindowTake<'a>> {
        let Kind::Window(window) = &due.meter.kind else { return None };
        let want = due.call.waiters.len() as u64;
        let spare = due.permits.map_or(0, |permits| permits.remaining / u64::from(8 * self.servers.instances()));
        let ask = Ask { want: want + due.call.lease.most.min(spare), need: want.min(1) };
        let hint = due.permits.map(|permits| permits.hint).unwrap_or_default();
        Some(WindowTake { digest: due.digest, window, ask, hint })
    }

    /// Gives what was granted to those who wait, in order of arrival, and remembers what was learned. True if something
    /// was lent that nobody looks after yet.
    fn tell(&self, due: Due, granted: Result<Granted, StoreError>, reading: &Reading) -> bool {
        let granted = match granted {
            Ok(granted) => granted,
            Err(error) => {
                self.servers.on_failure(due.slot, &error);
                self.book.on_failure(due.hash, self.clock.now());
                for waiter in due.call.waiters {
                    let _ = waiter.send(Err(error.clone()));
                }
                return false;
            }
        };
        self.stats.lent(granted.told.lease.map_or(0, |run| run.count));
        self.stats.healed(granted.healed);
        // First what was learned, so that whoever is told finds it when he comes again.
        let mut look = self.book.on_reply(due.hash, &due.meter, &granted.told, granted.permits);
        let mut places = 0..granted.count;
        for waiter in due.call.waiters {
            match places.next() {
                Some(place) => {
                    let answer = granted.admitted(&due.meter, reading, place);
                    // Nobody is there any more: the slot is for the next one.
                    if let (Err(_), Held::Slot(slot)) = (waiter.send(Ok(answer)), answer.held) {
                        look |= self.book.put_back(due.hash, slot);
                    }
                }
                None => drop(waiter.send(Ok(granted.refused(&due.meter, reading)))),
            }
        }
        look
    }

    /// Looks after the keys whose turn it is; what can be given back.
    fn look(&self, looks: &mut Looks) -> Vec<Back> {
        let now = self.clock.now();
        let mut back = Vec::new();
        while looks.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, key)) = looks.pop_front() else { break };
            let looked = self.book.look(key, now, false);
            back.extend(looked.back);
            if looked.again {
                looks.push_back((now.after(LOOK_EVERY), key));
            }
        }
        back
    }

    async fn give_back(&self, back: Vec<Back>) -> Done {
        give_back(&self.servers, &self.scripts, &self.stats, &self.book, back).await;
        Done::default()
    }
}

fn key_ask(due: &Due) -> Option<KeyAsk> {
    let Kind::Bucket(quota) = due.meter.kind else { return None };
    Some(KeyAsk {
        digest: due.digest,
        quota,
        max_delay: due.meter.max_delay,
        ask: due.call.ask(),
        lease: due.call.lease,
        hint: due.call.hint,
    })
}
