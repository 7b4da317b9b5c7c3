//! Events of the file system, boiled down.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::file::snapshot::Source;

/// Tells that something happened to the files of a source, and whether somebody is in the middle
/// of writing one.
#[derive(Debug)]
pub(super) struct Activity {
    shared: Arc<Shared>,
    /// `None` when the system gives us no watch: then only the poll notices changes.
    watcher: Option<RecommendedWatcher>,
    watched: Vec<Target>,
}

/// Written by the watcher's thread, read by the task that watches.
#[derive(Debug, Default)]
struct Shared {
    happened: Notify,
    /// Files with data that their writer has not closed yet.
    writing: Mutex<BTreeSet<PathBuf>>,
}

/// A directory to watch, and which one it is, since another may take its place.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    path: PathBuf,
    recursive: bool,
    identity: Option<Identity>,
}

impl Activity {
    pub(super) fn new(source: &Source) -> Self {
        let mut activity = Self { shared: Arc::default(), watcher: None, watched: Vec::new() };
        activity.renew(source);
        activity
    }

    /// Something happened since the last time.
    pub(super) async fn happened(&self) {
        self.shared.happened.notified().await;
    }

    /// Whether a file has been written to and not been closed.
    pub(super) fn is_writing(&self) -> bool {
        !self.shared.writing.lock().is_empty()
    }

    /// Nobody is waited for any longer.
    pub(super) fn forget_writing(&self) {
        self.shared.writing.lock().clear();
    }

    /// Watches the directories of the source, all anew if one is not the one it was.
    pub(super) fn renew(&mut self, source: &Source) {
        let targets = targets(source);
        if self.watcher.is_some() && targets == self.watched {
            return;
        }
        // The old watcher goes first: at no time are there two.
        self.watcher = None;
        self.forget_writing();
        let shared = Arc::clone(&self.shared);
        let events = move |event: notify::Result<Event>| shared.receive(event);
        let config = Config::default().with_follow_symlinks(false);
        let Ok(mut watcher) = RecommendedWatcher::new(events, config) else {
            return;
        };
        for target in &targets {
            let mode = if target.recursive { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            // One that cannot be watched now is tried again when it is another one; until then
            // there is the poll.
            let _ = watcher.watch(&target.path, mode);
        }
        self.watcher = Some(watcher);
        self.watched = targets;
    }
}

impl Shared {
    fn receive(&self, event: notify::Result<Event>) {
        // Events that were lost are as good as any.
        let Ok(event) = event else {
            self.happened.notify_one();
            return;
        };
        match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Remove(_) => self.closed(&event.paths),
            // Our own reading, for one.
            EventKind::Access(_) => return,
            EventKind::Modify(ModifyKind::Data(_)) => self.written(event.paths),
            _ => {}
        }
        self.happened.notify_one();
    }

    fn written(&self, paths: Vec<PathBuf>) {
        let mut writing = self.writing.lock();
        // Only where the system tells of closing too, and never for more files than anybody has.
        if CLOSING_IS_TOLD && writing.len() < WRITING_MAX {
            writing.extend(paths.into_iter().filter(|path| may_be_configuration(path)));
        }
    }

    fn closed(&self, paths: &[PathBuf]) {
        let mut writing = self.writing.lock();
        for path in paths {
            writing.remove(path);
        }
    }
}

/// The directories where something happens when the source changes: the one of the file, or the
/// one that is read and the one it is in; and where they really are.
fn targets(source: &Source) -> Vec<Target> {
    let (path, recursive) = match source {
        Source::File(path) => (path, None),
        Source::Directory(path) => (path, Some(path.clone())),
    };
    let real = fs::canonicalize(path).ok();
    let mut targets: Vec<Target> = Vec::new();
    let parents = [Some(path), real.as_ref()].into_iter().flatten().map(|path| Target::new(parent(path), false));
    let below = recursive.map(|path| Target::new(real.clone().unwrap_or(path), true));
    for target in parents.chain(below) {
        if !targets.iter().any(|known| known.path == target.path) {
            targets.push(target);
        }
    }
    targets
}

impl Target {
    fn new(path: PathBuf, recursive: bool) -> Self {
        Self { identity: identity(&path), path, recursive }
    }
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => path.to_owned(),
    }
}

/// A file beside the configuration, such as a log, may be open for writing all the time.
fn may_be_configuration(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("yml" | "yaml" | "toml" | "json"))
}

#[cfg(unix)]
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
type Identity = ();

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<Identity> {
    fs::metadata(path).ok().map(drop)
}

const CLOSING_IS_TOLD: bool = cfg!(target_os = "linux");
const WRITING_MAX: usize = 1_024;
