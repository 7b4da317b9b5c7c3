//! Which connections are kept, and what happens when one was closed meanwhile.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt as _;
use tollgate_pipeline::{Body, ForwardedFor, Handler as _};
use tollgate_service::{Backends, Transport};
use tollgate_testkit::{Gate, Upstream, wait_until};

use crate::front::{Front, Setup, exchange};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_connection_is_kept_after_every_complete_answer() {
    for answer in [
        OK,
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok",
    ] {
        let upstream = Upstream::answering(answer);
        let front = Front::before(&upstream).await;
        for _ in 0..3 {
            front.get("/").await;
        }
        assert_eq!(upstream.connections(), 1, "{answer}");
    }
}

#[tokio::test]
async fn a_connection_is_kept_after_large_bodies_both_ways() {
    let body = "x".repeat(1 << 20);
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let upstream = Upstream::answering(answer);
    let front = Front::before(&upstream).await;
    for _ in 0..5 {
        let length = body.len();
        let answer = front.ask(&format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")).await;
        assert_eq!(answer.body.len(), body.len());
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn a_connection_is_not_kept_when_the_backend_says_so() {
    for answer in [
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\nok",
    ] {
        let upstream = Upstream::answering(answer);
        let front = Front::before(&upstream).await;
        for _ in 0..2 {
            assert_eq!(front.get("/").await.text(), "ok");
        }
        assert_eq!(upstream.connections(), 2, "{answer}");
        wait_until(|| upstream.open_connections() == 0, PATIENCE).await;
    }
}

#[tokio::test]
async fn an_answer_until_the_end_of_the_connection_is_passed_on_whole() {
    let upstream = Upstream::start(|peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\n\r\nall of it");
    });
    let front = Front::before(&upstream).await;
    assert_eq!(front.get("/").await.text(), "all of it");
}

#[tokio::test]
async fn an_answer_nobody_reads_to_its_end_costs_the_connection() {
    let upstream = Upstream::start(|peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        peer.wait_closed();
    });
    let front = Front::before(&upstream).await;
    let mut client = front.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    client.bytes(20).await;
    drop(client);
    wait_until(|| upstream.connections() == 1 && upstream.open_connections() == 0, PATIENCE).await;
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_noticed_before_it_is_used() {
    let upstream = Upstream::start(|peer| {
        peer.request();
        peer.send(OK);
    });
    let front = Front::before(&upstream).await;
    for _ in 0..3 {
        let answer = front.ask("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi").await;
        assert_eq!(answer.status(), 200);
        wait_until(|| upstream.open_connections() == 0, PATIENCE).await;
        // The end of the connection has arrived; a turn of the runtime lets us hear of it.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(upstream.requests().len(), 3);
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_closed_here_too() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let idle = Gate::new();
    let is_idle = idle.clone();
    let backend = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 1024];
        for _ in 0..3 {
            assert!(stream.read(&mut head).unwrap() > 0);
            stream.write_all(OK.as_bytes()).unwrap();
        }
        is_idle.wait();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(stream.read(&mut head).unwrap(), 0);
    });
    let front = Setup::default().before_urls(&[url]).await;
    for _ in 0..3 {
        assert_eq!(front.get("/").await.text(), "ok");
    }
    idle.open();
    // Nothing but the end of the connection wakes anybody here.
    wait_until(|| backend.is_finished(), PATIENCE).await;
    backend.join().unwrap();
}

#[tokio::test]
async fn an_answer_that_has_begun_is_not_asked_for_again() {
    let upstream = Upstream::start(|peer| {
        peer.request();
        peer.send(OK);
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\nContent-Le");
    });
    let front = Front::before(&upstream).await;
    assert_eq!(front.get("/").await.status(), 200);
    assert_eq!(front.get("/").await.status(), 502);
    assert_eq!((upstream.requests().len(), upstream.connections()), (2, 1));
}

/// Answers the first request of its first connection, and closes that connection on the second. Any further connection
/// is a good one.
fn closing_on_the_second_request() -> Upstream {
    Upstream::start(|peer| {
        let first = peer.connection() == 0;
        while peer.request().is_some() {
            peer.send(OK);
            if first {
                peer.request();
                return;
            }
        }
    })
}

#[tokio::test]
async fn a_safe_request_is_repeated_once_when_its_kept_connection_was_closed_under_it() {
    let upstream = closing_on_the_second_request();
    let front = Front::before(&upstream).await;
    for _ in 0..2 {
        assert_eq!(front.get("/").await.status(), 200);
    }
    assert_eq!((upstream.requests().len(), upstream.connections()), (3, 2));
    let retries: Vec<u32> =
        front.exchanges().iter().map(|exchange| exchange.upstream.as_ref().unwrap().retries).collect();
    assert_eq!(retries, [0, 1]);
}

#[tokio::test]
async fn a_request_that_may_have_had_an_effect_is_never_repeated() {
    for request in [
        "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi",
        "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n",
        "DELETE / HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi",
    ] {
        let upstream = closing_on_the_second_request();
        let front = Front::before(&upstream).await;
        assert_eq!(front.ask(request).await.status(), 200);
        assert_eq!(front.ask(request).await.status(), 502, "{request}");
        assert_eq!((upstream.requests().len(), upstream.connections()), (2, 1));
    }
}

#[tokio::test]
async fn a_repeated_request_that_fails_again_is_a_failure() {
    let upstream = Upstream::start(|peer| {
        peer.request();
        if peer.connection() == 0 {
            peer.send(OK);
            peer.request();
        }
    });
    let front = Front::before(&upstream).await;
    assert_eq!(front.get("/").await.status(), 200);
    assert_eq!(front.get("/").await.status(), 502);
    assert_eq!(upstream.requests().len(), 3);
}

#[tokio::test]
async fn what_a_backend_says_unasked_is_nobodys_answer() {
    let upstream = Upstream::start(|peer| {
        while peer.request().is_some() {
            peer.send(OK);
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
        }
    });
    let front = Front::before(&upstream).await;
    for _ in 0..5 {
        assert_eq!(front.get("/").await.text(), "ok");
        wait_until(|| upstream.open_connections() == 0, PATIENCE).await;
    }
    assert_eq!(upstream.connections(), 5);
}

#[tokio::test]
async fn a_reload_keeps_the_connections_of_what_it_does_not_change() {
    let upstream = Upstream::answering(OK);
    let backends = Backends::new();
    let mut before = None;
    for _generation in 0..3 {
        let balancer = Setup::default().build(&[upstream.url()], &backends);
        let request = Request::get("/").header("host", "a.test").body(Body::empty()).unwrap();
        let peer = "127.0.0.1:5".parse().unwrap();
        let mut exchange = exchange(&request, peer, peer, ForwardedFor::Append);
        let answer = balancer.handle(request, &mut exchange).await;
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
        before = Some(balancer);
    }
    assert_eq!(upstream.connections(), 1);
    drop(before);
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_time() {
    let upstream = Upstream::answering(OK);
    let transport = Transport { idle_timeout: Duration::from_millis(20), ..Transport::default() };
    let front = Setup { transport, ..Setup::default() }.before(&upstream).await;
    for _ in 0..2 {
        front.get("/").await;
        wait_until(|| upstream.open_connections() == 0, PATIENCE).await;
    }
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn no_more_connections_wait_than_may() {
    let (all_are_here, arrived) = (Gate::new(), Arc::new(AtomicUsize::new(0)));
    let gate = all_are_here.clone();
    let upstream = Upstream::start(move |peer| {
        while peer.request().is_some() {
            if arrived.fetch_add(1, Ordering::SeqCst) == 4 {
                gate.open();
            }
            gate.wait();
            peer.send(OK);
        }
    });
    let transport = Transport { idle_per_backend: 2, ..Transport::default() };
    let front = Setup { transport, ..Setup::default() }.before(&upstream).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        let mut client = front.connect().await;
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
        clients.push(client);
    }
    for client in &mut clients {
        assert_eq!(client.answer().await.status(), 200);
    }
    assert_eq!(upstream.connections(), 5);
    wait_until(|| upstream.open_connections() == 2, PATIENCE).await;
}

#[test]
fn idle_connections_end_with_the_runtime_that_they_belong_to() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let upstream = Upstream::answering(OK);
    let first = runtime();
    first.block_on(async {
        let front = Front::before(&upstream).await;
        for _ in 0..2 {
            assert_eq!(front.get("/").await.text(), "ok");
        }
    });
    assert_eq!((upstream.connections(), upstream.open_connections()), (1, 1));
    drop(first);
    runtime().block_on(wait_until(|| upstream.open_connections() == 0, PATIENCE));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_runtime_of_many_threads_serves_as_well() {
    let upstream = Upstream::start(|peer| {
        // Every connection ends sooner or later, under one thread or another.
        for number in 0..=peer.connection() % 7 {
            let Some(request) = peer.request() else { return };
            let body = format!("{} {number}", request.target());
            peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        }
    });
    let front = Arc::new(Front::before(&upstream).await);
    let clients = (0..8).map(|client| {
        let front = Arc::clone(&front);
        tokio::spawn(async move {
            let mut connection = front.connect().await;
            for number in 0..50 {
                let path = format!("/{client}-{number}");
                let answer = connection.ask(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
                assert_eq!(answer.status(), 200);
                assert!(answer.text().starts_with(&format!("{path} ")), "{path}: {}", answer.text());
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
}
