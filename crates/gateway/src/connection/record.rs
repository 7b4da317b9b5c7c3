//! The record of one exchange, handed to the observer when it is over, whatever ended it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::SystemTime;

use http::{HeaderMap, StatusCode, Version};
use smallvec::SmallVec;
use tokio::time::Instant;
use tollgate_pipeline::{Exchange, ForwardedFor, Protocol, Response, Scheme};
use tollgate_telemetry::{Finished, Head, Kept};
use tollgate_wire::Answering;

use super::Connection;
use crate::observer::{Observed, Observer};

/// What Traefik writes down for a request whose client did not wait for the answer.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// The record of one exchange. Dropping it closes it.
pub(super) struct Record {
    pub(super) exchange: Exchange,
    connection: Arc<Connection>,
    head: Head,
    status: Option<StatusCode>,
    response: Vec<Kept>,
    grpc_status: Option<u16>,
    request_bytes: Option<Arc<AtomicU64>>,
    response_bytes: u64,
    observed: Observed,
    _answering: Answering,
}

impl Record {
    /// Opens the record of a request whose head has just arrived.
    pub(super) fn new(
        connection: &Arc<Connection>,
        parts: &http::request::Parts,
        request_bytes: Option<Arc<AtomicU64>>,
    ) -> Self {
        let answering = connection.guard.answering();
        let started = Instant::now();
        connection.activity.on_request(started);
        let exchange = Exchange {
            started: started.into_std(),
            started_at: match connection.entry_point.observer {
                Some(_) => SystemTime::now(),
                // Nobody will be told.
                None => SystemTime::UNIX_EPOCH,
            },
            entry_point: Arc::clone(&connection.entry_point.options.name),
            peer: connection.peer,
            local: connection.local,
            scheme: Scheme::Http,
            protocol: protocol(parts.version),
            method: parts.method.clone(),
            target: parts.uri.clone(),
            authority: Arc::default(),
            withdrawn: None,
            forwarded_for: ForwardedFor::Append,
            router: None,
            service: None,
            upstream: None,
            limits: SmallVec::new(),
            request_bytes: 0,
        };
        Self {
            exchange,
            connection: Arc::clone(connection),
            head: Head::default(),
            status: None,
            response: Vec::new(),
            grpc_status: None,
            request_bytes,
            response_bytes: 0,
            observed: Observed::FULLY,
            _answering: answering,
        }
    }

    /// The request's header fields are what routers will see.
    pub(super) fn on_admitted(&mut self, headers: &HeaderMap) {
        if let Some(observer) = &self.connection.entry_point.observer {
            self.head = Head::of(headers, observer.wants());
        }
    }

    /// Who observes the router's requests.
    pub(super) fn set_observed(&mut self, observed: Observed) {
        self.observed = observed;
    }

    /// The head of the answer is on its way.
    pub(super) fn on_response(&mut self, response: &Response) {
        self.status = Some(response.status());
        if let Some(observer) = self.connection.entry_point.observer.as_ref().filter(|_| self.observed.by_anybody()) {
            self.response = observer.wants().response(response.headers());
            self.grpc_status = grpc_status(response.headers());
        }
    }

    /// Bytes of the answer's body are on their way.
    pub(super) fn on_sent(&mut self, bytes: usize) {
        self.response_bytes += bytes as u64;
    }

    /// The answer's trailers are on their way.
    pub(super) fn on_trailers(&mut self, trailers: &HeaderMap) {
        self.grpc_status = grpc_status(trailers).or(self.grpc_status);
    }

    /// Bytes went through a tunnel in both directions.
    pub(super) fn on_tunnelled(&mut self, from_client: u64, to_client: u64) {
        self.exchange.request_bytes += from_client;
        self.response_bytes += to_client;
    }

    fn tell(&mut self, observer: &dyn Observer, now: Instant) {
        self.exchange.request_bytes += self.request_bytes.as_ref().map_or(0, |bytes| bytes.load(Relaxed));
        let gone = StatusCode::from_u16(CLIENT_CLOSED_REQUEST).unwrap_or(StatusCode::BAD_REQUEST);
        let finished = Finished {
            exchange: &self.exchange,
            head: &self.head,
            status: self.status.unwrap_or(gone),
            response: &self.response,
            origin: &[],
            grpc_status: self.grpc_status,
            response_bytes: self.response_bytes,
            duration: now.into_std().saturating_duration_since(self.exchange.started),
        };
        observer.finished(&finished, self.observed);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let now = Instant::now();
        self.connection.activity.on_answered(now);
        if self.observed.by_anybody()
            && let Some(observer) = self.connection.entry_point.observer.clone()
        {
            self.tell(&*observer, now);
        }
    }
}

fn protocol(version: Version) -> Protocol {
    match version {
        Version::HTTP_2 => Protocol::Http2,
        Version::HTTP_11 => Protocol::Http11,
        _ => Protocol::Http10,
    }
}

fn grpc_status(headers: &HeaderMap) -> Option<u16> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}
