//! throttlecrab 0.4: its server, asked over Redis's protocol, and its library.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use redis::aio::MultiplexedConnection;
use throttlecrab::{AdaptiveStore, RateLimiter};

use super::address;
use crate::load::Terms;

pub(crate) struct Instance {
    terms: Terms,
    limiter: Limiter,
}

enum Limiter {
    /// Asked in turn.
    Server(Vec<MultiplexedConnection>, AtomicUsize),
    Memory(Mutex<RateLimiter<AdaptiveStore>>),
}

impl Instance {
    pub(super) async fn server(port: u16, terms: Terms, count: usize) -> Self {
        let mut connections = Vec::with_capacity(count);
        for _ in 0..count {
            connections.push(super::traefik::connect(port).await);
        }
        Self { terms, limiter: Limiter::Server(connections, AtomicUsize::new(0)) }
    }

    pub(crate) fn memory(terms: Terms) -> Self {
        Self { terms, limiter: Limiter::Memory(Mutex::new(RateLimiter::new(AdaptiveStore::new()))) }
    }

    pub(super) async fn decide(&self, key: u32) -> bool {
        match &self.limiter {
            Limiter::Server(connections, next) => {
                let mut connection = connections[next.fetch_add(1, Ordering::Relaxed) % connections.len()].clone();
                let mut command = redis::cmd("THROTTLE");
                command.arg(address(key).to_string()).arg(self.terms.burst).arg(self.terms.per_second).arg(1);
                let answer: Vec<i64> =
                    command.query_async(&mut connection).await.expect("throttlecrab's server answers");
                answer.first() == Some(&1)
            }
            Limiter::Memory(_) => self.decide_here(key),
        }
    }

    /// [`Instance::decide`] in memory.
    pub(crate) fn decide_here(&self, key: u32) -> bool {
        let Limiter::Memory(limiter) = &self.limiter else { unreachable!("it was made in memory") };
        let (burst, per_second) = (self.terms.burst.cast_signed(), self.terms.per_second.cast_signed());
        let mut limiter = limiter.lock().unwrap_or_else(PoisonError::into_inner);
        let result = limiter.rate_limit(&address(key).to_string(), burst, per_second, 1, 1, SystemTime::now());
        result.expect("throttlecrab answers").0
    }
}
