//! The latest word of every provider, merged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tollgate_config::{Diagnostic, DynamicConfig, MergedConfig};

use crate::ConfigMessage;

/// What all providers say, taken together.
#[derive(Debug, Clone, Default)]
pub struct Aggregate {
    /// The merged configuration. It is the same `Arc` as before when only diagnostics changed, so
    /// `Arc::ptr_eq` tells whether there is anything to build.
    pub config: Arc<MergedConfig>,
    /// What each provider last reported.
    pub diagnostics: BTreeMap<&'static str, Vec<Diagnostic>>,
}

/// Keeps the latest message of each provider and publishes all of them merged.
///
/// A provider's first message passes at once. Then it may pass again after the throttle duration
/// (`providersThrottleDuration`, as in Traefik): of the messages in between the latest is kept,
/// and it is never lost. A message that says nothing new is dropped.
#[derive(Debug)]
pub struct Aggregator {
    throttle: Duration,
    lanes: BTreeMap<&'static str, Lane>,
    latest: BTreeMap<String, DynamicConfig>,
    published: Aggregate,
}

/// The way of one provider's messages.
#[derive(Debug)]
struct Lane {
    /// When the next message may pass.
    open_at: Instant,
    /// The message that waits for it.
    waiting: Option<ConfigMessage>,
}

impl Aggregator {
    /// An aggregator that has heard nothing yet.
    pub fn new(throttle: Duration) -> Self {
        Self { throttle, lanes: BTreeMap::new(), latest: BTreeMap::new(), published: Aggregate::default() }
    }

    /// Takes messages until all providers are gone, and publishes what they amount to. Ends early
    /// when nobody listens any more.
    pub async fn run(mut self, mut messages: mpsc::Receiver<ConfigMessage>, aggregates: watch::Sender<Arc<Aggregate>>) {
        let mut open = true;
        while open || self.next_opening().is_some() {
            let news = tokio::select! {
                () = aggregates.closed() => return,
                message = messages.recv(), if open => {
                    open = message.is_some();
                    message.is_some_and(|message| self.receive(message, Instant::now()))
                }
                () = until(self.next_opening()) => self.release(Instant::now()),
            };
            if news {
                aggregates.send_replace(Arc::new(self.published.clone()));
            }
        }
    }

    /// Takes one message; true when there is something new to publish.
    fn receive(&mut self, message: ConfigMessage, now: Instant) -> bool {
        let lane = self.lanes.entry(message.provider).or_insert(Lane { open_at: now, waiting: None });
        if now < lane.open_at {
            // A refusal carries no configuration: the one it would replace may still be good.
            let config = lane.waiting.take().and_then(|waiting| waiting.config);
            lane.waiting = Some(ConfigMessage { config: message.config.or(config), ..message });
            return false;
        }
        self.accept(message, now)
    }

    /// Lets the waiting messages pass whose time has come; true when there is something new.
    fn release(&mut self, now: Instant) -> bool {
        let due = self.lanes.values_mut().filter(|lane| lane.open_at <= now);
        let messages: Vec<_> = due.filter_map(|lane| lane.waiting.take()).collect();
        let mut news = false;
        for message in messages {
            news |= self.accept(message, now);
        }
        news
    }

    fn accept(&mut self, message: ConfigMessage, now: Instant) -> bool {
        let ConfigMessage { provider, config, diagnostics } = message;
        let news = config.filter(|config| self.latest.get(provider) != Some(config));
        let said = self.published.diagnostics.get(provider);
        if news.is_none() && said.map_or(&[] as &[_], Vec::as_slice) == diagnostics {
            return false;
        }
        if let Some(lane) = self.lanes.get_mut(provider) {
            lane.open_at = now + self.throttle;
        }
        if let Some(config) = news {
            self.latest.insert(provider.to_owned(), config);
            self.published.config = Arc::new(DynamicConfig::merge(&self.latest));
        }
        self.published.diagnostics.insert(provider, diagnostics);
        true
    }

    /// When the first of the waiting messages may pass.
    fn next_opening(&self) -> Option<Instant> {
        let waiting = self.lanes.values().filter(|lane| lane.waiting.is_some());
        waiting.map(|lane| lane.open_at).min()
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use tollgate_config::{Format, load_dynamic_text};

    use super::*;

    const THROTTLE: Duration = Duration::from_secs(2);

    struct Running {
        messages: mpsc::Sender<ConfigMessage>,
        aggregates: watch::Receiver<Arc<Aggregate>>,
        start: Instant,
    }

    impl Running {
        fn start() -> Self {
            let (messages, inbox) = mpsc::channel(16);
            let (outbox, aggregates) = watch::channel(Arc::default());
            tokio::spawn(Aggregator::new(THROTTLE).run(inbox, outbox));
            Self { messages, aggregates, start: Instant::now() }
        }

        async fn send(&self, message: ConfigMessage) {
            self.messages.send(message).await.unwrap();
        }

        /// The routers of the next aggregate, and how long after the start it came.
        async fn next(&mut self) -> (Vec<String>, Duration) {
            self.aggregates.changed().await.unwrap();
            let aggregate = self.aggregates.borrow_and_update().clone();
            let names = aggregate.config.routers.keys().map(ToString::to_string);
            (names.collect(), self.start.elapsed())
        }

        async fn stays_silent(&mut self) -> bool {
            tokio::time::timeout(THROTTLE * 3, self.aggregates.changed()).await.is_err()
        }
    }

    fn message(provider: &'static str, router: &str) -> ConfigMessage {
        let text = format!("http: {{routers: {{{router}: {{rule: 'Path(`/`)', service: s}}}}}}");
        let (config, diagnostics) = load_dynamic_text(&text, Format::Yaml, "t").unwrap();
        ConfigMessage { provider, config: Some(config), diagnostics }
    }

    fn refusal(provider: &'static str) -> ConfigMessage {
        let diagnostics = vec![Diagnostic::error("syntax", "", None, "bad")];
        ConfigMessage { provider, config: None, diagnostics }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_message_passes_at_once_and_the_latest_of_the_rest_after_the_throttle() {
        let mut running = Running::start();
        running.send(message("file", "a")).await;
        assert_eq!(running.next().await, (vec!["a@file".to_owned()], Duration::ZERO));
        for router in ["b", "c", "d"] {
            running.send(message("file", router)).await;
        }
        assert_eq!(running.next().await, (vec!["d@file".to_owned()], THROTTLE));
        assert!(running.stays_silent().await);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_quiet_time_a_message_passes_at_once_again() {
        let mut running = Running::start();
        running.send(message("file", "a")).await;
        running.next().await;
        tokio::time::sleep(THROTTLE * 2).await;
        running.send(message("file", "b")).await;
        assert_eq!(running.next().await.1, THROTTLE * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn providers_are_slowed_down_each_by_itself_and_merged() {
        let mut running = Running::start();
        running.send(message("file", "a")).await;
        running.next().await;
        running.send(message("other", "a")).await;
        let both = vec!["a@file".to_owned(), "a@other".to_owned()];
        assert_eq!(running.next().await, (both, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn what_says_nothing_new_is_dropped() {
        let mut running = Running::start();
        running.send(message("file", "a")).await;
        running.next().await;
        running.send(message("file", "a")).await;
        assert!(running.stays_silent().await);
        // There and back again while waiting is nothing new either.
        running.send(message("file", "b")).await;
        running.next().await;
        running.send(message("file", "a")).await;
        running.send(message("file", "b")).await;
        assert!(running.stays_silent().await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_keeps_the_configuration_and_is_reported() {
        let mut running = Running::start();
        running.send(message("file", "a")).await;
        running.next().await;
        let before = running.aggregates.borrow().clone();
        running.send(refusal("file")).await;
        assert_eq!(running.next().await.0, ["a@file"]);
        let after = running.aggregates.borrow().clone();
        assert!(Arc::ptr_eq(&before.config, &after.config));
        assert_eq!(after.diagnostics["file"].len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_does_not_swallow_the_good_one_that_waits() {
        let mut running = Running::start();
        running.send(message("file", "a")).await;
        running.next().await;
        running.send(message("file", "b")).await;
        running.send(refusal("file")).await;
        assert_eq!(running.next().await.0, ["b@file"]);
        assert_eq!(running.aggregates.borrow().diagnostics["file"].len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_message_is_published_even_when_its_provider_is_gone() {
        let mut running = Running::start();
        running.send(message("file", "a")).await;
        running.send(message("file", "b")).await;
        let Running { messages, ref mut aggregates, .. } = running;
        drop(messages);
        aggregates
            .wait_for(|aggregate| aggregate.config.routers.keys().any(|name| name.to_string() == "b@file"))
            .await
            .unwrap();
        assert!(aggregates.changed().await.is_err(), "the aggregator ends");
    }
}
