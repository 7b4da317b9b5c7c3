//! The path of a request, in its escaped form, and what may be done to it.
//!
//! The path that rules match on has its escapes decoded, except those of reserved characters. A prefix in a
//! configuration is written in that form, while the request carries the escaped one; the two meet here.

use std::str::FromStr as _;

use http::Uri;
use http::uri::{InvalidUri, PathAndQuery};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tollgate_pipeline::Request;

/// What has to be escaped in a path that was written in a configuration. An escape that is there already stays.
const ESCAPED_IN_PATH: AsciiSet = CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'\\')
    .add(b'^')
    .add(b'|');

/// The escaped spelling of a path as configured.
pub(crate) fn escape(path: &str) -> String {
    utf8_percent_encode(path, &ESCAPED_IN_PATH).to_string()
}

/// What is left of the escaped `path` behind `prefix`, if it begins with it.
///
/// Escapes are compared as the characters they stand for, except those of reserved characters, which only match
/// themselves: `%2F` is not a `/`, as it is none for the rules.
pub(crate) fn strip_prefix<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    let mut at = 0;
    for byte in prefix.bytes() {
        let (found, width) = character(path.as_bytes().get(at..)?)?;
        if found != byte {
            return None;
        }
        at += width;
    }
    path.get(at..)
}

/// The first character of an escaped path and how many bytes it takes.
fn character(path: &[u8]) -> Option<(u8, usize)> {
    match *path {
        [b'%', high, low, ..] => match (char::from(high).to_digit(16), char::from(low).to_digit(16)) {
            (Some(high), Some(low)) if !is_reserved((high * 16 + low) as u8) => Some(((high * 16 + low) as u8, 3)),
            _ => Some((b'%', 1)),
        },
        [byte, ..] => Some((byte, 1)),
        [] => None,
    }
}

/// The characters whose escapes are not decoded for routing (Traefik 3.7, RFC 3986 §2.2 and `%`).
fn is_reserved(byte: u8) -> bool {
    b":/?#[]@!$&'()*+,;=%".contains(&byte)
}

/// Puts `path`, escaped, in the place of the request's, and keeps the query.
pub(crate) fn replace(request: &mut Request, path: &str) -> Result<(), InvalidUri> {
    let target = match request.uri().query() {
        Some(query) => PathAndQuery::try_from([path, "?", query].concat())?,
        None => PathAndQuery::from_str(path)?,
    };
    *request.uri_mut() = Uri::from(target);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_compared_with_what_the_rules_see() {
        for (path, prefix, rest) in [
            ("/api/x", "/api", Some("/x")),
            ("/api", "/api", Some("")),
            ("/apis", "/api", Some("s")),
            ("/ap", "/api", None),
            ("/my%20api/x", "/my api", Some("/x")),
            ("/caf%C3%A9/x", "/café", Some("/x")),
            ("/a%2Fb/c", "/a/b", None),
            ("/a%2Fb/c", "/a%2Fb", Some("/c")),
            ("/a%", "/a%", Some("")),
        ] {
            assert_eq!(strip_prefix(path, prefix), rest, "{path} without {prefix}");
        }
    }
}
