//! An instance of its own for a test: stores, one limit, and what its decisions were.

#![allow(dead_code, reason = "no test needs all of it")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_limiter::{Criterion, Decision, DecisionSource, FailurePolicy, KeyBytes, Limit, Quota, Source, Verdict};
use tollgate_store::{
    BoundLimit, Clock, ErrorKind, Health, MemoryOptions, RedisOptions, RedisStore, Reply, Store, StoreError, Stores,
    Topology,
};
use tollgate_testkit::{Admission, certain_excess, wait_until};

pub(crate) const DEADLINE: Duration = Duration::from_millis(300);
/// What a loaded machine may add to a deadline before the test says that something waits that should not.
pub(crate) const SLACK: Duration = Duration::from_millis(400);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
const PATIENCE: Duration = Duration::from_secs(20);

/// Slots per period, and the burst.
pub(crate) type Terms = (u64, Duration, u64);

/// One instance: stores of its own on a runtime of the test's.
pub(crate) struct Instance {
    // Keeps the stores, which hold theirs weakly.
    stores: Stores,
    pub(crate) redis: Arc<RedisStore>,
    limit: Arc<BoundLimit>,
}

/// What one request of [`load`] came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) key: usize,
    pub(crate) passed: bool,
    pub(crate) source: DecisionSource,
    pub(crate) sent: Instant,
    pub(crate) answered: Instant,
}

pub(crate) fn options(topology: Topology) -> RedisOptions {
    RedisOptions {
        topology,
        username: String::new(),
        password: String::new(),
        database: 0,
        connect_timeout: DEADLINE,
        deadline: DEADLINE,
        tls: None,
        strict: false,
    }
}

impl Instance {
    pub(crate) fn start(options: RedisOptions, terms: Terms, policy: FailurePolicy) -> Self {
        let stores = Stores::new(MemoryOptions::default(), Clock::system(), tokio::runtime::Handle::current());
        let store = stores.redis(options);
        let limit = Limit {
            id: "api@file".into(),
            quota: Some(Quota::new(terms.0, terms.1, terms.2).unwrap()),
            windows: Vec::new(),
            criterion: Criterion::Host,
            max_delay: Duration::ZERO,
            leases: true,
            failure_policy: policy,
        };
        let Store::Redis(redis) = store.clone() else { unreachable!("it was made as one") };
        let limit = stores.bind(limit, store);
        Self { stores, redis, limit }
    }

    pub(crate) async fn ready(options: RedisOptions, terms: Terms, policy: FailurePolicy) -> Arc<Self> {
        let instance = Self::start(options, terms, policy);
        instance.is_available().await;
        Arc::new(instance)
    }

    /// Takes other options, as a reload of the configuration does: the old store goes as soon as nobody uses it. One
    /// request for `key` was under way by then.
    pub(crate) async fn reload(self: Arc<Self>, options: RedisOptions, key: &str) -> (Arc<Self>, Decision) {
        let (key, limit) = (KeyBytes::from(Source::Host(key)), self.limit.limit().clone());
        let reply = self.limit.ask(&key);
        let Self { stores, redis, limit: before } = Arc::into_inner(self).expect("nobody else uses it");
        let store = stores.redis(options);
        let Store::Redis(next) = store.clone() else { unreachable!("it was made as one") };
        let limit = stores.bind(limit, store);
        drop((redis, before));
        let decision = match reply {
            Reply::Now(decision) => decision,
            Reply::Later(pending) => pending.decision().await,
        };
        (Arc::new(Self { stores, redis: next, limit }), decision)
    }

    pub(crate) async fn is_available(&self) {
        wait_until(|| self.redis.health() == Health::Available, PATIENCE).await;
    }

    /// Waits until the whole store has failed like this.
    pub(crate) async fn fails_with(&self, kind: ErrorKind) -> StoreError {
        wait_until(|| self.failure().is_some_and(|error| error.kind == kind), PATIENCE).await;
        self.failure().unwrap()
    }

    fn failure(&self) -> Option<StoreError> {
        match self.redis.health() {
            Health::Unavailable(error) => Some(error),
            Health::Available | Health::Impaired(_) => None,
        }
    }

    pub(crate) async fn decide(&self, key: &str) -> Decision {
        self.limit.decide(&KeyBytes::from(Source::Host(key))).await
    }

    pub(crate) async fn passes(&self, key: &str) -> bool {
        passes(&self.decide(key).await)
    }

    pub(crate) fn errors(&self, kind: ErrorKind) -> u64 {
        self.redis.snapshot().errors.iter().find(|(name, _)| *name == kind.as_str()).map_or(0, |(_, count)| *count)
    }

    pub(crate) fn all_errors(&self) -> Vec<(&'static str, u64)> {
        self.redis.snapshot().errors.into_iter().filter(|(_, count)| *count > 0).collect()
    }
}

pub(crate) fn passes(decision: &Decision) -> bool {
    !matches!(decision.verdict, Verdict::Deny { .. })
}

/// What the bucket of a key of [`Instance::decide`] is called in the server.
pub(crate) fn bucket_name(key: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digest = u128::from_be_bytes(KeyBytes::from(Source::Host(key)).digest("api@file"));
    let place = |place: u32| char::from(ALPHABET[(digest >> (6 * place) & 63) as usize]);
    format!("tollgate:{}", (0..22).rev().map(place).collect::<String>())
}

/// The name of a key of [`load`].
pub(crate) fn key_name(key: usize) -> String {
    format!("key-{key}")
}

/// Requests from `clients` clients for each instance until `until` is through, over so many keys.
pub(crate) async fn load(
    instances: &[Arc<Instance>],
    clients: usize,
    keys: usize,
    until: impl Future<Output = ()>,
) -> Vec<Answer> {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut tasks = Vec::new();
    for client in 0..clients * instances.len() {
        let (instance, stopped) = (instances[client % instances.len()].clone(), stopped.clone());
        tasks.push(tokio::spawn(async move {
            let mut answers = Vec::new();
            let mut key = client;
            while !*stopped.borrow() {
                key = (key + 7) % keys;
                let sent = Instant::now();
                let decision = instance.decide(&key_name(key)).await;
                let answered = Instant::now();
                answers.push(Answer { key, passed: passes(&decision), source: decision.source, sent, answered });
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            answers
        }));
    }
    until.await;
    stop.send(true).unwrap();
    let mut answers = Vec::new();
    for task in tasks {
        answers.extend(task.await.unwrap());
    }
    answers
}

/// By how much the worst window of the worst key was exceeded. Zero or less: the limit was kept.
pub(crate) fn excess(terms: Terms, answers: &[Answer]) -> f64 {
    let keys = answers.iter().map(|answer| answer.key).max().map_or(0, |key| key + 1);
    let mut admissions = vec![Vec::new(); keys];
    for answer in answers.iter().filter(|answer| answer.passed) {
        admissions[answer.key].push(Admission { sent: answer.sent, answered: answer.answered });
    }
    let excesses = admissions.iter().map(|admissions| certain_excess(terms.0, terms.1, terms.2, admissions));
    excesses.fold(f64::NEG_INFINITY, f64::max)
}
