//! `rateLimit` and `plugin.distributedRateLimit`.

use std::sync::Arc;
use std::time::Duration;

use tollgate_limiter::{FailurePolicy, Quota, QuotaError};

use super::notes::{Advise, Noted, Notes};
use super::{criterion, redis};
use crate::checked::{RateLimit, RateLimitOrigin, RedisStore, Store, Topology};
use crate::duration::SignedDuration;
use crate::dynamic::rate_limit::{DistributedRateLimit, RateLimit as WrittenRateLimit};

/// Where the path to `distributedRateLimit` starts.
pub(super) const PLUGIN: &str = "plugin.distributedRateLimit";

/// Above this Traefik's arithmetic in nanoseconds overflows (defect D15).
const AVERAGE_MAX: i64 = i64::MAX / 1_000_000_000;

/// Checks a `rateLimit`.
pub(super) fn compile(written: &WrittenRateLimit, notes: &mut Notes<'_>) -> Option<RateLimit> {
    let rate = Rate { name: "average", limit: written.average, period: written.period, burst: written.burst };
    let quota = rate.compile("rateLimit", notes);
    let criterion = criterion::compile(written.source_criterion.as_ref(), "rateLimit.sourceCriterion", notes);
    let store = match &written.redis {
        None => Some(Store::Memory),
        Some(written) => {
            redis::of_rate_limit(written, notes).and_then(|store| runs_here(store, "rateLimit.redis", notes))
        }
    };
    let (quota, criterion, store) = (quota.ok()?, criterion?, store?);
    Some(RateLimit {
        quota,
        max_delay: max_delay(quota),
        criterion,
        store,
        failure_policy: FailurePolicy::Deny,
        response_headers: false,
        origin: RateLimitOrigin::RateLimit,
    })
}

/// Checks a `plugin.distributedRateLimit`.
pub(super) fn compile_distributed(written: &DistributedRateLimit, notes: &mut Notes<'_>) -> Option<RateLimit> {
    let rate = Rate { name: "limit", limit: written.limit, period: written.period, burst: written.burst };
    let quota = rate.compile(PLUGIN, notes);
    let at = format!("{PLUGIN}.sourceCriterion");
    let criterion = criterion::compile(written.source_criterion.as_ref(), &at, notes);
    let store = distributed_store(written, notes);
    let (quota, criterion, store) = (quota.ok()?, criterion?, store?);
    Some(RateLimit {
        quota,
        max_delay: max_delay(quota),
        criterion,
        store,
        failure_policy: if written.deny_on_error { FailurePolicy::Deny } else { FailurePolicy::Allow },
        response_headers: written.response_headers,
        origin: RateLimitOrigin::DistributedRateLimit,
    })
}

fn distributed_store(written: &DistributedRateLimit, notes: &mut Notes<'_>) -> Option<Store> {
    let Some(redis) = written.store.as_ref().and_then(|store| store.redis.as_ref()) else {
        notes
            .error("no-store", PLUGIN, "store.redis is required")
            .advise("set store.redis.endpoints, or use rateLimit for a limit in memory");
        return None;
    };
    let at = format!("{PLUGIN}.store.redis");
    redis::of_distributed(redis, &at, notes).and_then(|store| runs_here(store, &at, notes))
}

fn max_delay(quota: Option<Quota>) -> Duration {
    quota.map_or(Duration::ZERO, |quota| quota.traefik_max_delay())
}

/// A store whose topology can be served.
fn runs_here(store: RedisStore, at: &str, notes: &mut Notes<'_>) -> Option<Store> {
    match store.topology {
        Topology::Standalone => return Some(Store::Redis(Arc::new(store))),
        Topology::Cluster => notes.not_yet(at, "Redis Cluster (cluster, or more than one endpoint)"),
        Topology::Sentinel { .. } => notes.not_yet(&format!("{at}.sentinel"), "Redis Sentinel"),
    }
    None
}

/// How much, as both middlewares write it.
struct Rate {
    /// What the middleware calls the limit.
    name: &'static str,
    limit: i64,
    period: SignedDuration,
    burst: i64,
}

impl Rate {
    /// `None` is unlimited.
    fn compile(&self, at: &str, notes: &mut Notes<'_>) -> Result<Option<Quota>, Noted> {
        let name = self.name;
        let at_limit = format!("{at}.{name}");
        let Some(period) = self.period.to_duration() else {
            let message = format!("negative value not valid for period: {}", self.period);
            notes.error("negative-period", &format!("{at}.period"), message).advise("remove the minus");
            return Err(Noted);
        };
        let period = if period.is_zero() { Duration::from_secs(1) } else { period };
        if self.burst < 1 {
            let message = format!("a burst of {} is taken as 1", self.burst);
            notes
                .warning("burst-below-one", &format!("{at}.burst"), message)
                .advise("burst is the size of the bucket: how many requests may come at once");
        }
        let Some(limit) = u64::try_from(self.limit).ok().filter(|&limit| limit > 0) else {
            notes
                .warning("unlimited", &at_limit, format!("{name} {} means no limit", self.limit))
                .advise(format!("remove the middleware, or set {name} to at least 1"));
            return Ok(None);
        };
        if self.limit > AVERAGE_MAX {
            let message = format!("{name} {limit} is more than {AVERAGE_MAX}, where Traefik's arithmetic overflows");
            notes
                .error("limit-overflow", &at_limit, message)
                .advise(format!("to have no limit, remove the middleware or set {name} to 0"));
            return Err(Noted);
        }
        let burst = u64::try_from(self.burst).unwrap_or(0).max(1);
        match Quota::new(limit, period, burst) {
            Ok(quota) => Ok(Some(quota)),
            Err(error) => {
                self.refused(error, at, notes);
                Err(Noted)
            }
        }
    }

    fn refused(&self, error: QuotaError, at: &str, notes: &mut Notes<'_>) {
        let name = self.name;
        let (field, hint) = match error {
            QuotaError::BurstTooLarge { .. } => ("burst", "use a smaller burst".to_owned()),
            QuotaError::TooSlow { .. } => {
                ("burst", format!("use a smaller burst, a larger {name} or a shorter period"))
            }
            _ => (name, format!("use a smaller {name} or a longer period; to have no limit, set {name} to 0")),
        };
        notes.error("impossible-quota", &format!("{at}.{field}"), error.to_string()).advise(hint);
    }
}
