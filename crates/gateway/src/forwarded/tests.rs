//! Traefik's facts about forwarded headers, and the hazards around them.

use tollgate_limiter::AddressSet;

use super::*;

const PEER: &str = "10.0.1.101";

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn lines(headers: &HeaderMap) -> Vec<String> {
    let mut lines: Vec<_> =
        headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    lines.sort();
    lines
}

/// Who asks, and how.
struct Ask {
    options: ForwardedOptions,
    peer: &'static str,
    scheme: Scheme,
    upgradable: bool,
}

const fn nobody() -> ForwardedOptions {
    ForwardedOptions { insecure: false, trusted: None, connection: Vec::new(), not_append_forwarded_for: false }
}

fn insecure() -> ForwardedOptions {
    ForwardedOptions { insecure: true, ..nobody() }
}

fn trusting(list: &str) -> ForwardedOptions {
    ForwardedOptions { trusted: Some(AddressSet::parse(&[list]).unwrap()), ..nobody() }
}

impl Ask {
    fn new(options: ForwardedOptions) -> Self {
        Self { options, peer: PEER, scheme: Scheme::Http, upgradable: true }
    }

    fn apply(self, fields: &[(&str, &str)]) -> (HeaderMap, Option<Box<HeaderMap>>) {
        let stage = Forwarded::new(self.options, "gateway");
        let mut headers = headers(fields);
        let port = headers
            .get(HOST)
            .and_then(|host| host.to_str().ok()?.rsplit_once(':'))
            .map(|(_, port)| port.parse().unwrap());
        let arrival = Arrival {
            trusted: stage.trusts(self.peer.parse().unwrap()),
            peer: &HeaderValue::from_str(self.peer).unwrap(),
            port: port.as_ref(),
            scheme: self.scheme,
            upgradable: self.upgradable,
        };
        let withdrawn = stage.apply(&mut headers, arrival);
        (headers, withdrawn)
    }

    fn see(self, fields: &[(&str, &str)]) -> HeaderMap {
        self.apply(fields).0
    }
}

/// What is written when nothing was there.
const OURS: [&str; 4] =
    ["x-forwarded-port: 80", "x-forwarded-proto: http", "x-forwarded-server: gateway", "x-real-ip: 10.0.1.101"];

const CLAIMED: &[(&str, &str)] = &[
    ("x-forwarded-for", "10.0.1.0, 10.0.1.12"),
    ("x-forwarded-uri", "/foo"),
    ("x-forwarded-method", "GET"),
    ("x-forwarded-prefix", "/prefix"),
    ("x-forwarded-tls-client-cert", "Cert"),
    ("x-forwarded-tls-client-cert-info", "CertInfo"),
    ("x-forwarded-scheme", "https"),
    ("x-scheme", "https"),
    ("x_forwarded_for", "1.2.3.4"),
    ("x.forwarded.for", "8.8.8.8"),
    ("x-forwarded_host", "evil.test"),
];

#[test]
fn forwarding_headers_count_only_from_those_who_are_trusted() {
    for (options, peer, kept) in [
        (insecure(), "10.0.1.101", true),
        (nobody(), "10.0.1.101", false),
        (trusting("10.0.1.100"), "10.0.1.100", true),
        (trusting("10.0.1.100"), "10.0.1.101", false),
        (trusting("1.2.3.4/24"), "1.2.3.156", true),
        (trusting("1.2.3.4/24"), "10.0.1.101", false),
    ] {
        let context = format!("{options:?} asked by {peer}");
        let seen = Ask { peer, ..Ask::new(options) }.see(CLAIMED);
        for (name, value) in CLAIMED {
            let left = seen.get(*name).map(|left| left.to_str().unwrap());
            assert_eq!(left, kept.then_some(*value), "{name}, {context}");
        }
    }
}

#[test]
fn what_is_missing_is_written() {
    for (fields, more) in [
        (&[][..], &[][..]),
        (&[("host", "foo.com")], &["host: foo.com", "x-forwarded-host: foo.com"]),
        (&[("x-real-ip", "9.9.9.9"), ("x-forwarded-port", "1"), ("x-forwarded-server", "me")], &[]),
    ] {
        let mut expected: Vec<_> = OURS.iter().chain(more).copied().collect();
        expected.sort_unstable();
        assert_eq!(lines(&Ask::new(nobody()).see(fields)), expected, "{fields:?}");
    }
}

#[test]
fn what_a_trusted_hop_wrote_stays() {
    for (fields, name, value) in [
        (
            &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2"), ("x-forwarded-for", "3.3.3.3")][..],
            "x-forwarded-for",
            "1.1.1.1, 2.2.2.2, 3.3.3.3",
        ),
        (&[("x-real-ip", "10.0.1.12")], "x-real-ip", "10.0.1.12"),
        (&[("x-real-ip", "")], "x-real-ip", PEER),
        (&[("x-forwarded-proto", "https")], "x-forwarded-port", "443"),
        (&[("x-forwarded-proto", "wss")], "x-forwarded-port", "443"),
        (&[("x-forwarded-proto", "https"), ("host", "foo.com:8080")], "x-forwarded-port", "8080"),
        (&[("x-forwarded-port", "4242"), ("host", "foo.com:8080")], "x-forwarded-port", "4242"),
        (&[("x-forwarded-host", "bar.com"), ("host", "foo.com")], "x-forwarded-host", "bar.com"),
        (&[("x-forwarded-server", "other")], "x-forwarded-server", "gateway"),
        (&[("host", "foo.com:8080")], "x-forwarded-host", "foo.com:8080"),
    ] {
        let seen = Ask::new(insecure()).see(fields);
        let values: Vec<_> = seen.get_all(name).iter().collect();
        assert_eq!(values, [value], "{fields:?}");
    }
}

#[test]
fn the_scheme_and_the_upgrade_make_the_protocol() {
    let websocket = &[("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")][..];
    for (scheme, fields, proto, port) in [
        (Scheme::Http, &[][..], "http", "80"),
        (Scheme::Https, &[], "https", "443"),
        (Scheme::Http, websocket, "ws", "80"),
        (Scheme::Https, websocket, "wss", "443"),
        (Scheme::Http, &[("upgrade", "websocket")], "http", "80"),
    ] {
        let seen = Ask { scheme, ..Ask::new(nobody()) }.see(fields);
        assert_eq!(seen["x-forwarded-proto"], proto, "{scheme:?} {fields:?}");
        assert_eq!(seen["x-forwarded-port"], port, "{scheme:?} {fields:?}");
    }
}

#[test]
fn a_client_drops_only_what_is_his() {
    for (connection, gone) in [
        ("X-Api-Key", &["x-api-key"][..]),
        ("x-api-key, close", &["x-api-key"]),
        ("X-Forwarded-For, X-Real-Ip, x-forwarded-host", &[]),
        ("Content-Length, Host, X-Forwarded-For, Transfer-Encoding", &[]),
        ("x_forwarded_for", &[]),
        ("x-api-key,,  ,x-two, nonsense here", &["x-api-key", "x-two"]),
    ] {
        let fields = [
            ("host", "a.test"),
            ("content-length", "5"),
            ("x-api-key", "secret"),
            ("x-two", "1"),
            ("x-two", "2"),
            ("x-forwarded-for", "1.1.1.1"),
            ("connection", connection),
        ];
        let (seen, withdrawn) = Ask::new(insecure()).apply(&fields);
        assert!(!seen.contains_key("connection"), "{connection}");
        for (name, _) in &fields[..6] {
            assert_eq!(seen.contains_key(*name), !gone.contains(name), "{name} after {connection}");
        }
        for name in ["x-real-ip", "x-forwarded-host", "x-forwarded-proto"] {
            assert!(seen.contains_key(name), "{name} after {connection}");
        }
        let withdrawn = withdrawn.unwrap_or_default();
        assert_eq!(withdrawn.keys_len(), gone.len(), "{connection}");
        assert!(gone.iter().all(|name| withdrawn.contains_key(*name)), "{connection}");
        assert_eq!(withdrawn.get_all("x-two").iter().count(), if gone.contains(&"x-two") { 2 } else { 0 });
    }
}

#[test]
fn the_operator_keeps_what_a_client_would_drop() {
    let options = ForwardedOptions { connection: vec![HeaderName::from_static("x-api-key")], ..nobody() };
    let (seen, withdrawn) = Ask::new(options).apply(&[("x-api-key", "secret"), ("connection", "X-Api-Key")]);
    assert_eq!(seen["x-api-key"], "secret");
    assert!(withdrawn.is_none());
}

#[test]
fn only_an_upgrade_that_may_be_asked_for_goes_on() {
    let upgrade = |protocol| {
        [("connection", "Upgrade, HTTP2-Settings, x-a"), ("upgrade", protocol), ("http2-settings", "AA"), ("x-a", "1")]
    };
    for (protocol, upgradable, goes_on) in [
        ("websocket", true, true),
        ("websocket", false, false),
        ("foo", true, true),
        ("h2c", true, false),
        ("websocket, h2c", true, false),
        ("", true, false),
    ] {
        let seen = Ask { upgradable, ..Ask::new(nobody()) }.see(&upgrade(protocol));
        assert_eq!(seen.get("upgrade").map(|value| value.to_str().unwrap()), goes_on.then_some(protocol), "{protocol}");
        assert_eq!(
            seen.get("connection").map(|value| value.to_str().unwrap()),
            goes_on.then_some("Upgrade"),
            "{protocol}"
        );
        assert!(!seen.contains_key("http2-settings") && !seen.contains_key("x-a"), "{protocol}");
    }
}

#[test]
fn what_concerns_this_hop_stays_here() {
    let fields = [
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("proxy-authorization", "Basic x"),
        ("proxy-authenticate", "Basic"),
        ("te", "gzip, Trailers"),
        ("transfer-encoding", "chunked"),
        ("trailer", "X-Sum"),
    ];
    let seen = Ask::new(nobody()).see(&fields);
    let mut expected: Vec<_> = OURS.iter().chain(&["te: trailers", "trailer: X-Sum"]).copied().collect();
    expected.sort_unstable();
    assert_eq!(lines(&seen), expected);
    assert!(!Ask::new(nobody()).see(&[("te", "gzip")]).contains_key("te"));
}
