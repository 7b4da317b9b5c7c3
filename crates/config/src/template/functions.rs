//! Functions of Go's templates and of sprig.

use std::fmt::Write;

use super::eval::Run;
use super::value::Value;

/// The functions that are here.
pub(super) const NAMES: [&str; 53] = [
    "add",
    "add1",
    "and",
    "atoi",
    "coalesce",
    "contains",
    "default",
    "div",
    "empty",
    "env",
    "eq",
    "first",
    "ge",
    "gt",
    "has",
    "hasPrefix",
    "hasSuffix",
    "indent",
    "index",
    "int",
    "join",
    "last",
    "le",
    "len",
    "list",
    "lower",
    "lt",
    "max",
    "min",
    "mod",
    "mul",
    "ne",
    "nindent",
    "not",
    "or",
    "print",
    "printf",
    "println",
    "quote",
    "repeat",
    "replace",
    "seq",
    "splitList",
    "squote",
    "sub",
    "ternary",
    "toString",
    "trim",
    "trimPrefix",
    "trimSuffix",
    "until",
    "untilStep",
    "upper",
];

/// How long a list or a text that a function makes may be.
const LENGTH: usize = 100_000;

type Answer = Result<Value, String>;

/// Calls a function that is in [`NAMES`].
pub(super) fn call(name: &str, arguments: &[Value], run: &Run<'_>) -> Answer {
    match name {
        // The values before the last did not decide.
        "and" | "or" => arguments.last().cloned().ok_or_else(|| wrong_count("at least 1", arguments)),
        "env" => Ok(Value::text(run.env(text(one(arguments)?)?).unwrap_or_default())),
        "not" | "empty" => Ok(Value::Bool(!one(arguments)?.is_true())),
        "default" => match arguments {
            [default] => Ok(default.clone()),
            [default, given] => Ok(if given.is_true() { given } else { default }.clone()),
            _ => Err(wrong_count("2", arguments)),
        },
        "coalesce" => Ok(arguments.iter().find(|value| value.is_true()).cloned().unwrap_or(Value::Nil)),
        "ternary" => {
            let [yes, no, test] = exactly(arguments)?;
            Ok(if *test == Value::Bool(true) { yes } else { no }.clone())
        }
        "eq" | "ne" | "lt" | "le" | "gt" | "ge" => compare(name, arguments),
        "print" | "println" | "printf" | "quote" | "squote" | "toString" | "upper" | "lower" | "trim"
        | "trimPrefix" | "trimSuffix" | "replace" | "repeat" | "contains" | "hasPrefix" | "hasSuffix" | "indent"
        | "nindent" => on_text(name, arguments),
        "list" | "first" | "last" | "index" | "len" | "join" | "splitList" | "seq" | "until" | "untilStep" | "has" => {
            on_lists(name, arguments)
        }
        _ => on_integers(name, arguments),
    }
}

fn compare(name: &str, arguments: &[Value]) -> Answer {
    use std::cmp::Ordering;
    let [first, others @ ..] = arguments else { return Err(wrong_count("2", arguments)) };
    if others.is_empty() || (name != "eq" && others.len() > 1) {
        return Err(wrong_count("2", arguments));
    }
    let mut orders = Vec::new();
    for other in others {
        orders.push(match (first, other) {
            (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            (Value::Bool(a), Value::Bool(b)) if matches!(name, "eq" | "ne") => a.cmp(b),
            (Value::Nil, Value::Nil) if matches!(name, "eq" | "ne") => Ordering::Equal,
            (a, b) => return Err(format!("incompatible types for comparison: {} and {}", a.kind(), b.kind())),
        });
    }
    Ok(Value::Bool(orders.into_iter().any(|order| match name {
        "eq" => order.is_eq(),
        "ne" => order.is_ne(),
        "lt" => order.is_lt(),
        "le" => order.is_le(),
        "gt" => order.is_gt(),
        _ => order.is_ge(),
    })))
}

fn on_text(name: &str, arguments: &[Value]) -> Answer {
    let value = match name {
        "print" => printed(arguments, false),
        "println" => printed(arguments, true),
        "printf" => {
            let [format, values @ ..] = arguments else { return Err(wrong_count("at least 1", arguments)) };
            printf(text(format)?, values)?
        }
        "quote" | "squote" => {
            let given = arguments.iter().filter(|value| **value != Value::Nil);
            let quoted: Vec<_> = given
                .map(|value| if name == "quote" { quoted(&value.to_string()) } else { format!("'{value}'") })
                .collect();
            quoted.join(" ")
        }
        "toString" => one(arguments)?.to_string(),
        "upper" => text(one(arguments)?)?.to_uppercase(),
        "lower" => text(one(arguments)?)?.to_lowercase(),
        "trim" => text(one(arguments)?)?.trim().to_owned(),
        "trimPrefix" => {
            let [prefix, whole] = texts(arguments)?;
            whole.strip_prefix(prefix).unwrap_or(whole).to_owned()
        }
        "trimSuffix" => {
            let [suffix, whole] = texts(arguments)?;
            whole.strip_suffix(suffix).unwrap_or(whole).to_owned()
        }
        "contains" => {
            let [part, whole] = texts(arguments)?;
            return Ok(Value::Bool(whole.contains(part)));
        }
        "hasPrefix" => {
            let [part, whole] = texts(arguments)?;
            return Ok(Value::Bool(whole.starts_with(part)));
        }
        "hasSuffix" => {
            let [part, whole] = texts(arguments)?;
            return Ok(Value::Bool(whole.ends_with(part)));
        }
        "replace" => {
            let [old, new, whole] = texts(arguments)?;
            bounded(whole.len().saturating_add(whole.matches(old).count().saturating_mul(new.len())))?;
            whole.replace(old, new)
        }
        "repeat" => {
            let [count, whole] = exactly(arguments)?;
            let (count, whole) = (length(count)?, text(whole)?);
            bounded(count.saturating_mul(whole.len()))?;
            whole.repeat(count)
        }
        _ => {
            let [width, whole] = exactly(arguments)?;
            let (width, whole) = (length(width)?, text(whole)?);
            bounded(width.saturating_mul(whole.matches('\n').count() + 1))?;
            let pad = " ".repeat(width);
            let start = if name == "nindent" { "\n" } else { "" };
            format!("{start}{pad}{}", whole.replace('\n', &format!("\n{pad}")))
        }
    };
    Ok(Value::text(value))
}

fn on_lists(name: &str, arguments: &[Value]) -> Answer {
    let list = |items: Vec<Value>| Value::List(items.into());
    Ok(match name {
        "list" => list(arguments.to_vec()),
        "first" => items(one(arguments)?)?.first().cloned().unwrap_or(Value::Nil),
        "last" => items(one(arguments)?)?.last().cloned().unwrap_or(Value::Nil),
        "index" => {
            let [of, at] = exactly(arguments)?;
            let at = integer(at)?;
            let item = usize::try_from(at).ok().and_then(|at| items(of).ok()?.get(at).cloned());
            item.ok_or_else(|| format!("index out of range: {at}"))?
        }
        "len" => match one(arguments)? {
            Value::Text(text) => size(text.len()),
            Value::List(items) => size(items.len()),
            other => return Err(format!("len of type {}", other.kind())),
        },
        "has" => {
            let [item, of] = exactly(arguments)?;
            Value::Bool(items(of)?.contains(item))
        }
        "join" => {
            let [separator, of] = exactly(arguments)?;
            let parts: Vec<_> = match of {
                Value::List(items) => items.iter().map(Value::to_string).collect(),
                other => vec![other.to_string()],
            };
            Value::text(parts.join(text(separator)?))
        }
        "splitList" => {
            let [separator, whole] = texts(arguments)?;
            list(whole.split(separator).map(Value::text).collect())
        }
        "until" => list(range(0, integer(one(arguments)?)?, 1)?),
        "untilStep" => {
            let [from, to, step] = exactly(arguments)?;
            list(range(integer(from)?, integer(to)?, integer(step)?)?)
        }
        // Sprig's `seq` gives text, the numbers with spaces between, both ends included.
        _ => {
            let (from, step, to) = match arguments {
                [to] => (1, 1, integer(to)?),
                [from, to] => (integer(from)?, 1, integer(to)?),
                [from, step, to] => (integer(from)?, integer(step)?, integer(to)?),
                _ => return Err(wrong_count("1 to 3", arguments)),
            };
            let step = if arguments.len() < 3 && to < from { -1 } else { step };
            let numbers = range(from, to.saturating_add(step.signum()), step)?;
            Value::text(numbers.iter().map(Value::to_string).collect::<Vec<_>>().join(" "))
        }
    })
}

fn on_integers(name: &str, arguments: &[Value]) -> Answer {
    let numbers = arguments.iter().map(integer).collect::<Result<Vec<_>, _>>()?;
    let overflow = || "integer overflow".to_owned();
    let fold = |operation: fn(i64, i64) -> Option<i64>| {
        let mut numbers = numbers.iter().copied();
        let first = numbers.next().ok_or_else(|| wrong_count("at least 1", arguments))?;
        numbers.try_fold(first, operation).ok_or_else(overflow)
    };
    let value = match name {
        "add" => fold(i64::checked_add)?,
        "mul" => fold(i64::checked_mul)?,
        "max" => fold(|a, b| Some(a.max(b)))?,
        "min" => fold(|a, b| Some(a.min(b)))?,
        "sub" | "div" | "mod" => {
            let &[a, b] = numbers.as_slice() else { return Err(wrong_count("2", arguments)) };
            let result = match name {
                "sub" => a.checked_sub(b),
                "div" => a.checked_div(b),
                _ => a.checked_rem(b),
            };
            result.ok_or_else(|| "division by zero or overflow".to_owned())?
        }
        "add1" => integer(one(arguments)?)?.checked_add(1).ok_or_else(overflow)?,
        // int and atoi
        _ => integer(one(arguments)?)?,
    };
    Ok(Value::Integer(value))
}

fn range(from: i64, to: i64, step: i64) -> Result<Vec<Value>, String> {
    let mut items = Vec::new();
    let mut at = from;
    while (step > 0 && at < to) || (step < 0 && at > to) {
        bounded(items.len() + 1)?;
        items.push(Value::Integer(at));
        match at.checked_add(step) {
            Some(next) => at = next,
            None => break,
        }
    }
    Ok(items)
}

/// Go's `fmt.Sprint`: spaces between operands when neither is text. `Sprintln`: always.
fn printed(values: &[Value], line: bool) -> String {
    let mut text = String::new();
    for (index, value) in values.iter().enumerate() {
        let apart =
            index > 0 && (line || !matches!((&values[index - 1], value), (Value::Text(_), _) | (_, Value::Text(_))));
        if apart {
            text.push(' ');
        }
        text += &value.to_string();
    }
    if line {
        text.push('\n');
    }
    text
}

/// `%s`, `%v`, `%d`, `%q`, `%t` and `%%`, with a width, `-` and `0`.
fn printf(format: &str, values: &[Value]) -> Result<String, String> {
    let mut text = String::new();
    let mut values = values.iter();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        text += before;
        let verb_at = after.find(|c: char| !c.is_ascii_digit() && c != '-').ok_or("a % without a verb")?;
        let (flags, verb) = after.split_at(verb_at);
        rest = &verb[verb.chars().next().map_or(0, char::len_utf8)..];
        if verb.starts_with('%') {
            text.push('%');
            continue;
        }
        let value = values.next().ok_or("fewer values than verbs")?;
        let shown = match verb.chars().next() {
            Some('s' | 'v') => value.to_string(),
            Some('q') => quoted(&value.to_string()),
            Some('d') if matches!(value, Value::Integer(_)) => value.to_string(),
            Some('t') if matches!(value, Value::Bool(_)) => value.to_string(),
            other => return Err(format!("%{} of a {} is not here", other.unwrap_or(' '), value.kind())),
        };
        pad(&mut text, &shown, flags)?;
    }
    if values.next().is_some() {
        return Err("more values than verbs".to_owned());
    }
    text += rest;
    bounded(text.len())?;
    Ok(text)
}

fn pad(text: &mut String, shown: &str, flags: &str) -> Result<(), String> {
    let left = flags.contains('-');
    let digits = flags.trim_start_matches('-');
    let zeros = digits.starts_with('0') && !left;
    let width: usize = if digits.is_empty() { 0 } else { digits.parse().map_err(|_| "a bad width")? };
    bounded(width)?;
    let written = match (left, zeros, shown.strip_prefix('-')) {
        (true, ..) => write!(text, "{shown:<width$}"),
        (_, true, Some(number)) => write!(text, "-{number:0>width$}", width = width.saturating_sub(1)),
        (_, true, None) => write!(text, "{shown:0>width$}"),
        _ => write!(text, "{shown:>width$}"),
    };
    written.map_err(|_| "cannot be written".to_owned())
}

/// Go's `%q`.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted += "\\\"",
            '\\' => quoted += "\\\\",
            '\n' => quoted += "\\n",
            '\r' => quoted += "\\r",
            '\t' => quoted += "\\t",
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                quoted.extend(["\\x", &format!("{:02x}", c as u32)]);
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

// === arguments ===

fn wrong_count(wanted: &str, arguments: &[Value]) -> String {
    format!("wrong number of args: want {wanted} got {}", arguments.len())
}

fn exactly<const N: usize>(arguments: &[Value]) -> Result<&[Value; N], String> {
    arguments.try_into().map_err(|_| wrong_count(&N.to_string(), arguments))
}

fn one(arguments: &[Value]) -> Result<&Value, String> {
    let [value] = exactly(arguments)?;
    Ok(value)
}

fn text(value: &Value) -> Result<&str, String> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(format!("wrong type for value; expected string; got {}", other.kind())),
    }
}

fn texts<const N: usize>(arguments: &[Value]) -> Result<[&str; N], String> {
    let values = exactly::<N>(arguments)?;
    let mut texts = [""; N];
    for (slot, value) in texts.iter_mut().zip(values) {
        *slot = text(value)?;
    }
    Ok(texts)
}

/// Sprig takes texts of digits for numbers, and what is none for 0.
fn integer(value: &Value) -> Result<i64, String> {
    match value {
        Value::Integer(number) => Ok(*number),
        Value::Text(text) => Ok(text.parse().unwrap_or(0)),
        other => Err(format!("wrong type for value; expected int; got {}", other.kind())),
    }
}

fn items(value: &Value) -> Result<&[Value], String> {
    match value {
        Value::List(items) => Ok(items),
        other => Err(format!("wrong type for value; expected list; got {}", other.kind())),
    }
}

fn size(length: usize) -> Value {
    Value::Integer(i64::try_from(length).unwrap_or(i64::MAX))
}

fn length(value: &Value) -> Result<usize, String> {
    let length = usize::try_from(integer(value)?).unwrap_or(0);
    bounded(length)?;
    Ok(length)
}

fn bounded(length: usize) -> Result<(), String> {
    if length > LENGTH { Err(format!("the result is longer than {LENGTH}")) } else { Ok(()) }
}
