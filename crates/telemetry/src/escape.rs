//! Text from outside, made harmless for the place where it will stand.
//!
//! What a client sends must not end a line, close a quote or drive a terminal.

/// Text inside `"…"` of a CLF line or of the human log, without the quotes: quotes and backslashes get a backslash,
/// control characters become `\n`, `\x1b` or `\u0085`, bytes that are not UTF-8 `\xff`, as Go's `%q` writes them.
pub(crate) fn push_quoted(out: &mut Vec<u8>, text: &[u8]) {
    for part in push_plain(out, text).utf8_chunks() {
        for character in part.valid().chars() {
            match character {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                hidden if is_hidden(hidden) => push_hidden(out, hidden),
                plain => push_char(out, plain),
            }
        }
        for &byte in part.invalid() {
            push_hex(out, b"\\x", u32::from(byte), 2);
        }
    }
}

/// Like [`push_quoted`] for a place without quotes around it, so that a space would start a new column: it becomes
/// `\x20`, and nothing at all becomes `-`.
pub(crate) fn push_bare(out: &mut Vec<u8>, text: &[u8]) {
    if text.is_empty() {
        out.push(b'-');
    }
    for (index, word) in text.split(|&byte| byte == b' ').enumerate() {
        if index > 0 {
            out.extend_from_slice(b"\\x20");
        }
        push_quoted(out, word);
    }
}

/// A JSON string, with its quotes. Bytes that are not UTF-8 become U+FFFD.
pub(crate) fn push_json(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    push_json_part(out, text);
    out.push(b'"');
}

/// The inside of a JSON string, for those that are written in parts.
pub(crate) fn push_json_part(out: &mut Vec<u8>, text: &[u8]) {
    for part in push_plain(out, text).utf8_chunks() {
        for character in part.valid().chars() {
            match character {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                hidden if is_hidden(hidden) => push_hex(out, b"\\u", u32::from(hidden), 4),
                plain => push_char(out, plain),
            }
        }
        if !part.invalid().is_empty() {
            push_char(out, char::REPLACEMENT_CHARACTER);
        }
    }
}

/// Pushes what needs no escaping anywhere, up to the first byte that may, and returns the rest. Nearly all text is
/// plain to its end.
fn push_plain<'a>(out: &mut Vec<u8>, text: &'a [u8]) -> &'a [u8] {
    let is_special = |&byte: &u8| !matches!(byte, b' '..=b'~') || matches!(byte, b'"' | b'\\');
    let (plain, rest) = text.split_at(text.iter().position(is_special).unwrap_or(text.len()));
    out.extend_from_slice(plain);
    rest
}

/// Control characters (C0, DEL, C1), line separators, and the marks that turn the direction of text around: what
/// can make a log line look like something else. All are in the basic plane, so four digits name them.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn push_hidden(out: &mut Vec<u8>, hidden: char) {
    if hidden.is_ascii() {
        push_hex(out, b"\\x", u32::from(hidden), 2);
    } else {
        push_hex(out, b"\\u", u32::from(hidden), 4);
    }
}

fn push_char(out: &mut Vec<u8>, character: char) {
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

fn push_hex(out: &mut Vec<u8>, prefix: &[u8], number: u32, digits: u32) {
    out.extend_from_slice(prefix);
    for shift in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(number >> (shift * 4)) as usize & 15]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(push: fn(&mut Vec<u8>, &[u8]), text: &[u8]) -> String {
        let mut out = Vec::new();
        push(&mut out, text);
        String::from_utf8(out).expect("escaped text is UTF-8")
    }

    #[test]
    fn quoted_text_stays_between_its_quotes_and_on_its_line() {
        for (text, shown) in [
            (&b"ua \"q\" x"[..], r#"ua \"q\" x"#),
            (b"a\\\nb\r\t", r"a\\\nb\r\t"),
            (b"\x1b[31m\0\x7f", r"\x1b[31m\x00\x7f"),
            ("gr\u{fc}n \u{85}\u{202e}".as_bytes(), "gr\u{fc}n \\u0085\\u202e"),
            (b"\xff\xfe", r"\xff\xfe"),
        ] {
            assert_eq!(escaped(push_quoted, text), shown);
        }
    }

    #[test]
    fn bare_text_is_one_column() {
        assert_eq!(escaped(push_bare, b"1.2.3.4, 5.6.7.8"), r"1.2.3.4,\x205.6.7.8");
        assert_eq!(escaped(push_bare, b""), "-");
    }

    #[test]
    fn json_strings_are_read_back_as_they_were() {
        for text in ["", "plain", "\"quoted\" \\ \n\r\t\0\u{1b}", "gr\u{fc}n \u{85}\u{2028}\u{1f600}"] {
            let json = escaped(push_json, text.as_bytes());
            assert!(!json.contains(['\n', '\u{1b}', '\u{85}', '\u{2028}']), "{json}");
            assert_eq!(serde_json::from_str::<String>(&json).expect("valid JSON"), text);
        }
        let json = escaped(push_json, b"a\xff\xfeb");
        assert_eq!(serde_json::from_str::<String>(&json).expect("valid JSON"), "a\u{fffd}\u{fffd}b");
    }
}
