//! How to reach a server.

use std::fmt;
use std::time::Duration;

/// A server and how to talk to it. Equal options are the same store: connections are shared between all limits that
/// name them, and survive reloads.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RedisOptions {
    /// `host:port`.
    pub endpoint: String,
    /// The ACL user; empty: none is named.
    pub username: String,
    /// The password; empty: none is sent.
    pub password: String,
    /// The numbered database.
    pub database: i64,
    /// The longest that connecting may take, greeting and log-in included.
    pub connect_timeout: Duration,
    /// The longest that a request waits for the store before the failure policy decides.
    pub deadline: Duration,
    /// TLS, if the server wants it.
    pub tls: Option<RedisTls>,
}

/// How to prove who is who.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RedisTls {
    /// The authority that signed the server's certificate, PEM; without it the system's.
    pub ca: Option<String>,
    /// Our own certificate and its key, PEM.
    pub identity: Option<(String, String)>,
    /// Believe anybody. For tests.
    pub insecure_skip_verify: bool,
}

impl fmt::Debug for RedisOptions {
    /// Without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("endpoint", &self.endpoint)
            .field("database", &self.database)
            .field("deadline", &self.deadline)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RedisTls {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisTls").field("insecure_skip_verify", &self.insecure_skip_verify).finish_non_exhaustive()
    }
}

impl RedisOptions {
    /// What the store is called in logs and metrics: the endpoint, and the database if it is not the first.
    pub(crate) fn name(&self) -> String {
        if self.database == 0 { self.endpoint.clone() } else { format!("{}/{}", self.endpoint, self.database) }
    }

    /// A client for the server at `address`. It does not connect yet.
    pub(super) fn client(&self, address: &Address) -> redis::RedisResult<redis::Client> {
        let mut settings = redis::RedisConnectionInfo::default()
            // RESP3, so that the server's closing of the connection is noticed at once.
            .set_protocol(redis::ProtocolVersion::RESP3)
            .set_db(self.database)
            .set_lib_name("tollgate", env!("CARGO_PKG_VERSION"));
        if !self.username.is_empty() {
            settings = settings.set_username(&self.username);
        }
        if !self.password.is_empty() {
            settings = settings.set_password(&self.password);
        }
        let tcp = redis::io::tcp::TcpSettings::default().set_nodelay(true);
        let Address { host, port } = address.clone();
        let address = match &self.tls {
            None => redis::ConnectionAddr::Tcp(host, port),
            Some(tls) => {
                let insecure = tls.insecure_skip_verify;
                redis::ConnectionAddr::TcpTls { host, port, insecure, tls_params: None }
            }
        };
        let info = redis::IntoConnectionInfo::into_connection_info(address)?
            .set_redis_settings(settings)
            .set_tcp_settings(tcp);
        match &self.tls {
            None => redis::Client::open(info),
            Some(tls) => redis::Client::build_with_tls(info, tls.certificates()),
        }
    }
}

impl RedisTls {
    fn certificates(&self) -> redis::TlsCertificates {
        redis::TlsCertificates {
            root_cert: self.ca.as_ref().map(|pem| pem.clone().into_bytes()),
            client_tls: self.identity.as_ref().map(|(certificate, key)| redis::ClientTlsConfig {
                client_cert: certificate.clone().into_bytes(),
                client_key: key.clone().into_bytes(),
            }),
        }
    }
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    /// Reads an endpoint; an IPv6 address may stand in brackets. Redis's own port if none is named.
    pub(super) fn parse(endpoint: &str) -> Self {
        Self::with_default_port(endpoint, 6379)
    }

    fn with_default_port(endpoint: &str, default: u16) -> Self {
        let (host, port) = if let Some((host, rest)) = endpoint.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        {
            (host, rest.strip_prefix(':'))
        } else {
            match endpoint.rsplit_once(':') {
                Some((host, port)) if !host.contains(':') => (host, Some(port)),
                _ => (endpoint, None),
            }
        };
        Self { host: host.to_owned(), port: port.and_then(|port| port.parse().ok()).unwrap_or(default) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        for (endpoint, expected) in [
            ("redis:6379", ("redis", 6379)),
            ("redis", ("redis", 6379)),
            ("127.0.0.1:7000", ("127.0.0.1", 7000)),
            ("[::1]:7000", ("::1", 7000)),
            ("::1", ("::1", 6379)),
            ("[::1]", ("::1", 6379)),
        ] {
            let Address { host, port } = Address::parse(endpoint);
            assert_eq!((&host[..], port), expected, "{endpoint}");
        }
    }

    #[test]
    fn credentials_do_not_print() {
        let options = RedisOptions {
            endpoint: "redis:6379".into(),
            username: "canary-user".into(),
            password: "canary-password".into(),
            database: 0,
            connect_timeout: Duration::from_secs(1),
            deadline: Duration::from_secs(1),
            tls: Some(RedisTls {
                ca: None,
                identity: Some(("canary-cert".into(), "canary-key".into())),
                insecure_skip_verify: false,
            }),
        };
        assert!(!format!("{options:?}").contains("canary"));
    }
}
