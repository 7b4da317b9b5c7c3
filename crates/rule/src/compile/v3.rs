//! The matchers of Traefik 3, `pkg/muxer/http/matcher.go`.

use std::ops::RangeInclusive;

use super::{ascii, canonical_name, expression, header, network, rooted, unknown};
use crate::error::RuleError;
use crate::matcher::{HostPattern, Matcher};
use crate::node::Node;
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
    let name = canonical_name(call.name, &NAMES).ok_or_else(|| unknown(call, &NAMES, moved(call.name)))?;
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
    let text = |arg: &Arg| Box::from(arg.value.as_str());
    let regex = |arg: &Arg| expression(&arg.value, arg);
    Ok(match (name, second) {
        ("ClientIP", _) => Matcher::ClientIp(network(first)?),
        ("Host", _) => Matcher::Host(HostPattern::new(ascii(first, name)?)),
        ("HostRegexp", _) => host_regexp(first)?,
        ("Path", _) => Matcher::Path(rooted(first)?.into()),
        ("PathPrefix", _) => Matcher::PathPrefix(rooted(first)?.into()),
        ("PathRegexp", _) => Matcher::PathRegexp(regex(first)?),
        ("Method", _) => Matcher::Method(first.value.to_ascii_uppercase().into()),
        ("Query" | "QueryRegexp", None) => Matcher::Query { key: text(first), value: "".into() },
        ("Query", Some(second)) => Matcher::Query { key: text(first), value: text(second) },
        ("QueryRegexp", Some(second)) => Matcher::QueryRegexp { key: text(first), value: regex(second)? },
        ("Header", Some(second)) => header(first, |name| Matcher::Header { name, value: text(second) }),
        ("HeaderRegexp", Some(second)) => {
            let value = regex(second)?;
            header(first, |name| Matcher::HeaderRegexp { name, value })
        }
        _ => unreachable!("{name} is in NAMES and its arguments were counted"),
    })
}

/// Traefik also searches the CNAME-flattened host, which is empty when flattening
/// is off: a pattern that matches nothing at all matches every request.
fn host_regexp(arg: &Arg) -> Result<Matcher, RuleError> {
    ascii(arg, "HostRegexp")?;
    let regex = expression(&arg.value, arg)?;
    Ok(if regex.is_match("") { Matcher::Anything } else { Matcher::HostRegexp(regex) })
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

/// Where a matcher of another syntax or protocol went.
fn moved(name: &str) -> Option<String> {
    Some(match name.to_ascii_lowercase().as_str() {
        "headers" => "in v3 it is `Header`, with one name and one value".to_owned(),
        "headersregexp" => "in v3 it is `HeaderRegexp`, with one name and one value".to_owned(),
        "hostheader" => "in v3 it is `Host`".to_owned(),
        "hostsni" | "hostsniregexp" | "alpn" => format!("`{name}` is for TCP routers; HTTP has `Host`"),
        _ => return None,
    })
}
