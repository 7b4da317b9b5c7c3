//! `tollgate run`.

use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tollgate_admin::settings as shown;
use tollgate_config::{Diagnostic, StaticConfig};
use tollgate_telemetry::log::Log;

use crate::instance::{Feed, Instance, StartError};
use crate::report;

/// Serves until it is told to end.
pub(crate) fn run(flags: &[String]) -> ExitCode {
    match load(flags) {
        Ok((config, warnings)) => serve(&config, &warnings, Feed::Providers, |_| {}),
        Err(problems) => report::refuse(&problems),
    }
}

/// The static configuration, from wherever it is.
pub(crate) fn load(flags: &[String]) -> Result<(StaticConfig, Vec<Diagnostic>), Vec<Diagnostic>> {
    // What is not UTF-8 cannot be an option.
    let environment =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    StaticConfig::load(flags, environment, |path| std::fs::read_to_string(path))
}

/// Serves with this configuration until a signal ends it; `started` is called once, when it serves.
pub(crate) fn serve(
    config: &StaticConfig,
    warnings: &[Diagnostic],
    feed: Feed,
    started: impl FnOnce(&Instance),
) -> ExitCode {
    let log_settings = shown::log(&config.log.clone().unwrap_or_default());
    let log = match Log::open(&log_settings) {
        Ok(log) => log,
        Err(error) => return report::complain(&format!("the log cannot be opened: {error}")),
    };
    if tracing::subscriber::set_global_default(log.subscriber(&log_settings)).is_err() {
        return report::complain("the log is set up already");
    }
    report::log(warnings);
    let outcome = on_runtimes(|stores| until_the_end(config, feed, &log, stores, started));
    log.close(LOG_PATIENCE);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(StartError::Refused(problems)) => report::refuse(&problems),
        Err(StartError::System(error)) => report::complain(&chain(&*error)),
    }
}

/// How long a log may take to write what is left when the process ends.
pub(crate) const LOG_PATIENCE: Duration = Duration::from_secs(2);

/// Runs the control plane on this thread, with another for the stores.
fn on_runtimes<F: Future<Output = Result<(), StartError>>>(
    program: impl FnOnce(Handle) -> F,
) -> Result<(), StartError> {
    let stores = Builder::new_multi_thread().worker_threads(1).thread_name("tollgate-stores").enable_all().build()?;
    let control = Builder::new_current_thread().enable_all().build()?;
    let outcome = control.block_on(program(stores.handle().clone()));
    // Nobody waits for a store that does not answer.
    stores.shutdown_background();
    outcome
}

async fn until_the_end(
    config: &StaticConfig,
    feed: Feed,
    log: &Log,
    stores: Handle,
    started: impl FnOnce(&Instance),
) -> Result<(), StartError> {
    let mut signals = Signals::new()?;
    let instance = Instance::start(config, feed, log, stores).await?;
    started(&instance);
    while let Heard::Reopen = signals.next().await {
        instance.reopen_logs();
        log.reopen();
    }
    tracing::info!("ending: requests under way are finished first");
    tokio::select! {
        () = instance.shutdown() => {}
        () = signals.end() => tracing::warn!("told to end at once: requests under way are cut"),
    }
    Ok(())
}

/// An error and what caused it, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    reopen: Signal,
}

enum Heard {
    End,
    Reopen,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reopen: signal(SignalKind::user_defined1())?,
        })
    }

    async fn next(&mut self) -> Heard {
        tokio::select! {
            _ = self.terminate.recv() => Heard::End,
            _ = self.interrupt.recv() => Heard::End,
            _ = self.reopen.recv() => Heard::Reopen,
        }
    }

    async fn end(&mut self) {
        while let Heard::Reopen = self.next().await {}
    }
}
