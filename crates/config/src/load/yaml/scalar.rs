//! What a scalar is, as Go's `yaml.v3` resolves it (`resolve.go`).

use saphyr_parser::{ScalarStyle, Tag};

use crate::node::{Node, ScalarKind, Value};
use crate::place::Place;

/// The value of a scalar, by its tag or its looks.
pub(super) fn resolve(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let string = || Value::Scalar(text.to_owned(), ScalarKind::String);
    let Some(tag) = tag else {
        return Ok(match style {
            ScalarStyle::Plain => plain(text),
            _ => string(),
        });
    };
    if !tag.is_yaml_core_schema() {
        // `!` alone is the non-specific tag: a string.
        if tag.handle.is_empty() && tag.suffix == "!" {
            return Ok(string());
        }
        return Err(format!("yaml: cannot decode {text:?} as a {tag}"));
    }
    let value = plain(text);
    let fits = match (tag.suffix.as_str(), &value) {
        ("str", _) => return Ok(string()),
        ("null", Value::Null)
        | ("bool", Value::Scalar(_, ScalarKind::Bool))
        | ("int", Value::Scalar(_, ScalarKind::Integer))
        | ("float", Value::Scalar(_, ScalarKind::Float | ScalarKind::Integer)) => true,
        _ => false,
    };
    if fits { Ok(value) } else { Err(format!("yaml: cannot decode {text:?} as a !!{}", tag.suffix)) }
}

/// A plain scalar without a tag (`yaml.v3`, `resolve.go`).
fn plain(text: &str) -> Value {
    let scalar = |text: String, kind| Value::Scalar(text, kind);
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return scalar("true".to_owned(), ScalarKind::Bool),
        "false" | "False" | "FALSE" => return scalar("false".to_owned(), ScalarKind::Bool),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return float(f64::NAN),
        _ => {}
    }
    let number_like = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    if number_like {
        let digits = text.replace('_', "");
        if let Some(integer) = integer(&digits) {
            return scalar(integer, ScalarKind::Integer);
        }
        if is_float(&digits)
            && let Ok(number) = digits.parse()
        {
            return float(number);
        }
    }
    scalar(text.to_owned(), ScalarKind::String)
}

fn float(number: f64) -> Value {
    Node::float(number, Place::label("")).value
}

/// Go's `ParseInt(text, 0, 64)`, then `ParseUint`: `0x`, `0o`, `0b`, and a leading 0 for octal.
fn integer(text: &str) -> Option<String> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    let (radix, digits) = match digits.get(..2) {
        Some("0x" | "0X") => (16, &digits[2..]),
        Some("0o" | "0O") => (8, &digits[2..]),
        Some("0b" | "0B") => (2, &digits[2..]),
        Some(_) if digits.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits),
    };
    if !digits.starts_with(|c: char| c.is_digit(radix)) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    let in_range = sign.is_empty() || magnitude <= 1 << 63;
    in_range.then(|| match magnitude {
        0 => "0".to_owned(),
        _ => format!("{sign}{magnitude}"),
    })
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mantissa_fits = digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    mantissa_fits && exponent_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_resolve_as_in_go() {
        for (text, resolved) in [
            ("1e3", "1000"),
            ("1_000", "1000"),
            ("0x10", "16"),
            ("0b101", "5"),
            ("0o17", "15"),
            ("010", "8"),
            ("09", "9"),
            ("1.5", "1.500000"),
            ("10.0", "10"),
            ("-1", "-1"),
            ("+7", "7"),
            ("yes", "yes"),
            ("True", "true"),
            ("1.2.3.4", "1.2.3.4"),
            ("0xzz", "0xzz"),
            ("-", "-"),
            (".", "."),
            ("1e", "1e"),
            ("18446744073709551615", "18446744073709551615"),
            (".inf", "+Inf"),
        ] {
            let Value::Scalar(value, _) = plain(text) else { panic!("{text}") };
            assert_eq!(value, resolved, "{text}");
        }
        for text in ["", "~", "null"] {
            assert_eq!(plain(text), Value::Null);
        }
    }
}
