//! When to look.

use tokio::time::Instant;

use crate::file::Timing;

/// Waits until files are quiet, and until what looks blank has stayed so.
#[derive(Debug)]
pub(super) struct Settle {
    timing: Timing,
    /// The first and the last event since files were last read.
    events: Option<(Instant, Instant)>,
    /// Since when a file has been blank that was not before.
    blank_since: Option<Instant>,
}

impl Settle {
    pub(super) fn new(timing: Timing) -> Self {
        Self { timing, events: None, blank_since: None }
    }

    /// Something happened.
    pub(super) fn touch(&mut self, now: Instant) {
        let (first, _) = self.events.unwrap_or((now, now));
        self.events = Some((first, now));
    }

    /// Whether files are going to be read anyway.
    pub(super) fn is_waiting(&self) -> bool {
        self.events.is_some() || self.blank_since.is_some()
    }

    /// The files have been read.
    pub(super) fn rest(&mut self) {
        self.events = None;
    }

    /// When to read the files. While somebody is writing one, quiet means nothing; but the wait
    /// has an end, since a writer may keep its file open for ever.
    pub(super) fn deadline(&self, writing: bool) -> Option<Instant> {
        let settled = self.events.map(|(first, last)| {
            let at_most = first + self.timing.settle_max;
            if writing { at_most } else { at_most.min(last + self.timing.settle) }
        });
        let believed = self.blank_since.map(|since| since + self.timing.blank);
        match (settled, believed) {
            (Some(settled), Some(believed)) => Some(settled.min(believed)),
            (either, other) => either.or(other),
        }
    }

    /// A file is blank: whether that has been so for long enough to be believed.
    pub(super) fn is_blank_long_enough(&mut self, now: Instant) -> bool {
        let since = *self.blank_since.get_or_insert(now);
        now >= since + self.timing.blank
    }

    /// No file is blank, or it has been believed.
    pub(super) fn is_not_blank(&mut self) {
        self.blank_since = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const TIMING: Timing = Timing {
        settle: Duration::from_millis(100),
        settle_max: Duration::from_secs(2),
        blank: Duration::from_secs(2),
        poll: Duration::from_secs(5),
    };

    #[test]
    fn quiet_is_counted_from_the_last_event_but_has_an_end() {
        let start = Instant::now();
        let mut settle = Settle::new(TIMING);
        assert_eq!(settle.deadline(false), None);
        let mut now = start;
        for _ in 0..100 {
            settle.touch(now);
            now += Duration::from_millis(50);
        }
        // The last event was at 4.95 s; the first reading is due after 2 s.
        assert_eq!(settle.deadline(false), Some(start + TIMING.settle_max));
        settle.rest();
        settle.touch(now);
        assert_eq!(settle.deadline(false), Some(now + TIMING.settle));
    }

    #[test]
    fn a_file_that_is_being_written_is_waited_for() {
        let start = Instant::now();
        let mut settle = Settle::new(TIMING);
        settle.touch(start);
        assert_eq!(settle.deadline(true), Some(start + TIMING.settle_max));
        assert_eq!(settle.deadline(false), Some(start + TIMING.settle));
    }

    #[test]
    fn blank_is_believed_after_a_while_without_any_event() {
        let start = Instant::now();
        let mut settle = Settle::new(TIMING);
        assert!(!settle.is_blank_long_enough(start));
        assert_eq!(settle.deadline(false), Some(start + TIMING.blank));
        assert!(!settle.is_blank_long_enough(start + Duration::from_secs(1)));
        assert!(settle.is_blank_long_enough(start + TIMING.blank));
        settle.is_not_blank();
        assert_eq!(settle.deadline(false), None);
    }
}
