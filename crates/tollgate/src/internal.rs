//! Tollgate's own services, and the routers that lead to them.

use std::sync::Arc;

use http::StatusCode;
use tollgate_admin::{Api, Dashboard, Facts, LoopbackOnly, MetricsPage, Ping, StateHandle};
use tollgate_config::checked::InternalService;
use tollgate_config::static_config::INTERNAL;
use tollgate_config::{DynamicConfig, Format, StaticConfig, load_dynamic_text};
use tollgate_gateway::{InternalServices, Lifecycle, Resources};
use tollgate_telemetry::Metrics;

/// The handlers of those services that the configuration asks for.
pub(crate) fn services(
    config: &StaticConfig,
    facts: Facts,
    state: &StateHandle,
    resources: &Arc<Resources>,
    metrics: Option<&Arc<Metrics>>,
    lifecycle: &Lifecycle,
) -> InternalServices {
    let mut services = InternalServices::default();
    if let Some(api) = &config.api {
        let handler = Arc::new(Api::new(facts, state.clone(), Arc::clone(resources), &api.base_path));
        let dashboard = Arc::new(Dashboard::new(&api.base_path));
        if api.loopback_only {
            services.insert(InternalService::Api, Arc::new(LoopbackOnly::new(handler)));
            services.insert(InternalService::Dashboard, Arc::new(LoopbackOnly::new(dashboard)));
        } else {
            services.insert(InternalService::Api, handler);
            services.insert(InternalService::Dashboard, dashboard);
        }
    }
    if let Some(ping) = &config.ping {
        let status = StatusCode::from_u16(ping.terminating_status_code).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        services.insert(InternalService::Ping, Arc::new(Ping::new(lifecycle.clone(), status)));
    }
    if let Some(metrics) = metrics {
        services.insert(InternalService::Prometheus, Arc::new(MetricsPage::new(Arc::clone(metrics))));
    }
    services
}

/// The name of the provider of the routers below, as Traefik calls it.
pub(crate) const PROVIDER: &str = "internal";

/// The routers that lead to them without anybody having written one, as Traefik makes them: the API and the dashboard
/// with `api.insecure`, ping and metrics unless they are routed by hand. They come before all others.
pub(crate) fn routers(config: &StaticConfig) -> DynamicConfig {
    let mut routers = Vec::new();
    if let Some(api) = config.api.as_ref().filter(|api| api.insecure) {
        let base = api.base_path.trim_end_matches('/');
        routers.push(("api", INTERNAL, format!("{base}/api"), FIRST));
        if api.dashboard {
            routers.push(("dashboard", INTERNAL, format!("{base}/"), FIRST - 1));
        }
    }
    if let Some(ping) = config.ping.as_ref().filter(|ping| !ping.manual_routing) {
        routers.push(("ping", &ping.entry_point, "/ping".to_owned(), FIRST));
    }
    let prometheus = config.metrics.as_ref().and_then(|metrics| metrics.prometheus.as_ref());
    if let Some(prometheus) = prometheus.filter(|prometheus| !prometheus.manual_routing) {
        routers.push(("prometheus", &prometheus.entry_point, "/metrics".to_owned(), FIRST));
    }
    if routers.is_empty() {
        return DynamicConfig::default();
    }
    let written: serde_json::Map<_, _> = routers
        .into_iter()
        .map(|(name, entry_point, prefix, priority)| {
            let router = serde_json::json!({
                "entryPoints": [entry_point],
                "rule": format!("PathPrefix(`{prefix}`)"),
                "service": format!("{name}@internal"),
                "priority": priority,
            });
            (name.to_owned(), router)
        })
        .collect();
    let text = serde_json::json!({ "http": { "routers": written } }).to_string();
    match load_dynamic_text(&text, Format::Json, "internal") {
        Ok((config, _)) => config,
        // A base path or an entry point with a backquote in its name: then there is no such router to be had.
        Err(_) => DynamicConfig::default(),
    }
}

/// The highest priority that a router may have (Traefik keeps the last thousand for itself).
const FIRST: i64 = i64::MAX - 1_000;
