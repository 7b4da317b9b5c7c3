//! For ears on this machine only.

use std::net::IpAddr;
use std::sync::Arc;

use http::StatusCode;
use tollgate_pipeline::{BoxFuture, Exchange, Handler, Request, Response, respond};
use tollgate_rule::canonical;

use crate::answer::ready;

/// Passes on only requests that come from this machine and name it by a loopback name or address in `Host`.
///
/// What listens on the loopback address is out of reach of the network, but not of a page in a browser on this
/// machine: a name of the attacker's that resolves to 127.0.0.1 makes the browser take the two for one site. Such a
/// request names the attacker's host. Only `localhost`, names below it and loopback addresses are answered, with any
/// port; all others get 403.
pub struct LoopbackOnly(Arc<dyn Handler>);

impl LoopbackOnly {
    /// `handler`, for ears on this machine only.
    pub fn new(handler: Arc<dyn Handler>) -> Self {
        Self(handler)
    }
}

impl Handler for LoopbackOnly {
    fn handle<'a>(&'a self, request: Request, exchange: &'a mut Exchange) -> BoxFuture<'a, Response> {
        if is_from_this_machine(exchange) {
            self.0.handle(request, exchange)
        } else {
            ready(respond::text(StatusCode::FORBIDDEN, "403 only loopback names and addresses are answered here"))
        }
    }
}

/// Whether a request comes from this machine, and not out of a page that calls it by a name of its own.
pub(crate) fn is_from_this_machine(exchange: &Exchange) -> bool {
    is_loopback_address(exchange.peer_ip()) && is_loopback(&exchange.authority)
}

fn is_loopback(authority: &str) -> bool {
    let host = canonical::host(authority);
    let name = host.strip_suffix('.').unwrap_or(&host);
    name == "localhost" || name.ends_with(".localhost") || name.parse().is_ok_and(is_loopback_address)
}

fn is_loopback_address(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Echo, ask_host};

    #[test]
    fn only_loopback_names_are_answered() {
        let handler = LoopbackOnly::new(Arc::new(Echo));
        for (host, status) in [
            ("localhost", 200),
            ("LocalHost:8080", 200),
            ("api.localhost:8080", 200),
            ("127.0.0.1:8080", 200),
            ("127.8.9.1", 200),
            ("[::1]:8080", 200),
            ("[::ffff:127.0.0.1]", 200),
            ("localhost.", 200),
            ("", 403),
            ("evil.example", 403),
            ("evil.example:8080", 403),
            ("localhost.evil.example", 403),
            ("notlocalhost", 403),
            ("10.0.0.1", 403),
            ("127.0.0.1.evil.example", 403),
            ("user@localhost", 403),
        ] {
            assert_eq!(ask_host(&handler, "GET", "/api/version", host).status(), status, "{host:?}");
        }
    }
}
