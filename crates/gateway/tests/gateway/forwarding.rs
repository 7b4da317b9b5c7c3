//! What a backend is told about who asks, and what nobody can talk it into.

use tollgate_limiter::AddressSet;
use tollgate_testkit::{Message, Upstream};

use crate::harness::{Running, everything_to, start, start_with};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// What the backend sees of a request with these lines of header, in front of which stands `host`.
async fn seen(running: &Running, upstream: &Upstream, header: &str) -> Message {
    assert_eq!(running.get("/", header).await.status(), 200, "{header:?}");
    upstream.requests().pop().expect("the backend was asked")
}

#[tokio::test]
async fn a_stranger_cannot_say_who_he_is() {
    let upstream = Upstream::answering(OK);
    let running = start(&everything_to(&upstream.url(), ""));
    let request = seen(
        &running,
        &upstream,
        "X-Forwarded-For: 9.9.9.9\r\nX_Forwarded_For: 9.9.9.9\r\nX.Forwarded.For: 8.8.8.8\r\nX-Real-Ip: 9.9.9.9\r\n\
         X-Forwarded-Host: evil.test\r\nX-Forwarded-Prefix: /evil\r\nx_forwarded_host: evil.test\r\n",
    )
    .await;
    for (name, value) in [
        ("x-forwarded-for", Some("127.0.0.1")),
        ("x_forwarded_for", None),
        ("x.forwarded.for", None),
        ("x_forwarded_host", None),
        ("x-real-ip", Some("127.0.0.1")),
        ("x-forwarded-host", Some("a.test")),
        ("x-forwarded-prefix", None),
        ("x-forwarded-proto", Some("http")),
        ("x-forwarded-port", Some("80")),
        ("host", Some("a.test")),
    ] {
        assert_eq!(request.header(name), value, "{name}");
    }
    assert!(request.header("x-forwarded-server").is_some_and(|server| !server.is_empty()));
}

#[tokio::test]
async fn the_peer_is_added_behind_what_a_trusted_hop_says() {
    let upstream = Upstream::answering(OK);
    let config = everything_to(&upstream.url(), "");
    for (append, expected) in [(true, "1.1.1.1, 2.2.2.2, 127.0.0.1"), (false, "1.1.1.1, 2.2.2.2")] {
        let running = start_with(&config, |web| {
            web.forwarded.trusted = Some(AddressSet::parse(&["127.0.0.0/8"]).unwrap());
            web.forwarded.not_append_forwarded_for = !append;
        });
        let request = seen(&running, &upstream, "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\n").await;
        assert_eq!(request.header("x-forwarded-for"), Some(expected));
    }
}

/// R33, R46, S63, S64.
#[tokio::test]
async fn a_client_cannot_withdraw_what_is_not_his() {
    let upstream = Upstream::answering(OK);
    let config = format!(
        "{}
           middlewares: {{mark: {{headers: {{customRequestHeaders: {{X-User: me}}}}}}}}",
        everything_to(&upstream.url(), "mark")
    );
    let running = start(&config);
    for connection in
        ["close, X-Forwarded-For, Content-Length, Host", "x-real-ip, x-forwarded-host, x-user", "keep-alive, X-Api-Key"]
    {
        let request =
            seen(&running, &upstream, &format!("Connection: {connection}\r\nX-Api-Key: k\r\nX-User: root\r\n")).await;
        assert_eq!(request.header("host"), Some("a.test"), "{connection}");
        assert_eq!(request.header("x-forwarded-for"), Some("127.0.0.1"), "{connection}");
        assert_eq!(request.header("x-real-ip"), Some("127.0.0.1"), "{connection}");
        assert_eq!(request.header("x-forwarded-host"), Some("a.test"), "{connection}");
        assert_eq!(request.header("x-user"), Some("me"), "{connection}");
        assert_eq!(request.header("connection"), None, "{connection}");
        let withdrawn = connection.contains("X-Api-Key");
        assert_eq!(request.header("x-api-key"), (!withdrawn).then_some("k"), "{connection}");
    }
}

#[tokio::test]
async fn a_limit_counts_by_a_header_that_the_client_withdraws() {
    let upstream = Upstream::answering(OK);
    let config = format!(
        "{}
           middlewares:
             limit: {{rateLimit: {{average: 1, period: 1h, burst: 1, sourceCriterion: {{requestHeaderName: X-Api-Key}}}}}}",
        everything_to(&upstream.url(), "limit")
    );
    let running = start(&config);
    assert_eq!(running.get("/", "X-Api-Key: a\r\n").await.status(), 200);
    assert_eq!(running.get("/", "X-Api-Key: a\r\nConnection: X-Api-Key\r\n").await.status(), 429);
    assert_eq!(running.get("/", "X-Api-Key: b\r\n").await.status(), 200);
}

/// R24, R73: the host that routes is the host that the backend sees.
#[tokio::test]
async fn an_absolute_target_names_the_host() {
    let upstream = Upstream::answering(OK);
    let running = start(&format!(
        "http:
           routers: {{a: {{rule: 'Host(`a.test`)', service: backend}}}}
           services: {{backend: {{loadBalancer: {{servers: [{{url: '{}'}}]}}}}}}",
        upstream.url()
    ));
    let mut client = running.connect().await;
    let answer = client.ask("GET http://a.test/x?y HTTP/1.1\r\nHost: b.test\r\n\r\n").await;
    assert_eq!(answer.status(), 200);
    let request = upstream.request();
    assert_eq!((request.start.as_str(), request.header("host")), ("GET /x?y HTTP/1.1", Some("a.test")));
    assert_eq!(request.header("x-forwarded-host"), Some("a.test"));
    let answer = client.ask("GET http://b.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    assert_eq!(answer.status(), 404);
}

/// R50, R51, S66–S70: one path, for the rules and for the backend.
#[tokio::test]
async fn the_backend_sees_the_path_that_was_routed() {
    let upstream = Upstream::answering(OK);
    let running = start(&format!(
        "http:
           routers: {{public: {{rule: 'PathPrefix(`/x`)', service: backend}}}}
           services: {{backend: {{loadBalancer: {{servers: [{{url: '{}'}}]}}}}}}",
        upstream.url()
    ));
    for (path, backend) in [
        ("/x/a", Some("/x/a")),
        ("/x/%2e%2e/admin", None),
        ("/x/..%2fadmin", Some("/x/..%2Fadmin")),
        ("/x/..;/admin", Some("/x/..;/admin")),
        ("/x/..;x=1/admin", Some("/x/..;x=1/admin")),
        ("/x/%2f../admin", Some("/x/%2F../admin")),
        ("/y/../x/%61", Some("/x/a")),
        ("//x//a", Some("/x/a")),
    ] {
        let before = upstream.requests().len();
        let status = running.get(path, "").await.status();
        let seen = upstream.requests().into_iter().nth(before).map(|request| request.start);
        assert_eq!(seen, backend.map(|backend| format!("GET {backend} HTTP/1.1")), "{path}");
        assert_eq!(status, if backend.is_some() { 200 } else { 404 }, "{path}");
    }
}
