//! Who may change something.
//!
//! Reading is guarded by where the API listens and by what browsers share between sites; changing is done by the
//! request itself, whoever reads the answer. So a request that changes something must not come out of a web page of
//! another site, and must come through a door that somebody meant to open.

use http::{HeaderMap, header};
use tollgate_pipeline::Exchange;

use crate::loopback::is_from_this_machine;

/// Why a request may not change anything, if it may not.
pub(super) fn objection(headers: &HeaderMap, exchange: &Exchange) -> Option<&'static str> {
    if is_cross_site(headers, &exchange.authority) {
        return Some("a web page of another site may not change anything here");
    }
    if !is_by_a_door_of_theirs(exchange) && !is_from_this_machine(exchange) {
        return Some(
            "the entry point of api.insecure lets only this machine change something, by a loopback name; \
             for others make a router to api@internal, with a middleware that says who may use it",
        );
    }
    None
}

/// Whether a browser sent the request on behalf of a page from elsewhere.
///
/// Browsers say so themselves (Fetch Metadata, `Sec-Fetch-Site`), but only to servers they trust: over TLS or on this
/// machine. Elsewhere every browser names the page in the `Origin` of a `POST`. Who sends neither is no browser, and
/// nobody's page can make it send something. A form, an image or a `fetch` without CORS carries both fields as well,
/// so that no field of our own has to be asked for. (Go's `http.CrossOriginProtection` decides alike.)
fn is_cross_site(headers: &HeaderMap, authority: &str) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").iter().peekable();
    if sites.peek().is_some() {
        // `none`: somebody asked for it by himself. `same-site` is a neighbour, and need not be a friend.
        return !sites.all(|site| site == "same-origin" || site == "none");
    }
    headers.get_all(header::ORIGIN).iter().any(|origin| {
        let host = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
        // `null`, and what cannot be read, is nobody we know.
        host.is_none_or(|host| !host.eq_ignore_ascii_case(authority))
    })
}

/// Whether the request came by a router that somebody wrote, and could have put a middleware before. The routers of
/// `api.insecure` are ours, and know nobody.
fn is_by_a_door_of_theirs(exchange: &Exchange) -> bool {
    exchange.router.as_deref().is_some_and(|router| !router.ends_with("@internal"))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;
    use crate::testing::exchange;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        fields.iter().map(pair).collect()
    }

    #[test]
    fn a_page_of_another_site_changes_nothing() {
        for (fields, refused) in [
            (&[][..], false),
            (&[("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("sec-fetch-site", "")], true),
            (&[("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")], true),
            // A proxy in front may have changed the host, but not what the browser says of itself.
            (&[("sec-fetch-site", "same-origin"), ("origin", "https://admin.example")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "http://localhost:8080")], true),
            (&[("origin", "http://localhost:8080")], false),
            (&[("origin", "https://LOCALHOST:8080")], false),
            (&[("origin", "http://localhost")], true),
            (&[("origin", "http://localhost:8081")], true),
            (&[("origin", "http://evil.example")], true),
            (&[("origin", "http://localhost:8080.evil.example")], true),
            (&[("origin", "null")], true),
            (&[("origin", "")], true),
            (&[("origin", "http://localhost:8080"), ("origin", "http://evil.example")], true),
        ] {
            let exchange = Exchange { authority: "localhost:8080".into(), ..exchange() };
            assert_eq!(objection(&headers(fields), &exchange).is_some(), refused, "{fields:?}");
        }
    }

    #[test]
    fn a_network_changes_something_only_by_a_router_that_somebody_wrote() {
        for (router, peer, host, refused) in [
            (Some("api@internal"), [127, 0, 0, 1], "localhost:8080", false),
            (Some("api@internal"), [10, 0, 0, 1], "localhost:8080", true),
            (Some("api@internal"), [127, 0, 0, 1], "evil.example", true),
            (None, [10, 0, 0, 1], "10.0.0.2:8080", true),
            (Some("mine@file"), [10, 0, 0, 1], "admin.example", false),
        ] {
            let exchange = Exchange {
                router: router.map(Into::into),
                peer: (peer, 40000).into(),
                authority: host.into(),
                ..exchange()
            };
            assert_eq!(objection(&HeaderMap::new(), &exchange).is_some(), refused, "{router:?} {peer:?} {host}");
        }
    }
}
