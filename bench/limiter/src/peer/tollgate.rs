//! Tollgate's store, as the gateway uses it.

use std::sync::Arc;
use std::time::Duration;

use tollgate_limiter::{Criterion, FailurePolicy, KeyBytes, Limit, Quota, Source, Verdict};
use tollgate_store::{
    BoundLimit, Clock, Health, MemoryOptions, RedisOptions, RedisStore, Reply, Store, Stores, Topology,
};
use tollgate_testkit::wait_until;

use super::{Counts, address};
use crate::load::Terms;

pub(crate) struct Instance {
    stores: Stores,
    redis: Arc<RedisStore>,
    limit: Arc<BoundLimit>,
}

impl Instance {
    /// An instance on the runtime that this is called on.
    pub(crate) fn start(port: u16, terms: Terms) -> Self {
        let stores = Stores::new(MemoryOptions::default(), Clock::system(), tokio::runtime::Handle::current());
        let store = stores.redis(options(port));
        let Store::Redis(redis) = store.clone() else { unreachable!("it was made as one") };
        let limit = stores.bind(limit(terms), store);
        Self { stores, redis, limit }
    }

    /// Waits until it knows that there are so many instances.
    pub(crate) async fn sees(&self, count: usize) {
        let sees = || {
            let seen = self.redis.snapshot().instances as usize;
            self.redis.health() == Health::Available && seen == count
        };
        wait_until(sees, Duration::from_secs(20)).await;
    }

    pub(crate) async fn decide(&self, key: u32) -> bool {
        !matches!(self.limit.decide(&key_bytes(key)).await.verdict, Verdict::Deny { .. })
    }

    /// The answer, if nobody has to be waited for.
    pub(crate) fn ask(&self, key: u32) -> Reply {
        self.limit.ask(&key_bytes(key))
    }

    pub(super) fn counts(&self) -> Counts {
        let decisions = self.stores.limit_snapshots().into_iter().flat_map(|limit| limit.decisions);
        let (mut all, mut here) = (0, 0);
        for (_, source, count) in decisions {
            all += count;
            here += if ["lease", "denial_cache"].contains(&source) { count } else { 0 };
        }
        let store = self.redis.snapshot();
        Counts { decisions: all as f64, here: here as f64, calls: store.calls as f64, keys: store.keys as f64 }
    }
}

pub(crate) fn key_bytes(key: u32) -> KeyBytes<'static> {
    KeyBytes::from(Source::Address(address(key).into()))
}

/// A limit as `distributedRateLimit` makes it, with all that is on by default.
pub(crate) fn limit(terms: Terms) -> Limit {
    Limit {
        id: "bench@file".into(),
        quota: Some(Quota::new(terms.per_second, Duration::from_secs(1), terms.burst).expect("terms that are a quota")),
        windows: Vec::new(),
        criterion: Criterion::RemoteAddress { ipv6_subnet: None },
        max_delay: Duration::ZERO,
        leases: true,
        failure_policy: FailurePolicy::Deny,
    }
}

fn options(port: u16) -> RedisOptions {
    RedisOptions {
        topology: Topology::Standalone { endpoint: format!("127.0.0.1:{port}") },
        username: String::new(),
        password: String::new(),
        database: 0,
        connect_timeout: Duration::from_secs(5),
        deadline: Duration::from_secs(5),
        tls: None,
        strict: false,
    }
}
