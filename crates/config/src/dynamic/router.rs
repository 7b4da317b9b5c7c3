//! Routers as written.

use crate::decode::section;

section! {
    /// An HTTP router.
    pub struct Router: "dynamic.Router" {
        /// Names of entry points; none means the default ones.
        "entryPoints" => entry_points: Vec<String>,
        /// References to middlewares, in the order of their use.
        "middlewares" => middlewares: Vec<String>,
        /// Reference to the service.
        "service" => service: String,
        /// Which requests it takes.
        "rule" => rule: String,
        /// Routers that this one is a child of.
        "parentRefs" => parent_refs: Vec<String>,
        /// Version of the rule language: `v3`, or the deprecated `v2`.
        "ruleSyntax" => rule_syntax: String,
        /// Higher is asked first; 0 means the length of the rule.
        "priority" => priority: i64,
        /// Present: only TLS connections are taken.
        "tls" => tls: Option<RouterTls>,
        /// What is observed.
        "observability" => observability: Option<Observability>,
    }
}

section! {
    /// The TLS settings of a router.
    pub struct RouterTls: "dynamic.RouterTLSConfig", allow_empty {
        /// Reference to TLS options.
        "options" => options: String,
        /// Who obtains the certificate.
        "certResolver" => cert_resolver: String,
        /// Names to obtain certificates for.
        "domains" => domains: Vec<Domain>,
    }
}

section! {
    /// Names on one certificate.
    pub struct Domain: "types.Domain" {
        /// The first name.
        "main" => main: String,
        /// The others.
        "sans" => sans: Vec<String>,
    }
}

section! {
    /// What of a router's requests is observed.
    pub struct Observability: "dynamic.RouterObservabilityConfig" {
        /// Whether they appear in the access log.
        "accessLogs" => access_logs: Option<bool>,
        /// Whether they are counted.
        "metrics" => metrics: Option<bool>,
        /// Whether they are traced.
        "tracing" => tracing: Option<bool>,
        /// How much is traced: `minimal` or `detailed`.
        "traceVerbosity" => trace_verbosity: String,
    }
}
