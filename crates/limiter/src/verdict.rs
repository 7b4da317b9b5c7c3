//! What is said about a request.

use std::time::Duration;

/// The answer for one request and one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may pass at once.
    Allow,
    /// It may pass after that long: its slot is taken already.
    Delay(Duration),
    /// It may not pass; a client that waits that long before it asks again, alone, will.
    Deny {
        /// The wait.
        retry_after: Duration,
    },
}

/// Who decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DecisionSource {
    /// The shared store, asked for this request.
    Store,
    /// A slot that the shared store has lent to this instance.
    Lease,
    /// A refusal of the shared store that this instance remembers.
    DenialCache,
    /// This instance's memory.
    Memory,
    /// The failure policy, because the store could not tell.
    Policy,
    /// This instance's share of the limit, because the store could not tell.
    Local,
}

/// A verdict with what a client may be told about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether the request may pass.
    pub verdict: Verdict,
    /// Who decided.
    pub source: DecisionSource,
    /// Whole tokens surely left after this request; `None` if nobody knows.
    pub remaining: Option<u64>,
    /// How long until the bucket is full, or the window is over; `None` if nobody knows.
    pub reset_after: Option<Duration>,
    /// Which of the limit's windows speaks, by its place in [`crate::Limit::windows`]; `None`: the bucket.
    pub window: Option<usize>,
}
