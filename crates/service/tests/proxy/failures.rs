//! What a client is told when a backend does not answer.

use std::time::Duration;

use tollgate_service::Transport;
use tollgate_testkit::{Upstream, free_port, wait_until};

use crate::front::{Front, Setup};

#[tokio::test]
async fn a_service_without_servers_says_so() {
    let front = Setup::default().before_urls(&[]).await;
    let answer = front.get("/").await;
    assert_eq!((answer.status(), answer.text().as_str()), (503, "no available server\n"));
}

#[tokio::test]
async fn a_refused_connection_is_a_bad_gateway() {
    let front = Setup::default().before_urls(&[format!("http://127.0.0.1:{}", free_port())]).await;
    let answer = front.get("/").await;
    assert_eq!((answer.status(), answer.text().as_str()), (502, "Bad Gateway"));
    let exchanges = front.exchanges();
    assert_eq!(exchanges[0].upstream.as_ref().unwrap().status, None);
}

#[tokio::test]
async fn a_connection_closed_without_an_answer_is_a_bad_gateway_and_not_repeated() {
    let upstream = Upstream::start(|peer| {
        peer.request();
    });
    let front = Front::before(&upstream).await;
    assert_eq!(front.get("/").await.status(), 502);
    assert_eq!(upstream.requests().len(), 1, "a fresh connection is not stale");
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_a_bad_gateway() {
    let front = Setup::default().before_urls(&["http://does-not-exist.invalid".to_owned()]).await;
    assert_eq!(front.get("/").await.status(), 502);
}

#[tokio::test]
async fn a_silent_backend_is_a_gateway_timeout() {
    let upstream = Upstream::start(|peer| {
        peer.request();
        peer.wait_closed();
    });
    let transport = Transport { answer_timeout: Duration::from_millis(20), ..Transport::default() };
    let front = Setup { transport, ..Setup::default() }.before(&upstream).await;
    let answer = front.get("/").await;
    assert_eq!((answer.status(), answer.text().as_str()), (504, "Gateway Timeout"));
    wait_until(|| upstream.open_connections() == 0, Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_slow_upload_is_not_a_silent_backend() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let transport = Transport { answer_timeout: Duration::from_millis(300), ..Transport::default() };
    let front = Setup { transport, ..Setup::default() }.before(&upstream).await;
    let mut client = front.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\n").await;
    for byte in ["s", "l", "o", "w"] {
        tokio::time::sleep(Duration::from_millis(100)).await;
        client.send(byte).await;
    }
    assert_eq!(client.answer().await.text(), "ok");
}

#[tokio::test]
async fn nobody_gets_a_tunnel_through_a_backend() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let front = Front::before(&upstream).await;
    assert_eq!(front.ask("CONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\n\r\n").await.status(), 501);
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_request_with_it() {
    let upstream = Upstream::start(|peer| {
        peer.request();
        peer.wait_closed();
    });
    let front = Front::before(&upstream).await;
    let mut client = front.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    wait_until(|| upstream.requests().len() == 1, Duration::from_secs(5)).await;
    drop(client);
    wait_until(|| upstream.open_connections() == 0, Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_malformed_body_is_the_clients_fault_and_costs_the_backends_connection() {
    let upstream = Upstream::start(|peer| {
        peer.head();
        peer.wait_closed();
    });
    let front = Front::before(&upstream).await;
    let mut client = front.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n").await;
    assert_eq!(client.answer().await.status(), 400);
    wait_until(|| upstream.connections() == 1 && upstream.open_connections() == 0, Duration::from_secs(5)).await;
}
