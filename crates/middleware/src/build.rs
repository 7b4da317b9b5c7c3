//! From checked configuration to middlewares.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, StatusCode};
use tollgate_config::checked::{self, MiddlewareKind};
use tollgate_config::dynamic::{self, values::HeaderMap};
use tollgate_pipeline::Middleware;
use tollgate_rule::go_regex;
use tollgate_store::Stores;

use crate::headers::{Cors, Edit, Edits, Headers, Security, SecurityOptions};
use crate::{AddPrefix, IpAllowList, RateLimit, RateLimits, StripPrefix};

/// Why a middleware cannot be built although its configuration was checked.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A text that no header field may hold.
    #[error("not a header name or value: {0}")]
    Header(#[from] http::Error),
    /// A pattern that is none.
    #[error("not a regular expression")]
    Regex(#[from] go_regex::Error),
    /// A chain that was not replaced by its members.
    #[error("a chain inside a chain")]
    Chain,
}

/// A middleware that was built, and that is not in a chain yet.
#[derive(Clone)]
pub enum Link {
    /// A limit, which may have others beside it.
    Limit(Arc<RateLimit>),
    /// Anything else.
    Other(Arc<dyn Middleware>),
}

/// The links of a chain. Limits that stand next to each other become one, which charges all of them or none.
pub fn join(links: Vec<Link>) -> Vec<Arc<dyn Middleware>> {
    let mut joined: Vec<Arc<dyn Middleware>> = Vec::with_capacity(links.len());
    let mut limits = Vec::new();
    for link in links {
        match link {
            Link::Limit(limit) => limits.push(limit),
            Link::Other(other) => {
                joined.extend(together(&mut limits));
                joined.push(other);
            }
        }
    }
    joined.extend(together(&mut limits));
    joined
}

fn together(limits: &mut Vec<Arc<RateLimit>>) -> Option<Arc<dyn Middleware>> {
    match limits.len() {
        0 | 1 => limits.pop().map(|limit| limit as Arc<dyn Middleware>),
        _ => Some(Arc::new(RateLimits::new(std::mem::take(limits)))),
    }
}

/// True if each router that uses the middleware needs one of its own.
pub fn is_per_router(checked: &checked::Middleware) -> bool {
    matches!(&checked.kind, MiddlewareKind::RateLimit(limit) if limit.scope == checked::Scope::Router)
}

/// The middleware that `checked` describes, as the router of that name uses it. A limit finds its buckets and its
/// connections in `stores` again.
pub fn build(checked: &checked::Middleware, router: &str, stores: &Stores) -> Result<Link, BuildError> {
    if let MiddlewareKind::RateLimit(limit) = &checked.kind {
        return Ok(crate::rate_limit::build(checked.name.as_str(), router, limit, stores));
    }
    other(checked).map(Link::Other)
}

fn other(checked: &checked::Middleware) -> Result<Arc<dyn Middleware>, BuildError> {
    Ok(match &checked.kind {
        MiddlewareKind::IpAllowList(list) => Arc::new(IpAllowList {
            allowed: list.allowed.clone(),
            strategy: list.strategy.clone(),
            refusal: StatusCode::from_u16(list.reject_status).map_err(http::Error::from)?,
        }),
        MiddlewareKind::Headers(written) => Arc::new(headers(written)?),
        MiddlewareKind::StripPrefix { prefixes } => Arc::new(StripPrefix::new(prefixes)),
        MiddlewareKind::AddPrefix { prefix } => Arc::new(AddPrefix::new(prefix)),
        MiddlewareKind::Chain(_) | MiddlewareKind::RateLimit(_) => return Err(BuildError::Chain),
    })
}

fn headers(written: &dynamic::Headers) -> Result<Headers, BuildError> {
    Ok(Headers {
        request: edits(&written.custom_request_headers)?,
        response: edits(&written.custom_response_headers)?,
        cors: has_cors(written).then(|| cors(written)).transpose()?,
        security: has_security(written).then(|| security(written)).transpose()?,
    })
}

fn edits(map: &HeaderMap) -> Result<Edits, http::Error> {
    map.iter().map(|(name, text)| Ok(Edit::new(header_name(name)?, value(text)?))).collect()
}

/// Traefik answers preflights only where one of these is set.
fn has_cors(written: &dynamic::Headers) -> bool {
    written.access_control_allow_credentials
        || !written.access_control_allow_headers.is_empty()
        || !written.access_control_allow_methods.is_empty()
        || !written.access_control_allow_origin_list.is_empty()
        || !written.access_control_allow_origin_list_regex.is_empty()
        || !written.access_control_expose_headers.is_empty()
        || written.access_control_max_age != 0
        || written.add_vary_header
}

fn cors(written: &dynamic::Headers) -> Result<Cors, BuildError> {
    let regexes = &written.access_control_allow_origin_list_regex;
    Ok(Cors {
        credentials: written.access_control_allow_credentials,
        allow_headers: given(&written.access_control_allow_headers.join(","))?,
        allow_methods: given(&written.access_control_allow_methods.join(","))?,
        origins: written
            .access_control_allow_origin_list
            .iter()
            .map(|origin| value(origin))
            .collect::<Result<_, _>>()?,
        origin_regexes: regexes.iter().map(|pattern| go_regex::compile(pattern)).collect::<Result<_, _>>()?,
        expose_headers: given(&written.access_control_expose_headers.join(","))?,
        max_age: written.access_control_max_age,
        vary: written.add_vary_header,
    })
}

/// Saves requests that need none of it the look.
fn has_security(written: &dynamic::Headers) -> bool {
    written.frame_deny
        || written.content_type_nosniff
        || written.browser_xss_filter
        || written.sts_seconds != 0
        || !written.allowed_hosts.is_empty()
        || ![
            &written.custom_frame_options_value,
            &written.custom_browser_xss_value,
            &written.content_security_policy,
            &written.content_security_policy_report_only,
            &written.public_key,
            &written.referrer_policy,
            &written.permissions_policy,
        ]
        .into_iter()
        .all(String::is_empty)
}

fn security(written: &dynamic::Headers) -> Result<Security, http::Error> {
    let proxy_header = |(name, text): (&String, &String)| Ok::<_, http::Error>((header_name(name)?, value(text)?));
    Ok(Security::new(SecurityOptions {
        frame_deny: written.frame_deny,
        custom_frame_options_value: given(&written.custom_frame_options_value)?,
        content_type_nosniff: written.content_type_nosniff,
        browser_xss_filter: written.browser_xss_filter,
        custom_browser_xss_value: given(&written.custom_browser_xss_value)?,
        content_security_policy: given(&written.content_security_policy)?,
        content_security_policy_report_only: given(&written.content_security_policy_report_only)?,
        public_key: given(&written.public_key)?,
        referrer_policy: given(&written.referrer_policy)?,
        permissions_policy: given(&written.permissions_policy)?,
        sts_seconds: written.sts_seconds,
        sts_include_subdomains: written.sts_include_subdomains,
        sts_preload: written.sts_preload,
        force_sts_header: written.force_sts_header,
        is_development: written.is_development,
        allowed_hosts: written.allowed_hosts.iter().map(|host| host.as_str().into()).collect(),
        // A name that no header can have names none.
        hosts_proxy_headers: written.hosts_proxy_headers.iter().filter_map(|name| header_name(name).ok()).collect(),
        ssl_proxy_headers: written.ssl_proxy_headers.iter().map(proxy_header).collect::<Result<_, _>>()?,
    }))
}

fn header_name(text: &str) -> Result<HeaderName, http::Error> {
    Ok(HeaderName::from_bytes(text.as_bytes())?)
}

fn value(text: &str) -> Result<HeaderValue, http::Error> {
    Ok(HeaderValue::from_bytes(text.as_bytes())?)
}

/// The value, if there is one.
fn given(text: &str) -> Result<Option<HeaderValue>, http::Error> {
    (!text.is_empty()).then(|| value(text)).transpose()
}
