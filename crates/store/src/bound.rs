//! A limit made ready for a store.

use std::sync::Arc;

use tollgate_limiter::{Decision, Limit, Span};

use crate::hash::LimitHasher;
use crate::stats::LimitStats;

/// A limit with what a store needs to find its buckets and to count its decisions. Made by `Stores::bind`.
#[derive(Debug)]
pub struct BoundLimit {
    pub(crate) limit: Limit,
    pub(crate) hasher: LimitHasher,
    pub(crate) max_delay: Span,
    pub(crate) stats: Arc<LimitStats>,
}

impl BoundLimit {
    pub(crate) fn new(limit: Limit, hasher: LimitHasher, stats: Arc<LimitStats>) -> Self {
        // Whole microseconds: what the script inside the store can be told.
        let micros = u64::try_from(limit.max_delay.as_micros()).unwrap_or(u64::MAX);
        let max_delay = Span::from_micros(micros.min(u64::from(u32::MAX)));
        Self { limit, hasher, max_delay, stats }
    }

    /// The limit.
    pub fn limit(&self) -> &Limit {
        &self.limit
    }

    pub(crate) fn count(&self, decision: Decision) -> Decision {
        self.stats.count(&decision);
        decision
    }
}
