//! Usages of quotas over windows in this process.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};
use tollgate_limiter::window::{self, Frame, GiveBack, Hint, Slice, Taken, Usage, WindowQuota};
use tollgate_limiter::{Ask, Timestamp};

use crate::hash::KeyHash;

mod shard;

use shard::Shard;

/// A quota over a window, and the frame for the present: calendars are looked at when they turn, not for every request.
#[derive(Debug)]
pub(crate) struct BoundWindow {
    quota: WindowQuota,
    frame: RwLock<Frame>,
}

/// The usages of one kind of store: the twin of `window.lua`, in this process.
///
/// Taking is a hash, a short lock and a sum of at most 61 counts. Memory is bounded, and the bound is no way around a
/// limit: a usage of which nothing counts any more goes first, one that counts never goes. When only such are left, new
/// keys of a quota share one *overflow usage*, and those that are there get no new slices: the oldest of a usage are
/// then counted together in a later one, so that permits come back late and never early.
#[derive(Debug)]
pub(crate) struct Windows {
    shards: Box<[Mutex<Shard>]>,
    sweeping: AtomicUsize,
}

/// The names of a key in this process, and of what it shares with others when there is no room for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WindowKey {
    pub(crate) own: KeyHash,
    pub(crate) overflow: KeyHash,
}

/// What was handed out, and where it is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    pub(crate) taken: Taken,
    /// The key's own place, or the overflow.
    pub(crate) place: KeyHash,
}

/// A power of two well above the number of threads, so that two of them seldom meet.
const SHARDS: usize = 64;

impl BoundWindow {
    /// The quota with its frame for about `now`.
    pub(crate) fn new(quota: WindowQuota, now: Timestamp) -> Self {
        let frame = RwLock::new(quota.frame(now));
        Self { quota, frame }
    }

    pub(crate) fn quota(&self) -> &WindowQuota {
        &self.quota
    }

    /// The frame that was made last.
    pub(crate) fn latest_frame(&self) -> Frame {
        *self.frame.read()
    }

    /// The frame for a store whose time is about `now`.
    pub(crate) fn frame(&self, now: Timestamp) -> Frame {
        let frame = *self.frame.read();
        if frame.is_about(now) {
            return frame;
        }
        let frame = self.quota.frame(now);
        *self.frame.write() = frame;
        frame
    }

    fn slice(&self, now: Timestamp) -> Slice {
        // Only a time beyond all calendars is in no frame of its own.
        self.frame(now).slice(now).unwrap_or_else(|| self.quota.slice(now))
    }
}

impl Windows {
    /// An empty store of about `bytes_max` bytes: a usage of one slice takes 64, each further slice 16, and the place in
    /// the table up to as much again as the first.
    pub(crate) fn new(bytes_max: usize) -> Self {
        let capacity = bytes_max.div_ceil(SHARDS);
        let shards = (0..SHARDS).map(|_| Mutex::new(Shard::new(capacity))).collect();
        Self { shards, sweeping: AtomicUsize::new(0) }
    }

    /// [`window::take`] for a key. For windows of the calendar `now` is the time since 1970.
    pub(crate) fn take(&self, window: &BoundWindow, key: WindowKey, now: Timestamp, ask: Ask) -> Counted {
        let slice = window.slice(now);
        let step = |usage: &mut Usage| window::take(&window.quota, usage, &slice, now, ask, Hint::default());
        if let Some(taken) = self.shard(key.own).lock().step_if_room(key.own, now, &slice, step) {
            return Counted { taken, place: key.own };
        }
        let taken = self.shard(key.overflow).lock().step(key.overflow, &slice, step);
        Counted { taken, place: key.overflow }
    }

    /// How the usage of a key stands. It takes nothing, and no place.
    pub(crate) fn peek(&self, window: &BoundWindow, own: KeyHash, now: Timestamp) -> Taken {
        let slice = window.slice(now);
        let mut usage = self.shard(own).lock().find(own).map_or_else(Usage::default, |usage| usage.clone());
        window::take(&window.quota, &mut usage, &slice, now, Ask { want: 0, need: 0 }, Hint::default())
    }

    /// Gives back what was counted at `place` in the slice `index`. False: it is not counted any more.
    pub(crate) fn give_back(&self, place: KeyHash, index: u64, count: u64) -> bool {
        let mut shard = self.shard(place).lock();
        shard.find(place).is_some_and(|usage| {
            // Nothing comes in between here, and nothing comes twice.
            let returns = usage.returns();
            window::give_back(usage, index, count, returns) == GiveBack::Done
        })
    }

    fn shard(&self, hash: KeyHash) -> &Mutex<Shard> {
        // The low bits choose the place within the table.
        &self.shards[(hash[1] >> 32) as usize % SHARDS]
    }

    /// Usages held.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Bytes that they take.
    pub(crate) fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().bytes()).sum()
    }

    /// Forgets what does not count any more in a part of the store and gives memory back that is not needed. Called
    /// now and then it keeps the store as small as its load; not calling it costs memory, never a verdict.
    pub(crate) fn sweep(&self, now: Timestamp) {
        for _ in 0..SHARDS / 8 {
            let index = self.sweeping.fetch_add(1, Ordering::Relaxed) % SHARDS;
            self.shards[index].lock().sweep(now);
        }
    }
}

#[cfg(test)]
mod tests;
