//! Whether the instance takes requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use http::StatusCode;
use tollgate_pipeline::{Body, BoxFuture, Exchange, Handler, Request, Response, respond};

use crate::answer::ready;

/// Whether the instance is about to end. Whoever ends it says so; ping tells it to the load balancer in front.
#[derive(Debug, Clone, Default)]
pub struct Terminating(Arc<AtomicBool>);

impl Terminating {
    /// From now on.
    pub fn begin(&self) {
        self.0.store(true, Relaxed);
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// Answers `OK`; while the instance ends, a status that makes a load balancer look elsewhere. Any method will do,
/// as with Traefik.
pub struct Ping {
    terminating: Terminating,
    status: StatusCode,
}

impl Ping {
    /// A ping that answers with `status` (Traefik's `terminatingStatusCode`, 503) once the end has begun.
    pub fn new(terminating: Terminating, status: StatusCode) -> Self {
        Self { terminating, status }
    }
}

impl Handler for Ping {
    fn handle<'a>(&'a self, _: Request, _: &'a mut Exchange) -> BoxFuture<'a, Response> {
        ready(if self.terminating.has_begun() { respond::bare(self.status) } else { Response::new(Body::full("OK")) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ask, text};

    #[test]
    fn ping_says_ok_until_the_end_begins() {
        let terminating = Terminating::default();
        let ping = Ping::new(terminating.clone(), StatusCode::SERVICE_UNAVAILABLE);
        let response = ask(&ping, "GET", "/ping");
        assert_eq!((response.status(), text(response).as_str()), (StatusCode::OK, "OK"));
        assert_eq!(ask(&ping, "POST", "/ping").status(), StatusCode::OK);
        terminating.begin();
        let response = ask(&ping, "GET", "/ping");
        assert_eq!(
            (response.status(), text(response).as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
        );
    }

    #[test]
    fn the_status_of_the_end_can_be_chosen() {
        let terminating = Terminating::default();
        terminating.begin();
        let ping = Ping::new(terminating, StatusCode::NO_CONTENT);
        assert_eq!(ask(&ping, "GET", "/ping").status(), StatusCode::NO_CONTENT);
    }
}
