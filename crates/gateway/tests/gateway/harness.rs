//! Starts a gateway from a dynamic configuration in YAML, with one entry point `web` and two threads.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
use tollgate_config::{Context, DynamicConfig, EntryPointFacts, Format, checked::InternalService, load_dynamic_text};
use tollgate_gateway::{
    EntryPointOptions, Gateway, GatewayOptions, InternalServices, Lifecycle, Observed, Observer, Reloaded, Reloader,
    Resources, RuntimeHandle,
};
use tollgate_pipeline::{BoxFuture, Exchange, Handler, Request, Response, respond};
use tollgate_service::Backends;
use tollgate_store::{Clock, MemoryOptions, Stores};
use tollgate_telemetry::{Finished, Wants};
use tollgate_testkit::{Message, RawClient, wait_until};
use tollgate_wire::Violation;

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A running gateway.
pub(crate) struct Running {
    pub(crate) gateway: Gateway,
    pub(crate) reloader: Reloader,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) resources: Arc<Resources>,
    pub(crate) seen: Arc<Seen>,
}

/// Starts a gateway with this dynamic configuration.
pub(crate) fn start(config: &str) -> Running {
    start_with(config, |_| {})
}

/// The same, with other options for its entry point.
pub(crate) fn start_with(config: &str, change: impl FnOnce(&mut EntryPointOptions)) -> Running {
    let mut options = EntryPointOptions::new("web", SocketAddr::from(([127, 0, 0, 1], 0)));
    change(&mut options);
    let options =
        GatewayOptions { entry_points: vec![options], threads: NonZeroUsize::new(2), max_connections: Some(4096) };
    start_options(config, options)
}

/// The same, with all options.
pub(crate) fn start_options(config: &str, options: GatewayOptions) -> Running {
    let stores = Stores::new(MemoryOptions::default(), Clock::system(), tokio::runtime::Handle::current());
    let resources = Arc::new(Resources { stores, backends: Backends::new(), seed: 1 });
    let runtime = RuntimeHandle::default();
    let facts = EntryPointFacts { name: "web".to_owned(), ..EntryPointFacts::default() };
    let context = Context {
        entry_points: vec![facts],
        internal_services: BTreeSet::from([InternalService::Ping]),
        providers: BTreeSet::from(["file".to_owned()]),
    };
    let mut internal = InternalServices::default();
    internal.insert(InternalService::Ping, Arc::new(Panics));
    let mut reloader =
        Reloader::new(runtime.clone(), Arc::clone(&resources), internal, context, vec![Arc::from("web")]);
    apply(&mut reloader, config);
    let (lifecycle, seen) = (Lifecycle::default(), Arc::<Seen>::default());
    let observer: Arc<dyn Observer> = seen.clone();
    let gateway = Gateway::start(options, &runtime, lifecycle.clone(), Some(&observer)).unwrap();
    Running { gateway, reloader, lifecycle, resources, seen }
}

/// Puts a dynamic configuration into force.
pub(crate) fn apply(reloader: &mut Reloader, config: &str) -> Reloaded {
    let (config, _) = load_dynamic_text(config, Format::Yaml, "dynamic.yml").unwrap();
    reloader.apply(Arc::new(DynamicConfig::merge(&BTreeMap::from([("file".to_owned(), config)]))))
}

/// One router for everything, to `url`, behind these middlewares.
pub(crate) fn everything_to(url: &str, middlewares: &str) -> String {
    format!(
        "http:
           routers: {{all: {{rule: 'PathPrefix(`/`)', service: backend, middlewares: [{middlewares}]}}}}
           services: {{backend: {{loadBalancer: {{servers: [{{url: '{url}'}}]}}}}}}"
    )
}

impl Running {
    /// Where the entry point listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.gateway.local_addrs()[0].1
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> RawClient {
        RawClient::connect(self.address()).await
    }

    /// The answer to a request for `path` with these lines of header, on a connection of its own.
    pub(crate) async fn get(&self, path: &str, header: &str) -> Message {
        let mut client = self.connect().await;
        client.ask(format!("GET {path} HTTP/1.1\r\nHost: a.test\r\n{header}\r\n")).await
    }

    pub(crate) fn apply(&mut self, config: &str) -> Reloaded {
        apply(&mut self.reloader, config)
    }
}

/// What the observer was told.
#[derive(Default)]
pub(crate) struct Seen {
    wants: Wants,
    told: Mutex<Told>,
}

#[derive(Default, Clone, Debug)]
pub(crate) struct Told {
    pub(crate) finished: Vec<Line>,
    pub(crate) violations: Vec<Violation>,
    pub(crate) opened: usize,
    pub(crate) closed: usize,
    pub(crate) shed: usize,
    pub(crate) panics: usize,
}

/// What is left of a finished exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) target: String,
    pub(crate) router: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) status: u16,
    pub(crate) request_bytes: u64,
    pub(crate) response_bytes: u64,
}

impl Seen {
    pub(crate) fn told(&self) -> Told {
        self.told.lock().unwrap().clone()
    }

    /// What was told, once it fulfils `enough`.
    pub(crate) async fn until(&self, enough: impl Fn(&Told) -> bool) -> Told {
        wait_until(|| enough(&self.told()), PATIENCE).await;
        self.told()
    }
}

impl Observer for Seen {
    fn wants(&self) -> &Wants {
        &self.wants
    }

    fn connection_opened(&self, _entry_point: &Arc<str>) {
        self.told.lock().unwrap().opened += 1;
    }

    fn connection_closed(&self, _entry_point: &Arc<str>) {
        self.told.lock().unwrap().closed += 1;
    }

    fn connection_shed(&self, _entry_point: &Arc<str>) {
        self.told.lock().unwrap().shed += 1;
    }

    fn violation(&self, _entry_point: &Arc<str>, violation: Violation) {
        self.told.lock().unwrap().violations.push(violation);
    }

    fn panicked(&self, _entry_point: &Arc<str>) {
        self.told.lock().unwrap().panics += 1;
    }

    fn finished(&self, finished: &Finished<'_>, _observed: Observed) {
        let exchange = finished.exchange;
        self.told.lock().unwrap().finished.push(Line {
            target: exchange.target.to_string(),
            router: exchange.router.as_deref().map(str::to_owned),
            service: exchange.service.as_deref().map(str::to_owned),
            status: finished.status.as_u16(),
            request_bytes: exchange.request_bytes,
            response_bytes: finished.response_bytes,
        });
    }
}

/// Panics when it is asked to, before or after it returns its future.
struct Panics;

impl Handler for Panics {
    fn handle<'a>(&'a self, request: Request, _exchange: &'a mut Exchange) -> BoxFuture<'a, Response> {
        assert!(request.uri().path() != "/panic/before", "asked to");
        Box::pin(async move {
            assert!(request.uri().path() != "/panic/after", "asked to");
            respond::text(StatusCode::OK, "alive")
        })
    }
}
