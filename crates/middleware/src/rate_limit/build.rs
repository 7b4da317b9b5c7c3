//! From a checked limit to one in force.

use std::sync::Arc;
use std::time::Duration;

use tollgate_config::checked::{self, RateLimitOrigin, Scope};
use tollgate_limiter::Limit;
use tollgate_store::{RedisOptions, RedisTls, Store, Stores, Topology};

use super::{RateLimit, Unlimited};
use crate::build::Link;

/// The middleware for the limit `name` as `router` uses it, its buckets where the configuration says, found again in
/// `stores` if they are there already.
pub(crate) fn build(name: &str, router: &str, checked: &checked::RateLimit, stores: &Stores) -> Link {
    let id: Arc<str> = match checked.scope {
        Scope::Middleware => name.into(),
        Scope::Router => format!("{name}/{router}").into(),
    };
    if checked.quota.is_none() && checked.quotas.is_empty() {
        return Link::Other(Arc::new(Unlimited::new(id)));
    }
    let limit = Limit {
        id,
        quota: checked.quota,
        windows: checked.quotas.iter().map(|quota| (quota.name.as_str().into(), quota.quota.clone())).collect(),
        criterion: checked.criterion.clone(),
        max_delay: checked.max_delay,
        leases: checked.leases,
        failure_policy: checked.failure_policy,
    };
    let limit = stores.bind(limit, store(checked, stores));
    Link::Limit(Arc::new(RateLimit::new(limit, checked.response_headers)))
}

fn store(checked: &checked::RateLimit, stores: &Stores) -> Store {
    match &checked.store {
        checked::Store::Memory => stores.memory(),
        checked::Store::Redis(redis) => stores.redis(options(redis, checked.origin)),
    }
}

/// How long a request waits for the store unless the configuration says otherwise: what Traefik Hub's example says.
const DEADLINE: Duration = Duration::from_millis(500);
/// Traefik's default for `readTimeout` and `writeTimeout` of `rateLimit`. Three seconds of waiting are what this gateway is there
/// to prevent, and nobody who leaves the option alone has asked for them: read as "not set".
const TRAEFIK_TIMEOUT: Duration = Duration::from_secs(3);
/// Traefik's default for `dialTimeout`. No request waits for a connection, so that it may stay.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

fn options(redis: &checked::RedisStore, origin: RateLimitOrigin) -> RedisOptions {
    let timeouts = [redis.read_timeout, redis.write_timeout];
    let not_set = match origin {
        RateLimitOrigin::RateLimit => TRAEFIK_TIMEOUT,
        RateLimitOrigin::DistributedRateLimit => Duration::MAX,
    };
    let set = timeouts.into_iter().flatten().filter(|timeout| *timeout != not_set);
    RedisOptions {
        topology: topology(redis),
        username: redis.username.expose().clone(),
        password: redis.password.expose().clone(),
        database: i64::from(redis.database),
        connect_timeout: redis.dial_timeout.unwrap_or(CONNECT_TIMEOUT),
        deadline: set.min().unwrap_or(DEADLINE),
        tls: redis.tls.as_ref().map(|tls| RedisTls {
            ca: tls.ca.clone(),
            identity: tls.identity.as_ref().map(|(certificate, key)| (certificate.clone(), key.expose().clone())),
            insecure_skip_verify: tls.insecure_skip_verify,
        }),
        strict: redis.strict,
    }
}

fn topology(redis: &checked::RedisStore) -> Topology {
    let endpoints = redis.endpoints.clone();
    match &redis.topology {
        checked::Topology::Standalone => {
            Topology::Standalone { endpoint: endpoints.into_iter().next().unwrap_or_default() }
        }
        checked::Topology::Cluster => Topology::Cluster { seeds: endpoints },
        checked::Topology::Sentinel { master_set, username, password } => Topology::Sentinel {
            endpoints,
            master_set: master_set.clone(),
            username: username.expose().clone(),
            password: password.expose().clone(),
        },
    }
}

#[cfg(test)]
mod tests {
    use tollgate_config::Redacted;

    use super::*;

    fn redis(read_timeout: Option<Duration>, write_timeout: Option<Duration>) -> checked::RedisStore {
        checked::RedisStore {
            endpoints: vec!["redis:6379".into()],
            username: Redacted::new(String::new()),
            password: Redacted::new("secret".into()),
            database: 2,
            dial_timeout: None,
            read_timeout,
            write_timeout,
            tls: None,
            topology: checked::Topology::Standalone,
            strict: false,
        }
    }

    #[test]
    fn every_wait_has_a_deadline() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (read, write, deadline) in [
            (None, None, DEADLINE),
            (seconds(3), seconds(3), DEADLINE),
            (seconds(1), seconds(3), Duration::from_secs(1)),
            (seconds(10), seconds(2), Duration::from_secs(2)),
        ] {
            assert_eq!(
                options(&redis(read, write), RateLimitOrigin::RateLimit).deadline,
                deadline,
                "{read:?} {write:?}"
            );
        }
        let asked_for = options(&redis(seconds(3), seconds(3)), RateLimitOrigin::DistributedRateLimit);
        assert_eq!(asked_for.deadline, Duration::from_secs(3), "nobody gets that by default");
    }

    #[test]
    fn what_was_configured_reaches_the_store() {
        let written = redis(None, None);
        let standalone = options(&written, RateLimitOrigin::RateLimit);
        assert_eq!(standalone.topology, Topology::Standalone { endpoint: "redis:6379".into() });
        assert_eq!((standalone.password.as_str(), standalone.database, standalone.strict), ("secret", 2, false));

        let endpoints = vec!["a:1".to_owned(), "b:2".to_owned()];
        let cluster = checked::RedisStore {
            endpoints: endpoints.clone(),
            topology: checked::Topology::Cluster,
            strict: true,
            ..written.clone()
        };
        let cluster = options(&cluster, RateLimitOrigin::RateLimit);
        assert_eq!((cluster.topology, cluster.strict), (Topology::Cluster { seeds: endpoints.clone() }, true));

        let sentinels = checked::Topology::Sentinel {
            master_set: "main".into(),
            username: Redacted::new("watcher".into()),
            password: Redacted::new("other".into()),
        };
        let sentinels = checked::RedisStore { endpoints: endpoints.clone(), topology: sentinels, ..written };
        let expected = Topology::Sentinel {
            endpoints,
            master_set: "main".into(),
            username: "watcher".into(),
            password: "other".into(),
        };
        assert_eq!(options(&sentinels, RateLimitOrigin::DistributedRateLimit).topology, expected);
    }
}
