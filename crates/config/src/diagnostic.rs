//! What is wrong, or will surprise, where it was written, and what to do about it.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::name::QualifiedName;
use crate::place::Place;

/// One thing to tell the user.
///
/// Prints as `file.yml:12:5: error: http.middlewares.x.rateLimit.period: negative value not
/// valid for period: -1s; hint: …`. Messages that Traefik has are in Traefik's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable, kebab-case name of this kind of problem.
    pub code: &'static str,
    /// The dotted path of the setting; empty for the file as a whole.
    pub path: String,
    /// Where it was written, when that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The object that is disabled, or warned about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It works, but perhaps not as meant.
    Warning,
    /// The file is refused, or the subject is disabled.
    Error,
}

/// An object of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A router.
    Router(QualifiedName),
    /// A middleware.
    Middleware(QualifiedName),
    /// A service.
    Service(QualifiedName),
}

impl Diagnostic {
    /// An error.
    pub fn error(
        code: &'static str,
        path: impl Into<String>,
        place: Option<Place>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            code,
            path: path.into(),
            place,
            message: message.into(),
            hint: None,
            subject: None,
        }
    }

    /// A warning.
    pub fn warning(
        code: &'static str,
        path: impl Into<String>,
        place: Option<Place>,
        message: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, path, place, message) }
    }

    /// The same with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same about an object.
    #[must_use]
    pub fn about(mut self, subject: Subject) -> Self {
        self.subject = Some(subject);
        self
    }

    /// Whether this is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}: ", self.severity)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

impl Subject {
    /// `router`, `middleware` or `service`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Router(_) => "router",
            Self::Middleware(_) => "middleware",
            Self::Service(_) => "service",
        }
    }

    /// The name of the object.
    pub fn name(&self) -> &QualifiedName {
        match self {
            Self::Router(name) | Self::Middleware(name) | Self::Service(name) => name,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.name())
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut subject = serializer.serialize_struct("Subject", 2)?;
        subject.serialize_field("kind", self.kind())?;
        subject.serialize_field("name", self.name())?;
        subject.end()
    }
}
