//! The key that a request to the API means.

use std::net::{IpAddr, Ipv4Addr};

use http::HeaderValue;
use tollgate_limiter::{Attributes, Criterion, address};
use tollgate_rule::canonical;

/// What is asked of a bucket.
#[derive(Debug)]
pub(super) struct Asked {
    /// Whose it is.
    pub(super) named: Named,
    /// How many requests it is given; 0 if that is not asked.
    pub(super) requests: u64,
}

/// A source of requests, as an operator names it.
///
/// It is put to the criterion as a request would be that comes from there, without anything in between: so it is the
/// same key, however the criterion groups and spells.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Named {
    Address(IpAddr),
    Host(String),
    Header(String),
}

impl Asked {
    /// What `query` asks of a bucket under `criterion`; `gives` if it has to say how many `requests`. Anything that
    /// would be ignored is refused: a slip must not find another bucket.
    pub(super) fn parse(criterion: &Criterion, query: &str, gives: bool) -> Result<Self, String> {
        let (mut named, mut requests) = (None, None);
        for (name, value) in canonical::query(query) {
            let is_new = match &*name {
                "address" | "host" | "header" => named.replace(Named::parse(criterion, &name, &value)?).is_none(),
                "requests" if gives => requests.replace(positive(&value)?).is_none(),
                other => return Err(format!("no such parameter here: {other}")),
            };
            if !is_new {
                return Err(format!("{name} is there twice"));
            }
        }
        let named = named.ok_or_else(|| asks_for(criterion))?;
        match requests {
            None if gives => Err("say how many: requests=…".into()),
            requests => Ok(Self { named, requests: requests.unwrap_or(0) }),
        }
    }
}

impl Named {
    fn parse(criterion: &Criterion, parameter: &str, value: &str) -> Result<Self, String> {
        if parameter != parameter_of(criterion) {
            return Err(format!("{}, not {parameter}=…", asks_for(criterion)));
        }
        // Where the escapes did not make UTF-8.
        if value.contains('\u{fffd}') {
            return Err(format!("{parameter} is not UTF-8"));
        }
        match parameter {
            "address" => {
                let address = address::parse(value).ok_or_else(|| format!("{value:?} is no IP address"))?;
                Ok(Self::Address(address))
            }
            "host" => {
                let host = canonical::host(value);
                // `a.test.` is the same host, written out to the root.
                Ok(Self::Host(host.strip_suffix('.').unwrap_or(&host).to_owned()))
            }
            _ => {
                // As it arrives in a request: without space around (nor the line end of a file that it was read from),
                // and without control characters.
                let value = value.trim_matches([' ', '\t', '\r', '\n']);
                let value = HeaderValue::from_str(value).ok().map(|_| value.to_owned());
                value.map(Self::Header).ok_or_else(|| "no header can have that value".into())
            }
        }
    }
}

impl Attributes for Named {
    fn peer(&self) -> IpAddr {
        match self {
            Self::Address(address) => *address,
            Self::Host(_) | Self::Header(_) => Ipv4Addr::UNSPECIFIED.into(),
        }
    }

    fn host(&self) -> &str {
        if let Self::Host(host) = self { host } else { "" }
    }

    /// Of a source that is an address nothing was forwarded, so that the peer counts.
    fn header(&self, _: &str) -> Option<&[u8]> {
        if let Self::Header(value) = self { Some(value.as_bytes()) } else { None }
    }
}

/// The parameter by which a key of this criterion is named.
pub(super) fn parameter_of(criterion: &Criterion) -> &'static str {
    match criterion {
        Criterion::Header(_) => "header",
        Criterion::Host => "host",
        Criterion::RemoteAddress { .. } | Criterion::ForwardedDepth { .. } | Criterion::ForwardedExcluding { .. } => {
            "address"
        }
    }
}

fn asks_for(criterion: &Criterion) -> String {
    match criterion {
        Criterion::Header(name) => format!("this limit counts by the header {name}: ask with header=…"),
        Criterion::Host => "this limit counts by host: ask with host=…".into(),
        _ => "this limit counts by address: ask with address=…".into(),
    }
}

fn positive(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| format!("requests: {text:?} is no number above 0"))
}

#[cfg(test)]
mod tests {
    use tollgate_limiter::{AddressSet, KeyBytes, Source};

    use super::*;

    fn key(criterion: &Criterion, query: &str) -> KeyBytes<'static> {
        let asked = Asked::parse(criterion, query, false).unwrap_or_else(|message| panic!("{query}: {message}"));
        // The key of a header or host borrows; it lives as long as the test.
        KeyBytes::from(criterion.source(Box::leak(Box::new(asked.named))))
    }

    fn address(text: &str) -> KeyBytes<'static> {
        KeyBytes::from(Source::Address(text.parse().expect("an address")))
    }

    #[test]
    fn a_key_is_that_of_a_request() {
        let excluded = AddressSet::parse(&["10.0.0.0/8"]).expect("a set");
        let plain = Criterion::RemoteAddress { ipv6_subnet: None };
        let grouped = Criterion::RemoteAddress { ipv6_subnet: Some(64) };
        let depth = Criterion::ForwardedDepth { depth: 2, ipv6_subnet: Some(48) };
        let excluding = Criterion::ForwardedExcluding { excluded };
        for (criterion, query, expected) in [
            (&plain, "address=1.2.3.4", "1.2.3.4"),
            (&plain, "address=::ffff:1.2.3.4", "1.2.3.4"),
            (&plain, "address=%5B2001:db8::1%5D:443", "2001:db8::1"),
            (&grouped, "address=2001:db8:1:2:3::4", "2001:db8:1:2::"),
            (&grouped, "address=2001:db8:1:2::", "2001:db8:1:2::"),
            (&depth, "address=2001:db8:1:2::3", "2001:db8:1::"),
            (&excluding, "address=2001:db8::1", "2001:db8::1"),
        ] {
            assert!(key(criterion, query) == address(expected), "{query}");
        }
        for (query, host) in [("host=A.Test.:8080", "a.test"), ("host=a.test", "a.test"), ("host=", "")] {
            assert!(key(&Criterion::Host, query) == KeyBytes::from(Source::Host(host)), "{query}");
        }
        let header = Criterion::Header("x-api-key".into());
        for (query, value) in [
            ("header=a%20b", &b"a b"[..]),
            ("header=%20k%09%0D%0A", b"k"),
            ("header=", b""),
            ("header=%C3%A9", "é".as_bytes()),
        ] {
            assert!(key(&header, query) == KeyBytes::from(Source::Header(value)), "{query}");
        }
        let forwarded = Criterion::Header("x-forwarded-for".into());
        assert!(key(&forwarded, "header=1.2.3.4") == KeyBytes::from(Source::Header(b"1.2.3.4")));
    }

    #[test]
    fn what_is_not_understood_is_explained() {
        let address = Criterion::RemoteAddress { ipv6_subnet: None };
        let header = Criterion::Header("x-api-key".into());
        for (criterion, query, gives, message) in [
            (&address, "", false, "this limit counts by address: ask with address=…"),
            (&address, "host=a", false, "this limit counts by address: ask with address=…, not host=…"),
            (
                &header,
                "address=1.2.3.4",
                false,
                "this limit counts by the header x-api-key: ask with header=…, not address=…",
            ),
            (&Criterion::Host, "", false, "this limit counts by host: ask with host=…"),
            (&address, "address=a.test", false, "\"a.test\" is no IP address"),
            (&address, "address=1.2.3.4&address=1.2.3.5", false, "address is there twice"),
            (&address, "addres=1.2.3.4", false, "no such parameter here: addres"),
            (&address, "address=1.2.3.4&requests=1", false, "no such parameter here: requests"),
            (&address, "address=1.2.3.4", true, "say how many: requests=…"),
            (&address, "address=1.2.3.4&requests=0", true, "requests: \"0\" is no number above 0"),
            (&address, "address=1.2.3.4&requests=-1", true, "requests: \"-1\" is no number above 0"),
            (&header, "header=%ff", false, "header is not UTF-8"),
            (&header, "header=a%0d%0ab", false, "no header can have that value"),
        ] {
            assert_eq!(Asked::parse(criterion, query, gives).expect_err(query), message, "{query}");
        }
        let asked = Asked::parse(&address, "requests=50&address=1.2.3.4", true).expect("that is right");
        assert_eq!((asked.named, asked.requests), (Named::Address([1, 2, 3, 4].into()), 50));
    }
}
