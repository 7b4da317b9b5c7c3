//! The JSON of Traefik's API (observed on 3.7.15), with secrets masked.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::{Value, json};
use tollgate_config::view::{MiddlewareView, RouterView, ServiceView};
use tollgate_config::{Compiled, Format, MergedConfig, QualifiedName, compile, load_dynamic_text};

fn compiled(text: &str) -> (MergedConfig, Compiled) {
    let (config, _) = load_dynamic_text(text, Format::Yaml, "f").expect("the text loads");
    let merged = support::merged(config);
    let compiled = compile(&merged, &support::context());
    (merged, compiled)
}

fn middleware(text: &str) -> String {
    let (merged, compiled) = compiled(text);
    let (name, written) = merged.middlewares.iter().next().expect("one middleware");
    let view = MiddlewareView::new(name, written, &compiled.status).expect("it was compiled");
    serde_json::to_string(&view).expect("a view is JSON")
}

#[test]
fn a_disabled_middleware_looks_as_in_traefik() {
    let shown = middleware(
        "http:\n  routers: {r-periodneg: {rule: Path(`/`), service: s, middlewares: [periodneg]}}\n  middlewares: \
         {periodneg: {rateLimit: {average: 1, period: -1s, burst: 2}}}\n",
    );
    assert_eq!(
        shown,
        r#"{"rateLimit":{"average":1,"period":"-1s","burst":2},"error":["negative value not valid for period: -1s"],"status":"disabled","usedBy":["r-periodneg@file"],"name":"periodneg@file","provider":"file","type":"ratelimit"}"#
    );
}

#[test]
fn a_redis_shows_its_defaults_and_not_its_password() {
    let shown = middleware(
        "http: {middlewares: {m: {rateLimit: {average: 1, redis: {endpoints: ['127.0.0.1:1'], password: nope}}}}}",
    );
    let expected = r#""redis":{"endpoints":["127.0.0.1:1"],"password":"xxxx","readTimeout":"3s","writeTimeout":"3s","dialTimeout":"5s"}"#;
    assert!(shown.contains(expected), "{shown}");
}

#[test]
fn own_options_show_where_they_were_written_and_nowhere_else() {
    let shown = middleware("http: {middlewares: {m: {rateLimit: {average: 1, redis: {db: 1}}}}}");
    for option in ["failurePolicy", "scope", "leases", "quotas", "strict"] {
        assert!(!shown.contains(option), "{shown}");
    }
    let shown = middleware(
        "http: {middlewares: {m: {rateLimit: {failurePolicy: local, scope: router, leases: false, quotas: [{limit: 5, \
         window: day, timeZone: Asia/Tokyo}, {limit: 1, window: hour, sliding: true}], redis: {db: 1, strict: true}}}}}",
    );
    for expected in [
        r#""failurePolicy":"local","scope":"router","leases":false"#,
        r#""quotas":[{"limit":5,"window":"day","timeZone":"Asia/Tokyo"},{"limit":1,"window":"hour","sliding":true}]"#,
        r#""strict":true"#,
    ] {
        assert!(shown.contains(expected), "{expected} is missing in {shown}");
    }
}

#[test]
fn a_router_shows_where_it_listens_and_what_its_priority_is() {
    let (merged, compiled) = compiled(
        "http:\n  routers: {r: {rule: Path(`/y`), service: s}}\n  services: {s: {loadBalancer: {servers: [{url: \
         'http://u:pw@a'}]}}}\n",
    );
    let name = QualifiedName::new("r", "file");
    let shown = RouterView::new(&name, &merged.routers[&name], &compiled.status).unwrap();
    assert_eq!(
        serde_json::to_value(&shown).unwrap(),
        json!({
            "entryPoints": ["web", "other"], "service": "s", "rule": "Path(`/y`)", "priority": 10,
            "status": "enabled", "using": ["web", "other"], "name": "r@file", "provider": "file", "priorityStr": "10",
        })
    );
    let name = QualifiedName::new("s", "file");
    let servers = BTreeMap::from([("http://xxxx@a".to_owned(), "UP")]);
    let shown = ServiceView::new(&name, &merged.services[&name], &compiled.status, servers).unwrap();
    assert_eq!(
        serde_json::to_value(&shown).unwrap(),
        json!({
            "loadBalancer": {
                "servers": [{"url": "http://xxxx@a"}], "strategy": "wrr", "passHostHeader": true,
                "responseForwarding": {"flushInterval": "100ms"},
            },
            "status": "warning", "usedBy": ["r@file"], "serverStatus": {"http://xxxx@a": "UP"},
            "error": ["user and password in the URL of a server are not sent"],
            "name": "s@file", "provider": "file", "type": "loadbalancer",
        })
    );
}

/// One canary in every field that holds a credential: none may show, neither as JSON nor as text.
#[test]
fn no_credential_shows() {
    let text = "
http:
  routers: {r: {rule: Path(`/`), service: s, middlewares: [a, b, c, d, e, f, g]}}
  services:
    s: {loadBalancer: {servers: [{url: 'http://CANARY1:CANARY2@a'}, {url: 'https://CANARY3@b'}]}}
    h: {loadBalancer: {healthCheck: {path: /, headers: {Authorization: CANARY4}}, servers: [{url: 'http://a'}]}}
  middlewares:
    a: {rateLimit: {average: 1, redis: {username: CANARY5, password: CANARY6, tls: {cert: c, key: CANARY7}}}}
    b: {plugin: {distributedRateLimit: {limit: 1, store: {redis: {username: CANARY8, password: CANARY9, endpoints: ['a:1', 'redis://:CANARY27@b:1', 'x:CANARY28@c:1'],
       tls: {cert: c, key: CANARY10}, sentinel: {masterSet: m, username: CANARY11, password: CANARY12}}}}}}
    c: {basicAuth: {users: ['CANARY13:x']}}
    d: {digestAuth: {users: 'CANARY14:x,b:CANARY15'}}
    e: {forwardAuth: {address: 'http://CANARY16:CANARY17@a', tls: {key: CANARY18}}}
    f: {headers: {customRequestHeaders: {Authorization: CANARY19, X-Api-Key: CANARY20, Cookie: CANARY21}}}
    g: {plugin: {demo: {apiToken: CANARY22, nested: {clientSecret: CANARY23}, url: 'redis://:CANARY24@a'}}}
  serversTransports:
    t: {certificates: [{certFile: a, keyFile: CANARY25}]}
tls: {certificates: [{certFile: a, keyFile: CANARY26}]}
";
    let (config, warnings) = load_dynamic_text(text, Format::Yaml, "f").unwrap();
    let mut shown = serde_json::to_string(&config).unwrap() + &format!("{warnings:?}");
    let merged = support::merged(config);
    let compiled = compile(&merged, &support::context());
    for one in &compiled.diagnostics {
        write!(shown, "{one} {}", serde_json::to_string(one).unwrap()).unwrap();
    }
    write!(shown, "{:?} {:?}", compiled.config, compiled.files).unwrap();
    let leaked: BTreeSet<&str> = shown.match_indices("CANARY").map(|(at, _)| &shown[at..at + 8]).collect();
    assert!(leaked.is_empty(), "{leaked:?} in {shown}");
    assert!(shown.contains("xxxx"));
}

#[test]
fn diagnostics_are_json_for_machines() {
    let said = load_dynamic_text("http: {routers: {r: {rul: x}}}", Format::Json, "f.json").unwrap_err();
    let shown: Value = serde_json::to_value(&said[0]).unwrap();
    assert_eq!(
        shown,
        json!({
            "severity": "error", "code": "unknown-field", "path": "http.routers.r.rul",
            "place": {"file": "f.json", "line": 1, "column": 22},
            "message": "field not found, node: rul", "hint": "did you mean \"rule\"?",
        })
    );
}
