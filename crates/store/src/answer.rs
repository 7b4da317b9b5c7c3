//! A decision, and what it took.

use tollgate_limiter::{Decision, Slot};

use crate::hash::KeyHash;

/// A decision, and what comes back if the request is not let through after all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) decision: Decision,
    pub(crate) held: Held,
}

/// What a request took.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Held {
    /// Nothing that could come back.
    Nothing,
    /// A slot of a shared bucket, or a permit of a shared window.
    Slot(Slot),
    /// A token of a bucket in this process.
    Token(KeyHash),
    /// A permit of a window in this process, counted in this slice.
    Permit(KeyHash, u64),
}
