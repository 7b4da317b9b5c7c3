//! What is said about one object while it is compiled.

use crate::diagnostic::{Diagnostic, Subject};
use crate::files::Files;
use crate::place::Place;
use crate::written::Written;

/// Collects the diagnostics of one object, with paths and places.
pub(super) struct Notes<'a> {
    subject: Subject,
    path: String,
    places: &'a dyn Places,
    diagnostics: &'a mut Vec<Diagnostic>,
    files: Files,
    failed: bool,
}

impl<'a> Notes<'a> {
    pub(super) fn new(subject: Subject, places: &'a dyn Places, diagnostics: &'a mut Vec<Diagnostic>) -> Self {
        Self { path: path_of(&subject), subject, places, diagnostics, files: Files::default(), failed: false }
    }

    /// Whether an error was noted: the object is disabled.
    pub(super) fn failed(&self) -> bool {
        self.failed
    }

    /// The files that the object refers to.
    pub(super) fn files(&mut self) -> &mut Files {
        &mut self.files
    }

    /// The files that were read for the object.
    pub(super) fn into_files(self) -> Files {
        self.files
    }

    /// Notes an error at a setting of the object (a path relative to it).
    pub(super) fn error(&mut self, code: &'static str, at: &str, message: impl Into<String>) -> &mut Diagnostic {
        self.failed = true;
        self.push(Diagnostic::error(code, "", None, message), at)
    }

    /// Notes a warning at a setting of the object.
    pub(super) fn warning(&mut self, code: &'static str, at: &str, message: impl Into<String>) -> &mut Diagnostic {
        self.push(Diagnostic::warning(code, "", None, message), at)
    }

    /// Notes something that was found by somebody who knows its path and place.
    pub(super) fn adopt(&mut self, mut diagnostic: Diagnostic) {
        self.failed |= diagnostic.is_error();
        diagnostic.subject = Some(self.subject.clone());
        diagnostic.path = join(&self.path, &diagnostic.path);
        self.diagnostics.push(diagnostic);
    }

    /// Notes that something Traefik has is not here yet.
    pub(super) fn not_yet(&mut self, at: &str, what: &str) {
        self.error("not-yet-here", at, format!("{what} is known to Traefik, not yet here"));
    }

    fn push(&mut self, mut diagnostic: Diagnostic, at: &str) -> &mut Diagnostic {
        diagnostic.path = join(&self.path, at);
        diagnostic.place = self.places.place_of(at);
        diagnostic.subject = Some(self.subject.clone());
        let index = self.diagnostics.len();
        self.diagnostics.push(diagnostic);
        &mut self.diagnostics[index]
    }
}

/// The reason was noted: the object is disabled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noted;

/// Something that knows where its settings were written.
pub(super) trait Places {
    /// Where the setting at this path was written.
    fn place_of(&self, path: &str) -> Option<Place>;
}

impl<T> Places for Written<T> {
    fn place_of(&self, path: &str) -> Option<Place> {
        Self::place_of(self, path)
    }
}

/// Where an object stands in the configuration of its provider.
pub(super) fn path_of(subject: &Subject) -> String {
    format!("http.{}s.{}", subject.kind(), subject.name().name())
}

fn join(path: &str, at: &str) -> String {
    if at.is_empty() { path.to_owned() } else { format!("{path}.{at}") }
}

/// Advice, for the reference that [`Notes::error`] gives.
pub(super) trait Advise {
    /// Says what to do about it.
    fn advise(&mut self, hint: impl Into<String>);
}

impl Advise for Diagnostic {
    fn advise(&mut self, hint: impl Into<String>) {
        self.hint = Some(hint.into());
    }
}
