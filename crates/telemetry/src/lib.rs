//! Saying what happened: metrics, the access log and the application log.
//!
//! ```text
//! Head::of(request headers)          at the start: only what will be asked for later
//!   … the request passes …
//! Finished { exchange, head, … }     at the end: handed to both, once
//!   Metrics::observe                 counters that were built with the configuration
//!   AccessLog::write                 one line into a bounded buffer; a thread of its own writes
//! ```
//!
//! Nothing here makes a request wait: a sink that is slow or stuck costs lines, which are counted, and never time.
//! No value that a client chooses becomes a label, and none reaches a log without its control bytes escaped.

pub mod access_log;
mod escape;
pub mod exposition;
mod finished;
pub mod log;
pub mod metrics;
mod sink;
mod stamp;
#[cfg(test)]
mod testing;

pub use access_log::AccessLog;
pub use exposition::{Collector, Exposition};
pub use finished::{Finished, Head, Kept, RequestKind, Wants};
pub use metrics::Metrics;
