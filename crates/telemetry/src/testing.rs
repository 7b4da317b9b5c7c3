//! Exchanges for tests.

use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use smallvec::SmallVec;
use tollgate_pipeline::{Exchange, LimitRecord, Protocol, Scheme, Upstream, Verdict, VerdictSource};

use crate::{Finished, Head, Kept, Wants};

/// A request for `/p?x=1` of a.example that nobody has answered yet.
pub(crate) fn exchange() -> Exchange {
    Exchange {
        started: Instant::now(),
        started_at: UNIX_EPOCH + Duration::new(1_795_465_585, 250_634_217),
        entry_point: "web".into(),
        peer: ([127, 0, 0, 1], 58328).into(),
        local: ([127, 0, 0, 1], 8000).into(),
        scheme: Scheme::Http,
        protocol: Protocol::Http11,
        method: Method::GET,
        target: "/p?x=1&y=%22".parse().expect("a target"),
        authority: "a.example".into(),
        withdrawn: None,
        forwarded_for: tollgate_pipeline::ForwardedFor::default(),
        router: None,
        service: None,
        upstream: None,
        limits: SmallVec::new(),
        request_bytes: 0,
    }
}

/// The same, routed to a backend that answered.
pub(crate) fn proxied() -> Exchange {
    Exchange {
        router: Some("api@file".into()),
        service: Some("s@file".into()),
        upstream: Some(Upstream {
            url: "http://user:pw@127.0.0.1:9391".into(),
            address: "127.0.0.1:9391".into(),
            status: Some(StatusCode::OK),
            duration: Duration::from_nanos(621_422),
            retries: 0,
        }),
        ..exchange()
    }
}

/// The same, refused by a limit.
pub(crate) fn refused() -> Exchange {
    Exchange {
        router: Some("api@file".into()),
        limits: SmallVec::from_iter([record("api-limit@file", Verdict::Deny, Some(0))]),
        ..exchange()
    }
}

pub(crate) fn record(limit: &str, verdict: Verdict, remaining: Option<u64>) -> LimitRecord {
    LimitRecord { limit: Arc::from(limit), key: "127.0.0.1".into(), verdict, source: VerdictSource::Store, remaining }
}

/// What was remembered of an exchange besides.
#[derive(Default)]
pub(crate) struct Rest {
    pub(crate) head: Head,
    pub(crate) response: Vec<Kept>,
}

impl Rest {
    pub(crate) fn of(wants: &Wants, request: &HeaderMap, response: &HeaderMap) -> Self {
        Self { head: Head::of(request, wants), response: wants.response(response) }
    }

    pub(crate) fn finished<'a>(&'a self, exchange: &'a Exchange, status: u16, response_bytes: u64) -> Finished<'a> {
        Finished {
            exchange,
            head: &self.head,
            status: StatusCode::from_u16(status).expect("a status"),
            response: &self.response,
            origin: &[],
            grpc_status: None,
            response_bytes,
            duration: Duration::from_nanos(1_746_879),
        }
    }
}

pub(crate) fn headers(fields: &[(&'static str, &'static [u8])]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for &(name, value) in fields {
        headers.append(name, HeaderValue::from_bytes(value).expect("a value"));
    }
    headers
}
