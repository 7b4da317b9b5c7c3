//! Instances under a steady flow of requests, and what must be true of the answers whatever happens to their server.

#![allow(dead_code, reason = "no test needs all of it")]

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;
use tollgate_limiter::{DecisionSource, FailurePolicy};
use tollgate_store::{ErrorKind, Health, RedisOptions};
use tollgate_testkit::{Admission, certain_excess, wait_until};

use crate::instance::{DEADLINE, Instance, SECOND, SLACK, Terms, key_name, passes};

/// The limit of every instance: slots 5 ms apart that live for half a second, so that some are lent.
pub(crate) const TERMS: Terms = (200, SECOND, 100);

/// What a decision may take beyond the deadline on a machine that has nothing else to do.
const BEYOND: Duration = Duration::from_millis(10);
/// What a decision may take in the median while the server is known to be away.
const AWAY: Duration = Duration::from_millis(1);
/// How soon after its server is well an instance uses it again.
const BACK: Duration = SECOND;
/// How long the flow goes on before a fault, between two of them and after the last.
const BETWEEN: Duration = Duration::from_millis(300);
/// How long a server is left as it is once everybody has noticed.
const LASTS: Duration = Duration::from_millis(500);
/// Attempts to use a server that is away: so often at most, per instance, after the first.
const ATTEMPTS_PER_SECOND: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(20);

const POLICIES: [FailurePolicy; 3] = [FailurePolicy::Deny, FailurePolicy::Allow, FailurePolicy::Local];
/// Instances that share a limit.
const CREW: usize = 2;
/// Clients of each instance. Every 4 ms each asks for the next of [`KEYS`].
const CLIENTS: usize = 2;
/// The first key is asked for three times as often as its limit allows, each of the others half as often.
const KEYS: [usize; 10] = [0, 0, 1, 0, 0, 2, 0, 0, 3, 0];
/// How many keys that is.
const KEYS_MAX: usize = 4;

/// Two instances for each failure policy. A policy has a database of its own, and so buckets and a count of instances.
pub(crate) struct Fleet {
    crews: Vec<Crew>,
}

struct Crew {
    policy: FailurePolicy,
    instances: Vec<Arc<Instance>>,
}

/// What one request came to.
#[derive(Debug, Clone, Copy)]
struct Answer {
    policy: FailurePolicy,
    instance: usize,
    key: usize,
    passed: bool,
    source: DecisionSource,
    sent: Instant,
    answered: Instant,
}

/// A time during which the server could not be used.
#[derive(Debug, Clone, Copy)]
struct Outage {
    /// The fault may have begun.
    began: Instant,
    /// It is there.
    there: Instant,
    /// Every instance has noticed.
    known: Instant,
    /// The fault is about to go.
    healed: Instant,
    /// Every instance uses the server again.
    back: Instant,
}

/// What happens to a fleet while requests come.
pub(crate) struct Ordeal<'a> {
    fleet: &'a Fleet,
    /// How long a server is left as it is once everybody has noticed.
    pub(crate) lasts: Duration,
    outages: Vec<Outage>,
}

/// The answers of a fleet.
pub(crate) struct Record {
    answers: Vec<Answer>,
    outages: Vec<Outage>,
    /// The bucket of this key could not be read for a while.
    pub(crate) spoiled: Option<usize>,
}

impl Fleet {
    /// A fleet that knows its server and itself.
    pub(crate) async fn start(options: RedisOptions) -> Self {
        let mut crews = Vec::new();
        for (database, policy) in (0..).zip(POLICIES) {
            let options = RedisOptions { database, ..options.clone() };
            let mut instances = Vec::new();
            for _ in 0..CREW {
                instances.push(Instance::ready(options.clone(), TERMS, policy).await);
            }
            crews.push(Crew { policy, instances });
        }
        let fleet = Self { crews };
        let knows = |instance: &Arc<Instance>| instance.redis.snapshot().instances == CREW as u32;
        wait_until(|| fleet.instances().all(knows), PATIENCE).await;
        fleet
    }

    pub(crate) fn instances(&self) -> impl Iterator<Item = &Arc<Instance>> {
        self.crews.iter().flat_map(|crew| &crew.instances)
    }

    pub(crate) fn len(&self) -> usize {
        self.instances().count()
    }

    /// The sum of a number of each instance.
    pub(crate) fn sum(&self, number: impl Fn(&Instance) -> u64) -> u64 {
        self.instances().map(|instance| number(instance)).sum()
    }

    /// Failures counted so far, of any kind.
    pub(crate) fn failures(&self) -> u64 {
        self.sum(|instance| instance.all_errors().iter().map(|(_, count)| count).sum())
    }

    /// Requests to every instance, until `ordeal` is over.
    pub(crate) async fn flow(&self, ordeal: impl AsyncFnOnce(&mut Ordeal<'_>)) -> Record {
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let mut clients = Vec::new();
        for crew in &self.crews {
            for client in 0..CREW * CLIENTS {
                let instance = client % CREW;
                let client = Client {
                    policy: crew.policy,
                    number: client,
                    instance,
                    of: crew.instances[instance].clone(),
                    stopped: stopped.clone(),
                };
                clients.push(tokio::spawn(client.run()));
            }
        }
        let mut suffered = Ordeal { fleet: self, lasts: LASTS, outages: Vec::new() };
        tokio::time::sleep(BETWEEN).await;
        ordeal(&mut suffered).await;
        stop.send(true).unwrap();
        let mut answers = Vec::new();
        for client in clients {
            answers.extend(client.await.unwrap());
        }
        Record { answers, outages: suffered.outages, spoiled: None }
    }
}

struct Client {
    policy: FailurePolicy,
    number: usize,
    instance: usize,
    of: Arc<Instance>,
    stopped: tokio::sync::watch::Receiver<bool>,
}

impl Client {
    async fn run(self) -> Vec<Answer> {
        let mut pace = tokio::time::interval(Duration::from_millis(4));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut answers = Vec::new();
        for key in KEYS.into_iter().cycle().skip(self.number) {
            pace.tick().await;
            if *self.stopped.borrow() {
                break;
            }
            let sent = Instant::now();
            let decision = self.of.decide(&key_name(key)).await;
            answers.push(Answer {
                policy: self.policy,
                instance: self.instance,
                key,
                passed: passes(&decision),
                source: decision.source,
                sent,
                answered: Instant::now(),
            });
        }
        answers
    }
}

impl Ordeal<'_> {
    /// A fault that everybody notices as one of these `kinds`, and its end.
    pub(crate) async fn outage(&mut self, kinds: &[ErrorKind], fault: impl FnOnce(), heal: impl FnOnce()) {
        let began = Instant::now();
        fault();
        let there = Instant::now();
        let failed = |health: Health| matches!(health, Health::Unavailable(error) if kinds.contains(&error.kind));
        let all = || self.fleet.instances().all(|instance| failed(instance.redis.health()));
        holds_within(all, || format!("{kinds:?} expected: {:?}", self.fleet.healths())).await;
        let (known, failures) = (Instant::now(), self.fleet.failures());
        tokio::time::sleep(self.lasts).await;
        let failures = self.fleet.failures() - failures;
        let healed = Instant::now();
        heal();
        let well = Instant::now();
        self.back_within(BACK, well, &kinds).await;
        self.outages.push(Outage { began, there, known, healed, back: Instant::now() });
        self.nobody_storms(failures, healed - known, kinds);
        tokio::time::sleep(BETWEEN).await;
    }

    /// Nobody keeps asking a server that is known to be away, but for one probe of each instance.
    fn nobody_storms(&self, failures: u64, lasted: Duration, kinds: &[ErrorKind]) {
        // And whoever asked before it was known, for one key each.
        let each = (lasted * ATTEMPTS_PER_SECOND).as_secs() + 1 + KEYS_MAX as u64;
        assert!(failures <= each * self.fleet.len() as u64, "{failures} failures in {lasted:?} of {kinds:?}");
    }

    /// A fault that is over before it is known, and costs every instance its connection: `renewed` says that all have
    /// another.
    pub(crate) async fn hiccup(&mut self, what: &str, fault: impl FnOnce(), renewed: impl Fn() -> bool) {
        let began = Instant::now();
        fault();
        let there = Instant::now();
        holds_within(renewed, || format!("{what}: {:?}", self.fleet.healths())).await;
        self.back_within(BACK, began, &what).await;
        let back = Instant::now();
        self.outages.push(Outage { began, there, known: back, healed: back, back });
        tokio::time::sleep(BETWEEN).await;
    }

    /// Something that nobody has to notice, so many times.
    pub(crate) async fn nuisance(&mut self, times: u32, mut what: impl FnMut()) {
        for _ in 0..times {
            what();
            tokio::time::sleep(BETWEEN).await;
        }
    }

    async fn back_within(&self, limit: Duration, well: Instant, what: &dyn fmt::Debug) {
        let all = || self.fleet.instances().all(|instance| instance.redis.health() == Health::Available);
        holds_within(all, || format!("after {what:?}: {:?}", self.fleet.healths())).await;
        let took = well.elapsed();
        assert!(took <= limit + SLACK, "after {what:?} it took {took:?} until the server was used again");
    }
}

impl Fleet {
    fn healths(&self) -> Vec<Health> {
        self.instances().map(|instance| instance.redis.health()).collect()
    }
}

/// Waits until `condition` holds, and says what is `shown` if it never does.
async fn holds_within(condition: impl Fn() -> bool, shown: impl Fn() -> String) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "{}", shown());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

impl Record {
    /// What must be true whatever happened.
    pub(crate) fn judge(&self) {
        self.nobody_waits_too_long();
        self.policies_answer();
        self.stores_limit_is_kept();
        self.shares_are_kept();
    }

    fn nobody_waits_too_long(&self) {
        let slowest = self.answers.iter().max_by_key(|answer| answer.answered - answer.sent).unwrap();
        let took = slowest.answered - slowest.sent;
        assert!(took <= DEADLINE + BEYOND + SLACK, "{took:?}: {slowest:?}");
        for outage in self.outages.iter().filter(|outage| outage.known < outage.healed) {
            let mut took: Vec<_> = self.away(outage).map(|answer| answer.answered - answer.sent).collect();
            took.sort_unstable();
            assert!(took.len() > 50, "{} answers are none: {outage:?}", took.len());
            assert!(took[took.len() / 2] <= AWAY, "{:?} in the median", took[took.len() / 2]);
        }
    }

    /// Requests that came while everybody knew that the server is away.
    fn away(&self, outage: &Outage) -> impl Iterator<Item = &Answer> {
        let Outage { known, healed, .. } = *outage;
        self.answers.iter().filter(move |answer| answer.sent > known && answer.answered < healed)
    }

    /// Without the store: what is held here is spent, what is known to be refused is refused, and the rest is as the
    /// policy says. With it, no policy.
    fn policies_answer(&self) {
        for answer in self.outages.iter().flat_map(|outage| self.away(outage)) {
            let is_right = match (answer.source, answer.policy) {
                (DecisionSource::Lease, _) | (DecisionSource::Policy, FailurePolicy::Allow) => answer.passed,
                (DecisionSource::DenialCache, _) | (DecisionSource::Policy, FailurePolicy::Deny) => !answer.passed,
                (DecisionSource::Local, FailurePolicy::Local) => true,
                _ => false,
            };
            assert!(is_right, "{answer:?}");
        }
        let out = |answer: &&Answer| {
            self.spoiled == Some(answer.key)
                || self.outages.iter().any(|outage| answer.answered >= outage.began && answer.sent <= outage.back)
        };
        let is_policy = |answer: &&Answer| matches!(answer.source, DecisionSource::Policy | DecisionSource::Local);
        let needless = self.answers.iter().filter(|answer| !out(answer)).find(is_policy);
        assert!(needless.is_none(), "the server is well: {needless:?}");
    }

    /// What the store granted, at once or on loan, is within the limit: over all instances that share it.
    fn stores_limit_is_kept(&self) {
        for policy in POLICIES {
            let granted = |answer: &&Answer| {
                answer.policy == policy && matches!(answer.source, DecisionSource::Store | DecisionSource::Lease)
            };
            let worst = Self::worst(TERMS, self.answers.iter().filter(granted));
            assert!(worst <= 0.0, "{worst} too many with {policy:?}");
        }
        let passed = self.answers.iter().filter(|answer| answer.passed && answer.policy == FailurePolicy::Deny);
        for answer in passed {
            assert!(matches!(answer.source, DecisionSource::Store | DecisionSource::Lease), "{answer:?}");
        }
    }

    /// What an instance admits by itself is within its share.
    fn shares_are_kept(&self) {
        let (limit, period, burst) = TERMS;
        let share = (limit, period * CREW as u32, burst / CREW as u64);
        for instance in 0..CREW {
            let here = |answer: &&Answer| answer.source == DecisionSource::Local && answer.instance == instance;
            let worst = Self::worst(share, self.answers.iter().filter(here));
            assert!(worst <= 0.0, "{worst} too many of its share on {instance}");
        }
    }

    fn worst<'a>(terms: Terms, answers: impl Iterator<Item = &'a Answer>) -> f64 {
        let mut admissions = [(); KEYS_MAX].map(|()| Vec::new());
        for answer in answers.filter(|answer| answer.passed) {
            admissions[answer.key].push(Admission { sent: answer.sent, answered: answer.answered });
        }
        let excesses = admissions.iter().map(|admissions| certain_excess(terms.0, terms.1, terms.2, admissions));
        excesses.fold(f64::NEG_INFINITY, f64::max)
    }

    /// How many requests were admitted with slots that had been lent before, while the server was not there.
    pub(crate) fn spent_meanwhile(&self) -> usize {
        let meanwhile = |answer: &&Answer| {
            self.outages.iter().any(|outage| answer.sent > outage.there && answer.answered < outage.healed)
        };
        self.answers.iter().filter(meanwhile).filter(|answer| answer.source == DecisionSource::Lease).count()
    }

    /// How many requests the policies answered.
    pub(crate) fn by_policy(&self) -> usize {
        let is_policy = |answer: &&Answer| matches!(answer.source, DecisionSource::Policy | DecisionSource::Local);
        self.answers.iter().filter(is_policy).count()
    }
}
