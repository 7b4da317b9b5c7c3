//! `ipAllowList`: only lets requests from listed addresses through.

use http::StatusCode;
use tollgate_limiter::{AddressSet, Criterion};
use tollgate_pipeline::{BoxFuture, Exchange, Middleware, Next, Request, RequestView, Response, respond};

/// Refuses requests whose client is not on the list (Traefik's `ipAllowList`).
///
/// Where a limit counts by the peer when the forwarded chain is too short or no address, this refuses: the peer is
/// one's own proxy then, and most likely on the list.
#[derive(Debug)]
pub struct IpAllowList {
    /// Who may pass (`sourceRange`).
    pub allowed: AddressSet,
    /// Where the client's address is found (`ipStrategy`).
    pub strategy: Criterion,
    /// What the others are told (`rejectStatusCode`).
    pub refusal: StatusCode,
}

impl IpAllowList {
    fn allows(&self, request: &Request, exchange: &Exchange) -> bool {
        let client = self.strategy.address(&RequestView::new(request, exchange));
        client.is_some_and(|address| self.allowed.contains(address))
    }
}

impl Middleware for IpAllowList {
    fn handle<'a>(&'a self, request: Request, exchange: &'a mut Exchange, next: Next<'a>) -> BoxFuture<'a, Response> {
        if self.allows(&request, exchange) {
            next.run(request, exchange)
        } else {
            Box::pin(std::future::ready(respond::bare(self.refusal)))
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::testing::{exchange, get, run};

    const REMOTE: Criterion = Criterion::RemoteAddress { ipv6_subnet: None };
    const DEPTH_2: Criterion = Criterion::ForwardedDepth { depth: 2, ipv6_subnet: None };

    async fn ask(allowed: &[&str], strategy: Criterion, peer: &str, chain: Option<&str>) -> Response {
        let list =
            IpAllowList { allowed: AddressSet::parse(allowed).unwrap(), strategy, refusal: StatusCode::FORBIDDEN };
        let mut request = get("/");
        if let Some(chain) = chain {
            request.headers_mut().insert("x-forwarded-for", chain.parse().unwrap());
        }
        let mut exchange = exchange();
        exchange.peer.set_ip(peer.parse().unwrap());
        run(list, request, &mut exchange).await.response
    }

    #[tokio::test]
    async fn who_is_on_the_list_passes() {
        let excluding = || Criterion::ForwardedExcluding { excluded: AddressSet::parse(&["10.0.0.0/8"]).unwrap() };
        let subnet = Criterion::RemoteAddress { ipv6_subnet: Some(64) };
        for (allowed, strategy, peer, chain, expected) in [
            ("20.20.20.20", REMOTE, "20.20.20.20", None, 200),
            ("20.20.20.20", REMOTE, "20.20.20.21", None, 403),
            ("20.20.20.0/24", REMOTE, "20.20.20.21", None, 200),
            ("20.20.20.20", REMOTE, "10.0.0.1", Some("20.20.20.20"), 403),
            ("20.20.20.20", REMOTE, "20.20.20.20", Some("10.0.0.1"), 200),
            ("2001:db8::/32", REMOTE, "2001:db8::1", None, 200),
            ("2001:db8:0:1::", subnet, "2001:db8:0:1::7", None, 200),
            ("20.20.20.20", DEPTH_2, "10.0.0.1", Some("20.20.20.20,10.0.0.2"), 200),
            ("20.20.20.20", DEPTH_2, "10.0.0.1", Some("20.20.20.21,10.0.0.2"), 403),
            ("10.0.0.0/8", DEPTH_2, "10.0.0.1", None, 403),
            ("10.0.0.0/8", DEPTH_2, "10.0.0.1", Some("10.0.0.2"), 403),
            ("10.0.0.0/8", DEPTH_2, "10.0.0.1", Some("garbage,10.0.0.2"), 403),
            ("20.20.20.20", excluding(), "10.0.0.1", Some("20.20.20.20, 10.0.0.2"), 200),
            ("10.0.0.0/8", excluding(), "10.0.0.1", Some("10.0.0.3, 10.0.0.2"), 403),
            ("0.0.0.0/0", excluding(), "10.0.0.1", Some("20.20.20.20, garbage, 10.0.0.2"), 403),
        ] {
            let context = format!("{allowed} asked by {peer} with {chain:?} under {strategy:?}");
            let response = ask(&[allowed], strategy, peer, chain).await;
            assert_eq!(response.status(), expected, "{context}");
        }
    }

    #[tokio::test]
    async fn a_refusal_is_the_name_of_its_status() {
        let response = ask(&["20.20.20.20"], REMOTE, "10.0.0.1", None).await;
        assert!(response.headers().is_empty());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "Forbidden");
    }
}
