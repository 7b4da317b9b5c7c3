//! One router.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tollgate_limiter::Criterion;
use tollgate_rule::{Rule, RuleSyntax};

use super::chain::{self, Chains};
use super::notes::{Advise, Notes};
use super::{Context, EntryPointFacts};
use crate::checked::{InternalService, Middleware, MiddlewareKind, RateLimitOrigin, Router, Service};
use crate::diagnostic::{Diagnostic, Subject};
use crate::dynamic::{MergedConfig, Router as Written};
use crate::name::QualifiedName;
use crate::suggest;

/// Above this, priorities belong to Traefik's own routers.
const PRIORITY_MAX: i64 = i64::MAX - 1000;

/// Compiles routers and remembers what was already said about their middlewares.
pub(super) struct Builder<'a, 'c> {
    merged: &'a MergedConfig,
    context: &'a Context,
    chains: &'c mut Chains<'a>,
    services: &'c BTreeMap<QualifiedName, Arc<Service>>,
    /// Why services are disabled.
    disabled: BTreeMap<QualifiedName, String>,
    untrusted: BTreeSet<(QualifiedName, String)>,
    warnings: Vec<Diagnostic>,
}

impl<'a, 'c> Builder<'a, 'c> {
    pub(super) fn new(
        merged: &'a MergedConfig,
        context: &'a Context,
        chains: &'c mut Chains<'a>,
        services: &'c BTreeMap<QualifiedName, Arc<Service>>,
        disabled: BTreeMap<QualifiedName, String>,
    ) -> Self {
        Self { merged, context, chains, services, disabled, untrusted: BTreeSet::new(), warnings: Vec::new() }
    }

    /// What was found about middlewares where routers use them.
    pub(super) fn into_warnings(self) -> Vec<Diagnostic> {
        self.warnings
    }

    /// Checks one router; `None` when it is disabled.
    pub(super) fn compile(&mut self, name: &QualifiedName, written: &Written, notes: &mut Notes<'_>) -> Option<Router> {
        if !written.parent_refs.is_empty() {
            notes.not_yet("parentRefs", "a child router (parentRefs)");
        }
        if written.tls.is_some() {
            notes.not_yet("tls", "a router that takes only TLS (tls)");
        }
        let rule = rule(written, notes);
        let service = self.service(name, written, notes);
        let own = self.own_middlewares(name, written, notes);
        let entry_points = self.entry_points(written, notes);
        let priority = priority(written, rule.as_ref(), notes);
        if notes.failed() {
            return None;
        }
        let middlewares = self.by_entry_point(name.provider(), &entry_points, &own?, notes);
        if middlewares.is_empty() {
            return None;
        }
        let observability = written.observability.as_ref();
        Some(Router {
            name: name.clone(),
            rule: rule?,
            priority: priority?,
            entry_points: entry_points
                .into_iter()
                .map(|facts| facts.name.clone())
                .filter(|name| middlewares.contains_key(name))
                .collect(),
            middlewares,
            service: service?,
            access_log: observability.and_then(|written| written.access_logs).unwrap_or(true),
            metrics: observability.and_then(|written| written.metrics).unwrap_or(true),
        })
    }

    fn service(&self, name: &QualifiedName, written: &Written, notes: &mut Notes<'_>) -> Option<Arc<Service>> {
        if written.service.is_empty() {
            notes.error("no-service", "service", "the service is missing on the router");
            return None;
        }
        let reference = QualifiedName::resolve(&written.service, name.provider());
        if let Some(service) = self.services.get(&reference) {
            return Some(Arc::clone(service));
        }
        if reference.provider() == "internal" {
            internal_service_refused(&reference, notes);
        } else if let Some(reason) = self.disabled.get(&reference) {
            notes.error("disabled-service", "service", reason).advise(format!("the service {reference} is disabled"));
        } else {
            let message = format!("the service {:?} does not exist", reference.as_str());
            let hint = self.advice(&reference);
            notes.error("unknown-service", "service", message).hint = hint;
        }
        None
    }

    fn advice(&self, reference: &QualifiedName) -> Option<String> {
        let names = || self.merged.services.keys();
        let elsewhere = names().find(|known| known.name() == reference.name()).map(QualifiedName::as_str);
        let meant = elsewhere.or_else(|| suggest::closest(reference.as_str(), names().map(QualifiedName::as_str)));
        match meant {
            Some(meant) => Some(format!("did you mean {meant:?}?")),
            None => self.unknown_provider(reference),
        }
    }

    fn unknown_provider(&self, reference: &QualifiedName) -> Option<String> {
        let provider = reference.provider();
        let unknown = !self.context.providers.is_empty() && !self.context.providers.contains(provider);
        unknown.then(|| format!("no provider {provider:?} is configured"))
    }

    fn own_middlewares(
        &mut self,
        name: &QualifiedName,
        written: &Written,
        notes: &mut Notes<'_>,
    ) -> Option<Vec<Arc<Middleware>>> {
        let mut all = Vec::new();
        for (index, reference) in written.middlewares.iter().enumerate() {
            let at = format!("middlewares[{index}]");
            match self.chains.resolve(&QualifiedName::resolve(reference, name.provider())) {
                Ok(middlewares) => all.extend(middlewares),
                Err(broken) => chain::note(&broken, &at, self.chains, notes),
            }
        }
        (!notes.failed()).then_some(all)
    }

    /// The entry points that exist; the default ones when none is written.
    fn entry_points(&self, written: &Written, notes: &mut Notes<'_>) -> Vec<&'a EntryPointFacts> {
        if written.entry_points.is_empty() {
            return self.default_entry_points(notes);
        }
        let known = &self.context.entry_points;
        let mut found: Vec<&EntryPointFacts> = Vec::new();
        let mut missing = Vec::new();
        for (index, name) in written.entry_points.iter().enumerate() {
            match known.iter().find(|facts| facts.name == *name) {
                Some(facts) if found.iter().any(|other| other.name == facts.name) => {}
                Some(facts) => found.push(facts),
                None => missing.push((index, name)),
            }
        }
        for (index, name) in missing {
            let message = format!("entryPoint {name:?} doesn't exist");
            let hint = suggest::closest(name, known.iter().map(|facts| facts.name.as_str()))
                .map(|meant| format!("did you mean {meant:?}?"));
            let at = format!("entryPoints[{index}]");
            notes.warning("unknown-entry-point", &at, message).hint = hint;
        }
        if found.is_empty() {
            notes.error("no-entry-point", "entryPoints", "no valid entryPoint for this router");
        }
        found
    }

    fn default_entry_points(&self, notes: &mut Notes<'_>) -> Vec<&'a EntryPointFacts> {
        let public = || self.context.entry_points.iter().filter(|facts| !facts.internal);
        let mut found: Vec<_> = public().filter(|facts| facts.as_default).collect();
        if found.is_empty() {
            found = public().collect();
        }
        if found.is_empty() {
            notes.error("no-entry-point", "", "no valid entryPoint for this router");
        }
        found
    }

    /// What requests pass on each entry point. An entry point with a broken middleware is left
    /// out; the router is disabled when none remains.
    fn by_entry_point(
        &mut self,
        provider: &str,
        entry_points: &[&EntryPointFacts],
        own: &[Arc<Middleware>],
        notes: &mut Notes<'_>,
    ) -> BTreeMap<String, Vec<Arc<Middleware>>> {
        let mut all = BTreeMap::new();
        let mut told = BTreeSet::new();
        for facts in entry_points {
            let mut middlewares = Vec::new();
            let mut whole = true;
            for reference in &facts.middlewares {
                match self.chains.resolve(&QualifiedName::resolve(reference, provider)) {
                    Ok(resolved) => middlewares.extend(resolved),
                    Err(broken) => {
                        whole = false;
                        let message = format!("entry point {:?}: {broken}", facts.name);
                        let hint = self.chains.advice(&broken);
                        notes.error(broken.code(), "", message).hint = hint;
                    }
                }
            }
            if !whole {
                continue;
            }
            middlewares.extend(own.iter().cloned());
            twice(&middlewares, &mut told, notes);
            self.warn_untrusted(&middlewares, facts);
            all.insert(facts.name.clone(), middlewares);
        }
        all
    }

    /// What looks at `X-Forwarded-For` finds nothing where nobody's is believed.
    fn warn_untrusted(&mut self, middlewares: &[Arc<Middleware>], facts: &EntryPointFacts) {
        if facts.trusts_forwarded {
            return;
        }
        for middleware in middlewares {
            let Some((at, instead)) = forwarded_at(middleware) else { continue };
            if !self.untrusted.insert((middleware.name.clone(), facts.name.clone())) {
                continue;
            }
            let Some(written) = self.merged.middlewares.get(&middleware.name) else { continue };
            let mut notes = Notes::new(Subject::Middleware(middleware.name.clone()), written, &mut self.warnings);
            let message = format!(
                "the entry point {:?} trusts nobody, so every X-Forwarded-For is removed there and {instead}",
                facts.name
            );
            notes.warning("untrusted-forwarded-for", &at, message).advise(format!(
                "list your proxies in entryPoints.{}.forwardedHeaders.trustedIPs (excludedIPs trusts and exempts nobody)",
                facts.name
            ));
        }
    }
}

/// Where a middleware says that it looks at `X-Forwarded-For`, and what happens without one.
fn forwarded_at(middleware: &Middleware) -> Option<(String, &'static str)> {
    let (kind, criterion, instead) = match &middleware.kind {
        MiddlewareKind::RateLimit(limit) => {
            let at = match limit.origin {
                RateLimitOrigin::RateLimit => "rateLimit.sourceCriterion",
                RateLimitOrigin::DistributedRateLimit => "plugin.distributedRateLimit.sourceCriterion",
            };
            (at, &limit.criterion, "the address of the connection is counted")
        }
        MiddlewareKind::IpAllowList(list) => ("ipAllowList", &list.strategy, "everybody is refused"),
        _ => return None,
    };
    let field = match criterion {
        Criterion::ForwardedDepth { .. } => "depth",
        Criterion::ForwardedExcluding { .. } => "excludedIPs",
        _ => return None,
    };
    Some((format!("{kind}.ipStrategy.{field}"), instead))
}

fn twice(middlewares: &[Arc<Middleware>], told: &mut BTreeSet<QualifiedName>, notes: &mut Notes<'_>) {
    let mut seen = BTreeSet::new();
    for middleware in middlewares {
        if !seen.insert(&middleware.name) && told.insert(middleware.name.clone()) {
            let message = format!("requests pass the middleware {} twice", middleware.name);
            let note = notes.warning("middleware-twice", "middlewares", message);
            if matches!(middleware.kind, MiddlewareKind::RateLimit(_)) {
                note.advise("each request is charged twice");
            }
        }
    }
}

fn internal_service_refused(reference: &QualifiedName, notes: &mut Notes<'_>) {
    let name = reference.name();
    let (message, hint) = match InternalService::named(name) {
        Some(_) => (format!("{name} is not enabled"), format!("only the static configuration can enable {reference}")),
        None => (
            format!("unknown internal service {reference}"),
            "services of the provider internal are Tollgate's own".to_owned(),
        ),
    };
    notes.error("internal-service", "service", message).advise(hint);
}

fn rule(written: &Written, notes: &mut Notes<'_>) -> Option<Rule> {
    if written.rule.is_empty() {
        notes.error("no-rule", "rule", "the rule is missing on the router").advise("Host(`example.com`), say");
        return None;
    }
    let syntax = match written.rule_syntax.as_str() {
        "" | "v3" => RuleSyntax::V3,
        "v2" => {
            notes.warning("deprecated", "ruleSyntax", "ruleSyntax v2 is deprecated").advise("write the rule in v3");
            RuleSyntax::V2
        }
        other => {
            notes.error("unknown-rule-syntax", "ruleSyntax", format!("unknown rule syntax {other:?}; v3 and v2 exist"));
            return None;
        }
    };
    match Rule::parse_as(&written.rule, syntax) {
        Ok(rule) => Some(rule),
        Err(error) => {
            let message =
                format!("error while parsing rule {}: {} at byte {}", written.rule, error.message, error.span.start);
            notes.error("not-a-rule", "rule", message).hint = error.hint;
            None
        }
    }
}

fn priority(written: &Written, rule: Option<&Rule>, notes: &mut Notes<'_>) -> Option<i64> {
    match written.priority {
        0 => rule.map(Rule::default_priority),
        priority if priority > PRIORITY_MAX => {
            let message =
                format!("the router priority {priority} exceeds the max user-defined priority {PRIORITY_MAX}");
            notes.error("priority-too-high", "priority", message);
            None
        }
        priority => Some(priority),
    }
}
