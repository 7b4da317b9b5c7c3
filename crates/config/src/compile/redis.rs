//! The Redis of a rate limit.

mod tls;

use std::collections::BTreeSet;
use std::time::Duration;

use super::notes::{Advise, Notes};
use super::rate_limit::PLUGIN;
use crate::checked::{RedisStore, Topology};
use crate::duration::SignedDuration;
use crate::dynamic::rate_limit::{Redis, StoreRedis};
use crate::dynamic::values::Url;

/// go-redis' own default, and what Traefik's dial timeout of 0 comes to.
const DIAL: Duration = Duration::from_secs(5);
/// go-redis' own default for reading and writing.
const IO: Duration = Duration::from_secs(3);

/// `rateLimit.redis`. More than one endpoint means a cluster, even if it is the same one twice (go-redis
/// `NewUniversalClient`).
pub(super) fn of_rate_limit(written: &Redis, notes: &mut Notes<'_>) -> Option<RedisStore> {
    let at = "rateLimit.redis";
    let endpoints = endpoints(&written.endpoints, at, notes);
    let tls = match &written.tls {
        Some(tls) => tls::compile(tls, "creating redis limiter: creating TLS config: ", at, notes).map(Some),
        None => Ok(None),
    };
    let topology = if written.endpoints.len() > 1 { Topology::Cluster } else { Topology::Standalone };
    let database = database(written.db, &topology, &format!("{at}.db"), notes);
    Some(RedisStore {
        endpoints: endpoints?,
        username: written.username.clone(),
        password: written.password.clone(),
        database: database?,
        dial_timeout: Some(positive(written.dial_timeout).unwrap_or(DIAL)),
        read_timeout: io_timeout(written.read_timeout),
        write_timeout: io_timeout(written.write_timeout),
        tls: tls.ok()?,
        topology,
        strict: written.strict,
    })
}

/// `distributedRateLimit.store.redis`.
pub(super) fn of_distributed(written: &StoreRedis, at: &str, notes: &mut Notes<'_>) -> Option<RedisStore> {
    let endpoints = endpoints(&written.endpoints, at, notes);
    let tls = match &written.tls {
        Some(tls) => tls::one_name(tls, at, notes)
            .and_then(|tls| tls::compile(&tls, "creating TLS config: ", at, notes))
            .map(Some),
        None => Ok(None),
    };
    let topology = topology(written, at, notes);
    let database =
        topology.as_ref().and_then(|topology| database(written.database, topology, &format!("{at}.database"), notes));
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
        tls: tls.ok()?,
        topology: topology?,
        strict: written.strict,
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

/// The endpoints, each once.
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
    let mut seen = BTreeSet::new();
    let once = written.iter().filter(|endpoint| seen.insert(endpoint.0.as_str()));
    good.then(|| once.map(|endpoint| endpoint.0.clone()).collect())
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

fn database(number: i64, topology: &Topology, at: &str, notes: &mut Notes<'_>) -> Option<u32> {
    if *topology == Topology::Cluster {
        if number != 0 {
            notes.warning("database-unused", at, "a cluster has no databases; this is ignored");
        }
        return Some(0);
    }
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

/// Whether this text anywhere in a plugin's settings refers to a secret of Kubernetes.
pub(super) fn secret_reference(text: &str) -> bool {
    text.starts_with("urn:k8s:secret:")
}

/// Where the settings of the plugin start.
pub(super) fn at_plugin(path: &str) -> String {
    if path.is_empty() { PLUGIN.to_owned() } else { format!("{PLUGIN}.{path}") }
}
