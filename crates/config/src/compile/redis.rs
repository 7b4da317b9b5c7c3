//! The Redis of a rate limit.

use std::time::Duration;

use super::material;
use super::notes::{Advise, Notes};
use super::rate_limit::PLUGIN;
use crate::checked::{RedisStore, Tls, Topology};
use crate::duration::SignedDuration;
use crate::dynamic::rate_limit::{ClientTls, Redis, StoreRedis, StoreTls};
use crate::dynamic::values::Url;

/// go-redis' own default, and what Traefik's dial timeout of 0 comes to.
const DIAL: Duration = Duration::from_secs(5);
/// go-redis' own default for reading and writing.
const IO: Duration = Duration::from_secs(3);

/// `rateLimit.redis`.
pub(super) fn of_rate_limit(written: &Redis, notes: &mut Notes<'_>) -> Option<RedisStore> {
    let at = "rateLimit.redis";
    let endpoints = endpoints(&written.endpoints, at, notes);
    let tls = match &written.tls {
        Some(tls) => tls_of(tls, "creating redis limiter: creating TLS config: ", at, notes).map(Some),
        None => Some(None),
    };
    let database = database(written.db, &format!("{at}.db"), notes);
    let endpoints = endpoints?;
    Some(RedisStore {
        topology: if endpoints.len() > 1 { Topology::Cluster } else { Topology::Standalone },
        endpoints,
        username: written.username.clone(),
        password: written.password.clone(),
        database: database?,
        dial_timeout: Some(positive(written.dial_timeout).unwrap_or(DIAL)),
        read_timeout: io_timeout(written.read_timeout),
        write_timeout: io_timeout(written.write_timeout),
        tls: tls?,
    })
}

/// `distributedRateLimit.store.redis`.
pub(super) fn of_distributed(written: &StoreRedis, at: &str, notes: &mut Notes<'_>) -> Option<RedisStore> {
    let endpoints = endpoints(&written.endpoints, at, notes);
    let tls = match &written.tls {
        Some(tls) => tls_of(&client_tls(tls, at, notes)?, "creating TLS config: ", at, notes).map(Some),
        None => Some(None),
    };
    let topology = topology(written, at, notes);
    let database = database(written.database, &format!("{at}.database"), notes);
    if written.cluster.is_some() && written.database != 0 {
        notes.warning("database-unused", &format!("{at}.database"), "a cluster has no databases; this is ignored");
    }
    if written.timeout.is_some_and(SignedDuration::is_negative) {
        notes.error("negative-timeout", &format!("{at}.timeout"), "negative value not valid for timeout");
        return None;
    }
    let timeout = positive(written.timeout);
    Some(RedisStore {
        endpoints: endpoints?,
        username: written.username.clone(),
        password: written.password.clone(),
        database: database?,
        dial_timeout: Some(timeout.unwrap_or(DIAL)),
        read_timeout: Some(timeout.unwrap_or(IO)),
        write_timeout: Some(timeout.unwrap_or(IO)),
        tls: tls?,
        topology: topology?,
    })
}

fn topology(written: &StoreRedis, at: &str, notes: &mut Notes<'_>) -> Option<Topology> {
    match (&written.cluster, &written.sentinel) {
        (Some(_), Some(_)) => {
            notes
                .error("cluster-and-sentinel", at, "cluster and sentinel are mutually exclusive")
                .advise("keep the one that your Redis is");
            None
        }
        (Some(_), None) => Some(Topology::Cluster),
        (None, Some(sentinel)) if sentinel.master_set.is_empty() => {
            notes.error("no-master-set", &format!("{at}.sentinel"), "masterSet is required");
            None
        }
        (None, Some(sentinel)) => Some(Topology::Sentinel {
            master_set: sentinel.master_set.clone(),
            username: sentinel.username.clone(),
            password: sentinel.password.clone(),
        }),
        (None, None) if written.endpoints.len() > 1 => {
            notes
                .error(
                    "many-endpoints",
                    &format!("{at}.endpoints"),
                    "several endpoints, but neither cluster nor sentinel",
                )
                .advise("say cluster: {} or sentinel.masterSet, or keep one endpoint");
            None
        }
        (None, None) => Some(Topology::Standalone),
    }
}

fn endpoints(written: &[Url], at: &str, notes: &mut Notes<'_>) -> Option<Vec<String>> {
    let at = format!("{at}.endpoints");
    if written.is_empty() {
        notes.error("no-endpoint", &at, "at least one endpoint is required").advise("like localhost:6379");
        return None;
    }
    let mut good = true;
    for (index, endpoint) in written.iter().enumerate() {
        if !is_host_and_port(endpoint) {
            good = false;
            notes
                .error(
                    "not-an-endpoint",
                    &format!("{at}[{index}]"),
                    format!("address {endpoint}: missing port in address"),
                )
                .advise("write host:port, like localhost:6379 or [::1]:6379");
        }
    }
    good.then(|| written.iter().map(|endpoint| endpoint.0.clone()).collect())
}

/// `host:port`, `[::1]:port`.
pub(super) fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let host_fits = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').is_some_and(|inner| !inner.is_empty()),
        None => !host.is_empty() && !host.contains([':', '/', '@', ' ']),
    };
    host_fits && port.parse::<u16>().is_ok_and(|port| port > 0)
}

fn database(number: i64, at: &str, notes: &mut Notes<'_>) -> Option<u32> {
    let database = u32::try_from(number).ok();
    if database.is_none() {
        notes.error("not-a-database", at, format!("{number} cannot be the number of a database"));
    }
    database
}

fn positive(timeout: Option<SignedDuration>) -> Option<Duration> {
    timeout.and_then(SignedDuration::to_duration).filter(|timeout| !timeout.is_zero())
}

/// Absent is go-redis' default, 0 or less is no bound.
fn io_timeout(timeout: Option<SignedDuration>) -> Option<Duration> {
    match timeout {
        None => Some(IO),
        Some(_) => positive(timeout),
    }
}

fn client_tls(written: &StoreTls, at: &str, notes: &mut Notes<'_>) -> Option<ClientTls> {
    let ca = match (written.ca.as_str(), written.ca_bundle.as_str()) {
        (ca, "") => ca,
        ("", bundle) => bundle,
        (ca, bundle) if ca == bundle => ca,
        _ => {
            notes
                .error("ca-twice", &format!("{at}.tls"), "ca and caBundle are two names of one setting, and differ")
                .advise("keep ca");
            return None;
        }
    };
    Some(ClientTls {
        ca: ca.to_owned(),
        cert: written.cert.clone(),
        key: written.key.clone(),
        insecure_skip_verify: written.insecure_skip_verify,
    })
}

/// Traefik's checks in Traefik's words (`types.ClientTLS.CreateTLSConfig`).
fn tls_of(written: &ClientTls, before: &str, at: &str, notes: &mut Notes<'_>) -> Option<Tls> {
    let at = format!("{at}.tls");
    let ca = match written.ca.as_str() {
        "" => None,
        setting => Some(trusted(setting, before, &format!("{at}.ca"), notes)?),
    };
    let key = written.key.expose();
    if written.cert.is_empty() != key.is_empty() {
        notes
            .error("half-a-key-pair", &at, format!("{before}both TLS cert and key must be defined"))
            .advise(if key.is_empty() { "set key" } else { "set cert" });
        return None;
    }
    let identity = if written.cert.is_empty() {
        None
    } else {
        let cert = pem(&written.cert, "CERTIFICATE", before, &format!("{at}.cert"), notes);
        if material::everybody_reads(key) {
            notes
                .warning("key-world-readable", &format!("{at}.key"), "everybody on this machine may read the key")
                .advise("chmod o-r");
        }
        let key = pem(key, "PRIVATE KEY", before, &format!("{at}.key"), notes);
        Some((cert?, key?.into()))
    };
    if written.insecure_skip_verify {
        notes.warning("tls-not-verified", &format!("{at}.insecureSkipVerify"), "anybody can pretend to be this Redis");
    }
    Some(Tls { ca, identity, insecure_skip_verify: written.insecure_skip_verify })
}

fn trusted(setting: &str, before: &str, at: &str, notes: &mut Notes<'_>) -> Option<String> {
    match material::read(setting) {
        Err(error) => {
            notes.error("unreadable", at, format!("{before}failed to read CA. {error}"));
            None
        }
        Ok(text) if material::has_pem(&text, "CERTIFICATE") => Some(text),
        Ok(_) => {
            notes
                .error("not-pem", at, format!("{before}failed to parse CA"))
                .advise("a path that exists, or PEM text with at least one CERTIFICATE");
            None
        }
    }
}

fn pem(setting: &str, label: &str, before: &str, at: &str, notes: &mut Notes<'_>) -> Option<String> {
    let message = match material::read(setting) {
        Err(error) => format!("{before}failed to load TLS keypair: {error}"),
        Ok(text) if material::has_pem(&text, label) => return Some(text),
        Ok(_) => format!("{before}failed to load TLS keypair: no PEM block of type {label}"),
    };
    notes.error("not-pem", at, message).advise("a path that exists, or PEM text");
    None
}

/// Whether this text anywhere in a plugin's settings refers to a secret of Kubernetes.
pub(super) fn secret_reference(text: &str) -> bool {
    text.starts_with("urn:k8s:secret:")
}

/// Where the settings of the plugin start.
pub(super) fn at_plugin(path: &str) -> String {
    if path.is_empty() { PLUGIN.to_owned() } else { format!("{PLUGIN}.{path}") }
}
