use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use http::{StatusCode, header};
use serde_json::{Value, json};
use tollgate_config::{Context, DynamicConfig, EntryPointFacts, Format, StaticConfig, compile, load_dynamic_text};
use tollgate_store::Clock;

use super::*;
use crate::testing::{ask, resources, text};

pub(super) const STATIC: &str = "
entryPoints: {web: {address: '127.0.0.1:8391'}, traefik: {address: '127.0.0.1:8390'}}
providers: {file: {filename: dyn.yml}}
api: {insecure: true}
metrics: {prometheus: {}}
accessLog: {}
";

const DYNAMIC: &str = "
http:
  middlewares:
    api-limit: {rateLimit: {average: 1, period: 10s, burst: 1, redis: {endpoints: ['127.0.0.1:6390'], password: hunter2}}}
    mem: {rateLimit: {average: 1, period: 10s, burst: 1}}
    hd: {headers: {customRequestHeaders: {X-A: b}}}
    ch: {chain: {middlewares: [mem, hd]}}
    unused: {stripPrefix: {prefixes: [/a]}}
    plug: {plugin: {distributedRateLimit: {limit: 1, period: 1m}}}
  routers:
    api: {rule: 'Host(`a.example`)', service: s, middlewares: [mem]}
    two: {rule: 'Host(`b.example`) && PathPrefix(`/x`)', service: s@file, middlewares: [ch], priority: 77}
    broken: {rule: 'Host(`c.example`)', service: nope, middlewares: [mem]}
    ep: {rule: 'Host(`e.example`)', service: s, entryPoints: [web, zz]}
  services:
    s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:9391'}, {url: 'http://user:pw@127.0.0.1:9391', weight: 2}]}}
    idle: {loadBalancer: {passHostHeader: false, servers: [{url: 'http://127.0.0.1:9392'}]}}
";

pub(super) fn state(dynamic: &str) -> State {
    let (config, _) = load_dynamic_text(dynamic, Format::Yaml, "dyn.yml").expect("a configuration");
    let merged = DynamicConfig::merge(&BTreeMap::from([("file".to_owned(), config)]));
    let entry_point = |name: &str, internal| EntryPointFacts { name: name.into(), internal, ..Default::default() };
    let context =
        Context { entry_points: vec![entry_point("web", false), entry_point("traefik", true)], ..Context::default() };
    State::new(1, &merged, &compile(&merged, &context).status)
}

fn api_below(base: &str, dynamic: &str) -> Api {
    let (config, _) = StaticConfig::load_text(STATIC, Format::Yaml, "traefik.yml").expect("a configuration");
    let facts = Facts::new(&config, "1.2.3", UNIX_EPOCH + Duration::from_secs(1_795_465_580));
    let handle = StateHandle::default();
    handle.publish(state(dynamic));
    Api::new(facts, handle, resources(Clock::system()), base)
}

fn api() -> Api {
    api_below("/", DYNAMIC)
}

fn shown(path: &str) -> Value {
    let response = ask(&api(), "GET", path);
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    serde_json::from_str(&text(response)).expect("JSON")
}

fn body(path: &str) -> String {
    text(ask(&api(), "GET", path))
}

/// The names in a list.
fn names(path: &str) -> Vec<String> {
    let rows = shown(path);
    let names = rows.as_array().expect("a list").iter().map(|row| row["name"].as_str().expect("a name").to_owned());
    names.collect()
}

/// What Traefik 3.7.15 answered for the same configuration, but for what is masked.
#[test]
fn objects_are_in_traefiks_shape() {
    let observability = json!({"accessLogs": true, "metrics": true, "tracing": true, "traceVerbosity": "minimal"});
    for (path, expected) in [
        (
            "/api/http/routers/api@file",
            json!({
                "entryPoints": ["web"], "middlewares": ["mem@file"], "service": "s", "rule": "Host(`a.example`)",
                "priority": 17, "observability": observability, "status": "enabled", "using": ["web"],
                "name": "api@file", "provider": "file", "priorityStr": "17"
            }),
        ),
        (
            "/api/http/routers/ep@file",
            json!({
                "entryPoints": ["web", "zz"], "service": "s", "rule": "Host(`e.example`)", "priority": 17,
                "observability": observability, "error": ["entryPoint \"zz\" doesn't exist"], "status": "warning",
                "using": ["web"], "name": "ep@file", "provider": "file", "priorityStr": "17"
            }),
        ),
        (
            "/api/http/middlewares/api-limit@file",
            json!({
                "rateLimit": {
                    "average": 1, "period": "10s", "burst": 1,
                    "redis": {
                        "endpoints": ["127.0.0.1:6390"], "password": "xxxx",
                        "readTimeout": "3s", "writeTimeout": "3s", "dialTimeout": "5s"
                    }
                },
                "status": "enabled", "name": "api-limit@file", "provider": "file", "type": "ratelimit"
            }),
        ),
        (
            "/api/http/middlewares/ch@file",
            json!({
                "chain": {"middlewares": ["mem@file", "hd@file"]}, "status": "enabled", "usedBy": ["two@file"],
                "name": "ch@file", "provider": "file", "type": "chain"
            }),
        ),
        (
            "/api/http/services/idle@file",
            json!({
                "loadBalancer": {
                    "servers": [{"url": "http://127.0.0.1:9392"}], "strategy": "wrr", "passHostHeader": false,
                    "responseForwarding": {"flushInterval": "100ms"}
                },
                "status": "enabled", "name": "idle@file", "provider": "file", "type": "loadbalancer"
            }),
        ),
    ] {
        assert_eq!(shown(path), expected, "{path}");
    }
    let service = shown("/api/http/services/s@file");
    assert_eq!(service["usedBy"], json!(["api@file", "ep@file", "two@file"]));
    let servers = json!({"http://127.0.0.1:9391": "UP", "http://xxxx@127.0.0.1:9391": "UP"});
    assert_eq!(service["serverStatus"], servers);
    let broken = shown("/api/http/routers/broken@file");
    assert_eq!((&broken["status"], &broken["priority"]), (&json!("disabled"), &json!(17)));
    assert_eq!(broken["error"], json!(["the service \"nope@file\" does not exist"]));
    assert_eq!(shown("/api/http/middlewares/plug@file")["type"], "distributedratelimit");
}

#[test]
fn raw_data_has_everything_by_name_and_no_empty_section() {
    let raw = shown("/api/rawdata");
    let sections: Vec<_> = raw.as_object().expect("an object").keys().collect();
    assert_eq!(sections, ["routers", "middlewares", "services"]);
    assert_eq!(raw["routers"].as_object().expect("routers").len(), 4);
    let limit = &raw["middlewares"]["mem@file"];
    assert_eq!(
        *limit,
        json!({
            "rateLimit": {"average": 1, "period": "10s", "burst": 1},
            "status": "enabled", "usedBy": ["api@file", "broken@file"]
        })
    );
    let empty = api_below("/", "");
    assert_eq!(text(ask(&empty, "GET", "/api/rawdata")), "{}\n");
}

#[test]
fn the_overview_counts() {
    let none = json!({"total": 0, "warnings": 0, "errors": 0});
    assert_eq!(
        shown("/api/overview"),
        json!({
            "http": {
                "routers": {"total": 4, "warnings": 1, "errors": 1},
                "services": {"total": 2, "warnings": 1, "errors": 0},
                "middlewares": {"total": 6, "warnings": 0, "errors": 1}
            },
            "tcp": {"routers": none, "services": none, "middlewares": none},
            "udp": {"routers": none, "services": none},
            "certificates": none,
            "features": {"tracing": "", "metrics": "Prometheus", "accessLog": true},
            "providers": ["File"]
        })
    );
}

#[test]
fn version_and_entry_points_are_facts() {
    assert_eq!(
        body("/api/version"),
        "{\"Version\":\"1.2.3\",\"Codename\":\"tollgate\",\"startDate\":\"2026-11-23T20:26:20Z\"}\n"
    );
    assert_eq!(names("/api/entrypoints"), ["traefik", "web"]);
    let web = shown("/api/entrypoints/web");
    assert_eq!((&web["name"], &web["address"]), (&json!("web"), &json!("127.0.0.1:8391")));
    assert_eq!(web["transport"]["respondingTimeouts"]["readTimeout"], "1m0s");
}

#[test]
fn what_is_not_there_is_said_as_traefik_says_it() {
    for (path, message) in [
        ("/api/http/routers/zz@file", "router not found: zz@file"),
        ("/api/http/services/q@file", "service not found: q@file"),
        ("/api/http/middlewares/zz@file", "middleware not found: zz@file"),
        ("/api/tcp/routers/aa@file", "router not found: aa@file"),
        ("/api/entrypoints/zz", "entry point not found: zz"),
    ] {
        let response = ask(&api(), "GET", path);
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/plain; charset=utf-8");
        assert_eq!(text(response), format!("{{\"message\":\"{message}\"}}\n"));
    }
    for path in ["/api/zz", "/api/http/zz", "/api", "/api/", "/api/http/routers/", "/api/http/routers/a/b", "/other"] {
        let response = ask(&api(), "GET", path);
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(body("/api/zz"), "404 page not found\n");
}

#[test]
fn a_name_may_be_encoded_in_the_path() {
    assert_eq!(shown("/api/http/routers/api%40file")["name"], "api@file");
}

#[test]
fn lists_are_filtered_and_sorted() {
    for (path, expected) in [
        ("/api/http/routers", &["api@file", "broken@file", "ep@file", "two@file"][..]),
        ("/api/http/routers?status=disabled", &["broken@file"]),
        ("/api/http/routers?status=ENABLED", &["api@file", "two@file"]),
        ("/api/http/routers?search=TWO", &["two@file"]),
        ("/api/http/routers?search=pathprefix", &["two@file"]),
        ("/api/http/routers?search=nothing", &[]),
        ("/api/http/routers?serviceName=s@file", &["api@file", "ep@file", "two@file"]),
        ("/api/http/routers?middlewareName=ch%40file", &["two@file"]),
        ("/api/http/routers?direction=desc", &["two@file", "ep@file", "broken@file", "api@file"]),
        ("/api/http/routers?sortBy=priority&direction=desc", &["two@file", "ep@file", "broken@file", "api@file"]),
        ("/api/http/routers?sortBy=entryPoints", &["api@file", "broken@file", "two@file", "ep@file"]),
        ("/api/http/routers?sortBy=status", &["broken@file", "api@file", "two@file", "ep@file"]),
        ("/api/http/services?sortBy=servers&direction=desc", &["s@file", "idle@file"]),
        ("/api/http/middlewares?search=mem&status=enabled", &["mem@file"]),
        ("/api/tcp/routers", &[]),
        ("/api/udp/services", &[]),
        ("/api/certificates", &[]),
    ] {
        assert_eq!(names(path), expected, "{path}");
    }
}

#[test]
fn lists_come_in_pages() {
    for (query, count, next) in [
        ("", 4, "1"),
        ("?per_page=3", 3, "2"),
        ("?per_page=3&page=2", 1, "1"),
        ("?per_page=4", 4, "1"),
        ("?page=&per_page=", 4, "1"),
    ] {
        let response = ask(&api(), "GET", &format!("/api/http/routers{query}"));
        assert_eq!(response.headers()["x-next-page"], next, "{query}");
        let rows: Value = serde_json::from_str(&text(response)).expect("JSON");
        assert_eq!(rows.as_array().expect("a list").len(), count, "{query}");
    }
    for (query, message) in [
        ("per_page=2&page=9", "invalid request: page: 9, per_page: 2"),
        ("per_page=x", "invalid request: per_page: 0"),
        ("page=-3", "invalid request: page: -3"),
        (
            "page=9223372036854775807&per_page=9223372036854775807",
            "invalid request: page: 9223372036854775807, per_page: 9223372036854775807",
        ),
    ] {
        let response = ask(&api(), "GET", &format!("/api/http/routers?{query}"));
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(text(response), format!("{{\"message\":\"{message}\"}}\n"));
    }
}

#[test]
fn the_api_only_reads_and_only_below_its_base() {
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
        let response = ask(&api(), method, "/api/version");
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(response.headers()[header::ALLOW], "GET, HEAD");
    }
    assert_eq!(ask(&api(), "HEAD", "/api/version").status(), StatusCode::OK);
    for base in ["/inner", "/inner/"] {
        let inner = api_below(base, DYNAMIC);
        assert_eq!(ask(&inner, "GET", "/inner/api/version").status(), StatusCode::OK);
        assert_eq!(ask(&inner, "GET", "/api/version").status(), StatusCode::NOT_FOUND);
    }
}

#[test]
fn browsers_share_nothing_with_other_sites() {
    for path in ["/api/rawdata", "/api/zz", "/api/http/routers/zz"] {
        let response = ask(&api(), "GET", path);
        let headers = response.headers();
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(headers[header::CONTENT_SECURITY_POLICY], "default-src 'none'; frame-ancestors 'none'");
        assert_eq!(headers["cross-origin-resource-policy"], "same-origin");
        assert!(!headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    }
}

#[test]
fn a_reload_is_shown_at_once() {
    let handle = StateHandle::default();
    let (config, _) = StaticConfig::load_text(STATIC, Format::Yaml, "traefik.yml").expect("a configuration");
    let api = Api::new(Facts::new(&config, "1", UNIX_EPOCH), handle.clone(), resources(Clock::system()), "/");
    let count = || {
        let rows: Value = serde_json::from_str(&text(ask(&api, "GET", "/api/http/routers"))).expect("JSON");
        rows.as_array().expect("a list").len()
    };
    assert_eq!(count(), 0);
    handle.publish(state(DYNAMIC));
    assert_eq!(count(), 4);
}

/// A secret in every place that takes one; none may be in any answer.
const SECRETS: &str = "
http:
  middlewares:
    redis: {rateLimit: {average: 1, redis: {endpoints: ['r:1'], username: CANARY-user, password: CANARY-pass}}}
    hub:
      plugin:
        distributedRateLimit:
          limit: 1
          period: 1m
          store: {redis: {endpoints: ['r:1'], username: CANARY-hub-user, password: CANARY-hub-pass, sentinel: {masterSet: m, username: CANARY-sentinel-user, password: CANARY-sentinel-pass}}}
    urls: {rateLimit: {average: 1, redis: {endpoints: ['redis://CANARY-u:CANARY-p@r:1']}}}
    basic: {basicAuth: {users: ['a:CANARY-hash']}}
    digest: {digestAuth: {users: ['a:r:CANARY-hash']}}
    forward: {forwardAuth: {address: 'http://CANARY-u:CANARY-p@auth/'}}
    headers:
      headers:
        customRequestHeaders: {Authorization: CANARY-authorization, X-Api-Key: CANARY-key, Cookie: CANARY-cookie}
        customResponseHeaders: {Set-Cookie: CANARY-set-cookie}
    other: {plugin: {anything: {password: CANARY-plugin, token: CANARY-token, nested: {secret: CANARY-nested}}}}
  routers:
    bad: {rule: 'Host(`a`)', service: servers, middlewares: [redis, hub, urls, basic, digest, forward, headers, other]}
  services:
    servers: {loadBalancer: {servers: [{url: 'http://CANARY-u:CANARY-p@127.0.0.1:1'}]}}
    health: {loadBalancer: {servers: [{url: 'http://b'}], healthCheck: {path: /, headers: {Authorization: CANARY-health}}}}
    mirror: {mirroring: {service: servers, mirrors: [{name: servers}]}}
tls:
  certificates: [{certFile: CERT, keyFile: CANARY-private-key}]
";

#[test]
fn no_answer_has_a_secret() {
    let api = api_below("/", SECRETS);
    let rows: Value = serde_json::from_str(&text(ask(&api, "GET", "/api/rawdata"))).expect("JSON");
    let mut paths: Vec<String> =
        ["version", "overview", "rawdata", "entrypoints", "http/routers", "http/services", "http/middlewares"]
            .map(|path| format!("/api/{path}"))
            .into();
    for section in ["routers", "services", "middlewares"] {
        let rows = rows[section].as_object().unwrap_or_else(|| panic!("{section}"));
        assert!(!rows.is_empty(), "{section}");
        paths.extend(rows.keys().map(|name| format!("/api/http/{section}/{name}")));
    }
    assert_eq!(paths.len(), 7 + 1 + 3 + 8);
    for path in paths {
        let shown = text(ask(&api, "GET", &path));
        assert!(!shown.contains("CANARY"), "{path}: {shown}");
    }
}

#[test]
fn a_name_is_data_wherever_it_is_shown() {
    let name = "<img src=x onerror=alert(1)>";
    let dynamic = format!("http: {{routers: {{'{name}': {{rule: 'Host(`a`)', service: s}}}}}}");
    let api = api_below("/", &dynamic);
    let response = ask(&api, "GET", "/api/http/routers");
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    let rows: Value = serde_json::from_str(&text(response)).expect("JSON");
    assert_eq!(rows[0]["name"], format!("{name}@file"));
    let response = ask(&api, "GET", "/api/http/routers/%3Cscript%3E");
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/plain; charset=utf-8");
}
