use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use futures_util::FutureExt as _;
use http::{StatusCode, header};
use serde_json::{Value, json};
use tollgate_config::{Format, StaticConfig};
use tollgate_gateway::Resources;
use tollgate_limiter::window::{Unit, WindowQuota};
use tollgate_limiter::{Criterion, FailurePolicy, KeyBytes, Limit, Quota, Source};
use tollgate_pipeline::{Body, Exchange, Handler as _, Response};
use tollgate_store::{BoundLimit, Clock, FakeClock};

use crate::api::Api;
use crate::api::tests::{STATIC, state};
use crate::state::{Facts, StateHandle};
use crate::testing::{exchange, resources, text};

const DYNAMIC: &str = "
http:
  middlewares:
    by-address:
      rateLimit: {average: 6, period: 1m, burst: 3, sourceCriterion: {ipStrategy: {ipv6Subnet: 64}}}
    by-host:
      plugin:
        distributedRateLimit:
          {limit: 1, period: 10s, sourceCriterion: {requestHost: true}, store: {redis: {endpoints: ['r:1']}}}
    by-key: {rateLimit: {average: 6, period: 1m, burst: 3, sourceCriterion: {requestHeaderName: X-Api-Key}}}
    inner: {chain: {middlewares: [by-address]}}
    outer: {chain: {middlewares: [inner]}}
  routers:
    direct: {rule: 'Host(`a`)', service: s, middlewares: [by-address, by-host, by-key]}
    chained: {rule: 'Host(`b`)', service: s, middlewares: [outer]}
    with/slash: {rule: 'Host(`c`)', service: s, middlewares: [by-host]}
    broken: {rule: 'Host(`d`)', service: nope, middlewares: [by-address]}
  services:
    s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:1'}]}}
";

/// An API with limits in force.
struct Bench {
    api: Api,
    clock: FakeClock,
    limits: Vec<Arc<BoundLimit>>,
}

impl Bench {
    fn new() -> Self {
        Self::with(STATIC)
    }

    fn with(written: &str) -> Self {
        let clock = FakeClock::default();
        let resources = resources(Clock::fake(&clock));
        let address = Criterion::RemoteAddress { ipv6_subnet: Some(64) };
        let limits = [
            ("by-address@file", address),
            ("by-host@file/with/slash@file", Criterion::Host),
            ("by-key@file", Criterion::Header("x-api-key".into())),
        ];
        let limits = limits.map(|(id, criterion)| bind(&resources, id, criterion)).into();
        let (config, _) = StaticConfig::load_text(written, Format::Yaml, "traefik.yml").expect("a configuration");
        let handle = StateHandle::default();
        handle.publish(state(DYNAMIC));
        Self { api: Api::new(Facts::new(&config, "1", UNIX_EPOCH), handle, resources, "/"), clock, limits }
    }

    /// Asks for a path, with fields in the head.
    fn ask(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> Response {
        self.ask_in(method, path, fields, &mut exchange())
    }

    fn ask_in(&self, method: &str, path: &str, fields: &[(&str, &str)], exchange: &mut Exchange) -> Response {
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).expect("a request");
        self.api.handle(request, exchange).now_or_never().expect("memory does not wait")
    }

    fn shown(&self, method: &str, path: &str) -> Value {
        let response = self.ask(method, path, &[]);
        let status = response.status();
        let text = text(response);
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        serde_json::from_str(&text).expect("JSON")
    }

    fn names(&self, path: &str) -> Vec<String> {
        let rows = self.shown("GET", path);
        let names = rows.as_array().expect("a list").iter().map(|row| row["name"].as_str().expect("a name").to_owned());
        names.collect()
    }

    /// A request of a client.
    fn spend(&self, limit: usize, source: Source<'_>) {
        let decided = self.limits[limit].decide(&KeyBytes::from(source)).now_or_never();
        decided.expect("memory does not wait");
    }
}

fn bind(resources: &Resources, id: &str, criterion: Criterion) -> Arc<BoundLimit> {
    resources.stores.bind(limit(id, criterion), resources.stores.memory())
}

fn limit(id: &str, criterion: Criterion) -> Limit {
    Limit {
        id: id.into(),
        quota: Some(Quota::new(6, Duration::from_mins(1), 3).expect("a quota")),
        windows: Vec::new(),
        criterion,
        max_delay: Duration::ZERO,
        leases: true,
        failure_policy: FailurePolicy::Deny,
    }
}

fn client() -> Source<'static> {
    Source::Address([1, 2, 3, 4].into())
}

#[test]
fn a_limit_is_told_whole() {
    let bench = Bench::new();
    for _ in 0..5 {
        bench.spend(0, client());
    }
    assert_eq!(
        bench.shown("GET", "/api/limits/by-address@file"),
        json!({
            "name": "by-address@file", "middleware": "by-address@file", "provider": "file", "type": "ratelimit",
            "status": "enabled", "usedBy": ["chained@file", "direct@file"], "scope": "middleware",
            "limit": 6, "period": "1m0s", "burst": 3, "quotas": [], "maxDelay": "0s",
            "criterion": {"key": "address", "ipStrategy": {"ipv6Subnet": 64}},
            "store": {"name": "memory", "kind": "memory", "state": "available", "available": true},
            "decisions": {"allow": {"memory": 3}, "delay": {}, "deny": {"memory": 2}}, "overflowed": 0
        })
    );
    let key = bench.shown("GET", "/api/limits/by-key@file");
    assert_eq!(key["criterion"], json!({"key": "header", "requestHeaderName": "X-Api-Key"}));
}

#[test]
fn a_limit_of_one_router_is_found_however_its_name_is_written() {
    let bench = Bench::new();
    for path in
        ["by-host@file/with/slash@file", "by-host%40file%2Fwith%2fslash%40file", "by-host@file%2Fwith/slash@file"]
    {
        let row = bench.shown("GET", &format!("/api/limits/{path}"));
        assert_eq!((&row["middleware"], &row["scope"]), (&json!("by-host@file"), &json!("router")), "{path}");
        assert_eq!((&row["usedBy"], &row["type"]), (&json!(["with/slash@file"]), &json!("distributedratelimit")));
        assert_eq!(row["criterion"], json!({"key": "host", "requestHost": true}));
        let key = bench.shown("GET", &format!("/api/limits/{path}/key?host=A.test:80"));
        assert_eq!((&key["limit"], &key["key"]), (&row["name"], &json!("a.test")), "{path}");
    }
}

#[test]
fn an_entry_point_may_bring_a_limit_to_its_routers() {
    let bench = Bench::with(&STATIC.replace("'127.0.0.1:8391'", "':1', http: {middlewares: [by-address@file]}"));
    let row = bench.shown("GET", "/api/limits/by-address@file");
    assert_eq!(row["usedBy"], json!(["chained@file", "direct@file", "with/slash@file"]));
}

#[test]
fn limits_are_listed_as_everything_is() {
    let bench = Bench::new();
    let all = ["by-address@file", "by-host@file/with/slash@file", "by-key@file"];
    for (query, names) in [
        ("", &all[..]),
        ("?search=KEY", &all[2..]),
        ("?status=warning", &[]),
        ("?sortBy=type&direction=desc", &[all[2], all[0], all[1]]),
        ("?per_page=2&page=2", &all[2..]),
    ] {
        assert_eq!(bench.names(&format!("/api/limits{query}")), names, "{query}");
    }
    let page = bench.ask("GET", "/api/limits?per_page=2", &[]);
    assert_eq!((page.status(), &page.headers()["x-next-page"]), (StatusCode::OK, &"2".parse().expect("a value")));
    assert_eq!(bench.ask("GET", "/api/limits?page=9", &[]).status(), StatusCode::BAD_REQUEST);
}

#[test]
fn looking_at_a_bucket_costs_nothing() {
    let bench = Bench::new();
    bench.spend(0, client());
    for _ in 0..10 {
        assert_eq!(
            bench.shown("GET", "/api/limits/by-address@file/key?address=1.2.3.4"),
            json!({
                "limit": "by-address@file", "key": "1.2.3.4",
                "remaining": 2, "retryAfter": 0.0, "resetAfter": 10.0, "heldHere": 0, "quotas": []
            })
        );
    }
    bench.spend(0, client());
    bench.spend(0, client());
    bench.clock.advance(Duration::from_millis(2_500));
    let empty = bench.shown("GET", "/api/limits/by-address@file/key?address=1.2.3.4");
    assert_eq!(
        (&empty["remaining"], &empty["retryAfter"], &empty["resetAfter"]),
        (&json!(0), &json!(7.5), &json!(27.5))
    );
    let stranger = bench.shown("GET", "/api/limits/by-address@file/key?address=1.2.3.5");
    assert_eq!((&stranger["remaining"], &stranger["resetAfter"]), (&json!(3), &json!(0.0)));
}

#[test]
fn quotas_are_shown_beside_the_bucket_and_stay_as_they_are() {
    let mut bench = Bench::new();
    let day = WindowQuota::calendar(4, Unit::Day, "Europe/Berlin").expect("a quota");
    let any_hour = WindowQuota::sliding(2, Duration::from_hours(1)).expect("a quota");
    let windows = vec![("day".into(), day), ("1h".into(), any_hour)];
    let stores = &bench.api.resources.stores;
    let both = Limit { windows: windows.clone(), ..limit("both@file", Criterion::Host) };
    let only = Limit { windows, quota: None, ..limit("only@file", Criterion::Host) };
    bench.limits = [both, only].map(|limit| stores.bind(limit, stores.memory())).into();
    for number in [0, 0, 0, 1] {
        bench.spend(number, Source::Host("a"));
    }
    let day = json!({"name": "day", "limit": 4, "window": "day", "timeZone": "Europe/Berlin"});
    let hour = json!({"name": "1h", "limit": 2, "window": "1h0m0s", "sliding": true});
    let only = bench.shown("GET", "/api/limits/only@file");
    assert_eq!((&only["quotas"], only.get("burst")), (&json!([day, hour]), None));

    for (method, act) in [("GET", ""), ("POST", "/reset"), ("POST", "/grant")] {
        let more = if act == "/grant" { "&requests=1" } else { "" };
        let state = bench.shown(method, &format!("/api/limits/both@file/key{act}?host=a{more}"));
        let left: Vec<_> = state["quotas"]
            .as_array()
            .expect("quotas")
            .iter()
            .map(|quota| (&quota["name"], &quota["remaining"]))
            .collect();
        assert_eq!(left, [(&json!("day"), &json!(2)), (&json!("1h"), &json!(0))], "{state}");
        assert_eq!(state["remaining"], if act.is_empty() { 1 } else { 3 }, "{state}");
    }
    let state = bench.shown("GET", "/api/limits/only@file/key?host=a");
    assert_eq!((state.get("remaining"), &state["quotas"][0]["remaining"]), (None, &json!(3)));
    assert_eq!(state["quotas"][1]["window"], "1h0m0s");
    let refused = bench.ask("POST", "/api/limits/only@file/key/reset?host=a", &[]);
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
}

#[test]
fn a_bucket_is_given_what_was_asked_for() {
    let bench = Bench::new();
    for _ in 0..3 {
        bench.spend(0, client());
    }
    let granted = bench.shown("POST", "/api/limits/by-address@file/key/grant?address=1.2.3.4&requests=2");
    assert_eq!(granted["remaining"], 2);
    bench.spend(0, client());
    let full = bench.shown("POST", "/api/limits/by-address@file/key/grant?address=1.2.3.4&requests=1000000");
    assert_eq!(full["remaining"], 3, "not more than it holds");
    bench.spend(0, client());
    let reset = bench.shown("POST", "/api/limits/by-address@file/key/reset?address=1.2.3.4");
    assert_eq!((&reset["remaining"], &reset["resetAfter"]), (&json!(3), &json!(0.0)));
}

#[test]
fn a_credential_is_hashed_in_the_answer_and_hidden_from_the_access_log() {
    let bench = Bench::new();
    for (method, act, status) in [("GET", "", 200), ("POST", "/reset", 200), ("PUT", "", 405), ("POST", "/grant", 400)]
    {
        let path = format!("/api/limits/by-key@file/key{act}?header=canary");
        let mut exchange = Exchange { target: path.parse().expect("a target"), ..exchange() };
        let response = bench.ask_in(method, &path, &[], &mut exchange);
        assert_eq!(response.status(), status, "{method} {act}");
        let text = text(response);
        assert!(!text.contains("canary") && (status != 200 || text.contains("\"key\":\"#")), "{text}");
        assert_eq!(exchange.target, *format!("/api/limits/by-key@file/key{act}?xxxx"), "{method} {act}");
    }
}

#[test]
fn what_cannot_be_done_is_explained() {
    let bench = Bench::new();
    for (method, path, status, message) in [
        ("GET", "zz@file", 404, "limit not found: zz@file"),
        ("GET", "zz@file/key?address=1.2.3.4", 404, "limit not found: zz@file"),
        ("GET", "", 404, "limit not found: "),
        ("GET", "by-address@file/key", 400, "invalid request: this limit counts by address: ask with address=…"),
        (
            "GET",
            "by-key@file/key?host=a",
            400,
            "invalid request: this limit counts by the header x-api-key: ask with header=…, not host=…",
        ),
        ("POST", "by-address@file/key/grant?address=1.2.3.4", 400, "invalid request: say how many: requests=…"),
    ] {
        let response = bench.ask(method, &format!("/api/limits/{path}"), &[]);
        assert_eq!(response.status(), status, "{path}");
        let body: Value = serde_json::from_str(&text(response)).expect("JSON");
        assert_eq!(body, json!({ "message": message }), "{path}");
    }
    for (method, path, allowed) in [
        ("POST", "/api/limits", "GET, HEAD"),
        ("DELETE", "/api/limits/by-address@file", "GET, HEAD"),
        ("POST", "/api/limits/by-address@file/key?address=1.2.3.4", "GET, HEAD"),
        ("GET", "/api/limits/by-address@file/key/reset?address=1.2.3.4", "POST"),
        ("OPTIONS", "/api/limits/by-address@file/key/grant", "POST"),
    ] {
        let response = bench.ask(method, path, &[]);
        assert_eq!(
            (response.status(), &response.headers()[header::ALLOW]),
            (StatusCode::METHOD_NOT_ALLOWED, &allowed.parse().expect("a value"))
        );
    }
}

#[test]
fn nothing_changes_at_the_word_of_another_site() {
    let bench = Bench::new();
    bench.spend(0, client());
    for act in ["reset?address=1.2.3.4", "grant?address=1.2.3.4&requests=1"] {
        for field in [("sec-fetch-site", "cross-site"), ("origin", "http://evil.example")] {
            let response = bench.ask("POST", &format!("/api/limits/by-address@file/key/{act}"), &[field]);
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{field:?}");
        }
    }
    assert_eq!(bench.shown("GET", "/api/limits/by-address@file/key?address=1.2.3.4")["remaining"], 2);
}
