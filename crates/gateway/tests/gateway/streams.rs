//! Bodies that take their time, protocols that change, clients of all ages.

use tollgate_testkit::{Gate, Upstream, wait_until};

use crate::harness::{PATIENCE, everything_to, start, start_with};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn bodies_pass_while_they_are_written() {
    let upstream = Upstream::start(|peer| {
        peer.head();
        assert_eq!(peer.body(10), b"5\r\nhello\r\n");
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
        assert_eq!(peer.body(15), b"5\r\nworld\r\n0\r\n\r\n");
        peer.send("3\r\ntwo\r\n0\r\n\r\n");
    });
    let running = start(&everything_to(&upstream.url(), ""));
    let mut client = running.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n").await;
    let begun = read_until(&mut client, "one\r\n").await;
    assert!(begun.starts_with("HTTP/1.1 200 OK\r\n"), "{begun}");
    client.send("5\r\nworld\r\n0\r\n\r\n").await;
    read_until(&mut client, "3\r\ntwo\r\n0\r\n\r\n").await;
    let told = running.seen.until(|told| !told.finished.is_empty()).await;
    assert_eq!((told.finished[0].request_bytes, told.finished[0].response_bytes), (10, 6));
}

async fn read_until(client: &mut tollgate_testkit::RawClient, end: &str) -> String {
    let mut read = String::new();
    while !read.ends_with(end) {
        read.push(char::from(client.bytes(1).await[0]));
    }
    read
}

#[tokio::test]
async fn trailers_pass_both_ways_but_for_those_that_must_not() {
    let upstream = Upstream::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, Content-Length\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 2\r\nContent-Length: 50\r\n\r\n",
    );
    let running = start(&everything_to(&upstream.url(), ""));
    let mut client = running.connect().await;
    let answer = client
        .ask(
            "POST / HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\nTrailer: X-Mine, Host, X-Real-Ip\r\n\r\n\
             2\r\nhi\r\n0\r\nX-Mine: 1\r\nHost: evil.test\r\nX-Real-Ip: 9.9.9.9\r\nAuthorization: Basic x\r\n\r\n",
        )
        .await;
    assert_eq!(answer.trailers, [("X-Sum".to_owned(), "2".to_owned())]);
    let request = upstream.request();
    assert_eq!(request.trailers, [("X-Mine".to_owned(), "1".to_owned())]);
    assert_eq!(request.body, b"hi");
}

#[tokio::test]
async fn a_websocket_is_joined_end_to_end() {
    let upstream = Upstream::start(|peer| {
        let request = peer.head().unwrap();
        assert_eq!(request.header("connection"), Some("Upgrade"));
        assert_eq!(request.header("upgrade"), Some("websocket"));
        assert_eq!(request.header("x-forwarded-proto"), Some("ws"));
        // The first bytes of the new protocol come right behind the head.
        peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello");
        assert_eq!(peer.body(4), b"ping");
        peer.send("pong");
        peer.wait_closed();
    });
    let running = start(&everything_to(&upstream.url(), ""));
    let mut client = running.connect().await;
    client
        .send("GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n")
        .await;
    let answer = client.answer().await;
    assert_eq!(answer.status(), 101);
    assert_eq!((answer.header("connection"), answer.header("upgrade")), (Some("Upgrade"), Some("websocket")));
    assert_eq!(client.bytes(5).await, b"hello");
    client.send("ping").await;
    assert_eq!(client.bytes(4).await, b"pong");
    client.finish().await;
    assert_eq!(client.closed().await, b"");
    let told = running.seen.until(|told| !told.finished.is_empty()).await;
    assert_eq!((told.finished[0].status, told.finished[0].request_bytes, told.finished[0].response_bytes), (101, 4, 9));
    // The record is told of before its connection is gone.
    wait_until(|| running.gateway.open_connections() == 0, PATIENCE).await;
}

#[tokio::test]
async fn an_unasked_change_of_protocol_is_an_error() {
    let upstream =
        Upstream::answering("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    let running = start(&everything_to(&upstream.url(), ""));
    assert_eq!(running.get("/", "").await.status(), 502);
}

#[tokio::test]
async fn old_clients_are_understood() {
    let upstream = Upstream::answering(OK);
    let running = start(&everything_to(&upstream.url(), ""));
    let mut client = running.connect().await;
    let answer = client.ask("GET /old HTTP/1.0\r\n\r\n").await;
    assert_eq!((answer.status(), &answer.body[..]), (200, &b"ok"[..]));
    assert_eq!(client.closed().await, b"");

    let mut client = running.connect().await;
    for _ in 0..2 {
        let answer = client.ask("GET /old HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n").await;
        assert_eq!(answer.header("connection").map(str::to_ascii_lowercase).as_deref(), Some("keep-alive"));
    }
    let request = upstream.requests().pop().unwrap();
    assert_eq!((request.start.as_str(), request.header("host")), ("GET /old HTTP/1.1", Some("a.test")));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::start(|peer| {
        while let Some(request) = peer.request() {
            let path = request.start.split(' ').nth(1).unwrap().to_owned();
            peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len()));
        }
    });
    let running = start(&everything_to(&upstream.url(), ""));
    let mut client = running.connect().await;
    let requests = (0..20).map(|number| format!("GET /{number} HTTP/1.1\r\nHost: a.test\r\n\r\n"));
    client.send(requests.collect::<Vec<_>>().concat()).await;
    for number in 0..20 {
        assert_eq!(client.answer().await.body, format!("/{number}").as_bytes());
    }
}

#[tokio::test]
async fn answers_to_head_have_no_body() {
    let upstream = Upstream::start(|peer| {
        while peer.head().is_some() {
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        }
    });
    let running = start(&everything_to(&upstream.url(), ""));
    let mut client = running.connect().await;
    for _ in 0..2 {
        client.send("HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
        let answer = client.answer_to_head().await;
        assert_eq!((answer.status(), answer.header("content-length")), (200, Some("1000")));
    }
}

#[tokio::test]
async fn a_connection_ends_after_its_requests() {
    let upstream = Upstream::answering(OK);
    let running = start_with(&everything_to(&upstream.url(), ""), |web| web.keep_alive_max_requests = 2);
    let mut client = running.connect().await;
    let ask = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
    assert_eq!(client.ask(ask).await.header("connection"), None);
    assert_eq!(client.ask(ask).await.header("connection").map(str::to_ascii_lowercase).as_deref(), Some("close"));
    assert_eq!(client.closed().await, b"");
}

#[tokio::test]
async fn a_slow_reader_is_left_after_the_write_timeout() {
    let begun = Gate::new();
    let release = begun.clone();
    let upstream = Upstream::start(move |peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        release.open();
        // Ends when the gateway closes its side.
        for _ in 0..10_000 {
            peer.send(&chunk);
        }
    });
    let running = start_with(&everything_to(&upstream.url(), ""), |web| {
        web.timeouts.write = Some(std::time::Duration::from_millis(200));
    });
    let mut client = running.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    tokio::task::spawn_blocking(move || begun.wait()).await.unwrap();
    running.seen.until(|told| told.finished.len() == 1 && told.closed == 1).await;
}
