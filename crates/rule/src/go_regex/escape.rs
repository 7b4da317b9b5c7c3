//! Escapes: `\n`, `\x{41}`, `\pL`, `\d`.

use super::Error;

/// `\d`, `\s` or `\w` or their opposites as a class, if `c` names one. ASCII, as in Go.
pub(super) fn perl_class(c: char) -> Option<&'static str> {
    Some(match c {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        's' => r"[\t\n\f\r ]",
        'S' => r"[^\t\n\f\r ]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        _ => return None,
    })
}

/// The character that the escape at the start of `rest` stands for, and the
/// length of the escape, backslash included. `at` is its place in the pattern.
pub(super) fn character(rest: &str, at: usize) -> Result<(char, usize), Error> {
    let mut chars = rest[1..].chars();
    let first = chars.next().ok_or_else(|| Error::new(at, "nothing follows the last backslash"))?;
    let simple = match first {
        'a' => '\x07',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        'x' => return hexadecimal(&rest[2..]).ok_or_else(|| unknown(rest, at)),
        '0' => return Ok(octal(&rest[1..])),
        '1'..='7' if chars.next().is_some_and(|c| c.is_digit(8)) => return Ok(octal(&rest[1..])),
        '1'..='9' => return Err(Error::new(at, "back-references are not supported")),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => c,
        _ => return Err(unknown(rest, at)),
    };
    Ok((simple, 1 + first.len_utf8()))
}

fn unknown(rest: &str, at: usize) -> Error {
    let shown: String = rest.chars().take(2).collect();
    let message = match shown.as_str() {
        r"\Z" => r"unknown escape `\Z`; the end of the text is `\z`".to_owned(),
        r"\C" => r"`\C`, a single byte, is not supported".to_owned(),
        _ => format!("unknown escape `{shown}`"),
    };
    Error::new(at, message)
}

/// `41` or `{1F9AD}`, after `\x`.
fn hexadecimal(rest: &str) -> Option<(char, usize)> {
    let (digits, length) = match rest.strip_prefix('{') {
        Some(inside) => {
            let digits = &inside[..inside.find('}')?];
            (digits, digits.len() + 2)
        }
        None => (rest.get(..2)?, 2),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let c = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
    Some((c, length + 2))
}

/// Up to three octal digits, after the backslash: at most 0o777, always a character.
fn octal(rest: &str) -> (char, usize) {
    let digits = rest.bytes().take(3).take_while(|b| matches!(b, b'0'..=b'7'));
    let (value, length) =
        digits.fold((0, 0), |(value, length), digit| (value * 8 + u32::from(digit - b'0'), length + 1));
    (char::from_u32(value).unwrap_or_default(), length + 1)
}

/// The Unicode class at the start of `rest`, `\pL` or `\P{Greek}`, in the crate's
/// spelling, and its length; `None` if `rest` starts with something else.
pub(super) fn unicode_class(rest: &str, at: usize) -> Result<Option<(String, usize)>, Error> {
    let mut negated = match rest.as_bytes() {
        [b'\\', b'p', ..] => false,
        [b'\\', b'P', ..] => true,
        _ => return Ok(None),
    };
    let wrong = |name: &str| Error::new(at, format!("unknown character class `{name}`"));
    let body = &rest[2..];
    let (mut name, length) = if let Some(inside) = body.strip_prefix('{') {
        let end = inside.find('}').ok_or_else(|| wrong(rest))?;
        (&inside[..end], end + 2)
    } else {
        let first = body.chars().next().ok_or_else(|| wrong(rest))?;
        (&body[..first.len_utf8()], first.len_utf8())
    };
    if let Some(opposite) = name.strip_prefix('^') {
        (name, negated) = (opposite, !negated);
    }
    let inside = class_items(name).ok_or_else(|| wrong(name))?;
    let not = if negated { "^" } else { "" };
    Ok(Some((format!("[{not}{inside}]"), length + 2)))
}

/// Go's tables: `Any`, general categories and scripts.
fn class_items(name: &str) -> Option<String> {
    let word = |c: u8| c.is_ascii_alphabetic() || c == b'_';
    if name.is_empty() || !name.bytes().all(word) {
        return None;
    }
    Some(match name {
        "Any" => r"\x{0}-\x{10FFFF}".to_owned(),
        // Go's C leaves out what is not assigned; surrogates cannot occur in text.
        "C" => r"\p{Cc}\p{Cf}\p{Co}".to_owned(),
        category if category.len() <= 2 => format!(r"\p{{gc={category}}}"),
        script => format!(r"\p{{sc={script}}}"),
    })
}
