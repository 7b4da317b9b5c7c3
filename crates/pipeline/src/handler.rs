//! Something that answers.

use crate::{Body, BoxFuture, Exchange};

/// A request on its way upstream.
pub type Request = http::Request<Body>;
/// An answer on its way to the client.
pub type Response = http::Response<Body>;

/// Answers a request: a load balancer, the API, a page that says nothing was found.
///
/// A handler does not fail. What goes wrong upstream is an answer too (502, 504, …), so that everything in front of
/// it (headers, access log, metrics) sees one kind of outcome.
pub trait Handler: Send + Sync {
    /// Answers `request`, and writes what the access log should know into `exchange`.
    fn handle<'a>(&'a self, request: Request, exchange: &'a mut Exchange) -> BoxFuture<'a, Response>;
}
