//! Whether the instance takes requests.

use http::StatusCode;
use tollgate_gateway::Lifecycle;
use tollgate_pipeline::{Body, BoxFuture, Exchange, Handler, Request, Response, respond};

use crate::answer::ready;

/// Answers `OK`; while the instance ends, a status that makes a load balancer look elsewhere. Any method will do,
/// as with Traefik.
pub struct Ping {
    lifecycle: Lifecycle,
    status: StatusCode,
}

impl Ping {
    /// A ping that answers with `status` (Traefik's `terminatingStatusCode`, 503) once the end has begun.
    pub fn new(lifecycle: Lifecycle, status: StatusCode) -> Self {
        Self { lifecycle, status }
    }
}

impl Handler for Ping {
    fn handle<'a>(&'a self, _: Request, _: &'a mut Exchange) -> BoxFuture<'a, Response> {
        ready(if self.lifecycle.is_ending() { respond::bare(self.status) } else { Response::new(Body::full("OK")) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ask, text};

    #[test]
    fn ping_says_ok_until_the_end_begins() {
        let lifecycle = Lifecycle::default();
        let ping = Ping::new(lifecycle.clone(), StatusCode::SERVICE_UNAVAILABLE);
        let response = ask(&ping, "GET", "/ping");
        assert_eq!((response.status(), text(response).as_str()), (StatusCode::OK, "OK"));
        assert_eq!(ask(&ping, "POST", "/ping").status(), StatusCode::OK);
        lifecycle.end();
        let response = ask(&ping, "GET", "/ping");
        assert_eq!(
            (response.status(), text(response).as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
        );
    }

    #[test]
    fn the_status_of_the_end_can_be_chosen() {
        let lifecycle = Lifecycle::default();
        lifecycle.end();
        let ping = Ping::new(lifecycle, StatusCode::NO_CONTENT);
        assert_eq!(ask(&ping, "GET", "/ping").status(), StatusCode::NO_CONTENT);
    }
}
