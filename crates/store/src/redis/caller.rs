//! The one task that calls a server: collects the keys that are due, asks for them together, and tells those who
//! wait.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::mpsc;
use tollgate_limiter::{Ask, Decision, DecisionSource, Denial, Reading, Span, Timestamp, Verdict, schedule};

use super::book::{Book, Due};
use super::error::StoreError;
use super::reply::{self, KeyReply, Most};
use super::script::{KeyAsk, Script, key_name};
use super::servers::{Servers, hash_slot};
use crate::bound::BoundLimit;
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

/// What the calling task works with.
pub(super) struct Caller {
    pub(super) book: Arc<Book>,
    pub(super) servers: Arc<Servers>,
    pub(super) script: Script,
    pub(super) clock: Clock,
    pub(super) stats: Arc<StoreStats>,
}

impl Caller {
    /// Calls for the keys that come in, until nobody can send any more.
    pub(super) async fn run(self, mut keys: mpsc::UnboundedReceiver<KeyHash>) {
        let mut calls = FuturesUnordered::new();
        // A call to a cluster may name keys of one hash slot only, and two keys seldom share one.
        let keys_max = if self.servers.is_cluster() { 1 } else { KEYS_MAX };
        let mut due = Vec::with_capacity(KEYS_MAX);
        let mut again: Vec<KeyHash> = Vec::new();
        let mut sweeping = tokio::time::interval(SWEEP_EVERY);
        let mut part = 0;
        loop {
            tokio::select! {
                biased;
                Some(done) = calls.next() => again.extend::<Vec<KeyHash>>(done),
                count = keys.recv_many(&mut again, KEYS_MAX) => if count == 0 { break },
                _ = sweeping.tick() => {
                    self.book.sweep(part, self.clock.now());
                    part += 1;
                }
            }
            // Whatever else is due by now goes out with it.
            while let Ok(key) = keys.try_recv() {
                again.push(key);
            }
            for key in again.drain(..) {
                due.extend(self.book.take(key, WAITERS_MAX));
                if due.len() == keys_max {
                    calls.push(self.call(std::mem::replace(&mut due, Vec::with_capacity(KEYS_MAX))));
                }
            }
            if !due.is_empty() {
                calls.push(self.call(std::mem::replace(&mut due, Vec::with_capacity(KEYS_MAX))));
            }
        }
    }

    /// One call: asks, tells those who wait, and returns the keys for which others may be waiting by now.
    async fn call(&self, due: Vec<Due>) -> Vec<KeyHash> {
        let keys = due.iter().map(|due| due.hash).collect();
        let asks: Vec<_> = due.iter().map(key_ask).collect();
        let wants: Vec<_> = asks.iter().map(|ask| Most { want: ask.ask.want, lease: ask.lease.most }).collect();
        let slot = hash_slot(&key_name(&due[0].digest));
        let answer = self.servers.call(slot, &self.script, self.script.call(&asks, None)).await.and_then(|called| {
            let replies =
                reply::decode(called.value, &wants).inspect_err(|error| self.servers.on_failure(slot, error))?;
            Ok((Reading { store: replies.now, sent: called.sent, received: called.received }, replies.keys))
        });
        match answer {
            Ok((reading, replies)) => {
                let waiters = due.iter().map(|due| due.waiters.len()).sum();
                self.stats.called(due.len(), waiters, reading.received.since(reading.sent));
                for (due, reply) in due.into_iter().zip(replies) {
                    self.tell(due, reply, &reading);
                }
            }
            Err(error) => {
                for waiter in due.into_iter().flat_map(|due| due.waiters) {
                    let _ = waiter.send(Err(error.clone()));
                }
            }
        }
        keys
    }

    /// Gives the slots to those who wait, in order of arrival, and remembers until when there are no more.
    fn tell(&self, due: Due, reply: Result<KeyReply, StoreError>, reading: &Reading) {
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => {
                self.servers.on_failure(hash_slot(&key_name(&due.digest)), &error);
                for waiter in due.waiters {
                    let _ = waiter.send(Err(error.clone()));
                }
                return;
            }
        };
        let bucket = Bucket { limit: &due.limit, reading, reply };
        let waiting = due.waiters.len() as u64;
        let mut slots = 0..reply.count;
        for waiter in due.waiters {
            match slots.next() {
                // Nobody is there any more: the slot is lost, as a request is that was sent and broken off.
                Some(slot) => drop(waiter.send(Ok(bucket.granted(slot)))),
                None => drop(waiter.send(Ok(bucket.refused()))),
            }
        }
        let next = bucket.next_free();
        let none_left = next > reading.store + due.limit.max_delay;
        debug_assert!(none_left || reply.count >= waiting, "slots are left although somebody was refused one");
        self.book.on_reply(due.hash, none_left.then(|| Denial::new(reading, next, due.limit.max_delay)));
    }
}

fn key_ask(due: &Due) -> KeyAsk {
    let ask = Ask::up_to(due.waiters.len() as u64);
    KeyAsk::plain(due.digest, due.limit.limit.quota, due.limit.max_delay, ask)
}

/// What a reply says about a bucket.
struct Bucket<'a> {
    limit: &'a BoundLimit,
    reading: &'a Reading,
    reply: KeyReply,
}

impl Bucket<'_> {
    fn slot(&self, index: u64) -> Timestamp {
        self.reply.first + self.limit.limit.quota.interval().times(index)
    }

    fn next_free(&self) -> Timestamp {
        self.slot(self.reply.count)
    }

    fn granted(&self, index: u64) -> Decision {
        let slot = self.slot(index);
        let verdict = if slot.since(self.reading.store) == Span::ZERO {
            Verdict::Allow
        } else {
            // Until the store's time has surely reached the slot.
            Verdict::Delay(self.reading.surely_after(slot).since(self.reading.received))
        };
        self.decision(verdict, self.slot(index + 1))
    }

    fn refused(&self) -> Decision {
        let wait = self.reading.surely_after(self.next_free()).since(self.reading.received);
        self.decision(Verdict::Deny { retry_after: wait }, self.next_free())
    }

    fn decision(&self, verdict: Verdict, next: Timestamp) -> Decision {
        let (quota, now) = (&self.limit.limit.quota, self.reading.store);
        Decision {
            verdict,
            source: DecisionSource::Store,
            remaining: Some(schedule::remaining(quota, Some(next), now)),
            reset_after: Some(schedule::reset_after(quota, Some(next), now)),
        }
    }
}
