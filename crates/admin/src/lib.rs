//! Looking inside: the API, the dashboard, ping and the metrics, and the [`Witness`] that feeds them.
//!
//! Each of the first is a [`Handler`](tollgate_pipeline::Handler), to be put behind a router like any service: [`Api`],
//! [`Dashboard`], [`Ping`], [`MetricsPage`]. The API shows the [`State`] that each reload publishes through a
//! [`StateHandle`], [`Facts`] that do not change, and the limits in force, whose buckets it can also fill.
//!
//! Nothing here shows a secret: what is shown was serialised by the types of the configuration, which mask them.
//! What listens on the loopback address only stands behind a [`LoopbackOnly`], so that no web page reaches it through
//! a browser by a name of its own (DNS rebinding).

mod answer;
pub mod api;
mod dashboard;
mod loopback;
mod metrics;
mod ping;
pub mod settings;
pub mod state;
mod witness;

pub use api::Api;
pub use dashboard::Dashboard;
pub use loopback::LoopbackOnly;
pub use metrics::MetricsPage;
pub use ping::Ping;
pub use state::{Facts, State, StateHandle};
pub use witness::{Witness, limiter_facts};

#[cfg(test)]
mod testing;
