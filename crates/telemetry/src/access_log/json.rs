//! The format that is an object.

use std::io::Write as _;
use std::net::SocketAddr;

use super::common::push_address;
use super::{Field, Line, deciding, push_url, retries};
use crate::escape::{push_json, push_json_part};
use crate::finished::Kept;
use crate::stamp::{nanos, push_nanos, push_number, push_seconds};
use tollgate_pipeline::{LimitRecord, Verdict};

/// The line, without its end: Traefik's names, then the header fields, then what its logger adds (`level`, `msg`,
/// `time`).
pub(super) fn push(out: &mut Vec<u8>, line: &Line<'_>) {
    out.push(b'{');
    for &field in Field::ALL {
        if line.settings.fields.keeps(field) {
            push_field(out, line, field);
        }
    }
    push_headers(out, "downstream_", line.finished.response);
    push_headers(out, "origin_", line.finished.origin);
    push_headers(out, "request_", &line.finished.head.kept);
    out.extend_from_slice(br#""level":"info","msg":"","time":""#);
    push_seconds(out, line.finished.exchange.started_at + line.finished.duration);
    out.extend_from_slice(b"\"}");
}

/// One member and the comma behind it; nothing if the exchange has no such fact.
fn push_field(out: &mut Vec<u8>, line: &Line<'_>, field: Field) {
    let finished = line.finished;
    let exchange = finished.exchange;
    let (start, name) = (out.len(), field.name());
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    let told = match field {
        Field::ClientAddr => socket_address(out, exchange.peer),
        Field::ClientHost => match &finished.head.forwarded_for {
            Some(list) if !list.is_empty() => text(out, list.as_bytes()),
            _ => quoted(out, |out| push_address(out, exchange.peer_ip())),
        },
        Field::ClientPort => quoted(out, |out| push_number(out, exchange.peer.port().into())),
        Field::ClientUsername => text(out, b"-"),
        Field::DownstreamContentSize => number(out, finished.response_bytes),
        Field::DownstreamStatus => number(out, finished.status.as_u16().into()),
        Field::Duration => number(out, nanos(finished.duration)),
        Field::GzipRatio => gzip_ratio(out, line.origin_bytes(), finished.response_bytes),
        Field::LimitName => limit(out, line, |out, limit| text(out, limit.limit.as_bytes())),
        Field::LimitKey => limit(out, line, |out, limit| text(out, limit.key.text().as_bytes())),
        Field::LimitVerdict => limit(out, line, |out, limit| text(out, limit.verdict.as_str().as_bytes())),
        Field::LimitSource => limit(out, line, |out, limit| text(out, limit.source.as_str().as_bytes())),
        Field::LimitRemaining => limit(out, line, |out, limit| limit.remaining.is_some_and(|left| number(out, left))),
        Field::LimitDelay => limit(out, line, |out, limit| number(out, delay(limit))),
        Field::Limits => limits(out, &exchange.limits),
        Field::OriginContentSize => number(out, line.origin_bytes()),
        Field::OriginDuration => number(out, nanos(line.origin_duration())),
        Field::OriginStatus => number(out, line.origin_status().into()),
        Field::Overhead => number(out, nanos(finished.duration.saturating_sub(line.origin_duration()))),
        Field::RequestAddr => text(out, exchange.authority.as_bytes()),
        Field::RequestContentSize => number(out, exchange.request_bytes),
        Field::RequestCount => number(out, line.count),
        Field::RequestHost => text(out, split_authority(&exchange.authority).0.as_bytes()),
        Field::RequestMethod => text(out, exchange.method.as_str().as_bytes()),
        Field::RequestPath => text(out, line.path().as_bytes()),
        Field::RequestPort => text(out, split_authority(&exchange.authority).1.as_bytes()),
        Field::RequestProtocol => text(out, exchange.protocol.as_str().as_bytes()),
        Field::RequestScheme => text(out, exchange.scheme.as_str().as_bytes()),
        Field::RetryAttempts => number(out, retries(finished).into()),
        Field::RouterName => exchange.router.as_ref().is_some_and(|router| text(out, router.as_bytes())),
        Field::ServiceAddr => exchange.upstream.as_ref().is_some_and(|upstream| text(out, upstream.address.as_bytes())),
        Field::ServiceName => exchange.service.as_ref().is_some_and(|service| text(out, service.as_bytes())),
        Field::ServiceUrl => exchange.upstream.as_ref().is_some_and(|upstream| url(out, &upstream.url)),
        Field::StartLocal | Field::StartUtc => quoted(out, |out| push_nanos(out, exchange.started_at)),
        Field::EntryPoint => text(out, exchange.entry_point.as_bytes()),
    };
    if told {
        out.push(b',');
    } else {
        out.truncate(start);
    }
}

fn text(out: &mut Vec<u8>, text: &[u8]) -> bool {
    push_json(out, text);
    true
}

fn number(out: &mut Vec<u8>, number: u64) -> bool {
    push_number(out, number);
    true
}

/// Something of ours that has nothing to escape: an address, a port, a moment.
fn quoted(out: &mut Vec<u8>, push: impl FnOnce(&mut Vec<u8>)) -> bool {
    out.push(b'"');
    push(out);
    out.push(b'"');
    true
}

/// `10.0.0.1:80`, `[::1]:80`.
fn socket_address(out: &mut Vec<u8>, peer: SocketAddr) -> bool {
    quoted(out, |out| {
        let (open, close): (&[u8], &[u8]) = if peer.is_ipv6() { (b"[", b"]:") } else { (b"", b":") };
        out.extend_from_slice(open);
        push_address(out, peer.ip());
        out.extend_from_slice(close);
        push_number(out, peer.port().into());
    })
}

fn url(out: &mut Vec<u8>, url: &str) -> bool {
    quoted(out, |out| push_url(out, url, push_json_part))
}

fn gzip_ratio(out: &mut Vec<u8>, origin: u64, downstream: u64) -> bool {
    let differ = origin != downstream && downstream != 0;
    if differ {
        write!(out, "{}", origin as f64 / downstream as f64).expect("a vector takes every byte");
    }
    differ
}

fn limit(out: &mut Vec<u8>, line: &Line<'_>, push: impl FnOnce(&mut Vec<u8>, &LimitRecord) -> bool) -> bool {
    deciding(&line.finished.exchange.limits).is_some_and(|limit| push(out, limit))
}

fn limits(out: &mut Vec<u8>, limits: &[LimitRecord]) -> bool {
    for (index, limit) in limits.iter().enumerate() {
        out.extend_from_slice(if index == 0 { br#"[{"Limit":"# } else { br#",{"Limit":"# });
        push_json(out, limit.limit.as_bytes());
        out.extend_from_slice(br#","Key":"#);
        push_json(out, limit.key.text().as_bytes());
        out.extend_from_slice(br#","Verdict":""#);
        out.extend_from_slice(limit.verdict.as_str().as_bytes());
        out.extend_from_slice(br#"","Source":""#);
        out.extend_from_slice(limit.source.as_str().as_bytes());
        out.push(b'"');
        if let Some(remaining) = limit.remaining {
            out.extend_from_slice(br#","Remaining":"#);
            push_number(out, remaining);
        }
        out.extend_from_slice(br#","DelayNs":"#);
        push_number(out, delay(limit));
        out.push(b'}');
    }
    if !limits.is_empty() {
        out.push(b']');
    }
    !limits.is_empty()
}

/// Nanoseconds that the limit held the request.
fn delay(limit: &LimitRecord) -> u64 {
    match limit.verdict {
        Verdict::Delay(delay) => nanos(delay),
        Verdict::Allow | Verdict::Deny => 0,
    }
}

/// Header fields as `request_User-Agent`: the prefix, and the name as Go spells it.
fn push_headers(out: &mut Vec<u8>, prefix: &str, kept: &[Kept]) {
    for fields in kept.chunk_by(|a, b| a.name == b.name) {
        out.push(b'"');
        out.extend_from_slice(prefix.as_bytes());
        push_canonical(out, fields[0].name.as_str());
        out.extend_from_slice(b"\":\"");
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            match &field.value {
                Some(value) => push_json_part(out, value.as_bytes()),
                None => out.extend_from_slice(b"REDACTED"),
            }
        }
        out.extend_from_slice(b"\",");
    }
}

/// `user-agent` as `User-Agent`. Names of header fields need no escaping.
fn push_canonical(out: &mut Vec<u8>, name: &str) {
    let mut first = true;
    for byte in name.bytes() {
        out.push(if first { byte.to_ascii_uppercase() } else { byte });
        first = byte == b'-';
    }
}

/// An authority's host and port, as Go's `net.SplitHostPort`: without a port all of it is the host, and the port `-`.
fn split_authority(authority: &str) -> (&str, &str) {
    let Some((host, port)) = authority.rsplit_once(':') else { return (authority, "-") };
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => (address, port),
        None if host.contains([':', '[', ']']) || port.contains(']') => (authority, "-"),
        None => (host, port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_split_as_go_splits_them() {
        for (authority, parts) in [
            ("a.example", ("a.example", "-")),
            ("a.example:80", ("a.example", "80")),
            ("[::1]:80", ("::1", "80")),
            ("[::1]", ("[::1]", "-")),
            ("::1", ("::1", "-")),
            ("", ("", "-")),
        ] {
            assert_eq!(split_authority(authority), parts, "{authority}");
        }
    }

    #[test]
    fn names_of_header_fields_are_spelled_as_go_spells_them() {
        let mut out = Vec::new();
        push_canonical(&mut out, "x-real-ip");
        assert_eq!(out, b"X-Real-Ip");
    }
}
