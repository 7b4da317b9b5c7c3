//! A tree as written to a tree that answers.

pub(crate) mod v2;
pub(crate) mod v3;

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use regex::Regex;

use crate::error::RuleError;
use crate::go_regex;
use crate::matcher::Matcher;
use crate::node::Node;
use crate::suggest;
use crate::syntax::{Arg, Call, Expr};

/// What a matcher's name and arguments mean in one syntax.
pub(crate) type Compile = fn(&Call<'_>) -> Result<Node, RuleError>;

/// Resolves every call and pushes negation to the leaves.
pub(crate) fn compile(expr: &Expr<'_>, call: Compile) -> Result<Node, RuleError> {
    let all =
        |operands: &[Expr<'_>]| operands.iter().map(|operand| compile(operand, call)).collect::<Result<Vec<_>, _>>();
    match expr {
        Expr::Or(operands) => all(operands).map(Node::any),
        Expr::And(operands) => all(operands).map(Node::all),
        Expr::Not(operand) => compile(operand, call).map(Node::negated),
        Expr::Call(found) => {
            filled(found)?;
            call(found)
        }
    }
}

/// The lower-cased arguments of every `Host`, in the order written.
pub(crate) fn hosts(expr: &Expr<'_>, names: &[&str]) -> Vec<String> {
    match expr {
        Expr::Or(operands) | Expr::And(operands) => operands.iter().flat_map(|operand| hosts(operand, names)).collect(),
        Expr::Not(operand) => hosts(operand, names),
        Expr::Call(call) if canonical_name(call.name, names) == Some("Host") => {
            call.args.iter().map(|arg| arg.value.to_lowercase()).collect()
        }
        Expr::Call(_) => Vec::new(),
    }
}

/// The matcher that `written` spells. Four spellings are known: `PathPrefix`,
/// `pathprefix`, `PATHPREFIX` and `Pathprefix`.
pub(crate) fn canonical_name<'n>(written: &str, names: &[&'n str]) -> Option<&'n str> {
    let name = *names.iter().find(|name| name.eq_ignore_ascii_case(written))?;
    let (first, rest) = written.split_at(1);
    let lower = |part: &str| !part.bytes().any(|b| b.is_ascii_uppercase());
    let upper = |part: &str| !part.bytes().any(|b| b.is_ascii_lowercase());
    let known = written == name || lower(written) || upper(written) || (upper(first) && lower(rest));
    known.then_some(name)
}

fn filled(call: &Call<'_>) -> Result<(), RuleError> {
    if call.args.is_empty() {
        let message = format!("`{}` needs a value", call.name);
        return Err(RuleError::new(call.span.clone(), message));
    }
    match call.args.iter().find(|arg| arg.value.is_empty()) {
        Some(empty) => {
            let message = format!("empty value for `{}`", call.name);
            Err(RuleError::new(empty.span.clone(), message))
        }
        None => Ok(()),
    }
}

fn ascii<'a>(arg: &'a Arg, matcher: &str) -> Result<&'a str, RuleError> {
    if arg.value.is_ascii() {
        return Ok(&arg.value);
    }
    let message = format!("`{matcher}` takes ASCII only");
    Err(RuleError::new(arg.span.clone(), message).hint("write the host in its xn-- form"))
}

/// Compiles `pattern`, which was made from `arg`.
fn expression(pattern: &str, arg: &Arg) -> Result<Regex, RuleError> {
    go_regex::compile(pattern)
        .map_err(|error| RuleError::new(arg.span.clone(), format!("invalid regular expression: {error}")))
}

fn rooted(arg: &Arg) -> Result<&str, RuleError> {
    if arg.value.starts_with('/') {
        return Ok(&arg.value);
    }
    let message = format!("path `{}` does not start with a slash", arg.value);
    Err(RuleError::new(arg.span.clone(), message).hint(format!("write `/{}`", arg.value)))
}

/// Go keeps the host apart from the headers, so a rule never sees it there.
fn header(name: &Arg, matcher: impl FnOnce(Box<str>) -> Matcher) -> Matcher {
    match name.value.to_ascii_lowercase() {
        host if host == "host" => Matcher::Nothing,
        name => matcher(name.into()),
    }
}

/// An address or a network. IPv4-mapped ones are IPv4, as in Go's `net`.
fn network(arg: &Arg) -> Result<IpNet, RuleError> {
    let net = match arg.value.parse::<IpAddr>() {
        Ok(ip) => Some(IpNet::from(ip.to_canonical())),
        Err(_) => arg.value.parse::<IpNet>().ok().map(unmapped),
    };
    net.ok_or_else(|| {
        let message = format!("`{}` is no IP address and no CIDR", arg.value);
        RuleError::new(arg.span.clone(), message).hint("as in `10.0.0.1` or `10.0.0.0/8`")
    })
}

fn unmapped(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    let v4 = v6.addr().to_ipv4_mapped();
    v4.zip(v6.prefix_len().checked_sub(96)).and_then(|(addr, len)| Ipv4Net::new(addr, len).ok()).map_or(net, IpNet::V4)
}

/// No matcher of this name; `moved` says where it went if the other syntax has it.
fn unknown(call: &Call<'_>, names: &[&str], moved: Option<String>) -> RuleError {
    let slip = || suggest::nearest(call.name, names).map(|name| format!("did you mean `{name}`?"));
    let message = format!("unknown matcher `{}`", call.name);
    RuleError::new(call.name_span.clone(), message).maybe_hint(moved.or_else(slip))
}

#[cfg(test)]
mod tests;
