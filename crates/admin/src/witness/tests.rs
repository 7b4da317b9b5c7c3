use std::time::{Duration, UNIX_EPOCH};

use tollgate_config::{Context, DynamicConfig, EntryPointFacts, Format, compile, load_dynamic_text};
use tollgate_pipeline::Exchange;
use tollgate_telemetry::Head;
use tollgate_telemetry::{access_log, metrics};

use super::*;
use crate::testing::exchange;

const DYNAMIC: &str = "
http:
  routers:
    api: {rule: 'Host(`a`)', service: s}
    broken: {rule: 'Host(`b`)', service: nope}
  services:
    s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:1'}]}}
    unused: {loadBalancer: {servers: [{url: 'http://127.0.0.1:2'}]}}
";

fn reloaded(generation: u64, dynamic: &str) -> Reloaded {
    let (config, _) = load_dynamic_text(dynamic, Format::Yaml, "dyn.yml").expect("a configuration");
    let merged = DynamicConfig::merge(&BTreeMap::from([("file".to_owned(), config)]));
    let web = EntryPointFacts { name: "web".into(), ..EntryPointFacts::default() };
    let compiled = compile(&merged, &Context { entry_points: vec![web], ..Context::default() });
    Reloaded {
        generation,
        at: UNIX_EPOCH + Duration::from_secs(7),
        took: Duration::ZERO,
        config: Arc::new(merged),
        status: compiled.status,
        diagnostics: compiled.diagnostics,
    }
}

fn observe(witness: &Witness, router: &str, observed: Observed) {
    let exchange = Exchange {
        entry_point: "web".into(),
        router: Some(router.into()),
        service: Some("s@file".into()),
        ..exchange()
    };
    let finished = Finished {
        exchange: &exchange,
        head: &Head::default(),
        status: http::StatusCode::OK,
        response: &[],
        origin: &[],
        grpc_status: None,
        response_bytes: 1,
        duration: Duration::from_millis(1),
    };
    witness.finished(&finished, observed);
}

fn metrics() -> Arc<Metrics> {
    Arc::new(Metrics::new(metrics::Settings { add_routers_labels: true, ..metrics::Settings::default() }))
}

#[test]
fn a_reload_is_counted_and_shown() {
    let (metrics, state) = (metrics(), StateHandle::default());
    let witness = Witness::new(Some(Arc::clone(&metrics)), None, state.clone(), vec!["web".into()]);
    witness.reloaded(&reloaded(3, DYNAMIC));
    assert_eq!(state.current().generation, 3);
    for router in ["api@file", "broken@file", "unknown@file"] {
        observe(&witness, router, Observed::FULLY);
    }
    let text = metrics.expose();
    for line in [
        "tollgate_config_generation 3",
        "tollgate_config_diagnostics{severity=\"error\"} 1",
        "traefik_config_last_reload_success 7",
        "traefik_entrypoint_requests_total{code=\"200\",entrypoint=\"web\",method=\"GET\",protocol=\"http\"} 3",
        "traefik_router_requests_total{code=\"200\",method=\"GET\",protocol=\"http\",router=\"api@file\",service=\"s@file\"} 1",
        "traefik_service_requests_total{code=\"200\",method=\"GET\",protocol=\"http\",service=\"s@file\"} 3",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
    assert_eq!(text.matches("traefik_router_requests_total{").count(), 1);

    witness.reloaded(&reloaded(4, ""));
    assert!(!metrics.expose().contains("s@file"));
}

#[test]
fn a_router_may_choose_who_observes_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("access.log");
    let settings = access_log::Settings { file: Some(path.clone()), ..access_log::Settings::default() };
    let access_log = Arc::new(AccessLog::start(settings).expect("an access log"));
    let metrics = metrics();
    let witness = Witness::new(
        Some(Arc::clone(&metrics)),
        Some(Arc::clone(&access_log)),
        StateHandle::default(),
        vec!["web".into()],
    );
    observe(&witness, "counted@file", Observed { access_log: false, metrics: true });
    observe(&witness, "logged@file", Observed { access_log: true, metrics: false });
    access_log.close(Duration::from_secs(20));
    let log = std::fs::read_to_string(path).expect("the log");
    assert!(log.contains("\"logged@file\"") && !log.contains("\"counted@file\""), "{log}");
    let counted =
        "traefik_entrypoint_requests_total{code=\"200\",entrypoint=\"web\",method=\"GET\",protocol=\"http\"} 1";
    assert!(metrics.expose().lines().any(|line| line == counted));
}

#[test]
fn connections_violations_and_panics_are_counted() {
    let metrics = metrics();
    let witness = Witness::new(Some(Arc::clone(&metrics)), None, StateHandle::default(), Vec::new());
    let web: Arc<str> = "web".into();
    witness.connection_opened(&web);
    witness.connection_opened(&web);
    witness.connection_closed(&web);
    witness.connection_shed(&web);
    witness.violation(&web, Violation::BareLineFeed);
    witness.panicked(&web);
    let text = metrics.expose();
    for line in [
        "traefik_open_connections{entrypoint=\"web\",protocol=\"TCP\"} 1",
        "tollgate_connections_shed_total{entrypoint=\"web\"} 1",
        "tollgate_http_violations_total{kind=\"bare line feed\"} 1",
        "tollgate_panics_total 1",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
}

#[test]
fn stores_of_one_name_are_counted_together() {
    let calls = Durations { buckets: vec![(0.1, 6)], count: 7, sum: 0.5 };
    let server = |server: &str| ServerFacts {
        server: server.into(),
        role: "primary",
        available: true,
        durations: calls.clone(),
    };
    let one = StoreFacts {
        store: "redis:6379".into(),
        buckets: 1,
        keys_known: 2,
        keys_forgotten: 3,
        leases: 4,
        slots_held: 5,
        leases_granted: 6,
        slots_lent: 7,
        slots_returned: 8,
        slots_died: 9,
        hints_healed: 10,
        instances: 3,
        calls: 11,
        keys: 12,
        coalesced: 13,
        errors: vec![("timeout", 5)],
        durations: calls.clone(),
        available: true,
        servers: vec![server("a:1"), server("b:1")],
    };
    let other = StoreFacts {
        available: false,
        servers: vec![ServerFacts { available: false, ..server("b:1") }, server("c:1")],
        ..one.clone()
    };
    let mut sum = one;
    add(&mut sum, other);
    let StoreFacts { buckets, keys_known, keys_forgotten, leases, slots_held, .. } = sum;
    assert_eq!([buckets, keys_known, keys_forgotten, leases, slots_held], [2, 4, 6, 8, 10]);
    let StoreFacts { leases_granted, slots_lent, slots_returned, slots_died, hints_healed, .. } = sum;
    assert_eq!([leases_granted, slots_lent, slots_returned, slots_died, hints_healed], [12, 14, 16, 18, 20]);
    assert_eq!([sum.calls, sum.keys, sum.coalesced, sum.instances.into()], [22, 24, 26, 3]);
    assert_eq!((sum.errors, sum.durations.buckets, sum.durations.count), (vec![("timeout", 10)], vec![(0.1, 12)], 14));
    assert!(sum.durations.sum > 0.9 && !sum.available);
    let servers: Vec<_> =
        sum.servers.iter().map(|server| (&server.server[..], server.available, server.durations.count)).collect();
    assert_eq!(servers, [("a:1", true, 7), ("b:1", false, 14), ("c:1", true, 7)]);
}
