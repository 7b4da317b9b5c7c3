//! A connection to a server, tried out, and what goes over it.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{Cmd, RedisError, RedisResult, Value};
use tollgate_limiter::{Ask, Monotonic, Quota, Span};

use super::address::Address;
use super::error::{ErrorKind, StoreError};
use super::greeting::{Greeting, ask_run_id, run_id};
use super::link::Setting;
use super::redirect::Redirect;
use super::reply::{self, Most};
use super::script::{KeyAsk, Script};
use crate::clock::Clock;

/// A connection that can do whatever a request needs.
#[derive(Clone)]
pub(super) struct Line {
    connection: MultiplexedConnection,
    /// Tells it from those to the same server before and after it.
    pub(super) number: u64,
    /// Which run of the server it leads to, if `strict` wants that to be known.
    pub(super) run_id: Option<Arc<str>>,
}

/// A call that was answered.
pub(super) struct Called {
    /// The answer; never an error of the server.
    pub(super) value: Value,
    /// When the attempt that was answered was sent, on [`Clock`].
    pub(super) sent: Monotonic,
    /// When its answer was here.
    pub(super) received: Monotonic,
}

/// Makes the command of a call, told which run of the server it goes to if that is known.
pub(super) type MakeCmd<'a> = dyn Fn(Option<&str>) -> Cmd + Send + Sync + 'a;

/// How to ask a node of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asking {
    /// As the one that is responsible.
    Owner,
    /// As the one that is about to be.
    Importer,
}

/// The digest of a bucket that only one probe uses, so that it always has something to write.
pub(super) type ProbeKey = [u8; 16];

impl Line {
    /// Tries out everything that a request needs: connects, logs in, loads the scripts and runs the first on the key of
    /// the probe. And learns what must be known before a request is answered: which run of the server it is, how many
    /// instances share it. `on_end` is told when the server closes the connection.
    pub(super) async fn open(
        setting: &Setting,
        address: &Address,
        number: u64,
        probe_key: ProbeKey,
        on_end: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        let Setting { options, scripts, beat, .. } = setting;
        let connection = connect(&options.client(address)?, options.connect_timeout, on_end).await?;
        let mut line = Self { connection, number, run_id: None };
        let patience = options.deadline;
        Greeting::read(&line.query(&Greeting::ask(), patience).await?).check(&options.topology)?;
        for script in scripts.iter().chain([beat.script()]) {
            line.query(&script.load(), patience).await?;
        }
        if options.strict {
            line.run_id = Some(run_id(&line.query(&ask_run_id(), patience).await?)?);
        }
        line.probe(setting, address, probe_key).await?;
        if !options.is_cluster() {
            line.beat(setting).await?;
        }
        Ok(line)
    }

    /// Writes to a bucket of the probe's own.
    async fn probe(&mut self, setting: &Setting, address: &Address, key: ProbeKey) -> Result<(), StoreError> {
        let quota = Quota::new(1, Duration::from_secs(1), 1).expect("one per second is a quota");
        let probe = setting.scripts[0].call(&[KeyAsk::plain(key, quota, Span::ZERO, Ask::ONE)], None);
        let is_elsewhere =
            |error: &RedisError| setting.options.is_cluster() && Redirect::read(error, address).is_some();
        let answer = within(setting.options.deadline, async {
            match ask(&mut self.connection, &probe, Asking::Owner).await {
                // It may be about to take over the hash slot.
                Err(error) if is_elsewhere(&error) => Ok(ask(&mut self.connection, &probe, Asking::Importer).await),
                answer => Ok(answer),
            }
        });
        match answer.await? {
            Ok(value) => reply::decode(value, &[Most { want: 1, lease: 0 }])?.keys.remove(0).map(drop),
            Err(error) if is_elsewhere(&error) => {
                Err(StoreError::new(ErrorKind::HashSlot, "it is not responsible any more for what it was"))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Says that this instance is there, and learns how many are.
    async fn beat(&mut self, setting: &Setting) -> Result<(), StoreError> {
        let Setting { options, beat, stats, clock, .. } = setting;
        if beat.has_left() {
            return Ok(());
        }
        let value = self.query(&beat.say(), options.deadline).await?;
        beat.on_answer(&value, clock.now()).or_else(|error| {
            stats.failed(error.kind);
            if error.kind.concerns_the_server() { Err(error) } else { Ok(()) }
        })
    }

    /// One call of a script. If the server does not know the script it has not run, so it is loaded and called again.
    pub(super) async fn call(
        &mut self,
        script: &Script,
        cmd: &MakeCmd<'_>,
        asking: Asking,
        clock: &Clock,
    ) -> RedisResult<Called> {
        let cmd = &cmd(self.run_id.as_deref());
        let mut sent = clock.now();
        let mut answer = ask(&mut self.connection, cmd, asking).await;
        if answer.as_ref().is_err_and(is_unknown_script) {
            send(&mut self.connection, &script.load()).await?;
            sent = clock.now();
            answer = ask(&mut self.connection, cmd, asking).await;
        }
        Ok(Called { value: answer?, sent, received: clock.now() })
    }

    /// Asks for something that is no script call.
    pub(super) async fn query(&mut self, cmd: &Cmd, patience: Duration) -> Result<Value, StoreError> {
        query(&mut self.connection, cmd, patience).await
    }
}

/// Asks a connection for something.
pub(super) async fn query(
    connection: &mut MultiplexedConnection,
    cmd: &Cmd,
    patience: Duration,
) -> Result<Value, StoreError> {
    within(patience, send(connection, cmd)).await
}

/// A connection, logged in; `on_end` is told when the other side closes it.
pub(super) async fn connect(
    client: &redis::Client,
    patience: Duration,
    on_end: impl Fn() + Send + Sync + 'static,
) -> Result<MultiplexedConnection, StoreError> {
    let config = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(Some(patience))
        // Every call has a deadline of its own.
        .set_response_timeout(None)
        .set_push_sender(move |push: redis::PushInfo| {
            if push.kind == redis::PushKind::Disconnection {
                on_end();
            }
            Ok::<(), redis::aio::SendError>(())
        });
    within(patience, client.get_multiplexed_async_connection_with_config(&config)).await
}

fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == redis::ErrorKind::Server(redis::ServerErrorKind::NoScript)
}

/// Sends a command. An error that the server answers with is an error here too.
async fn send(connection: &mut MultiplexedConnection, cmd: &Cmd) -> RedisResult<Value> {
    connection.req_packed_command(cmd).await?.extract_error()
}

/// [`send`], to whoever is to be asked like that. `ASKING` holds for the next command of the connection, so both are
/// written at once.
async fn ask(connection: &mut MultiplexedConnection, cmd: &Cmd, asking: Asking) -> RedisResult<Value> {
    if asking == Asking::Owner {
        return send(connection, cmd).await;
    }
    let mut pipeline = redis::Pipeline::with_capacity(2);
    pipeline.cmd("ASKING").add_command(cmd.clone());
    let answers = connection.req_packed_commands(&pipeline, 0, 2).await?;
    let answers = answers.into_iter().map(Value::extract_error).collect::<Result<Vec<_>, _>>()?;
    Ok(answers.into_iter().next_back().unwrap_or(Value::Nil))
}

/// Awaits a step for at most `limit`.
async fn within<T>(limit: Duration, step: impl Future<Output = RedisResult<T>>) -> Result<T, StoreError> {
    match tokio::time::timeout(limit, step).await {
        Ok(result) => result.map_err(StoreError::from),
        Err(_) => Err(StoreError::timeout(limit)),
    }
}
