//! Security headers, and the hosts one may ask for.

use http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_REPORT_ONLY, HOST, HeaderName, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS, X_XSS_PROTECTION,
};
use http::{HeaderMap, HeaderValue};
use tollgate_pipeline::{Request, Scheme};

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const PUBLIC_KEY_PINS: HeaderName = HeaderName::from_static("public-key-pins");

/// The security part of `headers`, as Traefik 3.7 has it from `unrolled/secure`.
#[derive(Debug, Clone, Default)]
pub struct Security {
    /// What every answer gets.
    always: Vec<(HeaderName, HeaderValue)>,
    /// What only an answer over TLS gets.
    over_tls: Vec<(HeaderName, HeaderValue)>,
    /// Hosts that may be asked for, compared without regard to case and with their port; empty for all.
    allowed_hosts: Vec<Box<str>>,
    /// Headers that name the host in front of a proxy; the first that is there counts.
    hosts_proxy_headers: Vec<HeaderName>,
    /// Headers and values that say that the client spoke TLS to a proxy.
    ssl_proxy_headers: Vec<(HeaderName, HeaderValue)>,
}

/// What the options say, with the names of Traefik's.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own in Traefik's configuration")]
#[expect(missing_docs, reason = "the names are Traefik's options, documented there")]
pub struct SecurityOptions {
    pub frame_deny: bool,
    pub custom_frame_options_value: Option<HeaderValue>,
    pub content_type_nosniff: bool,
    pub browser_xss_filter: bool,
    pub custom_browser_xss_value: Option<HeaderValue>,
    pub content_security_policy: Option<HeaderValue>,
    pub content_security_policy_report_only: Option<HeaderValue>,
    pub public_key: Option<HeaderValue>,
    pub referrer_policy: Option<HeaderValue>,
    pub permissions_policy: Option<HeaderValue>,
    pub sts_seconds: i64,
    pub sts_include_subdomains: bool,
    pub sts_preload: bool,
    pub force_sts_header: bool,
    pub is_development: bool,
    pub allowed_hosts: Vec<Box<str>>,
    pub hosts_proxy_headers: Vec<HeaderName>,
    pub ssl_proxy_headers: Vec<(HeaderName, HeaderValue)>,
}

impl Security {
    /// Works out once what will be said to every request.
    pub fn new(options: SecurityOptions) -> Self {
        let deny = options.frame_deny.then(|| HeaderValue::from_static("DENY"));
        let nosniff = options.content_type_nosniff.then(|| HeaderValue::from_static("nosniff"));
        let block = options.browser_xss_filter.then(|| HeaderValue::from_static("1; mode=block"));
        let sts = transport_security(&options).filter(|_| !options.is_development);
        let (forced, over_tls) = if options.force_sts_header { (sts, None) } else { (None, sts) };
        let always = [
            (STRICT_TRANSPORT_SECURITY, forced),
            (X_FRAME_OPTIONS, options.custom_frame_options_value.or(deny)),
            (X_CONTENT_TYPE_OPTIONS, nosniff),
            (X_XSS_PROTECTION, options.custom_browser_xss_value.or(block)),
            (CONTENT_SECURITY_POLICY, options.content_security_policy),
            (CONTENT_SECURITY_POLICY_REPORT_ONLY, options.content_security_policy_report_only),
            (REFERRER_POLICY, options.referrer_policy),
            (PERMISSIONS_POLICY, options.permissions_policy),
        ];
        let over_tls = [
            (STRICT_TRANSPORT_SECURITY, over_tls),
            (PUBLIC_KEY_PINS, options.public_key.filter(|_| !options.is_development)),
        ];
        Self {
            always: always.into_iter().filter_map(given).collect(),
            over_tls: over_tls.into_iter().filter_map(given).collect(),
            allowed_hosts: if options.is_development { Vec::new() } else { options.allowed_hosts },
            hosts_proxy_headers: options.hosts_proxy_headers,
            ssl_proxy_headers: options.ssl_proxy_headers,
        }
    }

    /// Refuses a host that is not allowed, or says what the answer will get.
    pub(super) fn check(&self, request: &Request, scheme: Scheme) -> Result<Secured<'_>, BadHost> {
        if !self.allows_host(request) {
            return Err(BadHost);
        }
        let over_tls = scheme == Scheme::Https
            || self.ssl_proxy_headers.iter().any(|(name, value)| request.headers().get(name) == Some(value));
        Ok(Secured { always: &self.always, over_tls: if over_tls { &self.over_tls } else { &[] } })
    }

    fn allows_host(&self, request: &Request) -> bool {
        if self.allowed_hosts.is_empty() {
            return true;
        }
        let given = |name: &HeaderName| request.headers().get(name).filter(|value| !value.is_empty());
        let host = self.hosts_proxy_headers.iter().find_map(given).or_else(|| given(&HOST));
        let host = host.map(HeaderValue::as_bytes).unwrap_or_default();
        self.allowed_hosts.iter().any(|allowed| allowed.as_bytes().eq_ignore_ascii_case(host))
    }
}

/// The host that was asked for is not allowed.
pub(super) struct BadHost;

/// The security headers of one answer.
pub(super) struct Secured<'a> {
    always: &'a [(HeaderName, HeaderValue)],
    over_tls: &'a [(HeaderName, HeaderValue)],
}

impl Secured<'_> {
    /// Sets them, over whatever the backend said.
    pub(super) fn apply(&self, headers: &mut HeaderMap) {
        for (name, value) in self.always.iter().chain(self.over_tls) {
            headers.insert(name, value.clone());
        }
    }
}

fn given((name, value): (HeaderName, Option<HeaderValue>)) -> Option<(HeaderName, HeaderValue)> {
    Some((name, value?))
}

fn transport_security(options: &SecurityOptions) -> Option<HeaderValue> {
    let subdomains = if options.sts_include_subdomains { "; includeSubDomains" } else { "" };
    let preload = if options.sts_preload { "; preload" } else { "" };
    let text = format!("max-age={}{subdomains}{preload}", options.sts_seconds);
    (options.sts_seconds != 0).then(|| HeaderValue::try_from(text).ok())?
}
