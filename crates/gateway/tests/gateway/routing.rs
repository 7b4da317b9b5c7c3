//! Which route takes a request, and what is told about it.

use tollgate_testkit::{Upstream, wait_until};

use crate::harness::{PATIENCE, everything_to, start};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn the_router_with_the_highest_priority_takes_the_request() {
    let (low, high) = (
        Upstream::answering("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nlow"),
        Upstream::answering("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhigh"),
    );
    let running = start(&format!(
        "http:
           routers:
             low: {{rule: 'Host(`a.test`)', service: low}}
             path: {{rule: 'Host(`a.test`) && Path(`/x`)', service: high}}
             forced: {{rule: 'PathPrefix(`/y`)', service: high, priority: 1000}}
           services:
             low: {{loadBalancer: {{servers: [{{url: '{}'}}]}}}}
             high: {{loadBalancer: {{servers: [{{url: '{}'}}]}}}}",
        low.url(),
        high.url()
    ));
    for (path, body) in [("/", "low"), ("/x", "high"), ("/x/", "low"), ("/y/z", "high"), ("/a/../x", "high")] {
        assert_eq!(running.get(path, "").await.body, body.as_bytes(), "{path}");
    }
}

#[tokio::test]
async fn what_no_router_takes_is_not_found() {
    let upstream = Upstream::answering(OK);
    let running = start(&format!(
        "http:
           routers: {{only: {{rule: 'Host(`a.test`) && Path(`/x`)', service: backend}}}}
           services: {{backend: {{loadBalancer: {{servers: [{{url: '{}'}}]}}}}}}",
        upstream.url()
    ));
    let answer = running.get("/y", "").await;
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.body, b"404 page not found\n");
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert!(upstream.requests().is_empty());
    let told = running.seen.until(|told| told.finished.len() == 1).await;
    assert_eq!((told.finished[0].status, &told.finished[0].router), (404, &None));
}

#[tokio::test]
async fn middlewares_of_all_kinds_work_together() {
    let upstream = Upstream::answering(OK);
    let running = start(&format!(
        "http:
           routers: {{api: {{rule: 'PathPrefix(`/api`)', service: backend, middlewares: [all]}}}}
           middlewares:
             all: {{chain: {{middlewares: [allow, strip, add, mark, limit]}}}}
             allow: {{ipAllowList: {{sourceRange: [127.0.0.1]}}}}
             strip: {{stripPrefix: {{prefixes: [/api]}}}}
             add: {{addPrefix: {{prefix: /v1}}}}
             mark: {{headers: {{customRequestHeaders: {{X-User: me}}, customResponseHeaders: {{X-Answer: '42'}}}}}}
             limit: {{rateLimit: {{average: 1, period: 1h, burst: 1}}}}
           services: {{backend: {{loadBalancer: {{servers: [{{url: '{}'}}]}}}}}}",
        upstream.url()
    ));
    let answer = running.get("/api/users?x=1", "X_User: root\r\n").await;
    assert_eq!((answer.status(), answer.header("x-answer")), (200, Some("42")));
    let request = upstream.request();
    assert_eq!(request.start, "GET /v1/users?x=1 HTTP/1.1");
    assert_eq!(request.header("x-user"), Some("me"));
    assert_eq!(request.header("x_user"), None);
    assert_eq!(request.header("x-forwarded-prefix"), Some("/api"));

    let refused = running.get("/api/users", "").await;
    assert_eq!((refused.status(), refused.header("x-answer")), (429, Some("42")));
    assert_eq!(running.get("/api../admin", "").await.status(), 400);
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn a_router_with_a_broken_middleware_takes_nothing() {
    let upstream = Upstream::answering(OK);
    let mut running = start(&everything_to(&upstream.url(), ""));
    assert_eq!(running.get("/", "").await.status(), 200);
    let reloaded = running.apply(&everything_to(&upstream.url(), "ghost"));
    assert!(reloaded.diagnostics.iter().any(|diagnostic| diagnostic.message.contains("ghost")));
    assert_eq!(running.get("/", "").await.status(), 404);
}

#[tokio::test]
async fn an_exchange_is_told_once_with_what_it_took() {
    let upstream = Upstream::answering(OK);
    let running = start(&everything_to(&upstream.url(), ""));
    let mut client = running.connect().await;
    client.ask("POST /x?y HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello").await;
    let told = running.seen.until(|told| !told.finished.is_empty()).await;
    let [line] = &*told.finished else { panic!("{told:?}") };
    assert_eq!((line.target.as_str(), line.status), ("/x?y", 200));
    assert_eq!((line.router.as_deref(), line.service.as_deref()), (Some("all@file"), Some("backend@file")));
    assert_eq!((line.request_bytes, line.response_bytes), (5, 2));
    assert_eq!((told.opened, told.closed), (1, 0));
    drop(client);
    running.seen.until(|told| told.closed == 1).await;
}

#[tokio::test]
async fn a_client_that_leaves_is_told_too() {
    let upstream = Upstream::start(|peer| {
        peer.request();
        peer.wait_closed();
    });
    let running = start(&everything_to(&upstream.url(), ""));
    let mut client = running.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    wait_until(|| upstream.requests().len() == 1, PATIENCE).await;
    drop(client);
    let told = running.seen.until(|told| !told.finished.is_empty()).await;
    assert_eq!(told.finished[0].status, 499);
}

#[tokio::test]
async fn a_panic_is_the_end_of_one_request_only() {
    let running = start("http: {routers: {ping: {rule: 'PathPrefix(`/`)', service: ping@internal}}}");
    let mut client = running.connect().await;
    for (path, status) in [("/", 200), ("/panic/before", 500), ("/panic/after", 500), ("/", 200)] {
        let answer = client.ask(format!("GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n")).await;
        assert_eq!(answer.status(), status, "{path}");
    }
    assert_eq!(running.seen.told().panics, 2);
}
