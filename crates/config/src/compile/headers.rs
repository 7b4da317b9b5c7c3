//! `headers`: names, values and regular expressions that can work.

use std::sync::Arc;

use super::notes::{Advise, Notes};
use crate::checked::MiddlewareKind;
use crate::dynamic::Headers;
use crate::dynamic::values::HeaderMap;

pub(super) fn compile(written: &Headers, notes: &mut Notes<'_>) -> Option<MiddlewareKind> {
    for (at, map) in [
        ("headers.customRequestHeaders", &written.custom_request_headers),
        ("headers.customResponseHeaders", &written.custom_response_headers),
        ("headers.sslProxyHeaders", &written.ssl_proxy_headers),
    ] {
        check_map(map, at, notes);
    }
    for (at, value) in [
        ("headers.customFrameOptionsValue", &written.custom_frame_options_value),
        ("headers.customBrowserXSSValue", &written.custom_browser_xss_value),
        ("headers.contentSecurityPolicy", &written.content_security_policy),
        ("headers.contentSecurityPolicyReportOnly", &written.content_security_policy_report_only),
        ("headers.publicKey", &written.public_key),
        ("headers.referrerPolicy", &written.referrer_policy),
        ("headers.permissionsPolicy", &written.permissions_policy),
    ] {
        check_value(value, at, notes);
    }
    for (at, values) in [
        ("headers.accessControlAllowHeaders", &written.access_control_allow_headers),
        ("headers.accessControlAllowMethods", &written.access_control_allow_methods),
        ("headers.accessControlAllowOriginList", &written.access_control_allow_origin_list),
        ("headers.accessControlExposeHeaders", &written.access_control_expose_headers),
    ] {
        for (index, value) in values.iter().enumerate() {
            check_value(value, &format!("{at}[{index}]"), notes);
        }
    }
    for (index, pattern) in written.access_control_allow_origin_list_regex.iter().enumerate() {
        if let Err(error) = tollgate_rule::go_regex::compile(pattern) {
            let at = format!("headers.accessControlAllowOriginListRegex[{index}]");
            notes.error("not-a-regex", &at, format!("compiling regexp {pattern:?}: {error}"));
        }
    }
    deprecated(written, notes);
    (!notes.failed()).then(|| MiddlewareKind::Headers(Arc::new(written.clone())))
}

fn check_map(map: &HeaderMap, at: &str, notes: &mut Notes<'_>) {
    for (name, value) in map.iter() {
        if !is_name(name) {
            notes.error("not-a-header-name", at, format!("{name:?} cannot be the name of a header"));
        }
        check_value(value, &format!("{at}.{name}"), notes);
    }
}

/// The value itself is not repeated: it may be a credential.
fn check_value(value: &str, at: &str, notes: &mut Notes<'_>) {
    if value.bytes().any(|byte| byte == 0x7f || (byte < 0x20 && byte != b'\t')) {
        notes
            .error("not-a-header-value", at, "the value has a control character, which no header may hold")
            .advise("in YAML, a block scalar ends with a line break; use >- or quotes");
    }
}

fn deprecated(written: &Headers, notes: &mut Notes<'_>) {
    for (set, name, instead) in [
        (written.ssl_redirect, "sslRedirect", "use the middleware redirectScheme, or entryPoint redirections"),
        (written.ssl_temporary_redirect, "sslTemporaryRedirect", "use the middleware redirectScheme"),
        (!written.ssl_host.is_empty(), "sslHost", "use the middleware redirectRegex"),
        (written.ssl_force_host, "sslForceHost", "use the middleware redirectRegex"),
        (!written.feature_policy.is_empty(), "featurePolicy", "use permissionsPolicy"),
    ] {
        if set {
            let message = format!("{name} is deprecated in Traefik and has no effect here");
            notes.warning("deprecated", &format!("headers.{name}"), message).advise(instead);
        }
    }
}

/// A token (RFC 9110 §5.6.2), as every header name must be.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
