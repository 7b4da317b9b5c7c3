//! From a checked configuration to what serves it.

mod material;

use std::collections::BTreeMap;
use std::sync::Arc;

use http::StatusCode;
use tollgate_config::checked::{self, CheckedConfig, InternalService, ServiceKind};
use tollgate_config::{Diagnostic, QualifiedName, Severity, Subject};
use tollgate_middleware::{BuildError, Link};
use tollgate_pipeline::{BoxFuture, Chain, Exchange, Handler, Request, Response, respond};
use tollgate_rule::{Entry, Table};
use tollgate_service::{BackendError, HostHeader, LoadBalancer, LoadBalancerOptions, ServerOptions, Transport};

use crate::observer::Observed;
use crate::resources::Resources;
use crate::runtime::{Route, Runtime};
use material::MaterialError;

/// What Tollgate answers itself, by the name under which routers refer to it.
#[derive(Clone, Default)]
pub struct InternalServices(BTreeMap<InternalService, Arc<dyn Handler>>);

impl InternalServices {
    /// Lets `handler` answer for `service`.
    pub fn insert(&mut self, service: InternalService, handler: Arc<dyn Handler>) {
        self.0.insert(service, handler);
    }
}

/// What building gives.
pub struct Built {
    /// What serves.
    pub runtime: Runtime,
    /// The routers that could not be built although they were checked. They take no requests, and neither does anything
    /// less protected in their place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Why a router cannot be built.
#[derive(Debug, thiserror::Error)]
enum RouteError {
    #[error("building middleware {name}: {source}")]
    Middleware { name: QualifiedName, source: BuildError },
    #[error("building middleware {name}: {source}")]
    Material { name: QualifiedName, source: MaterialError },
    #[error("building service {name}: {source}")]
    Backend { name: QualifiedName, source: BackendError },
    #[error("service {0} does not answer here")]
    Internal(QualifiedName),
}

/// Builds the snapshot with the number `generation` for these entry points, out of `resources` where they have it.
pub fn build(
    config: &CheckedConfig,
    entry_points: &[Arc<str>],
    resources: &Resources,
    internal: &InternalServices,
    generation: u64,
) -> Built {
    let mut builder = Builder {
        resources,
        internal,
        middlewares: BTreeMap::new(),
        services: BTreeMap::new(),
        diagnostics: Vec::new(),
    };
    let tables = entry_points.iter().map(|entry_point| builder.table(config, entry_point)).collect();
    Built { runtime: Runtime::new(generation, tables), diagnostics: builder.diagnostics }
}

/// Builds each object once, however many routers share it: the buckets of a limit belong to the limit.
struct Builder<'a> {
    resources: &'a Resources,
    internal: &'a InternalServices,
    /// By name, and by router where each has its own.
    middlewares: BTreeMap<(QualifiedName, Option<QualifiedName>), Link>,
    services: BTreeMap<QualifiedName, Arc<dyn Handler>>,
    diagnostics: Vec<Diagnostic>,
}

impl Builder<'_> {
    fn table(&mut self, config: &CheckedConfig, entry_point: &str) -> Table<Arc<Route>> {
        let mut entries = Vec::new();
        for router in config.routers.iter().filter(|router| router.entry_points.iter().any(|name| name == entry_point))
        {
            match self.route(router, entry_point) {
                Ok(route) => entries.push(Entry {
                    rule: router.rule.clone(),
                    priority: router.priority,
                    provider: router.name.provider().to_owned(),
                    name: router.name.name().to_owned(),
                    value: Arc::new(route),
                }),
                Err(error) => self.report(router, &error),
            }
        }
        Table::new(entries)
    }

    fn route(&mut self, router: &checked::Router, entry_point: &str) -> Result<Route, RouteError> {
        let middlewares = router.middlewares.get(entry_point).into_iter().flatten();
        let links =
            middlewares.map(|middleware| self.middleware(middleware, &router.name)).collect::<Result<_, _>>()?;
        Ok(Route {
            name: router.name.as_str().into(),
            chain: Chain::new(tollgate_middleware::join(links), self.service(&router.service)?),
            observed: Observed { access_log: router.access_log, metrics: router.metrics },
        })
    }

    fn middleware(&mut self, checked: &checked::Middleware, router: &QualifiedName) -> Result<Link, RouteError> {
        let user = tollgate_middleware::is_per_router(checked).then(|| router.clone());
        let place = (checked.name.clone(), user);
        if let Some(built) = self.middlewares.get(&place) {
            return Ok(built.clone());
        }
        material::check(&checked.kind).map_err(|source| RouteError::Material { name: checked.name.clone(), source })?;
        let built = tollgate_middleware::build(checked, router.as_str(), &self.resources.stores)
            .map_err(|source| RouteError::Middleware { name: checked.name.clone(), source })?;
        self.middlewares.insert(place, built.clone());
        Ok(built)
    }

    fn service(&mut self, checked: &checked::Service) -> Result<Arc<dyn Handler>, RouteError> {
        if let Some(built) = self.services.get(&checked.name) {
            return Ok(Arc::clone(built));
        }
        let name = &checked.name;
        let built: Arc<dyn Handler> = match &checked.kind {
            ServiceKind::LoadBalancer(balancer) => Arc::new(
                self.load_balancer(name, balancer)
                    .map_err(|source| RouteError::Backend { name: name.clone(), source })?,
            ),
            ServiceKind::Internal(service) => match (self.internal.0.get(service), service) {
                (Some(handler), _) => Arc::clone(handler),
                (None, InternalService::Noop) => Arc::new(Noop),
                (None, _) => return Err(RouteError::Internal(name.clone())),
            },
        };
        self.services.insert(name.clone(), Arc::clone(&built));
        Ok(built)
    }

    fn load_balancer(
        &self,
        name: &QualifiedName,
        checked: &checked::LoadBalancer,
    ) -> Result<LoadBalancer, BackendError> {
        let server = |server: &checked::Server| ServerOptions {
            // As it is shown: whoever names the backend in a log must not name its credentials.
            url: server.url.to_string().into(),
            weight: server.weight.into(),
            preserve_path: !server.path.is_empty(),
        };
        let options = LoadBalancerOptions {
            name: name.as_str().into(),
            servers: checked.servers.iter().map(server).collect(),
            host: if checked.pass_host_header { HostHeader::Pass } else { HostHeader::Backend },
            transport: Transport::default(),
            seed: self.resources.seed,
        };
        LoadBalancer::new(options, &self.resources.backends)
    }

    fn report(&mut self, router: &checked::Router, error: &RouteError) {
        let subject = Subject::Router(router.name.clone());
        if self.diagnostics.iter().any(|diagnostic| diagnostic.subject.as_ref() == Some(&subject)) {
            return;
        }
        self.diagnostics.push(Diagnostic {
            severity: Severity::Error,
            code: "not-built",
            path: format!("http.routers.{}", router.name.name()),
            place: None,
            message: error.to_string(),
            hint: None,
            subject: Some(subject),
        });
    }
}

/// Answers 418, as Traefik's `noop@internal`.
struct Noop;

impl Handler for Noop {
    fn handle<'a>(&'a self, _request: Request, _exchange: &'a mut Exchange) -> BoxFuture<'a, Response> {
        Box::pin(std::future::ready(respond::bare(StatusCode::IM_A_TEAPOT)))
    }
}
