//! Traefik's facts about sources (cases §2.1–§2.3, §2.7). Where Traefik takes a text that is not an address, or none
//! at all, for a source of its own, the peer counts here; those rows say `PEER`.

use super::*;

const PEER: &str = "127.0.0.1";

struct Request<'a> {
    peer: &'a str,
    host: &'a str,
    headers: &'a [(&'a str, &'a str)],
}

impl Attributes for Request<'_> {
    fn peer(&self) -> IpAddr {
        self.peer.parse().unwrap()
    }

    fn host(&self) -> &str {
        self.host
    }

    fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| value.as_bytes())
    }
}

fn from_chain<'a>(headers: &'a [(&'a str, &'a str)]) -> Request<'a> {
    Request { peer: PEER, host: "a.test", headers }
}

fn address_of(criterion: &Criterion, request: &Request<'_>) -> String {
    match criterion.source(request) {
        Source::Address(address) => address.to_string(),
        other => panic!("{other:?} is not an address"),
    }
}

#[test]
fn remote_address() {
    for (peer, ipv6_subnet, expected) in [
        ("192.0.2.1", None, "192.0.2.1"),
        ("::abcd:ffff:c0a8:1", None, "::abcd:ffff:c0a8:1"),
        ("192.0.2.1", Some(24), "192.0.2.1"),
        ("::abcd:ffff:c0a8:1", Some(80), "::abcd:0:0:0"),
    ] {
        let criterion = Criterion::RemoteAddress { ipv6_subnet };
        let expected: IpAddr = expected.parse().unwrap();
        assert_eq!(address_of(&criterion, &Request { peer, host: "", headers: &[] }), expected.to_string(), "{peer}");
    }
}

#[test]
fn forwarded_depth() {
    for (chain, depth, ipv6_subnet, expected) in [
        ("10.0.0.4,10.0.0.3,10.0.0.2,10.0.0.1", 3, None, "10.0.0.3"),
        ("", 2, None, PEER),
        ("10.0.0.2,10.0.0.1", 2, None, "10.0.0.2"),
        ("10.0.0.3,10.0.0.2,10.0.0.1", 2, Some(80), "10.0.0.2"),
        ("10.0.0.3,::abcd:ffff:c0a8:1,10.0.0.1", 2, Some(80), "::abcd:0:0:0"),
        ("10.0.0.1,11.0.0.1,12.0.0.1,13.0.0.1", 1, None, "13.0.0.1"),
        ("10.0.0.1,11.0.0.1,12.0.0.1,13.0.0.1", 2, None, "12.0.0.1"),
        ("10.0.0.1,11.0.0.1,12.0.0.1,13.0.0.1", 3, None, "11.0.0.1"),
        ("10.0.0.1,11.0.0.1,12.0.0.1,13.0.0.1", 5, None, PEER),
        ("1.1.1.1", 2, None, PEER),
        ("1.1.1.1, 2.2.2.2", 2, None, "1.1.1.1"),
        ("1.1.1.1,   3.3.3.3  , 2.2.2.2", 2, None, "3.3.3.3"),
        ("4.4.4.4, 5.5.5.5", 2, None, "4.4.4.4"),
        ("a, ,b", 2, None, PEER),
        ("garbage,x", 2, None, PEER),
        ("9.9.9.9:1234, 2.2.2.2", 2, None, "9.9.9.9"),
        ("2001:db8:1:2:3:4:5:6", 1, Some(64), "2001:db8:1:2::"),
        ("1.2.3.4", 1, Some(64), "1.2.3.4"),
        ("::ffff:1.2.3.4", 1, Some(64), "1.2.3.4"),
        ("[2001:db8::1]:443", 1, Some(64), "2001:db8::"),
        ("fe80::1%eth0", 1, Some(64), "fe80::"),
    ] {
        let criterion = Criterion::ForwardedDepth { depth, ipv6_subnet };
        let headers = [("x-forwarded-for", chain)];
        let expected: IpAddr = expected.parse().unwrap();
        assert_eq!(address_of(&criterion, &from_chain(&headers)), expected.to_string(), "{chain} at {depth}");
    }
    let criterion = Criterion::ForwardedDepth { depth: 2, ipv6_subnet: None };
    assert_eq!(address_of(&criterion, &from_chain(&[])), PEER);
}

#[test]
fn forwarded_excluding() {
    let own = &["10.0.0.0/8", "192.168.1.1"][..];
    for (excluded, chain, expected) in [
        (&["10.0.0.4", "10.0.0.3", "10.0.0.2", "10.0.0.1"][..], "10.0.0.4,10.0.0.3,10.0.0.2,10.0.0.1", PEER),
        (&["10.0.0.2", "10.0.0.1"], "10.0.0.4,10.0.0.3,10.0.0.2,10.0.0.1", "10.0.0.3"),
        (&["10.0.0.1/24"], "127.0.0.1,10.0.0.4,10.0.0.3,10.0.0.2,10.0.0.1", "127.0.0.1"),
        (&["10.0.0.1/24"], "10.0.0.4,10.0.0.3,10.0.0.2,10.0.0.1", PEER),
        (&["11.0.0.1", "12.0.0.1"], "10.0.0.1,11.0.0.1,12.0.0.1", "10.0.0.1"),
        (&["11.0.0.1", "12.0.0.1"], "10.0.0.2,11.0.0.1,12.0.0.1", "10.0.0.2"),
        (&["12.0.0.1"], "10.0.0.3,11.0.0.1,12.0.0.1", "11.0.0.1"),
        (own, "10.1.1.1", PEER),
        (own, "8.8.8.8, 10.1.1.1, 192.168.1.1", "8.8.8.8"),
        (own, "8.8.8.8, ::ffff:10.1.1.1, 192.168.1.1:80", "8.8.8.8"),
        (own, "7.7.7.7, bad, 10.0.0.2", PEER),
        (own, "7.7.7.8:99, 10.0.0.2:80", "7.7.7.8"),
        (own, ", ,8.8.8.8,,10.0.0.1,", "8.8.8.8"),
    ] {
        let criterion = Criterion::ForwardedExcluding { excluded: AddressSet::parse(excluded).unwrap() };
        let headers = [("x-forwarded-for", chain)];
        assert_eq!(address_of(&criterion, &from_chain(&headers)), expected, "{chain} without {excluded:?}");
    }
}

#[test]
fn headers_and_hosts() {
    let headers = [("x-api-key", "A")];
    let request = from_chain(&headers);
    assert_eq!(Criterion::Header("x-api-key".into()).source(&request), Source::Header(b"A"));
    assert_eq!(Criterion::Header("x-other".into()).source(&request), Source::Header(b""));
    assert_eq!(Criterion::Host.source(&request), Source::Host("a.test"));
}
