//! How to reach a store.

use std::fmt;
use std::time::Duration;

use super::address::Address;

/// The servers of a store and how to talk to them. Equal options are the same store: connections are shared between all
/// limits that name them, and survive reloads.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RedisOptions {
    /// Which servers there are, or who knows.
    pub topology: Topology,
    /// The ACL user; empty: none is named.
    pub username: String,
    /// The password; empty: none is sent.
    pub password: String,
    /// The numbered database; a cluster has but one, and this is not looked at.
    pub database: i64,
    /// The longest that connecting may take, greeting and log-in included.
    pub connect_timeout: Duration,
    /// The longest that a request waits for the store before the failure policy decides.
    pub deadline: Duration,
    /// TLS, if the servers want it; sentinels want it then too.
    pub tls: Option<RedisTls>,
    /// Learns on every connection which run of the server it leads to, so that a server that lost its memory is known.
    /// It takes the right to `INFO`.
    pub strict: bool,
}

/// Which servers there are, or who knows. Endpoints are `host:port`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Topology {
    /// One server.
    Standalone {
        /// Where it listens.
        endpoint: String,
    },
    /// A cluster: each primary has a part of the keys.
    Cluster {
        /// Nodes that are asked for the others, at least one.
        seeds: Vec<String>,
    },
    /// One primary, with replicas one of which takes its place when sentinels say so.
    Sentinel {
        /// Sentinels, at least one; these are asked for the others.
        endpoints: Vec<String>,
        /// What the sentinels call the servers that they watch.
        master_set: String,
        /// The ACL user at the sentinels; empty: none is named.
        username: String,
        /// The password at the sentinels; empty: none is sent.
        password: String,
    },
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
            .field("name", &self.name())
            .field("deadline", &self.deadline)
            .field("tls", &self.tls.is_some())
            .field("strict", &self.strict)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RedisTls {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisTls").field("insecure_skip_verify", &self.insecure_skip_verify).finish_non_exhaustive()
    }
}

impl fmt::Debug for Topology {
    /// Without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standalone { endpoint } => f.write_str(endpoint),
            Self::Cluster { seeds } => write!(f, "cluster {}", seeds.join(",")),
            Self::Sentinel { endpoints, master_set, .. } => write!(f, "{master_set}@{}", endpoints.join(",")),
        }
    }
}

impl RedisOptions {
    /// What the store is called in logs and metrics: the endpoints, with the name of the master set before those of
    /// sentinels, and the database if it is not the first.
    pub(crate) fn name(&self) -> String {
        let name = match &self.topology {
            Topology::Standalone { endpoint } => endpoint.clone(),
            Topology::Cluster { seeds } => return seeds.join(","),
            Topology::Sentinel { endpoints, master_set, .. } => format!("{master_set}@{}", endpoints.join(",")),
        };
        if self.database == 0 { name } else { format!("{name}/{}", self.database) }
    }

    /// True if the keys of one call must all be of one hash slot.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.topology, Topology::Cluster { .. })
    }

    /// A client for the server at `address`. It does not connect yet.
    pub(super) fn client(&self, address: &Address) -> redis::RedisResult<redis::Client> {
        let database = if self.is_cluster() { 0 } else { self.database };
        self.open(address, &self.username, &self.password, database)
    }

    /// A client for the sentinel at `address`. It does not connect yet.
    pub(super) fn sentinel_client(&self, address: &Address) -> redis::RedisResult<redis::Client> {
        let (username, password) = match &self.topology {
            Topology::Sentinel { username, password, .. } => (&username[..], &password[..]),
            _ => ("", ""),
        };
        self.open(address, username, password, 0)
    }

    fn open(
        &self,
        address: &Address,
        username: &str,
        password: &str,
        database: i64,
    ) -> redis::RedisResult<redis::Client> {
        let mut settings = redis::RedisConnectionInfo::default()
            // RESP3, so that the server's closing of the connection is noticed at once.
            .set_protocol(redis::ProtocolVersion::RESP3)
            .set_db(database)
            .set_lib_name("tollgate", env!("CARGO_PKG_VERSION"));
        if !username.is_empty() {
            settings = settings.set_username(username);
        }
        if !password.is_empty() {
            settings = settings.set_password(password);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_do_not_print() {
        let options = RedisOptions {
            topology: Topology::Sentinel {
                endpoints: vec!["sentinel:26379".into()],
                master_set: "main".into(),
                username: "canary-sentinel-user".into(),
                password: "canary-sentinel-password".into(),
            },
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
            strict: false,
        };
        assert!(!format!("{options:?}").contains("canary"));
    }
}
