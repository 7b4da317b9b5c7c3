//! One running instance: everything wired together, started in order and ended in order.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tollgate_admin::{Facts, StateHandle, Witness, limiter_facts, settings as shown};
use tollgate_config::{Context, Diagnostic, DynamicConfig, StaticConfig};
use tollgate_gateway::{Gateway, GatewayOptions, Lifecycle, Observer, Reloader, Resources, RuntimeHandle};
use tollgate_provider::{Aggregate, Aggregator, ConfigMessage, FileProvider};
use tollgate_service::Backends;
use tollgate_store::{Clock, MemoryOptions, Stores};
use tollgate_telemetry::log::Log;
use tollgate_telemetry::{AccessLog, Metrics};

use crate::{internal, report, run};

/// Where the dynamic configuration comes from.
pub(crate) enum Feed {
    /// The providers of the static configuration.
    Providers,
    /// It is this, and stays.
    Fixed(Box<DynamicConfig>),
}

/// A running instance.
pub(crate) struct Instance {
    gateway: Gateway,
    access_log: Option<Arc<AccessLog>>,
    resources: Arc<Resources>,
    /// What watches and applies configurations. Ends with the instance.
    _tasks: JoinSet<()>,
}

/// Why an instance did not start.
#[derive(Debug)]
pub(crate) enum StartError {
    /// The first configuration cannot be used, and nobody looks for another.
    Refused(Vec<Diagnostic>),
    /// The system did not give something.
    System(Box<dyn Error + Send + Sync>),
}

impl<E: Error + Send + Sync + 'static> From<E> for StartError {
    fn from(error: E) -> Self {
        Self::System(Box::new(error))
    }
}

impl Instance {
    /// Starts everything. When it returns, the first configuration is in force and connections are taken: nobody sees
    /// an instance that does not know its routes yet.
    ///
    /// The tasks of the stores are on `stores`: a thread for themselves, because requests of every thread wait for
    /// them.
    pub(crate) async fn start(
        config: &StaticConfig,
        feed: Feed,
        log: &Log,
        stores: Handle,
    ) -> Result<Self, StartError> {
        let stores = Stores::new(MemoryOptions::default(), Clock::system(), stores);
        let resources = Arc::new(Resources { stores, backends: Backends::new(), seed: seed() });

        let prometheus = config.metrics.as_ref().and_then(|metrics| metrics.prometheus.as_ref());
        let metrics = prometheus.map(|written| Arc::new(Metrics::new(shown::metrics(written))));
        let access_log = config.access_log.as_ref().map(|written| AccessLog::start(shown::access_log(written)));
        let access_log = access_log.transpose()?.map(Arc::new);
        if let Some(metrics) = &metrics {
            let counted = Arc::clone(&resources);
            metrics.register(Arc::new(move || limiter_facts(&counted.stores)));
            metrics.register(Arc::new(log.clone()));
            if let Some(access_log) = &access_log {
                metrics.register(access_log.clone());
            }
        }

        let options = GatewayOptions::from_static(config)?;
        let entry_points: Vec<Arc<str>> =
            options.entry_points.iter().map(|entry_point| entry_point.name.clone()).collect();
        let state = StateHandle::default();
        let names = entry_points.iter().map(ToString::to_string).collect();
        let witness = Arc::new(Witness::new(metrics.clone(), access_log.clone(), state.clone(), names));
        let lifecycle = Lifecycle::default();
        let facts = Facts::new(config, env!("CARGO_PKG_VERSION"), SystemTime::now());
        let services = internal::services(config, facts, &state, &resources, metrics.as_ref(), &lifecycle);

        let runtime = RuntimeHandle::default();
        let mut reloader =
            Reloader::new(runtime.clone(), Arc::clone(&resources), services, Context::of(config), entry_points);
        let mut tasks = JoinSet::new();
        let mut aggregates = configurations(config, feed, metrics.as_ref(), &mut tasks).await?;
        let first = aggregates.borrow_and_update().config.clone();
        let reloaded = reloader.apply(first);
        report::log(&reloaded.diagnostics);
        witness.reloaded(&reloaded);
        let publisher = Arc::clone(&witness);
        tasks.spawn(reloader.run(aggregates, move |reloaded| {
            report::log(&reloaded.diagnostics);
            tracing::info!(generation = reloaded.generation, took = ?reloaded.took, "configuration applied");
            publisher.reloaded(&reloaded);
        }));

        // Without anybody to tell, nothing is remembered for telling.
        let observer = (metrics.is_some() || access_log.is_some()).then_some(witness as Arc<dyn Observer>);
        let gateway = Gateway::start(options, &runtime, lifecycle, observer.as_ref())?;
        for (name, address) in gateway.local_addrs() {
            tracing::info!(entry_point = %name, %address, "listening");
        }
        Ok(Self { gateway, access_log, resources, _tasks: tasks })
    }

    /// The entry points and where they listen.
    pub(crate) fn addresses(&self) -> &[(Arc<str>, SocketAddr)] {
        self.gateway.local_addrs()
    }

    /// Opens the access log anew, after its file was moved away.
    pub(crate) fn reopen_logs(&self) {
        if let Some(access_log) = &self.access_log {
            access_log.reopen();
        }
    }

    /// Ends in order: says so, finishes what is under way, writes what is left.
    pub(crate) async fn shutdown(self) {
        self.gateway.shutdown().await;
        // What was lent and is not spent is for the others. If the store does not answer, it dies.
        if tokio::time::timeout(STORES_PATIENCE, self.resources.stores.close()).await.is_err() {
            tracing::warn!("a store does not answer: what was lent to this instance was not given back");
        }
        if let Some(access_log) = &self.access_log {
            access_log.close(run::LOG_PATIENCE);
        }
    }
}

/// How long giving back what was lent may take at the end.
const STORES_PATIENCE: Duration = Duration::from_secs(1);

/// Starts the providers. When it returns, each has had its first say.
async fn configurations(
    config: &StaticConfig,
    feed: Feed,
    metrics: Option<&Arc<Metrics>>,
    tasks: &mut JoinSet<()>,
) -> Result<watch::Receiver<Arc<Aggregate>>, StartError> {
    let (messages, received) = mpsc::channel(16);
    let (published, mut aggregates) = watch::channel(Arc::default());
    tasks.spawn(Aggregator::new(config.providers.throttle.get()).run(received, published));

    let mut first = vec![message(internal::PROVIDER, internal::routers(config))];
    match feed {
        Feed::Fixed(fixed) => first.push(message("file", *fixed)),
        Feed::Providers => {
            if let Some(file) = &config.providers.file {
                let (said, watcher) = FileProvider::new(file).start().map_err(StartError::Refused)?;
                first.push(said);
                if let Some(watcher) = watcher {
                    tasks.spawn(watcher.run(messages.clone()));
                }
            }
        }
    }
    let providers = first.len();
    for said in first {
        messages.send(said).await?;
    }
    aggregates.wait_for(|aggregate| aggregate.diagnostics.len() == providers).await?;
    tasks.spawn(say_what_is_refused(aggregates.clone(), metrics.cloned()));
    Ok(aggregates)
}

fn message(provider: &'static str, config: DynamicConfig) -> ConfigMessage {
    ConfigMessage { provider, config: Some(config), diagnostics: Vec::new() }
}

/// Says in the log what providers have found wrong with what they were given, once per change.
async fn say_what_is_refused(mut aggregates: watch::Receiver<Arc<Aggregate>>, metrics: Option<Arc<Metrics>>) {
    let mut said = std::collections::BTreeMap::new();
    loop {
        let diagnostics = aggregates.borrow_and_update().diagnostics.clone();
        for (provider, found) in &diagnostics {
            if said.get(provider) != Some(found) {
                report::log(found);
                if let Some(metrics) = metrics.as_ref().filter(|_| found.iter().any(Diagnostic::is_error)) {
                    metrics.refused();
                }
            }
        }
        said = diagnostics;
        if aggregates.changed().await.is_err() {
            return;
        }
    }
}

/// Instances should not all begin with the same server.
fn seed() -> u64 {
    use std::hash::BuildHasher as _;
    std::hash::RandomState::new().hash_one("servers")
}
