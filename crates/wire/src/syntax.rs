//! Which bytes may stand where: RFC 9110 §5, RFC 9112 §3 and §5, RFC 3986 §3.2.

use std::net::Ipv6Addr;

/// `tchar` of RFC 9110 §5.6.2.
static TOKEN: [bool; 256] = marked(b"!#$%&'*+-.^_`|~");

/// What a host name is made of: `unreserved` and `sub-delims` of RFC 3986, except `,`, which
/// joins two fields, and `%`, with which one host can be written in many ways.
static HOST_NAME: [bool; 256] = marked(b"-._~!$&'()*+;=");

/// Letters, digits and `others`.
const fn marked(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut index = 0;
    while index < others.len() {
        table[others[index] as usize] = true;
        index += 1;
    }
    table
}

/// Splits off the longest token `text` begins with.
pub(crate) fn split_token(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|&byte| !TOKEN[usize::from(byte)]).unwrap_or(text.len());
    text.split_at(end)
}

/// Whether `text` is a token.
pub(crate) fn is_token(text: &[u8]) -> bool {
    let (token, rest) = split_token(text);
    !token.is_empty() && rest.is_empty()
}

/// Whether `text` has no control bytes but tabs. Bytes from 0x80 up may pass (obs-text).
#[expect(clippy::needless_bitwise_bool, reason = "without branches the compiler takes many bytes at a time")]
pub(crate) fn is_field_value(text: &[u8]) -> bool {
    text.iter().fold(true, |good, &byte| good & ((byte >= b' ') | (byte == b'\t')) & (byte != 0x7f))
}

/// Whether `text` has nothing but visible ASCII, and no fragment.
#[expect(clippy::needless_bitwise_bool, reason = "without branches the compiler takes many bytes at a time")]
pub(crate) fn is_target_text(text: &[u8]) -> bool {
    text.iter().fold(true, |good, &byte| good & (byte > b' ') & (byte < 0x7f) & (byte != b'#'))
}

/// `text` without spaces and tabs at its ends.
pub(crate) fn trim(text: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = text.iter().position(|byte| !blank(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    &text[start..end]
}

/// Whether `text` is a host with an optional port, without user information.
pub(crate) fn is_authority(text: &[u8]) -> bool {
    match split_host(text) {
        Some((host, port)) => is_host(host) && is_port(port),
        None => false,
    }
}

/// Splits `text` into the host and what follows it.
fn split_host(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = match text.first()? {
        b'[' => text.iter().position(|&byte| byte == b']')? + 1,
        _ => text.iter().position(|&byte| byte == b':').unwrap_or(text.len()),
    };
    Some(text.split_at(end))
}

fn is_host(host: &[u8]) -> bool {
    match host {
        [] => false,
        [b'[', address @ .., b']'] => {
            std::str::from_utf8(address).is_ok_and(|address| address.parse::<Ipv6Addr>().is_ok())
        }
        name => name.iter().all(|&byte| HOST_NAME[usize::from(byte)]),
    }
}

/// Nothing, or a colon and the digits of a port. RFC 3986 allows that the digits are missing.
fn is_port(text: &[u8]) -> bool {
    match text {
        [] | [b':'] => true,
        [b':', digits @ ..] => number(digits).is_some_and(|port| u16::try_from(port).is_ok()),
        _ => false,
    }
}

/// The value of decimal `digits`, or `None` for anything else. No digits are no number.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |value, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_hosts_with_optional_ports() {
        for good in
            ["a.test", "a.test:80", "a.test:", "127.0.0.1:8080", "[::1]", "[::1]:443", "a_b", "xn--4ca.test", "a.test."]
        {
            assert!(is_authority(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            ":80",
            "a.test:x",
            "a.test:80:80",
            "a.test:65536",
            "a.test:99999999999999999999",
            "a.test/evil",
            "u@a.test",
            "a,b",
            "a b",
            "a%2etest",
            "[::1",
            "[::1]x",
            "[fe80::1%25eth0]",
            "[]",
            "a[b]",
            "\u{e4}.test",
            "a?b",
            "a#b",
            "a\\b",
        ] {
            assert!(!is_authority(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn numbers_are_digits_within_64_bits() {
        assert_eq!(number(b"007"), Some(7));
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        for bad in ["", "+5", "-1", "0x5", "5 5", "5,5", "18446744073709551616"] {
            assert_eq!(number(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn white_space_is_cut_at_the_ends_only() {
        assert_eq!(trim(b" \t a b\t "), b"a b");
        assert_eq!(trim(b" \t"), b"");
        assert_eq!(trim(b""), b"");
    }
}
