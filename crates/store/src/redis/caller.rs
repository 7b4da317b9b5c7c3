//! The one task that calls a store: collects the keys that are due, asks for them together, tells those who wait, and
//! gives back what is not needed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::mpsc;
use tollgate_limiter::turnstile::{Surplus, Told};
use tollgate_limiter::{Decision, DecisionSource, Monotonic, Reading, Run, Slot, Span, Timestamp, Verdict, schedule};

use super::book::{Answer, Book, Due};
use super::error::StoreError;
use super::reply::{self, KeyReply, Most};
use super::script::{Fence, KeyAsk, Script, fence_key};
use super::servers::Servers;
use crate::bound::Meter;
use crate::clock::Clock;
use crate::hash::KeyHash;
use crate::stats::StoreStats;

/// Keys asked for in one script call. With 8 to 16 most of what a call costs besides its keys is shared; more would
/// make the first wait for the last.
const KEYS_MAX: usize = 16;
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

/// The scripts of a store.
#[derive(Clone)]
pub(super) struct Scripts {
    pub(super) grant: Script,
    pub(super) give_back: Script,
    pub(super) amend: Script,
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
                    let surplus = self.look(&mut looks);
                    if !surplus.is_empty() {
                        calls.push(Box::pin(self.give_back(surplus)));
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

    /// What goes out in one call each. A call to a cluster may name keys of one hash slot only.
    fn together(&self, due: &mut Vec<Due>) -> Vec<Vec<Due>> {
        if due.is_empty() {
            return Vec::new();
        }
        let apart = self.servers.is_cluster();
        if apart {
            due.sort_by_key(|due| due.slot);
        }
        let mut calls: Vec<Vec<Due>> = Vec::with_capacity(1);
        for due in due.drain(..) {
            match calls.last_mut() {
                Some(call) if call.len() < KEYS_MAX && (!apart || call[0].slot == due.slot) => call.push(due),
                _ => calls.push(vec![due]),
            }
        }
        calls
    }

    /// One call: asks, tells those who wait, and says what is left to be done.
    async fn call(&self, due: Vec<Due>) -> Done {
        let mut done = Done { keys: due.iter().map(|due| due.hash).collect(), look: Vec::new() };
        match self.ask(&due).await {
            Ok((reading, replies)) => {
                let waiters = due.iter().map(|due| due.call.waiters.len()).sum();
                self.stats.called(due.len(), waiters, reading.received.since(reading.sent));
                for (due, reply) in due.into_iter().zip(replies) {
                    let hash = due.hash;
                    if self.tell(due, reply, &reading) {
                        done.look.push(hash);
                    }
                }
            }
            Err(error) => {
                for waiter in due.into_iter().flat_map(|due| due.call.waiters) {
                    let _ = waiter.send(Err(error.clone()));
                }
            }
        }
        done
    }

    async fn ask(&self, due: &[Due]) -> Result<(Reading, Vec<Result<KeyReply, StoreError>>), StoreError> {
        let asks: Vec<_> = due.iter().map(key_ask).collect();
        let asked: Vec<_> = asks.iter().map(|ask| Most { want: ask.ask.want, lease: ask.lease.most }).collect();
        let slot = due[0].slot;
        let fence_key = fence_key(slot, self.servers.is_cluster());
        let cmd = |run_id: Option<&str>| {
            let fence = run_id.map(|run_id| Fence { key: &fence_key, run_id });
            self.scripts.grant.call(&asks, fence.as_ref())
        };
        let called = self.servers.call_run(slot, &self.scripts.grant, &cmd).await?;
        let replies = reply::decode(called.value, &asked).inspect_err(|error| self.servers.on_failure(slot, error))?;
        Ok((Reading { store: replies.now, sent: called.sent, received: called.received }, replies.keys))
    }

    /// Gives the slots to those who wait, in order of arrival, and remembers what was learned. True if something was
    /// lent that nobody looks after yet.
    fn tell(&self, due: Due, reply: Result<KeyReply, StoreError>, reading: &Reading) -> bool {
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => {
                self.servers.on_failure(due.slot, &error);
                for waiter in due.call.waiters {
                    let _ = waiter.send(Err(error.clone()));
                }
                return false;
            }
        };
        let bucket = Bucket { meter: &due.meter, reading, reply };
        let waiting = due.call.waiters.len() as u64;
        self.stats.lent(reply.lent);
        self.stats.healed(reply.healed);
        let told = Told {
            reading: *reading,
            lease: bucket.lease(),
            next: reply.next,
            refused: waiting.saturating_sub(reply.count),
        };
        // First what was learned, so that whoever is told finds it when he comes again.
        let mut look = self.book.on_reply(due.hash, &due.meter, &told);
        let mut slots = 0..reply.count;
        for waiter in due.call.waiters {
            match slots.next() {
                Some(index) => {
                    let answer = bucket.granted(index);
                    // Nobody is there any more: the slot is for the next one.
                    if let (Err(_), Some(slot)) = (waiter.send(Ok(answer)), answer.slot) {
                        look |= self.book.put_back(due.hash, slot);
                    }
                }
                None => drop(waiter.send(Ok(bucket.refused()))),
            }
        }
        look
    }

    /// Looks after the keys whose turn it is; what can be given back.
    fn look(&self, looks: &mut Looks) -> Vec<([u8; 16], u16, Surplus)> {
        let now = self.clock.now();
        let mut surplus = Vec::new();
        while looks.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, key)) = looks.pop_front() else { break };
            let looked = self.book.look(key, now, false);
            surplus.extend(looked.surplus);
            if looked.again {
                looks.push_back((now.after(LOOK_EVERY), key));
            }
        }
        surplus
    }

    async fn give_back(&self, surplus: Vec<([u8; 16], u16, Surplus)>) -> Done {
        give_back(&self.servers, &self.scripts, &self.stats, surplus).await;
        Done::default()
    }
}

/// Gives slots back. If that fails they die, as they would have without.
pub(super) async fn give_back(
    servers: &Servers,
    scripts: &Scripts,
    stats: &StoreStats,
    mut surplus: Vec<([u8; 16], u16, Surplus)>,
) {
    surplus.sort_by_key(|(_, slot, _)| *slot);
    let apart = servers.is_cluster();
    let same = |a: &([u8; 16], u16, Surplus), b: &([u8; 16], u16, Surplus)| !apart || a.1 == b.1;
    for together in surplus.chunk_by(same).flat_map(|chunk| chunk.chunks(KEYS_MAX)) {
        let runs: Vec<_> = together.iter().map(|(digest, _, surplus)| (*digest, surplus.run)).collect();
        let cmd = scripts.give_back.return_runs(&runs);
        let taken = match servers.call(together[0].1, &scripts.give_back, cmd).await {
            Ok(called) => reply::decode_flags(&called.value),
            Err(_) => Vec::new(),
        };
        for (index, (_, run)) in runs.iter().enumerate() {
            let is_back = taken.get(index).copied().unwrap_or(false);
            if is_back { stats.returned(run.count) } else { stats.died(run.count) }
        }
    }
}

fn key_ask(due: &Due) -> KeyAsk {
    KeyAsk {
        digest: due.digest,
        quota: due.meter.quota,
        max_delay: due.meter.max_delay,
        ask: due.call.ask(),
        lease: due.call.lease,
        hint: due.call.hint,
    }
}

/// What a reply says about a bucket.
struct Bucket<'a> {
    meter: &'a Meter,
    reading: &'a Reading,
    reply: KeyReply,
}

impl Bucket<'_> {
    fn lease(&self) -> Option<Run> {
        let (step, count) = (self.meter.quota.interval(), self.reply.lent);
        let first = self.reply.next - step.times(count);
        (count > 0).then_some(Run { first, step, life: self.meter.quota.life(), count })
    }

    fn granted(&self, index: u64) -> Answer {
        let at = self.reply.first + self.meter.quota.interval().times(index);
        let verdict = if at.since(self.reading.store) == Span::ZERO {
            Verdict::Allow
        } else {
            // Until the store's time has surely reached the slot.
            Verdict::Delay(self.reading.surely_after(at).since(self.reading.received))
        };
        let slot = Slot { at, life: self.meter.quota.life() };
        // Of those who are told by one reply, each stands before those after him.
        let next = if self.reply.lent == 0 { at + self.meter.quota.interval() } else { self.reply.next };
        Answer { decision: self.decision(verdict, next), slot: Some(slot) }
    }

    fn refused(&self) -> Answer {
        let wait = self.reading.surely_after(self.reply.next).since(self.reading.received);
        Answer { decision: self.decision(Verdict::Deny { retry_after: wait }, self.reply.next), slot: None }
    }

    fn decision(&self, verdict: Verdict, next: Timestamp) -> Decision {
        let (quota, now) = (&self.meter.quota, self.reading.store);
        Decision {
            verdict,
            source: DecisionSource::Store,
            remaining: Some(schedule::remaining(quota, Some(next), now)),
            reset_after: Some(schedule::reset_after(quota, Some(next), now)),
        }
    }
}
