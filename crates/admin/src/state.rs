//! What there is to see: facts that were settled at the start, and the state that each reload publishes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use serde::Serialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tollgate_config::dynamic::{Service, ServiceKind};
use tollgate_config::status::Statuses;
use tollgate_config::view::{MiddlewareView, RouterView, ServiceView};
use tollgate_config::{MergedConfig, QualifiedName, StaticConfig};

/// A JSON object.
pub(crate) type Row = Map<String, Value>;
/// Objects of the configuration, by qualified name, each as the API shows it.
pub(crate) type Rows = BTreeMap<QualifiedName, Row>;

/// What was settled at the start.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The version of this program.
    pub(crate) version: &'static str,
    /// When it was started.
    pub(crate) started: String,
    /// The entry points, as the API shows them.
    pub(crate) entry_points: BTreeMap<String, Row>,
    /// The name of what metrics are for, or nothing.
    pub(crate) metrics: &'static str,
    /// Whether there is an access log.
    pub(crate) access_log: bool,
    /// The providers that are configured.
    pub(crate) providers: Vec<&'static str>,
}

impl Facts {
    /// The facts of `config`, taken into use at `started` by the program of this version.
    pub fn new(config: &StaticConfig, version: &'static str, started: SystemTime) -> Self {
        let prometheus = config.metrics.as_ref().and_then(|metrics| metrics.prometheus.as_ref());
        let entry_points = config.entry_points.iter().map(|(name, entry_point)| {
            let mut row = row(entry_point);
            row.insert("name".into(), name.as_str().into());
            (name.clone(), row)
        });
        Self {
            version,
            started: OffsetDateTime::from(started).format(&Rfc3339).unwrap_or_default(),
            entry_points: entry_points.collect(),
            metrics: if prometheus.is_some() { "Prometheus" } else { "" },
            access_log: config.access_log.is_some(),
            providers: config.provider_names(),
        }
    }
}

/// What a configuration says, and what became of it. Built once per reload, so that a request only reads.
#[derive(Debug, Default)]
pub struct State {
    /// The number of the configuration.
    pub generation: u64,
    pub(crate) routers: Rows,
    pub(crate) middlewares: Rows,
    pub(crate) services: Rows,
}

impl State {
    /// The state after `merged` was compiled with this outcome.
    pub fn new(generation: u64, merged: &MergedConfig, statuses: &Statuses) -> Self {
        let routers = merged.routers.iter().filter_map(|(name, written)| {
            let view = RouterView::new(name, written, statuses)?;
            Some((name.clone(), router(name, row(&view))))
        });
        let middlewares = merged.middlewares.iter().filter_map(|(name, written)| {
            let view = MiddlewareView::new(name, written, statuses)?;
            Some((name.clone(), middleware(name, row(&view))))
        });
        let services = merged.services.iter().filter_map(|(name, written)| {
            let used = statuses.services.get(name).is_some_and(|status| !status.used_by.is_empty());
            let servers = if used { servers(written) } else { BTreeMap::new() };
            let view = ServiceView::new(name, written, statuses, servers)?;
            Some((name.clone(), row(&view)))
        });
        Self {
            generation,
            routers: routers.collect(),
            middlewares: middlewares.collect(),
            services: services.collect(),
        }
    }
}

/// Where the state of the moment is. Clones lead to the same one.
#[derive(Debug, Clone, Default)]
pub struct StateHandle(Arc<ArcSwap<State>>);

impl StateHandle {
    /// Shows `state` from now on.
    pub fn publish(&self, state: State) {
        self.0.store(Arc::new(state));
    }

    /// The state of the moment.
    pub fn current(&self) -> Arc<State> {
        self.0.load_full()
    }
}

/// Something that serialises as an object. Configuration always does; if it did not there would be nothing to show.
fn row(shown: &impl Serialize) -> Row {
    match serde_json::to_value(shown) {
        Ok(Value::Object(row)) => row,
        _ => Row::new(),
    }
}

/// Adds what Traefik fills in: the names of middlewares are qualified, a router without a priority has the length of
/// its rule, and what is observed is told although nobody wrote it.
fn router(name: &QualifiedName, mut row: Row) -> Row {
    qualify(row.get_mut("middlewares"), name.provider());
    if row.get("priority").and_then(Value::as_i64).unwrap_or(0) == 0 {
        let length = row.get("rule").and_then(Value::as_str).map_or(0, str::len);
        if length == 0 {
            row.remove("priority");
        } else {
            row.insert("priority".into(), length.into());
            row.insert("priorityStr".into(), length.to_string().into());
        }
    }
    let observed = row.entry("observability").or_insert_with(|| json!({}));
    if let Value::Object(observed) = observed {
        for (name, default) in [
            ("accessLogs", json!(true)),
            ("metrics", json!(true)),
            ("tracing", json!(true)),
            ("traceVerbosity", json!("minimal")),
        ] {
            observed.entry(name).or_insert(default);
        }
    }
    row
}

/// Adds what Traefik fills in: the names in a chain are qualified, and a plugin's type is its name.
fn middleware(name: &QualifiedName, mut row: Row) -> Row {
    qualify(row.get_mut("chain").and_then(|chain| chain.get_mut("middlewares")), name.provider());
    let plugin = row.get("plugin").and_then(Value::as_object).and_then(|plugins| plugins.keys().next());
    if let Some(plugin) = plugin.map(|plugin| plugin.to_lowercase()) {
        row.insert("type".into(), plugin.into());
    }
    row
}

fn qualify(references: Option<&mut Value>, provider: &str) {
    for reference in references.and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(name) = reference.as_str() {
            *reference = QualifiedName::resolve(name, provider).as_str().into();
        }
    }
}

/// The servers of a service by their URLs, without credentials. Health is not checked yet, so all count as up, as
/// servers without a health check do in Traefik; and as there, only services that a router uses have any.
fn servers(service: &Service) -> BTreeMap<String, &'static str> {
    let urls = service.kinds.iter().flat_map(|kind| match kind {
        ServiceKind::LoadBalancer(balancer) => balancer.servers.as_slice(),
        ServiceKind::NotYet { .. } => &[],
    });
    urls.filter_map(|server| match serde_json::to_value(&server.url) {
        Ok(Value::String(url)) => Some((url, "UP")),
        _ => None,
    })
    .collect()
}
