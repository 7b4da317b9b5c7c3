//! HTTP/2 in clear text, by prior knowledge.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tollgate_testkit::Upstream;

use crate::harness::{Running, everything_to, start};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\nok";

async fn connect(running: &Running) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(running.address()).await.unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn ask(target: &str, fields: &[(&str, &str)], body: &'static str) -> Request<Full<Bytes>> {
    let mut request = Request::post(target);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(Full::from(body)).unwrap()
}

#[tokio::test]
async fn requests_of_one_connection_pass_side_by_side() {
    let upstream = Upstream::answering(OK);
    let running = start(&everything_to(&upstream.url(), ""));
    let sender = connect(&running).await;
    let asks = (0..20).map(|number| {
        let mut sender = sender.clone();
        async move {
            let request = ask(&format!("http://a.test/{number}"), &[("cookie", "a=1"), ("cookie", "b=2")], "hello");
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            assert!(!response.headers().contains_key("keep-alive"));
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");
        }
    });
    futures_util::future::join_all(asks).await;
    let requests = upstream.requests();
    assert_eq!(requests.len(), 20);
    for request in requests {
        assert_eq!(request.header("host"), Some("a.test"));
        assert_eq!(request.header("cookie"), Some("a=1; b=2"));
        assert_eq!(request.header("x-forwarded-proto"), Some("http"));
        assert_eq!(request.body, b"hello");
        assert!(request.start.ends_with(" HTTP/1.1"));
    }
}

/// R42, R73
#[tokio::test]
async fn a_request_has_one_authority() {
    let upstream = Upstream::answering(OK);
    let running = start(&everything_to(&upstream.url(), ""));
    let mut sender = connect(&running).await;
    for (fields, status) in [
        (&[("host", "a.test")][..], 200),
        (&[("host", "b.test")], 400),
        (&[("host", "a.test"), ("host", "a.test")], 400),
    ] {
        let response = sender.send_request(ask("http://a.test/", fields, "")).await.unwrap();
        assert_eq!(response.status(), status, "{fields:?}");
    }
    assert_eq!(upstream.requests().len(), 1);
}

/// R42: what HTTP/1 would read as another message ends the stream, and nothing reaches the backend.
#[tokio::test]
async fn fields_that_are_none_reset_the_stream() {
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const GOAWAY: u8 = 7;
    let literal = |name: &str, value: &str| {
        [&[0, name.len() as u8], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat()
    };
    // :method GET, :scheme http, :path /, :authority a.test
    let pseudo = [&[0x82, 0x86, 0x84, 0x41, 6][..], b"a.test"].concat();
    let upstream = Upstream::answering(OK);
    let running = start(&everything_to(&upstream.url(), ""));
    for (name, value) in [
        ("x-a", "1\r\nx-b: 2"),
        ("x-a", "1\nx-b: 2"),
        ("x-a", "1\0"),
        ("X-A", "1"),
        ("", "1"),
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        ("te", "gzip"),
        (":path", "/two"),
    ] {
        let block = [pseudo.clone(), literal(name, value)].concat();
        let frame = [&[0, 0, block.len() as u8, HEADERS, 5, 0, 0, 0, 1][..], &block].concat();
        let mut stream = TcpStream::connect(running.address()).await.unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        stream.write_all(&frame).await.unwrap();
        let ended_by = loop {
            let mut head = [0; 9];
            // A connection that ends has said enough.
            if stream.read_exact(&mut head).await.is_err() {
                break GOAWAY;
            }
            let length = usize::from(head[1]) << 8 | usize::from(head[2]);
            let mut payload = vec![0; length];
            stream.read_exact(&mut payload).await.unwrap();
            match head[3] {
                HEADERS => panic!("{name:?}: {value:?} was answered"),
                RST_STREAM | GOAWAY => break head[3],
                _ => {}
            }
        };
        assert!(matches!(ended_by, RST_STREAM | GOAWAY));
    }
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn trailers_come_through() {
    let upstream = Upstream::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Grpc-Status\r\n\r\n2\r\nok\r\n0\r\nGrpc-Status: 0\r\n\r\n",
    );
    let running = start(&everything_to(&upstream.url(), ""));
    let mut sender = connect(&running).await;
    let response = sender.send_request(ask("http://a.test/", &[("te", "trailers")], "hi")).await.unwrap();
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(body.to_bytes(), "ok");
}
