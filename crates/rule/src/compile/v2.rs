//! The matchers of Traefik 2, `pkg/muxer/http/matcher_v2.go`, on gorilla/mux.
//!
//! Matchers take any number of values. Hosts, paths and queries are templates:
//! `{name}` stands for one label, one segment or anything, `{name:regex}` for
//! what the expression matches.

use super::{ascii, canonical_name, expression, header, network, rooted, unknown};
use crate::error::RuleError;
use crate::matcher::{HostPattern, Matcher};
use crate::node::Node;
use crate::syntax::{Arg, Call};

pub(crate) const NAMES: [&str; 10] = [
    "ClientIP",
    "Headers",
    "HeadersRegexp",
    "Host",
    "HostHeader",
    "HostRegexp",
    "Method",
    "Path",
    "PathPrefix",
    "Query",
];

pub(crate) fn call(call: &Call<'_>) -> Result<Node, RuleError> {
    let name = canonical_name(call.name, &NAMES).ok_or_else(|| unknown(call, &NAMES, moved(call.name)))?;
    match name {
        "Headers" => pairs(call, |name, value| {
            let text = value.value.as_str().into();
            Ok(header(name, |name| Matcher::Header { name, value: text }))
        }),
        "HeadersRegexp" => pairs(call, |name, value| {
            let value = expression(&value.value, value)?;
            Ok(header(name, |name| Matcher::HeaderRegexp { name, value }))
        }),
        "Query" => queries(call),
        _ => each(&call.args, |arg| single(name, arg)).map(Node::any),
    }
}

fn single(name: &str, arg: &Arg) -> Result<Matcher, RuleError> {
    Ok(match name {
        "ClientIP" => Matcher::ClientIp(network(arg)?),
        "Host" | "HostHeader" => Matcher::Host(HostPattern::exact(ascii(arg, name)?)),
        "HostRegexp" => {
            let pattern = template(ascii(arg, name)?, arg, "[^.]+")?;
            Matcher::HostRegexp(expression(&format!("(?i)^{pattern}$"), arg)?)
        }
        "Method" => Matcher::Method(arg.value.to_ascii_uppercase().into()),
        "Path" | "PathPrefix" => path(name, arg)?,
        _ => unreachable!("{name} is in NAMES and handled above"),
    })
}

fn path(name: &str, arg: &Arg) -> Result<Matcher, RuleError> {
    let path = rooted(arg)?;
    let plain = !path.contains(['{', '}']);
    Ok(match (name, plain) {
        ("Path", true) => Matcher::Path(path.into()),
        (_, true) => Matcher::PathPrefix(path.into()),
        (_, false) => {
            let end = if name == "Path" { "$" } else { "" };
            let pattern = template(path, arg, "[^/]+")?;
            Matcher::PathRegexp(expression(&format!("^{pattern}{end}"), arg)?)
        }
    })
}

/// Every argument is split at its first `=` and the pieces are taken in pairs,
/// so `Query("a=b")` and `Query("a", "b")` say the same.
fn queries(call: &Call<'_>) -> Result<Node, RuleError> {
    let pieces: Vec<(&str, &Arg)> =
        call.args.iter().flat_map(|arg| arg.value.splitn(2, '=').map(move |piece| (piece, arg))).collect();
    let (pairs, []) = pieces.as_chunks::<2>() else {
        let message = format!("`{}` takes names with values", call.name);
        return Err(RuleError::new(call.span.clone(), message).hint("as in Query(`name=value`)"));
    };
    let mut nodes = Vec::with_capacity(pairs.len());
    for [(key, _), (value, arg)] in pairs {
        let pattern = match *value {
            "" => ".*".to_owned(),
            value => template(value, arg, ".*")?,
        };
        nodes.push(Node::Is(Matcher::FirstQuery {
            key: (*key).into(),
            value: expression(&format!("^{pattern}$"), arg)?,
        }));
    }
    Ok(Node::all(nodes))
}

fn pairs(call: &Call<'_>, matcher: impl Fn(&Arg, &Arg) -> Result<Matcher, RuleError>) -> Result<Node, RuleError> {
    let (pairs, []) = call.args.as_chunks::<2>() else {
        let message = format!("`{}` takes names with values, not {} values", call.name, call.args.len());
        return Err(RuleError::new(call.span.clone(), message));
    };
    let nodes: Result<Vec<_>, _> = pairs.iter().map(|[name, value]| matcher(name, value).map(Node::Is)).collect();
    nodes.map(Node::all)
}

fn each(args: &[Arg], matcher: impl Fn(&Arg) -> Result<Matcher, RuleError>) -> Result<Vec<Node>, RuleError> {
    args.iter().map(|arg| matcher(arg).map(Node::Is)).collect()
}

/// The pattern of a gorilla template; `default` is what a bare `{name}` matches.
fn template(text: &str, arg: &Arg, default: &str) -> Result<String, RuleError> {
    let wrong = |what: &str| RuleError::new(arg.span.clone(), format!("{what} in `{text}`"));
    let mut pattern = String::new();
    let mut end = 0;
    for (open, close) in braces(text).ok_or_else(|| wrong("unbalanced braces"))? {
        pattern.push_str(&regex::escape(&text[end..open]));
        end = close + 1;
        let variable = &text[open + 1..close];
        let (name, inside) = variable.split_once(':').unwrap_or((variable, default));
        if name.is_empty() || inside.is_empty() {
            return Err(wrong("missing name or pattern"));
        }
        // Alone too, so that nothing can close the group around it.
        expression(inside, arg)?;
        pattern.push('(');
        pattern.push_str(inside);
        pattern.push(')');
    }
    pattern.push_str(&regex::escape(&text[end..]));
    Ok(pattern)
}

/// Where the outermost braces open and close; `None` if they do not balance.
fn braces(text: &str) -> Option<Vec<(usize, usize)>> {
    let mut found = Vec::new();
    let mut open = Vec::new();
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => open.push(at),
            b'}' => {
                let start = open.pop()?;
                if open.is_empty() {
                    found.push((start, at));
                }
            }
            _ => {}
        }
    }
    open.is_empty().then_some(found)
}

/// Where a matcher of the v3 syntax comes from.
fn moved(name: &str) -> Option<String> {
    let hint = match name.to_ascii_lowercase().as_str() {
        "pathregexp" | "queryregexp" => "it exists in the v3 syntax only",
        "header" => "in v2 it is `Headers`",
        "headerregexp" => "in v2 it is `HeadersRegexp`",
        _ => return None,
    };
    Some(hint.to_owned())
}
