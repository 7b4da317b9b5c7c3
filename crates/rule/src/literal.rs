//! What a Go string literal says.

use std::ops::Range;

use crate::error::RuleError;

/// The value of `literal` (quotes included), which stands at `span` in the rule.
/// Escapes are those of the Go specification, "String literals".
pub(crate) fn value(literal: &str, span: &Range<usize>) -> Result<String, RuleError> {
    let body = &literal[1..literal.len() - 1];
    if literal.starts_with('`') {
        // Go drops carriage returns from raw strings.
        return Ok(body.replace('\r', ""));
    }
    let mut bytes = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(slash) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..slash]);
        let at = span.start + 1 + (body.len() - rest.len()) + slash;
        let (escape, len) = escape(&rest[slash + 1..]).ok_or_else(|| unknown_escape(&rest[slash..], at, body))?;
        match escape {
            Escape::Byte(byte) => bytes.push(byte),
            Escape::Char(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        rest = &rest[slash + 1 + len..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).map_err(|_| RuleError::new(span.clone(), "string is not valid UTF-8"))
}

enum Escape {
    Byte(u8),
    Char(char),
}

/// The escape at the start of `rest` (the backslash gone) and its length.
fn escape(rest: &str) -> Option<(Escape, usize)> {
    let simple = match *rest.as_bytes().first()? {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        b'\\' => b'\\',
        b'"' => b'"',
        b'x' => return Some((Escape::Byte(number(rest, 1, 2, 16)?.try_into().ok()?), 3)),
        b'0'..=b'7' => return Some((Escape::Byte(number(rest, 0, 3, 8)?.try_into().ok()?), 3)),
        b'u' => return Some((Escape::Char(char::from_u32(number(rest, 1, 4, 16)?)?), 5)),
        b'U' => return Some((Escape::Char(char::from_u32(number(rest, 1, 8, 16)?)?), 9)),
        _ => return None,
    };
    Some((Escape::Byte(simple), 1))
}

fn number(rest: &str, from: usize, len: usize, radix: u32) -> Option<u32> {
    let digits = rest.get(from..from + len)?;
    // `from_str_radix` would take a sign.
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}

fn unknown_escape(rest: &str, at: usize, body: &str) -> RuleError {
    let shown: String = rest.chars().take(2).collect();
    RuleError::new(at..at + shown.len(), format!("unknown escape `{shown}`"))
        .hint(format!("in backquotes a backslash stands for itself: `{body}`"))
}

#[cfg(test)]
mod tests {
    use super::value;

    fn read(literal: &str) -> Option<String> {
        value(literal, &(0..literal.len())).ok()
    }

    #[test]
    fn escapes_are_go_s() {
        assert_eq!(read(r#""a\tb\n\"\\""#).as_deref(), Some("a\tb\n\"\\"));
        assert_eq!(read(r#""\x41\101\u00e9\U0001F9ad""#).as_deref(), Some("AAé🦭"));
        assert_eq!(read(r#""\xc3\xa9""#).as_deref(), Some("é"));
        assert_eq!(read("`a\\d\r\n`").as_deref(), Some("a\\d\n"));
    }

    #[test]
    fn what_go_does_not_know_is_an_error() {
        for literal in [
            r#""\d""#,
            r#""\'""#,
            r#""\x4""#,
            r#""\400""#,
            r#""\ud800""#,
            r#""\U00110000""#,
            r#""\xff""#,
            r#""\x+1""#,
            r#""\8""#,
            r#""\xé""#,
        ] {
            assert_eq!(read(literal), None, "{literal}");
        }
    }
}
