//! A real hyper behind a real guard, and a client that speaks bytes.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tollgate_wire::{Answering, Guard, GuardState, Limits, Timeouts, Violation};

/// What the origin handler saw of one request.
#[derive(Clone, Debug)]
pub struct Seen {
    pub target: String,
    pub headers: HeaderMap,
    /// The body with its data, or why it broke off: the guard's reason, if it was the guard.
    pub body: Result<Bytes, Option<Violation>>,
    pub trailers: Option<HeaderMap>,
}

impl Seen {
    /// How many fields say where the body ends.
    pub fn framing_fields(&self) -> usize {
        self.headers.get_all(header::CONTENT_LENGTH).iter().count()
            + self.headers.get_all(header::TRANSFER_ENCODING).iter().count()
    }
}

/// One connection: the client's end of it, and what the origin saw.
pub struct Connection {
    pub client: DuplexStream,
    pub state: Arc<GuardState>,
    pub seen: Arc<Mutex<Vec<Seen>>>,
    pub server: JoinHandle<Result<(), hyper::Error>>,
}

/// What the client received, and whether the connection was closed.
#[derive(Debug)]
pub struct Received {
    pub text: String,
    pub closed: bool,
}

impl Received {
    /// The statuses of the answers in their order.
    pub fn statuses(&self) -> Vec<u16> {
        self.text
            .match_indices("HTTP/1.1 ")
            .map(|(at, _)| self.text[at + 9..at + 12].parse().expect("a status"))
            .collect()
    }
}

/// Whether the origin tells the guard when an answer ends.
#[derive(Clone, Copy, Debug)]
pub enum Telling {
    Yes,
    Never,
}

/// Opens a connection. Targets that start with `/slow` are answered a minute after their body, the others at once.
pub fn connect(limits: Limits, timeouts: Timeouts) -> Connection {
    connect_to(Telling::Yes, limits, timeouts)
}

/// Opens a connection to an origin that may keep to itself what it answered.
pub fn connect_to(telling: Telling, limits: Limits, timeouts: Timeouts) -> Connection {
    let (client, socket) = tokio::io::duplex(1 << 20);
    let guard = Guard::new(socket, limits, timeouts);
    let state = Arc::clone(guard.state());
    let seen = Arc::<Mutex<Vec<Seen>>>::default();
    let service = {
        let (state, seen) = (Arc::clone(&state), Arc::clone(&seen));
        service_fn(move |request| {
            let answering = match telling {
                Telling::Yes => Some(state.answering()),
                Telling::Never => None,
            };
            answer(request, answering, Arc::clone(&seen))
        })
    };
    let server =
        tokio::spawn(http1::Builder::new().max_buf_size(2 << 20).serve_connection(TokioIo::new(guard), service));
    Connection { client, state, seen, server }
}

async fn answer(
    request: Request<Incoming>,
    answering: Option<Answering>,
    seen: Arc<Mutex<Vec<Seen>>>,
) -> Result<Response<Held>, Infallible> {
    let (head, body) = request.into_parts();
    let target = head.uri.to_string();
    let (body, trailers) = match body.collect().await {
        Ok(collected) => {
            let trailers = collected.trailers().cloned();
            (Ok(collected.to_bytes()), trailers)
        }
        Err(error) => (Err(violation(&error)), None),
    };
    let status = if body.is_ok() { 200 } else { 400 };
    if target.starts_with("/slow") {
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
    seen.lock().expect("the log").push(Seen { target, headers: head.headers, body, trailers });
    let body = Held { body: Full::new(Bytes::from_static(b"answer")), _answering: answering };
    Ok(Response::builder().status(status).body(body).expect("a response"))
}

/// The violation at the root of a body error.
fn violation(error: &hyper::Error) -> Option<Violation> {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(|error| error.get_ref());
        if let Some(violation) = wrapped.and_then(|error| error.downcast_ref::<Violation>()) {
            return Some(*violation);
        }
        source = error.source();
    }
    None
}

/// A body that counts as being answered until it is dropped.
struct Held {
    body: Full<Bytes>,
    _answering: Option<Answering>,
}

impl Body for Held {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}

impl Connection {
    pub async fn send(&mut self, bytes: &[u8]) {
        // A server that has had enough may close before it has all.
        let _ = self.client.write_all(bytes).await;
    }

    /// Receives until the connection is closed, or nothing came for `patience`.
    pub async fn receive(&mut self, patience: Duration) -> Received {
        let mut text = Vec::new();
        let closed = loop {
            let mut buf = [0; 4096];
            match timeout(patience, self.client.read(&mut buf)).await {
                Ok(Ok(0) | Err(_)) => break true,
                Ok(Ok(read)) => text.extend_from_slice(&buf[..read]),
                Err(_) => break false,
            }
        };
        Received { text: String::from_utf8(text).expect("text"), closed }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("the log").clone()
    }
}
