//! Which middlewares a reference stands for: itself, or the members of a chain.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::notes::{Advise, Notes};
use crate::checked::{Middleware, MiddlewareKind};
use crate::diagnostic::{Diagnostic, Subject};
use crate::dynamic::MergedConfig;
use crate::name::QualifiedName;
use crate::suggest;

/// How many middlewares a chain may come to. Chains of chains grow exponentially.
const LENGTH: usize = 1000;

/// How deep chains may nest.
const DEPTH: usize = 100;

/// Why a reference to a middleware cannot be used. Prints as Traefik's message.
#[derive(Debug, Clone)]
pub(super) enum Broken {
    /// There is no such middleware.
    Missing(QualifiedName),
    /// It is disabled, for this reason.
    Disabled(QualifiedName, String),
    /// It is a chain that cannot be followed.
    Endless(String),
}

/// All middlewares, chains resolved as they are asked for.
pub(super) struct Chains<'a> {
    merged: &'a MergedConfig,
    enabled: BTreeMap<QualifiedName, Arc<Middleware>>,
    resolved: BTreeMap<QualifiedName, Result<Vec<Arc<Middleware>>, Broken>>,
    reasons: BTreeMap<QualifiedName, String>,
}

impl<'a> Chains<'a> {
    /// With the middlewares that are enabled on their own.
    pub(super) fn new(merged: &'a MergedConfig, enabled: BTreeMap<QualifiedName, Arc<Middleware>>) -> Self {
        Self { merged, enabled, resolved: BTreeMap::new(), reasons: BTreeMap::new() }
    }

    /// Disables the chains with members that are missing or disabled.
    pub(super) fn check_all(&mut self, diagnostics: &mut Vec<Diagnostic>) {
        self.reasons = super::reasons(diagnostics, |subject| matches!(subject, Subject::Middleware(_)));
        let names: Vec<_> = self.enabled.keys().cloned().collect();
        let mut broken = Vec::new();
        for name in names {
            let Err(reason) = self.resolve(&name) else { continue };
            if let Some(written) = self.merged.middlewares.get(&name) {
                let mut notes = Notes::new(Subject::Middleware(name.clone()), written, diagnostics);
                let at = self.member_at(&name, &reason);
                let note = notes.error(reason.code(), &at, reason.to_string());
                note.hint = self.advice(&reason);
            }
            broken.push(name);
        }
        for name in broken {
            self.enabled.remove(&name);
        }
    }

    /// The middlewares that a reference stands for, in order.
    pub(super) fn resolve(&mut self, name: &QualifiedName) -> Result<Vec<Arc<Middleware>>, Broken> {
        self.follow(name, &mut Vec::new())
    }

    /// The middlewares that are enabled.
    pub(super) fn into_enabled(self) -> BTreeMap<QualifiedName, Arc<Middleware>> {
        self.enabled
    }

    /// What to do about a broken reference.
    pub(super) fn advice(&self, broken: &Broken) -> Option<String> {
        match broken {
            Broken::Missing(name) => self.similar(name).map(|meant| format!("did you mean {meant:?}?")),
            Broken::Disabled(name, _) => Some(format!("the middleware {name} is disabled")),
            Broken::Endless(_) => Some("a chain must not contain itself".to_owned()),
        }
    }

    fn similar(&self, name: &QualifiedName) -> Option<&str> {
        let names = || self.merged.middlewares.keys();
        let elsewhere = names().find(|known| known.name() == name.name());
        elsewhere
            .map(QualifiedName::as_str)
            .or_else(|| suggest::closest(name.as_str(), names().map(QualifiedName::as_str)))
    }

    fn follow(&mut self, name: &QualifiedName, stack: &mut Vec<QualifiedName>) -> Result<Vec<Arc<Middleware>>, Broken> {
        if let Some(resolved) = self.resolved.get(name) {
            return resolved.clone();
        }
        if stack.contains(name) || stack.len() == DEPTH {
            let steps: Vec<_> = stack.iter().chain([name]).map(QualifiedName::as_str).collect();
            let steps = steps.join("->");
            return Err(Broken::Endless(format!(
                "could not instantiate middleware {name}: recursion detected in {steps}"
            )));
        }
        stack.push(name.clone());
        let resolved = self.members(name, stack);
        stack.pop();
        self.resolved.insert(name.clone(), resolved.clone());
        resolved
    }

    fn members(
        &mut self,
        name: &QualifiedName,
        stack: &mut Vec<QualifiedName>,
    ) -> Result<Vec<Arc<Middleware>>, Broken> {
        let Some(middleware) = self.enabled.get(name).cloned() else {
            return Err(self.why_not(name));
        };
        let MiddlewareKind::Chain(members) = &middleware.kind else {
            return Ok(vec![middleware]);
        };
        let mut all = Vec::new();
        for member in members {
            all.extend(self.follow(member, stack)?);
            if all.len() > LENGTH {
                let message = format!("the chain {name} comes to more than {LENGTH} middlewares");
                return Err(Broken::Endless(message));
            }
        }
        Ok(all)
    }

    fn why_not(&self, name: &QualifiedName) -> Broken {
        match self.reasons.get(name) {
            Some(reason) => Broken::Disabled(name.clone(), reason.clone()),
            None => Broken::Missing(name.clone()),
        }
    }

    /// The path of the member of a chain that breaks it.
    fn member_at(&self, name: &QualifiedName, reason: &Broken) -> String {
        let Some(MiddlewareKind::Chain(members)) = self.enabled.get(name).map(|chain| &chain.kind) else {
            return String::new();
        };
        let index = match reason {
            Broken::Missing(member) | Broken::Disabled(member, _) => members.iter().position(|other| other == member),
            Broken::Endless(_) => None,
        };
        index.map_or_else(|| "chain.middlewares".to_owned(), |index| format!("chain.middlewares[{index}]"))
    }
}

impl Broken {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "unknown-middleware",
            Self::Disabled(..) => "disabled-middleware",
            Self::Endless(_) => "endless-chain",
        }
    }
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "middleware {:?} does not exist", name.as_str()),
            Self::Disabled(_, reason) | Self::Endless(reason) => f.write_str(reason),
        }
    }
}

/// Notes a broken reference.
pub(super) fn note(broken: &Broken, at: &str, chains: &Chains<'_>, notes: &mut Notes<'_>) {
    let note = notes.error(broken.code(), at, broken.to_string());
    if let Some(hint) = chains.advice(broken) {
        note.advise(hint);
    }
}
