//! Tables of what Traefik (3.7) accepts and Tollgate does not run yet.
//!
//! Where a table may lag behind Traefik, an unknown field is a warning: refusing the file would
//! take down routers that have nothing to do with it.

use crate::shape::Kind::{Bool, Duration, Free, Integer, Map, Secret, Section, Sections, Text, TextMap, Texts, Url};
use crate::shape::{Shape, Unknown};

// === http ===

/// Middlewares.
pub(crate) static MIDDLEWARES: [(&str, Shape); 18] = [
    (
        "stripPrefixRegex",
        Shape {
            type_name: "dynamic.StripPrefixRegex",
            allow_empty: false,
            unknown: Unknown::Warned,
            fields: &[("regex", Texts)],
        },
    ),
    (
        "replacePath",
        Shape {
            type_name: "dynamic.ReplacePath",
            allow_empty: false,
            unknown: Unknown::Warned,
            fields: &[("path", Text)],
        },
    ),
    (
        "replacePathRegex",
        Shape {
            type_name: "dynamic.ReplacePathRegex",
            allow_empty: false,
            unknown: Unknown::Warned,
            fields: &[("regex", Text), ("replacement", Text)],
        },
    ),
    (
        "errors",
        Shape {
            type_name: "dynamic.ErrorPage",
            allow_empty: false,
            unknown: Unknown::Warned,
            fields: &[("status", Texts), ("statusRewrites", Free), ("service", Text), ("query", Text)],
        },
    ),
    (
        "redirectRegex",
        Shape {
            type_name: "dynamic.RedirectRegex",
            allow_empty: false,
            unknown: Unknown::Warned,
            fields: &[("regex", Text), ("replacement", Text), ("permanent", Bool)],
        },
    ),
    (
        "redirectScheme",
        Shape {
            type_name: "dynamic.RedirectScheme",
            allow_empty: false,
            unknown: Unknown::Warned,
            fields: &[("scheme", Text), ("port", Text), ("permanent", Bool)],
        },
    ),
    (
        "basicAuth",
        Shape {
            type_name: "dynamic.BasicAuth",
            allow_empty: false,
            unknown: Unknown::Warned,
            fields: &[
                ("users", Secret),
                ("usersFile", Text),
                ("realm", Text),
                ("removeHeader", Bool),
                ("headerField", Text),
            ],
        },
    ),
    (
        "digestAuth",
        Shape {
            type_name: "dynamic.DigestAuth",
            allow_empty: false,
            unknown: Unknown::Warned,
            fields: &[
                ("users", Secret),
                ("usersFile", Text),
                ("realm", Text),
                ("removeHeader", Bool),
                ("headerField", Text),
            ],
        },
    ),
    (
        "forwardAuth",
        Shape {
            type_name: "dynamic.ForwardAuth",
            allow_empty: false,
            unknown: Unknown::Warned,
            fields: &[
                ("address", Url),
                ("tls", Section(&CLIENT_TLS)),
                ("trustForwardHeader", Bool),
                ("authResponseHeaders", Texts),
                ("authResponseHeadersRegex", Text),
                ("authRequestHeaders", Texts),
                ("addAuthCookiesToResponse", Texts),
                ("headerField", Text),
                ("forwardBody", Bool),
                ("maxBodySize", Integer),
                ("maxResponseBodySize", Integer),
                ("preserveLocationHeader", Bool),
                ("preserveRequestMethod", Bool),
            ],
        },
    ),
    (
        "inFlightReq",
        Shape {
            type_name: "dynamic.InFlightReq",
            allow_empty: false,
            unknown: Unknown::Warned,
            fields: &[("amount", Integer), ("sourceCriterion", Section(&SOURCE_CRITERION))],
        },
    ),
    (
        "buffering",
        Shape {
            type_name: "dynamic.Buffering",
            allow_empty: false,
            unknown: Unknown::Warned,
            fields: &[
                ("maxRequestBodyBytes", Integer),
                ("memRequestBodyBytes", Integer),
                ("maxResponseBodyBytes", Integer),
                ("memResponseBodyBytes", Integer),
                ("retryExpression", Text),
            ],
        },
    ),
    (
        "circuitBreaker",
        Shape {
            type_name: "dynamic.CircuitBreaker",
            allow_empty: false,
            unknown: Unknown::Warned,
            fields: &[
                ("expression", Text),
                ("checkPeriod", Duration),
                ("fallbackDuration", Duration),
                ("recoveryDuration", Duration),
                ("responseCode", Integer),
            ],
        },
    ),
    (
        "compress",
        Shape {
            type_name: "dynamic.Compress",
            allow_empty: true,
            unknown: Unknown::Warned,
            fields: &[
                ("excludedContentTypes", Texts),
                ("includedContentTypes", Texts),
                ("minResponseBodyBytes", Integer),
                ("encodings", Texts),
                ("defaultEncoding", Text),
            ],
        },
    ),
    (
        "passTLSClientCert",
        Shape {
            type_name: "dynamic.PassTLSClientCert",
            allow_empty: false,
            unknown: Unknown::Warned,
            fields: &[("pem", Bool), ("info", Free)],
        },
    ),
    (
        "retry",
        Shape {
            type_name: "dynamic.Retry",
            allow_empty: false,
            unknown: Unknown::Warned,
            fields: &[
                ("attempts", Integer),
                ("initialInterval", Duration),
                ("timeout", Duration),
                ("status", Texts),
                ("maxRequestBodyBytes", Integer),
                ("disableRetryOnNetworkError", Bool),
                ("retryNonIdempotentMethod", Bool),
            ],
        },
    ),
    (
        "contentType",
        Shape {
            type_name: "dynamic.ContentType",
            allow_empty: true,
            unknown: Unknown::Warned,
            fields: &[("autoDetect", Bool)],
        },
    ),
    (
        "grpcWeb",
        Shape {
            type_name: "dynamic.GrpcWeb",
            allow_empty: false,
            unknown: Unknown::Warned,
            fields: &[("allowOrigins", Texts)],
        },
    ),
    (
        "encodedCharacters",
        Shape {
            type_name: "dynamic.EncodedCharacters",
            allow_empty: true,
            unknown: Unknown::Warned,
            fields: &[
                ("allowEncodedSlash", Bool),
                ("allowEncodedBackSlash", Bool),
                ("allowEncodedNullCharacter", Bool),
                ("allowEncodedSemicolon", Bool),
                ("allowEncodedPercent", Bool),
                ("allowEncodedQuestionMark", Bool),
                ("allowEncodedHash", Bool),
            ],
        },
    ),
];

/// Kinds of services.
pub(crate) static SERVICES: [(&str, Shape); 4] = [
    (
        "weighted",
        Shape {
            type_name: "dynamic.WeightedRoundRobin",
            allow_empty: false,
            unknown: Unknown::Warned,
            fields: &[
                ("services", Sections(&WRR_SERVICE)),
                ("sticky", Section(&STICKY)),
                ("healthCheck", Section(&AWARENESS)),
            ],
        },
    ),
    (
        "highestRandomWeight",
        Shape {
            type_name: "dynamic.HighestRandomWeight",
            allow_empty: false,
            unknown: Unknown::Warned,
            fields: &[("services", Sections(&WRR_SERVICE)), ("healthCheck", Section(&AWARENESS))],
        },
    ),
    (
        "mirroring",
        Shape {
            type_name: "dynamic.Mirroring",
            allow_empty: false,
            unknown: Unknown::Warned,
            fields: &[
                ("service", Text),
                ("mirrorBody", Bool),
                ("maxBodySize", Integer),
                ("mirrors", Sections(&MIRROR)),
                ("healthCheck", Section(&AWARENESS)),
            ],
        },
    ),
    (
        "failover",
        Shape {
            type_name: "dynamic.Failover",
            allow_empty: false,
            unknown: Unknown::Warned,
            fields: &[("service", Text), ("fallback", Text), ("healthCheck", Section(&AWARENESS)), ("errors", Free)],
        },
    ),
];

static CLIENT_TLS: Shape = Shape {
    type_name: "dynamic.ClientTLS",
    allow_empty: false,
    unknown: Unknown::Refused,
    fields: &[("ca", Text), ("caOptional", Bool), ("cert", Text), ("key", Secret), ("insecureSkipVerify", Bool)],
};

static SOURCE_CRITERION: Shape = Shape {
    type_name: "dynamic.SourceCriterion",
    allow_empty: false,
    unknown: Unknown::Refused,
    fields: &[("ipStrategy", Section(&IP_STRATEGY)), ("requestHeaderName", Text), ("requestHost", Bool)],
};

static IP_STRATEGY: Shape = Shape {
    type_name: "dynamic.IPStrategy",
    allow_empty: false,
    unknown: Unknown::Refused,
    fields: &[("depth", Integer), ("excludedIPs", Texts), ("ipv6Subnet", Integer)],
};

static WRR_SERVICE: Shape = Shape {
    type_name: "dynamic.WRRService",
    allow_empty: false,
    unknown: Unknown::Warned,
    fields: &[("name", Text), ("weight", Integer), ("headers", TextMap)],
};

static MIRROR: Shape = Shape {
    type_name: "dynamic.MirrorService",
    allow_empty: false,
    unknown: Unknown::Warned,
    fields: &[("name", Text), ("percent", Integer)],
};

static AWARENESS: Shape =
    Shape { type_name: "dynamic.HealthCheck", allow_empty: true, unknown: Unknown::Warned, fields: &[] };

pub(crate) static STICKY: Shape = Shape {
    type_name: "dynamic.Sticky",
    allow_empty: true,
    unknown: Unknown::Refused,
    fields: &[("cookie", Section(&COOKIE))],
};

static COOKIE: Shape = Shape {
    type_name: "dynamic.Cookie",
    allow_empty: true,
    unknown: Unknown::Refused,
    fields: &[
        ("name", Text),
        ("secure", Bool),
        ("httpOnly", Bool),
        ("sameSite", Text),
        ("maxAge", Integer),
        ("path", Text),
        ("domain", Text),
    ],
};

pub(crate) static HEALTH_CHECK: Shape = Shape {
    type_name: "dynamic.ServerHealthCheck",
    allow_empty: false,
    unknown: Unknown::Warned,
    fields: &[
        ("scheme", Text),
        ("mode", Text),
        ("path", Text),
        ("method", Text),
        ("status", Integer),
        ("port", Integer),
        ("interval", Duration),
        ("unhealthyInterval", Duration),
        ("timeout", Duration),
        ("hostname", Text),
        ("followRedirects", Bool),
        ("headers", TextMap),
    ],
};

pub(crate) static PASSIVE_HEALTH_CHECK: Shape = Shape {
    type_name: "dynamic.PassiveServerHealthCheck",
    allow_empty: true,
    unknown: Unknown::Warned,
    fields: &[("failureWindow", Duration), ("maxFailedAttempts", Integer)],
};

pub(crate) static SERVERS_TRANSPORT: Shape = Shape {
    type_name: "dynamic.ServersTransport",
    allow_empty: false,
    unknown: Unknown::Warned,
    fields: &[
        ("serverName", Text),
        ("insecureSkipVerify", Bool),
        ("rootCAs", Texts),
        ("certificates", Sections(&CERTIFICATE)),
        ("cipherSuites", Texts),
        ("minVersion", Text),
        ("maxVersion", Text),
        ("maxIdleConnsPerHost", Integer),
        ("forwardingTimeouts", Section(&FORWARDING_TIMEOUTS)),
        ("disableHTTP2", Bool),
        ("peerCertURI", Text),
        ("spiffe", Free),
    ],
};

static FORWARDING_TIMEOUTS: Shape = Shape {
    type_name: "dynamic.ForwardingTimeouts",
    allow_empty: false,
    unknown: Unknown::Refused,
    fields: &[
        ("dialTimeout", Duration),
        ("responseHeaderTimeout", Duration),
        ("idleConnTimeout", Duration),
        ("readIdleTimeout", Duration),
        ("pingTimeout", Duration),
    ],
};

static CERTIFICATE: Shape = Shape {
    type_name: "tls.Certificate",
    allow_empty: false,
    unknown: Unknown::Refused,
    fields: &[("certFile", Text), ("keyFile", Secret)],
};

// === tcp and udp ===

pub(crate) static TCP: Shape = Shape {
    type_name: "dynamic.TCPConfiguration",
    allow_empty: false,
    unknown: Unknown::Refused,
    fields: &[
        ("routers", Map(&TCP_ROUTER)),
        ("services", Map(&TCP_SERVICE)),
        ("middlewares", Map(&TCP_MIDDLEWARE)),
        ("models", Free),
        ("serversTransports", Map(&TCP_SERVERS_TRANSPORT)),
    ],
};

static TCP_ROUTER: Shape = Shape {
    type_name: "dynamic.TCPRouter",
    allow_empty: false,
    unknown: Unknown::Refused,
    fields: &[
        ("entryPoints", Texts),
        ("middlewares", Texts),
        ("service", Text),
        ("rule", Text),
        ("ruleSyntax", Text),
        ("priority", Integer),
        ("tls", Section(&TCP_ROUTER_TLS)),
    ],
};

static TCP_ROUTER_TLS: Shape = Shape {
    type_name: "dynamic.RouterTCPTLSConfig",
    allow_empty: true,
    unknown: Unknown::Refused,
    fields: &[("passthrough", Bool), ("options", Text), ("certResolver", Text), ("domains", Sections(&DOMAIN))],
};

static DOMAIN: Shape = Shape {
    type_name: "types.Domain",
    allow_empty: false,
    unknown: Unknown::Refused,
    fields: &[("main", Text), ("sans", Texts)],
};

static TCP_SERVICE: Shape = Shape {
    type_name: "dynamic.TCPService",
    allow_empty: false,
    unknown: Unknown::Refused,
    fields: &[("loadBalancer", Section(&TCP_LOAD_BALANCER)), ("weighted", Section(&TCP_WEIGHTED))],
};

static TCP_LOAD_BALANCER: Shape = Shape {
    type_name: "dynamic.TCPServersLoadBalancer",
    allow_empty: false,
    unknown: Unknown::Warned,
    fields: &[
        ("servers", Sections(&TCP_SERVER)),
        ("serversTransport", Text),
        ("proxyProtocol", Free),
        ("terminationDelay", Integer),
        ("healthCheck", Free),
    ],
};

static TCP_SERVER: Shape = Shape {
    type_name: "dynamic.TCPServer",
    allow_empty: false,
    unknown: Unknown::Warned,
    fields: &[("address", Text), ("tls", Bool)],
};

static TCP_WEIGHTED: Shape = Shape {
    type_name: "dynamic.TCPWeightedRoundRobin",
    allow_empty: false,
    unknown: Unknown::Warned,
    fields: &[("services", Sections(&TCP_WRR_SERVICE)), ("healthCheck", Section(&AWARENESS))],
};

static TCP_WRR_SERVICE: Shape = Shape {
    type_name: "dynamic.TCPWRRService",
    allow_empty: false,
    unknown: Unknown::Warned,
    fields: &[("name", Text), ("weight", Integer)],
};

static TCP_MIDDLEWARE: Shape = Shape {
    type_name: "dynamic.TCPMiddleware",
    allow_empty: false,
    unknown: Unknown::Refused,
    fields: &[("inFlightConn", Free), ("ipWhiteList", Free), ("ipAllowList", Free)],
};

static TCP_SERVERS_TRANSPORT: Shape = Shape {
    type_name: "dynamic.TCPServersTransport",
    allow_empty: false,
    unknown: Unknown::Warned,
    fields: &[
        ("dialKeepAlive", Duration),
        ("dialTimeout", Duration),
        ("proxyProtocol", Free),
        ("terminationDelay", Duration),
        ("tls", Free),
    ],
};

pub(crate) static UDP: Shape = Shape {
    type_name: "dynamic.UDPConfiguration",
    allow_empty: false,
    unknown: Unknown::Refused,
    fields: &[("routers", Map(&UDP_ROUTER)), ("services", Map(&UDP_SERVICE))],
};

static UDP_ROUTER: Shape = Shape {
    type_name: "dynamic.UDPRouter",
    allow_empty: false,
    unknown: Unknown::Refused,
    fields: &[("entryPoints", Texts), ("service", Text)],
};

static UDP_SERVICE: Shape = Shape {
    type_name: "dynamic.UDPService",
    allow_empty: false,
    unknown: Unknown::Refused,
    fields: &[("loadBalancer", Free), ("weighted", Free)],
};

// === tls ===

pub(crate) static TLS: Shape = Shape {
    type_name: "dynamic.TLSConfiguration",
    allow_empty: false,
    unknown: Unknown::Refused,
    fields: &[
        ("certificates", Sections(&CERT_AND_STORES)),
        ("options", Map(&TLS_OPTIONS)),
        ("stores", Map(&TLS_STORE)),
    ],
};

static CERT_AND_STORES: Shape = Shape {
    type_name: "tls.CertAndStores",
    allow_empty: false,
    unknown: Unknown::Warned,
    fields: &[("certFile", Text), ("keyFile", Secret), ("stores", Texts)],
};

static TLS_OPTIONS: Shape = Shape {
    type_name: "tls.Options",
    allow_empty: false,
    unknown: Unknown::Warned,
    fields: &[
        ("minVersion", Text),
        ("maxVersion", Text),
        ("cipherSuites", Texts),
        ("curvePreferences", Texts),
        ("clientAuth", Free),
        ("sniStrict", Bool),
        ("alpnProtocols", Texts),
        ("disableSessionTickets", Bool),
        ("preferServerCipherSuites", Bool),
    ],
};

static TLS_STORE: Shape = Shape {
    type_name: "tls.Store",
    allow_empty: false,
    unknown: Unknown::Warned,
    fields: &[("defaultCertificate", Section(&CERTIFICATE)), ("defaultGeneratedCert", Free)],
};
