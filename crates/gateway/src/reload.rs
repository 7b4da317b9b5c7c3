//! From what the providers say to what is served: compile, build, swap, retire.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;
use tollgate_config::status::Statuses;
use tollgate_config::{Context, Diagnostic, MergedConfig, compile};
use tollgate_provider::Aggregate;

use crate::build::{Built, InternalServices, build};
use crate::resources::Resources;
use crate::runtime::RuntimeHandle;

/// Puts configurations into force.
pub struct Reloader {
    runtime: RuntimeHandle,
    resources: Arc<Resources>,
    internal: InternalServices,
    context: Context,
    entry_points: Vec<Arc<str>>,
    generation: u64,
    applied: Option<Arc<MergedConfig>>,
}

/// A configuration that has come into force.
#[derive(Debug, Clone)]
pub struct Reloaded {
    /// Its number, counted from 1.
    pub generation: u64,
    /// When it came into force.
    pub at: SystemTime,
    /// How long compiling and building took.
    pub took: Duration,
    /// What was written.
    pub config: Arc<MergedConfig>,
    /// What became of every object.
    pub status: Statuses,
    /// What is wrong or will surprise.
    pub diagnostics: Vec<Diagnostic>,
}

impl Reloader {
    /// A reloader that serves through `runtime` on `entry_points`, which are those of the gateway in the same order.
    pub fn new(
        runtime: RuntimeHandle,
        resources: Arc<Resources>,
        internal: InternalServices,
        context: Context,
        entry_points: Vec<Arc<str>>,
    ) -> Self {
        Self { runtime, resources, internal, context, entry_points, generation: 0, applied: None }
    }

    /// Puts `config` into force. Never fails: what is broken in it is disabled, with a diagnostic.
    ///
    /// Requests that are under way end with what they began with, and the last of them takes the old snapshot along.
    pub fn apply(&mut self, config: Arc<MergedConfig>) -> Reloaded {
        let began = Instant::now();
        let mut compiled = compile(&config, &self.context);
        let generation = self.generation + 1;
        let Built { runtime, diagnostics } =
            build(&compiled.config, &self.entry_points, &self.resources, &self.internal, generation);
        self.runtime.swap(runtime);
        self.generation = generation;
        self.applied = Some(Arc::clone(&config));
        for found in &diagnostics {
            compiled.status.disable(found);
        }
        Reloaded {
            generation,
            at: SystemTime::now(),
            took: began.elapsed(),
            config,
            status: compiled.status,
            diagnostics: compiled.diagnostics.into_iter().chain(diagnostics).collect(),
        }
    }

    /// Applies whatever the aggregator publishes, until it is gone, and hands what came of it to `publish`. News that
    /// change nothing but diagnostics are not a reload.
    pub async fn run(mut self, mut aggregates: watch::Receiver<Arc<Aggregate>>, mut publish: impl FnMut(Reloaded)) {
        while aggregates.changed().await.is_ok() {
            let config = Arc::clone(&aggregates.borrow_and_update().config);
            if self.applied.as_ref().is_none_or(|applied| !Arc::ptr_eq(applied, &config)) {
                publish(self.apply(config));
            }
        }
    }
}
