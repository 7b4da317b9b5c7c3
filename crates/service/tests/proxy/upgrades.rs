//! Connections that stop being HTTP.

use std::time::Duration;

use tollgate_testkit::{RawClient, Upstream, wait_until};

use crate::front::Front;

const PATIENCE: Duration = Duration::from_secs(5);
const ASK: &str = "GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n";
const AGREE: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n\
                     Sec-WebSocket-Accept: y\r\n\r\n";

/// Agrees to change the protocol, greets in the same breath, and echoes.
fn echo() -> Upstream {
    Upstream::start(|peer| {
        peer.head();
        peer.send(format!("{AGREE}hello"));
        loop {
            let bytes = peer.body(4);
            if bytes.len() < 4 {
                return;
            }
            peer.send(bytes);
        }
    })
}

async fn upgraded(front: &Front) -> RawClient {
    let mut client = front.connect().await;
    let answer = client.ask(ASK).await;
    assert_eq!(answer.status(), 101);
    assert_eq!(answer.header("connection"), Some("Upgrade"));
    assert_eq!(answer.header("upgrade"), Some("WebSocket"));
    assert_eq!(answer.header("sec-websocket-accept"), Some("y"));
    client
}

#[tokio::test]
async fn both_sides_speak_the_new_protocol_through_us() {
    let upstream = echo();
    let front = Front::before(&upstream).await;
    let mut client = upgraded(&front).await;
    let request = upstream.request();
    assert_eq!(request.header("connection"), Some("Upgrade"));
    assert_eq!(request.header("upgrade"), Some("websocket"));
    assert_eq!(request.header("sec-websocket-key"), Some("x"));
    assert_eq!(client.bytes(5).await, b"hello");
    for word in ["ping", "pong"] {
        client.send(word).await;
        assert_eq!(client.bytes(4).await, word.as_bytes());
    }
    client.finish().await;
    assert_eq!(client.closed().await, b"");
    wait_until(|| upstream.open_connections() == 0, PATIENCE).await;
}

#[tokio::test]
async fn when_one_side_is_gone_so_is_the_other() {
    let upstream = echo();
    let front = Front::before(&upstream).await;
    let mut client = upgraded(&front).await;
    client.bytes(5).await;
    upstream.close();
    client.closed().await;
}

#[tokio::test]
async fn a_refused_change_of_protocol_is_an_ordinary_answer() {
    let upstream = Upstream::answering("HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno");
    let front = Front::before(&upstream).await;
    let mut client = front.connect().await;
    for _ in 0..2 {
        assert_eq!(client.ask(ASK).await.text(), "no");
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn a_change_to_another_protocol_than_was_asked_for_is_refused() {
    let upstream =
        Upstream::answering("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n");
    let front = Front::before(&upstream).await;
    let mut client = front.connect().await;
    assert_eq!(client.ask(ASK).await.status(), 502);
    wait_until(|| upstream.open_connections() == 0, PATIENCE).await;
}

#[tokio::test]
async fn nobody_is_asked_to_change_to_clear_text_http2() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let front = Front::before(&upstream).await;
    front
        .ask(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
             HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
        )
        .await;
    let request = upstream.request();
    for gone in ["connection", "upgrade", "http2-settings"] {
        assert_eq!(request.header(gone), None, "{gone}");
    }
}

#[tokio::test]
async fn a_request_with_a_body_does_not_change_the_protocol() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let front = Front::before(&upstream).await;
    front
        .ask("POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nhi")
        .await;
    let request = upstream.request();
    assert_eq!((request.header("upgrade"), request.text().as_str()), (None, "hi"));
}
