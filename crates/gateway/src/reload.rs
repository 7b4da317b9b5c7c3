//! From what the providers say to what is served: compile, build, swap, retire. And again when certificates or keys
//! were renewed on disk.

mod renewals;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;
use tollgate_config::status::{ObjectStatus, Status, Statuses};
use tollgate_config::{Context, Diagnostic, Files, MergedConfig, QualifiedName, Subject, compile};
use tollgate_provider::Aggregate;

use crate::build::{Built, InternalServices, build};
use crate::resources::Resources;
use crate::runtime::{Runtime, RuntimeHandle};
use renewals::Renewals;

/// Puts configurations into force.
pub struct Reloader {
    runtime: RuntimeHandle,
    resources: Arc<Resources>,
    internal: InternalServices,
    context: Context,
    entry_points: Vec<Arc<str>>,
    generation: u64,
    applied: Applied,
    renewals: Renewals,
}

/// What is in force.
#[derive(Default)]
struct Applied {
    config: Option<Arc<MergedConfig>>,
    /// The certificates and keys.
    files: Files,
    disabled: BTreeSet<Subject>,
}

/// A configuration that is ready to come into force.
struct Prepared {
    runtime: Runtime,
    files: Files,
    reloaded: Reloaded,
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
        let (applied, renewals) = (Applied::default(), Renewals::default());
        Self { runtime, resources, internal, context, entry_points, generation: 0, applied, renewals }
    }

    /// Puts `config` into force. Never fails: what is broken in it is disabled, with a diagnostic.
    ///
    /// Requests that are under way end with what they began with, and the last of them takes the old snapshot along.
    pub fn apply(&mut self, config: Arc<MergedConfig>) -> Reloaded {
        let prepared = self.prepare(config);
        self.swap(prepared)
    }

    /// Applies whatever the aggregator publishes, until it is gone, and hands what came of it to `publish`. News that
    /// change nothing but diagnostics are not a reload.
    ///
    /// Certificates and keys that were renewed on disk are one, unless they break what works.
    pub async fn run(mut self, mut aggregates: watch::Receiver<Arc<Aggregate>>, mut publish: impl FnMut(Reloaded)) {
        let mut clock = Renewals::clock();
        loop {
            let reloaded = tokio::select! {
                changed = aggregates.changed() => match changed {
                    Ok(()) => self.on_news(&aggregates.borrow_and_update().config),
                    Err(_) => return,
                },
                files = self.renewals.renewed(&mut clock) => self.on_renewed(files),
            };
            reloaded.map(&mut publish);
        }
    }

    fn on_news(&mut self, config: &Arc<MergedConfig>) -> Option<Reloaded> {
        let is_in_force = self.applied.config.as_ref().is_some_and(|applied| Arc::ptr_eq(applied, config));
        (!is_in_force).then(|| self.apply(Arc::clone(config)))
    }

    /// Puts what is in force into force again, with what its files hold now. Not if that disables something: a key may
    /// be there before its certificate, and a connection that was made with the last good ones is better than none.
    fn on_renewed(&mut self, files: Files) -> Option<Reloaded> {
        let config = self.applied.config.clone()?;
        if files == self.applied.files {
            self.renewals.know(files);
            return None;
        }
        let prepared = self.prepare(config);
        if files.reread() != files {
            // Somebody writes after all, and half of it may have been compiled.
            return None;
        }
        let worse: BTreeSet<_> =
            disabled(&prepared.reloaded.status).difference(&self.applied.disabled).cloned().collect();
        if worse.is_empty() {
            tracing::info!(files = %listed(&files), "certificates or keys were renewed");
            return Some(self.swap(prepared));
        }
        tracing::error!(
            files = %listed(&files),
            "renewed certificates or keys cannot be used: the last good ones stay in force"
        );
        let is_worse = |subject: &Option<Subject>| subject.as_ref().is_some_and(|subject| worse.contains(subject));
        for found in prepared.reloaded.diagnostics.iter().filter(|found| found.is_error() && is_worse(&found.subject)) {
            tracing::error!("{found}");
        }
        self.renewals.know(files);
        None
    }

    fn prepare(&self, config: Arc<MergedConfig>) -> Prepared {
        let began = Instant::now();
        let mut compiled = compile(&config, &self.context);
        let generation = self.generation + 1;
        let Built { runtime, diagnostics } =
            build(&compiled.config, &self.entry_points, &self.resources, &self.internal, generation);
        for found in &diagnostics {
            compiled.status.disable(found);
        }
        let reloaded = Reloaded {
            generation,
            at: SystemTime::now(),
            took: began.elapsed(),
            config,
            status: compiled.status,
            diagnostics: compiled.diagnostics.into_iter().chain(diagnostics).collect(),
        };
        Prepared { runtime, files: compiled.files, reloaded }
    }

    fn swap(&mut self, prepared: Prepared) -> Reloaded {
        let Prepared { runtime, files, reloaded } = prepared;
        self.runtime.swap(runtime);
        self.generation = reloaded.generation;
        self.renewals = Renewals::new(files.clone());
        let disabled = disabled(&reloaded.status);
        self.applied = Applied { config: Some(Arc::clone(&reloaded.config)), files, disabled };
        reloaded
    }
}

fn listed(files: &Files) -> String {
    let paths: Vec<_> = files.paths().map(|path| path.display().to_string()).collect();
    paths.join(", ")
}

/// What does not work, and what needs it.
fn disabled(status: &Statuses) -> BTreeSet<Subject> {
    type Make = fn(QualifiedName) -> Subject;
    let kinds: [(_, Make); 3] = [
        (&status.routers, Subject::Router),
        (&status.middlewares, Subject::Middleware),
        (&status.services, Subject::Service),
    ];
    let of_kind = |(objects, make): (&BTreeMap<QualifiedName, ObjectStatus>, Make)| {
        let disabled = objects.iter().filter(|(_, object)| object.status == Status::Disabled);
        disabled.map(|(name, _)| make(name.clone())).collect::<Vec<_>>()
    };
    kinds.into_iter().flat_map(of_kind).collect()
}
