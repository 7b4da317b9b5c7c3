//! The questions a rule asks.

mod host;

use ipnet::IpNet;
use regex::Regex;

pub(crate) use host::HostPattern;

use crate::request::Request;
use crate::utf8;

/// One question about a request. Values are stored as they are compared: hosts
/// and header names in lower case, methods in upper case.
#[derive(Debug)]
pub(crate) enum Matcher {
    /// Holds for every request.
    Anything,
    /// Holds for none.
    Nothing,
    Host(HostPattern),
    HostRegexp(Regex),
    Path(Box<str>),
    PathPrefix(Box<str>),
    PathRegexp(Regex),
    Method(Box<str>),
    Header {
        name: Box<str>,
        value: Box<str>,
    },
    HeaderRegexp {
        name: Box<str>,
        value: Regex,
    },
    Query {
        key: Box<str>,
        value: Box<str>,
    },
    QueryRegexp {
        key: Box<str>,
        value: Regex,
    },
    /// Only the first value of the key counts: the v2 syntax.
    FirstQuery {
        key: Box<str>,
        value: Regex,
    },
    ClientIp(IpNet),
}

impl Matcher {
    pub(crate) fn matches(&self, request: &dyn Request) -> bool {
        match self {
            Matcher::Anything => true,
            Matcher::Nothing => false,
            Matcher::Host(pattern) => pattern.matches(request.host()),
            Matcher::HostRegexp(regex) => regex.is_match(request.host()),
            Matcher::Path(path) => request.path() == &**path,
            Matcher::PathPrefix(prefix) => request.path().starts_with(&**prefix),
            Matcher::PathRegexp(regex) => regex.is_match(request.path()),
            Matcher::Method(method) => request.method() == &**method,
            Matcher::Header { name, value } => request.header_any(name, &mut |line| line == value.as_bytes()),
            // Bytes that are not UTF-8 are read as Go reads them, so a pattern
            // meets them too and a negated rule does not open for them.
            Matcher::HeaderRegexp { name, value } => {
                request.header_any(name, &mut |line| value.is_match(&utf8::read(line)))
            }
            Matcher::Query { key, value } => request.query_any(key, &mut |v| v == &**value),
            Matcher::QueryRegexp { key, value } => request.query_any(key, &mut |v| value.is_match(v)),
            Matcher::FirstQuery { key, value } => {
                let mut first = true;
                request.query_any(key, &mut |v| std::mem::take(&mut first) && value.is_match(v))
            }
            Matcher::ClientIp(net) => request.client_ip().is_some_and(|ip| net.contains(&ip)),
        }
    }
}
