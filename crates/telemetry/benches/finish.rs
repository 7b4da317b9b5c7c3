//! What it costs the thread of a request to count it and to log it.
//!
//! `cargo bench -p tollgate-telemetry --bench finish`. The log goes to `/dev/null`; lines that the writer cannot keep
//! up with are dropped, and their number is printed, since a dropped line costs less than a kept one.

#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use smallvec::SmallVec;
use tollgate_pipeline::{Exchange, LimitRecord, Protocol, Scheme, Upstream, Verdict, VerdictSource};
use tollgate_telemetry::access_log::{Format, HeaderRule, Mode, Settings};
use tollgate_telemetry::metrics::{self, Names};
use tollgate_telemetry::{AccessLog, Collector, Exposition, Finished, Head, Metrics, Wants};

const ROUNDS: usize = 7;
const EACH: u32 = 50_000;

fn main() {
    println!("{:<44} {:>8}", "nanoseconds per exchange, best of 7 rounds", "ns");
    let metrics = Metrics::new(metrics::Settings { add_routers_labels: true, ..metrics::Settings::default() });
    metrics.configure(&Names { entry_points: &["web"], routers: &[("api@file", "s@file")], services: &["s@file"] });
    let kind = Wants::default().with_kind();
    let request = request();
    measure("head, for the metrics", || drop(black_box(Head::of(black_box(&request), &kind))));
    let (exchange, head) = (exchange(), Head::default());
    measure("count: entry point, router, service", || metrics.observe(black_box(&finished(&exchange, &head))));
    for (name, format, headers) in [
        ("log, common", Format::Common, HeaderRule::default()),
        ("log, common with user agent", Format::Common, HeaderRule::new(Mode::Drop, [("User-Agent", Mode::Keep)])),
        ("log, json", Format::Json, HeaderRule::default()),
        ("log, json with all header fields", Format::Json, HeaderRule::new(Mode::Keep, [])),
    ] {
        let file = Some("/dev/null".into());
        let log = AccessLog::start(Settings { format, headers, file, ..Settings::default() }).expect("a log");
        let wants = log.wants();
        measure(name, || log.write(black_box(&finished(&exchange, &Head::of(&request, &wants)))));
        let mut counts = Exposition::default();
        log.collect(&mut counts);
        let counts = counts.into_text();
        let dropped = counts.lines().find(|line| line.starts_with("tollgate_access_log_dropped"));
        println!("    {}", dropped.unwrap_or_default());
    }
}

/// The best of some rounds: what the code costs when nobody disturbs. Rounds are short and pause between each other,
/// so that the log's buffer never fills.
fn measure(name: &str, mut run: impl FnMut()) {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let mut took = Duration::ZERO;
        for _ in 0..EACH / 10_000 {
            let began = Instant::now();
            (0..10_000).for_each(|_| run());
            took += began.elapsed();
            std::thread::sleep(Duration::from_millis(25));
        }
        best = best.min(took);
    }
    println!("{name:<44} {:>8.1}", best.as_secs_f64() * 1e9 / f64::from(EACH));
}

fn request() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "api.example.com"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"),
        ("accept", "*/*"),
        ("accept-encoding", "gzip, br"),
        ("x-forwarded-for", "203.0.113.7"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
}

fn exchange() -> Exchange {
    Exchange {
        started: Instant::now(),
        started_at: UNIX_EPOCH + Duration::from_nanos(1_795_465_585_250_634_217),
        entry_point: "web".into(),
        peer: ([203, 0, 113, 7], 58328).into(),
        local: ([127, 0, 0, 1], 8000).into(),
        scheme: Scheme::Http,
        protocol: Protocol::Http11,
        method: Method::GET,
        target: http::Uri::from_static("/v1/items?page=2"),
        authority: "api.example.com".into(),
        withdrawn: None,
        forwarded_for: tollgate_pipeline::ForwardedFor::default(),
        router: Some("api@file".into()),
        service: Some("s@file".into()),
        upstream: Some(Upstream {
            url: "http://127.0.0.1:9000".into(),
            address: "127.0.0.1:9000".into(),
            status: Some(StatusCode::OK),
            duration: Duration::from_micros(621),
            retries: 0,
        }),
        limits: SmallVec::from_iter([LimitRecord {
            limit: Arc::from("global-rate-limit@file"),
            key: "203.0.113.7".into(),
            verdict: Verdict::Allow,
            source: VerdictSource::Store,
            remaining: Some(17),
        }]),
        request_bytes: 0,
    }
}

fn finished<'a>(exchange: &'a Exchange, head: &'a Head) -> Finished<'a> {
    Finished {
        exchange,
        head,
        status: StatusCode::OK,
        response: &[],
        origin: &[],
        grpc_status: None,
        response_bytes: 1_024,
        duration: Duration::from_micros(812),
    }
}
