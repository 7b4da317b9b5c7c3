//! What the tests of one middleware need: a request, an exchange, and what came out behind it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use http::{Method, Uri};
use tollgate_pipeline::{
    Body, BoxFuture, Chain, Exchange, ForwardedFor, Handler, Middleware, Protocol, Request, Response, Scheme,
};

/// A GET request for `target`, without headers.
pub(crate) fn get(target: &str) -> Request {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = target.parse().expect("a valid target");
    request
}

/// The exchange of a request that came from 192.0.2.1 for `a.test` in clear text.
pub(crate) fn exchange() -> Exchange {
    Exchange {
        started: Instant::now(),
        started_at: SystemTime::now(),
        entry_point: Arc::from("web"),
        peer: SocketAddr::from(([192, 0, 2, 1], 40_000)),
        local: SocketAddr::from(([127, 0, 0, 1], 80)),
        scheme: Scheme::Http,
        protocol: Protocol::Http11,
        method: Method::GET,
        target: Uri::from_static("/"),
        authority: Arc::from("a.test"),
        withdrawn: None,
        forwarded_for: ForwardedFor::Append,
        router: None,
        service: None,
        upstream: None,
        limits: smallvec::SmallVec::new(),
        request_bytes: 0,
    }
}

/// What a middleware did: the request it passed on, if it did, and the answer.
pub(crate) struct Seen {
    pub(crate) request: Option<Request>,
    pub(crate) response: Response,
}

/// Runs `request` through `middleware` in front of a handler that answers 200 without headers.
pub(crate) async fn run(middleware: impl Middleware + 'static, request: Request, exchange: &mut Exchange) -> Seen {
    run_before(middleware, request, exchange, &[]).await
}

/// Runs `request` through `middleware` in front of a handler that answers 200 with `headers`.
pub(crate) async fn run_before(
    middleware: impl Middleware + 'static,
    request: Request,
    exchange: &mut Exchange,
    headers: &[(&'static str, &'static str)],
) -> Seen {
    let end = Arc::new(Recorder { seen: Mutex::new(None), headers: headers.to_vec() });
    let chain = Chain::new(vec![Arc::new(middleware)], end.clone());
    let response = chain.handle(request, exchange).await;
    let request = end.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    Seen { request, response }
}

struct Recorder {
    seen: Mutex<Option<Request>>,
    headers: Vec<(&'static str, &'static str)>,
}

impl Handler for Recorder {
    fn handle<'a>(&'a self, request: Request, _exchange: &'a mut Exchange) -> BoxFuture<'a, Response> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(request);
        let mut response = Response::new(Body::empty());
        for &(name, value) in &self.headers {
            response.headers_mut().append(name, value.parse().expect("a valid value"));
        }
        Box::pin(std::future::ready(response))
    }
}
