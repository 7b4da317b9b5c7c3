//! From what was written to what is meant.
//!
//! Compiling never fails as a whole. A mistake disables its object, and whatever needs it, with a
//! [`Diagnostic`]; everything else works. This is Traefik's second class of failures; the first,
//! refusing a file, is the loader's.

mod chain;
mod context;
mod criterion;
mod headers;
mod material;
mod middleware;
mod notes;
mod rate_limit;
mod redis;
mod router;
mod sections;
mod server;
mod service;
mod window;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::checked::{CheckedConfig, InternalService};
use crate::diagnostic::{Diagnostic, Severity, Subject};
use crate::dynamic::MergedConfig;
use crate::files::Files;
use crate::name::QualifiedName;
use crate::status::{ObjectStatus, Status, Statuses};
pub use context::{Context, EntryPointFacts};

use chain::Chains;
use notes::Notes;

/// What compiling gives.
#[derive(Debug, Clone, Default)]
pub struct Compiled {
    /// What is enabled.
    pub config: CheckedConfig,
    /// What is wrong or will surprise: middlewares first, then services, routers and the rest.
    pub diagnostics: Vec<Diagnostic>,
    /// What became of every object.
    pub status: Statuses,
    /// The files that key material came from.
    pub files: Files,
}

/// Compiles a configuration. Reads key material that it refers to from files; compile it again when [`Compiled::files`]
/// have changed.
pub fn compile(merged: &MergedConfig, context: &Context) -> Compiled {
    let mut compiled = Compiled::default();
    middlewares(merged, &mut compiled);
    let mut chains = Chains::new(merged, std::mem::take(&mut compiled.config.middlewares));
    chains.check_all(&mut compiled.diagnostics);
    services(merged, context, &mut compiled);
    routers(merged, context, &mut chains, &mut compiled);
    sections::not_yet(merged, &mut compiled.diagnostics);
    compiled.config.middlewares = chains.into_enabled();
    statuses(merged, context, &mut compiled);
    compiled
}

fn middlewares(merged: &MergedConfig, compiled: &mut Compiled) {
    for (name, written) in &merged.middlewares {
        let subject = Subject::Middleware(name.clone());
        let mut notes = Notes::new(subject, written, &mut compiled.diagnostics);
        if let Some(middleware) = middleware::compile(name, written, &mut notes) {
            compiled.config.middlewares.insert(name.clone(), Arc::new(middleware));
        }
        compiled.files.extend(notes.into_files());
    }
}

fn services(merged: &MergedConfig, context: &Context, compiled: &mut Compiled) {
    for (name, written) in &merged.services {
        let subject = Subject::Service(name.clone());
        let mut notes = Notes::new(subject, written, &mut compiled.diagnostics);
        if let Some(service) = service::compile(name, written, merged, &mut notes) {
            compiled.config.services.insert(name.clone(), Arc::new(service));
        }
    }
    let internal = context.internal_services.iter().chain([&InternalService::Noop]);
    compiled.config.services.extend(internal.map(|&internal| service::internal(internal)));
}

fn routers<'a>(merged: &'a MergedConfig, context: &'a Context, chains: &mut Chains<'a>, compiled: &mut Compiled) {
    let disabled = reasons(&compiled.diagnostics, |subject| matches!(subject, Subject::Service(_)));
    let mut builder = router::Builder::new(merged, context, chains, &compiled.config.services, disabled);
    let mut diagnostics = Vec::new();
    for (name, written) in &merged.routers {
        let mut notes = Notes::new(Subject::Router(name.clone()), written, &mut diagnostics);
        compiled.config.routers.extend(builder.compile(name, written, &mut notes));
    }
    diagnostics.extend(builder.into_warnings());
    compiled.status.priorities =
        compiled.config.routers.iter().map(|router| (router.name.clone(), router.priority)).collect();
    compiled.diagnostics.append(&mut diagnostics);
}

/// The first error of every object of a kind.
fn reasons(diagnostics: &[Diagnostic], kind: impl Fn(&Subject) -> bool) -> BTreeMap<QualifiedName, String> {
    let mut reasons = BTreeMap::new();
    for diagnostic in diagnostics.iter().filter(|diagnostic| diagnostic.is_error()) {
        if let Some(subject) = diagnostic.subject.as_ref().filter(|subject| kind(subject)) {
            reasons.entry(subject.name().clone()).or_insert_with(|| diagnostic.message.clone());
        }
    }
    reasons
}

/// Every object has a status; what the diagnostics say about an object is its error text.
fn statuses(merged: &MergedConfig, context: &Context, compiled: &mut Compiled) {
    let status = &mut compiled.status;
    status.routers = merged.routers.keys().map(|name| (name.clone(), ObjectStatus::default())).collect();
    status.middlewares = merged.middlewares.keys().map(|name| (name.clone(), ObjectStatus::default())).collect();
    status.services = merged.services.keys().map(|name| (name.clone(), ObjectStatus::default())).collect();
    for diagnostic in &compiled.diagnostics {
        let Some(subject) = &diagnostic.subject else { continue };
        let objects = match subject {
            Subject::Router(_) => &mut status.routers,
            Subject::Middleware(_) => &mut status.middlewares,
            Subject::Service(_) => &mut status.services,
        };
        if let Some(object) = objects.get_mut(subject.name()) {
            object.errors.push(diagnostic.message.clone());
            object.raise(match diagnostic.severity {
                Severity::Warning => Status::Warning,
                Severity::Error => Status::Disabled,
            });
        }
    }
    for (name, router) in &merged.routers {
        if let Some(object) = status.routers.get_mut(name) {
            object.using = context.entry_points_of(&router.entry_points);
        }
    }
    for router in &compiled.config.routers {
        if let Some(object) = status.routers.get_mut(&router.name) {
            object.using.clone_from(&router.entry_points);
            // It listens: what was said about one of its entry points did not disable it.
            object.status = object.status.min(Status::Warning);
        }
    }
    used_by(merged, status);
}

fn used_by(merged: &MergedConfig, status: &mut Statuses) {
    let mut users: BTreeMap<QualifiedName, BTreeSet<&QualifiedName>> = BTreeMap::new();
    let mut services: BTreeMap<QualifiedName, BTreeSet<&QualifiedName>> = BTreeMap::new();
    for (name, router) in &merged.routers {
        for reference in &router.middlewares {
            users.entry(QualifiedName::resolve(reference, name.provider())).or_default().insert(name);
        }
        services.entry(QualifiedName::resolve(&router.service, name.provider())).or_default().insert(name);
    }
    for (users, objects) in [(users, &mut status.middlewares), (services, &mut status.services)] {
        for (name, routers) in users {
            if let Some(object) = objects.get_mut(&name) {
                object.used_by = routers.into_iter().cloned().collect();
            }
        }
    }
}
