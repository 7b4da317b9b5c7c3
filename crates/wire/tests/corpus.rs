//! The corpus of dangerous requests: what passes, what is refused with what, and what the origin sees.

#[path = "support/origin.rs"]
mod origin;

use std::time::Duration;

use Expected::{Body, Head, Pass};
use tollgate_wire::{Limits, State, Timeouts, Violation, law};

/// Smaller than by default, so that the cases with large heads reach it.
fn limits() -> Limits {
    Limits { head_bytes: 64 << 10, ..Limits::default() }
}

struct Case {
    id: &'static str,
    bytes: Vec<u8>,
    expected: Expected,
}

enum Expected {
    /// All bytes pass, and these are the targets the origin sees.
    Pass(&'static [&'static str]),
    /// The head is refused before the origin sees it.
    Head(Violation),
    /// The body is refused when the origin has seen the head.
    Body(Violation),
}

/// A POST with these fields and this body.
fn post(id: &str, fields: &str, body: &str) -> Vec<u8> {
    format!("POST /{id} HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n{body}").into_bytes()
}

/// A POST with this chunked body.
fn chunked(id: &str, body: &str) -> Vec<u8> {
    post(id, "Transfer-Encoding: chunked\r\n", body)
}

/// A GET with these fields, `Host` not among them.
fn get(id: &str, fields: &str) -> Vec<u8> {
    format!("GET /{id} HTTP/1.1\r\n{fields}\r\n").into_bytes()
}

/// A GET with this request line.
fn line(line: &str) -> Vec<u8> {
    format!("{line}\r\nHost: a.test\r\n\r\n").into_bytes()
}

const SMUGGLED: &str = "GET /SMUGGLED HTTP/1.1\r\nHost: a.test\r\n\r\n";

fn cases() -> Vec<Case> {
    use Violation as V;
    let mut cases = Vec::new();
    let mut case = |id, bytes, expected| cases.push(Case { id, bytes, expected });

    // The length of the body, said twice or badly.
    case(
        "S01",
        post("S01", "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nX"),
        Head(V::LengthAndEncoding),
    );
    case(
        "S02",
        post("S02", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "1\r\nX\r\n0\r\n\r\n"),
        Head(V::LengthAndEncoding),
    );
    case("S03", post("S03", "Content-Length: 0\r\nContent-Length: 5\r\n", "hello"), Head(V::RepeatedContentLength));
    case("S04", post("S04", "Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), Head(V::RepeatedContentLength));
    case("S05", post("S05", "Content-Length: 5, 5\r\n", "hello"), Head(V::ContentLength));
    case("S06", post("S06", "Content-Length: +5\r\n", "hello"), Head(V::ContentLength));
    case("S07", post("S07", "Content-Length: 0x5\r\n", "hello"), Head(V::ContentLength));
    case("S08", post("S08", "Content-Length:\r\n", "hello"), Head(V::ContentLength));
    case("S09", post("S09", "Content-Length: \r\nContent-Length: 5\r\n", "hello"), Head(V::ContentLength));
    case("S10", post("S10", "Content-Length: 5 5\r\n", "hello"), Head(V::ContentLength));
    case("S11", post("S11", "Content-Length: -1\r\n", "hello"), Head(V::ContentLength));
    case("S12", post("S12", "Content-Length: 18446744073709551621\r\n", "hello"), Head(V::ContentLength));
    case("S12 2^63", post("S12", "Content-Length: 9223372036854775808\r\n", "hello"), Head(V::ContentLength));
    case(
        "S13",
        post("S13", "Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n", "hello"),
        Head(V::TransferEncoding),
    );
    case(
        "S14",
        post("S14", "Transfer-Encoding: ,chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
        Head(V::TransferEncoding),
    );
    case(
        "S15",
        post("S15", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        Head(V::RepeatedTransferEncoding),
    );
    case("S16", post("S16", "Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), Head(V::TransferEncoding));
    case(
        "S17",
        post("S17", "Transfer-Encoding: identity\r\nContent-Length: 5\r\n", "hello"),
        Head(V::TransferEncoding),
    );
    case("S18", post("S18", "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), Head(V::FieldName));
    case(
        "S19",
        post("S19", "Transfer-Encoding: \x0bchunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
        Head(V::FieldValue),
    );
    case("S20", post("S20", "Transfer-Encoding: chun\0ked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), Head(V::FieldValue));
    case(
        "S21",
        post("S21", "Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
        Head(V::TransferEncoding),
    );
    case(
        "S22",
        b"POST /S22 HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            .to_vec(),
        Head(V::EncodingOnHttp10),
    );

    // Chunks.
    case("S23", chunked("S23", "0x5\r\nhello\r\n0\r\n\r\n"), Body(V::ChunkSize));
    case("S24", chunked("S24", "+5\r\nhello\r\n0\r\n\r\n"), Body(V::ChunkSize));
    case("S25", chunked("S25", "5 \r\nhello\r\n0\r\n\r\n"), Body(V::ChunkSize));
    case("S26", chunked("S26", "5_0\r\nhello\r\n0\r\n\r\n"), Body(V::ChunkSize));
    case("S27", chunked("S27", "5\nhello\r\n0\r\n\r\n"), Body(V::BareLineFeed));
    case("S28", chunked("S28", "5;\nhello\r\n0\r\n\r\n"), Body(V::BareLineFeed));
    case("S29", chunked("S29", "5\r;x=1\r\nhello\r\n0\r\n\r\n"), Body(V::BareCarriageReturn));
    case("S30", chunked("S30", "5\r\nhelloXX\r\n0\r\n\r\n"), Body(V::ChunkEnd));
    case("S31", chunked("S31", &format!("0\r\n{SMUGGLED}")), Body(V::FieldName));
    case("S31 in a value", chunked("S31", &format!("0\r\nX: {SMUGGLED}")), Pass(&["/S31"]));
    case("S32", chunked("S32", "10000000000000005\r\nhello\r\n0\r\n\r\n"), Body(V::ChunkSize));
    case("S33", chunked("S33", "\r\nhello\r\n0\r\n\r\n"), Body(V::ChunkSize));
    case("S34", chunked("S34", &format!("5;x={}\r\nhello\r\n0\r\n\r\n", "y".repeat(70_000))), Body(V::ChunkExtension));
    case("S35", chunked("S35", "0\r\nContent-Length: 50\r\n\r\n"), Pass(&["/S35"]));
    case("S36", chunked("S36", "0\r\nHost: b.test\r\nAuthorization: x\r\n\r\n"), Pass(&["/S36"]));
    case("trailer folded", chunked("t", "0\r\nX: a\r\n b\r\n\r\n"), Body(V::Fold));
    case("trailer bare LF", chunked("t", "0\r\nX: a\n\r\n"), Body(V::BareLineFeed));
    case("trailer NUL", chunked("t", "0\r\nX: a\0\r\n\r\n"), Body(V::FieldValue));
    case("trailer end bare LF", chunked("t", "0\r\n\n"), Body(V::BareLineFeed));
    case(
        "trailers too large",
        chunked("t", &format!("0\r\nX: {}\r\n\r\n", "y".repeat(20_000))),
        Body(V::TrailersTooLarge),
    );
    case("trailers too many", chunked("t", &format!("0\r\n{}\r\n", "X: y\r\n".repeat(101))), Body(V::TooManyFields));
    case(
        "extensions over many chunks",
        chunked("t", &format!("{}0\r\n\r\n", "1;x=aaaaaaaaaaaaaaaa\r\nx\r\n".repeat(300))),
        Body(V::ChunkExtension),
    );

    // Bytes and lines in the head.
    case("S37", post("S37", "X: a\rTransfer-Encoding: chunked\r\n", ""), Head(V::BareCarriageReturn));
    case("S38", b"POST /S38 HTTP/1.1\nHost: a.test\nContent-Length: 5\n\nhello".to_vec(), Head(V::BareLineFeed));
    case("S38 last line only", b"GET /S38 HTTP/1.1\r\nHost: a.test\r\n\n".to_vec(), Head(V::BareLineFeed));
    case("S39", post("S39", "X: a\0b\r\n", ""), Head(V::FieldValue));
    case("S40", post("S40", ": empty\r\n", ""), Head(V::FieldName));
    case("S41", post("S41", "no colon here\r\n", ""), Head(V::FieldName));
    case("S42", b"POST /S42 HTTP/1.1\r\n Host: a.test\r\n\r\n".to_vec(), Head(V::Fold));
    case("S43", post("S43", "X: a\r\n\tb\r\n", ""), Head(V::Fold));
    case(
        "S44",
        b"POST /S44 HTTP/1.1\r\nHost: a.test\r\nContent-Length\x85: 5\r\n\r\nhello".to_vec(),
        Head(V::FieldName),
    );

    // Who is asked.
    case("S45", get("S45", "Host: a.test\r\nHost: b.test\r\n"), Head(V::RepeatedHost));
    case("S46", get("S46", ""), Head(V::MissingHost));
    case("S46 on 1.0", b"GET /S46 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".to_vec(), Pass(&["/S46"]));
    case("S47", get("S47", "Host: a.test/evil@b\r\n"), Head(V::Host));
    case("S48", get("S48", "Host: a.test, b.test\r\n"), Head(V::Host));
    case("S49", b"GET http://a.test/S49 HTTP/1.1\r\nHost: b.test\r\n\r\n".to_vec(), Pass(&["http://a.test/S49"]));
    case("S49 user", line("GET http://u@a.test/S49 HTTP/1.1"), Head(V::Target));
    case("S49 scheme", line("GET ftp://a.test/S49 HTTP/1.1"), Head(V::Target));
    case("S50", line("G\x01ET /S50 HTTP/1.1"), Head(V::Method));
    case("S51", line("GET /S51 HTTP/1.9"), Head(V::Version));
    case("S52", line("GET /S52 HTTP/2.0"), Head(V::Version));
    case("S53", line("GET  /S53 HTTP/1.1"), Head(V::RequestLine));
    case("S53 before the version", line("GET /S53  HTTP/1.1"), Head(V::RequestLine));
    case("S54", b"GET /S54\r\n".to_vec(), Head(V::RequestLine));
    case("S55", line("GET /S55#/../admin HTTP/1.1"), Head(V::Target));
    case("S56", b"GET /S56\xff HTTP/1.1\r\nHost: a.test\r\n\r\n".to_vec(), Head(V::Target));
    case("asterisk without OPTIONS", line("GET * HTTP/1.1"), Head(V::Target));
    case("asterisk with OPTIONS", line("OPTIONS * HTTP/1.1"), Pass(&["*"]));
    case("no path", line("GET evil.test HTTP/1.1"), Head(V::Target));

    // Other protocols.
    case(
        "S57",
        [get("S57", "Host: a.test\r\nConnection: Upgrade\r\nUpgrade: foo\r\n"), SMUGGLED.into()].concat(),
        Pass(&["/S57", "/SMUGGLED"]),
    );
    case(
        "S57 junk behind",
        [get("S57", "Host: a.test\r\nConnection: Upgrade\r\nUpgrade: foo\r\n"), b"\x81\x05hello\r\n\r\n".to_vec()]
            .concat(),
        Head(V::RequestLine),
    );
    case(
        "S58",
        get(
            "S58",
            "Host: a.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
        ),
        Pass(&["/S58"]),
    );
    case(
        "S59",
        post(
            "S59",
            &format!("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: {}\r\n", SMUGGLED.len()),
            SMUGGLED,
        ),
        Pass(&["/S59"]),
    );
    case(
        "S60",
        [b"CONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\n\r\n".to_vec(), SMUGGLED.into()].concat(),
        Head(V::Connect),
    );
    case("preface cut", b"PRI * HTTP/2.0\r\n\r\nSM\r\nX\r\n".to_vec(), Head(V::Preface));
    case("S61", post("S61", "Expect: 100-continue\r\nContent-Length: 5\r\n", "hello"), Pass(&["/S61"]));
    case("S62", post("S62", "Expect: y 100-continue\r\nContent-Length: 5\r\n", "hello"), Head(V::Expectation));

    // Left to those behind.
    case(
        "S63",
        post("S63", "Connection: close, Content-Length, Host, X-Forwarded-For\r\nContent-Length: 5\r\n", "hello"),
        Pass(&["/S63"]),
    );
    case("S64", get("S64", "Host: a.test\r\nConnection: x-real-ip, x-forwarded-host\r\n"), Pass(&["/S64"]));
    case(
        "S65",
        get("S65", "Host: a.test\r\nX_Forwarded_For: 1\r\nX.Forwarded.For: 2\r\nX-Forwarded-For: 3\r\n"),
        Pass(&["/S65"]),
    );
    case("S66", line("GET /S66/..;/admin HTTP/1.1"), Pass(&["/S66/..;/admin"]));
    case("S67", line("GET /S67/%2e%2e/admin HTTP/1.1"), Pass(&["/S67/%2e%2e/admin"]));
    case("S68", line("GET /S68/%2f../admin HTTP/1.1"), Pass(&["/S68/%2f../admin"]));
    case("S69", line("GET /S69\\..\\admin HTTP/1.1"), Pass(&["/S69\\..\\admin"]));
    case("S70", line("GET /S70%00 HTTP/1.1"), Pass(&["/S70%00"]));
    case(
        "S71",
        [get("S71", &format!("Host: a.test\r\nContent-Length: {}\r\n", SMUGGLED.len())), SMUGGLED.into()].concat(),
        Pass(&["/S71"]),
    );
    case("S72", [post("S72", "", ""), SMUGGLED.into()].concat(), Pass(&["/S72", "/SMUGGLED"]));
    case("one empty line before", [b"\r\n".to_vec(), line("GET /e HTTP/1.1")].concat(), Pass(&["/e"]));
    case(
        "one empty line between",
        [post("e", "Content-Length: 5\r\n", "hello\r\n"), line("GET /f HTTP/1.1")].concat(),
        Pass(&["/e", "/f"]),
    );
    case("two empty lines before", [b"\r\n\r\n".to_vec(), line("GET /e HTTP/1.1")].concat(), Head(V::RequestLine));

    // Too much.
    case("S73", get("S73", &format!("Host: a.test\r\nX: {}\r\n", "y".repeat(100_000))), Head(V::HeadTooLarge));
    case("S74", get("S74", &format!("Host: a.test\r\n{}", "X: y\r\n".repeat(2_000))), Head(V::TooManyFields));
    case("S75", line(&format!("GET /S75{} HTTP/1.1", "x".repeat(100_000))), Head(V::HeadTooLarge));
    cases
}

#[test]
fn each_case_is_judged_as_expected() {
    for Case { id, bytes, expected } in cases() {
        let outcome = law::read(limits(), [bytes.as_slice()]);
        match expected {
            Pass(targets) => {
                assert_eq!((outcome.violation, outcome.passed), (None, bytes.len()), "{id}");
                assert_eq!((outcome.heads, outcome.state), (targets.len() as u64, State::Idle), "{id}");
            }
            Head(violation) | Body(violation) => {
                assert_eq!((outcome.violation, outcome.state), (Some(violation), State::Closed), "{id}");
                assert!(outcome.passed < bytes.len(), "{id}");
            }
        }
    }
}

#[test]
fn each_case_is_judged_the_same_however_it_is_cut() {
    for Case { id, bytes, .. } in cases() {
        let whole = law::read(limits(), [bytes.as_slice()]);
        assert_eq!(law::read(limits(), bytes.chunks(1)), whole, "{id} byte by byte");
        let near = bytes.len().min(400);
        for cut in (0..near).chain(bytes.len() - near..bytes.len()) {
            let (start, end) = bytes.split_at(cut);
            assert_eq!(law::read(limits(), [start, end]), whole, "{id} cut at {cut}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_origin_sees_only_what_was_asked_openly() {
    for Case { id, bytes, expected } in cases() {
        for pieces in [1, 7] {
            let mut connection = origin::connect(limits(), Timeouts::default());
            if pieces == 1 {
                connection.send(&bytes).await;
            } else {
                for piece in bytes.chunks(bytes.len().div_ceil(pieces)) {
                    connection.send(piece).await;
                    tokio::task::yield_now().await;
                }
            }
            let received = connection.receive(Duration::from_secs(5)).await;
            let seen = connection.seen();
            let statuses = received.statuses();
            let context = format!("{id} in {pieces}: {received:?}, seen {seen:?}");
            for request in &seen {
                assert!(request.framing_fields() <= 1, "{context}");
            }
            let targets: Vec<_> = seen.iter().map(|request| request.target.as_str()).collect();
            match expected {
                Pass(expected) => {
                    assert_eq!(targets, expected, "{context}");
                    assert!(seen.iter().all(|request| request.body.is_ok()), "{context}");
                    assert!(statuses.iter().all(|status| matches!(status, 100 | 200)), "{context}");
                    assert_eq!(received.closed, id == "S63", "{context}");
                    assert_eq!(connection.state.violation(), None, "{context}");
                    assert!(connection.state.is_idle(), "{context}");
                }
                Head(violation) => {
                    assert!(targets.iter().all(|target| *target == "/S57"), "{context}");
                    assert!(received.closed, "{context}");
                    assert_eq!(statuses.len(), targets.len() + 1, "{context}");
                    // Of a line in pieces hyper sees the beginning, and may be the first to refuse it.
                    // Behind another request it is hyper that answers.
                    let found = connection.state.violation();
                    let status = match found {
                        Some(found) if targets.is_empty() => found.status(),
                        _ => 400,
                    };
                    assert_eq!(statuses.last(), Some(&status), "{context}");
                    assert!(found == Some(violation) || found.is_none() && pieces > 1, "{context}");
                }
                Body(violation) => {
                    assert_eq!(seen.len(), 1, "{context}");
                    // The beginning of the bad line has passed; hyper may have seen enough in it.
                    let reason = seen[0].body.as_ref().expect_err("no whole body");
                    assert!(reason.is_none_or(|reason| reason == violation), "{context}");
                    assert!(received.closed, "{context}");
                    assert_eq!(statuses, [400], "{context}");
                    let found = connection.state.violation();
                    assert!(found == Some(violation) || found.is_none() && pieces > 1, "{context}");
                }
            }
        }
    }
}

#[test]
fn traefik_s_large_heads_pass_by_default() {
    let head = get("S73", &format!("Host: a.test\r\nX: {}\r\n", "y".repeat(100_000)));
    assert_eq!(law::read(Limits::default(), [head.as_slice()]).violation, None);
    let target = line(&format!("GET /S75{} HTTP/1.1", "x".repeat(100_000)));
    assert_eq!(law::read(Limits::default(), [target.as_slice()]).violation, Some(Violation::TargetTooLong));
}
