//! The host a request is for.

use std::borrow::Cow;

/// The authority a request is for: the one in its target if it names a host, else
/// the `Host` header, as in Go's `net/http`. User information is dropped from
/// the target. Empty when there is neither.
///
/// `GET http://a.example/` with `Host: b.example` is for `a.example`.
pub fn authority<'a>(target: Option<&'a str>, header: Option<&'a str>) -> &'a str {
    target
        .map(|target| target.rsplit_once('@').map_or(target, |(_, host)| host))
        .filter(|target| !target.is_empty())
        .or(header)
        .unwrap_or("")
}

/// The canonical host of an authority: no port, no brackets, ASCII letters in
/// lower case, no space around. Borrows when nothing changes.
///
/// What is neither `host:port` nor a bracketed address stays as it is, so that
/// it matches no sensible rule. Traefik: `pkg/middlewares/requestdecorator`.
pub fn host(authority: &str) -> Cow<'_, str> {
    // Nearly always there is nothing to do.
    if authority.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-')) {
        return Cow::Borrowed(authority);
    }
    let host = without_port(authority).trim();
    if host.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

/// Go's `net.SplitHostPort`; where that fails, what stands in the brackets, or all.
fn without_port(authority: &str) -> &str {
    let Some((host, port)) = authority.rsplit_once(':') else {
        return authority;
    };
    let split = match host.strip_prefix('[') {
        Some(inside) => inside.strip_suffix(']'),
        None => Some(host).filter(|host| !host.contains(':')),
    };
    let bracket = |text: &str| text.contains(['[', ']']);
    if let Some(host) = split
        && !bracket(host)
        && !bracket(port)
    {
        return host;
    }
    authority.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{authority, host};

    #[test]
    fn ports_and_brackets_go() {
        for (given, expected) in [
            ("example.com", "example.com"),
            ("Example.COM:8080", "example.com"),
            ("example.com:", "example.com"),
            (" example.com ", "example.com"),
            ("[::1]", "::1"),
            ("[::1]:80", "::1"),
            ("[FE80::1%eth0]:80", "fe80::1%eth0"),
            ("::1", "::1"),
            ("a:b:c", "a:b:c"),
            ("[a]b:80", "[a]b:80"),
            ("[a]:80:81", "[a]:80:81"),
            ("[[a]]:80", "[[a]]:80"),
            ("a]:80", "a]:80"),
            ("a:[80", "a:[80"),
            ("[", "["),
            ("[:", "[:"),
            ("", ""),
            (":80", ""),
            ("🦭.com", "🦭.com"),
        ] {
            assert_eq!(host(given), expected, "{given}");
        }
    }

    #[test]
    fn a_canonical_host_is_borrowed() {
        assert!(matches!(host("example.com:443"), Cow::Borrowed("example.com")));
    }

    #[test]
    fn the_target_comes_before_the_header() {
        assert_eq!(authority(Some("a:80"), Some("b")), "a:80");
        assert_eq!(authority(Some("user:pass@a"), Some("b")), "a");
        assert_eq!(authority(Some("@"), Some("b")), "b");
        assert_eq!(authority(None, Some("b")), "b");
        assert_eq!(authority(None, None), "");
    }
}
