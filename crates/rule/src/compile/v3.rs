//! The matchers of Traefik 3, `pkg/muxer/http/matcher.go`.

use std::ops::RangeInclusive;

use super::{ascii, canonical_name, header_name, network, regex};
use crate::error::RuleError;
use crate::matcher::{HostPattern, Matcher};
use crate::node::Node;
use crate::suggest;
use crate::syntax::{Arg, Call};

pub(crate) const NAMES: [&str; 11] = [
    "ClientIP",
    "Header",
    "HeaderRegexp",
    "Host",
    "HostRegexp",
    "Method",
    "Path",
    "PathPrefix",
    "PathRegexp",
    "Query",
    "QueryRegexp",
];

pub(crate) fn call(call: &Call<'_>) -> Result<Node, RuleError> {
    let name = canonical_name(call.name, &NAMES).ok_or_else(|| unknown(call))?;
    let allowed = match name {
        "Header" | "HeaderRegexp" => 2..=2,
        "Query" | "QueryRegexp" => 1..=2,
        _ => 1..=1,
    };
    count(call, name, allowed)?;
    matcher(name, &call.args).map(Node::Is)
}

fn matcher(name: &str, args: &[Arg]) -> Result<Matcher, RuleError> {
    let [first, rest @ ..] = args else {
        unreachable!("the number of arguments was checked");
    };
    let second = rest.first();
    Ok(match (name, second) {
        ("ClientIP", _) => Matcher::ClientIp(network(first)?),
        ("Host", _) => Matcher::Host(HostPattern::new(ascii(first, name)?)),
        ("HostRegexp", _) => host_regexp(first)?,
        ("Path", _) => Matcher::Path(rooted(first)?),
        ("PathPrefix", _) => Matcher::PathPrefix(rooted(first)?),
        ("PathRegexp", _) => Matcher::PathRegexp(regex(first)?),
        ("Method", _) => Matcher::Method(first.value.to_ascii_uppercase().into()),
        ("Query" | "QueryRegexp", None) => Matcher::Query { key: first.value.as_str().into(), value: "".into() },
        ("Query", Some(second)) => {
            Matcher::Query { key: first.value.as_str().into(), value: second.value.as_str().into() }
        }
        ("QueryRegexp", Some(second)) => {
            Matcher::QueryRegexp { key: first.value.as_str().into(), value: regex(second)? }
        }
        ("Header", Some(second)) => {
            header(header_name(first), |name| Matcher::Header { name, value: second.value.as_str().into() })
        }
        ("HeaderRegexp", Some(second)) => {
            let value = regex(second)?;
            header(header_name(first), |name| Matcher::HeaderRegexp { name, value })
        }
        _ => unreachable!("{name} is in NAMES and its arguments were counted"),
    })
}

/// Go keeps the host apart from the headers, so a rule never sees it there.
pub(super) fn header(name: Box<str>, matcher: impl FnOnce(Box<str>) -> Matcher) -> Matcher {
    if &*name == "host" { Matcher::Nothing } else { matcher(name) }
}

/// Traefik also searches the CNAME-flattened host, which is empty when flattening
/// is off: a pattern that matches nothing at all matches every request.
fn host_regexp(arg: &Arg) -> Result<Matcher, RuleError> {
    ascii(arg, "HostRegexp")?;
    let regex = regex(arg)?;
    Ok(if regex.is_match("") { Matcher::Anything } else { Matcher::HostRegexp(regex) })
}

fn rooted(arg: &Arg) -> Result<Box<str>, RuleError> {
    if arg.value.starts_with('/') {
        return Ok(arg.value.as_str().into());
    }
    let message = format!("path `{}` does not start with a slash", arg.value);
    Err(RuleError::new(arg.span.clone(), message).hint(format!("write `/{}`", arg.value)))
}

fn count(call: &Call<'_>, name: &str, allowed: RangeInclusive<usize>) -> Result<(), RuleError> {
    let given = call.args.len();
    if allowed.contains(&given) {
        return Ok(());
    }
    let wants = match (*allowed.start(), *allowed.end()) {
        (1, 1) => "one value".to_owned(),
        (2, 2) => "a name and a value".to_owned(),
        (least, most) => format!("{least} or {most} values"),
    };
    let error = RuleError::new(call.span.clone(), format!("`{name}` takes {wants}, not {given}"));
    Err(if allowed == (1..=1) {
        let alternatives: Vec<_> = call.args.iter().map(|arg| format!("{name}(`{}`)", arg.value)).collect();
        error.hint(format!("write {}", alternatives.join(" || ")))
    } else {
        error
    })
}

fn unknown(call: &Call<'_>) -> RuleError {
    let hint = match call.name.to_ascii_lowercase().as_str() {
        "headers" => Some("in v3 it is `Header`, with one name and one value".to_owned()),
        "headersregexp" => Some("in v3 it is `HeaderRegexp`, with one name and one value".to_owned()),
        "hostheader" => Some("in v3 it is `Host`".to_owned()),
        "hostsni" | "hostsniregexp" | "alpn" => Some(format!("`{}` is for TCP routers; HTTP has `Host`", call.name)),
        _ => suggest::nearest(call.name, &NAMES).map(|name| format!("did you mean `{name}`?")),
    };
    RuleError::new(call.name_span.clone(), format!("unknown matcher `{}`", call.name)).maybe_hint(hint)
}
