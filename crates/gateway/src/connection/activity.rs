//! When a connection last had something to do, and who waits for it.

use std::pin::Pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// How many requests of a connection are being answered, and when that last changed.
///
/// Written by the requests, read by the connection's alarm. Relaxed: an alarm that comes a moment late is on time.
#[derive(Debug)]
pub(super) struct Activity {
    opened: Instant,
    answering: AtomicU32,
    /// Nanoseconds after `opened`.
    changed: AtomicU64,
}

impl Activity {
    /// A connection that begins now.
    pub(super) fn new() -> Self {
        Self { opened: Instant::now(), answering: AtomicU32::new(0), changed: AtomicU64::new(0) }
    }

    /// A request came.
    pub(super) fn on_request(&self, now: Instant) {
        self.answering.fetch_add(1, Relaxed);
        self.on_change(now);
    }

    /// It is answered, or never will be.
    pub(super) fn on_answered(&self, now: Instant) {
        self.answering.fetch_sub(1, Relaxed);
        self.on_change(now);
    }

    fn on_change(&self, now: Instant) {
        self.changed.store(now.saturating_duration_since(self.opened).as_nanos() as u64, Relaxed);
    }

    fn changed(&self) -> Instant {
        self.opened + Duration::from_nanos(self.changed.load(Relaxed))
    }
}

/// Rings when a connection has been in one state for too long.
#[derive(Debug)]
pub(super) struct Alarm {
    rings_while: State,
    most: Duration,
    timer: Pin<Box<Sleep>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Quiet,
    Answering,
}

impl Alarm {
    /// Rings when nothing was asked for `most`.
    pub(super) fn quiet(most: Duration) -> Self {
        Self { rings_while: State::Quiet, most, timer: Box::pin(sleep(most)) }
    }

    /// Rings when an answer has taken longer than `most`. For connections that answer one request at a time.
    pub(super) fn answering(most: Duration) -> Self {
        Self { rings_while: State::Answering, most, timer: Box::pin(sleep(most)) }
    }

    /// Ready when it rings. Between, it wakes only to look whether it still has reason to.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, activity: &Activity) -> Poll<()> {
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let state = if activity.answering.load(Relaxed) == 0 { State::Quiet } else { State::Answering };
            let since = if state == self.rings_while { activity.changed() } else { now };
            if since + self.most <= now {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(since + self.most);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::{advance, timeout};

    use super::*;

    const MOST: Duration = Duration::from_secs(10);
    const LESS: Duration = Duration::from_secs(9);

    async fn rings(alarm: &mut Alarm, activity: &Activity, within: Duration) -> bool {
        timeout(within, poll_fn(|cx| alarm.poll(cx, activity))).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn quiet_counts_from_the_last_answer() {
        let activity = Activity::new();
        let mut alarm = Alarm::quiet(MOST);
        activity.on_request(Instant::now());
        assert!(!rings(&mut alarm, &activity, MOST * 3).await);
        activity.on_answered(Instant::now());
        assert!(!rings(&mut alarm, &activity, LESS).await);
        assert!(rings(&mut alarm, &activity, Duration::from_secs(2)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn answering_counts_from_the_request() {
        let activity = Activity::new();
        let mut alarm = Alarm::answering(MOST);
        assert!(!rings(&mut alarm, &activity, MOST * 3).await);
        advance(Duration::from_secs(3)).await;
        activity.on_request(Instant::now());
        assert!(!rings(&mut alarm, &activity, LESS).await);
        assert!(rings(&mut alarm, &activity, MOST).await);
    }
}
