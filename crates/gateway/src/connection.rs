//! Serves one connection.
//!
//! This module and the ones below it are the only downstream files that know hyper. Around hyper stands the guard of
//! `tollgate-wire`, which lets only unambiguous HTTP/1 through and keeps the time; what HTTP/2 needs besides is
//! checked here.

mod activity;
mod admission;
mod body;
mod first_bytes;
mod record;
mod upgrade;

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt as _;
use http::header::{CONNECTION, HeaderValue};
use http::{StatusCode, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use tollgate_pipeline::{Handler as _, Request, RequestView, Response, respond};
use tollgate_wire::{Guard, GuardState, Limits, Timeouts};

use crate::census::Seat;
use crate::entry_point::EntryPoint;
use crate::forwarded::Arrival;
use activity::{Activity, Alarm};
use admission::{Admission, KnownHost};
use body::{Incoming as RequestBody, Outgoing};
use first_bytes::{Rewound, Spoken};
use record::Record;
use upgrade::Tunnel;

/// How long a connection that has not said anything may still do so once the end has begun: its first request may be
/// on its way, and the client would take the loss of it for an error.
const FIRST_WORD: Duration = Duration::from_millis(500);

/// HTTP/2 (RFC 9113 §6.5.2): what fields of one request may take in all, decoded.
const MAX_HEADER_LIST: u32 = 64 << 10;

/// Bytes of one HTTP/2 stream that may wait for the client to take them. A client that takes nothing has as many streams
/// as it may open filled to here.
const MAX_UNSENT: usize = 64 << 10;

/// How often a silent HTTP/2 client is asked whether it is still there, and how long it may take to say so.
const PING: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(20));

/// One connection, as its requests see it.
pub(super) struct Connection {
    entry_point: Arc<EntryPoint>,
    peer: SocketAddr,
    local: SocketAddr,
    /// Whether the peer's forwarding headers are believed.
    trusted: bool,
    /// The peer's address as text.
    peer_text: HeaderValue,
    guard: Arc<GuardState>,
    opened: Instant,
    requests: AtomicU32,
    /// The host that was asked for last; nearly always the one that is asked for next.
    known_host: Mutex<Option<Arc<KnownHost>>>,
    /// Where the request that was answered with 101 leaves what becomes of the connection. It is not left here, because
    /// it holds a record, and the record holds the connection.
    tunnel: Mutex<Option<oneshot::Sender<Tunnel>>>,
    activity: Activity,
}

/// Serves `stream` until it ends. The future is to be spawned as it is, because the task it is first polled in is the
/// one that is woken when `seat` is asked to leave.
pub(super) async fn serve<S>(
    stream: S,
    peer: SocketAddr,
    local: SocketAddr,
    entry_point: Arc<EntryPoint>,
    mut seat: Seat,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let options = &entry_point.options;
    let limits = Limits { head_bytes: options.max_header_bytes as usize, ..Limits::default() };
    let timeouts = Timeouts { head: options.timeouts.head, idle: options.timeouts.idle, read: options.timeouts.read };
    let guard = Guard::new(stream, limits, timeouts);
    let state = Arc::clone(guard.state());
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let (leave_tunnel, tunnel) = oneshot::channel();
    let connection = Arc::new(Connection {
        trusted: entry_point.forwarded.trusts(peer.ip()),
        peer_text: HeaderValue::try_from(peer.ip().to_string()).expect("an address is printable ASCII"),
        peer,
        local: SocketAddr::new(local.ip().to_canonical(), local.port()),
        guard: state,
        opened: Instant::now(),
        requests: AtomicU32::new(0),
        known_host: Mutex::new(None),
        tunnel: Mutex::new(Some(leave_tunnel)),
        activity: Activity::new(),
        entry_point,
    });
    if let Some((spoken, stream)) = first_word(guard, &mut seat).await {
        match spoken {
            Spoken::Http1 => {
                if http1(stream, &connection, &mut seat).await
                    && let Ok(tunnel) = { tunnel }.try_recv()
                {
                    tunnel.run().await;
                }
            }
            Spoken::Http2 => http2(stream, &connection, &mut seat).await,
        }
    }
    if let (Some(observer), Some(violation)) = (&connection.entry_point.observer, connection.guard.violation()) {
        observer.violation(&connection.entry_point.options.name, violation);
    }
}

/// Waits for the first bytes; not for long once the end has begun.
async fn first_word<S>(guard: Guard<S>, seat: &mut Seat) -> Option<(Spoken, Rewound<Guard<S>>)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut first = pin!(first_bytes::read(guard));
    let early = poll_fn(|cx| match first.as_mut().poll(cx) {
        Poll::Ready(read) => Poll::Ready(Some(read)),
        Poll::Pending if seat.is_draining(cx) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    let read = match early.await {
        Some(read) => read,
        None => timeout(FIRST_WORD, first).await.ok()?,
    };
    read.ok().flatten()
}

/// Serves HTTP/1 and returns whether it ended in peace.
async fn http1<S>(stream: Rewound<Guard<S>>, connection: &Arc<Connection>, seat: &mut Seat) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer = service_fn(|request| answered(Arc::clone(connection), request));
    let options = &connection.entry_point.options;
    let http = hyper::server::conn::http1::Builder::new()
        .title_case_headers(true)
        .half_close(false)
        .header_read_timeout(None)
        // The guard is the one who refuses a head that is too large.
        .max_buf_size((options.max_header_bytes as usize).saturating_add(64 << 10))
        .serve_connection(TokioIo::new(stream), answer);
    let mut http = pin!(http.with_upgrades());
    let mut leaving = false;
    let mut patience = options.timeouts.write.map(Alarm::answering);
    let ended = poll_fn(|cx| {
        if let Poll::Ready(ended) = http.as_mut().poll(cx) {
            return Poll::Ready(ended.is_ok());
        }
        // Asked before its first request, hyper would close at once, and that request may be half here.
        if !leaving && seat.is_draining(cx) && connection.requests.load(Ordering::Relaxed) > 0 {
            leaving = true;
            http.as_mut().graceful_shutdown();
            if let Poll::Ready(ended) = http.as_mut().poll(cx) {
                return Poll::Ready(ended.is_ok());
            }
        }
        match patience.as_mut().map(|patience| patience.poll(cx, &connection.activity)) {
            Some(Poll::Ready(())) => Poll::Ready(false),
            _ => Poll::Pending,
        }
    });
    ended.await
}

async fn http2<S>(stream: Rewound<Guard<S>>, connection: &Arc<Connection>, seat: &mut Seat)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let served = Arc::clone(connection);
    let answer = service_fn(move |request| answered(Arc::clone(&served), request));
    let options = &connection.entry_point.options;
    let mut http = pin!(
        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(options.max_concurrent_streams)
            .max_header_list_size(options.max_header_bytes.min(MAX_HEADER_LIST))
            .max_send_buf_size(MAX_UNSENT)
            .keep_alive_interval(PING.0)
            .keep_alive_timeout(PING.1)
            .serve_connection(TokioIo::new(stream), answer)
    );
    let mut leaving = false;
    let mut idle = options.timeouts.idle.map(Alarm::quiet);
    poll_fn(|cx| {
        if !leaving {
            let quiet = idle.as_mut().is_some_and(|idle| idle.poll(cx, &connection.activity).is_ready());
            if quiet || seat.is_draining(cx) {
                leaving = true;
                http.as_mut().graceful_shutdown();
            }
        }
        http.as_mut().poll(cx)
    })
    .await
    .unwrap_or_default();
}

async fn answered(
    connection: Arc<Connection>,
    request: http::Request<Incoming>,
) -> Result<http::Response<Outgoing>, Infallible> {
    Ok(connection.answer(request).await)
}

impl Connection {
    async fn answer(self: Arc<Self>, request: http::Request<Incoming>) -> http::Response<Outgoing> {
        let version = request.version();
        self.requests.fetch_add(1, Ordering::Relaxed);
        let (mut parts, body) = request.into_parts();
        let client = upgrade::take(&mut parts.extensions);
        let (body, counter) = RequestBody::of(body);
        let mut record = Box::new(Record::new(&self, &parts, counter));

        let mut response = match self.admit(&mut parts, &mut record, body.is_empty()) {
            Ok(()) => self.route(Request::from_parts(parts, body), &mut record).await,
            Err(refusal) => refuse(refusal, version),
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            match client.and_then(|client| Tunnel::new(client, &mut response)) {
                Some(tunnel) => return self.change_protocol(response, tunnel, *record),
                // Nobody asked for it.
                None => response = respond::bare(StatusCode::BAD_GATEWAY),
            }
        }
        if version != Version::HTTP_2 {
            self.close_if_due(&mut response, &record);
        }
        record.on_response(&response);
        response.map(|body| Outgoing::new(body, record))
    }

    /// Makes of what arrived what routers may see.
    fn admit(
        &self,
        parts: &mut http::request::Parts,
        record: &mut Record,
        is_bodyless: bool,
    ) -> Result<(), admission::Refusal> {
        let exchange = &mut record.exchange;
        let options = &self.entry_point.options;
        let host = Admission { options, known: &self.known_host }.admit(parts)?;
        let arrival = Arrival {
            trusted: self.trusted,
            peer: &self.peer_text,
            port: host.as_ref().and_then(|host| host.port()),
            scheme: exchange.scheme,
            upgradable: is_bodyless && parts.version == Version::HTTP_11,
        };
        exchange.withdrawn = self.entry_point.forwarded.apply(&mut parts.headers, arrival);
        exchange.forwarded_for = self.entry_point.forwarded.forwarded_for();
        if let Some(host) = host {
            exchange.authority = Arc::clone(host.authority());
        }
        record.on_admitted(&parts.headers);
        Ok(())
    }

    async fn route(&self, request: Request, record: &mut Record) -> Response {
        let route = {
            let runtime = self.entry_point.runtime.load();
            let view = RequestView::new(&request, &record.exchange);
            runtime.select(self.entry_point.number, &view).cloned()
        };
        let Some(route) = route else {
            return respond::not_found();
        };
        record.exchange.router = Some(Arc::clone(&route.name));
        record.set_observed(route.observed);
        // The call itself is inside too: much of a middleware's work is done before it returns its future.
        let answer = async { route.chain.handle(request, &mut record.exchange).await };
        let answer = AssertUnwindSafe(answer).catch_unwind().await;
        answer.unwrap_or_else(|_| self.on_panic())
    }

    fn on_panic(&self) -> Response {
        if let Some(observer) = &self.entry_point.observer {
            observer.panicked(&self.entry_point.options.name);
        }
        respond::text(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
    }

    /// Says that this answer is the last if the connection has had enough requests, or is old enough.
    fn close_if_due(&self, response: &mut Response, record: &Record) {
        let options = &self.entry_point.options;
        let requests = self.requests.load(Ordering::Relaxed);
        let enough = options.keep_alive_max_requests > 0 && requests >= options.keep_alive_max_requests;
        let old =
            options.keep_alive_max_time.is_some_and(|most| record.exchange.started >= self.opened.into_std() + most);
        if enough || old || self.guard.violation().is_some() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }

    /// Lets go of HTTP: from here on both sides talk through us.
    fn change_protocol(&self, mut response: Response, tunnel: Tunnel, mut record: Record) -> http::Response<Outgoing> {
        self.guard.upgraded();
        record.on_response(&response);
        if let Some(leave) = self.tunnel.lock().take() {
            // Whoever would take it is gone when the connection is.
            let _ = leave.send(tunnel.recorded_by(record));
        }
        *response.body_mut() = tollgate_pipeline::Body::empty();
        response.map(Outgoing::unrecorded)
    }
}

/// What cannot be understood in one way may be followed by what cannot either.
fn refuse(refusal: admission::Refusal, version: Version) -> Response {
    let mut response = respond::bare(refusal.status);
    if version != Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
