//! Two gateways, one Redis that dies and falls silent, and clients who notice nothing but what the policy says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tollgate_testkit::{Admission, Redis, Upstream, certain_excess};

use crate::instance::{Instance, Setup};
use crate::sharing::wait_for_store;

const SECOND: Duration = Duration::from_secs(1);
const LIMIT: u64 = 100;
const BURST: u64 = 50;
/// The deadline of the store.
const DEADLINE: Duration = Duration::from_millis(300);
/// What a loaded machine may add.
const SLACK: Duration = Duration::from_millis(900);
/// One route for each failure policy, limited by it.
const POLICIES: [&str; 3] = ["deny", "allow", "local"];

/// What a client was told.
struct Answer {
    sent: Instant,
    answered: Instant,
    passed: bool,
    by_policy: bool,
}

/// A time from when the store may have been away until both used it again.
struct Outage {
    began: Instant,
    back: Instant,
}

impl Outage {
    fn meets(&self, answer: &Answer) -> bool {
        answer.answered >= self.began && answer.sent <= self.back
    }
}

fn file(redis: &Redis, upstream: &Upstream) -> String {
    let endpoint = redis.endpoint();
    let limit = |policy: &&str| {
        format!(
            "    {policy}: {{plugin: {{distributedRateLimit: {{limit: {LIMIT}, burst: {BURST}, failurePolicy: {policy}, \
             responseHeaders: true, store: {{redis: {{endpoints: [\"{endpoint}\"], timeout: 300ms}}}}}}}}}}\n"
        )
    };
    let route =
        |policy: &&str| format!("    {policy}: {{rule: \"Path(`/{policy}`)\", service: s, middlewares: [{policy}]}}\n");
    let (limits, routes) = (POLICIES.iter().map(limit), POLICIES.iter().map(route));
    format!(
        "http:\n  middlewares:\n{}  routers:\n{}  services: {{s: {{loadBalancer: {{servers: [{{url: \"{}\"}}]}}}}}}\n",
        limits.collect::<String>(),
        routes.collect::<String>(),
        upstream.url()
    )
}

/// Asks for a path again and again. Any answer but 200 and 429 is a failure, and so is one that comes late.
async fn ask(instance: Arc<Instance>, path: String, is_over: Arc<AtomicBool>) -> Vec<Answer> {
    let mut pace = tokio::time::interval(Duration::from_millis(5));
    let mut answers = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        pace.tick().await;
        let sent = Instant::now();
        let answer = instance.get("a.test", &path).await;
        let took = sent.elapsed();
        assert!(matches!(answer.status(), 200 | 429), "{path}: {}", answer.status());
        assert!(took < DEADLINE + SLACK, "{path}: {took:?}");
        answers.push(Answer {
            sent,
            answered: Instant::now(),
            passed: answer.status() == 200,
            by_policy: answer.header("x-rate-limit-fallback").is_some(),
        });
    }
    answers
}

/// The most by which the limit was exceeded in any window.
fn excess(answers: &[Answer]) -> f64 {
    let passed = answers.iter().filter(|answer| answer.passed);
    let admissions: Vec<_> = passed.map(|answer| Admission { sent: answer.sent, answered: answer.answered }).collect();
    certain_excess(LIMIT, SECOND, BURST, &admissions)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_becomes_of_redis_clients_are_told_what_the_policy_says() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let mut redis = Redis::start();
    let instances = [(); 2].map(|()| Arc::new(Setup::new(&file(&redis, &upstream)).start()));
    for instance in &instances {
        wait_for_store(instance).await;
    }
    // Until each has heard of the other: shares are halves.
    for instance in &instances {
        while crate::instance::value(&instance.admin("/metrics").await.text(), "tollgate_limiter_instances") < 2.0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let clients = POLICIES.map(|policy| {
        instances.each_ref().map(|instance| tokio::spawn(ask(instance.clone(), format!("/{policy}"), is_over.clone())))
    });
    let mut outages = Vec::new();
    for is_killed in [true, false] {
        tokio::time::sleep(SECOND).await;
        let began = Instant::now();
        if is_killed {
            redis.kill();
        } else {
            redis.pause();
        }
        tokio::time::sleep(2 * SECOND).await;
        if is_killed {
            redis.restart();
        } else {
            redis.resume();
        }
        let healed = Instant::now();
        for instance in &instances {
            wait_for_store(instance).await;
        }
        assert!(healed.elapsed() < SECOND + SLACK, "{:?} until it was used again", healed.elapsed());
        outages.push(Outage { began, back: Instant::now() });
    }
    tokio::time::sleep(SECOND).await;
    is_over.store(true, Ordering::Relaxed);

    // A burst for each outage, and the rate while it lasted.
    let away: f64 = outages.iter().map(|outage| (outage.back - outage.began).as_secs_f64()).sum();
    let shares = BURST as f64 * outages.len() as f64 + LIMIT as f64 * away;
    for (policy, clients) in POLICIES.into_iter().zip(clients) {
        let mut answers = Vec::new();
        for client in clients {
            answers.extend(client.await.unwrap());
        }
        let most = match policy {
            "deny" => 0.0,
            "local" => shares,
            _ => f64::INFINITY,
        };
        assert!(excess(&answers) <= most, "{policy}: {} too many", excess(&answers));
        for answer in answers.iter().filter(|answer| answer.by_policy) {
            assert!(outages.iter().any(|outage| outage.meets(answer)), "{policy} answers although the store is well");
            assert!(policy == "local" || answer.passed == (policy == "allow"), "{policy} decides otherwise");
        }
        for outage in &outages {
            let asked = answers.iter().filter(|answer| answer.by_policy && outage.meets(answer));
            assert!(asked.count() > 50, "{policy} does not answer");
        }
        let passes_again = |answer: &Answer| answer.passed && outages.iter().all(|outage| answer.sent > outage.back);
        assert!(answers.iter().any(passes_again), "{policy}: nobody passes any more");
    }
}
