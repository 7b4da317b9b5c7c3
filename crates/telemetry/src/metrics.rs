//! The metrics: Traefik's where they mean the same, ours for the limiter.
//!
//! Series of requests belong to the configuration: [`Metrics::configure`] is told what there is after each reload,
//! keeps the counters of what stayed and forgets those of what is gone. A request only adds to counters that exist
//! already; it can make none but one per status and method of a name that the configuration gave. So the number of
//! series has a bound that no client moves.

mod limiter;
mod series;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tollgate_pipeline::Verdict;

pub use limiter::{Durations, LimitFacts, LimiterFacts, ServerFacts, StoreFacts};

use crate::Finished;
use crate::exposition::{Collector, Exposition};
use series::{Sample, Series};

/// Traefik's `metrics.prometheus` section.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that Traefik has")]
pub struct Settings {
    /// Upper bounds of the duration buckets, in seconds.
    pub buckets: Vec<f64>,
    /// Whether entry points have series.
    pub add_entry_points_labels: bool,
    /// Whether routers have series.
    pub add_routers_labels: bool,
    /// Whether services have series.
    pub add_services_labels: bool,
    /// Whether requests to our own services (API, ping, metrics) count.
    pub add_internals: bool,
}

impl Default for Settings {
    /// Traefik's defaults.
    fn default() -> Self {
        Self {
            buckets: vec![0.1, 0.3, 1.2, 5.0],
            add_entry_points_labels: true,
            add_routers_labels: false,
            add_services_labels: true,
            add_internals: false,
        }
    }
}

/// What a configuration has that is counted by name.
#[derive(Debug, Clone, Copy, Default)]
pub struct Names<'a> {
    /// Entry points.
    pub entry_points: &'a [&'a str],
    /// Routers, with the qualified name of the service behind each.
    pub routers: &'a [(&'a str, &'a str)],
    /// Services.
    pub services: &'a [&'a str],
}

/// A configuration that has been taken into use.
#[derive(Debug, Clone, Copy)]
pub struct Reload {
    /// Its number, counted from the start.
    pub generation: u64,
    /// When.
    pub at: SystemTime,
    /// How many errors were found in it.
    pub errors: usize,
    /// How many warnings.
    pub warnings: usize,
}

/// All metrics of the instance.
pub struct Metrics {
    settings: Settings,
    traffic: ArcSwap<Traffic>,
    reloads: Reloads,
    connections: Mutex<BTreeMap<Arc<str>, Connections>>,
    violations: Mutex<BTreeMap<&'static str, u64>>,
    panics: AtomicU64,
    collectors: Mutex<Vec<Arc<dyn Collector>>>,
}

/// Counters of requests, by what the configuration names.
#[derive(Default)]
struct Traffic {
    entry_points: HashMap<Arc<str>, Arc<Series>>,
    routers: HashMap<Arc<str>, Arc<Series>>,
    services: HashMap<Arc<str>, Arc<Series>>,
}

#[derive(Default)]
struct Reloads {
    total: AtomicU64,
    refused: AtomicU64,
    /// Seconds since the epoch; 0 before the first.
    last_success: AtomicU64,
    generation: AtomicU64,
    errors: AtomicU64,
    warnings: AtomicU64,
}

impl Metrics {
    /// Metrics without series yet. Buckets are put in order; bounds that are no numbers are left out.
    pub fn new(mut settings: Settings) -> Self {
        settings.buckets.retain(|bound| bound.is_finite());
        settings.buckets.sort_by(f64::total_cmp);
        settings.buckets.dedup();
        Self {
            settings,
            traffic: ArcSwap::default(),
            reloads: Reloads::default(),
            connections: Mutex::default(),
            violations: Mutex::default(),
            panics: AtomicU64::new(0),
            collectors: Mutex::default(),
        }
    }

    /// Counts by the names of a configuration from now on. What keeps its name (for a router: and its service) keeps
    /// its counters; what is gone is forgotten.
    pub fn configure(&self, names: &Names<'_>) {
        let old = self.traffic.load();
        let Settings { buckets, add_entry_points_labels, add_routers_labels, add_services_labels, .. } = &self.settings;
        let keep = |old: &HashMap<Arc<str>, Arc<Series>>, labels: Vec<(&'static str, Arc<str>)>| {
            let name = Arc::clone(&labels[0].1);
            let kept = old.get(&name).filter(|series| series.labels() == labels).cloned();
            (name, kept.unwrap_or_else(|| Arc::new(Series::new(labels, buckets))))
        };
        let entry_points = names.entry_points.iter().filter(|_| *add_entry_points_labels);
        let routers = names.routers.iter().filter(|_| *add_routers_labels);
        let services = names.services.iter().filter(|_| *add_services_labels);
        self.traffic.store(Arc::new(Traffic {
            entry_points: entry_points
                .map(|&name| keep(&old.entry_points, vec![("entrypoint", name.into())]))
                .collect(),
            routers: routers
                .map(|&(router, service)| {
                    keep(&old.routers, vec![("router", router.into()), ("service", service.into())])
                })
                .collect(),
            services: services.map(|&name| keep(&old.services, vec![("service", name.into())])).collect(),
        }));
    }

    /// Counts a finished exchange. Names that the present configuration does not have (a request outlived its
    /// router) are not counted.
    pub fn observe(&self, finished: &Finished<'_>) {
        if finished.is_internal() && !self.settings.add_internals {
            return;
        }
        let exchange = finished.exchange;
        let traffic = self.traffic.load();
        let mut sample = Sample::of(finished);
        if let Some(series) = traffic.entry_points.get(&exchange.entry_point) {
            series.count(&sample);
        }
        if let Some(series) = exchange.router.as_ref().and_then(|router| traffic.routers.get(router)) {
            series.count(&sample);
        }
        if let Some(series) = exchange.service.as_ref().and_then(|service| traffic.services.get(service)) {
            sample.duration = finished.duration.saturating_sub(held(finished));
            series.count(&sample);
        }
    }

    /// A configuration was taken into use.
    pub fn reloaded(&self, reload: &Reload) {
        let reloads = &self.reloads;
        let at = reload.at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        reloads.total.fetch_add(1, Relaxed);
        reloads.last_success.store(at, Relaxed);
        reloads.generation.store(reload.generation, Relaxed);
        reloads.errors.store(reload.errors as u64, Relaxed);
        reloads.warnings.store(reload.warnings as u64, Relaxed);
    }

    /// A configuration was refused, and the old one is still in use.
    pub fn refused(&self) {
        self.reloads.refused.fetch_add(1, Relaxed);
    }

    /// A connection came in by `entry_point`.
    pub fn connection_opened(&self, entry_point: &Arc<str>) {
        self.with_connections(entry_point, |connections| connections.open += 1);
    }

    /// One that was [opened](Self::connection_opened) is gone.
    pub fn connection_closed(&self, entry_point: &Arc<str>) {
        self.with_connections(entry_point, |connections| connections.open = connections.open.saturating_sub(1));
    }

    /// A connection was closed at once, because there were too many.
    pub fn connection_shed(&self, entry_point: &Arc<str>) {
        self.with_connections(entry_point, |connections| connections.shed += 1);
    }

    fn with_connections(&self, entry_point: &Arc<str>, change: impl FnOnce(&mut Connections)) {
        let mut all = self.connections.lock();
        match all.get_mut(entry_point) {
            Some(connections) => change(connections),
            None => change(all.entry(Arc::clone(entry_point)).or_default()),
        }
    }

    /// A request broke HTTP's rules in the way `kind` names.
    pub fn violation(&self, kind: &'static str) {
        *self.violations.lock().entry(kind).or_default() += 1;
    }

    /// A handler or a middleware panicked, and was answered for.
    pub fn panicked(&self) {
        self.panics.fetch_add(1, Relaxed);
    }

    /// Asks `collector` too at each scrape.
    pub fn register(&self, collector: Arc<dyn Collector>) {
        self.collectors.lock().push(collector);
    }

    /// All of it, in the text format ([`CONTENT_TYPE`](crate::exposition::CONTENT_TYPE)).
    pub fn expose(&self) -> String {
        let mut out = Exposition::default();
        self.write_reloads(&mut out);
        self.write_connections(&mut out);
        self.write_traffic(&mut out);
        let mut violations = out.counter("tollgate_http_violations_total", "Requests that broke HTTP's rules, by how.");
        for (kind, count) in &*self.violations.lock() {
            violations.sample(&[("kind", kind)], count);
        }
        out.counter("tollgate_panics_total", "Panics in handlers and middlewares.")
            .sample(&[], self.panics.load(Relaxed));
        // Collectors may take their time: the lock is not held meanwhile.
        let collectors = self.collectors.lock().clone();
        for collector in collectors {
            collector.collect(&mut out);
        }
        out.into_text()
    }

    fn write_reloads(&self, out: &mut Exposition) {
        let Reloads { total, refused, last_success, generation, errors, warnings } = &self.reloads;
        out.counter("traefik_config_reloads_total", "Config reloads").sample(&[], total.load(Relaxed));
        out.gauge("traefik_config_last_reload_success", "Last config reload success")
            .sample(&[], last_success.load(Relaxed));
        out.counter("tollgate_config_refused_total", "Configurations that were refused as a whole.")
            .sample(&[], refused.load(Relaxed));
        out.gauge("tollgate_config_generation", "Number of the configuration in use.")
            .sample(&[], generation.load(Relaxed));
        let mut diagnostics =
            out.gauge("tollgate_config_diagnostics", "Problems found in the configuration in use, by severity.");
        diagnostics.sample(&[("severity", "error")], errors.load(Relaxed));
        diagnostics.sample(&[("severity", "warning")], warnings.load(Relaxed));
    }

    fn write_connections(&self, out: &mut Exposition) {
        let connections = self.connections.lock();
        let mut open =
            out.gauge("traefik_open_connections", "How many open connections exist, by entryPoint and protocol");
        for (entry_point, connections) in &*connections {
            open.sample(&[("entrypoint", entry_point), ("protocol", "TCP")], connections.open);
        }
        let mut shed =
            out.counter("tollgate_connections_shed_total", "Connections closed at once: too many were open.");
        for (entry_point, connections) in &*connections {
            shed.sample(&[("entrypoint", entry_point)], connections.shed);
        }
    }

    fn write_traffic(&self, out: &mut Exposition) {
        let traffic = self.traffic.load();
        series::write(out, &series::ENTRY_POINT, &sorted(&traffic.entry_points));
        series::write(out, &series::ROUTER, &sorted(&traffic.routers));
        series::write(out, &series::SERVICE, &sorted(&traffic.services));
    }
}

/// The connections of one entry point.
#[derive(Default)]
struct Connections {
    open: u64,
    shed: u64,
}

/// How long limits held the request: that is not the service's time.
fn held(finished: &Finished<'_>) -> Duration {
    let limits = finished.exchange.limits.iter();
    limits
        .filter_map(|limit| match limit.verdict {
            Verdict::Delay(delay) => Some(delay),
            Verdict::Allow | Verdict::Deny => None,
        })
        .sum()
}

fn sorted<T>(map: &HashMap<Arc<str>, Arc<T>>) -> Vec<(&Arc<str>, &Arc<T>)> {
    let mut sorted: Vec<_> = map.iter().collect();
    sorted.sort_unstable_by_key(|&(name, _)| name);
    sorted
}

#[cfg(test)]
mod tests;
