//! One middleware.

use tollgate_limiter::{AddressSet, Criterion};

use super::notes::{Advise, Notes};
use super::{criterion, headers, rate_limit, redis};
use crate::checked::{IpAllowList, Middleware, MiddlewareKind};
use crate::decode::{Decode, Decoder};
use crate::dynamic::middleware::{IpAllowList as WrittenAllowList, Plugin, StripPrefix};
use crate::dynamic::{Middleware as Written, MiddlewareKind as WrittenKind};
use crate::name::QualifiedName;
use crate::node::{Node, Value};

/// Checks one middleware. References of chains are resolved, not followed.
pub(super) fn compile(name: &QualifiedName, written: &Written, notes: &mut Notes<'_>) -> Option<Middleware> {
    let [kind] = written.kinds.as_slice() else {
        wrong_number(written, notes);
        return None;
    };
    let kind = kind_of(name, kind, notes)?;
    Some(Middleware { name: name.clone(), kind })
}

fn wrong_number(written: &Written, notes: &mut Notes<'_>) {
    if written.kinds.is_empty() {
        let name = "the middleware has no type defined";
        notes
            .error("empty-middleware", "", format!("invalid middleware configuration: {name}"))
            .advise("say what it is: rateLimit, headers, …");
        return;
    }
    let kinds: Vec<_> = written.kinds.iter().map(WrittenKind::name).collect();
    let message = "cannot create middleware: multi-types middleware not supported, consider declaring two different \
                   pieces of middleware instead";
    notes.error("multi-types", "", message).advise(format!("this one is {}", kinds.join(" and ")));
}

fn kind_of(name: &QualifiedName, written: &WrittenKind, notes: &mut Notes<'_>) -> Option<MiddlewareKind> {
    match written {
        WrittenKind::RateLimit(written) => rate_limit::compile(written, notes).map(MiddlewareKind::RateLimit),
        WrittenKind::IpAllowList(written) => allow_list(written, "ipAllowList", notes),
        WrittenKind::IpWhiteList(written) => {
            notes.warning("deprecated", "ipWhiteList", "ipWhiteList is deprecated").advise("call it ipAllowList");
            allow_list(written, "ipWhiteList", notes)
        }
        WrittenKind::Headers(written) => headers::compile(written, notes),
        WrittenKind::StripPrefix(written) => Some(strip_prefix(written, notes)),
        WrittenKind::AddPrefix(written) if written.prefix.is_empty() => {
            notes.error("empty-prefix", "addPrefix.prefix", "prefix cannot be empty");
            None
        }
        WrittenKind::AddPrefix(written) => Some(MiddlewareKind::AddPrefix { prefix: written.prefix.clone() }),
        WrittenKind::Chain(written) => {
            let members = written.middlewares.iter();
            let members = members.map(|member| QualifiedName::resolve(member, name.provider())).collect();
            Some(MiddlewareKind::Chain(members))
        }
        WrittenKind::Plugin(written) => plugin(written, notes),
        WrittenKind::NotYet { name, .. } => {
            notes.not_yet(name, &format!("the middleware {name}"));
            None
        }
    }
}

fn strip_prefix(written: &StripPrefix, notes: &mut Notes<'_>) -> MiddlewareKind {
    if written.force_slash.is_some() {
        let message = "forceSlash is deprecated in Traefik; an empty path is always forwarded as /";
        notes.warning("deprecated", "stripPrefix.forceSlash", message);
    }
    MiddlewareKind::StripPrefix { prefixes: written.prefixes.clone() }
}

fn allow_list(written: &WrittenAllowList, at: &str, notes: &mut Notes<'_>) -> Option<MiddlewareKind> {
    let at_range = format!("{at}.sourceRange");
    if written.source_range.is_empty() {
        notes
            .error("empty-source-range", &at_range, "sourceRange is empty, IPAllowLister not created")
            .advise("list at least one address or net; 0.0.0.0/0 and ::/0 are everybody");
        return None;
    }
    let allowed = match AddressSet::parse(&written.source_range) {
        Ok(allowed) => Some(allowed),
        Err(error) => {
            let message = format!("cannot parse CIDRs {:?}: {error}", written.source_range);
            notes.error("not-an-address", &at_range, message);
            None
        }
    };
    let strategy = match &written.ip_strategy {
        None => Some(Criterion::RemoteAddress { ipv6_subnet: None }),
        Some(strategy) => criterion::ip_strategy(&strategy.0, &format!("{at}.ipStrategy"), "", notes),
    };
    let reject_status = match written.reject_status_code {
        0 => Some(403),
        code => u16::try_from(code).ok().filter(|code| (100..=999).contains(code)),
    };
    if reject_status.is_none() {
        let message = format!("invalid HTTP status code {}", written.reject_status_code);
        notes.error("not-a-status", &format!("{at}.rejectStatusCode"), message);
    }
    Some(MiddlewareKind::IpAllowList(IpAllowList {
        allowed: allowed?,
        strategy: strategy?,
        reject_status: reject_status?,
    }))
}

fn plugin(written: &Plugin, notes: &mut Notes<'_>) -> Option<MiddlewareKind> {
    let mut settings = written.settings.iter();
    let (Some((name, node)), None) = (settings.next(), settings.next()) else {
        let message = "plugin: invalid configuration: no configuration or too many plugin definition";
        notes.error("too-many-plugins", "plugin", message).advise("one plugin per middleware");
        return None;
    };
    if !name.eq_ignore_ascii_case("distributedRateLimit") {
        notes
            .error("unknown-plugin", &format!("plugin.{name}"), format!("plugin: unknown plugin type: {name}"))
            .advise("plugins written for Traefik do not run here; distributedRateLimit is built in");
        return None;
    }
    refuse_secret_references(node, "", notes);
    let mut decoder = Decoder::new(rate_limit::PLUGIN);
    let written = Decode::decode(node, &mut decoder);
    for diagnostic in decoder.into_diagnostics() {
        notes.adopt(diagnostic);
    }
    let limit = rate_limit::compile_distributed(&written?, notes);
    if notes.failed() { None } else { limit.map(MiddlewareKind::RateLimit) }
}

/// Traefik resolves these in the CRD provider, and only there.
fn refuse_secret_references(node: &Node, path: &str, notes: &mut Notes<'_>) {
    let below = |step: &str| if path.is_empty() { step.to_owned() } else { format!("{path}.{step}") };
    match &node.value {
        Value::Scalar(text, _) if redis::secret_reference(text) => {
            notes
                .error("secret-reference", &redis::at_plugin(path), "urn:k8s:secret: needs the Kubernetes provider")
                .advise("write the value, or a path where the secret is mounted");
        }
        Value::Null | Value::Scalar(..) => {}
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                refuse_secret_references(item, &format!("{path}[{index}]"), notes);
            }
        }
        Value::Map(entries) => {
            for (key, child) in entries {
                refuse_secret_references(child, &below(&key.name), notes);
            }
        }
    }
}
