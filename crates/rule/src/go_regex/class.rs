//! Bracketed classes: `[^a-z\d[:alpha:]]`.

use super::scanner::push_literal;
use super::{Error, escape};

/// Translates the class at the start of `rest` into `out`; returns its length.
/// `at` is its place in the pattern.
pub(super) fn translate(rest: &str, at: usize, out: &mut String) -> Result<usize, Error> {
    out.push('[');
    let mut i = 1;
    if rest[i..].starts_with('^') {
        out.push('^');
        i += 1;
    }
    let first = i;
    // A bracket that comes first is a character, not the end.
    while i == first || !rest[i..].starts_with(']') {
        if rest[i..].is_empty() {
            return Err(not_closed(at));
        }
        i += match named(&rest[i..], at + i, out)? {
            Some(length) => length,
            None => range(&rest[i..], at + i, out)?,
        };
    }
    out.push(']');
    Ok(i + 1)
}

/// `[:alpha:]`, `\d` or `\pL`, if the class goes on with one.
fn named(rest: &str, at: usize, out: &mut String) -> Result<Option<usize>, Error> {
    if let Some(inside) = rest.strip_prefix("[:")
        && let Some(end) = inside.find(":]")
    {
        let name = &inside[..end];
        if !POSIX.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return Err(Error::new(at, format!("unknown character class `[:{name}:]`")));
        }
        out.push_str(&rest[..end + 4]);
        return Ok(Some(end + 4));
    }
    if let Some((class, length)) = escape::unicode_class(rest, at)? {
        out.push_str(&class);
        return Ok(Some(length));
    }
    let perl = rest.strip_prefix('\\').and_then(|rest| rest.chars().next()).and_then(escape::perl_class);
    if let Some(class) = perl {
        out.push_str(class);
        return Ok(Some(2));
    }
    Ok(None)
}

/// `a` or `a-z`.
fn range(rest: &str, at: usize, out: &mut String) -> Result<usize, Error> {
    let (low, mut length) = character(rest, at)?;
    push_literal(low, out);
    if let Some(after) = rest[length..].strip_prefix('-')
        && !after.is_empty()
        && !after.starts_with(']')
    {
        let (high, high_length) = character(after, at + length + 1)?;
        length += 1 + high_length;
        if high < low {
            let message = format!("range `{}` runs backwards", &rest[..length]);
            return Err(Error::new(at, message));
        }
        out.push('-');
        push_literal(high, out);
    }
    Ok(length)
}

fn character(rest: &str, at: usize) -> Result<(char, usize), Error> {
    match rest.chars().next() {
        Some('\\') => escape::character(rest, at),
        Some(c) => Ok((c, c.len_utf8())),
        None => Err(not_closed(at)),
    }
}

fn not_closed(at: usize) -> Error {
    Error::new(at, "`[` is not closed")
}

const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];
