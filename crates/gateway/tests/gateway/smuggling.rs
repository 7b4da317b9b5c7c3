//! Requests that two readers could understand in two ways, through the whole gateway. The reader itself is tested in
//! `tollgate-wire`; here it counts what a backend gets to see.

use tollgate_testkit::{RawClient, Upstream};

use crate::harness::{everything_to, start};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What has to happen to one connection full of bytes.
struct Case {
    name: &'static str,
    sent: String,
    /// The statuses of the answers, in order.
    answers: &'static [u16],
    /// The paths that the backend is asked for, in order.
    seen: &'static [&'static str],
}

fn case(name: &'static str, sent: &str, answers: &'static [u16], seen: &'static [&'static str]) -> Case {
    Case { name, sent: sent.to_owned(), answers, seen }
}

fn corpus() -> Vec<Case> {
    let next = "GET /SMUGGLED HTTP/1.1\r\nHost: a.test\r\n\r\n";
    let length = next.len();
    let mut cases = vec![
        // Refused before anybody sees them: the answer is ours, and the connection ends.
        case(
            "S01",
            "POST /s01 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
            &[400],
            &[],
        ),
        case(
            "S02",
            "POST /s02 HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n1\r\nX\r\n0\r\n\r\n",
            &[400],
            &[],
        ),
        case(
            "S14",
            "POST /s14 HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: ,chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
            &[400],
            &[],
        ),
        case(
            "S15",
            "POST /s15 HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            &[400],
            &[],
        ),
        case("S38", "GET /s38 HTTP/1.1\nHost: a.test\n\n", &[400], &[]),
        case("S45", "GET /s45 HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n", &[400], &[]),
        case("S46", "GET /s46 HTTP/1.1\r\n\r\n", &[400], &[]),
        case("S47", "GET /s47 HTTP/1.1\r\nHost: a.test/evil@b\r\n\r\n", &[400], &[]),
        case("S48", "GET /s48 HTTP/1.1\r\nHost: a.test, b.test\r\n\r\n", &[400], &[]),
        case("S55", "GET /s55#/../admin HTTP/1.1\r\nHost: a.test\r\n\r\n", &[400], &[]),
        // One connection, several requests, each of them seen as such.
        case(
            "S61",
            "POST /s61 HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
            &[100, 200],
            &["/s61"],
        ),
        case(
            "S62",
            "POST /s62 HTTP/1.1\r\nHost: a.test\r\nExpect: y 100-continue\r\nContent-Length: 2\r\n\r\nhi",
            &[417],
            &[],
        ),
        // A body that is none: the head has gone on, but the backend never sees the end of it.
        case(
            "S23",
            "POST /s23 HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
            &[400],
            &[],
        ),
        case(
            "S30",
            "POST /s30 HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloMORE\r\n0\r\n\r\n",
            &[400],
            &[],
        ),
    ];
    let and_next = |name, head: &str, answers, seen| Case { name, sent: format!("{head}{next}"), answers, seen };
    cases.extend([
        // R28: what follows the head of an upgrade that nobody agreed to is a request of its own.
        and_next("S57", "GET /s57 HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n", &[200, 200][..], &["/s57", "/SMUGGLED"][..]),
        // R29: a body is a body.
        and_next("S59", &format!("POST /s59 HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nContent-Length: {length}\r\n\r\n"), &[200], &["/s59"]),
        // R31
        and_next("S60", "CONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\n\r\n", &[501], &[]),
        and_next("S71", &format!("GET /s71 HTTP/1.1\r\nHost: a.test\r\nContent-Length: {length}\r\n\r\n"), &[200], &["/s71"]),
        and_next("S72", "POST /s72 HTTP/1.1\r\nHost: a.test\r\n\r\n", &[200, 200], &["/s72", "/SMUGGLED"]),
        and_next("after 400", "GET /x HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n", &[400], &[]),
        and_next("escape", "GET /%zz HTTP/1.1\r\nHost: a.test\r\n\r\n", &[400], &[]),
    ]);
    cases
}

#[tokio::test]
async fn nothing_ambiguous_reaches_a_backend() {
    for Case { name, sent, answers, seen } in corpus() {
        let upstream = Upstream::answering(OK);
        let running = start(&everything_to(&upstream.url(), ""));
        let mut client = running.connect().await;
        client.send(&sent).await;
        for (number, expected) in answers.iter().enumerate() {
            let answer = client.answer().await;
            assert_eq!(answer.status(), *expected, "{name}, answer {number}: {answer:?}");
        }
        if answers.last().is_some_and(|status| *status >= 400) {
            assert_eq!(client.closed().await, b"", "{name}: nothing follows a refusal");
        } else {
            still_works(&mut client, name).await;
        }
        let paths: Vec<_> = upstream.requests().iter().map(|request| path(&request.start)).collect();
        let asked: Vec<_> = paths.iter().map(String::as_str).filter(|path| *path != "/still").collect();
        assert_eq!(asked, seen, "{name}");
        let raw = upstream.raw().concat();
        assert!(name.starts_with('S') || !raw.windows(8).any(|bytes| bytes == b"SMUGGLED"), "{name}");
    }
}

/// The connection is where both sides think it is.
async fn still_works(client: &mut RawClient, name: &str) {
    let answer = client.ask("GET /still HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    assert_eq!((answer.status(), &answer.body[..]), (200, &b"ok"[..]), "{name}: the next request");
}

fn path(start: &str) -> String {
    start.split(' ').nth(1).unwrap_or_default().to_owned()
}

/// R30
#[tokio::test]
async fn http2_is_not_offered_to_the_backend() {
    let upstream = Upstream::answering(OK);
    let running = start(&everything_to(&upstream.url(), ""));
    let header = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    assert_eq!(running.get("/", header).await.status(), 200);
    let request = upstream.request();
    for name in ["connection", "upgrade", "http2-settings"] {
        assert_eq!(request.header(name), None, "{name}");
    }
}

/// R34
#[tokio::test]
async fn a_head_has_a_size() {
    let upstream = Upstream::answering(OK);
    let running = start(&everything_to(&upstream.url(), ""));
    let many = (0..2000).map(|number| format!("X-{number}: 1\r\n")).collect::<Vec<_>>().concat();
    let target = format!("/{}", "a".repeat(100_000));
    for (path, header, status) in
        [("/", format!("X: {}\r\n", "a".repeat(2 << 20)), 431), ("/", many, 431), (&target, String::new(), 414)]
    {
        let mut client = running.connect().await;
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a.test\r\n{header}\r\n")).await;
        assert_eq!(client.answer().await.status(), status);
    }
    assert!(upstream.requests().is_empty());
    assert_eq!(running.seen.until(|told| told.violations.len() == 3).await.violations.len(), 3);
}
