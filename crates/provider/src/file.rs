//! Dynamic configuration from a file, or from all files of a directory.
//!
//! What is broken is refused as a whole, as in Traefik: the errors are reported once per change
//! and the last good configuration stays. In a directory one bad file refuses the whole.
//!
//! A file that is empty for a moment must not take all routes away. Traefik applies an empty file
//! at once; here a file that became empty, or is gone, has two seconds to come back ([`Timing`]).
//! The same goes for a file that disappears from a directory.

mod merge;
mod snapshot;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use tollgate_config::static_config::File;
use tollgate_config::{Diagnostic, DynamicConfig};

pub use watch::FileWatch;

use crate::ConfigMessage;
use snapshot::{Snapshot, Source};

/// The name of this provider.
pub const NAME: &str = "file";

/// Reads files, and watches them if it shall.
#[derive(Debug, Clone)]
pub struct FileProvider {
    source: Source,
    watch: bool,
    events: bool,
    timing: Timing,
}

/// How long the provider waits for what.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Quiet after the last event before files are read.
    pub settle: Duration,
    /// Time after the first event at which they are read all the same; until then a file that
    /// somebody is still writing is waited for.
    pub settle_max: Duration,
    /// How long a file must stay empty, or away, before that is believed.
    pub blank: Duration,
    /// How often files are compared in case events do not come: network file systems, links that
    /// change far away.
    pub poll: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            settle: Duration::from_millis(100),
            settle_max: Duration::from_secs(2),
            blank: Duration::from_secs(2),
            poll: Duration::from_secs(5),
        }
    }
}

impl FileProvider {
    /// A provider for the options `providers.file`, of which `directory` prevails over `filename`.
    pub fn new(options: &File) -> Self {
        let source = if options.directory.is_empty() {
            Source::File(PathBuf::from(&options.filename))
        } else {
            Source::Directory(PathBuf::from(&options.directory))
        };
        Self { source, watch: options.watch, events: true, timing: Timing::default() }
    }

    /// The same with other waiting times.
    #[must_use]
    pub fn timing(self, timing: Timing) -> Self {
        Self { timing, ..self }
    }

    /// The same without events of the file system: files are compared now and then.
    #[must_use]
    pub fn without_events(self) -> Self {
        Self { events: false, ..self }
    }

    /// Reads everything once, and gives what watches from then on, if it shall be watched.
    ///
    /// When the first reading fails and files are watched, the message says so and has no
    /// configuration: the gateway starts without routes and gets them when the file is mended.
    ///
    /// # Errors
    /// The first reading failed and nobody will look again.
    pub fn start(self) -> Result<(ConfigMessage, Option<FileWatch>), Vec<Diagnostic>> {
        // Watching begins before reading, so that no change falls between the two.
        let watch = self.watch.then(|| FileWatch::new(self.source.clone(), self.timing, self.events));
        let snapshot = self.source.read();
        let outcome = load(&self.source, &snapshot);
        match watch {
            Some(mut watch) => Ok((watch.begin(snapshot, outcome), Some(watch))),
            None => outcome.map(|(config, diagnostics)| (applied(config, diagnostics), None)),
        }
    }
}

type Loaded = Result<(DynamicConfig, Vec<Diagnostic>), Vec<Diagnostic>>;

fn load(source: &Source, snapshot: &Snapshot) -> Loaded {
    match source {
        Source::File(_) => merge::load_one(snapshot),
        Source::Directory(_) => merge::load_all(snapshot),
    }
}

fn applied(config: DynamicConfig, diagnostics: Vec<Diagnostic>) -> ConfigMessage {
    ConfigMessage { provider: NAME, config: Some(config), diagnostics }
}

fn refused(diagnostics: Vec<Diagnostic>) -> ConfigMessage {
    ConfigMessage { provider: NAME, config: None, diagnostics }
}
