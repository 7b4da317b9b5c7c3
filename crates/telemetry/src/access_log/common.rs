//! The formats that are columns.

use std::io::Write as _;
use std::net::IpAddr;

use http::{HeaderName, header};

use super::{Field, Line, deciding, push_url};
use crate::escape::{push_bare, push_quoted};
use crate::finished::Kept;
use crate::stamp::{push_clf, push_number};

/// Which columns there are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Columns {
    /// The Combined Log Format.
    Combined,
    /// What Traefik adds to it, and what we add to that.
    Traefik,
}

/// The line, without its end. The layout is that of Traefik 3.7.15, observed:
///
/// ```text
/// 127.0.0.1 - - [23/Nov/2026:20:26:25 +0000] "GET /p?x=1 HTTP/1.1" 200 11 "-" "-" 1 "api@file" "http://10.0.0.1:80" 1ms
/// ```
///
/// A column whose field is dropped is `-`; the two durations and the count are the exception Traefik makes: a dropped
/// duration is `0ms`. Status and size are the client's.
pub(super) fn push(out: &mut Vec<u8>, line: &Line<'_>, columns: Columns) {
    let exchange = line.finished.exchange;
    let keeps = |field| line.settings.fields.keeps(field);

    match &line.finished.head.forwarded_for {
        _ if !keeps(Field::ClientHost) => out.push(b'-'),
        // A list of addresses has spaces, and Traefik's readers know it so.
        Some(list) if !list.is_empty() => push_quoted(out, list.as_bytes()),
        _ => push_address(out, exchange.peer_ip()),
    }
    // Nobody says who the client is: no authentication yet.
    out.extend_from_slice(b" - - [");
    if keeps(Field::StartUtc) || keeps(Field::StartLocal) {
        push_clf(out, exchange.started_at);
    } else {
        out.push(b'-');
    }
    out.extend_from_slice(b"] \"");
    push_or_dash(out, keeps(Field::RequestMethod), |out| push_bare(out, exchange.method.as_str().as_bytes()));
    out.push(b' ');
    push_or_dash(out, keeps(Field::RequestPath), |out| push_bare(out, line.path().as_bytes()));
    out.push(b' ');
    push_or_dash(out, keeps(Field::RequestProtocol), |out| {
        out.extend_from_slice(exchange.protocol.as_str().as_bytes());
    });
    out.extend_from_slice(b"\" ");
    push_or_dash(out, keeps(Field::DownstreamStatus), |out| push_number(out, line.finished.status.as_u16().into()));
    out.push(b' ');
    push_or_dash(out, keeps(Field::DownstreamContentSize), |out| push_number(out, line.finished.response_bytes));
    out.push(b' ');
    push_header(out, &line.finished.head.kept, &header::REFERER);
    out.push(b' ');
    push_header(out, &line.finished.head.kept, &header::USER_AGENT);
    if columns == Columns::Traefik {
        push_traefik(out, line);
        push_limit(out, line);
    }
}

fn push_traefik(out: &mut Vec<u8>, line: &Line<'_>) {
    let exchange = line.finished.exchange;
    let keeps = |field| line.settings.fields.keeps(field);
    out.push(b' ');
    push_or_dash(out, keeps(Field::RequestCount), |out| push_number(out, line.count));
    out.extend_from_slice(b" \"");
    match &exchange.router {
        Some(router) if keeps(Field::RouterName) => push_quoted(out, router.as_bytes()),
        _ => out.push(b'-'),
    }
    out.extend_from_slice(b"\" \"");
    match &exchange.upstream {
        Some(upstream) if keeps(Field::ServiceUrl) => push_url(out, &upstream.url, push_quoted),
        _ => out.push(b'-'),
    }
    out.extend_from_slice(b"\" ");
    let duration = if keeps(Field::Duration) { line.finished.duration.as_millis() } else { 0 };
    push_number(out, u64::try_from(duration).unwrap_or(u64::MAX));
    out.extend_from_slice(b"ms");
}

/// Our column: the limit that decided. A key has no spaces of its own: they are escaped.
fn push_limit(out: &mut Vec<u8>, line: &Line<'_>) {
    let keeps = |field| line.settings.fields.keeps(field);
    let Some(limit) = deciding(&line.finished.exchange.limits).filter(|_| keeps(Field::LimitName)) else { return };
    out.extend_from_slice(b" \"limit=");
    push_bare(out, limit.limit.as_bytes());
    out.extend_from_slice(b" key=");
    push_or_dash(out, keeps(Field::LimitKey), |out| push_bare(out, limit.key.text().as_bytes()));
    out.extend_from_slice(b" verdict=");
    push_or_dash(out, keeps(Field::LimitVerdict), |out| out.extend_from_slice(limit.verdict.as_str().as_bytes()));
    out.extend_from_slice(b" source=");
    push_or_dash(out, keeps(Field::LimitSource), |out| out.extend_from_slice(limit.source.as_str().as_bytes()));
    out.extend_from_slice(b" remaining=");
    match limit.remaining {
        Some(remaining) if keeps(Field::LimitRemaining) => push_number(out, remaining),
        _ => out.push(b'-'),
    }
    out.push(b'"');
}

fn push_or_dash(out: &mut Vec<u8>, kept: bool, push: impl FnOnce(&mut Vec<u8>)) {
    if kept {
        push(out);
    } else {
        out.push(b'-');
    }
}

/// The first value of a header field, quoted; `"-"` if it was not sent or is not shown.
fn push_header(out: &mut Vec<u8>, kept: &[Kept], name: &HeaderName) {
    out.push(b'"');
    match kept.iter().find(|field| field.name == *name) {
        None => out.push(b'-'),
        Some(Kept { value: None, .. }) => out.extend_from_slice(b"REDACTED"),
        Some(Kept { value: Some(value), .. }) if value.is_empty() => out.push(b'-'),
        Some(Kept { value: Some(value), .. }) => push_quoted(out, value.as_bytes()),
    }
    out.push(b'"');
}

/// An address, as it is usually written.
pub(super) fn push_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            for (index, octet) in address.octets().into_iter().enumerate() {
                if index > 0 {
                    out.push(b'.');
                }
                push_number(out, octet.into());
            }
        }
        IpAddr::V6(address) => write!(out, "{address}").expect("a vector takes every byte"),
    }
}
