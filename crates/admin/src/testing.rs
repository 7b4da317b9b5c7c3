//! Asking handlers in tests.

use std::sync::{Arc, LazyLock};
use std::time::{Instant, SystemTime};

use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use smallvec::SmallVec;
use tokio::runtime::Runtime;
use tollgate_gateway::Resources;
use tollgate_pipeline::{Body, BoxFuture, Exchange, Handler, Protocol, Request, Response, Scheme};
use tollgate_service::Backends;
use tollgate_store::{Clock, MemoryOptions, Stores};

use crate::answer::ready;

/// The answer of `handler`, asked by the name of this machine.
pub(crate) fn ask(handler: &dyn Handler, method: &str, target: &str) -> Response {
    ask_host(handler, method, target, "localhost:8080")
}

pub(crate) fn ask_host(handler: &dyn Handler, method: &str, target: &str, host: &str) -> Response {
    let request = http::Request::builder().method(method).uri(target).body(Body::empty()).expect("a request");
    let mut exchange = Exchange { authority: host.into(), ..exchange() };
    handler.handle(request, &mut exchange).now_or_never().expect("nothing here waits")
}

/// Resources without anything in them. What is started in their background never runs.
pub(crate) fn resources(clock: Clock) -> Arc<Resources> {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| tokio::runtime::Builder::new_current_thread().build().expect("a runtime"));
    let stores = Stores::new(MemoryOptions::default(), clock, RUNTIME.handle().clone());
    Arc::new(Resources { stores, backends: Backends::new(), seed: 0 })
}

/// A request that nobody has looked at.
pub(crate) fn exchange() -> Exchange {
    Exchange {
        started: Instant::now(),
        started_at: SystemTime::now(),
        entry_point: "traefik".into(),
        peer: ([127, 0, 0, 1], 40000).into(),
        local: ([127, 0, 0, 1], 8080).into(),
        scheme: Scheme::Http,
        protocol: Protocol::Http11,
        method: http::Method::GET,
        target: http::Uri::from_static("/"),
        authority: "localhost".into(),
        withdrawn: None,
        forwarded_for: tollgate_pipeline::ForwardedFor::default(),
        router: None,
        service: None,
        upstream: None,
        limits: SmallVec::new(),
        request_bytes: 0,
    }
}

/// The body of an answer.
pub(crate) fn text(response: Response) -> String {
    let body = response.into_body().collect().now_or_never().expect("nothing here waits").expect("a body");
    String::from_utf8(body.to_bytes().to_vec()).expect("text")
}

/// Answers everything with 200.
pub(crate) struct Echo;

impl Handler for Echo {
    fn handle<'a>(&'a self, _: Request, _: &'a mut Exchange) -> BoxFuture<'a, Response> {
        ready(Response::new(Body::empty()))
    }
}
