//! The middleware `headers` as written.

use crate::decode::section;
use crate::dynamic::values::HeaderMap;

section! {
    /// `headers`: custom headers, CORS, security headers.
    pub struct Headers: "dynamic.Headers" {
        /// Headers to set on the request; an empty value removes.
        "customRequestHeaders" => custom_request_headers: HeaderMap,
        /// Headers to set on the response; an empty value removes.
        "customResponseHeaders" => custom_response_headers: HeaderMap,
        /// CORS: whether credentials are allowed.
        "accessControlAllowCredentials" => access_control_allow_credentials: bool,
        /// CORS: allowed request headers.
        "accessControlAllowHeaders" => access_control_allow_headers: Vec<String>,
        /// CORS: allowed methods.
        "accessControlAllowMethods" => access_control_allow_methods: Vec<String>,
        /// CORS: allowed origins.
        "accessControlAllowOriginList" => access_control_allow_origin_list: Vec<String>,
        /// CORS: allowed origins as regular expressions.
        "accessControlAllowOriginListRegex" => access_control_allow_origin_list_regex: Vec<String>,
        /// CORS: headers that scripts may read.
        "accessControlExposeHeaders" => access_control_expose_headers: Vec<String>,
        /// CORS: how long a preflight may be cached, in seconds.
        "accessControlMaxAge" => access_control_max_age: i64,
        /// CORS: whether to add `Vary: Origin`.
        "addVaryHeader" => add_vary_header: bool,
        /// Hosts that are served; empty means all.
        "allowedHosts" => allowed_hosts: Vec<String>,
        /// Headers that may hold the proxied host.
        "hostsProxyHeaders" => hosts_proxy_headers: Vec<String>,
        /// Headers that say that the request came by TLS.
        "sslProxyHeaders" => ssl_proxy_headers: HeaderMap,
        /// `Strict-Transport-Security: max-age`, in seconds.
        "stsSeconds" => sts_seconds: i64,
        /// `Strict-Transport-Security: includeSubDomains`.
        "stsIncludeSubdomains" => sts_include_subdomains: bool,
        /// `Strict-Transport-Security: preload`.
        "stsPreload" => sts_preload: bool,
        /// Send `Strict-Transport-Security` without TLS too.
        "forceSTSHeader" => force_sts_header: bool,
        /// `X-Frame-Options: DENY`.
        "frameDeny" => frame_deny: bool,
        /// `X-Frame-Options` with this value.
        "customFrameOptionsValue" => custom_frame_options_value: String,
        /// `X-Content-Type-Options: nosniff`.
        "contentTypeNosniff" => content_type_nosniff: bool,
        /// `X-XSS-Protection: 1; mode=block`.
        "browserXssFilter" => browser_xss_filter: bool,
        /// `X-XSS-Protection` with this value.
        "customBrowserXSSValue" => custom_browser_xss_value: String,
        /// `Content-Security-Policy`.
        "contentSecurityPolicy" => content_security_policy: String,
        /// `Content-Security-Policy-Report-Only`.
        "contentSecurityPolicyReportOnly" => content_security_policy_report_only: String,
        /// `Public-Key-Pins`.
        "publicKey" => public_key: String,
        /// `Referrer-Policy`.
        "referrerPolicy" => referrer_policy: String,
        /// `Permissions-Policy`.
        "permissionsPolicy" => permissions_policy: String,
        /// Do not apply hosts, TLS and STS settings.
        "isDevelopment" => is_development: bool,
        /// Deprecated: `Feature-Policy`.
        "featurePolicy" => feature_policy: String,
        /// Deprecated: redirect to TLS.
        "sslRedirect" => ssl_redirect: bool,
        /// Deprecated: redirect to TLS with 302.
        "sslTemporaryRedirect" => ssl_temporary_redirect: bool,
        /// Deprecated: host to redirect to.
        "sslHost" => ssl_host: String,
        /// Deprecated: always redirect to `sslHost`.
        "sslForceHost" => ssl_force_host: bool,
    }
}
