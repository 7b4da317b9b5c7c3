//! Sending a request to a backend and receiving its answer, over HTTP/1.1.
//!
//! A [`Client`] belongs to one backend. Its connections stay on the thread that opened them, and so do those that wait
//! for their next request: nothing on the way of a request is shared between threads. That suits one runtime per
//! thread; on a runtime of many threads it is correct too, but finds idle connections less often.
//!
//! This file and those below it are the only ones that know the HTTP engine's client.

mod answer;
mod error;
mod local;
mod outgoing;
mod pool;
mod repeat;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{HeaderMap, Method, Request, Response, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tollgate_pipeline::Body;

pub use self::answer::{Flaw, Tunnel, Upgrade};
pub use self::error::SendError;
use self::error::causes;
pub use self::local::{Stats, stats};
use self::outgoing::{Gate, Outgoing, OutgoingError};
use self::pool::{Bounds, Key};
use self::repeat::Repeat;

/// Sends requests to one backend. Cheap to clone; clones share their idle connections.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

struct Shared {
    key: Key,
    address: Arc<str>,
    transport: Transport,
}

/// How connections to backends are made and kept. The defaults are Traefik's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Transport {
    /// How long a connection may take to be made.
    pub dial_timeout: Duration,
    /// How long the head of an answer may take once the request was sent; zero waits for ever.
    pub answer_timeout: Duration,
    /// How long a connection waits for its next request.
    pub idle_timeout: Duration,
    /// How many connections of one backend may wait, on each thread.
    pub idle_per_backend: usize,
    /// How long the body of a request with `Expect: 100-continue` is held back when the backend says nothing.
    pub continue_timeout: Duration,
}

impl Default for Transport {
    fn default() -> Self {
        Self {
            dial_timeout: Duration::from_secs(30),
            answer_timeout: Duration::ZERO,
            idle_timeout: Duration::from_secs(90),
            idle_per_backend: 200,
            continue_timeout: Duration::from_secs(1),
        }
    }
}

/// What came back.
pub struct Answer {
    /// The backend's answer, its connection-specific fields still in it. A `101` carries an [`Upgrade`].
    pub response: Response<Body>,
    /// How often the request was sent again because a kept connection turned out to be closed.
    pub retries: u32,
}

// === impl Client ===

impl Client {
    /// A client for the backend at `address`: a host or IP address (IPv6 in brackets), a colon and a port.
    pub fn new(address: impl Into<Arc<str>>, transport: Transport) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let key = Key(NEXT.fetch_add(1, Ordering::Relaxed));
        Self(Arc::new(Shared { key, address: address.into(), transport }))
    }

    /// The backend's host and port.
    pub fn address(&self) -> &Arc<str> {
        &self.0.address
    }

    /// Sends `request` and waits for the head of the answer; its body follows as it arrives.
    ///
    /// The target must be in origin form and `Host` be set. Framing is written here, from what the body is; the other
    /// fields go out as they are.
    ///
    /// A kept connection may have been closed by the backend in the moment the request was sent. Then it is sent once
    /// more, on a fresh connection, if none of it was written, or if it has no body and its method is safe (RFC 9110
    /// §9.2.2; Go's transport does the same). Anything else is never sent twice.
    pub async fn send(&self, mut request: Request<Body>) -> Result<Answer, SendError> {
        let present = Present::in_(request.headers());
        frame(&mut request, present);
        let asked = if present.upgrade { request.headers().get(header::UPGRADE).cloned() } else { None };
        let gate = if present.expect { Gate::before(&mut request, self.0.transport.continue_timeout) } else { None };
        let request = request.map(|body| Outgoing::new(body, gate.clone()));
        let Exchanged { response, connection, retries } = match self.0.transport.answer_timeout {
            Duration::ZERO => self.exchange(request).await?,
            // What is seldom taken is boxed, so that every request is not as large as the largest of its ways.
            timeout => Box::pin(self.exchange_within(timeout, request)).await?,
        };
        answer::check(&response, asked.as_ref())
            .map_err(|reason| SendError::Invalid { address: self.0.address.clone(), reason })?;
        let lease = Lease { client: self.clone(), connection };
        Ok(Answer { response: answer::receive(response, lease, gate), retries })
    }

    /// The time runs from the moment the request was sent: how long its body takes is the client's affair.
    async fn exchange_within(&self, timeout: Duration, mut request: Request<Outgoing>) -> Result<Exchanged, SendError> {
        let sent = request.body_mut().when_sent();
        let too_late = async {
            sent.await;
            tokio::time::sleep(timeout).await;
        };
        tokio::select! {
            biased;
            received = self.exchange(request) => received,
            () = too_late => Err(SendError::AnswerTimeout { address: self.0.address.clone(), timeout }),
        }
    }

    async fn exchange(&self, request: Request<Outgoing>) -> Result<Exchanged, SendError> {
        let Some(mut kept) = local::take(self.0.key) else {
            return Box::pin(self.exchange_afresh(request, 0)).await;
        };
        let repeat = Repeat::of(&request);
        match kept.try_send_request(request).await {
            Ok(response) => Ok(Exchanged { response, connection: kept, retries: 0 }),
            Err(mut failure) => match failure.take_message().or_else(|| repeat.map(Repeat::into_request)) {
                Some(request) if !failure.error().is_parse() => Box::pin(self.exchange_afresh(request, 1)).await,
                _ => Err(self.failed(failure.into_error())),
            },
        }
    }

    async fn exchange_afresh(&self, request: Request<Outgoing>, retries: u32) -> Result<Exchanged, SendError> {
        let mut connection = self.connect().await?;
        let response = connection.send_request(request).await.map_err(|error| self.failed(error))?;
        Ok(Exchanged { response, connection, retries })
    }

    async fn connect(&self) -> Result<Connection, SendError> {
        let address = &self.0.address;
        let timeout = self.0.transport.dial_timeout;
        let refused = |source| SendError::Connect { address: address.clone(), source };
        let stream = tokio::time::timeout(timeout, TcpStream::connect(&**address))
            .await
            .map_err(|_| SendError::ConnectTimeout { address: address.clone(), timeout })?
            .map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE)).map_err(refused)?;
        let (sender, connection) = http1::Builder::new()
            .title_case_headers(true)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.failed(error))?;
        local::on_dial();
        // It ends when the sender is dropped, here or in the pool, and what is on its way has arrived or broken. What
        // it has to say of a failure it says to the request.
        tokio::spawn(async move { connection.with_upgrades().await });
        Ok(sender)
    }

    fn failed(&self, error: hyper::Error) -> SendError {
        let address = self.0.address.clone();
        if error.is_parse() {
            return SendError::Invalid { address, reason: Flaw::Malformed(error.to_string()) };
        }
        // The engine reports an error of the request's body as its own, with ours as the cause.
        let outgoing = causes(&error).find_map(|cause| cause.downcast_ref::<OutgoingError>());
        let cause = outgoing.and_then(OutgoingError::take);
        match cause {
            Some(cause) => SendError::RequestBody(cause),
            None => SendError::Broken { address, source: error.into() },
        }
    }
}

type Connection = http1::SendRequest<Outgoing>;
type Received = Response<hyper::body::Incoming>;

/// A request was sent, and the head of its answer received.
struct Exchanged {
    response: Received,
    connection: Connection,
    retries: u32,
}

impl pool::Reusable for Connection {
    fn is_ready(&self) -> bool {
        http1::SendRequest::is_ready(self)
    }
}

/// A connection whose answer is still arriving. Dropped, it is closed.
struct Lease {
    client: Client,
    connection: Connection,
}

impl Lease {
    /// The answer was read to its end: the connection is kept, unless one of the two sides said otherwise, or the
    /// request is still being sent.
    fn give_back(self) {
        let Self { client, connection } = self;
        if pool::Reusable::is_ready(&connection) {
            let transport = &client.0.transport;
            let bounds = Bounds {
                per_backend: transport.idle_per_backend,
                total: IDLE_PER_THREAD,
                timeout: transport.idle_timeout,
            };
            local::put(client.0.key, connection, bounds);
        }
    }
}

/// Which of the fields that concern the client a request has, found in one look at each name: nearly always none.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field that may be there")]
struct Present {
    framing: bool,
    trailer: bool,
    upgrade: bool,
    expect: bool,
}

impl Present {
    fn in_(headers: &HeaderMap) -> Self {
        let mut present = Self::default();
        for name in headers.keys() {
            match *name {
                header::CONTENT_LENGTH | header::TRANSFER_ENCODING => present.framing = true,
                header::TRAILER => present.trailer = true,
                header::UPGRADE => present.upgrade = true,
                header::EXPECT => present.expect = true,
                _ => {}
            }
        }
        present
    }
}

/// Exactly one framing field goes out, and it says what the body is, whatever the request said.
fn frame(request: &mut Request<Body>, present: Present) {
    let body = request.body();
    let length = if body.is_empty() { Some(0) } else { http_body::Body::size_hint(body).exact() };
    let wants_length = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
    let headers = request.headers_mut();
    if present.framing {
        headers.remove(header::TRANSFER_ENCODING);
        headers.remove(header::CONTENT_LENGTH);
    }
    match length {
        Some(0) if !wants_length => {}
        Some(length) => {
            headers.insert(header::CONTENT_LENGTH, length.into());
        }
        None => {
            headers.insert(header::TRANSFER_ENCODING, http::HeaderValue::from_static("chunked"));
        }
    }
    if present.trailer && length.is_some() {
        headers.remove(header::TRAILER);
    }
}

/// After how much silence the kernel asks whether the backend's machine is still there, as Traefik has it.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// How many connections may wait on one thread, for all backends together.
const IDLE_PER_THREAD: usize = 2048;
