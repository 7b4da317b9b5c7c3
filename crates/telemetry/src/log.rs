//! The application log: what the instance has to say about itself.
//!
//! Events are `tracing`'s. They are written as Traefik's logger writes them: lines for people
//! (`2026-11-23T20:26:20Z INF a message key=value`), or JSON objects with `level`, the fields, `time` and `message`.
//! Like access log lines they are handed to a thread, so that a log that cannot be written holds up nothing.

mod format;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::exposition::{Collector, Exposition};
use crate::sink::{Sink, Target};

/// How a line looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Common,
    /// For machines.
    Json,
}

/// Traefik's `log` section.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What is important enough to be said.
    pub level: LevelFilter,
    /// How a line looks.
    pub format: Format,
    /// Where it goes: a file, or the standard output.
    pub file: Option<PathBuf>,
    /// No colours, although a terminal is watching. Files and pipes never get any.
    pub no_color: bool,
}

impl Default for Settings {
    /// Traefik's defaults: errors only, for people, on the standard output.
    fn default() -> Self {
        Self { level: LevelFilter::ERROR, format: Format::default(), file: None, no_color: false }
    }
}

/// The application log. Clones write to the same place.
#[derive(Clone)]
pub struct Log {
    sink: Arc<Sink>,
}

impl Log {
    /// Opens the log.
    pub fn open(settings: &Settings) -> io::Result<Self> {
        let target = settings.file.clone().map_or(Target::Stdout, Target::File);
        Ok(Self { sink: Arc::new(Sink::start("log", target, 0)?) })
    }

    /// What sends `tracing`'s events here, to be set as the process's subscriber or as a test's.
    pub fn subscriber(&self, settings: &Settings) -> impl tracing::Subscriber + Send + Sync + use<> {
        let color = settings.file.is_none() && !settings.no_color && io::stdout().is_terminal();
        tracing_subscriber::fmt()
            .with_max_level(settings.level)
            .with_writer(self.clone())
            .event_format(format::Lines { format: settings.format, color })
            .finish()
    }

    /// Asks for the file to be opened anew, after it was moved away. Does not wait for it.
    pub fn reopen(&self) {
        self.sink.reopen();
    }

    /// Writes what is left, waiting no longer than `patience`. Lines that come later are dropped.
    pub fn close(&self, patience: Duration) {
        self.sink.close(patience);
    }
}

impl Collector for Log {
    fn collect(&self, out: &mut Exposition) {
        let dropped = self.sink.counts().dropped;
        out.counter("tollgate_log_dropped_total", "Log lines lost: too many waited, or writing failed.")
            .sample(&[], dropped);
    }
}

/// Takes one line per call, as the subscriber writes it.
impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.sink.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests;
