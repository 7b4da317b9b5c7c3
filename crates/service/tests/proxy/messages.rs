//! What a backend sees of a request, and a client of its answer.

use http::{Request, StatusCode, Version};
use tollgate_pipeline::{Body, ForwardedFor, Handler as _, Protocol};
use tollgate_service::{Backends, HostHeader};
use tollgate_testkit::Upstream;

use crate::front::{Front, Setup, exchange};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn a_request_arrives_as_it_was_sent() {
    let upstream = Upstream::answering(OK);
    let front = Front::before(&upstream).await;
    let answer = front.ask("GET /a%20b/?x=1&x=2 HTTP/1.1\r\nhost: A.test:81\r\nx-mine: 1\r\nx-mine: 2\r\n\r\n").await;
    assert_eq!(answer.text(), "ok");
    let raw = String::from_utf8(upstream.raw().remove(0)).unwrap();
    let mut lines: Vec<&str> = raw.trim_end().split("\r\n").collect();
    assert_eq!(lines.remove(0), "GET /a%20b/?x=1&x=2 HTTP/1.1");
    lines.sort_unstable();
    assert_eq!(lines, ["Host: A.test:81", "X-Forwarded-For: 127.0.0.1", "X-Mine: 1", "X-Mine: 2"]);
}

#[tokio::test]
async fn what_concerns_the_connection_stays_behind() {
    let upstream = Upstream::answering(OK);
    let front = Front::before(&upstream).await;
    front
        .ask(
            "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: X-Mine, X-Forwarded-For, Host\r\nX-Mine: 1\r\n\
             X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\nKeep-Alive: timeout=9\r\nTE: trailers\r\n\
             Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic x\r\nUpgrade: h2c\r\n\
             HTTP2-Settings: AAMAAABkAAQAAP__\r\nX-Kept: yes\r\n\r\n",
        )
        .await;
    let mut headers = upstream.request().headers;
    headers.sort_unstable();
    let expected =
        [("Host", "a.test"), ("Te", "trailers"), ("X-Forwarded-For", "1.1.1.1, 2.2.2.2, 127.0.0.1"), ("X-Kept", "yes")];
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn the_peer_is_not_appended_where_the_entry_point_says_so() {
    let upstream = Upstream::answering(OK);
    let front = Setup { forwarded_for: ForwardedFor::Keep, ..Setup::default() }.before(&upstream).await;
    front.ask("GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n").await;
    assert_eq!(upstream.request().header("x-forwarded-for"), Some("1.1.1.1"));
}

#[tokio::test]
async fn the_backends_own_host_is_sent_when_the_clients_is_not_passed() {
    let upstream = Upstream::answering(OK);
    let front = Setup { host: HostHeader::Backend, ..Setup::default() }.before(&upstream).await;
    front.get("/").await;
    assert_eq!(upstream.request().header("host"), Some(upstream.address().to_string().as_str()));
}

#[tokio::test]
async fn a_client_without_host_gets_the_backends() {
    let upstream = Upstream::answering(OK);
    let front = Front::before(&upstream).await;
    front.ask("GET / HTTP/1.0\r\n\r\n").await;
    let request = upstream.request();
    assert_eq!(request.start, "GET / HTTP/1.1");
    assert_eq!(request.header("host"), Some(upstream.address().to_string().as_str()));
}

#[tokio::test]
async fn the_backends_path_counts_only_when_preserved() {
    for (preserve_path, path, target, expected) in [
        (false, "/base", "/x?q", "/x?q"),
        (true, "/base", "/x?q", "/base/x?q"),
        (true, "/base/", "/x//y", "/base/x//y"),
        (true, "/base", "/", "/base/"),
        (true, "", "/x", "/x"),
        (true, "/base?ignored=1", "/x", "/base/x"),
    ] {
        let upstream = Upstream::answering(OK);
        let front = Setup { preserve_path, path, ..Setup::default() }.before(&upstream).await;
        front.get(target).await;
        assert_eq!(upstream.request().target(), expected, "{path} {target}");
    }
}

#[tokio::test]
async fn targets_go_out_in_origin_form_with_one_separator() {
    for (target, expected) in [
        ("/x?a=1;b=2&c", "/x?a=1&b=2&c"),
        ("/x;a=1?b", "/x;a=1?b"),
        ("http://a.test/x?y", "/x?y"),
        ("http://a.test", "/"),
        ("http://a.test?y;z", "/?y&z"),
    ] {
        let upstream = Upstream::answering(OK);
        let front = Front::before(&upstream).await;
        front.get(target).await;
        assert_eq!(upstream.request().target(), expected, "{target}");
    }
    let upstream = Upstream::answering(OK);
    let front = Front::before(&upstream).await;
    front.ask("OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    assert_eq!(upstream.request().start, "OPTIONS * HTTP/1.1");
}

#[tokio::test]
async fn an_answer_passes_but_for_what_concerns_its_connection() {
    let upstream = Upstream::answering(
        "HTTP/1.1 418 Short And Stout\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\
         Proxy-Authenticate: Basic\r\nUpgrade: h2c\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\
         Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: x\r\nContent-Length: 3\r\n\r\ntea",
    );
    let front = Front::before(&upstream).await;
    let answer = front.get("/").await;
    assert_eq!((answer.status(), answer.text().as_str()), (418, "tea"));
    assert_eq!(answer.all("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(answer.header("date"), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
    assert_eq!(answer.header("server"), Some("x"));
    for gone in ["connection", "x-hop", "keep-alive", "proxy-authenticate", "upgrade"] {
        assert_eq!(answer.header(gone), None, "{gone}");
    }
}

#[tokio::test]
async fn the_answer_to_head_keeps_its_length() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n");
    let front = Front::before(&upstream).await;
    let mut client = front.connect().await;
    for _ in 0..2 {
        client.send("HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
        let answer = client.answer_to_head().await;
        assert_eq!((answer.status(), answer.header("content-length")), (200, Some("5000")));
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn no_content_has_no_length() {
    let upstream = Upstream::answering("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n");
    let front = Front::before(&upstream).await;
    let answer = front.get("/").await;
    assert_eq!((answer.status(), answer.header("content-length")), (204, None));
}

#[tokio::test]
async fn the_exchange_records_what_happened() {
    let upstream = Upstream::answering("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    let front = Front::before(&upstream).await;
    front.get("/").await;
    let exchanges = front.exchanges();
    let record = exchanges[0].upstream.as_ref().unwrap();
    assert_eq!(exchanges[0].service.as_deref(), Some("service@file"));
    assert_eq!(&*record.url, upstream.url());
    assert_eq!(&*record.address, upstream.address().to_string());
    assert_eq!((record.status, record.retries), (Some(StatusCode::NOT_FOUND), 0));
}

#[tokio::test]
async fn requests_are_shared_among_servers() {
    let upstreams = [Upstream::answering(OK), Upstream::answering(OK), Upstream::answering(OK)];
    let urls = upstreams.each_ref().map(Upstream::url);
    let front = Setup::default().before_urls(&urls).await;
    for _ in 0..6 {
        front.get("/").await;
    }
    assert_eq!(upstreams.each_ref().map(|upstream| upstream.requests().len()), [2, 2, 2]);
}

#[tokio::test]
async fn a_request_of_http2_arrives_as_one_of_http1() {
    let upstream = Upstream::answering(OK);
    let balancer = Setup::default().build(&[upstream.url()], &Backends::new());
    let request = Request::get("http://h2.test/x")
        .version(Version::HTTP_2)
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .body(Body::empty())
        .unwrap();
    let peer = "[2001:db8::1]:5".parse().unwrap();
    let mut exchange = exchange(&request, peer, peer, ForwardedFor::Append);
    (exchange.protocol, exchange.authority) = (Protocol::Http2, "h2.test".into());
    assert_eq!(balancer.handle(request, &mut exchange).await.status(), StatusCode::OK);
    let mut received = upstream.request();
    received.headers.sort_unstable();
    assert_eq!(received.start, "GET /x HTTP/1.1");
    let expected = [("Cookie", "a=1; b=2"), ("Host", "h2.test"), ("X-Forwarded-For", "2001:db8::1")];
    assert_eq!(received.headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}
