//! Sending a request to a backend and receiving its answer, over HTTP/1.1.
//!
//! A [`Client`] belongs to one backend. Its connections stay on the thread that opened them, and so do those that wait
//! for their next request: nothing on the way of a request is shared between threads. That suits one runtime per
//! thread; on a runtime of many threads it is correct too, but finds idle connections less often.
//!
//! ```text
//! Outgoing, encoder   a request → bytes           ┐
//! head, decoder       bytes → an answer           ├ Exchange, Arriving: driven by whoever waits for them
//! Connection          bytes from and to a socket  ┘
//! local, Pool         exchanges between two requests
//! ```

mod answer;
mod connection;
mod decoder;
mod encoder;
mod error;
mod exchange;
mod head;
pub mod law;
mod local;
mod outgoing;
mod pool;
mod sending;

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{Request, Response};
use tollgate_pipeline::Body;

pub use self::answer::{Flaw, Tunnel, Upgrade};
use self::connection::Connection;
pub use self::error::SendError;
use self::exchange::{Exchange, Failure};
pub use self::local::{Stats, stats};
use self::outgoing::Outgoing;
use self::pool::{Bounds, Key};

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
    /// fields go out as they are. Extensions are not looked at.
    ///
    /// A kept connection may have been closed by the backend in the moment the request was sent. Then it is sent once
    /// more, on a fresh connection, if none of it was written, or if it has no body and its method is safe (RFC 9110
    /// §9.2.2; Go's transport does the same). Anything else is never sent twice.
    #[expect(
        clippy::manual_async_fn,
        reason = "what a block takes over is in it once, a parameter of a function twice"
    )]
    pub fn send(&self, request: Request<Body>) -> impl Future<Output = Result<Answer, SendError>> + Send + '_ {
        // What is seldom taken is boxed, so that every request is not as large as the largest of its ways.
        async move {
            let (mut exchange, mut may_be_stale) = match local::take(self.0.key) {
                Some(exchange) => (exchange, true),
                None => {
                    (Exchange::on(Box::pin(self.dial()).await?, Outgoing::new(Vec::with_capacity(USUAL_HEAD))), false)
                }
            };
            exchange.begin(request, &self.0.transport);
            let mut retries = 0;
            loop {
                match poll_fn(|cx| exchange.poll_head(cx)).await {
                    Ok(head) => {
                        let response = answer::receive(self, exchange, head);
                        return Ok(Answer { response, retries });
                    }
                    Err(failure) if may_be_stale && exchange.may_repeat(&failure) => {
                        exchange.repeat_on(Box::pin(self.dial()).await?);
                        (may_be_stale, retries) = (false, 1);
                    }
                    Err(failure) => return Err(self.failed(failure)),
                }
            }
        }
    }

    async fn dial(&self) -> Result<Connection, SendError> {
        let address = &self.0.address;
        let timeout = self.0.transport.dial_timeout;
        let connection = tokio::time::timeout(timeout, Connection::dial(address))
            .await
            .map_err(|_| SendError::ConnectTimeout { address: address.clone(), timeout })?
            .map_err(|source| SendError::Connect { address: address.clone(), source })?;
        local::on_dial();
        Ok(connection)
    }

    /// Keeps a connection on which everything was said for the next request.
    fn keep(&self, mut exchange: Box<Exchange>) {
        exchange.rest();
        let transport = &self.0.transport;
        let bounds =
            Bounds { per_backend: transport.idle_per_backend, total: IDLE_PER_THREAD, timeout: transport.idle_timeout };
        local::put(self.0.key, exchange, bounds);
    }

    fn failed(&self, failure: Failure) -> SendError {
        let address = self.0.address.clone();
        match failure {
            Failure::RequestBody(error) => SendError::RequestBody(error),
            Failure::Silent(source) | Failure::Broken(source) => SendError::Broken { address, source },
            Failure::Invalid(reason) => SendError::Invalid { address, reason },
            Failure::TimedOut => SendError::AnswerTimeout { address, timeout: self.0.transport.answer_timeout },
        }
    }
}

/// Room for the head of a usual request.
const USUAL_HEAD: usize = 1 << 10;

/// How many connections may wait on one thread, for all backends together.
const IDLE_PER_THREAD: usize = 2048;
