//! The connection to one server, and whether it may be asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use tokio::sync::Notify;
use tollgate_limiter::{Ask, Monotonic, Quota, Span};

use super::beat::Beat;
use super::error::{ErrorKind, StoreError};
use super::greeting::{Greeting, ask_run_id, run_id};
use super::options::{Address, RedisOptions};
use super::redirect::Redirect;
use super::reply::Most;
use super::script::{KeyAsk, Script};
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
/// open nobody waits for the server: [`Link::call`] fails at once. Only the probe, one task, asks on, a few times per
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
    /// The bucket that only the probe of this link uses, so that it always has something to write.
    probe_key: Mutex<ProbeKey>,
    latency: Latency,
}

/// The digest of a bucket.
pub(super) type ProbeKey = [u8; 16];

/// A connection that has been tried out.
#[derive(Clone)]
struct Line {
    connection: MultiplexedConnection,
    /// Tells it from those before and after it.
    number: u64,
    run_id: Option<Arc<str>>,
}

/// A call that was answered.
pub(super) struct Called {
    /// The answer; never an error of the server.
    pub(super) value: redis::Value,
    /// When the attempt that was answered was sent, on [`Clock`].
    pub(super) sent: Monotonic,
    /// When its answer was here.
    pub(super) received: Monotonic,
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

/// How to ask a node of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asking {
    /// As the one that is responsible.
    Owner,
    /// As the one that is about to be.
    Importer,
}

/// The first attempt to connect is under way.
const CONNECTING: u8 = 0;
/// The server may be asked.
const CLOSED: u8 = 1;
/// It may not.
const OPEN: u8 = 2;

/// Calls in a row without an answer until the server is held to be away.
const TIMEOUTS_MAX: u32 = 3;
/// How long the probe rests between attempts, before jitter.
const PROBE_REST: Duration = Duration::from_millis(250);

/// Makes the command of a call, told which run of the server it goes to if that is known.
pub(super) type MakeCmd<'a> = dyn Fn(Option<&str>) -> redis::Cmd + Send + Sync + 'a;

impl Setting {
    /// Says on a connection that this instance is there, and learns how many are.
    async fn beat_on(&self, connection: &mut MultiplexedConnection) -> Result<(), StoreError> {
        if self.beat.has_left() {
            return Ok(());
        }
        let value = within(self.options.deadline, send(connection, &self.beat.say())).await?;
        self.beat.on_answer(&value, self.clock.now()).or_else(|error| {
            self.stats.failed(error.kind);
            if error.kind.concerns_the_server() { Err(error) } else { Ok(()) }
        })
    }
}

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
        match self.call_on(&mut line, script, cmd, asking).await {
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

    async fn call_on(
        &self,
        line: &mut Line,
        script: &Script,
        cmd: &MakeCmd<'_>,
        asking: Asking,
    ) -> redis::RedisResult<Called> {
        let clock = &self.setting.clock;
        let cmd = &cmd(line.run_id.as_deref());
        let mut sent = clock.now();
        let mut answer = ask(&mut line.connection, cmd, asking).await;
        if answer.as_ref().is_err_and(is_unknown_script) {
            send(&mut line.connection, &script.load()).await?;
            sent = clock.now();
            answer = ask(&mut line.connection, cmd, asking).await;
        }
        Ok(Called { value: answer?, sent, received: clock.now() })
    }

    /// Asks for something that is no script call, if the server may be asked.
    pub(super) async fn query(&self, cmd: &redis::Cmd) -> Result<redis::Value, StoreError> {
        let line = self.line.lock().clone();
        let mut line = line.ok_or_else(StoreError::not_connected)?;
        within(self.setting.options.deadline, send(&mut line.connection, cmd)).await
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

    /// Takes the state, and tells those who wait for the first. The lock of the line is held.
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
            let store = self.setting.options.name();
            tracing::warn!(%store, server = %self.address, "the store can be used again");
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
        let store = self.setting.options.name();
        tracing::error!(%store, server = %self.address, %error, "the store cannot be used: failure policies are in force");
    }

    /// Everything that a request needs, tried out: connect, log in, load the scripts, run the first on a key of its own.
    /// And whatever must be known before a request is answered: which run of the server it is, how many share it.
    async fn attempt(self: &Arc<Self>) -> Result<Line, StoreError> {
        let Setting { options, scripts, beat, .. } = &*self.setting;
        let number = self.lines.fetch_add(1, Ordering::Relaxed);
        let mut connection = within(options.connect_timeout, self.connect(number)).await?;
        let step = |cmd| within(options.deadline, send_on(connection.clone(), cmd));
        Greeting::read(&step(Greeting::ask()).await?).check(&options.topology)?;
        for script in scripts.iter().chain([beat.script()]) {
            step(script.load()).await?;
        }
        let run_id = if options.strict { Some(run_id(&step(ask_run_id()).await?)?) } else { None };
        self.probe(&mut connection).await?;
        if !options.is_cluster() {
            self.setting.beat_on(&mut connection).await?;
        }
        Ok(Line { connection, number, run_id })
    }

    /// Writes to a bucket of its own.
    async fn probe(&self, connection: &mut MultiplexedConnection) -> Result<(), StoreError> {
        let Setting { options, scripts, .. } = &*self.setting;
        let probe = probe(&scripts[0], self.probe_key());
        let answer = within(options.deadline, async {
            match ask(connection, &probe, Asking::Owner).await {
                // It may be about to take over the hash slot.
                Err(error) if self.redirect(&error).is_some() => Ok(ask(connection, &probe, Asking::Importer).await),
                answer => Ok(answer),
            }
        });
        match answer.await? {
            Ok(value) => check_probe(value),
            Err(error) if self.redirect(&error).is_some() => {
                Err(StoreError::new(ErrorKind::HashSlot, "it is not responsible any more for what it was"))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn connect(self: &Arc<Self>, number: u64) -> redis::RedisResult<MultiplexedConnection> {
        let Setting { options, .. } = &*self.setting;
        let link = Arc::downgrade(self);
        let config = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(options.connect_timeout))
            // Every call has a deadline of its own.
            .set_response_timeout(None)
            .set_push_sender(move |push: redis::PushInfo| {
                if let (redis::PushKind::Disconnection, Some(link)) = (push.kind, link.upgrade()) {
                    link.on_disconnect(number);
                }
                Ok::<(), redis::aio::SendError>(())
            });
        options.client(&self.address)?.get_multiplexed_async_connection_with_config(&config).await
    }

    fn on_disconnect(&self, number: u64) {
        let error = StoreError { kind: ErrorKind::Unreachable, detail: "the connection was closed".into() };
        if self.is_closed() {
            self.open(&error, |current| current == number);
        }
    }
}

/// A call that writes to a bucket of the probe's own.
fn probe(script: &Script, digest: [u8; 16]) -> redis::Cmd {
    let quota = Quota::new(1, Duration::from_secs(1), 1).expect("one per second is a quota");
    script.call(&[KeyAsk::plain(digest, quota, Span::ZERO, Ask::ONE)], None)
}

fn check_probe(value: redis::Value) -> Result<(), StoreError> {
    super::reply::decode(value, &[Most { want: 1, lease: 0 }])?.keys.remove(0).map(|_| ())
}

fn is_unknown_script(error: &redis::RedisError) -> bool {
    error.kind() == redis::ErrorKind::Server(redis::ServerErrorKind::NoScript)
}

/// Sends a command. An error that the server answers with is an error here too.
pub(super) async fn send(connection: &mut MultiplexedConnection, cmd: &redis::Cmd) -> redis::RedisResult<redis::Value> {
    connection.req_packed_command(cmd).await?.extract_error()
}

async fn send_on(mut connection: MultiplexedConnection, cmd: redis::Cmd) -> redis::RedisResult<redis::Value> {
    send(&mut connection, &cmd).await
}

/// [`send`], to whoever is to be asked like that. `ASKING` holds for the next command of the connection, so both are
/// written at once.
async fn ask(
    connection: &mut MultiplexedConnection,
    cmd: &redis::Cmd,
    asking: Asking,
) -> redis::RedisResult<redis::Value> {
    if asking == Asking::Owner {
        return send(connection, cmd).await;
    }
    let mut pipeline = redis::Pipeline::with_capacity(2);
    pipeline.cmd("ASKING").add_command(cmd.clone());
    let answers = connection.req_packed_commands(&pipeline, 0, 2).await?;
    let answers = answers.into_iter().map(redis::Value::extract_error).collect::<Result<Vec<_>, _>>()?;
    Ok(answers.into_iter().next_back().unwrap_or(redis::Value::Nil))
}

/// Awaits a step for at most `limit`.
pub(super) async fn within<T>(
    limit: Duration,
    step: impl Future<Output = redis::RedisResult<T>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(limit, step).await {
        Ok(result) => result.map_err(StoreError::from),
        Err(_) => Err(StoreError::timeout(limit)),
    }
}

/// Nobody else's, as far as chance goes.
pub(super) fn random_key() -> [u8; 16] {
    use std::hash::{BuildHasher as _, RandomState};
    let halves = [RandomState::new().hash_one(0_u8), RandomState::new().hash_one(1_u8)];
    (u128::from(halves[0]) << 64 | u128::from(halves[1])).to_be_bytes()
}

/// Keeps instances that lost the same store from coming back all at the same moment.
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) fn new() -> Self {
        use std::hash::BuildHasher as _;
        Self(std::hash::RandomState::new().hash_one(0_u8) | 1)
    }

    /// Between three quarters and five quarters of `rest`.
    pub(super) fn spread(&mut self, rest: Duration) -> Duration {
        // xorshift64 (Marsaglia 2003): evenness is all that is wanted.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        rest * 3 / 4 + rest / 2 * u32::try_from(self.0 % 1_024).unwrap_or(0) / 1_024
    }
}
