//! Noticing that files have changed.
//!
//! Events only say when to look; what counts is what the files say. So an event too many costs a
//! reading, and one that is missed is made up for by the poll. The directories of the files are
//! watched rather than the files: editors put a new file in the place of the old one, and
//! Kubernetes turns the link `..data` beside them.

mod activity;
mod settle;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use self::activity::Activity;
use self::settle::Settle;
use super::snapshot::{Snapshot, Source};
use super::{Loaded, Timing, applied, load, refused};
use crate::ConfigMessage;

/// Watches the files of a provider that has been started.
#[derive(Debug)]
pub struct FileWatch {
    source: Source,
    timing: Timing,
    activity: Option<Activity>,
    settle: Settle,
    /// The files as they were when they were last judged.
    judged: Snapshot,
    /// The last message; what says the same again is not sent.
    said: Option<ConfigMessage>,
}

impl FileWatch {
    pub(super) fn new(source: Source, timing: Timing, events: bool) -> Self {
        Self {
            activity: events.then(|| Activity::new(&source)),
            settle: Settle::new(timing),
            source,
            timing,
            judged: Snapshot::default(),
            said: None,
        }
    }

    /// The first message.
    pub(super) fn begin(&mut self, snapshot: Snapshot, outcome: Loaded) -> ConfigMessage {
        self.judged = snapshot;
        let message = message(outcome);
        self.said = Some(message.clone());
        message
    }

    /// Sends a message for every change, until nobody receives them any more.
    pub async fn run(mut self, messages: mpsc::Sender<ConfigMessage>) {
        let mut poll = interval_at(Instant::now() + self.timing.poll, self.timing.poll);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = messages.closed() => return,
                () = happened(self.activity.as_ref()) => self.settle.touch(Instant::now()),
                _ = poll.tick() => self.compare().await,
                () = until(self.deadline()) => {
                    if let Some(message) = self.look().await
                        && messages.send(message).await.is_err()
                    {
                        return;
                    }
                }
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let writing = self.activity.as_ref().is_some_and(Activity::is_writing);
        self.settle.deadline(writing)
    }

    /// The poll: what differs without an event is as good as an event, and directories that were
    /// replaced are watched again.
    async fn compare(&mut self) {
        if let Some(activity) = &mut self.activity {
            activity.renew(&self.source);
        }
        if self.settle.is_waiting() {
            return;
        }
        let differs = self.read().await.is_some_and(|snapshot| snapshot != self.judged);
        if differs {
            self.settle.touch(Instant::now());
        }
    }

    /// Reads the files now that they are quiet; gives a message when that changes something.
    async fn look(&mut self) -> Option<ConfigMessage> {
        if let Some(activity) = &mut self.activity {
            activity.forget_writing();
            activity.renew(&self.source);
        }
        self.settle.rest();
        let snapshot = self.read().await?;
        if snapshot.went_blank_since(&self.judged) {
            if !self.settle.is_blank_long_enough(Instant::now()) {
                return None;
            }
        } else {
            self.settle.is_not_blank();
        }
        if snapshot == self.judged {
            return None;
        }
        self.settle.is_not_blank();
        let message = message(load(&self.source, &snapshot));
        self.judged = snapshot;
        self.news(message)
    }

    /// The message, unless it says what was said before.
    fn news(&mut self, mut message: ConfigMessage) -> Option<ConfigMessage> {
        let said = self.said.as_mut()?;
        let same_config = message.config.is_none() || message.config == said.config;
        if same_config && message.diagnostics == said.diagnostics {
            return None;
        }
        said.diagnostics.clone_from(&message.diagnostics);
        if same_config {
            message.config = None;
        } else {
            said.config.clone_from(&message.config);
        }
        Some(message)
    }

    /// Reads the files where waiting for a slow disk holds up nobody.
    async fn read(&self) -> Option<Snapshot> {
        let source = self.source.clone();
        // It fails only while the runtime shuts down.
        tokio::task::spawn_blocking(move || source.read()).await.ok()
    }
}

fn message(outcome: Loaded) -> ConfigMessage {
    match outcome {
        Ok((config, diagnostics)) => applied(config, diagnostics),
        Err(diagnostics) => refused(diagnostics),
    }
}

async fn happened(activity: Option<&Activity>) {
    match activity {
        Some(activity) => activity.happened().await,
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
