//! What the gateway and the guard of a connection tell each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};

use crate::{Framing, State, Violation};

/// What the gateway and the [`Guard`](super::Guard) of a connection tell each other.
///
/// Both normally live in one task, and nothing else is published through these cells, so all
/// accesses are relaxed.
#[derive(Debug, Default)]
pub struct GuardState {
    /// Written by the guard: bytes of a message, or bytes that are not HTTP/1, are on their way.
    busy: AtomicBool,
    /// Written by the guard: heads that were passed on.
    asked: AtomicU64,
    /// Written by the gateway: answers that ended.
    answered: AtomicU64,
    /// Written by the gateway: from now on everything passes.
    upgraded: AtomicBool,
    /// Written by the guard: the code of the violation.
    violation: AtomicU8,
    /// Written by the guard.
    read: AtomicU64,
    /// Written by the guard.
    written: AtomicU64,
}

impl GuardState {
    /// Declares that a request is being answered, until the value returned is dropped.
    ///
    /// To be called once for every request hyper hands out, and the value kept until the body of
    /// the response is dropped. The guard needs it to know when a connection is idle; without it,
    /// no idle connection is ever closed.
    #[must_use = "the answer ends when this is dropped"]
    pub fn answering(self: &Arc<Self>) -> Answering {
        Answering { state: Arc::clone(self) }
    }

    /// Tells the guard that the last request is answered with 101, so that what the client sends
    /// next is no request. To be called before the 101 is written.
    ///
    /// When there already is a [`violation`](Self::violation) the client did not wait for the 101,
    /// and the connection ends here.
    pub fn upgraded(&self) {
        self.upgraded.store(true, Relaxed);
    }

    /// Whether no request is being read or answered: the connection may be closed without loss.
    /// Never true for HTTP/2 or after an upgrade, of which the guard knows nothing.
    pub fn is_idle(&self) -> bool {
        !self.busy.load(Relaxed) && !self.is_upgraded() && self.is_answered()
    }

    /// Why the guard let nothing pass any more.
    pub fn violation(&self) -> Option<Violation> {
        Violation::from_code(self.violation.load(Relaxed))
    }

    /// Bytes received from the client.
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Relaxed)
    }

    /// Bytes sent to the client.
    pub fn bytes_written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// Whether every request passed on is answered.
    pub(super) fn is_answered(&self) -> bool {
        self.asked.load(Relaxed) == self.answered()
    }

    /// How many requests are answered.
    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Relaxed)
    }

    pub(super) fn is_upgraded(&self) -> bool {
        self.upgraded.load(Relaxed)
    }

    pub(super) fn on_read(&self, bytes: usize) {
        add(&self.read, bytes);
    }

    pub(super) fn on_written(&self, bytes: usize) {
        add(&self.written, bytes);
    }

    pub(super) fn on_framing(&self, framing: &Framing) {
        self.busy.store(framing.state() != State::Idle, Relaxed);
        self.asked.store(framing.heads(), Relaxed);
    }

    pub(super) fn on_violation(&self, violation: Violation) {
        self.violation.store(violation.code(), Relaxed);
    }
}

/// Adds to a cell that has only one writer, which is cheaper than an atomic addition.
fn add(cell: &AtomicU64, bytes: usize) {
    cell.store(cell.load(Relaxed).wrapping_add(bytes as u64), Relaxed);
}

/// A request is being answered. Dropped when the answer is complete, or given up.
#[derive(Debug)]
pub struct Answering {
    state: Arc<GuardState>,
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.state.answered.fetch_add(1, Relaxed);
    }
}
