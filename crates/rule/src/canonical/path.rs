//! The path of a request.

use std::borrow::Cow;

use super::escaped;
use crate::utf8;

/// Why a path is refused before routing, with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// `#` cannot be part of a path, only start a fragment, which is never sent.
    #[error("the path contains a `#`")]
    Fragment,
    /// A `%` without two hexadecimal digits after it.
    #[error("the path contains a malformed escape")]
    Escape,
    /// `%00`, which ends a string for many a backend and not for others.
    #[error("the path contains an escaped NUL")]
    Null,
    /// A control character, which Go's URL parser refuses.
    #[error("the path contains a control character")]
    Control,
}

/// What Traefik's entry point makes of the raw path (no query) of a request:
/// refuses `#`, writes escapes in upper case, decodes escaped unreserved
/// characters (RFC 3986, 2.3), then removes `.` and `..` segments and duplicate
/// slashes like Go's `path.Clean`, except that a final slash stays.
///
/// Characters that do not belong in a path, such as `{` and everything beyond
/// ASCII, are escaped. Go then also decodes the other escapes of such a path, so that
/// `/a%2Fb{` becomes `/a/b%7B`; here `%2F` stays escaped, always, because an
/// escaped slash must not start to separate because of its neighbours.
///
/// The result is a fixed point: applied to it, `path` changes nothing and
/// borrows, without allocation.
pub fn path(raw: &str) -> Result<Cow<'_, str>, PathError> {
    if is_canonical(raw.as_bytes()) {
        return Ok(Cow::Borrowed(raw));
    }
    let escaped = normalised(raw.as_bytes())?;
    Ok(Cow::Owned(cleaned(&escaped)))
}

/// What it makes of the path with `sanitizePath: false`: every character in its one form, as [`path`] does, and the
/// segments as they are. What is routed and what is forwarded are one text here too.
pub fn written_path(raw: &str) -> Result<Cow<'_, str>, PathError> {
    let mut rest = raw.as_bytes();
    while let [first, ..] = rest {
        rest = match *first {
            b'%' if rest.get(1..3).is_some_and(escape_is_canonical) => &rest[3..],
            byte if byte != b'%' && is_path(byte) => &rest[1..],
            _ => return normalised(raw.as_bytes()).map(Cow::Owned),
        };
    }
    Ok(Cow::Borrowed(raw))
}

/// The path that rules look at: every escape decoded except those of reserved
/// characters (RFC 3986, 2.2) and of `%` itself. So ``Path(`/foo bar`)`` takes
/// `/foo%20bar`, and `%2F` is not a slash.
///
/// Bytes that are not UTF-8 become U+FFFD, one each: that is how Go's regular
/// expressions read them.
pub fn routing_path(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, ..] = rest {
        let (byte, length) = match escaped(rest) {
            Some(byte) if !is_reserved(byte) => (byte, 3),
            _ => (*first, 1),
        };
        bytes.push(byte);
        rest = &rest[length..];
    }
    Cow::Owned(utf8::read(&bytes).into_owned())
}

/// Whether [`path`] would change nothing. One pass over the bytes.
fn is_canonical(path: &[u8]) -> bool {
    if path.first() != Some(&b'/') {
        return false;
    }
    let mut i = 0;
    while let Some(byte) = path.get(i) {
        i += match byte {
            b'/' if !segment_is_clean(&path[i + 1..]) => return false,
            b'%' => match path.get(i + 1..i + 3) {
                Some(digits) if escape_is_canonical(digits) => 3,
                _ => return false,
            },
            byte if is_path(*byte) => 1,
            _ => return false,
        };
    }
    true
}

/// Whether the segment at the start of `rest` is neither empty (unless it is the
/// last) nor `.` nor `..`.
fn segment_is_clean(rest: &[u8]) -> bool {
    !matches!(rest, [b'/', ..] | [b'.'] | [b'.', b'/', ..] | [b'.', b'.'] | [b'.', b'.', b'/', ..])
}

fn escape_is_canonical(digits: &[u8]) -> bool {
    digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F'))
        && escaped(&[b'%', digits[0], digits[1]]).is_some_and(|byte| byte != 0 && !is_unreserved(byte))
}

/// Every byte in the one form it may have.
fn normalised(raw: &[u8]) -> Result<String, PathError> {
    let mut path = String::with_capacity(raw.len() + 8);
    let mut rest = raw;
    while let [first, ..] = rest {
        let (byte, length, keep) = match *first {
            b'%' => {
                let byte = escaped(rest).ok_or(PathError::Escape)?;
                if byte == 0 {
                    return Err(PathError::Null);
                }
                (byte, 3, is_unreserved(byte))
            }
            b'#' => return Err(PathError::Fragment),
            byte if byte.is_ascii_control() => return Err(PathError::Control),
            byte => (byte, 1, is_path(byte)),
        };
        if keep {
            path.push(char::from(byte));
        } else {
            path.push('%');
            path.push(char::from(DIGITS[usize::from(byte >> 4)]));
            path.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        rest = &rest[length..];
    }
    Ok(path)
}

/// Go's `path.Clean`, the final slash kept. A path without a first slash (the `*`
/// of `OPTIONS *`) stays without.
fn cleaned(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    let mut clean = String::with_capacity(path.len() + 1);
    for segment in &segments {
        clean.push('/');
        clean.push_str(segment);
    }
    if clean.is_empty() || path.ends_with('/') {
        clean.push('/');
    }
    if !path.is_empty() && !path.starts_with('/') && clean.len() > 1 {
        clean.remove(0);
    }
    clean
}

const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// RFC 3986, 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// RFC 3986, 2.2, and the percent sign.
fn is_reserved(byte: u8) -> bool {
    matches!(byte, b'?' | b'#' | b'%') || is_separator(byte)
}

/// What Go's `net/url` lets stand in a path as it is, `validEncoded`.
fn is_path(byte: u8) -> bool {
    is_unreserved(byte) || is_separator(byte)
}

/// The reserved characters that may stand in a path.
fn is_separator(byte: u8) -> bool {
    matches!(
        byte,
        b'/' | b':' | b'[' | b']' | b'@' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'='
    )
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{PathError, path, routing_path};

    #[test]
    fn without_cleaning_only_characters_change() {
        for (raw, expected) in [
            ("/a//b/../c/.", "/a//b/../c/."),
            ("/%2e%2e/%2f%41", "/../%2FA"),
            ("/{a}|\"", "/%7Ba%7D%7C%22"),
            ("/a%2Fb", "/a%2Fb"),
            ("*", "*"),
        ] {
            assert_eq!(super::written_path(raw).as_deref(), Ok(expected), "{raw}");
            assert_eq!(super::written_path(expected), Ok(Cow::Borrowed(expected)), "{raw}: a fixed point");
        }
        for raw in ["/%zz", "/%", "/a#b", "/%00", "/\u{1}"] {
            assert!(super::written_path(raw).is_err() && path(raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn paths_are_cleaned_as_go_cleans() {
        for (raw, expected) in [
            ("/", "/"),
            ("", "/"),
            ("*", "*"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b/"),
            ("//a///b//", "/a/b/"),
            ("/.", "/"),
            ("/..", "/"),
            ("/./", "/"),
            ("/a/.", "/a"),
            ("/a/./", "/a/"),
            ("/a/..", "/"),
            ("/a/../b", "/b"),
            ("/../../b/", "/b/"),
            ("/a/...", "/a/..."),
            ("/a/.b/..c", "/a/.b/..c"),
            ("/x/%2e%2e/admin", "/admin"),
            ("/x/.%2E/admin", "/admin"),
            ("/%61%2fb", "/a%2Fb"),
            ("/%7e%2D%5f", "/~-_"),
            ("/a%2F..%2Fb", "/a%2F..%2Fb"),
            ("/{a}|\"<>\\^`", "/%7Ba%7D%7C%22%3C%3E%5C%5E%60"),
            ("/é%c3%a9", "/%C3%A9%C3%A9"),
            ("/a b?", "/a%20b%3F"),
            ("/[a]:@!$&'()*+,;=", "/[a]:@!$&'()*+,;="),
            ("/%01%5C%23%25", "/%01%5C%23%25"),
            ("a/../../b", "b"),
        ] {
            assert_eq!(path(raw).as_deref(), Ok(expected), "{raw}");
        }
    }

    #[test]
    fn a_canonical_path_is_borrowed() {
        for raw in ["/", "/a/b/", "/a%2Fb/...", "/.well-known/..a/b..", "/a%20b", "/a.", "/a.."] {
            assert!(matches!(path(raw), Ok(Cow::Borrowed(same)) if same == raw), "{raw}");
        }
    }

    #[test]
    fn what_cannot_be_a_path_is_refused() {
        for (raw, error) in [
            ("/a#b", PathError::Fragment),
            ("/%", PathError::Escape),
            ("/%4", PathError::Escape),
            ("/%zz", PathError::Escape),
            ("/%+1", PathError::Escape),
            ("/a\nb", PathError::Control),
            ("/a\u{7f}", PathError::Control),
        ] {
            assert_eq!(path(raw), Err(error), "{raw}");
        }
    }

    #[test]
    fn stray_bytes_are_replaced_for_routing() {
        assert_eq!(routing_path("/%FF%C3%A9"), "/\u{fffd}é");
        assert_eq!(routing_path("/%2"), "/%2");
        assert!(matches!(routing_path("/plain"), Cow::Borrowed(_)));
    }
}
