//! How long a client may take.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::{Framing, State};

/// How long a client may take. What is `None` may take forever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// From the first byte of a head to its end; for the first head, from the start of the connection.
    pub head: Option<Duration>,
    /// Between the end of an answer and the first byte of the next request.
    pub idle: Option<Duration>,
    /// For a whole request, body included, counted as [`head`](Self::head): Traefik's `readTimeout`.
    pub read: Option<Duration>,
}

/// Measures how long the client has taken. One timer per connection, which is left alone while
/// bytes keep coming and only looked at again when it rings.
#[derive(Debug)]
pub(super) struct Patience {
    timeouts: Timeouts,
    /// The message being read, counted from 0, and when it was first waited for.
    message: (u64, Instant),
    /// When the last answer had gone out.
    quiet: Instant,
    timer: Timer,
}

impl Patience {
    pub(super) fn new(timeouts: Timeouts) -> Self {
        let now = Instant::now();
        Self { timeouts, message: (0, now), quiet: now, timer: Timer::default() }
    }

    /// To be called when everything written has gone out.
    pub(super) fn on_flushed(&mut self) {
        if self.timeouts.idle.is_some() {
            self.quiet = Instant::now();
        }
    }

    /// To be called while there is nothing to read: ready when the client has taken too long.
    pub(super) fn poll_exhausted(&mut self, cx: &mut Context<'_>, framing: &Framing, answered: bool) -> Poll<()> {
        if framing.state() == State::Idle && framing.heads() > 0 && !answered {
            // Not idle as long as we are the ones who take long. Who ends that does not wake the
            // reader, so it looks again by itself.
            if let Some(idle) = self.timeouts.idle {
                self.timer.wake_within(cx, idle, self.quiet);
            }
            return Poll::Pending;
        }
        match self.due(framing) {
            Some(due) => self.timer.poll(cx, due),
            None => Poll::Pending,
        }
    }

    /// When the client will have taken too long.
    fn due(&mut self, framing: &Framing) -> Option<Instant> {
        let Timeouts { head, idle, read } = self.timeouts;
        match framing.state() {
            State::Idle if framing.heads() == 0 => self.since(0, shorter(head, read)),
            State::Idle => Some(self.quiet + idle?),
            State::Head => self.since(framing.heads(), shorter(head, read)),
            State::Body => self.since(framing.heads().saturating_sub(1), read),
            State::Passthrough | State::Closed => None,
        }
    }

    /// When `timeout` will be over for `message`.
    fn since(&mut self, message: u64, timeout: Option<Duration>) -> Option<Instant> {
        let timeout = timeout?;
        if self.message.0 != message {
            self.message = (message, Instant::now());
        }
        Some(self.message.1 + timeout)
    }
}

/// The shorter of two timeouts, of which each may be missing.
fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// A timer that is set again only when it must ring earlier, or has rung too early.
#[derive(Debug, Default)]
pub(super) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if sleep.deadline() > due {
            sleep.as_mut().reset(due);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(due);
        }
        Poll::Pending
    }

    /// Wakes the task within `time`, and again when that is over. This is asked in the middle of
    /// every request, so the clock is not read when `past`, a moment that is over, tells enough.
    fn wake_within(&mut self, cx: &mut Context<'_>, time: Duration, past: Instant) {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + time)));
        if sleep.deadline() > past + time {
            let due = Instant::now() + time;
            if sleep.deadline() > due {
                sleep.as_mut().reset(due);
            }
        }
        while sleep.as_mut().poll(cx).is_ready() {
            sleep.as_mut().reset(Instant::now() + time);
        }
    }
}
