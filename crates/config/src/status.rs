//! What became of each object: what the API shows beside what was written.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::diagnostic::{Diagnostic, Subject};
use crate::name::QualifiedName;

/// How an object fares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It works.
    #[default]
    Enabled,
    /// It works, but perhaps not as meant.
    Warning,
    /// It does not work, and neither does what needs it.
    Disabled,
}

/// What became of one object, in the shape of Traefik's API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ObjectStatus {
    /// What is wrong with it.
    #[serde(rename = "error", skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
    /// Enabled, warning or disabled.
    pub status: Status,
    /// Of a router: the entry points where it listens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub using: Vec<String>,
    /// Of a middleware or service: the routers that refer to it.
    #[serde(rename = "usedBy", skip_serializing_if = "Vec::is_empty")]
    pub used_by: Vec<QualifiedName>,
}

/// What became of every object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statuses {
    /// Of routers.
    pub routers: BTreeMap<QualifiedName, ObjectStatus>,
    /// Of middlewares.
    pub middlewares: BTreeMap<QualifiedName, ObjectStatus>,
    /// Of services.
    pub services: BTreeMap<QualifiedName, ObjectStatus>,
    /// The priority that each router has, written or derived.
    pub priorities: BTreeMap<QualifiedName, i64>,
}

impl Statuses {
    /// Notes what was found after compiling: the object that it is about is disabled.
    pub fn disable(&mut self, found: &Diagnostic) {
        let object = match &found.subject {
            Some(Subject::Router(name)) => self.routers.get_mut(name),
            Some(Subject::Middleware(name)) => self.middlewares.get_mut(name),
            Some(Subject::Service(name)) => self.services.get_mut(name),
            None => None,
        };
        if let Some(object) = object {
            object.errors.push(found.message.clone());
            object.raise(Status::Disabled);
        }
    }
}

impl ObjectStatus {
    pub(crate) fn raise(&mut self, status: Status) {
        self.status = self.status.max(status);
    }
}
