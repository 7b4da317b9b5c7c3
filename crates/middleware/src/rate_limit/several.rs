//! Limits that stand next to each other in a chain: all are charged, or none.

use std::sync::Arc;
use std::time::Duration;

use tollgate_limiter::{Decision, Verdict};
use tollgate_pipeline::{BoxFuture, Exchange, Middleware, Next, Request, RequestView, Response};
use tollgate_store::{Part, Together, ask_all};

use super::{RateLimit, refusal};

/// Several limits of which nothing stands between any two that could answer or change the request: decided at once, so
/// that a request that one of them refuses costs nothing in the others. The one that refuses for longest answers.
pub struct RateLimits(Vec<Arc<RateLimit>>);

impl RateLimits {
    /// These limits, in the order of the chain.
    pub fn new(limits: Vec<Arc<RateLimit>>) -> Self {
        Self(limits)
    }

    /// Puts the request to all stores; the records for the access log lack nothing but the decisions.
    fn ask(&self, request: &Request, exchange: &Exchange) -> (Together, Vec<tollgate_limiter::ShortKey>) {
        let view = RequestView::new(request, exchange);
        let parts: Vec<_> = self.0.iter().map(|limit| Part { limit: &limit.limit, key: limit.key(&view) }).collect();
        (ask_all(&parts), parts.iter().map(|part| part.key.short()).collect())
    }
}

impl Middleware for RateLimits {
    fn handle<'a>(&'a self, request: Request, exchange: &'a mut Exchange, next: Next<'a>) -> BoxFuture<'a, Response> {
        Box::pin(async move {
            let (together, keys) = self.ask(&request, exchange);
            let decisions = match together {
                Together::Now(decisions) => decisions,
                Together::Later(pending) => pending.decisions().await,
            };
            for ((limit, key), decision) in self.0.iter().zip(keys).zip(&decisions) {
                if let Some(decision) = decision {
                    exchange.limits.push(limit.record(key, decision));
                }
            }
            let mut response = match strictest(&decisions) {
                Verdict::Deny { retry_after } => refusal(retry_after),
                Verdict::Allow => next.run(request, exchange).await,
                Verdict::Delay(wait) => {
                    tokio::time::sleep(wait).await;
                    next.run(request, exchange).await
                }
            };
            for (limit, decision) in self.0.iter().zip(&decisions) {
                if let Some(decision) = decision {
                    limit.tell(&mut response, decision);
                }
            }
            response
        })
    }
}

/// What all of them together say.
fn strictest(decisions: &[Option<Decision>]) -> Verdict {
    let verdicts = || decisions.iter().flatten().map(|decision| decision.verdict);
    let refused = verdicts().filter_map(|verdict| match verdict {
        Verdict::Deny { retry_after } => Some(retry_after),
        Verdict::Allow | Verdict::Delay(_) => None,
    });
    let held = verdicts().filter_map(|verdict| match verdict {
        Verdict::Delay(wait) => Some(wait),
        Verdict::Allow | Verdict::Deny { .. } => None,
    });
    match (refused.max(), held.max()) {
        (Some(retry_after), _) => Verdict::Deny { retry_after },
        (None, None | Some(Duration::ZERO)) => Verdict::Allow,
        (None, Some(wait)) => Verdict::Delay(wait),
    }
}
