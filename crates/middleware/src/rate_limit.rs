//! `rateLimit` and `distributedRateLimit`: asks the store, waits or refuses, tells the client.

mod build;
mod several;

use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderName, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use tollgate_limiter::headers::{go_duration, retry_after, seconds_up};
use tollgate_limiter::{Decision, DecisionSource, FailurePolicy, KeyBytes, Quota, ShortKey, Verdict};
use tollgate_pipeline::{
    BoxFuture, Exchange, LimitRecord, Middleware, Next, Request, RequestView, Response, VerdictSource, respond,
};
use tollgate_store::{BoundLimit, Reply};

pub(crate) use build::build;
pub use several::RateLimits;

/// A limit in a chain.
///
/// A request that may pass goes on, at once or after the short wait that Traefik grants (`maxDelay`); one that may
/// not is answered with Traefik's 429. The store never makes it an error: when it cannot tell, the limit's failure
/// policy has decided already.
pub struct RateLimit {
    limit: Arc<BoundLimit>,
    headers: Option<Headers>,
}

/// A limit of zero: everything passes. It stands in the chain so that the access log can say so.
pub struct Unlimited(Arc<str>);

impl RateLimit {
    /// With `tell`, every answer carries the `X-Rate-Limit-*` fields.
    pub fn new(limit: Arc<BoundLimit>, tell: bool) -> Self {
        let headers = tell.then(|| Headers::new(&limit.limit().quota, limit.limit().failure_policy));
        Self { limit, headers }
    }

    /// Puts the request to the store; also the key, for the access log.
    fn ask(&self, request: &Request, exchange: &Exchange) -> (Reply, ShortKey) {
        let view = RequestView::new(request, exchange);
        let key = self.key(&view);
        (self.limit.ask(&key), key.short())
    }

    fn key<'a>(&self, view: &'a RequestView<'_>) -> KeyBytes<'a> {
        KeyBytes::from(self.limit.limit().criterion.source(view))
    }

    fn tell(&self, response: &mut Response, decision: &Decision) {
        if let Some(headers) = &self.headers {
            headers.tell(response.headers_mut(), decision);
        }
    }
}

impl Middleware for RateLimit {
    fn handle<'a>(&'a self, request: Request, exchange: &'a mut Exchange, next: Next<'a>) -> BoxFuture<'a, Response> {
        Box::pin(async move {
            let (reply, key) = self.ask(&request, exchange);
            let decision = match reply {
                Reply::Now(decision) => decision,
                Reply::Later(pending) => pending.decision().await,
            };
            exchange.limits.push(record(self.limit.limit().id.clone(), key, &decision));
            let mut response = match decision.verdict {
                Verdict::Deny { retry_after } => refusal(retry_after),
                Verdict::Allow => next.run(request, exchange).await,
                Verdict::Delay(wait) => {
                    tokio::time::sleep(wait).await;
                    next.run(request, exchange).await
                }
            };
            self.tell(&mut response, &decision);
            response
        })
    }
}

impl Unlimited {
    /// The limit named `id`, which is none.
    pub fn new(id: Arc<str>) -> Self {
        Self(id)
    }
}

impl Middleware for Unlimited {
    fn handle<'a>(&'a self, request: Request, exchange: &'a mut Exchange, next: Next<'a>) -> BoxFuture<'a, Response> {
        exchange.limits.push(LimitRecord {
            limit: self.0.clone(),
            key: "-".into(),
            verdict: tollgate_pipeline::Verdict::Allow,
            source: VerdictSource::Unlimited,
            remaining: None,
        });
        next.run(request, exchange)
    }
}

/// Traefik's refusal (`pkg/middlewares/ratelimiter/rate_limiter.go`, v3.7: `serveDelayError`): no content type, no
/// line end.
fn refusal(wait: Duration) -> Response {
    let mut response = respond::bare(StatusCode::TOO_MANY_REQUESTS);
    let headers = response.headers_mut();
    headers.insert(RETRY_AFTER, retry_after(wait).into());
    if let Ok(value) = HeaderValue::try_from(go_duration(wait)) {
        headers.insert(X_RETRY_IN, value);
    }
    response
}

fn record(limit: Arc<str>, key: ShortKey, decision: &Decision) -> LimitRecord {
    use tollgate_pipeline::Verdict as Recorded;
    LimitRecord {
        limit,
        key,
        verdict: match decision.verdict {
            Verdict::Allow => Recorded::Allow,
            Verdict::Delay(wait) => Recorded::Delay(wait),
            Verdict::Deny { .. } => Recorded::Deny,
        },
        source: match decision.source {
            DecisionSource::Store => VerdictSource::Store,
            DecisionSource::Lease => VerdictSource::Lease,
            DecisionSource::Local => VerdictSource::Local,
            DecisionSource::DenialCache => VerdictSource::DenialCache,
            DecisionSource::Memory => VerdictSource::Memory,
            DecisionSource::Policy => VerdictSource::Policy,
        },
        remaining: decision.remaining,
    }
}

/// What clients are told about a limit, on every answer, refusals included. The units are nowhere documented for
/// Traefik Hub; ours are:
///
/// | field | value |
/// |---|---|
/// | `X-Rate-Limit-Limit` | requests per period, as configured; the burst is not in it |
/// | `X-Rate-Limit-Period` | the period in seconds, with a fraction if it has one |
/// | `X-Rate-Limit-Remaining` | whole tokens left after this request |
/// | `X-Rate-Limit-Reset` | seconds until the bucket is full again, rounded up |
///
/// When the store cannot tell, the last two are missing and `X-Rate-Limit-Fallback` names the policy that decided.
struct Headers {
    limit: HeaderValue,
    period: HeaderValue,
    policy: HeaderValue,
}

impl Headers {
    fn new(quota: &Quota, policy: FailurePolicy) -> Self {
        let period = quota.period().as_secs_f64().to_string();
        Self {
            limit: quota.limit().into(),
            period: HeaderValue::from_str(&period).unwrap_or_else(|_| seconds_up(quota.period()).into()),
            policy: HeaderValue::from_static(policy.as_str()),
        }
    }

    fn tell(&self, headers: &mut HeaderMap, decision: &Decision) {
        // Of several limits on one request the client hears about the one that will refuse it first.
        let told = headers.get(&REMAINING).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if matches!((told, decision.remaining), (Some(told), Some(ours)) if told < ours) {
            return;
        }
        headers.insert(LIMIT, self.limit.clone());
        headers.insert(PERIOD, self.period.clone());
        if let Some(remaining) = decision.remaining {
            headers.insert(REMAINING, remaining.into());
        }
        if let Some(reset) = decision.reset_after {
            headers.insert(RESET, seconds_up(reset).into());
        }
        if matches!(decision.source, DecisionSource::Policy | DecisionSource::Local) {
            headers.insert(FALLBACK, self.policy.clone());
        }
    }
}

const X_RETRY_IN: HeaderName = HeaderName::from_static("x-retry-in");
const LIMIT: HeaderName = HeaderName::from_static("x-rate-limit-limit");
const PERIOD: HeaderName = HeaderName::from_static("x-rate-limit-period");
const REMAINING: HeaderName = HeaderName::from_static("x-rate-limit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-rate-limit-reset");
const FALLBACK: HeaderName = HeaderName::from_static("x-rate-limit-fallback");

#[cfg(test)]
mod tests;
