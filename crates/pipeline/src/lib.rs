//! How a request passes.
//!
//! ```text
//! EntryPoint → Chain [ Middleware → Middleware → … ] → Handler (a service)
//! ```
//!
//! A [`Handler`] answers a request. A [`Middleware`] stands before one: it may answer itself, or pass the request on
//! with [`Next::run`] and touch what comes back. What is known of a request besides its bytes, and what will be said
//! about it in the access log, is in its [`Exchange`], written by whoever learns it and read once, at the end.
//!
//! Nothing here knows the HTTP engine: a [`Body`] is a stream of frames from wherever it comes.

pub mod alias;
mod body;
mod exchange;
mod handler;
mod middleware;
pub mod respond;
mod view;

pub use body::{Body, BodyError};
pub use exchange::{Exchange, ForwardedFor, LimitRecord, Protocol, Scheme, Upstream, Verdict, VerdictSource};
pub use handler::{Handler, Request, Response};
pub use middleware::{Chain, Middleware, Next};
pub use view::RequestView;

/// A future that is boxed once per middleware, and `Send` although a request stays on its thread.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
