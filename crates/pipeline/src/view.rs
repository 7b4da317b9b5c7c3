//! A request as the rule language and the limiter see it.

use std::borrow::Cow;
use std::net::IpAddr;

use http::HeaderMap;

use crate::{Exchange, Request};

/// A borrowed view of a request: what rules match on and what limits key on.
pub struct RequestView<'a> {
    request: &'a Request,
    withdrawn: Option<&'a HeaderMap>,
    peer: IpAddr,
    host: Cow<'a, str>,
    path: Cow<'a, str>,
}

impl<'a> RequestView<'a> {
    /// The view of `request` in `exchange`.
    pub fn new(request: &'a Request, exchange: &'a Exchange) -> Self {
        Self {
            request,
            withdrawn: exchange.withdrawn.as_deref(),
            peer: exchange.peer_ip(),
            host: tollgate_rule::canonical::host(&exchange.authority),
            path: tollgate_rule::canonical::routing_path(request.uri().path()),
        }
    }

    /// The canonical host of the request: no port, lower case; empty when there is none.
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl tollgate_rule::Request for RequestView<'_> {
    fn host(&self) -> &str {
        &self.host
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn method(&self) -> &str {
        self.request.method().as_str()
    }

    fn client_ip(&self) -> Option<IpAddr> {
        Some(self.peer)
    }

    fn header_any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.request.headers().get_all(name).iter().any(|value| test(value.as_bytes()))
    }

    fn query_any(&self, key: &str, test: &mut dyn FnMut(&str) -> bool) -> bool {
        let query = self.request.uri().query().unwrap_or_default();
        tollgate_rule::canonical::query(query).any(|(name, value)| name == key && test(&value))
    }
}

impl tollgate_limiter::Attributes for RequestView<'_> {
    fn peer(&self) -> IpAddr {
        self.peer
    }

    fn host(&self) -> &str {
        // `a.test.` is the same host, written out to the root.
        self.host.strip_suffix('.').unwrap_or(&self.host)
    }

    fn header(&self, name: &str) -> Option<&[u8]> {
        self.request.headers().get(name).or_else(|| self.withdrawn?.get(name)).map(http::HeaderValue::as_bytes)
    }
}
