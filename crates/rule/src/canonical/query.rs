//! The parameters of a query.

use std::borrow::Cow;

use super::escaped;
use crate::utf8;

/// The decoded pairs of a raw query (without its `?`), in order.
///
/// Go's `url.ParseQuery` with `;` acting as `&`, which is how Traefik reads
/// queries: `+` is a space, a key without `=` has an empty value, and a pair with
/// a malformed escape is passed over. For an entry point with
/// `encodeQuerySemicolons` the caller escapes them first.
pub fn query(raw: &str) -> Query<'_> {
    Query { rest: raw }
}

/// The iterator that [`query`] returns. Borrows what needs no decoding.
#[derive(Debug, Clone)]
pub struct Query<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Query<'a> {
    type Item = (Cow<'a, str>, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let (pair, rest) = self.rest.split_once(['&', ';']).unwrap_or((self.rest, ""));
            self.rest = rest;
            if pair.is_empty() {
                continue;
            }
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if let (Some(key), Some(value)) = (decoded(key), decoded(value)) {
                return Some((key, value));
            }
        }
        None
    }
}

/// Go's `url.QueryUnescape`; `None` where an escape is malformed.
fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, ..] = rest {
        let (byte, length) = match first {
            b'%' => (escaped(rest)?, 3),
            b'+' => (b' ', 1),
            other => (*other, 1),
        };
        bytes.push(byte);
        rest = &rest[length..];
    }
    Some(Cow::Owned(utf8::read(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::query;

    fn pairs(raw: &str) -> Vec<(String, String)> {
        query(raw).map(|(key, value)| (key.into_owned(), value.into_owned())).collect()
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn pairs_are_go_s() {
        for (raw, expected) in [
            ("", &[][..]),
            ("&&;", &[]),
            ("a", &[("a", "")]),
            ("a=1&a=2;b=3", &[("a", "1"), ("a", "2"), ("b", "3")]),
            ("a=b=c", &[("a", "b=c")]),
            ("=x", &[("", "x")]),
            ("a+b=%41+%2B", &[("a b", "A +")]),
            ("a=%&b=%4&c=%zz&d=%20", &[("d", " ")]),
            ("%=1", &[]),
            ("a=%ff%C3%A9", &[("a", "\u{fffd}é")]),
            ("a=%3B&b=é", &[("a", ";"), ("b", "é")]),
        ] {
            assert_eq!(pairs(raw), owned(expected), "{raw}");
        }
    }
}
