//! What a client sees of a limit. The store's clock is the tests' to move; the runtime's stands still and jumps.

use std::net::SocketAddr;

use http_body_util::BodyExt as _;
use tollgate_limiter::{Criterion, FailurePolicy, Limit, Quota};
use tollgate_store::{Clock, FakeClock, MemoryOptions, Stores};

use super::*;
use crate::testing::{exchange, get, run, run_before};

struct Bench {
    stores: Stores,
    clock: FakeClock,
}

impl Bench {
    fn new() -> Self {
        let clock = FakeClock::default();
        let runtime = tokio::runtime::Handle::current();
        Self { stores: Stores::new(MemoryOptions::default(), Clock::fake(&clock), runtime), clock }
    }

    /// The middleware, made anew each time as a reload does.
    fn limit(&self, quota: (u64, u64, u64), criterion: Criterion, tell: bool) -> RateLimit {
        let quota = Quota::new(quota.0, Duration::from_millis(quota.1), quota.2).unwrap();
        let limit = Limit {
            id: "l@file".into(),
            quota: Some(quota),
            windows: Vec::new(),
            criterion,
            max_delay: quota.traefik_max_delay(),
            leases: true,
            failure_policy: FailurePolicy::Deny,
        };
        RateLimit::new(self.stores.bind(limit, self.stores.memory()), tell)
    }

    fn by_address(&self, limit: u64, period_ms: u64, burst: u64) -> RateLimit {
        self.limit((limit, period_ms, burst), Criterion::RemoteAddress { ipv6_subnet: None }, false)
    }
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_refusal_is_traefiks() {
    let bench = Bench::new();
    for _ in 0..3 {
        let seen = run(bench.by_address(1, 1_000, 3), get("/"), &mut exchange()).await;
        assert_eq!(seen.response.status(), StatusCode::OK);
        assert!(seen.response.headers().is_empty(), "an answer that passes is not touched");
    }
    bench.clock.advance(Duration::from_micros(58_985));
    let mut exchange = exchange();
    let seen = run(bench.by_address(1, 1_000, 3), get("/"), &mut exchange).await;
    assert!(seen.request.is_none(), "nothing reaches the service");
    assert_eq!(seen.response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(header(&seen.response, "retry-after"), Some("1"));
    assert_eq!(header(&seen.response, "x-retry-in"), Some("941.015ms"));
    assert_eq!(header(&seen.response, "content-type"), None);
    let body = seen.response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(&body[..], b"Too Many Requests");

    let record = &exchange.limits[0];
    assert_eq!((&*record.limit, &*record.key.text()), ("l@file", "192.0.2.1"));
    assert_eq!((record.verdict, record.source), (tollgate_pipeline::Verdict::Deny, VerdictSource::Memory));
    assert_eq!(record.remaining, Some(0));
}

/// Observed on Traefik (cases §1.4 row 2): 10/s, burst 1.
#[tokio::test(start_paused = true)]
async fn a_request_a_little_early_is_held() {
    let bench = Bench::new();
    let pass = async || {
        let started = tokio::time::Instant::now();
        let seen = run(bench.by_address(10, 1_000, 1), get("/"), &mut exchange()).await;
        (seen.response.status(), started.elapsed())
    };
    assert_eq!(pass().await, (StatusCode::OK, Duration::ZERO));
    bench.clock.advance(Duration::from_millis(5));
    assert_eq!(pass().await.0, StatusCode::TOO_MANY_REQUESTS);
    bench.clock.advance(Duration::from_millis(57));
    let (status, held) = pass().await;
    assert_eq!(status, StatusCode::OK);
    assert!((38..=40).contains(&held.as_millis()), "{held:?}");
    bench.clock.advance(Duration::from_millis(84));
    assert_eq!(pass().await.0, StatusCode::TOO_MANY_REQUESTS, "the slot was spent by the one that was held");
}

#[tokio::test]
async fn a_client_is_told_where_it_stands_on_every_answer() {
    let bench = Bench::new();
    let limit = || bench.limit((6, 60_000, 2), Criterion::Host, true);
    let told = |response: &Response| {
        ["limit", "period", "remaining", "reset"]
            .map(|field| header(response, &format!("x-rate-limit-{field}")).map(str::to_owned))
    };
    let some = |fields: [&str; 4]| fields.map(|field| Some(field.to_owned()));
    let first = run(limit(), get("/"), &mut exchange()).await.response;
    assert_eq!(told(&first), some(["6", "60", "1", "10"]));
    run(limit(), get("/"), &mut exchange()).await;
    let refused = run(limit(), get("/"), &mut exchange()).await.response;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(told(&refused), some(["6", "60", "0", "20"]));
    assert_eq!(header(&refused, "retry-after"), Some("10"));
}

#[tokio::test]
async fn a_stricter_limit_behind_is_not_loosened() {
    let bench = Bench::new();
    let limit = bench.limit((6, 60_000, 5), Criterion::Host, true);
    let inner = [("x-rate-limit-limit", "2"), ("x-rate-limit-remaining", "1")];
    let response = run_before(limit, get("/"), &mut exchange(), &inner).await.response;
    assert_eq!(header(&response, "x-rate-limit-remaining"), Some("1"));
    assert_eq!(header(&response, "x-rate-limit-limit"), Some("2"));
}

#[tokio::test]
async fn a_header_that_the_client_has_withdrawn_still_counts() {
    let bench = Bench::new();
    let limit = || bench.limit((1, 60_000, 1), Criterion::Header("x-api-key".into()), false);
    let mut request = get("/");
    request.headers_mut().insert("x-api-key", "A".parse().unwrap());
    assert_eq!(run(limit(), request, &mut exchange()).await.response.status(), StatusCode::OK);

    let mut withdrawn = HeaderMap::new();
    withdrawn.insert("x-api-key", "A".parse().unwrap());
    let mut exchange = exchange();
    exchange.withdrawn = Some(Box::new(withdrawn));
    assert_eq!(run(limit(), get("/"), &mut exchange).await.response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(exchange.limits[0].key.text().starts_with('#'), "{}", exchange.limits[0].key);
}

#[tokio::test]
async fn spellings_of_a_host_share_a_bucket() {
    let bench = Bench::new();
    let mut statuses = Vec::new();
    for authority in ["a.test", "A.TEST", "a.test.", "a.test:80", "a.test:81", "b.test"] {
        let mut exchange = exchange();
        exchange.authority = authority.into();
        let limit = bench.limit((1, 60_000, 1), Criterion::Host, false);
        statuses.push(run(limit, get("/"), &mut exchange).await.response.status().as_u16());
    }
    assert_eq!(statuses, [200, 429, 429, 429, 429, 200]);
}

#[tokio::test]
async fn clients_have_buckets_of_their_own_and_keep_them_over_reloads() {
    let bench = Bench::new();
    let mut statuses = Vec::new();
    for last in [1, 1, 2, 2, 1] {
        let mut exchange = exchange();
        exchange.peer = SocketAddr::from(([192, 0, 2, last], 1));
        // `by_address` builds the middleware anew each time.
        statuses.push(run(bench.by_address(1, 60_000, 1), get("/"), &mut exchange).await.response.status().as_u16());
    }
    assert_eq!(statuses, [200, 429, 200, 429, 429]);
}

#[tokio::test]
async fn unlimited_is_unlimited_and_says_so() {
    let mut exchange = exchange();
    let seen = run(Unlimited::new("l@file".into()), get("/"), &mut exchange).await;
    assert_eq!(seen.response.status(), StatusCode::OK);
    assert_eq!(exchange.limits[0].source, VerdictSource::Unlimited);
}
