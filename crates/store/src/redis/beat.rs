//! How many instances share a store.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tollgate_limiter::Monotonic;

use super::chance;
use super::error::{ErrorKind, StoreError};
use super::reply;
use super::script::{self, Script};

/// The key under which the instances of a store are counted.
pub(super) const KEY: &str = "tollgate:instances";
/// The key that says that an operator has changed a bucket; of the same hash slot.
const CHANGES: &str = "tollgate:changes:{tollgate:instances}";
/// How long that is said.
const CHANGE_LASTS: Duration = Duration::from_secs(60);
/// How often an instance says that it is there, before jitter.
pub(super) const EVERY: Duration = Duration::from_secs(1);
/// After how long one that is silent is held to be gone: three beats may be lost.
const SILENCE: Duration = Duration::from_secs(4);

/// What an instance is called among those that share a store. Random, so that nobody has to hand out names.
#[derive(Debug, Clone)]
pub(crate) struct InstanceId(Arc<str>);

impl InstanceId {
    pub(crate) fn random() -> Self {
        Self(format!("{:032x}", chance::unique()).into())
    }
}

/// This instance among those that share a store.
pub(super) struct Beat {
    id: InstanceId,
    script: Script,
    counts: Mutex<Counts>,
    instances: AtomicU32,
    has_left: AtomicBool,
    /// The last change that was heard of, and whether somebody has been told.
    change: Mutex<Option<Vec<u8>>>,
    is_changed: AtomicBool,
}

impl Beat {
    pub(super) fn new(id: InstanceId) -> Self {
        Self {
            id,
            script: script::beat(),
            counts: Mutex::default(),
            instances: AtomicU32::new(1),
            has_left: AtomicBool::new(false),
            change: Mutex::default(),
            is_changed: AtomicBool::new(false),
        }
    }

    pub(super) fn script(&self) -> &Script {
        &self.script
    }

    /// The call that says that this instance is there.
    pub(super) fn say(&self) -> redis::Cmd {
        let mut cmd = self.script.call_for(&[KEY, CHANGES]);
        cmd.arg(&*self.id.0).arg(SILENCE.as_millis() as u64);
        cmd
    }

    /// The command that lets everybody know that a bucket was changed.
    pub(super) fn tell_change() -> redis::Cmd {
        let InstanceId(change) = InstanceId::random();
        let mut cmd = redis::cmd("SET");
        cmd.arg(CHANGES).arg(&*change).arg("PX").arg(CHANGE_LASTS.as_millis() as u64);
        cmd
    }

    /// True once after a change was heard of.
    pub(super) fn is_changed(&self) -> bool {
        self.is_changed.load(Ordering::Relaxed) && self.is_changed.swap(false, Ordering::Relaxed)
    }

    /// The command that says that it is not any more; none is said after that.
    pub(super) fn leave(&self) -> redis::Cmd {
        self.has_left.store(true, Ordering::Release);
        let mut cmd = redis::cmd("ZREM");
        cmd.arg(KEY).arg(&*self.id.0);
        cmd
    }

    pub(super) fn has_left(&self) -> bool {
        self.has_left.load(Ordering::Acquire)
    }

    /// Takes in the answer to [`Beat::say`].
    pub(super) fn on_answer(&self, value: &redis::Value, now: Monotonic) -> Result<(), StoreError> {
        match value {
            redis::Value::Array(told) => {
                let Some(redis::Value::Int(count)) = told.first() else {
                    return Err(StoreError::new(ErrorKind::Protocol, "the number of instances is not a number"));
                };
                // Whoever asks is there.
                let mut counts = self.counts.lock();
                counts.add(u32::try_from(*count).unwrap_or(u32::MAX).max(1), now);
                self.instances.store(counts.most(), Ordering::Relaxed);
                if let Some(redis::Value::BulkString(change)) = told.get(1) {
                    self.on_change(change);
                }
                Ok(())
            }
            redis::Value::BulkString(text) => Err(reply::key_error(&String::from_utf8_lossy(text))),
            redis::Value::SimpleString(text) => Err(reply::key_error(text)),
            _ => Err(StoreError::new(ErrorKind::Protocol, "the number of instances is not a number")),
        }
    }

    fn on_change(&self, change: &[u8]) {
        let mut last = self.change.lock();
        if last.as_deref() != Some(change) {
            *last = Some(change.to_vec());
            self.is_changed.store(true, Ordering::Relaxed);
        }
    }

    /// Instances last seen, this one included.
    pub(super) fn instances(&self) -> u32 {
        self.instances.load(Ordering::Relaxed)
    }
}

/// The last numbers heard. The largest counts: a server that lost its memory knows only of those that have beaten since,
/// and if it then goes away for good, too small a number would be what shares are made of.
#[derive(Default)]
struct Counts {
    last: VecDeque<u32>,
    heard: Option<Monotonic>,
}

/// As many as there are beats in [`SILENCE`], so that a number that fell is believed when whoever lives has been heard.
const COUNTS: usize = 4;

impl Counts {
    fn add(&mut self, count: u32, now: Monotonic) {
        match self.last.back_mut() {
            // Out of turn, as when a connection was made: no later news than the last.
            Some(last) if self.heard.is_some_and(|heard| now.since(heard) < EVERY / 2) => *last = count.max(*last),
            _ => {
                self.last.push_back(count);
                self.heard = Some(now);
            }
        }
        if self.last.len() > COUNTS {
            self.last.pop_front();
        }
    }

    fn most(&self) -> u32 {
        self.last.iter().copied().max().unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(numbers: &[(u64, u32)]) -> u32 {
        let mut counts = Counts::default();
        for (millis, count) in numbers {
            counts.add(*count, Monotonic(millis * 1_000_000));
        }
        counts.most()
    }

    #[test]
    fn a_number_that_rises_is_believed_at_once_and_one_that_falls_after_a_while() {
        assert_eq!(counts(&[]), 1);
        assert_eq!(counts(&[(0, 2), (1_000, 5)]), 5);
        assert_eq!(counts(&[(0, 5), (1_000, 1), (2_000, 2), (3_000, 2)]), 5);
        assert_eq!(counts(&[(0, 5), (1_000, 1), (2_000, 2), (3_000, 2), (4_000, 2)]), 2);
    }

    #[test]
    fn a_server_that_keeps_losing_its_memory_does_not_hurry_the_count() {
        let crashes: Vec<_> = (0..20).map(|crash| (1_000 + crash * 20, 1)).collect();
        assert_eq!(counts(&[&[(0, 7)], &crashes[..]].concat()), 7);
        // However long it was away.
        assert_eq!(counts(&[(0, 7), (3_600_000, 1)]), 7);
    }
}
