//! Whether certificates and keys were renewed on disk.

use std::mem;
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};
use tollgate_config::Files;

/// How often somebody looks. What is found has to be found twice: a renewal is in force after two looks at the latest.
const LOOK: Duration = Duration::from_secs(5);

/// Looks at the files that a configuration was compiled from. They are few and small, and what holds them may be a
/// network or a chain of links that are turned elsewhere: reading them is simpler than being told, and always right.
#[derive(Debug, Default)]
pub(super) struct Renewals {
    /// What they held when it was last decided what to make of them.
    known: Files,
    /// What they held at the last look.
    seen: Files,
}

impl Renewals {
    /// Waits for files to differ from these.
    pub(super) fn new(known: Files) -> Self {
        Self { seen: known.clone(), known }
    }

    /// The clock for [`renewed`](Self::renewed).
    pub(super) fn clock() -> Interval {
        let mut clock = interval(LOOK);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        clock
    }

    /// Waits until the files hold something else, and hold it at two looks in a row: nobody is still writing. If there
    /// are no files that never happens, and costs nothing. Loses nothing when it is dropped and called again.
    pub(super) async fn renewed(&mut self, clock: &mut Interval) -> Files {
        if self.known.is_empty() {
            return std::future::pending().await;
        }
        loop {
            clock.tick().await;
            let known = self.known.clone();
            // A look that was cut short by the end of the program has seen nothing.
            let Ok(now) = tokio::task::spawn_blocking(move || known.reread()).await else { continue };
            let before = mem::replace(&mut self.seen, now.clone());
            if now == before && now != self.known {
                return now;
            }
        }
    }

    /// It is decided what to make of these.
    pub(super) fn know(&mut self, files: Files) {
        self.known = files;
    }
}
