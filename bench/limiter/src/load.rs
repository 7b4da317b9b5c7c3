//! Requests: who asks, how often, and what became of it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tollgate_sim::Random;

use crate::peer::Instance;

/// What a limit allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) per_second: u64,
    pub(crate) burst: u64,
}

/// What all instances together are asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) pace: Pace,
    pub(crate) keys: Keys,
    /// So many requests of an instance are under way at a time, at most.
    pub(crate) clients: usize,
    pub(crate) length: Duration,
    pub(crate) seed: u64,
}

/// When requests come.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// By chance, so many in a second (a Poisson process). Whoever comes while all clients are busy waits outside.
    PerSecond(f64),
    /// Each client asks again when it was told.
    WhenTold,
}

/// Which keys are asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Keys {
    /// One.
    One,
    /// Each request another.
    Fresh,
}

/// One request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) sent: Instant,
    pub(crate) answered: Instant,
    pub(crate) admitted: bool,
}

/// When the next request of one instance comes.
struct Arrivals {
    random: Random,
    next: Duration,
    /// Zero: at once.
    gap: Duration,
    until: Duration,
}

impl Load {
    /// Asks, and tells what became of every request, in the order in which they were sent.
    pub(crate) async fn ask(&self, instances: &[Arc<Instance>]) -> Vec<Request> {
        let fresh = Arc::new(AtomicU32::new(1));
        let start = Instant::now();
        let mut random = Random::new(self.seed);
        let mut clients = Vec::new();
        for instance in instances {
            let gap = match self.pace {
                Pace::PerSecond(per_second) => Duration::from_secs_f64(instances.len() as f64 / per_second),
                Pace::WhenTold => Duration::ZERO,
            };
            let random = Random::new(random.bits());
            let arrivals = Arrivals { random, next: Duration::ZERO, gap, until: self.length };
            let arrivals = Arc::new(Mutex::new(arrivals));
            for _ in 0..self.clients {
                let client = client(instance.clone(), arrivals.clone(), self.keys, fresh.clone(), start);
                clients.push(tokio::spawn(client));
            }
        }
        let done = join_all(clients).await;
        let mut requests: Vec<_> =
            done.into_iter().flat_map(|done| done.expect("a client that does not panic")).collect();
        requests.sort_by_key(|request| request.sent);
        requests
    }
}

async fn client(
    instance: Arc<Instance>,
    arrivals: Arc<Mutex<Arrivals>>,
    keys: Keys,
    fresh: Arc<AtomicU32>,
    start: Instant,
) -> Vec<Request> {
    let mut requests = Vec::new();
    loop {
        let next = arrivals.lock().unwrap_or_else(PoisonError::into_inner).next(start.elapsed());
        let Some(next) = next else { return requests };
        if start.elapsed() < next {
            tokio::time::sleep_until((start + next).into()).await;
        }
        let key = match keys {
            Keys::One => 0,
            Keys::Fresh => fresh.fetch_add(1, Ordering::Relaxed),
        };
        let sent = Instant::now();
        let admitted = instance.decide(key).await;
        requests.push(Request { sent, answered: Instant::now(), admitted });
        // Decisions that nobody waits for would keep this thread for ever.
        tokio::task::consume_budget().await;
    }
}

impl Arrivals {
    fn next(&mut self, now: Duration) -> Option<Duration> {
        self.next += self.gap.mul_f64(self.random.exponential(1.0));
        (self.next.max(now) < self.until).then_some(self.next)
    }
}
