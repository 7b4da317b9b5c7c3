use std::sync::Barrier;

use http::Method;
use smallvec::SmallVec;
use tollgate_pipeline::Exchange;

use super::*;
use crate::testing::{Rest, exchange, proxied, record, refused};
use crate::{Head, RequestKind};

const NAMES: Names<'_> = Names { entry_points: &["web"], routers: &[("api@file", "s@file")], services: &["s@file"] };

fn metrics() -> Metrics {
    let metrics = Metrics::new(Settings { add_routers_labels: true, ..Settings::default() });
    metrics.configure(&NAMES);
    metrics
}

fn observe(metrics: &Metrics, exchange: &Exchange, status: u16, bytes: u64) {
    metrics.observe(&Rest::default().finished(exchange, status, bytes));
}

/// The lines of a family, or of all that starts so.
fn lines(metrics: &Metrics, prefix: &str) -> Vec<String> {
    metrics.expose().lines().filter(|line| line.starts_with(prefix)).map(str::to_owned).collect()
}

/// Text that Traefik 3.7.15 exposed after the same three requests.
#[test]
fn requests_are_exposed_as_traefik_exposes_them() {
    let metrics = metrics();
    observe(&metrics, &proxied(), 200, 11);
    observe(&metrics, &exchange(), 404, 19);
    observe(&metrics, &refused(), 429, 17);
    let text = metrics.expose();
    for block in [
        r#"# HELP traefik_entrypoint_requests_total How many HTTP requests processed on an entrypoint, partitioned by status code, protocol, and method.
# TYPE traefik_entrypoint_requests_total counter
traefik_entrypoint_requests_total{code="200",entrypoint="web",method="GET",protocol="http"} 1
traefik_entrypoint_requests_total{code="404",entrypoint="web",method="GET",protocol="http"} 1
traefik_entrypoint_requests_total{code="429",entrypoint="web",method="GET",protocol="http"} 1
"#,
        r#"# HELP traefik_router_requests_total How many HTTP requests are processed on a router, partitioned by service, status code, protocol, and method.
# TYPE traefik_router_requests_total counter
traefik_router_requests_total{code="200",method="GET",protocol="http",router="api@file",service="s@file"} 1
traefik_router_requests_total{code="429",method="GET",protocol="http",router="api@file",service="s@file"} 1
"#,
        r#"# TYPE traefik_service_responses_bytes_total counter
traefik_service_responses_bytes_total{code="200",method="GET",protocol="http",service="s@file"} 11
"#,
        r#"# TYPE traefik_service_request_duration_seconds histogram
traefik_service_request_duration_seconds_bucket{code="200",method="GET",protocol="http",service="s@file",le="0.1"} 1
traefik_service_request_duration_seconds_bucket{code="200",method="GET",protocol="http",service="s@file",le="0.3"} 1
traefik_service_request_duration_seconds_bucket{code="200",method="GET",protocol="http",service="s@file",le="1.2"} 1
traefik_service_request_duration_seconds_bucket{code="200",method="GET",protocol="http",service="s@file",le="5"} 1
traefik_service_request_duration_seconds_bucket{code="200",method="GET",protocol="http",service="s@file",le="+Inf"} 1
traefik_service_request_duration_seconds_sum{code="200",method="GET",protocol="http",service="s@file"} 0.001746879
traefik_service_request_duration_seconds_count{code="200",method="GET",protocol="http",service="s@file"} 1
"#,
    ] {
        assert!(text.contains(block), "{block}\nnot in\n{text}");
    }
}

#[test]
fn flags_choose_what_has_series() {
    for (settings, families) in [
        (Settings::default(), &["entrypoint", "service"][..]),
        (Settings { add_entry_points_labels: false, ..Settings::default() }, &["service"]),
        (
            Settings { add_services_labels: false, add_routers_labels: true, ..Settings::default() },
            &["entrypoint", "router"],
        ),
    ] {
        let metrics = Metrics::new(settings);
        metrics.configure(&NAMES);
        observe(&metrics, &proxied(), 200, 1);
        for family in ["entrypoint", "router", "service"] {
            let there = !lines(&metrics, &format!("traefik_{family}_requests_total")).is_empty();
            assert_eq!(there, families.contains(&family), "{family}");
        }
    }
}

#[test]
fn buckets_are_in_order_however_they_are_written() {
    let buckets = vec![5.0, f64::NAN, 0.5, 5.0, f64::INFINITY];
    let metrics = Metrics::new(Settings { buckets, ..Settings::default() });
    metrics.configure(&NAMES);
    observe(&metrics, &exchange(), 200, 1);
    let buckets = lines(&metrics, "traefik_entrypoint_request_duration_seconds_bucket");
    let bounds: Vec<_> = buckets.iter().filter_map(|line| line.split("le=\"").nth(1)?.split('"').next()).collect();
    assert_eq!(bounds, ["0.5", "5", "+Inf"]);
}

#[test]
fn a_request_for_ourselves_counts_only_if_asked_for() {
    let internal = Exchange { router: Some("api@internal".into()), ..exchange() };
    for (add_internals, counted) in [(false, 0), (true, 1)] {
        let metrics = Metrics::new(Settings { add_internals, ..Settings::default() });
        metrics.configure(&NAMES);
        observe(&metrics, &internal, 200, 1);
        assert_eq!(lines(&metrics, "traefik_entrypoint_requests_total{").len(), counted);
    }
}

#[test]
fn grpc_counts_its_own_status() {
    let metrics = metrics();
    for (status, label) in [(Some(7), "7"), (None, "2"), (Some(999), "2")] {
        let rest = Rest { head: Head { kind: RequestKind::Grpc, ..Head::default() }, ..Rest::default() };
        let (exchange, before) = (exchange(), metrics.expose());
        metrics.observe(&Finished { grpc_status: status, ..rest.finished(&exchange, 200, 0) });
        let series = format!("requests_total{{code=\"{label}\",entrypoint=\"web\",method=\"GET\",protocol=\"grpc\"}}");
        let (after, count) = (metrics.expose(), |text: &str| {
            text.lines().find_map(|line| line.split_once(&series)?.1.trim().parse().ok()).unwrap_or(0)
        });
        assert_eq!(count(&after), count(&before) + 1, "{status:?}");
    }
}

#[test]
fn the_time_that_a_limit_held_a_request_is_not_the_services() {
    let metrics = metrics();
    let delay = Verdict::Delay(Duration::from_millis(1));
    let exchange = Exchange { limits: SmallVec::from_iter([record("api-limit@file", delay, None)]), ..proxied() };
    observe(&metrics, &exchange, 200, 0);
    let sums = lines(&metrics, "traefik_service_request_duration_seconds_sum");
    assert!(sums[0].ends_with(" 0.000746879"), "{sums:?}");
    let sums = lines(&metrics, "traefik_router_request_duration_seconds_sum");
    assert!(sums[0].ends_with(" 0.001746879"), "{sums:?}");
}

#[test]
fn no_client_makes_series() {
    let metrics = metrics();
    observe(&metrics, &proxied(), 200, 1);
    observe(&metrics, &Exchange { method: Method::from_bytes(b"FOO").expect("a method"), ..proxied() }, 200, 1);
    let before = metrics.expose();
    for number in 0..100_000 {
        let exchange = Exchange {
            method: format!("M{number}").parse().expect("a method"),
            target: format!("/{number}").parse().expect("a target"),
            authority: format!("h{number}.example").into(),
            peer: ([10, 0, (number >> 8) as u8, number as u8], 1).into(),
            ..proxied()
        };
        observe(&metrics, &exchange, 200, 1);
    }
    let after = metrics.expose();
    assert!(after.contains("method=\"EXTENSION_METHOD\""));
    assert_eq!(after.lines().count(), before.lines().count());
    assert!(!after.contains("M77") && !after.contains("h77"));
}

#[test]
fn a_reload_keeps_what_stayed_and_forgets_what_is_gone() {
    let metrics = metrics();
    observe(&metrics, &refused(), 429, 17);
    metrics.configure(&NAMES);
    observe(&metrics, &refused(), 429, 17);
    let count = |prefix| {
        lines(&metrics, prefix)
            .iter()
            .map(|line| line.rsplit_once(' ').expect("a value").1.to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(count("traefik_router_requests_total"), ["2"]);

    // The same router in front of another service is another series, as its labels say.
    metrics.configure(&Names { routers: &[("api@file", "t@file")], ..NAMES });
    observe(&metrics, &refused(), 429, 17);
    let routers = lines(&metrics, "traefik_router_requests_total");
    assert_eq!(routers.len(), 1);
    assert!(routers[0].ends_with("service=\"t@file\"} 1"), "{routers:?}");

    metrics.configure(&Names { entry_points: &["web"], ..Names::default() });
    observe(&metrics, &refused(), 429, 17);
    assert_eq!(count("traefik_router_requests_total"), [""; 0]);
    assert_eq!(count("traefik_entrypoint_requests_total"), ["4"]);
}

#[test]
fn nothing_is_left_of_a_thousand_reloads() {
    let metrics = metrics();
    let before = metrics.expose().lines().count();
    let mut first = None;
    for number in 0..1000 {
        let router = format!("r{number}@file");
        metrics.configure(&Names { routers: &[(&router, "s@file")], ..NAMES });
        let exchange = Exchange { router: Some(router.as_str().into()), ..exchange() };
        observe(&metrics, &exchange, 200, 0);
        first.get_or_insert_with(|| Arc::downgrade(&metrics.traffic.load().routers[router.as_str()]));
    }
    assert!(first.expect("a router").upgrade().is_none(), "its counters are freed");
    metrics.configure(&NAMES);
    // Only the entry point's four families have something to tell now: 4 heads, 3 counters, 7 lines of histogram.
    assert_eq!(metrics.expose().lines().count(), before + 4 * 2 + 3 + 7);
}

#[test]
fn many_threads_find_the_same_cells() {
    let metrics = metrics();
    let (threads, each) = (8, 2_000);
    let barrier = Barrier::new(threads);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (metrics, barrier) = (&metrics, &barrier);
            scope.spawn(move || {
                barrier.wait();
                for number in 0..each {
                    observe(metrics, &proxied(), 200 + ((number + thread) % 100) as u16, 1);
                }
            });
        }
    });
    let counts = lines(&metrics, "traefik_entrypoint_requests_total{");
    assert_eq!(counts.len(), 100);
    let total: usize =
        counts.iter().map(|line| line.rsplit_once(' ').expect("a value").1.parse::<usize>().expect("a number")).sum();
    assert_eq!(total, threads * each);
}

#[test]
fn the_state_of_the_instance_is_told() {
    let metrics = Metrics::new(Settings::default());
    let web: Arc<str> = "web".into();
    metrics.connection_opened(&web);
    metrics.connection_opened(&web);
    metrics.connection_closed(&web);
    metrics.connection_shed(&web);
    metrics.violation("bare-cr");
    metrics.violation("bare-cr");
    metrics.panicked();
    metrics.refused();
    metrics.reloaded(&Reload {
        generation: 3,
        at: UNIX_EPOCH + Duration::from_secs(1_795_465_580),
        errors: 2,
        warnings: 1,
    });
    let text = metrics.expose();
    for line in [
        "traefik_config_reloads_total 1",
        "traefik_config_last_reload_success 1795465580",
        "traefik_open_connections{entrypoint=\"web\",protocol=\"TCP\"} 1",
        "tollgate_connections_shed_total{entrypoint=\"web\"} 1",
        "tollgate_config_generation 3",
        "tollgate_config_refused_total 1",
        "tollgate_config_diagnostics{severity=\"error\"} 2",
        "tollgate_config_diagnostics{severity=\"warning\"} 1",
        "tollgate_http_violations_total{kind=\"bare-cr\"} 2",
        "tollgate_panics_total 1",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
}

#[test]
fn the_limiters_own_counters_are_read_at_the_scrape() {
    let metrics = Metrics::new(Settings::default());
    let coalesced = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&coalesced);
    metrics.register(Arc::new(move || LimiterFacts {
        limits: vec![LimitFacts {
            limit: "api@file".into(),
            decisions: vec![("deny", "store", 7), ("allow", "policy", 0)],
            overflowed: 9,
        }],
        stores: vec![
            StoreFacts { store: "memory".into(), buckets: 4, available: true, ..StoreFacts::default() },
            StoreFacts {
                store: "redis:6379".into(),
                buckets: 0,
                keys_known: 2,
                keys_forgotten: 8,
                leases: 10,
                slots_held: 11,
                leases_granted: 12,
                slots_lent: 13,
                slots_returned: 14,
                slots_died: 15,
                hints_healed: 16,
                instances: 17,
                calls: 5,
                keys: 18,
                coalesced: seen.load(Relaxed),
                errors: vec![("timeout", 1), ("refused", 2)],
                durations: Durations { buckets: vec![(0.001, 3)], count: 5, sum: 0.008 },
                available: false,
                servers: vec![
                    ServerFacts {
                        server: "10.0.0.1:6379".into(),
                        role: "primary",
                        available: true,
                        durations: Durations { buckets: vec![(0.001, 3)], count: 4, sum: 0.007 },
                    },
                    ServerFacts { server: "10.0.0.2:26379".into(), role: "sentinel", ..ServerFacts::default() },
                ],
            },
        ],
    }));
    coalesced.store(6, Relaxed);
    let expected = r#"# HELP tollgate_limiter_decisions_total What limits decided, by limit, verdict and who decided.
# TYPE tollgate_limiter_decisions_total counter
tollgate_limiter_decisions_total{limit="api@file",source="store",verdict="deny"} 7
# HELP tollgate_limiter_overflow_total Decisions on a bucket shared for want of room, by limit.
# TYPE tollgate_limiter_overflow_total counter
tollgate_limiter_overflow_total{limit="api@file"} 9
# HELP tollgate_limiter_buckets Buckets held in this process.
# TYPE tollgate_limiter_buckets gauge
tollgate_limiter_buckets{store="memory"} 4
tollgate_limiter_buckets{store="redis:6379"} 0
# HELP tollgate_limiter_policy_in_force 1 while a store does not answer and failure policies decide, else 0.
# TYPE tollgate_limiter_policy_in_force gauge
tollgate_limiter_policy_in_force{store="memory"} 0
tollgate_limiter_policy_in_force{store="redis:6379"} 1
# HELP tollgate_limiter_store_calls_total Calls to a store, by outcome.
# TYPE tollgate_limiter_store_calls_total counter
tollgate_limiter_store_calls_total{outcome="ok",store="redis:6379"} 5
tollgate_limiter_store_calls_total{outcome="error",store="redis:6379"} 3
# HELP tollgate_limiter_store_call_duration_seconds How long answered calls to a store took.
# TYPE tollgate_limiter_store_call_duration_seconds histogram
tollgate_limiter_store_call_duration_seconds_bucket{store="redis:6379",le="0.001"} 3
tollgate_limiter_store_call_duration_seconds_bucket{store="redis:6379",le="+Inf"} 5
tollgate_limiter_store_call_duration_seconds_sum{store="redis:6379"} 0.008
tollgate_limiter_store_call_duration_seconds_count{store="redis:6379"} 5
# HELP tollgate_limiter_store_errors_total Calls to a store that failed, by kind.
# TYPE tollgate_limiter_store_errors_total counter
tollgate_limiter_store_errors_total{kind="timeout",store="redis:6379"} 1
tollgate_limiter_store_errors_total{kind="refused",store="redis:6379"} 2
# HELP tollgate_limiter_store_keys_total Keys asked for in answered calls to a store.
# TYPE tollgate_limiter_store_keys_total counter
tollgate_limiter_store_keys_total{store="redis:6379"} 18
# HELP tollgate_limiter_coalesced_total Decisions that shared the store call of another request.
# TYPE tollgate_limiter_coalesced_total counter
tollgate_limiter_coalesced_total{store="redis:6379"} 6
# HELP tollgate_limiter_leases_granted_total Leases that a store granted to this instance.
# TYPE tollgate_limiter_leases_granted_total counter
tollgate_limiter_leases_granted_total{store="redis:6379"} 12
# HELP tollgate_limiter_slots_lent_total Slots in the leases that a store granted.
# TYPE tollgate_limiter_slots_lent_total counter
tollgate_limiter_slots_lent_total{store="redis:6379"} 13
# HELP tollgate_limiter_slots_returned_total Slots that were given back to a store unspent.
# TYPE tollgate_limiter_slots_returned_total counter
tollgate_limiter_slots_returned_total{store="redis:6379"} 14
# HELP tollgate_limiter_slots_died_total Slots that were neither spent nor given back in time.
# TYPE tollgate_limiter_slots_died_total counter
tollgate_limiter_slots_died_total{store="redis:6379"} 15
# HELP tollgate_limiter_hints_healed_total How often a store was told what it had forgotten.
# TYPE tollgate_limiter_hints_healed_total counter
tollgate_limiter_hints_healed_total{store="redis:6379"} 16
# HELP tollgate_limiter_keys_forgotten_total Keys of a shared store forgotten before their time, because there were too many to remember.
# TYPE tollgate_limiter_keys_forgotten_total counter
tollgate_limiter_keys_forgotten_total{store="redis:6379"} 8
# HELP tollgate_limiter_keys_known Keys of a shared store that this process remembers something of.
# TYPE tollgate_limiter_keys_known gauge
tollgate_limiter_keys_known{store="redis:6379"} 2
# HELP tollgate_limiter_leases Keys of which this instance holds slots.
# TYPE tollgate_limiter_leases gauge
tollgate_limiter_leases{store="redis:6379"} 10
# HELP tollgate_limiter_slots_held Slots that this instance holds.
# TYPE tollgate_limiter_slots_held gauge
tollgate_limiter_slots_held{store="redis:6379"} 11
# HELP tollgate_limiter_instances Instances last seen sharing a store, this one included.
# TYPE tollgate_limiter_instances gauge
tollgate_limiter_instances{store="redis:6379"} 17
# HELP tollgate_limiter_breaker_open 1 while nobody waits for a server of a store because it failed, else 0.
# TYPE tollgate_limiter_breaker_open gauge
tollgate_limiter_breaker_open{role="primary",server="10.0.0.1:6379",store="redis:6379"} 0
tollgate_limiter_breaker_open{role="sentinel",server="10.0.0.2:26379",store="redis:6379"} 1
# HELP tollgate_limiter_server_call_duration_seconds How long answered calls to a server of a store took.
# TYPE tollgate_limiter_server_call_duration_seconds histogram
tollgate_limiter_server_call_duration_seconds_bucket{server="10.0.0.1:6379",store="redis:6379",le="0.001"} 3
tollgate_limiter_server_call_duration_seconds_bucket{server="10.0.0.1:6379",store="redis:6379",le="+Inf"} 4
tollgate_limiter_server_call_duration_seconds_sum{server="10.0.0.1:6379",store="redis:6379"} 0.007
tollgate_limiter_server_call_duration_seconds_count{server="10.0.0.1:6379",store="redis:6379"} 4
"#;
    assert!(metrics.expose().ends_with(expected), "{}", metrics.expose());
}
