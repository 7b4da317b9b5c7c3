//! `sourceCriterion` and `ipStrategy`: whose request it is.

use tollgate_limiter::{AddressSet, Criterion};

use super::notes::{Advise, Noted, Notes};
use crate::dynamic::SourceCriterion;
use crate::dynamic::rate_limit::IpStrategy;

/// Checks a source criterion written at `at`; none means the client's address.
pub(super) fn compile(written: Option<&SourceCriterion>, at: &str, notes: &mut Notes<'_>) -> Option<Criterion> {
    let Some(written) = written else {
        return Some(Criterion::RemoteAddress { ipv6_subnet: None });
    };
    let strategy = written.ip_strategy.as_ref();
    let header = written.request_header_name.as_str();
    // Traefik's order and words (pkg/middlewares/extractor.go).
    let conflict = match (strategy.is_some(), !header.is_empty(), written.request_host) {
        (true, true, _) => Some("iPStrategy and RequestHeaderName are mutually exclusive"),
        (true, _, true) => Some("iPStrategy and RequestHost are mutually exclusive"),
        (_, true, true) => Some("requestHost and RequestHeaderName are mutually exclusive"),
        _ => None,
    };
    if let Some(conflict) = conflict {
        notes
            .error("two-criteria", at, format!("getting source extractor: {conflict}"))
            .advise("keep one of ipStrategy, requestHeaderName and requestHost");
        return None;
    }
    if let Some(strategy) = strategy {
        return ip_strategy(strategy, &format!("{at}.ipStrategy"), "getting source extractor: ", notes);
    }
    if !header.is_empty() {
        return Some(by_header(header, at, notes));
    }
    Some(if written.request_host { Criterion::Host } else { Criterion::RemoteAddress { ipv6_subnet: None } })
}

/// Checks an `ipStrategy`. Messages start with `before`.
pub(super) fn ip_strategy(written: &IpStrategy, at: &str, before: &str, notes: &mut Notes<'_>) -> Option<Criterion> {
    if let Some(depth) = usize::try_from(written.depth).ok().filter(|&depth| depth > 0) {
        if !written.excluded_ips.is_empty() {
            notes
                .warning("excluded-ips-unused", &format!("{at}.excludedIPs"), "excludedIPs is not used beside a depth")
                .advise("keep one of depth and excludedIPs; excludedIPs exempts nobody from the limit");
        }
        let ipv6_subnet = ipv6_subnet(written, at, before, notes).ok()?;
        return Some(Criterion::ForwardedDepth { depth, ipv6_subnet });
    }
    if !written.excluded_ips.is_empty() {
        return excluding(written, at, before, notes);
    }
    let ipv6_subnet = ipv6_subnet(written, at, before, notes).ok()?;
    Some(Criterion::RemoteAddress { ipv6_subnet })
}

fn excluding(written: &IpStrategy, at: &str, before: &str, notes: &mut Notes<'_>) -> Option<Criterion> {
    if written.ipv6_subnet.is_some() {
        let message = "ipv6Subnet is not used with excludedIPs";
        notes.warning("ipv6-subnet-unused", &format!("{at}.ipv6Subnet"), message);
    }
    match AddressSet::parse(&written.excluded_ips) {
        Ok(excluded) => Some(Criterion::ForwardedExcluding { excluded }),
        Err(error) => {
            notes
                .error("not-an-address", &format!("{at}.excludedIPs"), format!("{before}{error}"))
                .advise("list addresses or nets of your own proxies, like 10.0.0.1 or 10.0.0.0/8");
            None
        }
    }
}

fn ipv6_subnet(written: &IpStrategy, at: &str, before: &str, notes: &mut Notes<'_>) -> Result<Option<u8>, Noted> {
    let Some(bits) = written.ipv6_subnet else { return Ok(None) };
    if let Some(bits) = u8::try_from(bits).ok().filter(|bits| (1..=128).contains(bits)) {
        return Ok(Some(bits));
    }
    let message = format!("{before}invalid IPv6 subnet {bits} value, should be greater to 0 and lower or equal to 128");
    notes.error("ipv6-subnet", &format!("{at}.ipv6Subnet"), message).advise("64 is what one household usually gets");
    Err(Noted)
}

fn by_header(name: &str, at: &str, notes: &mut Notes<'_>) -> Criterion {
    let at = format!("{at}.requestHeaderName");
    if name.eq_ignore_ascii_case("host") {
        notes
            .warning("host-as-header", &at, "Host is no header here: all requests share one bucket")
            .advise("use requestHost: true");
    } else if !super::headers::is_name(name) {
        let message = format!("{name:?} cannot be the name of a header: all requests share one bucket");
        notes.warning("not-a-header-name", &at, message);
    }
    Criterion::Header(name.to_ascii_lowercase().into())
}
