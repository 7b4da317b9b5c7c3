//! The end, in order; and what is too much.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::net::TcpStream;
use tollgate_gateway::{EntryPointOptions, Gateway, GatewayOptions, Lifecycle, RuntimeHandle, StartError};
use tollgate_testkit::{Gate, RawClient, Upstream, wait_until};

use crate::harness::{PATIENCE, everything_to, start, start_options, start_with};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const ASK: &str = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

/// A backend that answers when it may.
fn held_back() -> (Upstream, Gate, Gate) {
    let (begun, release) = (Gate::new(), Gate::new());
    let (tell, released) = (begun.clone(), release.clone());
    let upstream = Upstream::start(move |peer| {
        while peer.request().is_some() {
            tell.open();
            released.wait();
            peer.send(OK);
        }
    });
    (upstream, begun, release)
}

async fn opened(gate: Gate) {
    tokio::task::spawn_blocking(move || gate.wait()).await.unwrap();
}

#[tokio::test]
async fn answers_in_flight_finish_and_idle_connections_close() {
    let (upstream, begun, release) = held_back();
    let running = start(&everything_to(&upstream.url(), ""));
    let (address, lifecycle) = (running.address(), running.lifecycle.clone());
    let (mut busy, mut fresh) = (running.connect().await, running.connect().await);
    busy.send(ASK).await;
    opened(begun).await;
    assert!(!lifecycle.is_ending());

    let ending = tokio::spawn(running.gateway.shutdown());
    wait_until(|| lifecycle.is_ending(), PATIENCE).await;
    refused(address).await;
    assert!(!ending.is_finished());
    // Whoever was connected may still say his first word.
    fresh.send(ASK).await;
    release.open();
    for client in [&mut busy, &mut fresh] {
        let answer = client.answer().await;
        assert_eq!((answer.status(), &answer.body[..]), (200, &b"ok"[..]));
        assert_eq!(answer.header("connection").map(str::to_ascii_lowercase).as_deref(), Some("close"));
        assert_eq!(client.closed().await, b"");
    }
    ending.await.unwrap();
}

async fn refused(address: SocketAddr) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while TcpStream::connect(address).await.is_ok() {
        assert!(tokio::time::Instant::now() < deadline, "connections are still accepted");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn idle_connections_do_not_hold_the_end_up() {
    let upstream = Upstream::answering(OK);
    let running = start_with(&everything_to(&upstream.url(), ""), |web| {
        web.life_cycle.grace = Duration::from_secs(3600);
    });
    let (mut kept, mut silent) = (running.connect().await, running.connect().await);
    assert_eq!(kept.ask(ASK).await.status(), 200);
    tokio::time::timeout(PATIENCE, running.gateway.shutdown()).await.unwrap();
    assert_eq!(kept.closed().await, b"");
    assert_eq!(silent.closed().await, b"");
}

#[tokio::test]
async fn what_outlasts_the_grace_is_cut() {
    let (upstream, begun, _release) = held_back();
    let running = start_with(&everything_to(&upstream.url(), ""), |web| {
        web.life_cycle.grace = Duration::from_millis(100);
    });
    let mut client = running.connect().await;
    client.send(ASK).await;
    opened(begun).await;
    tokio::time::timeout(PATIENCE, running.gateway.shutdown()).await.unwrap();
    assert_eq!(client.closed().await, b"");
}

#[tokio::test]
async fn requests_are_taken_during_the_first_grace() {
    let upstream = Upstream::answering(OK);
    let running = start_with(&everything_to(&upstream.url(), ""), |web| {
        web.life_cycle.accept_grace = Duration::from_millis(500);
    });
    let (address, lifecycle) = (running.address(), running.lifecycle.clone());
    let ending = tokio::spawn(running.gateway.shutdown());
    wait_until(|| lifecycle.is_ending(), PATIENCE).await;
    assert_eq!(RawClient::connect(address).await.ask(ASK).await.status(), 200);
    ending.await.unwrap();
    refused(address).await;
}

#[tokio::test]
async fn http2_connections_are_told_to_go() {
    use http_body_util::{BodyExt as _, Empty};
    use hyper_util::rt::{TokioExecutor, TokioIo};

    let (upstream, begun, release) = held_back();
    let running = start(&everything_to(&upstream.url(), ""));
    let stream = TcpStream::connect(running.address()).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = http::Request::get("http://a.test/").body(Empty::<bytes::Bytes>::new()).unwrap();
    let answer = tokio::spawn(sender.send_request(request));
    opened(begun).await;
    let ending = tokio::spawn(running.gateway.shutdown());
    wait_until(|| sender.is_closed() || running.lifecycle.is_ending(), PATIENCE).await;
    release.open();
    let answer = answer.await.unwrap().unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
    ending.await.unwrap();
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_dropped_gateway_is_gone() {
    let upstream = Upstream::answering(OK);
    let running = start(&everything_to(&upstream.url(), ""));
    let address = running.address();
    let mut client = running.connect().await;
    assert_eq!(client.ask(ASK).await.status(), 200);
    drop(running);
    assert_eq!(client.closed().await, b"");
    refused(address).await;
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let running = start("");
    let options = GatewayOptions {
        entry_points: vec![EntryPointOptions::new("other", running.address())],
        threads: NonZeroUsize::new(1),
        max_connections: None,
    };
    let started = Gateway::start(options, &RuntimeHandle::default(), Lifecycle::default(), None);
    let Err(StartError::Listen { entry_point, address, source }) = started else { panic!("it listens") };
    assert_eq!((&*entry_point, address), ("other", running.address()));
    assert_eq!(source.kind(), std::io::ErrorKind::AddrInUse);
}

/// R133
#[tokio::test]
async fn what_is_too_much_is_shed_and_the_others_are_served() {
    let upstream = Upstream::answering(OK);
    let options = GatewayOptions {
        entry_points: vec![EntryPointOptions::new("web", SocketAddr::from(([127, 0, 0, 1], 0)))],
        threads: NonZeroUsize::new(2),
        max_connections: Some(3),
    };
    let running = start_options(&everything_to(&upstream.url(), ""), options);
    let mut served = Vec::new();
    for _ in 0..3 {
        let mut client = running.connect().await;
        assert_eq!(client.ask(ASK).await.status(), 200);
        served.push(client);
    }
    for _ in 0..20 {
        assert_eq!(running.connect().await.closed().await, b"");
    }
    for client in &mut served {
        assert_eq!(client.ask(ASK).await.status(), 200);
    }
    assert_eq!(running.seen.told().shed, 20);
    served.pop();
    running.seen.until(|told| told.closed == 1).await;
    assert_eq!(running.get("/", "").await.status(), 200);
}
