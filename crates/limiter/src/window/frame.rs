//! Which slice a moment is in.

use std::num::NonZeroU64;

use super::SLICES;
use crate::{Span, Timestamp};

/// What a store has to be told to find the slice that its clock is in.
///
/// It is made for about the store's time. When the store finds that its time is in none of the windows, it says so
/// and takes nothing, and a new frame is made for the time it has told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// Three calendar windows in a row: where each begins, and where the last one ends. Seconds since the epoch.
    Calendar {
        /// The beginnings and the end.
        starts: [u64; 4],
    },
    /// Slices of equal length since the epoch.
    Sliding {
        /// Microseconds.
        slice: NonZeroU64,
    },
}

/// A slice of time: what is counted in it can be spent in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Its number. Slices of sliding windows are counted from the epoch; a calendar window has the second of its
    /// beginning.
    pub index: u64,
    /// The number of the oldest slice that still counts.
    pub oldest: u64,
    /// Microseconds of one step of the number.
    unit: u64,
    /// Microseconds since the epoch.
    until: u64,
    /// One of many that a stretch can touch, or a whole window.
    slides: bool,
}

/// One second, in which calendar windows are numbered.
const SECOND: u64 = 1_000_000;
/// How far a store's clock steps back in good health: instances and servers that keep their time differ by less.
const STEP_MAX: u64 = 60 * SECOND;

impl Frame {
    /// The slice that `now` is in, if it is in the frame.
    pub fn slice(&self, now: Timestamp) -> Option<Slice> {
        match *self {
            Self::Calendar { starts } => {
                let holds = |pair: &&[u64]| {
                    (pair[0].saturating_mul(SECOND)..pair[1].saturating_mul(SECOND)).contains(&now.micros())
                };
                starts.windows(2).find(holds).map(Slice::calendar)
            }
            Self::Sliding { slice } => Some(Slice::sliding(now.micros() / slice, slice.get())),
        }
    }

    /// True as long as this frame is the best there is: `now` is in the middle of its windows.
    pub fn is_about(&self, now: Timestamp) -> bool {
        match *self {
            Self::Calendar { starts: [_, start, end, _] } => {
                (start.saturating_mul(SECOND)..end.saturating_mul(SECOND)).contains(&now.micros())
            }
            Self::Sliding { .. } => true,
        }
    }

    /// The slice at `now`, for which this frame was made.
    pub(super) fn current(&self, now: Timestamp) -> Slice {
        match *self {
            Self::Calendar { starts } => Slice::calendar(&starts[1..3]),
            Self::Sliding { slice } => Slice::sliding(now.micros() / slice, slice.get()),
        }
    }
}

impl Slice {
    fn calendar(edges: &[u64]) -> Self {
        let [start, end] = [edges[0], edges[1]];
        Self { index: start, oldest: start, unit: SECOND, until: end.saturating_mul(SECOND), slides: false }
    }

    fn sliding(index: u64, slice: u64) -> Self {
        let oldest = index.saturating_sub(SLICES);
        Self { index, oldest, unit: slice, until: index.saturating_add(1).saturating_mul(slice), slides: true }
    }

    /// When it ends, and with it what was counted in it and not spent.
    pub const fn until(&self) -> Timestamp {
        Timestamp::from_micros(self.until)
    }

    /// The latest that a healthy store says nothing is free before, when it is asked at `now`.
    pub fn latest_free(&self, now: Timestamp) -> Timestamp {
        Timestamp::from_micros(self.frees(self.index)).max(now + Span::from_micros(self.patience()))
    }

    /// When the slice `index` begins, in microseconds.
    pub(super) const fn begin(&self, index: u64) -> u64 {
        index.saturating_mul(self.unit)
    }

    /// When what was counted in the slice `index` comes back, in microseconds; some time past, if it has.
    pub(super) const fn frees(&self, index: u64) -> u64 {
        if self.slides {
            index.saturating_add(SLICES + 1).saturating_mul(self.unit)
        } else if index < self.oldest {
            self.begin(self.index)
        } else {
            self.until
        }
    }

    /// How far ahead of now a slice may begin so that its beginning is waited for, in microseconds.
    pub(super) const fn patience(&self) -> u64 {
        let window = SLICES.saturating_mul(self.unit);
        if self.slides && window < STEP_MAX { window } else { STEP_MAX }
    }
}
