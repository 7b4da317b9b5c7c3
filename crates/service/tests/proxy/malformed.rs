//! Answers that could be read in more than one way, or not at all.

use std::time::Duration;

use tollgate_testkit::{Upstream, wait_until};

use crate::front::Front;

const PATIENCE: Duration = Duration::from_secs(5);

/// A backend that answers with these bytes and keeps the connection open, as a backend does that thinks it answered.
fn saying(answer: impl Into<Vec<u8>>) -> Upstream {
    Upstream::answering(answer.into())
}

#[tokio::test]
async fn an_answer_of_doubtful_length_or_meaning_is_not_passed_on() {
    let long = format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\nContent-Length: 2\r\n\r\nok", "x".repeat(1 << 20));
    let many = format!("HTTP/1.1 200 OK\r\n{}Content-Length: 2\r\n\r\nok", "X: y\r\n".repeat(10_000));
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".repeat(20_000);
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551618\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nno field\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "ICY 200 OK\r\n\r\n",
        "hello\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\npoison",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100\0Continue\r\n\r\n",
        &long,
        &many,
        &interim,
    ] {
        let shown = &answer[..answer.len().min(100)];
        let upstream = saying(answer);
        let front = Front::before(&upstream).await;
        let mut client = front.connect().await;
        let got = client.ask("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
        assert_eq!((got.status(), got.text().as_str()), (502, "Bad Gateway"), "{shown:?}");
        wait_until(|| upstream.open_connections() == 0, PATIENCE).await;
        assert_eq!(upstream.requests().len(), 1, "not repeated: {shown:?}");
    }
}

#[tokio::test]
async fn line_ends_are_ours_whatever_the_backends_are() {
    let upstream = saying("HTTP/1.1 200 OK\nX: y\nContent-Length: 2\n\nok");
    let front = Front::before(&upstream).await;
    for _ in 0..2 {
        // The client reads strictly: a bare LF would be an error.
        let answer = front.get("/").await;
        assert_eq!((answer.text().as_str(), answer.header("x")), ("ok", Some("y")));
    }
}

#[tokio::test]
async fn an_answer_that_comes_byte_by_byte_is_read_like_any_other() {
    let upstream = Upstream::start(|peer| {
        while peer.request().is_some() {
            for byte in b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n\
                          HTTP/1.1 200 OK\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n\
                          1;z\r\no\r\n1\r\nk\r\n0\r\n\r\n"
            {
                peer.send([*byte]);
            }
        }
    });
    let front = Front::before(&upstream).await;
    for _ in 0..20 {
        let answer = front.get("/").await;
        assert_eq!((answer.status(), answer.text().as_str(), answer.header("x")), (200, "ok", Some("y")));
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off_for_the_client() {
    for (answer, beginning) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "half"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "4\r\nhalf\r\n"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n", "4\r\nhalf\r\n"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n", "4\r\nhalf\r\n"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf!\r\n0\r\n\r\n", "4\r\nhalf\r\n"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\nhalf\r\n0\r\n\r\n", ""),
    ] {
        let upstream = Upstream::start(move |peer| {
            peer.request();
            peer.send(answer);
        });
        let front = Front::before(&upstream).await;
        let mut client = front.connect().await;
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
        let received = String::from_utf8(client.closed().await).unwrap();
        let (_, body) = received.split_once("\r\n\r\n").unwrap_or_default();
        assert!(beginning.starts_with(body), "{answer:?} became {received:?}");
        assert!(!received.contains("\r\n0\r\n"), "{answer:?} was given an end: {received:?}");
    }
}
