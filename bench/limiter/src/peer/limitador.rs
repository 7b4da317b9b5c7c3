//! Limitador 0.14 as a library, set up as its documentation does: one limit per window of a second, counted by client.
//! What it caches is flushed at its default, once per second.

use std::collections::HashMap;

use limitador::limit::{Context, Limit, Namespace};
use limitador::storage::redis::{AsyncRedisStorage, CachedRedisStorage};
use limitador::{AsyncRateLimiter, RateLimiter};

use super::address;
use crate::load::Terms;

pub(crate) struct Instance {
    namespace: Namespace,
    limiter: Limiter,
}

enum Limiter {
    Shared(AsyncRateLimiter),
    Memory(RateLimiter),
}

impl Instance {
    pub(super) async fn redis(port: u16, terms: Terms) -> Self {
        let storage = AsyncRedisStorage::new(&url(port)).await.expect("Limitador connects");
        Self::shared(AsyncRateLimiter::new_with_storage(Box::new(storage)), terms)
    }

    pub(super) async fn cached(port: u16, terms: Terms) -> Self {
        let storage = CachedRedisStorage::new(&url(port)).await.expect("Limitador connects");
        Self::shared(AsyncRateLimiter::new_with_storage(Box::new(storage)), terms)
    }

    fn shared(limiter: AsyncRateLimiter, terms: Terms) -> Self {
        limiter.add_limit(limit(terms));
        Self { namespace: NAMESPACE.into(), limiter: Limiter::Shared(limiter) }
    }

    pub(crate) fn memory(terms: Terms) -> Self {
        let limiter = RateLimiter::new(COUNTERS);
        limiter.add_limit(limit(terms));
        Self { namespace: NAMESPACE.into(), limiter: Limiter::Memory(limiter) }
    }

    pub(super) async fn decide(&self, key: u32) -> bool {
        match &self.limiter {
            Limiter::Shared(limiter) => {
                let context = context(key);
                let result = limiter.check_rate_limited_and_update(&self.namespace, &context, 1).await;
                !result.expect("Limitador answers").limited
            }
            Limiter::Memory(_) => self.decide_here(key),
        }
    }

    /// [`Instance::decide`] in memory.
    pub(crate) fn decide_here(&self, key: u32) -> bool {
        let Limiter::Memory(limiter) = &self.limiter else { unreachable!("it was made in memory") };
        let result = limiter.check_rate_limited_and_update(&self.namespace, &context(key), 1);
        !result.expect("Limitador answers").limited
    }
}

const NAMESPACE: &str = "bench";
/// How many counters it keeps in memory: what Tollgate keeps.
const COUNTERS: u64 = 1_000_000;

fn limit(terms: Terms) -> Limit {
    let client = "client".try_into().expect("an expression");
    Limit::new(NAMESPACE, terms.per_second, 1, vec![], vec![client])
}

fn context(key: u32) -> Context<'static> {
    HashMap::from([("client".to_owned(), address(key).to_string())]).into()
}

fn url(port: u16) -> String {
    format!("redis://127.0.0.1:{port}")
}
