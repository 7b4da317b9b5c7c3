//! A provider that runs, and what it has said.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tollgate_config::static_config::File;
use tollgate_provider::file::Timing;
use tollgate_provider::{ConfigMessage, FileProvider};

/// Nothing here takes so long; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Routers called `names`, in one file.
pub(crate) fn routers(names: &[&str]) -> String {
    let mut text = "http:\n  routers:\n".to_owned();
    for name in names {
        writeln!(text, "    {name}:\n      rule: Path(`/{name}`)\n      service: s").unwrap();
    }
    text
}

pub(crate) struct Watched {
    pub(crate) folder: TempDir,
    messages: mpsc::Receiver<ConfigMessage>,
    task: JoinHandle<()>,
    /// The routers that are in force.
    pub(crate) routers: Vec<String>,
    /// What was reported last.
    pub(crate) reported: Vec<String>,
}

/// Everything that can be told from events alone: the poll never comes.
pub(crate) fn events_only(options: &File) -> FileProvider {
    let timing = Timing { poll: Duration::from_hours(1), ..Timing::default() };
    FileProvider::new(options).timing(timing)
}

/// The same, where a writer that has not closed its file is waited for as long as it takes.
pub(crate) fn patient(options: &File) -> FileProvider {
    let hour = Duration::from_hours(1);
    FileProvider::new(options).timing(Timing { poll: hour, settle_max: hour, ..Timing::default() })
}

/// Everything that can be told without events. With paused time nothing depends on the speed of
/// the machine.
pub(crate) fn poll_only(options: &File) -> FileProvider {
    let timing = Timing { poll: Duration::from_millis(50), ..Timing::default() };
    FileProvider::new(options).timing(timing).without_events()
}

impl Watched {
    /// Watches `name` in a new folder, where `files` already are.
    pub(crate) fn file(make: fn(&File) -> FileProvider, name: &str, files: &[(&str, &str)]) -> Self {
        let folder = folder(files);
        let filename = path_text(&folder.path().join(name));
        let options = File { filename, ..File::default() };
        Self::start(folder, &make(&options))
    }

    /// Watches a new folder, where `files` already are.
    pub(crate) fn directory(make: fn(&File) -> FileProvider, files: &[(&str, &str)]) -> Self {
        let folder = folder(files);
        let options = File { directory: path_text(folder.path()), ..File::default() };
        Self::start(folder, &make(&options))
    }

    /// Watches with a provider that was made for this folder.
    pub(crate) fn start(folder: TempDir, provider: &FileProvider) -> Self {
        let (first, watch) = provider.clone().start().expect("a watched provider starts");
        let (sender, messages) = mpsc::channel(16);
        let task = tokio::spawn(watch.expect("it is watched").run(sender));
        let mut watched = Self { folder, messages, task, routers: Vec::new(), reported: Vec::new() };
        watched.take(first);
        watched
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Writes beside the file and puts it in its place, as editors do.
    pub(crate) fn replace(&self, name: &str, text: &str) {
        let beside = self.path(&format!("{name}~"));
        fs::write(&beside, text).unwrap();
        fs::rename(&beside, self.path(name)).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    /// Takes messages until `done`. Routers must never vanish on the way.
    pub(crate) async fn until(&mut self, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            let message = tokio::time::timeout(PATIENCE, self.messages.recv()).await;
            let message = message.unwrap_or_else(|_| panic!("still {:?}, {:?}", self.routers, self.reported));
            self.take(message.expect("the watch goes on"));
        }
    }

    /// Waits until exactly these routers are in force and nothing is wrong.
    pub(crate) async fn until_routers(&mut self, names: &[&str]) {
        self.until(|watched| watched.routers == names && watched.reported.is_empty()).await;
    }

    /// Whether nothing is said for so long (of paused time).
    pub(crate) async fn is_silent_for(&mut self, duration: Duration) -> bool {
        match tokio::time::timeout(duration, self.messages.recv()).await {
            Ok(Some(message)) => {
                self.take(message);
                false
            }
            Ok(None) => panic!("the watch goes on"),
            Err(_) => true,
        }
    }

    /// Ends watching, and waits until it has ended.
    pub(crate) async fn stop(self) {
        drop(self.messages);
        tokio::time::timeout(PATIENCE, self.task).await.expect("the watch ends").unwrap();
    }

    fn take(&mut self, message: ConfigMessage) {
        assert_eq!(message.provider, "file");
        if let Some(config) = message.config {
            let http = config.http.unwrap_or_default();
            self.routers = http.routers.keys().cloned().collect();
        }
        self.reported = message.diagnostics.iter().map(ToString::to_string).collect();
    }
}

pub(crate) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

pub(crate) fn path_text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
