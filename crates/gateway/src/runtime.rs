//! The snapshot that requests are served by, and its swap.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use tollgate_pipeline::{Chain, RequestView};
use tollgate_rule::Table;

use crate::observer::Observed;

/// Everything that was built from one configuration. Immutable; a request is served by one of them to its end.
#[derive(Default)]
pub struct Runtime {
    generation: u64,
    /// One table per entry point, in the order of the gateway's.
    tables: Vec<Table<Arc<Route>>>,
}

/// A router, built: who answers, behind which middlewares.
pub struct Route {
    /// The qualified name of the router.
    pub name: Arc<str>,
    /// The middlewares, and the service behind them.
    pub chain: Chain,
    /// Who observes its requests.
    pub observed: Observed,
}

impl Runtime {
    /// The snapshot of the configuration with this number, with a table of routes per entry point.
    pub fn new(generation: u64, tables: Vec<Table<Arc<Route>>>) -> Self {
        Self { generation, tables }
    }

    /// The number of the configuration this was built from; 0 before the first.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The route that takes a request that came in by the entry point with this number.
    pub fn select(&self, entry_point: usize, request: &RequestView<'_>) -> Option<&Arc<Route>> {
        self.tables.get(entry_point)?.select(request)
    }
}

/// Where the snapshot of the moment is.
///
/// Every request looks once. The look holds the snapshot only until the route is found, so that an idle connection or
/// thread keeps no old one alive; what a request then holds is its route.
#[derive(Clone, Default)]
pub struct RuntimeHandle(Arc<ArcSwap<Runtime>>);

impl RuntimeHandle {
    /// The snapshot of the moment, for a look.
    pub(crate) fn load(&self) -> Guard<Arc<Runtime>> {
        self.0.load()
    }

    /// The snapshot of the moment, to keep.
    pub fn current(&self) -> Arc<Runtime> {
        self.0.load_full()
    }

    /// Puts `runtime` in the place of the snapshot of the moment, which ends with its last request.
    pub fn swap(&self, runtime: Runtime) {
        self.0.store(Arc::new(runtime));
    }
}
