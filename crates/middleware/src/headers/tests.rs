//! Traefik's `headers`, option by option.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use regex::Regex;
use tollgate_pipeline::{ForwardedFor, Scheme};

use super::security::SecurityOptions;
use super::*;
use crate::testing::{Seen, exchange, get, run, run_before};

fn edits(list: &[(&'static str, &'static str)]) -> Edits {
    list.iter().map(|(name, value)| Edit::new(HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "the options are optional")]
fn value(text: &'static str) -> Option<HeaderValue> {
    Some(HeaderValue::from_static(text))
}

fn with(headers: &[(&'static str, &'static str)]) -> Request {
    let mut request = get("/");
    for &(name, value) in headers {
        request.headers_mut().append(name, HeaderValue::from_static(value));
    }
    request
}

fn lines(headers: &HeaderMap) -> Vec<String> {
    let mut lines: Vec<_> =
        headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn request_fields_are_set_and_removed() {
    for (edit, sent, upstream) in [
        (&[("x-a", "1")][..], &[][..], &["x-a: 1"][..]),
        (&[("x-a", "1")], &[("x-a", "2"), ("x-a", "3")], &["x-a: 1"]),
        (&[("x-a", "")], &[("x-a", "2"), ("x-b", "3")], &["x-b: 3"]),
        (&[("host", "b.test")], &[("host", "a.test")], &["host: b.test"]),
        (&[("host", "")], &[("host", "a.test")], &["host: a.test"]),
        (
            &[("x-user", "me")],
            &[("x_user", "root"), ("x.user", "root"), ("x_other", "1")],
            &["x-user: me", "x_other: 1"],
        ),
        (&[("x-user", "")], &[("x_user", "root")], &[]),
    ] {
        let seen = run(Headers { request: edits(edit), ..Headers::default() }, with(sent), &mut exchange()).await;
        assert_eq!(lines(seen.request.expect("passed on").headers()), upstream, "{sent:?} under {edit:?}");
    }
}

#[tokio::test]
async fn a_removed_forwarded_chain_is_not_begun_anew() {
    for (edit, expected) in [("", ForwardedFor::Keep), ("192.0.2.9", ForwardedFor::Append)] {
        let headers = Headers { request: edits(&[("x-forwarded-for", edit)]), ..Headers::default() };
        let mut exchange = exchange();
        run(headers, with(&[("x-forwarded-for", "192.0.2.8")]), &mut exchange).await;
        assert_eq!(exchange.forwarded_for, expected, "set to {edit:?}");
    }
}

#[tokio::test]
async fn response_fields_are_set_and_removed() {
    let headers = Headers { response: edits(&[("x-a", "1"), ("server", "")]), ..Headers::default() };
    let backend = &[("x-a", "2"), ("x-a", "3"), ("server", "nginx"), ("x-b", "4")];
    let seen = run_before(headers, get("/"), &mut exchange(), backend).await;
    assert_eq!(lines(seen.response.headers()), ["x-a: 1", "x-b: 4"]);
}

// === CORS ===

fn cors() -> Cors {
    Cors {
        credentials: true,
        allow_headers: value("X-One,X-Two"),
        allow_methods: value("GET,OPTIONS,PUT"),
        origins: vec![HeaderValue::from_static("https://a.test")],
        origin_regexes: vec![Regex::new(r"^https://[a-z]+\.b\.test$").unwrap()],
        expose_headers: value("X-Origin,X-Request"),
        max_age: 600,
        vary: false,
    }
}

async fn through(cors: Cors, request: Request, backend: &[(&'static str, &'static str)]) -> Seen {
    run_before(Headers { cors: Some(cors), ..Headers::default() }, request, &mut exchange(), backend).await
}

fn preflight(headers: &[(&'static str, &'static str)]) -> Request {
    let mut request = with(headers);
    *request.method_mut() = Method::OPTIONS;
    request
}

#[tokio::test]
async fn a_preflight_is_answered_here() {
    let request = preflight(&[("origin", "https://a.test"), ("access-control-request-method", "GET")]);
    let seen = through(cors(), request, &[]).await;
    assert!(seen.request.is_none());
    assert_eq!(seen.response.status(), 200);
    assert_eq!(
        lines(seen.response.headers()),
        [
            "access-control-allow-credentials: true",
            "access-control-allow-headers: X-One,X-Two",
            "access-control-allow-methods: GET,OPTIONS,PUT",
            "access-control-allow-origin: https://a.test",
            "access-control-expose-headers: X-Origin,X-Request",
            "access-control-max-age: 600",
        ]
    );
}

#[tokio::test]
async fn what_is_no_preflight_passes() {
    let origin = ("origin", "https://a.test");
    let method = ("access-control-request-method", "GET");
    for request in [preflight(&[origin]), preflight(&[method]), with(&[origin, method])] {
        assert!(through(cors(), request, &[]).await.request.is_some());
    }
}

#[tokio::test]
async fn only_allowed_origins_are_named() {
    let any = Cors { origins: vec![HeaderValue::from_static("*")], ..cors() };
    for (cors, origin, allowed) in [
        (cors(), Some("https://a.test"), Some("https://a.test")),
        (cors(), Some("https://x.b.test"), Some("https://x.b.test")),
        (cors(), Some("https://c.test"), None),
        (cors(), None, None),
        (any.clone(), Some("https://c.test"), Some("*")),
        (any, None, Some("*")),
    ] {
        let mut request = get("/");
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", HeaderValue::from_static(origin));
        }
        let seen = through(cors, request, &[]).await;
        let named = seen.response.headers().get("access-control-allow-origin").map(|value| value.to_str().unwrap());
        assert_eq!(named, allowed, "{origin:?}");
        assert_eq!(seen.response.headers()["access-control-expose-headers"], "X-Origin,X-Request");
        assert_eq!(seen.response.headers()["access-control-allow-credentials"], "true");
    }
}

#[tokio::test]
async fn the_backends_own_origin_is_overwritten() {
    let backend = &[("access-control-allow-origin", "https://backend.test")];
    let seen = through(cors(), with(&[("origin", "https://a.test")]), backend).await;
    let named: Vec<_> = seen.response.headers().get_all("access-control-allow-origin").iter().collect();
    assert_eq!(named, ["https://a.test"]);
}

#[tokio::test]
async fn vary_names_the_origin_once() {
    for (backend, expected) in [
        (&[][..], &["vary: Origin"][..]),
        (&[("vary", "Origin")], &["vary: Origin"]),
        (&[("vary", "Accept, origin")], &["vary: Accept, origin"]),
        (&[("vary", "*")], &["vary: *"]),
        (&[("vary", "Accept")], &["vary: Accept,Origin"]),
        (&[("vary", "Accept"), ("vary", "Cookie")], &["vary: Accept,Cookie,Origin"]),
    ] {
        let seen = through(Cors { vary: true, ..Cors::default() }, get("/"), backend).await;
        assert_eq!(lines(seen.response.headers()), expected, "{backend:?}");
    }
}

// === security ===

async fn secured(options: SecurityOptions, request: Request, scheme: Scheme) -> Seen {
    let headers = Headers { security: Some(Security::new(options)), ..Headers::default() };
    let mut exchange = exchange();
    exchange.scheme = scheme;
    run_before(headers, request, &mut exchange, &[("x-frame-options", "SAMEORIGIN")]).await
}

#[tokio::test]
async fn security_headers_override_the_backend() {
    let off = SecurityOptions::default;
    let sts = || SecurityOptions { sts_seconds: 60, public_key: value("pin"), ..off() };
    let proxied = || SecurityOptions {
        ssl_proxy_headers: vec![(HeaderName::from_static("x-forwarded-proto"), HeaderValue::from_static("https"))],
        ..sts()
    };
    let same = "x-frame-options: SAMEORIGIN";
    for (options, scheme, sent, expected) in [
        (off(), Scheme::Http, &[][..], &[same][..]),
        (SecurityOptions { frame_deny: true, ..off() }, Scheme::Http, &[], &["x-frame-options: DENY"]),
        (
            SecurityOptions { frame_deny: true, custom_frame_options_value: value("ALLOW-FROM b"), ..off() },
            Scheme::Http,
            &[],
            &["x-frame-options: ALLOW-FROM b"],
        ),
        (
            SecurityOptions { content_type_nosniff: true, browser_xss_filter: true, ..off() },
            Scheme::Http,
            &[],
            &["x-content-type-options: nosniff", same, "x-xss-protection: 1; mode=block"],
        ),
        (
            SecurityOptions { browser_xss_filter: true, custom_browser_xss_value: value("0"), ..off() },
            Scheme::Http,
            &[],
            &[same, "x-xss-protection: 0"],
        ),
        (
            SecurityOptions {
                content_security_policy: value("default-src 'self'"),
                content_security_policy_report_only: value("img-src *"),
                referrer_policy: value("same-origin"),
                permissions_policy: value("camera=()"),
                ..off()
            },
            Scheme::Http,
            &[],
            &[
                "content-security-policy-report-only: img-src *",
                "content-security-policy: default-src 'self'",
                "permissions-policy: camera=()",
                "referrer-policy: same-origin",
                same,
            ],
        ),
        (sts(), Scheme::Http, &[], &[same]),
        (sts(), Scheme::Https, &[], &["public-key-pins: pin", "strict-transport-security: max-age=60", same]),
        (
            SecurityOptions { force_sts_header: true, sts_include_subdomains: true, sts_preload: true, ..sts() },
            Scheme::Http,
            &[],
            &["strict-transport-security: max-age=60; includeSubDomains; preload", same],
        ),
        (SecurityOptions { is_development: true, force_sts_header: true, ..sts() }, Scheme::Https, &[], &[same]),
        (
            proxied(),
            Scheme::Http,
            &[("x-forwarded-proto", "https")],
            &["public-key-pins: pin", "strict-transport-security: max-age=60", same],
        ),
        (proxied(), Scheme::Http, &[("x-forwarded-proto", "http")], &[same]),
    ] {
        let context = format!("{options:?} over {scheme:?}");
        let seen = secured(options, with(sent), scheme).await;
        assert_eq!(lines(seen.response.headers()), expected, "{context}");
    }
}

#[tokio::test]
async fn only_allowed_hosts_may_be_asked_for() {
    let allowed =
        || SecurityOptions { allowed_hosts: vec!["a.test".into(), "b.test:8080".into()], ..Default::default() };
    let proxied =
        || SecurityOptions { hosts_proxy_headers: vec![HeaderName::from_static("x-forwarded-host")], ..allowed() };
    for (options, sent, status) in [
        (allowed(), &[("host", "a.test")][..], 200),
        (allowed(), &[("host", "A.Test")], 200),
        (allowed(), &[("host", "b.test:8080")], 200),
        (allowed(), &[("host", "b.test")], 500),
        (allowed(), &[("host", "evil.test"), ("x-forwarded-host", "a.test")], 500),
        (proxied(), &[("host", "evil.test"), ("x-forwarded-host", "a.test")], 200),
        (proxied(), &[("host", "a.test"), ("x-forwarded-host", "evil.test")], 500),
        (proxied(), &[("host", "a.test")], 200),
        (SecurityOptions { is_development: true, ..allowed() }, &[("host", "evil.test")], 200),
    ] {
        let seen = secured(options, with(sent), Scheme::Http).await;
        assert_eq!(seen.response.status(), status, "{sent:?}");
        assert_eq!(seen.request.is_some(), status == 200, "{sent:?}");
    }
}

#[tokio::test]
async fn a_custom_header_overrides_a_security_header() {
    let headers = Headers {
        response: edits(&[("x-frame-options", "ALLOWALL")]),
        security: Some(Security::new(SecurityOptions { frame_deny: true, ..Default::default() })),
        ..Headers::default()
    };
    let seen = run(headers, get("/"), &mut exchange()).await;
    assert_eq!(seen.response.headers()["x-frame-options"], "ALLOWALL");
}
