//! How the guard ends connections: in order, in time, and without losing the last answer.

#[path = "support/origin.rs"]
mod origin;

use std::time::Duration;

use bytes::Bytes;
use origin::{Connection, Telling, connect, connect_to};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};
use tollgate_wire::{Guard, Limits, Timeouts, Violation};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
const SLOW: &[u8] = b"GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n";
const CHUNKED: &[u8] = b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Longer than anything in these tests.
const FOREVER: Duration = Duration::from_hours(1);

/// Heads that are refused at every place there is.
const BAD_HEADS: &[(&str, &str)] = &[
    ("at the start", "\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n"),
    ("at the start, after an empty line", "\r\n\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n"),
    ("in the request line", "CONNECT a.test:80 HTTP/1.1\r\nHost: a.test\r\n\r\n"),
    ("in the first field", "GET / HTTP/1.1\r\nHost: a.test, b.test\r\n\r\n"),
    ("between fields", "GET / HTTP/1.1\r\nHost: a.test\r\nX: a\nY: b\r\n\r\n"),
    ("at the end of the head", "POST / HTTP/1.1\r\nX: a\r\n\r\n"),
    ("in the last line end", "GET / HTTP/1.1\r\nHost: a.test\r\n\n"),
];

fn open() -> Connection {
    connect(Limits::default(), Timeouts::default())
}

fn in_time(timeouts: Timeouts) -> Connection {
    connect(Limits::default(), timeouts)
}

/// Sends the pieces, each after the server has taken the one before.
async fn send_slowly(connection: &mut Connection, pieces: impl IntoIterator<Item = &[u8]>) {
    for piece in pieces {
        connection.send(piece).await;
        sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_head_is_answered_after_the_answers_before_it() {
    for (place, head) in BAD_HEADS {
        for cut in 0..=head.len() {
            let mut connection = open();
            let (start, end) = head.as_bytes().split_at(cut);
            send_slowly(&mut connection, [&[SLOW, start].concat(), end]).await;
            let received = connection.receive(FOREVER).await;
            let status = connection.state.violation().map_or(400, Violation::status);
            let [200, last] = received.statuses()[..] else { panic!("{place}, cut at {cut}: {received:?}") };
            assert!(last == 400 || last == status, "{place}, cut at {cut}: {received:?}");
            assert!(received.closed, "{place}");
            assert_eq!(connection.seen().len(), 1, "{place}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_head_behind_an_open_question_is_refused_by_hyper() {
    for (place, head) in BAD_HEADS {
        for cut in 0..=head.len() {
            let mut connection = connect_to(Telling::Never, Limits::default(), Timeouts::default());
            let (start, end) = head.as_bytes().split_at(cut);
            send_slowly(&mut connection, [GET, start, end]).await;
            let received = connection.receive(FOREVER).await;
            assert_eq!(received.statuses(), [200, 400], "{place}, cut at {cut}");
            assert!(received.closed, "{place}");
            assert_eq!(connection.seen().len(), 1, "{place}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_head_on_a_quiet_connection_is_answered_with_its_own_status() {
    for (place, head) in BAD_HEADS {
        let mut connection = open();
        send_slowly(&mut connection, [GET, GET, head.as_bytes()]).await;
        let received = connection.receive(FOREVER).await;
        let status = connection.state.violation().expect("a violation").status();
        assert_eq!(received.statuses(), [200, 200, status], "{place}");
        assert!(received.closed, "{place}");
        assert_eq!(connection.seen().len(), 2, "{place}");
    }
}

#[tokio::test(start_paused = true)]
async fn poison_is_refused_wherever_the_head_was_cut() {
    // What hyper has of the head, and in how many pieces, must not matter.
    let head = b"POST /x HTTP/1.1\r\nHost: a.test\r\nX: some words\r\nContent-Length: 3\r\n\r\n";
    let timeouts = Timeouts { head: Some(Duration::from_secs(1)), ..Timeouts::default() };
    for cut in 1..head.len() {
        let mut connection = connect_to(Telling::Never, Limits::default(), timeouts);
        send_slowly(&mut connection, [[GET, &head[..cut / 2]].concat().as_slice(), &head[cut / 2..cut]]).await;
        let received = connection.receive(FOREVER).await;
        assert_eq!(received.statuses(), [200, 400], "cut at {cut}");
        assert!(received.closed, "cut at {cut}");
        assert_eq!(connection.state.violation(), Some(Violation::HeadTimeout), "cut at {cut}");
        assert_eq!(connection.seen().len(), 1, "cut at {cut}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_body_breaks_off_for_its_reader() {
    for (body, violation) in [
        ("3\r\nabc\r\nx\r\n", Violation::ChunkSize),
        ("3\r\nabcdef", Violation::ChunkEnd),
        ("3;\nabc", Violation::BareLineFeed),
        ("3\r\nabc\r\n0\r\nX\r\n\r\n", Violation::FieldName),
        ("3\r\nabc\r\n0\r\nX: a\0\r\n\r\n", Violation::FieldValue),
        ("3\r\nabc\r\n0\r\n\n", Violation::BareLineFeed),
    ] {
        let mut connection = open();
        connection.send(&[GET, CHUNKED, body.as_bytes()].concat()).await;
        let received = connection.receive(FOREVER).await;
        assert_eq!(received.statuses(), [200, 400], "{body:?}");
        assert!(received.closed, "{body:?}");
        assert_eq!(connection.seen()[1].body, Err(Some(violation)), "{body:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn good_requests_in_single_bytes_are_answered() {
    let mut connection = open();
    let body = b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX: z\r\n\r\n";
    send_slowly(&mut connection, [CHUNKED, body, GET].concat().chunks(1)).await;
    let received = connection.receive(Duration::from_secs(5)).await;
    assert_eq!(received.statuses(), [200, 200]);
    assert!(!received.closed);
    let seen = connection.seen();
    assert_eq!(seen[0].body, Ok(Bytes::from_static(b"abcde")));
    assert_eq!(seen[0].trailers.as_ref().expect("trailers")["x"], "z");
    assert_eq!(connection.state.bytes_read(), (CHUNKED.len() + body.len() + GET.len()) as u64);
    assert_eq!(connection.state.bytes_written(), received.text.len() as u64);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_idle_between_answer_and_request_only() {
    let mut connection = open();
    assert!(connection.state.is_idle());
    send_slowly(&mut connection, [SLOW]).await;
    assert!(!connection.state.is_idle());
    sleep(Duration::from_secs(61)).await;
    assert!(connection.state.is_idle());
    send_slowly(&mut connection, [b"GET /".as_slice()]).await;
    assert!(!connection.state.is_idle());
    send_slowly(&mut connection, [b" HTTP/1.1\r\nHost: a.test\r\n\r\n\r\n".as_slice()]).await;
    assert!(connection.state.is_idle());
}

// === time ===

/// When the server ended the connection, and with which statuses.
async fn end_of(connection: &mut Connection, start: Instant) -> (Duration, Vec<u16>) {
    let received = connection.receive(FOREVER).await;
    assert!(received.closed);
    (start.elapsed(), received.statuses())
}

#[tokio::test(start_paused = true)]
async fn who_never_begins_is_left_without_a_word() {
    let start = Instant::now();
    let mut connection = in_time(Timeouts { head: Some(Duration::from_secs(10)), ..Timeouts::default() });
    assert_eq!(end_of(&mut connection, start).await, (Duration::from_secs(10), vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_slow_head_is_ended_however_steadily_it_drips() {
    let start = Instant::now();
    let mut connection = in_time(Timeouts { head: Some(Duration::from_secs(10)), ..Timeouts::default() });
    for byte in GET.chunks(1).take(20) {
        connection.send(byte).await;
        sleep(Duration::from_millis(500)).await;
    }
    let (at, statuses) = end_of(&mut connection, start).await;
    assert_eq!(statuses, [408]);
    assert!((10_000..10_600).contains(&at.as_millis()), "{at:?}");
    assert_eq!(connection.state.violation(), Some(Violation::HeadTimeout));
}

#[tokio::test(start_paused = true)]
async fn a_later_head_has_its_time_from_its_first_byte() {
    // The timer is set to the end of the idle time when the head begins.
    let timeouts = Timeouts { head: Some(Duration::from_secs(10)), idle: Some(Duration::from_secs(1000)), read: None };
    let mut connection = in_time(timeouts);
    send_slowly(&mut connection, [GET]).await;
    sleep(Duration::from_secs(100)).await;
    let start = Instant::now();
    send_slowly(&mut connection, [b"G".as_slice()]).await;
    let (at, statuses) = end_of(&mut connection, start).await;
    assert_eq!(statuses, [200, 408]);
    assert!((10_000..10_600).contains(&at.as_millis()), "{at:?}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_but_not_one_that_waits_for_us() {
    let mut connection = in_time(Timeouts { idle: Some(Duration::from_secs(10)), ..Timeouts::default() });
    let start = Instant::now();
    // The answer takes a minute; ten seconds after it the connection has been idle long enough.
    send_slowly(&mut connection, [SLOW]).await;
    let (at, statuses) = end_of(&mut connection, start).await;
    assert_eq!(statuses, [200]);
    assert!((70_000..70_010).contains(&at.as_millis()), "{at:?}");
    assert_eq!(connection.state.violation(), None);
}

#[tokio::test(start_paused = true)]
async fn each_answer_starts_the_idle_time_anew() {
    let mut connection = in_time(Timeouts { idle: Some(Duration::from_secs(10)), ..Timeouts::default() });
    let start = Instant::now();
    for _ in 0..5 {
        connection.send(GET).await;
        sleep(Duration::from_secs(9)).await;
    }
    let (at, statuses) = end_of(&mut connection, start).await;
    assert_eq!(statuses, [200; 5]);
    assert!((46_000..46_010).contains(&at.as_millis()), "{at:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_ended_for_its_reader() {
    let start = Instant::now();
    let timeouts = Timeouts { head: Some(Duration::from_secs(5)), read: Some(Duration::from_secs(20)), idle: None };
    let mut connection = in_time(timeouts);
    connection.send(CHUNKED).await;
    for _ in 0..19 {
        connection.send(b"1\r\nx\r\n").await;
        sleep(Duration::from_secs(1)).await;
    }
    let (at, statuses) = end_of(&mut connection, start).await;
    assert_eq!(statuses, [400]);
    assert!((20_000..20_600).contains(&at.as_millis()), "{at:?}");
    assert_eq!(connection.seen()[0].body, Err(Some(Violation::BodyTimeout)));
}

// === other protocols ===

#[tokio::test]
async fn after_the_preface_of_http_2_everything_passes() {
    let (mut client, socket) = tokio::io::duplex(1 << 10);
    let mut guard = Guard::new(socket, Limits::default(), Timeouts::default());
    let bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00\n\n\0";
    for piece in bytes.chunks(5) {
        client.write_all(piece).await.expect("room");
        let mut buf = [0; 64];
        let read = guard.read(&mut buf).await.expect("bytes");
        assert_eq!(&buf[..read], piece);
    }
    assert!(!guard.state().is_idle());
}

#[tokio::test]
async fn after_an_upgrade_everything_passes() {
    let (mut client, socket) = tokio::io::duplex(1 << 10);
    let mut guard = Guard::new(socket, Limits::default(), Timeouts::default());
    let mut buf = [0; 256];
    let head = b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    client.write_all(head).await.expect("room");
    assert_eq!(guard.read(&mut buf).await.expect("bytes"), head.len());
    drop(guard.state().answering());
    assert!(guard.state().is_idle());
    guard.state().upgraded();
    assert!(!guard.state().is_idle());
    let frame = b"\x81\x05\n\0\r\n\n";
    client.write_all(frame).await.expect("room");
    assert_eq!(guard.read(&mut buf).await.expect("bytes"), frame.len());
    assert_eq!(&buf[..frame.len()], frame);
}

#[tokio::test]
async fn an_upgrade_waits_for_the_end_of_the_body() {
    let (mut client, socket) = tokio::io::duplex(1 << 10);
    let mut guard = Guard::new(socket, Limits::default(), Timeouts::default());
    let mut buf = [0; 256];
    client.write_all(&[CHUNKED, b"2\r\na"].concat()).await.expect("room");
    assert_eq!(guard.read(&mut buf).await.expect("bytes"), CHUNKED.len() + 4);
    guard.state().upgraded();
    client.write_all(b"b\r\n0\r\n\r\n").await.expect("room");
    assert_eq!(guard.read(&mut buf).await.expect("bytes"), 8);
    client.write_all(b"\n\0").await.expect("room");
    assert_eq!(guard.read(&mut buf).await.expect("bytes"), 2);
    client.write_all(CHUNKED).await.expect("room");
    assert_eq!(guard.read(&mut buf).await.expect("bytes"), CHUNKED.len());
}

#[tokio::test(start_paused = true)]
async fn who_does_not_wait_for_the_upgrade_is_cut_off() {
    let (mut client, socket) = tokio::io::duplex(1 << 10);
    let mut guard = Guard::new(socket, Limits::default(), Timeouts::default());
    let mut buf = [0; 256];
    let head = b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    client.write_all(&[head.as_slice(), b"\x81\x01\n"].concat()).await.expect("room");
    assert_eq!(guard.read(&mut buf).await.expect("bytes"), head.len());
    guard.state().upgraded();
    assert_eq!(guard.state().violation(), Some(Violation::BareLineFeed));
    client.write_all(b"raw").await.expect("room");
    let mut rest = Vec::new();
    guard.read_to_end(&mut rest).await.expect("an end");
    assert_eq!(rest, b"\0\r\n\r\n");
}

#[tokio::test]
async fn poison_comes_in_any_buffer() {
    let (mut client, socket) = tokio::io::duplex(1 << 10);
    let mut guard = Guard::new(socket, Limits::default(), Timeouts::default());
    let mut buf = [0; 256];
    client.write_all(GET).await.expect("room");
    assert_eq!(guard.read(&mut buf).await.expect("bytes"), GET.len());
    // Unanswered, so the guard may not speak.
    client.write_all(b"\n").await.expect("room");
    let mut poison = Vec::new();
    let mut one = [0; 1];
    while guard.read(&mut one).await.expect("bytes") == 1 {
        poison.push(one[0]);
    }
    assert_eq!(poison, b"\0\r\n\r\n");
}

#[tokio::test(start_paused = true)]
async fn the_guard_speaks_only_after_all_that_was_written_is_sent() {
    for flushed in [false, true] {
        let (mut client, socket) = tokio::io::duplex(1 << 10);
        let mut guard = Guard::new(socket, Limits::default(), Timeouts::default());
        let mut buf = [0; 256];
        client.write_all(GET).await.expect("room");
        assert_eq!(guard.read(&mut buf).await.expect("bytes"), GET.len());
        guard.write_all(b"answer ").await.expect("room");
        drop(guard.state().answering());
        if flushed {
            guard.flush().await.expect("room");
        }
        client.write_all(b"\n").await.expect("room");
        let mut rest = Vec::new();
        guard.read_to_end(&mut rest).await.expect("an end");
        drop(guard);
        let mut text = String::new();
        client.read_to_string(&mut text).await.expect("text");
        assert_eq!(rest.is_empty(), flushed);
        assert_eq!(text.starts_with("answer HTTP/1.1 400 "), flushed, "{text}");
    }
}

// === the last answer ===

#[tokio::test(start_paused = true)]
async fn what_the_client_still_sends_is_taken_for_a_while() {
    let (mut client, socket) = tokio::io::duplex(64);
    let mut guard = Guard::new(socket, Limits::default(), Timeouts::default());
    let mut buf = [0; 1024];
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n";
    client.write_all(head).await.expect("room");
    assert_eq!(guard.read(&mut buf).await.expect("bytes"), head.len());
    let start = Instant::now();
    // Far more than the socket holds, and no end: sending goes through, closing is bounded.
    let sender = tokio::spawn(async move {
        client.write_all(&[b'x'; 4096]).await.expect("the server listens");
        client
    });
    guard.shutdown().await.expect("a shut down");
    assert_eq!(start.elapsed(), Duration::from_millis(500));
    sender.await.expect("a client");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_shuts_down_at_once() {
    let (client, socket) = tokio::io::duplex(64);
    let mut guard = Guard::new(socket, Limits::default(), Timeouts::default());
    let start = Instant::now();
    guard.shutdown().await.expect("a shut down");
    assert_eq!(start.elapsed(), Duration::ZERO);
    drop(client);
}
