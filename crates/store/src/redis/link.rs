//! The connection to one server, and whether it may be asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use tokio::sync::Notify;
use tollgate_limiter::{Ask, Monotonic, Quota, Span};

use super::error::{ErrorKind, StoreError};
use super::options::RedisOptions;
use super::script::{KeyAsk, Script};
use crate::clock::Clock;
use crate::stats::StoreStats;

/// Whether a store can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Available,
    /// It does not, and failure policies are in force until a probe finds it well.
    Unavailable(StoreError),
}

/// One multiplexed connection with a breaker.
///
/// A new link is connecting, and requests wait for that as they wait for an answer. From then on the breaker is closed
/// or open. As long as it is closed requests use the connection. It opens when the connection breaks, when the
/// server says that it cannot serve, and after [`TIMEOUTS_MAX`] calls in a row went without an answer. While it is
/// open nobody waits for the server: [`Link::connection`] fails at once. Only the probe, one task, asks on, a few
/// times per second, with everything a request needs (connect, log in, load the script, run it), and closes the
/// breaker when that works.
pub(super) struct Link {
    options: RedisOptions,
    script: Script,
    connection: Mutex<Option<MultiplexedConnection>>,
    state: AtomicU8,
    /// Wakes those who wait for the first attempt to connect.
    settled: Notify,
    timeouts: AtomicU32,
    failure: Mutex<Option<StoreError>>,
    /// Wakes the probe.
    wake: Notify,
    stats: Arc<StoreStats>,
    /// The bucket that only the probe of this link uses, so that it always has something to write.
    probe_key: [u8; 16],
    /// When a key that is not ours was last spoken of.
    foreign_said: Mutex<Option<Monotonic>>,
    clock: Clock,
}

/// The first attempt to connect is under way.
const CONNECTING: u8 = 0;
/// The server may be asked.
const CLOSED: u8 = 1;
/// It may not.
const OPEN: u8 = 2;

/// Calls in a row without an answer until the server is held to be away.
const TIMEOUTS_MAX: u32 = 3;
/// A key that is not ours stays what it is, and is met by every request for it.
const FOREIGN_SAID_EVERY: Duration = Duration::from_secs(60);
/// How long the probe rests between attempts, before jitter.
const PROBE_REST: Duration = Duration::from_millis(250);

impl Link {
    /// A link that the probe will connect.
    pub(super) fn new(options: RedisOptions, script: Script, stats: Arc<StoreStats>, clock: Clock) -> Self {
        Self {
            options,
            script,
            connection: Mutex::new(None),
            state: AtomicU8::new(CONNECTING),
            settled: Notify::new(),
            timeouts: AtomicU32::new(0),
            failure: Mutex::new(None),
            wake: Notify::new(),
            stats,
            probe_key: random_key(),
            foreign_said: Mutex::new(None),
            clock,
        }
    }

    pub(super) fn options(&self) -> &RedisOptions {
        &self.options
    }

    /// True if the server may be asked.
    pub(super) fn is_closed(&self) -> bool {
        self.state.load(Ordering::Acquire) == CLOSED
    }

    /// True if it is known that the server may not be asked.
    pub(super) fn is_open(&self) -> bool {
        self.state.load(Ordering::Acquire) == OPEN
    }

    pub(super) fn health(&self) -> Health {
        if self.is_closed() {
            return Health::Available;
        }
        Health::Unavailable(
            self.failure
                .lock()
                .clone()
                .unwrap_or_else(|| StoreError { kind: ErrorKind::Unreachable, detail: "not connected yet".into() }),
        )
    }

    /// The connection, while the breaker is closed. Waits for the first attempt to connect.
    pub(super) async fn connection(&self) -> Option<MultiplexedConnection> {
        loop {
            // Asked for before looking, so that what happens in between is not missed.
            let settled = self.settled.notified();
            match self.state.load(Ordering::Acquire) {
                CONNECTING => settled.await,
                CLOSED => return self.connection.lock().clone(),
                _ => return None,
            }
        }
    }

    /// Takes the state, and tells those who wait for the first.
    fn turn(&self, state: u8) -> u8 {
        let before = self.state.swap(state, Ordering::AcqRel);
        self.settled.notify_waiters();
        before
    }

    pub(super) fn on_answer(&self) {
        self.timeouts.store(0, Ordering::Relaxed);
    }

    /// A call failed: counts it, and opens the breaker if the server is to blame.
    pub(super) fn on_failure(&self, error: &StoreError) {
        self.stats.failed(error.kind);
        let opens = match error.kind {
            ErrorKind::Timeout => self.timeouts.fetch_add(1, Ordering::Relaxed) + 1 >= TIMEOUTS_MAX,
            kind => kind.concerns_the_store(),
        };
        if opens {
            self.open(error);
        }
        if error.kind == ErrorKind::ForeignValue && self.is_time_to_say() {
            tracing::error!(store = %self.options.name(), %error, "a bucket cannot be read: its failure policy decides");
        }
    }

    fn is_time_to_say(&self) -> bool {
        let now = self.clock.now();
        let mut said = self.foreign_said.lock();
        let is_time = said.is_none_or(|said| now.since(said) >= FOREIGN_SAID_EVERY);
        if is_time {
            *said = Some(now);
        }
        is_time
    }

    fn open(&self, error: &StoreError) {
        // A connection that gave no answer may be dead without knowing it; the probe makes a new one.
        *self.connection.lock() = None;
        *self.failure.lock() = Some(error.clone());
        if self.turn(OPEN) != OPEN {
            tracing::error!(store = %self.options.name(), %error, "the store cannot be used: failure policies are in force");
            self.wake.notify_one();
        }
    }

    fn close(&self, connection: MultiplexedConnection) {
        *self.connection.lock() = Some(connection);
        self.timeouts.store(0, Ordering::Relaxed);
        let failed_before = self.failure.lock().take().is_some();
        if self.turn(CLOSED) == OPEN && failed_before {
            tracing::warn!(store = %self.options.name(), "the store can be used again");
        }
    }

    /// Keeps the link well. Runs until it is dropped.
    pub(super) async fn probe(self: Arc<Self>) {
        let mut jitter = Jitter::new();
        loop {
            if self.is_closed() {
                self.wake.notified().await;
                continue;
            }
            match self.attempt().await {
                Ok(connection) => self.close(connection),
                Err(error) => {
                    self.stats.failed(error.kind);
                    self.say_once(error);
                    self.turn(OPEN);
                    tokio::time::sleep(jitter.spread(PROBE_REST)).await;
                }
            }
        }
    }

    /// Says why the store cannot be used when that is news: the first time, and when the reason is another.
    fn say_once(&self, error: StoreError) {
        let mut failure = self.failure.lock();
        if failure.as_ref().is_none_or(|before| before.kind != error.kind) {
            tracing::error!(store = %self.options.name(), %error, "the store cannot be used: failure policies are in force");
        }
        *failure = Some(error);
    }

    /// Everything that a request needs, tried out: connect, log in, load the script, run it on a key of its own.
    async fn attempt(self: &Arc<Self>) -> Result<MultiplexedConnection, StoreError> {
        let mut connection = within(self.options.connect_timeout, self.connect()).await?;
        within(self.options.deadline, send(&mut connection, &self.script.load())).await?;
        let quota = Quota::new(1, Duration::from_secs(1), 1).expect("one per second is a quota");
        let ask = KeyAsk { digest: self.probe_key, quota, max_delay: Span::ZERO, ask: Ask::ONE };
        let value = within(self.options.deadline, send(&mut connection, &self.script.call(&[ask]))).await?;
        super::reply::decode(value, &[1])?.keys.remove(0)?;
        Ok(connection)
    }

    async fn connect(self: &Arc<Self>) -> redis::RedisResult<MultiplexedConnection> {
        let link = Arc::downgrade(self);
        let config = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.options.connect_timeout))
            // Every call has a deadline of its own.
            .set_response_timeout(None)
            .set_push_sender(move |push: redis::PushInfo| {
                if let (redis::PushKind::Disconnection, Some(link)) = (push.kind, link.upgrade()) {
                    link.on_disconnect();
                }
                Ok::<(), redis::aio::SendError>(())
            });
        self.options.client()?.get_multiplexed_async_connection_with_config(&config).await
    }

    fn on_disconnect(&self) {
        if self.is_closed() {
            self.open(&StoreError { kind: ErrorKind::Unreachable, detail: "the connection was closed".into() });
        }
    }
}

/// Sends a command. An error that the server answers with is an error here too.
pub(super) async fn send(connection: &mut MultiplexedConnection, cmd: &redis::Cmd) -> redis::RedisResult<redis::Value> {
    connection.req_packed_command(cmd).await?.extract_error()
}

/// Awaits a step for at most `limit`.
pub(super) async fn within<T>(
    limit: Duration,
    step: impl Future<Output = redis::RedisResult<T>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(limit, step).await {
        Ok(result) => result.map_err(StoreError::from),
        Err(_) => Err(StoreError { kind: ErrorKind::Timeout, detail: format!("nothing within {limit:?}") }),
    }
}

/// Nobody else's, as far as chance goes.
fn random_key() -> [u8; 16] {
    use std::hash::{BuildHasher as _, RandomState};
    let halves = [RandomState::new().hash_one(0_u8), RandomState::new().hash_one(1_u8)];
    (u128::from(halves[0]) << 64 | u128::from(halves[1])).to_be_bytes()
}

/// Keeps instances that lost the same store from coming back all at the same moment.
struct Jitter(u64);

impl Jitter {
    fn new() -> Self {
        use std::hash::BuildHasher as _;
        Self(std::hash::RandomState::new().hash_one(0_u8) | 1)
    }

    /// Between three quarters and five quarters of `rest`.
    fn spread(&mut self, rest: Duration) -> Duration {
        // xorshift64 (Marsaglia 2003): evenness is all that is wanted.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        rest * 3 / 4 + rest / 2 * u32::try_from(self.0 % 1_024).unwrap_or(0) / 1_024
    }
}
