//! What stands before a handler.

use std::sync::Arc;

use crate::{BoxFuture, Exchange, Handler, Request, Response};

/// One link of a chain: answers itself, or passes the request on and may touch what comes back.
pub trait Middleware: Send + Sync {
    /// Handles `request`; `next` is the rest of the chain.
    fn handle<'a>(&'a self, request: Request, exchange: &'a mut Exchange, next: Next<'a>) -> BoxFuture<'a, Response>;
}

/// The rest of a chain, and what answers at its end. Running it consumes it; a middleware that asks twice (a retry)
/// copies it first.
#[derive(Clone, Copy)]
pub struct Next<'a> {
    links: &'a [Arc<dyn Middleware>],
    end: &'a dyn Handler,
}

impl<'a> Next<'a> {
    /// Passes the request on.
    pub fn run(self, request: Request, exchange: &'a mut Exchange) -> BoxFuture<'a, Response> {
        match self.links.split_first() {
            Some((link, links)) => link.handle(request, exchange, Next { links, end: self.end }),
            None => self.end.handle(request, exchange),
        }
    }
}

/// Middlewares in order, and the handler behind them.
pub struct Chain {
    links: Vec<Arc<dyn Middleware>>,
    end: Arc<dyn Handler>,
}

impl Chain {
    /// A chain that asks `links` in order and then `end`.
    pub fn new(links: Vec<Arc<dyn Middleware>>, end: Arc<dyn Handler>) -> Self {
        Self { links, end }
    }
}

impl Handler for Chain {
    fn handle<'a>(&'a self, request: Request, exchange: &'a mut Exchange) -> BoxFuture<'a, Response> {
        Next { links: &self.links, end: &*self.end }.run(request, exchange)
    }
}
