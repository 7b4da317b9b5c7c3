//! `rateLimit` and `plugin.distributedRateLimit`.

use std::sync::Arc;
use std::time::Duration;

use tollgate_limiter::{FailurePolicy, Quota, QuotaError};

use super::notes::{Advise, Noted, Notes};
use super::{criterion, redis, window, words};
use crate::checked::{RateLimit, RateLimitOrigin, Scope, Store};
use crate::duration::SignedDuration;
use crate::dynamic::rate_limit::{DistributedRateLimit, RateLimit as WrittenRateLimit};
use crate::dynamic::{SourceCriterion, WindowQuota};

/// Where the path to `distributedRateLimit` starts.
pub(super) const PLUGIN: &str = "plugin.distributedRateLimit";

/// Above this Traefik's arithmetic in nanoseconds overflows (defect D15).
const AVERAGE_MAX: i64 = i64::MAX / 1_000_000_000;

/// Checks a `rateLimit`.
pub(super) fn compile(written: &WrittenRateLimit, notes: &mut Notes<'_>) -> Option<RateLimit> {
    let limit = Limit {
        at: "rateLimit",
        origin: RateLimitOrigin::RateLimit,
        rate: Rate { name: "average", limit: written.average, period: written.period, burst: written.burst },
        quotas: &written.quotas,
        criterion: written.source_criterion.as_ref(),
        scope: &written.scope,
        leases: written.leases,
        failure_policy: &written.failure_policy,
        deny_on_error: None,
        response_headers: false,
    };
    limit.compile(notes, |notes| match &written.redis {
        None => Some(Store::Memory),
        Some(redis) => redis::of_rate_limit(redis, notes).map(|redis| Store::Redis(Arc::new(redis))),
    })
}

/// Checks a `plugin.distributedRateLimit`.
pub(super) fn compile_distributed(written: &DistributedRateLimit, notes: &mut Notes<'_>) -> Option<RateLimit> {
    let limit = Limit {
        at: PLUGIN,
        origin: RateLimitOrigin::DistributedRateLimit,
        rate: Rate { name: "limit", limit: written.limit, period: written.period, burst: written.burst },
        quotas: &written.quotas,
        criterion: written.source_criterion.as_ref(),
        scope: &written.scope,
        leases: written.leases,
        failure_policy: &written.failure_policy,
        deny_on_error: written.deny_on_error,
        response_headers: written.response_headers,
    };
    limit.compile(notes, |notes| distributed_store(written, notes))
}

fn distributed_store(written: &DistributedRateLimit, notes: &mut Notes<'_>) -> Option<Store> {
    let Some(redis) = written.store.as_ref().and_then(|store| store.redis.as_ref()) else {
        notes
            .error("no-store", PLUGIN, "store.redis is required")
            .advise("set store.redis.endpoints, or use rateLimit for a limit in memory");
        return None;
    };
    redis::of_distributed(redis, &format!("{PLUGIN}.store.redis"), notes).map(|redis| Store::Redis(Arc::new(redis)))
}

/// What both middlewares write, under names of their own.
struct Limit<'a> {
    at: &'static str,
    origin: RateLimitOrigin,
    rate: Rate,
    quotas: &'a [WindowQuota],
    criterion: Option<&'a SourceCriterion>,
    scope: &'a str,
    leases: Option<bool>,
    failure_policy: &'a str,
    deny_on_error: Option<bool>,
    response_headers: bool,
}

const SCOPES: [(&str, Scope); 2] = [("middleware", Scope::Middleware), ("router", Scope::Router)];
const POLICIES: [(&str, FailurePolicy); 3] =
    [("deny", FailurePolicy::Deny), ("allow", FailurePolicy::Allow), ("local", FailurePolicy::Local)];

impl Limit<'_> {
    /// Checks everything before it gives up, so that all mistakes are told at once.
    fn compile(&self, notes: &mut Notes<'_>, store: impl FnOnce(&mut Notes<'_>) -> Option<Store>) -> Option<RateLimit> {
        let quota = self.rate.compile(self.at, self.quotas, notes);
        let quotas = window::compile(self.quotas, &self.path("quotas"), notes);
        let criterion = criterion::compile(self.criterion, &self.path("sourceCriterion"), notes);
        let scope = words::meaning(self.scope, &SCOPES, &self.path("scope"), notes);
        let failure_policy = self.failure_policy(notes);
        let store = store(notes);
        if store == Some(Store::Memory) {
            self.warn_of_unused(notes);
        }
        let quota = quota.ok()?;
        Some(RateLimit {
            quota,
            quotas: quotas.ok()?,
            max_delay: quota.map_or(Duration::ZERO, |quota| quota.traefik_max_delay()),
            criterion: criterion?,
            scope: scope.ok()?.unwrap_or_default(),
            store: store?,
            leases: self.leases.unwrap_or(true),
            failure_policy: failure_policy.ok()?,
            response_headers: self.response_headers,
            origin: self.origin,
        })
    }

    /// `failurePolicy`, or what Traefik Hub says for two of its three words.
    fn failure_policy(&self, notes: &mut Notes<'_>) -> Result<FailurePolicy, Noted> {
        let at = self.path("failurePolicy");
        let policy = words::meaning(self.failure_policy, &POLICIES, &at, notes)?;
        let hub = self.deny_on_error.map(|deny| if deny { FailurePolicy::Deny } else { FailurePolicy::Allow });
        if let (Some(policy), Some(hub)) = (policy, hub)
            && policy != hub
        {
            let deny = hub == FailurePolicy::Deny;
            let message = format!("failurePolicy {} and denyOnError {deny} contradict each other", policy.as_str());
            notes
                .error("two-policies", &at, message)
                .advise(format!("denyOnError {deny} means {}; remove one of the two", hub.as_str()));
            return Err(Noted);
        }
        Ok(policy.or(hub).unwrap_or_default())
    }

    /// Of options that say how to deal with a store, for a limit that has none.
    fn warn_of_unused(&self, notes: &mut Notes<'_>) {
        let options = [("failurePolicy", !self.failure_policy.is_empty()), ("leases", self.leases.is_some())];
        for (option, _) in options.iter().filter(|(_, written)| *written) {
            let message = format!("{option} is not used: a limit in memory has no store to ask");
            notes.warning("store-option-unused", &self.path(option), message).advise("set redis, or remove it");
        }
    }

    fn path(&self, option: &str) -> String {
        format!("{}.{option}", self.at)
    }
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
    /// `None` is unlimited, which surprises where there is nothing beside it.
    fn compile(&self, at: &str, beside: &[WindowQuota], notes: &mut Notes<'_>) -> Result<Option<Quota>, Noted> {
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
            if beside.is_empty() {
                notes
                    .warning("unlimited", &at_limit, format!("{name} {} means no limit", self.limit))
                    .advise(format!("remove the middleware, or set {name} to at least 1"));
            }
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
