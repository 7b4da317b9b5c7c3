//! Bodies stream both ways, at the pace of whoever reads them.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tollgate_service::Transport;
use tollgate_testkit::{Gate, Upstream, wait_until};

use crate::front::{Front, Setup};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn exactly_one_field_says_how_long_a_request_is() {
    for (request, length, encoding, body) in [
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", Some("2"), None, "hi"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", Some("0"), None, ""),
        ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", Some("0"), None, ""),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", None, None, ""),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", Some("2"), None, "hi"),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            None,
            Some("chunked"),
            "hi",
        ),
        (
            "DELETE / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\nh\r\n1\r\ni\r\n0\r\n\r\n",
            None,
            Some("chunked"),
            "hi",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: Content-Length\r\nContent-Length: 2\r\n\r\nhi",
            Some("2"),
            None,
            "hi",
        ),
    ] {
        let upstream = Upstream::answering(OK);
        let front = Front::before(&upstream).await;
        assert_eq!(front.ask(request).await.status(), 200, "{request}");
        let received = upstream.request();
        assert_eq!(received.header("content-length"), length, "{request}");
        assert_eq!(received.header("transfer-encoding"), encoding, "{request}");
        assert_eq!(received.text(), body, "{request}");
    }
}

#[tokio::test]
async fn trailers_pass_both_ways_but_for_those_that_lie() {
    let upstream = Upstream::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, Content-Length\r\n\r\n\
         2\r\nok\r\n0\r\nX-Sum: 2\r\nContent-Length: 9\r\n\r\n",
    );
    let front = Front::before(&upstream).await;
    let answer = front
        .ask(
            "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\
             Trailer: X-Sum, Host, Authorization, X-Forwarded-For\r\n\r\n\
             2\r\nhi\r\n0\r\nX-Sum: 1\r\nHost: evil\r\nAuthorization: x\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n",
        )
        .await;
    let request = upstream.request();
    assert_eq!(request.header("trailer"), Some("X-Sum"));
    assert_eq!(request.trailers.len(), 1, "{:?}", request.trailers);
    assert!(request.trailers[0].0.eq_ignore_ascii_case("x-sum") && request.trailers[0].1 == "1");
    assert_eq!(answer.header("trailer"), Some("X-Sum"));
    assert_eq!(answer.trailers.len(), 1, "{:?}", answer.trailers);
    assert!(answer.trailers[0].0.eq_ignore_ascii_case("x-sum") && answer.trailers[0].1 == "2");
    front.get("/").await;
    assert_eq!(upstream.connections(), 1, "trailers are part of the message: the connection is kept");
}

#[tokio::test]
async fn each_side_hears_the_other_before_it_has_finished() {
    let upstream = Upstream::start(|peer| {
        peer.head();
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for _ in 0..3 {
            let chunk = peer.body("4\r\nping\r\n".len());
            peer.send(chunk);
        }
        peer.send("0\r\n\r\n");
        peer.wait_closed();
    });
    let front = Front::before(&upstream).await;
    let mut client = front.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    while client.bytes(1).await != *b"\r" || client.bytes(3).await != *b"\n\r\n" {}
    for _ in 0..3 {
        client.send("4\r\nping\r\n").await;
        assert_eq!(client.bytes(9).await, b"4\r\nping\r\n");
    }
    client.send("0\r\n\r\n").await;
    assert_eq!(client.bytes(5).await, b"0\r\n\r\n");
}

#[tokio::test]
async fn a_reader_that_stops_stops_the_writer() {
    const TOTAL: usize = 64 << 20;
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let upstream = Upstream::start(move |peer| {
        peer.request();
        peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {TOTAL}\r\n\r\n"));
        let piece = vec![b'x'; 1 << 20];
        while counter.fetch_add(piece.len(), Ordering::SeqCst) < TOTAL {
            peer.send(&piece);
        }
    });
    let front = Front::before(&upstream).await;
    let mut client = front.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.bytes(1).await;
    // The writer is stopped when it has not moved for a while; without backpressure it would go on to the end.
    let mut last = usize::MAX;
    while std::mem::replace(&mut last, sent.load(Ordering::SeqCst)) != sent.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(last < TOTAL / 2, "{last} bytes were taken from the backend, and nobody reads them");
    client.bytes(TOTAL).await;
}

// === Expect: 100-continue ===

const EXPECTING: &str = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";

#[tokio::test]
async fn a_body_is_asked_for_when_the_backend_asks_for_it() {
    let asking = Gate::new();
    let gate = asking.clone();
    let upstream = Upstream::start(move |peer| {
        while peer.head().is_some() {
            gate.wait();
            peer.send("HTTP/1.1 100 Continue\r\n\r\n");
            assert_eq!(peer.body(2), b"hi");
            peer.send(OK);
        }
    });
    let transport = Transport { continue_timeout: Duration::from_secs(60), ..Transport::default() };
    let front = Setup { transport, ..Setup::default() }.before(&upstream).await;
    let mut client = front.connect().await;
    client.send(EXPECTING).await;
    wait_until(|| upstream.requests().len() == 1, PATIENCE).await;
    assert_eq!(upstream.request().header("expect"), Some("100-continue"));
    asking.open();
    assert_eq!(client.answer().await.status(), 100);
    client.send("hi").await;
    assert_eq!(client.answer().await.text(), "ok");
    client.send(EXPECTING).await;
    assert_eq!(client.answer().await.status(), 100);
    client.send("hi").await;
    assert_eq!(client.answer().await.text(), "ok");
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn a_backend_that_does_not_know_the_expectation_gets_the_body_after_a_while() {
    let upstream = Upstream::answering(OK);
    let transport = Transport { continue_timeout: Duration::from_millis(20), ..Transport::default() };
    let front = Setup { transport, ..Setup::default() }.before(&upstream).await;
    let mut client = front.connect().await;
    client.send(EXPECTING).await;
    assert_eq!(client.answer().await.status(), 100);
    client.send("hi").await;
    assert_eq!(client.answer().await.text(), "ok");
    assert_eq!(upstream.request().text(), "hi");
}

#[tokio::test]
async fn a_body_that_was_refused_is_never_asked_for() {
    let upstream = Upstream::start(|peer| {
        peer.head();
        peer.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno");
        peer.wait_closed();
    });
    let transport = Transport { continue_timeout: Duration::from_secs(60), ..Transport::default() };
    let front = Setup { transport, ..Setup::default() }.before(&upstream).await;
    let mut client = front.connect().await;
    let answer = client.ask(EXPECTING).await;
    assert_eq!((answer.status(), answer.text().as_str()), (417, "no"));
    wait_until(|| upstream.open_connections() == 0, PATIENCE).await;
    let raw = String::from_utf8(upstream.raw().remove(0)).unwrap();
    assert!(raw.ends_with("\r\n\r\n"), "nothing of the body arrived: {raw}");
}

#[tokio::test]
async fn an_early_answer_reaches_a_client_that_is_still_sending() {
    let upstream = Upstream::start(|peer| {
        peer.head();
        peer.body(2);
        peer.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
        peer.wait_closed();
    });
    let front = Front::before(&upstream).await;
    let mut client = front.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nhi").await;
    let answer = client.answer().await;
    assert_eq!((answer.status(), answer.text().as_str()), (403, "no"));
    drop(client);
    wait_until(|| upstream.open_connections() == 0, PATIENCE).await;
}

#[tokio::test]
async fn the_rest_of_a_request_follows_its_answer_and_the_connection_is_kept() {
    const REST: usize = 1 << 20;
    let upstream = Upstream::start(|peer| {
        while peer.head().is_some() {
            peer.body(2);
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly");
            assert_eq!(peer.body(REST).len(), REST);
        }
    });
    let front = Front::before(&upstream).await;
    let mut client = front.connect().await;
    for _ in 0..2 {
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\nhi", REST + 2)).await;
        assert_eq!(client.answer().await.text(), "early");
        client.send(vec![b'x'; REST]).await;
        // The next request is read when the last was, and finds its connection kept only after that.
        wait_until(|| upstream.raw()[0].ends_with(&[b'x'; 100]), PATIENCE).await;
    }
    assert_eq!((upstream.requests().len(), upstream.connections()), (2, 1));
}

#[tokio::test]
async fn a_client_may_send_everything_before_it_reads_anything() {
    // More than all the buffers on the way hold: whoever stops sending while nobody reads would wait for ever.
    const MUCH: usize = 32 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let backend = thread::spawn(move || {
        let (mut reader, _) = listener.accept().unwrap();
        let mut writer = reader.try_clone().unwrap();
        let writing = thread::spawn(move || {
            write!(writer, "HTTP/1.1 200 OK\r\nContent-Length: {MUCH}\r\n\r\n").unwrap();
            writer.write_all(&vec![b'x'; MUCH]).unwrap();
        });
        let mut received = 0;
        let mut piece = vec![0; 1 << 16];
        while received < MUCH {
            received += reader.read(&mut piece).unwrap();
        }
        writing.join().unwrap();
    });
    let front = Setup::default().before_urls(&[url]).await;
    let mut client = front.connect().await;
    client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {MUCH}\r\n\r\n")).await;
    client.send(vec![b'y'; MUCH]).await;
    assert_eq!(client.answer().await.body.len(), MUCH);
    backend.join().unwrap();
}

#[tokio::test]
async fn what_a_backend_says_before_it_hangs_up_is_heard() {
    let upstream = Upstream::start(|peer| {
        peer.head();
        peer.send("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno");
        // What is not read when the connection is closed resets it, and the next write fails.
        peer.body(1);
    });
    let front = Front::before(&upstream).await;
    for _ in 0..20 {
        let body = "x".repeat(1 << 20);
        let mut client = front.connect().await;
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await;
        let answer = client.answer().await;
        assert_eq!((answer.status(), answer.text().as_str()), (413, "no"));
    }
}

#[tokio::test]
async fn a_body_of_chunks_large_and_small_arrives_whole() {
    let upstream = Upstream::answering(OK);
    let front = Front::before(&upstream).await;
    let mut client = front.connect().await;
    for sizes in [&[1][..], &[4096, 4097, 1], &[100_000], &[1, 70_000, 2, 3, 4096, 1 << 20]] {
        let mut request = b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        let mut body = Vec::new();
        for (number, &size) in sizes.iter().enumerate() {
            let piece = vec![b'a' + number as u8; size];
            request.extend_from_slice(format!("{size:x}\r\n").as_bytes());
            request.extend_from_slice(&piece);
            request.extend_from_slice(b"\r\n");
            body.extend(piece);
        }
        request.extend_from_slice(b"0\r\n\r\n");
        client.send(request).await;
        assert_eq!(client.answer().await.status(), 200);
        assert!(upstream.requests().last().unwrap().body == body, "{sizes:?}");
    }
    assert_eq!(upstream.connections(), 1);
}
