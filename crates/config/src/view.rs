//! Objects in the shape of Traefik's API: what was written, what became of it, its name.
//!
//! Secrets are masked by the types of what was written.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::dynamic::{Middleware, Router, Service};
use crate::name::QualifiedName;
use crate::status::{ObjectStatus, Statuses};

/// A router as the API shows it.
#[derive(Debug, Serialize)]
pub struct RouterView<'a> {
    #[serde(flatten)]
    written: Router,
    #[serde(flatten)]
    status: &'a ObjectStatus,
    name: &'a QualifiedName,
    provider: &'a str,
    #[serde(rename = "priorityStr")]
    priority: String,
}

/// A middleware as the API shows it.
#[derive(Debug, Serialize)]
pub struct MiddlewareView<'a> {
    #[serde(flatten)]
    written: &'a Middleware,
    #[serde(flatten)]
    status: &'a ObjectStatus,
    name: &'a QualifiedName,
    provider: &'a str,
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    kind: String,
}

/// A service as the API shows it.
#[derive(Debug, Serialize)]
pub struct ServiceView<'a> {
    #[serde(flatten)]
    written: &'a Service,
    #[serde(flatten)]
    status: &'a ObjectStatus,
    #[serde(rename = "serverStatus", skip_serializing_if = "BTreeMap::is_empty")]
    servers: BTreeMap<String, &'static str>,
    name: &'a QualifiedName,
    provider: &'a str,
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    kind: String,
}

impl<'a> RouterView<'a> {
    /// The view of a router; `None` when it has no status, so was not compiled.
    pub fn new(name: &'a QualifiedName, written: &Router, statuses: &'a Statuses) -> Option<Self> {
        let status = statuses.routers.get(name)?;
        let mut written = written.clone();
        if let Some(&priority) = statuses.priorities.get(name) {
            written.priority = priority;
        }
        if written.entry_points.is_empty() {
            written.entry_points.clone_from(&status.using);
        }
        let priority = written.priority.to_string();
        let provider = name.provider();
        Some(Self { written, status, name, provider, priority })
    }
}

impl<'a> MiddlewareView<'a> {
    /// The view of a middleware; `None` when it has no status, so was not compiled.
    pub fn new(name: &'a QualifiedName, written: &'a Middleware, statuses: &'a Statuses) -> Option<Self> {
        let status = statuses.middlewares.get(name)?;
        let kind = written.kinds.first().map_or_else(String::new, |kind| kind.name().to_lowercase());
        Some(Self { written, status, name, provider: name.provider(), kind })
    }
}

impl<'a> ServiceView<'a> {
    /// The view of a service; `None` when it has no status, so was not compiled. `servers` tells
    /// for each URL, as shown, whether it is `UP` or `DOWN`.
    pub fn new(
        name: &'a QualifiedName,
        written: &'a Service,
        statuses: &'a Statuses,
        servers: BTreeMap<String, &'static str>,
    ) -> Option<Self> {
        let status = statuses.services.get(name)?;
        let kind = written.kinds.first().map_or_else(String::new, |kind| kind.name().to_lowercase());
        Some(Self { written, status, servers, name, provider: name.provider(), kind })
    }
}
