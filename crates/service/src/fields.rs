//! Header fields that concern one connection and not the message.

use std::net::IpAddr;

use http::header::{self, Entry};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use smallvec::SmallVec;

/// Takes what belongs to the client's connection out of a request, so that nothing is left but the message
/// (RFC 9110 §7.6.1). Returns the protocol that the client asks to change to.
pub(crate) fn strip_request(headers: &mut HeaderMap) -> Option<HeaderValue> {
    let found = hop_by_hop(headers);
    if found.is_empty() {
        return None;
    }
    let upgrade = upgrade(headers);
    let trailers = has_token(headers, &header::TE, "trailers");
    strip(headers, found);
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    upgrade
}

/// The same for an answer. `Trailer` stays, for what it announces follows.
pub(crate) fn strip_response(headers: &mut HeaderMap) {
    let found = hop_by_hop(headers);
    strip(headers, found);
}

/// Asks for a change of protocol, or agrees to it.
pub(crate) fn set_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, protocol);
}

/// The protocol to change to, if the sender names it in `Upgrade` and means it (`Connection: upgrade`). Never `h2c`:
/// behind it the next requests would pass unseen.
fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let protocol = headers.get(header::UPGRADE)?;
    let h2c = tokens(headers, &header::UPGRADE).any(|token| token.eq_ignore_ascii_case("h2c"));
    let wanted = !h2c && has_token(headers, &header::CONNECTION, "upgrade");
    wanted.then(|| protocol.clone())
}

type Names = SmallVec<[HeaderName; 4]>;

/// The fields that concern one connection. Nearly always there is none or one, and a look at each name costs less than
/// nine attempts to remove.
fn hop_by_hop(headers: &HeaderMap) -> Names {
    headers.keys().filter(|name| is_hop_by_hop(name)).cloned().collect()
}

fn is_hop_by_hop(name: &HeaderName) -> bool {
    match *name {
        header::CONNECTION
        | header::PROXY_AUTHENTICATE
        | header::PROXY_AUTHORIZATION
        | header::TE
        | header::TRANSFER_ENCODING
        | header::UPGRADE => true,
        _ => matches!(name.as_str(), "keep-alive" | "proxy-connection" | "http2-settings"),
    }
}

/// Removes the fields `found`, and those that `Connection` names.
fn strip(headers: &mut HeaderMap, mut found: Names) {
    if found.contains(&header::CONNECTION) && !says_the_usual(headers) {
        let named = tokens(headers, &header::CONNECTION)
            .filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok())
            .filter(|name| !is_protected(name));
        let named: Names = named.collect();
        found.extend(named);
    }
    for name in found {
        headers.remove(name);
    }
}

/// Whether `Connection` says what nearly everybody says, which names no field, or one that goes anyway.
fn says_the_usual(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONNECTION).iter();
    values.all(|value| [&b"keep-alive"[..], b"close"].iter().any(|usual| value.as_bytes().eq_ignore_ascii_case(usual)))
}

/// Fields that `Connection` cannot have removed: those that say where the message ends and whom it is for, and those
/// by which we tell the backend who sent it.
fn is_protected(name: &HeaderName) -> bool {
    matches!(*name, header::HOST | header::CONTENT_LENGTH | header::TRANSFER_ENCODING) || is_managed(name)
}

/// Fields by which proxies tell who sent a request and how.
fn is_managed(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-forwarded-") || name == "x-real-ip"
}

/// Leaves in a `Trailer` field only names of fields that may be trailers.
pub(crate) fn clean_announcement(headers: &mut HeaderMap) {
    if !headers.contains_key(header::TRAILER) {
        return;
    }
    let kept: Vec<&str> = tokens(headers, &header::TRAILER)
        .filter(|token| HeaderName::from_bytes(token.as_bytes()).is_ok_and(|name| may_be_trailer(&name)))
        .collect();
    match HeaderValue::try_from(kept.join(", ")) {
        Ok(value) if !value.is_empty() => headers.insert(header::TRAILER, value),
        _ => headers.remove(header::TRAILER),
    };
}

/// Takes out of a frame of trailers what must not come after the body (RFC 9110 §6.5.1): whoever merges trailers into
/// the header would be told a second length, host or identity.
pub(crate) fn clean_trailers<D>(frame: Frame<D>) -> Frame<D> {
    match frame.into_trailers() {
        Ok(mut trailers) => {
            let refused: SmallVec<[HeaderName; 4]> =
                trailers.keys().filter(|name| !may_be_trailer(name)).cloned().collect();
            for name in refused {
                if let Entry::Occupied(entry) = trailers.entry(name) {
                    entry.remove_entry_mult();
                }
            }
            Frame::trailers(trailers)
        }
        Err(frame) => frame,
    }
}

fn may_be_trailer(name: &HeaderName) -> bool {
    let refused = matches!(
        *name,
        header::AGE
            | header::AUTHORIZATION
            | header::CACHE_CONTROL
            | header::CONNECTION
            | header::CONTENT_ENCODING
            | header::CONTENT_LENGTH
            | header::CONTENT_RANGE
            | header::CONTENT_TYPE
            | header::COOKIE
            | header::DATE
            | header::EXPECT
            | header::EXPIRES
            | header::HOST
            | header::LOCATION
            | header::MAX_FORWARDS
            | header::PRAGMA
            | header::RANGE
            | header::RETRY_AFTER
            | header::SET_COOKIE
            | header::TE
            | header::TRAILER
            | header::TRANSFER_ENCODING
            | header::UPGRADE
            | header::VARY
            | header::WARNING
            | header::WWW_AUTHENTICATE
    );
    let name_text = name.as_str();
    !refused
        && !is_managed(name)
        && name != "keep-alive"
        && !name_text.starts_with("if-")
        && !name_text.starts_with("proxy-")
}

/// One `Cookie` field, as HTTP/1 wants it, of the several that HTTP/2 may send (RFC 9113 §8.2.3).
pub(crate) fn join_cookies(headers: &mut HeaderMap) {
    join(headers, &header::COOKIE, "; ", None);
}

/// Adds `last` to the list that a field holds, and makes it one field if it was several.
pub(crate) fn append(headers: &mut HeaderMap, name: &HeaderName, last: IpAddr) {
    let last = address(last);
    match headers.entry(name) {
        Entry::Vacant(entry) => {
            entry.insert(last);
        }
        Entry::Occupied(_) => join(headers, name, ", ", Some(last.as_bytes())),
    }
}

/// An address as text. The usual kind is written by hand, because the formatter costs several times as much.
fn address(address: IpAddr) -> HeaderValue {
    let mut text = SmallVec::<[u8; 40]>::new();
    match address {
        IpAddr::V4(address) => {
            for (index, octet) in address.octets().into_iter().enumerate() {
                if index > 0 {
                    text.push(b'.');
                }
                if octet >= 100 {
                    text.push(b'0' + octet / 100);
                }
                if octet >= 10 {
                    text.push(b'0' + octet / 10 % 10);
                }
                text.push(b'0' + octet % 10);
            }
        }
        IpAddr::V6(address) => text.extend_from_slice(address.to_string().as_bytes()),
    }
    HeaderValue::from_bytes(&text).expect("an address is printable ASCII")
}

fn join(headers: &mut HeaderMap, name: &HeaderName, separator: &str, last: Option<&[u8]>) {
    let count = headers.get_all(name).iter().count() + usize::from(last.is_some());
    if count < 2 && last.is_none() {
        return;
    }
    let values = headers.get_all(name).iter().map(HeaderValue::as_bytes).chain(last);
    let joined = values.collect::<SmallVec<[&[u8]; 4]>>().join(separator.as_bytes());
    if let Ok(joined) = HeaderValue::from_bytes(&joined) {
        headers.insert(name, joined);
    }
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|candidate| candidate.eq_ignore_ascii_case(token))
}

/// The elements of a field that is a list. A value that is not text has none.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn what_belongs_to_the_connection_goes() {
        let mut request = headers(&[
            ("Connection", "close, X-Mine , , X-Other"),
            ("X-Mine", "1"),
            ("X-Other", "1"),
            ("X-Kept", "1"),
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Connection", "keep-alive"),
            ("Proxy-Authorization", "Basic x"),
            ("Proxy-Authenticate", "Basic"),
            ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
            ("TE", "gzip"),
            ("Transfer-Encoding", "chunked"),
        ]);
        assert_eq!(strip_request(&mut request), None);
        assert_eq!(names(&request), ["x-kept"]);
    }

    #[test]
    fn the_client_cannot_have_framing_host_or_identity_removed() {
        let mut request = headers(&[
            ("Connection", "Host, Content-Length, X-Forwarded-For, x-real-ip, X-Forwarded-Tls-Client-Cert"),
            ("Host", "a"),
            ("Content-Length", "1"),
            ("X-Forwarded-For", "1.2.3.4"),
            ("X-Real-Ip", "1.2.3.4"),
            ("X-Forwarded-Tls-Client-Cert", "x"),
        ]);
        strip_request(&mut request);
        let left = ["content-length", "host", "x-forwarded-for", "x-forwarded-tls-client-cert", "x-real-ip"];
        assert_eq!(names(&request), left);
    }

    #[test]
    fn trailers_are_still_wanted() {
        let mut request = headers(&[("Connection", "TE"), ("TE", "gzip;q=0.5, trailers")]);
        strip_request(&mut request);
        assert_eq!(request["te"], "trailers");
    }

    #[test]
    fn a_change_of_protocol_is_wanted_only_with_both_fields_and_never_to_h2c() {
        for (connection, upgrade, wanted) in [
            ("Upgrade", "websocket", Some("websocket")),
            ("keep-alive, upgrade", "Foo/2", Some("Foo/2")),
            ("close", "websocket", None),
            ("Upgrade, HTTP2-Settings", "h2c", None),
            ("Upgrade", "websocket, H2C", None),
        ] {
            let mut request = headers(&[("Connection", connection), ("Upgrade", upgrade)]);
            let protocol = strip_request(&mut request);
            assert_eq!(protocol.as_ref().and_then(|protocol| protocol.to_str().ok()), wanted, "{connection} {upgrade}");
            assert!(request.is_empty(), "{request:?}");
        }
    }

    #[test]
    fn trailers_cannot_say_what_only_a_header_may() {
        let trailers = headers(&[
            ("Content-Length", "5"),
            ("Host", "a"),
            ("Authorization", "x"),
            ("X-Forwarded-For", "9.9.9.9"),
            ("If-Match", "x"),
            ("Proxy-Thing", "x"),
            ("Set-Cookie", "a"),
            ("Set-Cookie", "b"),
            ("X-Checksum", "1"),
            ("Grpc-Status", "0"),
        ]);
        let cleaned = clean_trailers(Frame::<()>::trailers(trailers)).into_trailers().unwrap();
        assert_eq!(names(&cleaned), ["grpc-status", "x-checksum"]);
    }

    #[test]
    fn an_announcement_names_only_what_may_follow() {
        let mut request = headers(&[("Trailer", "X-Checksum, Content-Length"), ("Trailer", "Host,X-Other")]);
        clean_announcement(&mut request);
        assert_eq!(request.get_all("trailer").iter().collect::<Vec<_>>(), ["X-Checksum, X-Other"]);
        let mut request = headers(&[("Trailer", "Content-Length")]);
        clean_announcement(&mut request);
        assert!(request.is_empty());
    }

    #[test]
    fn addresses_are_written_as_everybody_writes_them() {
        for octet in 0..=u8::MAX {
            let written = IpAddr::from([octet, 0, 255 - octet, octet / 2]);
            assert_eq!(address(written), written.to_string());
        }
    }

    #[test]
    fn lists_become_one_field() {
        let mut request = headers(&[("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-For", "2.2.2.2")]);
        let name = HeaderName::from_static("x-forwarded-for");
        append(&mut request, &name, "3.3.3.3".parse().unwrap());
        assert_eq!(request.get_all(&name).iter().collect::<Vec<_>>(), ["1.1.1.1, 2.2.2.2, 3.3.3.3"]);
        let mut request = headers(&[]);
        append(&mut request, &name, "2001:db8::1".parse().unwrap());
        assert_eq!(request[&name], "2001:db8::1");
        let mut request = headers(&[("Cookie", "a=1"), ("Cookie", "b=2")]);
        join_cookies(&mut request);
        assert_eq!(request.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1; b=2"]);
    }
}
