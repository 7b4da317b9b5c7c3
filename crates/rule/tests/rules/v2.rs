//! The syntax of Traefik 2.

use tollgate_rule::Rule;

use crate::sent::Sent;

#[test]
fn v2_matchers_take_many_values_and_templates() {
    for (text, url, expected) in [
        ("Host(`a.com`, `B.com`)", "http://b.com/", true),
        ("HostHeader(`a.com.`)", "http://a.com/", true),
        ("!Host(`a.com`, `b.com`)", "http://b.com/", false),
        // No wildcards before v3.
        ("Host(`*.a.com`)", "http://x.a.com/", false),
        ("HostRegexp(`{sub}.a.com`)", "http://x.a.com/", true),
        ("HostRegexp(`{sub}.a.com`)", "http://x.y.a.com/", false),
        ("HostRegexp(`{sub:[a-z.]+}.a.com`)", "http://x.y.a.com/", true),
        ("HostRegexp(`b.com`, `A.com`)", "http://a.com/", true),
        ("HostRegexp(`a.com`)", "http://xa.com/", false),
        ("HostRegexp(`a.com`)", "http://axcom/", false),
        ("Path(`/a`, `/b`)", "http://a/b", true),
        ("Path(`/a/{id}`)", "http://a/a/1", true),
        ("Path(`/a/{id}`)", "http://a/a/1/2", false),
        ("Path(`/a/{id:[0-9]{2}}`)", "http://a/a/12", true),
        ("Path(`/a/{id:[0-9]{2}}`)", "http://a/a/123", false),
        ("Path(`/a.b/{x}`)", "http://a/aXb/1", false),
        ("PathPrefix(`/a/{id:[0-9]+}/`)", "http://a/a/1/b", true),
        ("PathPrefix(`/b`, `/a`)", "http://a/ab", true),
        ("Method(`POST`, `get`)", "http://a/", true),
        ("Query(`a=1`)", "http://a/?a=1&a=2", true),
        // Only the first value counts.
        ("Query(`a=2`)", "http://a/?a=1&a=2", false),
        ("Query(`a=1`, `b=2`)", "http://a/?a=1", false),
        ("Query(`a`, `1`)", "http://a/?a=1", true),
        ("Query(`a={v:x+}`)", "http://a/?a=xx", true),
        ("Query(`a={v}`)", "http://a/?a=", true),
        ("Query(`a=`)", "http://a/?a=anything", true),
        ("Query(`a=`)", "http://a/", false),
        ("Headers(`X-A`, `1`)", "http://a/", true),
        ("Headers(`X-A`, `1`, `X-B`, `2`)", "http://a/", false),
        ("HeadersRegexp(`X-A`, `^[0-9]$`)", "http://a/", true),
        ("ClientIP(`10.0.0.0/8`, `127.0.0.1`)", "http://a/", true),
    ] {
        let sent = Sent::to(url).header("X-A", b"1").from("127.0.0.1".parse().ok());
        let rule = Rule::parse_v2(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(rule.matches(&sent), expected, "{text} on {url}");
    }
}

#[test]
fn v2_refuses_what_gorilla_refuses() {
    for text in [
        "Host()",
        "Host(``)",
        "Host(`é.com`)",
        "Path(`a`)",
        "Path(`/{a`)",
        "Path(`/a}`)",
        "Path(`/{}`)",
        "Path(`/{a:}`)",
        "Path(`/{:x}`)",
        "Path(`/{a:(}`)",
        "Path(`/{a:x)|(y}`)",
        "Headers(`a`)",
        "Query(`a`)",
        "PathRegexp(`/a`)",
        "Header(`a`, `b`)",
        "HostRegexp(`{a:[}`)",
    ] {
        assert!(Rule::parse_v2(text).is_err(), "{text}");
    }
}

#[test]
fn v2_domains_are_those_of_host() {
    let rule = Rule::parse_v2("Host(`A.com`, `b.com`) || HostRegexp(`{x}.c.com`)").expect("a rule");
    assert_eq!(rule.hosts(), ["a.com", "b.com"]);
}
