//! What the files said at one moment.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tollgate_config::{Diagnostic, Place};

/// What is read.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// One file.
    File(PathBuf),
    /// All files of a directory and those below it.
    Directory(PathBuf),
}

/// The texts of all files of a source. Equal snapshots mean the same configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// By path, in the order in which Traefik reads a directory.
    pub(super) files: BTreeMap<PathBuf, Text>,
}

/// What a file said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Text {
    /// This.
    Is(String),
    /// It is not there.
    Missing,
    /// It could not be read, because of this.
    Unreadable(String),
}

impl Source {
    /// Reads all files as they are now. What cannot be read is part of the answer.
    pub(super) fn read(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        match self {
            Self::File(path) => snapshot.read(path),
            Self::Directory(path) => snapshot.walk(path, DEPTH_MAX),
        }
        snapshot
    }
}

impl Snapshot {
    fn read(&mut self, path: &Path) {
        let text = fs::read_to_string(path).map_or_else(|error| Text::of(&error), Text::Is);
        self.files.insert(path.to_owned(), text);
    }

    /// Reads the files below a directory whose names end as configuration does. Links to
    /// directories are not followed, as in Traefik. Names that begin with `..` are not looked at:
    /// behind them Kubernetes keeps the versions of a `ConfigMap`, to which the visible names are
    /// links. Nor are Emacs' locks, `.#name`, which are links to nowhere.
    fn walk(&mut self, folder: &Path, depth: usize) {
        let entries = match fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
            Ok(entries) => entries,
            Err(error) => {
                self.files.insert(folder.to_owned(), Text::of(&error));
                return;
            }
        };
        for entry in entries {
            let name = entry.file_name();
            let hidden = [b"..".as_slice(), b".#"].iter().any(|start| name.as_encoded_bytes().starts_with(start));
            let path = entry.path();
            if hidden {
                continue;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if depth > 0 {
                    self.walk(&path, depth - 1);
                }
            } else if is_configuration(&path) {
                self.read(&path);
            }
        }
    }

    /// Whether a file that said something before says nothing now: it is empty, or gone.
    pub(super) fn went_blank_since(&self, before: &Self) -> bool {
        before.files.iter().any(|(path, text)| !text.is_blank() && self.files.get(path).is_none_or(Text::is_blank))
    }
}

impl Text {
    fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            _ => Self::Unreadable(error.to_string()),
        }
    }

    fn is_blank(&self) -> bool {
        match self {
            Self::Is(text) => text.trim().is_empty(),
            Self::Missing => true,
            Self::Unreadable(_) => false,
        }
    }

    /// The text, or why there is none.
    pub(super) fn text(&self, path: &Path) -> Result<&str, Vec<Diagnostic>> {
        let reason = match self {
            Self::Is(text) => return Ok(text),
            Self::Missing => "no such file or directory",
            Self::Unreadable(reason) => reason,
        };
        let place = Some(Place::label(path.display().to_string()));
        Err(vec![Diagnostic::error("unreadable", "", place, format!("cannot be read: {reason}"))])
    }
}

/// Traefik reads these of a directory and nothing else.
fn is_configuration(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("yml" | "yaml" | "toml"))
}

/// Deeper than anybody sorts configuration; directories cannot form a circle without links.
const DEPTH_MAX: usize = 64;
