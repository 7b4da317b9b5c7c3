//! The shared store, as requests meet it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tollgate_limiter::window::Hint;
use tollgate_limiter::{Ask, Decision, DecisionSource, FailurePolicy, KeyBytes, Quota, Slot, Verdict};

use super::beat::InstanceId;
use super::book::{Book, Outcome, Visit};
use super::caller::{Caller, Word};
use super::calls::{Scripts, WindowTake, give_back, take_permits};
use super::error::StoreError;
use super::health::{Health, NodeSnapshot};
use super::options::RedisOptions;
use super::reply::{self, Most};
use super::script::{KeyAsk, key_name};
use super::servers::{Servers, hash_slot};
use crate::answer::{Answer, Held};
use crate::bound::{KeyState, Kind, Meter};
use crate::clock::Clock;
use crate::hash::KeyHash;
use crate::memory::MemoryStore;
use crate::stats::{StoreSnapshot, StoreStats};

/// Buckets shared by every instance that names the same server.
///
/// Two tasks belong to it, one that calls and one that keeps the connections; they end with it.
pub struct RedisStore {
    book: Arc<Book>,
    servers: Arc<Servers>,
    scripts: Scripts,
    words: mpsc::UnboundedSender<Word>,
    clock: Clock,
    stats: Arc<StoreStats>,
    /// Where the shares of this instance are counted while the servers are away.
    memory: Arc<MemoryStore>,
    tasks: [AbortHandle; 2],
}

/// The answer to one request about one key: here, or to be waited for.
pub(crate) enum Asked {
    Now(Answer),
    Later(Waiting),
}

/// Remembers of a request what is needed if it is not told in time.
pub(crate) struct Waiting {
    told: oneshot::Receiver<Outcome>,
    store: Arc<RedisStore>,
    meter: Arc<Meter>,
    hash: KeyHash,
}

impl RedisStore {
    /// A store that connects in the background, on `runtime`. The first requests wait for it as for an answer.
    pub(crate) fn start(
        options: RedisOptions,
        id: InstanceId,
        clock: Clock,
        memory: Arc<MemoryStore>,
        runtime: &tokio::runtime::Handle,
    ) -> Self {
        let stats = Arc::new(StoreStats::default());
        let scripts = Scripts::default();
        let book = Arc::new(Book::new(stats.clone()));
        let loaded = scripts.all();
        let servers = Arc::new(Servers::new(options, loaded, id, stats.clone(), clock.clone()));
        let (words, heard) = mpsc::unbounded_channel();
        let caller = Caller {
            book: book.clone(),
            servers: servers.clone(),
            scripts: scripts.clone(),
            clock: clock.clone(),
            stats: stats.clone(),
        };
        let tasks =
            [runtime.spawn(caller.run(heard)).abort_handle(), runtime.spawn(servers.clone().run()).abort_handle()];
        Self { book, servers, scripts, words, clock, stats, memory, tasks }
    }

    /// A request for `key`: answered at once if the answer is known here, else to be waited for.
    pub(crate) fn ask(self: &Arc<Self>, meter: &Arc<Meter>, key: &KeyBytes<'_>) -> Asked {
        let now = self.clock.now();
        let hash = meter.hasher.hash(key);
        match self.book.visit(meter, key, hash, now, |slot| self.servers.is_open(slot)) {
            Visit::Decided { answer, calls } => {
                if calls {
                    self.say(Word::Due(hash));
                }
                Asked::Now(answer)
            }
            Visit::Waits { told, calls } => {
                if calls {
                    self.say(Word::Due(hash));
                }
                Asked::Later(Waiting { told, store: self.clone(), meter: meter.clone(), hash })
            }
            Visit::Away => Asked::Now(self.by_policy(meter, hash)),
        }
    }

    /// The refusal of `key` that is known to stand, if one is. It costs nobody anything.
    pub(crate) fn refusal(&self, meter: &Meter, key: &KeyBytes<'_>) -> Option<Answer> {
        self.book.refusal(meter.hasher.hash(key), self.clock.now())
    }

    /// A request is not let through: its slot is the next one's.
    pub(crate) fn put_back(&self, hash: KeyHash, slot: Slot) {
        if self.book.put_back(hash, slot) {
            self.say(Word::Look(hash));
        }
    }

    /// The same for what was counted in this instance's share.
    pub(crate) fn put_back_locally(&self, meter: &Meter, held: Held) {
        if let (Held::Token(_) | Held::Permit(..), Some(share)) = (held, meter.share(self.servers.instances())) {
            self.memory.put_back(&share, held);
        }
    }

    /// Fails only while the runtime is being taken down; deadlines answer then.
    fn say(&self, word: Word) {
        let _ = self.words.send(word);
    }

    /// What is answered when the store cannot tell.
    fn by_policy(&self, meter: &Meter, hash: KeyHash) -> Answer {
        let local = match meter.policy {
            FailurePolicy::Local => meter.share(self.servers.instances()),
            FailurePolicy::Deny | FailurePolicy::Allow => None,
        };
        if let Some(share) = local {
            return self.memory.step(meter, &share, hash, DecisionSource::Local);
        }
        let verdict = match meter.policy {
            FailurePolicy::Allow => Verdict::Allow,
            FailurePolicy::Deny | FailurePolicy::Local => Verdict::Deny { retry_after: POLICY_RETRY_AFTER },
        };
        let source = DecisionSource::Policy;
        let decision = Decision { verdict, source, remaining: None, reset_after: None, window: meter.window };
        Answer { decision, held: Held::Nothing }
    }

    /// How a bucket or a window stands in the store. It costs it nothing.
    pub(crate) async fn peek(&self, meter: &Meter, key: &KeyBytes<'_>) -> Result<KeyState, StoreError> {
        let digest = key.digest(&meter.space);
        let held_here = self.book.held(meter.hasher.hash(key));
        let nothing = Ask { want: 0, need: 0 };
        match &meter.kind {
            Kind::Bucket(quota) => {
                let ask = KeyAsk::plain(digest, *quota, meter.max_delay, nothing);
                let script = &self.scripts.grant;
                let called = self.servers.call(slot_of(&digest), script, script.call(&[ask], None)).await?;
                let mut replies = reply::decode(called.value, &[Most::default()])?;
                let next = replies.keys.remove(0)?.next;
                Ok(KeyState::of_bucket(quota, next, replies.now, held_here))
            }
            Kind::Window(window) => {
                let ask = WindowTake { digest, window, ask: nothing, hint: Hint::default() };
                let (reading, mut taken) =
                    take_permits(&self.servers, &self.scripts.window, slot_of(&digest), &[ask]).await?;
                Ok(KeyState::of_window(meter.window, &taken.remove(0)?, reading.store, held_here))
            }
        }
    }

    /// Gives a bucket so many slots, or all that it holds.
    pub(crate) async fn amend(
        &self,
        meter: &Meter,
        quota: &Quota,
        key: &KeyBytes<'_>,
        slots: Option<u64>,
    ) -> Result<(), StoreError> {
        let digest = key.digest(&meter.space);
        let script = &self.scripts.amend;
        let cmd = script.amend(&digest, quota, meter.max_delay, slots);
        self.servers.call(slot_of(&digest), script, cmd).await?;
        self.book.forget_denial(meter.hasher.hash(key));
        // The others find out in their time; the bucket is as it was wanted.
        let _ = self.servers.tell_change().await;
        Ok(())
    }

    /// Whether the servers can be used.
    pub fn health(&self) -> Health {
        self.servers.health()
    }

    /// The servers that it consists of.
    pub fn nodes(&self) -> Vec<NodeSnapshot> {
        self.servers.nodes()
    }

    /// The counts so far.
    pub fn snapshot(&self) -> StoreSnapshot {
        let size = self.book.size();
        StoreSnapshot {
            name: self.servers.options().name(),
            keys_known: size.keys,
            leases: size.leases,
            slots_held: size.slots,
            instances: self.servers.instances(),
            available: self.health() == Health::Available,
            ..self.stats.snapshot()
        }
    }

    /// Gives back whatever is held, and says that this instance is gone. Nothing is asked afterwards.
    pub async fn close(&self) {
        let now = self.clock.now();
        let held = self.book.holding();
        let back: Vec<_> = held.into_iter().filter_map(|key| self.book.look(key, now, true).back).collect();
        give_back(&self.servers, &self.scripts, &self.stats, &self.book, back).await;
        self.servers.leave().await;
    }

    fn deadline(&self) -> Duration {
        self.servers.options().deadline
    }
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Waiting {
    /// Waits for the verdict; at the deadline, or when the store has failed, the policy decides.
    pub(crate) async fn answer(mut self) -> Answer {
        match tokio::time::timeout(self.store.deadline(), &mut self.told).await {
            Ok(Ok(Ok(answer))) => answer,
            Ok(Ok(Err(_)) | Err(_)) | Err(_) => self.store.by_policy(&self.meter, self.hash),
        }
    }
}

impl Drop for Waiting {
    /// Whoever leaves while he waits leaves the slot that was on its way to him.
    fn drop(&mut self) {
        self.told.close();
        if let Ok(Ok(Answer { held: Held::Slot(slot), .. })) = self.told.try_recv() {
            self.store.put_back(self.hash, slot);
        }
    }
}

fn slot_of(digest: &[u8; 16]) -> u16 {
    hash_slot(&key_name(digest))
}

/// When to try again although nobody knows: the store's return is noticed within that time.
const POLICY_RETRY_AFTER: Duration = Duration::from_secs(1);
