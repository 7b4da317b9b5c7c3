//! The side of the store: one bucket, one clock.

use std::collections::VecDeque;
use std::time::Duration;

use tollgate_limiter::shared::{self, Bucket, Step, Stepped};
use tollgate_limiter::{Quota, Span, Timestamp};

/// A server that holds the bucket.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) bucket: Option<Bucket>,
    /// What its clock shows when the true time is zero, in microseconds.
    offset: i64,
    /// How it stood before: (true time in nanoseconds, bucket), for a replica that lags behind.
    past: VecDeque<(u64, Option<Bucket>)>,
    remembers: u64,
    fence: Option<Timestamp>,
    /// The next contact is the first in this life.
    is_new: bool,
}

/// Somewhere in 2023; every quota fills its bucket in less time than since 1970.
const START_MICROS: i64 = 1_700_000_000_000_000;

impl Server {
    /// A server that knows nothing, and that remembers how it stood up to `lag` ago.
    pub(crate) fn new(lag: Duration) -> Self {
        Self {
            bucket: None,
            offset: START_MICROS,
            past: VecDeque::new(),
            remembers: lag.as_nanos() as u64,
            fence: None,
            is_new: false,
        }
    }

    /// Its clock, as finely as it could be read.
    pub(crate) fn exactly(&self, now: u64) -> Timestamp {
        let whole = u64::try_from(self.offset + (now / 1_000).cast_signed()).unwrap_or(0);
        Timestamp::from_micros(whole) + Span::from(Duration::from_nanos(now % 1_000))
    }

    /// What a clock shows that never steps.
    pub(crate) fn default_clock(now: u64) -> Timestamp {
        Self::new(Duration::ZERO).exactly(now)
    }

    /// Its clock, in microseconds.
    pub(crate) fn clock(&self, now: u64) -> Timestamp {
        Timestamp::from_micros(self.exactly(now).micros())
    }

    pub(crate) fn step(&mut self, quota: &Quota, now: u64, step: &Step, strict: bool) -> Stepped {
        let clock = self.clock(now);
        if std::mem::take(&mut self.is_new) && strict {
            self.fence = Some(clock + shared::FENCE);
        }
        let stepped = shared::step(quota, self.bucket, clock, &Step { fence: self.fence, ..*step });
        self.put(now, stepped.bucket);
        stepped
    }

    pub(crate) fn give_back(&mut self, now: u64, start: Timestamp, end: Timestamp) -> bool {
        let returned = self.bucket.and_then(|bucket| shared::give_back(bucket, start, end));
        if returned.is_some() {
            self.put(now, returned);
        }
        returned.is_some()
    }

    fn put(&mut self, now: u64, bucket: Option<Bucket>) {
        if self.remembers > 0 {
            self.past.push_back((now, self.bucket));
            while self.past.front().is_some_and(|(at, _)| now - at > 2 * self.remembers) {
                self.past.pop_front();
            }
        }
        self.bucket = bucket;
    }

    pub(crate) fn forget(&mut self) {
        self.bucket = None;
        self.is_new = true;
    }

    pub(crate) fn step_clock(&mut self, micros: i64) {
        self.offset += micros;
    }

    /// The server that takes over, with what it had received `lag` ago.
    pub(crate) fn successor(&self, now: u64, lag: u64, skew_micros: i64) -> Self {
        let before = self.past.iter().find(|(at, _)| *at > now.saturating_sub(lag)).map(|(_, bucket)| *bucket);
        Self {
            bucket: before.unwrap_or(self.bucket),
            offset: self.offset + skew_micros,
            past: VecDeque::new(),
            remembers: self.remembers,
            fence: None,
            is_new: true,
        }
    }
}
