//! The connection to one server, and whether it may be asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::address::Address;
use super::beat::Beat;
use super::chance::Jitter;
use super::error::{ErrorKind, StoreError};
use super::line::{Asking, Called, Line, MakeCmd, ProbeKey};
use super::options::RedisOptions;
use super::redirect::Redirect;
use super::script::Script;
use crate::clock::Clock;
use crate::stats::{Latency, StoreStats};

/// What all links of one store have in common.
pub(super) struct Setting {
    pub(super) options: RedisOptions,
    /// Loaded on every connection; the first is also tried out.
    pub(super) scripts: Vec<Script>,
    pub(super) beat: Beat,
    pub(super) stats: Arc<StoreStats>,
    pub(super) clock: Clock,
    /// Told when a link opens, for whoever follows the topology.
    pub(super) trouble: Notify,
}

/// One multiplexed connection with a breaker.
///
/// A new link is connecting, and requests wait for that as they wait for an answer. From then on the breaker is closed
/// or open. As long as it is closed requests use the connection. It opens when the connection breaks, when the
/// server says that it cannot serve, and after [`TIMEOUTS_MAX`] calls in a row went without an answer. While it is
/// open nobody waits for the server: [`Link::call`] fails at once. Only the probe, one task, asks on, about twice per
/// second, with everything a request needs (connect, log in, load the scripts, run one), and closes the breaker when
/// that works.
pub(super) struct Link {
    address: Address,
    setting: Arc<Setting>,
    line: Mutex<Option<Line>>,
    lines: AtomicU64,
    state: AtomicU8,
    /// Wakes those who wait for the first attempt to connect.
    settled: Notify,
    timeouts: AtomicU32,
    failure: Mutex<Option<StoreError>>,
    /// Wakes the probe.
    wake: Notify,
    /// The probe key of a node of a cluster has to be of a hash slot that the node is responsible for.
    probe_key: Mutex<ProbeKey>,
    latency: Latency,
}

/// Why a call was not answered.
pub(super) enum Refusal {
    /// Somebody else is to be asked.
    Redirected(Redirect),
    /// The keys of the call are on two nodes for the moment.
    Divided,
    /// It failed.
    Failed(StoreError),
}

/// The first attempt to connect is under way.
const CONNECTING: u8 = 0;
/// The server may be asked.
const CLOSED: u8 = 1;
/// It may not.
const OPEN: u8 = 2;

/// Calls in a row without an answer until the server is held to be away.
const TIMEOUTS_MAX: u32 = 3;
/// How long the probe rests between attempts, before jitter: a server that comes back, or that turns us away, is not
/// knocked at more than about twice a second by each instance, and is still found well within one.
const PROBE_REST: Duration = Duration::from_millis(500);

impl Link {
    /// A link that [`Link::keep`] will connect.
    pub(super) fn new(address: Address, setting: Arc<Setting>, probe_key: ProbeKey) -> Self {
        Self {
            address,
            setting,
            line: Mutex::new(None),
            lines: AtomicU64::new(0),
            state: AtomicU8::new(CONNECTING),
            settled: Notify::new(),
            timeouts: AtomicU32::new(0),
            failure: Mutex::new(None),
            wake: Notify::new(),
            probe_key: Mutex::new(probe_key),
            latency: Latency::default(),
        }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// True if the server may be asked.
    pub(super) fn is_closed(&self) -> bool {
        self.state.load(Ordering::Acquire) == CLOSED
    }

    /// True if it is known that the server may not be asked.
    pub(super) fn is_open(&self) -> bool {
        self.state.load(Ordering::Acquire) == OPEN
    }

    /// Why the server cannot be asked; none while it can.
    pub(super) fn failure(&self) -> Option<StoreError> {
        if self.is_closed() {
            return None;
        }
        Some(self.failure.lock().clone().unwrap_or_else(StoreError::not_connected))
    }

    pub(super) fn run_id(&self) -> Option<Arc<str>> {
        self.line.lock().as_ref()?.run_id.clone()
    }

    pub(super) fn latency(&self) -> &Latency {
        &self.latency
    }

    /// What the probe of this link writes to.
    pub(super) fn probe_key(&self) -> ProbeKey {
        *self.probe_key.lock()
    }

    pub(super) fn set_probe_key(&self, key: ProbeKey) {
        *self.probe_key.lock() = key;
    }

    /// One call of a script. If the server does not know the script it has not run, so it is loaded and called again.
    /// Waits for the first attempt to connect, and otherwise for as long as the server takes.
    pub(super) async fn call(&self, script: &Script, cmd: &MakeCmd<'_>, asking: Asking) -> Result<Called, Refusal> {
        let Some(mut line) = self.line().await else {
            return Err(Refusal::Failed(self.failure().unwrap_or_else(StoreError::not_connected)));
        };
        match line.call(script, cmd, asking, &self.setting.clock).await {
            Ok(called) => {
                self.timeouts.store(0, Ordering::Relaxed);
                self.latency.record(called.received.since(called.sent));
                Ok(called)
            }
            Err(error) => Err(self.refusal(error, &line)),
        }
    }

    fn refusal(&self, error: redis::RedisError, line: &Line) -> Refusal {
        if let Some(redirect) = self.redirect(&error) {
            return Refusal::Redirected(redirect);
        }
        if error.kind() == redis::ErrorKind::Server(redis::ServerErrorKind::TryAgain) {
            return Refusal::Divided;
        }
        let error = StoreError::from(error);
        if error.kind.concerns_the_server() {
            // What an earlier connection ran into says nothing about this one.
            self.open(&error, |current| current == line.number);
        }
        Refusal::Failed(error)
    }

    /// Whom a node of a cluster names instead of itself.
    fn redirect(&self, error: &redis::RedisError) -> Option<Redirect> {
        if self.setting.options.is_cluster() { Redirect::read(error, &self.address) } else { None }
    }

    /// Asks for something that is no script call, if the server may be asked.
    pub(super) async fn query(&self, cmd: &redis::Cmd) -> Result<redis::Value, StoreError> {
        let line = self.line.lock().clone();
        let mut line = line.ok_or_else(StoreError::not_connected)?;
        line.query(cmd, self.setting.options.deadline).await
    }

    /// Finds out whether a server that nobody asks for anything is still there.
    pub(super) async fn ping(&self) {
        if !self.is_closed() {
            return;
        }
        match self.query(&redis::cmd("PING")).await {
            Ok(_) => self.timeouts.store(0, Ordering::Relaxed),
            Err(error) if error.kind == ErrorKind::Timeout => self.on_timeout(&error),
            Err(error) => self.on_failure(&error),
        }
    }

    /// The connection, while the breaker is closed. Waits for the first attempt to connect.
    async fn line(&self) -> Option<Line> {
        loop {
            // Asked for before looking, so that what happens in between is not missed.
            let settled = self.settled.notified();
            match self.state.load(Ordering::Acquire) {
                CONNECTING => settled.await,
                CLOSED => return self.line.lock().clone(),
                _ => return None,
            }
        }
    }

    /// Takes the state, and tells those who wait for the first. The lock of the line is held, or there is no line.
    fn turn(&self, state: u8) -> u8 {
        let before = self.state.swap(state, Ordering::AcqRel);
        self.settled.notify_waiters();
        before
    }

    /// A call went without an answer.
    pub(super) fn on_timeout(&self, error: &StoreError) {
        if self.timeouts.fetch_add(1, Ordering::Relaxed) + 1 >= TIMEOUTS_MAX {
            self.open(error, |_| true);
        }
    }

    /// A call failed: opens the breaker if the server is to blame.
    pub(super) fn on_failure(&self, error: &StoreError) {
        if error.kind.concerns_the_server() {
            self.open(error, |_| true);
        }
    }

    /// Opens the breaker, if it is `about` the connection of now.
    fn open(&self, error: &StoreError, about: impl FnOnce(u64) -> bool) {
        let mut line = self.line.lock();
        if line.as_ref().map_or(self.is_open(), |line| !about(line.number)) {
            return;
        }
        // A connection that gave no answer may be dead without knowing it; the probe makes a new one.
        *line = None;
        *self.failure.lock() = Some(error.clone());
        let before = self.turn(OPEN);
        drop(line);
        if before != OPEN {
            self.say(error);
            self.wake.notify_one();
            self.setting.trouble.notify_one();
        }
    }

    fn close(&self, line: Line) {
        let mut current = self.line.lock();
        *current = Some(line);
        self.timeouts.store(0, Ordering::Relaxed);
        let failed_before = self.failure.lock().take().is_some();
        let before = self.turn(CLOSED);
        drop(current);
        if before == OPEN && failed_before {
            let (store, server) = (self.setting.options.name(), &self.address);
            if self.setting.options.is_cluster() {
                tracing::warn!(%store, %server, "the node can be used again");
            } else {
                tracing::warn!(%store, %server, "the store can be used again");
            }
        }
    }

    /// Keeps the link well. Runs until it is dropped.
    pub(super) async fn keep(self: Arc<Self>) {
        let mut jitter = Jitter::new();
        loop {
            match self.attempt().await {
                Ok(line) => {
                    let closed = self.setting.clock.now();
                    self.close(line);
                    while self.is_closed() {
                        self.wake.notified().await;
                    }
                    // A server that answers the probe and nothing else is not asked without end.
                    if self.setting.clock.now().since(closed) < PROBE_REST {
                        tokio::time::sleep(jitter.spread(PROBE_REST)).await;
                    }
                }
                Err(error) => {
                    self.setting.stats.failed(error.kind);
                    self.say_once(error);
                    self.turn(OPEN);
                    self.setting.trouble.notify_one();
                    tokio::time::sleep(jitter.spread(PROBE_REST)).await;
                }
            }
        }
    }

    /// Says why the store cannot be used when that is news: the first time, and when the reason is another.
    fn say_once(&self, error: StoreError) {
        let mut failure = self.failure.lock();
        if failure.as_ref().is_none_or(|before| before.kind != error.kind) {
            self.say(&error);
        }
        *failure = Some(error);
    }

    fn say(&self, error: &StoreError) {
        let (store, server) = (self.setting.options.name(), &self.address);
        if self.setting.options.is_cluster() {
            tracing::error!(%store, %server, %error, "a node cannot be used: failure policies are in force for its keys");
        } else {
            tracing::error!(%store, %server, %error, "the store cannot be used: failure policies are in force");
        }
    }

    async fn attempt(self: &Arc<Self>) -> Result<Line, StoreError> {
        let number = self.lines.fetch_add(1, Ordering::Relaxed);
        let link = Arc::downgrade(self);
        let on_end = move || {
            if let Some(link) = link.upgrade() {
                link.on_disconnect(number);
            }
        };
        Line::open(&self.setting, &self.address, number, self.probe_key(), on_end).await
    }

    fn on_disconnect(&self, number: u64) {
        let error = StoreError::new(ErrorKind::Unreachable, "the connection was closed");
        if self.is_closed() {
            self.open(&error, |current| current == number);
        }
    }
}
