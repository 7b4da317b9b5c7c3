//! `rateLimit` and `distributedRateLimit`: asks the store, waits or refuses, tells the client.

mod build;
mod several;

use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderName, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use tollgate_limiter::headers::{go_duration, retry_after, seconds_up};
use tollgate_limiter::{Decision, DecisionSource, KeyBytes, Limit, ShortKey, Verdict};
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
        let headers = tell.then(|| Headers::new(limit.limit()));
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

    /// For the access log. Of a limit with windows it names the one that spoke.
    fn record(&self, key: ShortKey, decision: &Decision) -> LimitRecord {
        let limit = self.limit.limit();
        let window = decision.window.and_then(|window| limit.windows.get(window));
        let name = window.map_or_else(|| limit.id.clone(), |(name, _)| format!("{} {name}", limit.id).into());
        recorded(name, key, decision)
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
            exchange.limits.push(self.record(key, &decision));
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

fn recorded(limit: Arc<str>, key: ShortKey, decision: &Decision) -> LimitRecord {
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
/// | `X-Rate-Limit-Period` | the period in seconds, with a fraction if it has one; a calendar month is 30 days |
/// | `X-Rate-Limit-Remaining` | whole tokens left after this request |
/// | `X-Rate-Limit-Reset` | seconds until the bucket is full again, rounded up |
///
/// When the store cannot tell, the last two are missing and `X-Rate-Limit-Fallback` names the policy that decided.
///
/// Of a limit with windows, the one that refuses or has the fewest left is told about.
struct Headers {
    bucket: Option<Terms>,
    windows: Vec<Terms>,
    policy: HeaderValue,
}

/// So many requests per period.
struct Terms {
    limit: HeaderValue,
    period: HeaderValue,
}

impl Terms {
    fn new(limit: u64, period: Duration) -> Self {
        let text = period.as_secs_f64().to_string();
        let period = HeaderValue::from_str(&text).unwrap_or_else(|_| seconds_up(period).into());
        Self { limit: limit.into(), period }
    }
}

impl Headers {
    fn new(limit: &Limit) -> Self {
        Self {
            bucket: limit.quota.map(|quota| Terms::new(quota.limit(), quota.period())),
            windows: limit.windows.iter().map(|(_, quota)| Terms::new(quota.limit(), quota.nominal_length())).collect(),
            policy: HeaderValue::from_static(limit.failure_policy.as_str()),
        }
    }

    fn terms(&self, decision: &Decision) -> Option<&Terms> {
        match decision.window {
            Some(window) => self.windows.get(window),
            None => self.bucket.as_ref().or(self.windows.first()),
        }
    }

    fn tell(&self, headers: &mut HeaderMap, decision: &Decision) {
        // Of several limits on one request the client hears about the one that will refuse it first.
        let told = headers.get(&REMAINING).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if matches!((told, decision.remaining), (Some(told), Some(ours)) if told < ours) {
            return;
        }
        if let Some(terms) = self.terms(decision) {
            headers.insert(LIMIT, terms.limit.clone());
            headers.insert(PERIOD, terms.period.clone());
        }
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
