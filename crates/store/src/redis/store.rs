//! The shared store, as requests meet it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tollgate_limiter::{Decision, DecisionSource, Denial, FailurePolicy, KeyBytes, Monotonic, Verdict};

use super::book::{Book, Outcome, Visit};
use super::caller::Caller;
use super::options::RedisOptions;
use super::script::{self, key_name};
use super::servers::{Health, NodeSnapshot, Servers, hash_slot};
use crate::bound::BoundLimit;
use crate::clock::Clock;
use crate::hash::KeyHash;
use crate::stats::{StoreSnapshot, StoreStats};
use crate::stores::Reply;

/// Buckets shared by every instance that names the same server.
///
/// Two tasks belong to it, one that calls and one that keeps the connections; they end with it.
pub struct RedisStore {
    book: Arc<Book>,
    servers: Arc<Servers>,
    due: mpsc::UnboundedSender<KeyHash>,
    clock: Clock,
    stats: Arc<StoreStats>,
    tasks: [AbortHandle; 2],
}

/// Remembers nothing of a request's own: what to do if it is not told in time.
pub(crate) struct Waiting {
    told: oneshot::Receiver<Outcome>,
    limit: Arc<BoundLimit>,
    deadline: Duration,
}

impl RedisStore {
    /// A store that connects in the background, on `runtime`. The first requests wait for it as for an answer.
    pub fn start(options: RedisOptions, clock: Clock, runtime: &tokio::runtime::Handle) -> Self {
        let stats = Arc::new(StoreStats::default());
        let script = script::grant();
        let book = Arc::new(Book::new(stats.clone()));
        let servers = Arc::new(Servers::new(options, vec![script.clone()], stats.clone(), clock.clone()));
        let (due, keys) = mpsc::unbounded_channel();
        let caller =
            Caller { book: book.clone(), servers: servers.clone(), script, clock: clock.clone(), stats: stats.clone() };
        let tasks =
            [runtime.spawn(caller.run(keys)).abort_handle(), runtime.spawn(servers.clone().run()).abort_handle()];
        Self { book, servers, due, clock, stats, tasks }
    }

    /// A request for `key` under `limit`: answered at once if the answer is known here, else to be waited for.
    pub(crate) fn ask(&self, limit: &Arc<BoundLimit>, key: &KeyBytes<'_>) -> Reply {
        let now = self.clock.now();
        let hash = limit.hasher.hash(key);
        let slot = if self.servers.is_cluster() { hash_slot(&key_name(&key.digest(&limit.limit.id))) } else { 0 };
        if self.servers.is_open(slot) {
            return Reply::Now(limit.count(by_policy(limit)));
        }
        match self.book.visit(limit, key, hash, now) {
            Visit::Denied(denial) => Reply::Now(limit.count(denied(limit, &denial, now))),
            Visit::Waits { told, calls } => {
                if calls {
                    // Fails only while the runtime is being taken down; the deadline answers then.
                    let _ = self.due.send(hash);
                }
                let deadline = self.servers.options().deadline;
                Reply::Later(Waiting { told, limit: limit.clone(), deadline }.into())
            }
        }
    }

    /// Whether the server can be used.
    pub fn health(&self) -> Health {
        self.servers.health()
    }

    /// The servers that it consists of.
    pub fn nodes(&self) -> Vec<NodeSnapshot> {
        self.servers.nodes()
    }

    /// The counts so far.
    pub fn snapshot(&self) -> StoreSnapshot {
        StoreSnapshot {
            name: self.servers.options().name(),
            denials: self.book.len() as u64,
            available: self.health() == Health::Available,
            ..self.stats.snapshot()
        }
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
    pub(crate) async fn decision(self) -> Decision {
        let decision = match tokio::time::timeout(self.deadline, self.told).await {
            Ok(Ok(Ok(decision))) => decision,
            Ok(Ok(Err(_)) | Err(_)) | Err(_) => by_policy(&self.limit),
        };
        self.limit.count(decision)
    }
}

fn denied(limit: &BoundLimit, denial: &Denial, now: Monotonic) -> Decision {
    let retry_after = denial.retry_after(now);
    Decision {
        verdict: Verdict::Deny { retry_after },
        source: DecisionSource::DenialCache,
        remaining: Some(0),
        // The slot to wait for is the next free one, so the bucket is full a slot's life after it.
        reset_after: Some(retry_after + limit.limit.quota.life().to_duration()),
    }
}

/// What is answered when nobody can tell.
fn by_policy(limit: &BoundLimit) -> Decision {
    let verdict = match limit.limit.failure_policy {
        FailurePolicy::Allow => Verdict::Allow,
        // Refusing keeps every share, until shares are kept here.
        FailurePolicy::Deny | FailurePolicy::Local => Verdict::Deny { retry_after: POLICY_RETRY_AFTER },
    };
    Decision { verdict, source: DecisionSource::Policy, remaining: None, reset_after: None }
}

/// When to try again although nobody knows: the store's return is noticed within that time.
const POLICY_RETRY_AFTER: Duration = Duration::from_secs(1);
