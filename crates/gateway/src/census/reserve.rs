//! Turning clients away when nothing is left to accept them with.

use std::os::unix::net::UnixDatagram;

use parking_lot::RwLock;

/// A file descriptor that is kept to be given up: a client can only be turned away after he was accepted.
///
/// There is one for the whole process. What one thread gives up any other could take for a client of its own, and
/// then nobody could be told any more, so nobody else accepts meanwhile.
#[derive(Debug)]
pub(crate) struct Reserve(RwLock<Option<UnixDatagram>>);

impl Default for Reserve {
    fn default() -> Self {
        Self(RwLock::new(descriptor()))
    }
}

impl Reserve {
    /// Accepts while no reserve is given up.
    pub(crate) fn accept<T>(&self, accept: impl FnOnce() -> T) -> T {
        let _kept = self.0.read();
        accept()
    }

    /// Whether it is there. If not, somebody who does not accept has taken it: a connection to a backend, a log.
    pub(crate) fn is_kept(&self) -> bool {
        self.0.read().is_some()
    }

    /// Gives the descriptor up for the time that `turn_away` takes. Without one there is nothing to give, and it is only
    /// looked for anew.
    pub(crate) fn give_up(&self, turn_away: impl FnOnce()) {
        let mut kept = self.0.write();
        if kept.take().is_some() {
            turn_away();
        }
        *kept = descriptor();
    }
}

/// A socket, because one needs nothing but a descriptor.
fn descriptor() -> Option<UnixDatagram> {
    UnixDatagram::unbound().ok()
}
