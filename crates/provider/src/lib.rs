//! Where dynamic configuration comes from.
//!
//! A provider sends a [`ConfigMessage`] whenever what it says has changed; the [`Aggregator`] keeps
//! the latest of each, slows down those that change too often, and publishes everything merged.
//!
//! ```text
//! FileProvider ──ConfigMessage──▶ Aggregator ──Aggregate──▶ compile, build, swap
//! ```
//!
//! A provider that is given something broken says so and changes nothing: the last good
//! configuration stays.

pub mod aggregator;
pub mod file;

pub use aggregator::{Aggregate, Aggregator};
pub use file::{FileProvider, FileWatch};

use tollgate_config::{Diagnostic, DynamicConfig};

/// What a provider has to say.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigMessage {
    /// The name of the provider: the part behind `@` in the names of its objects.
    pub provider: &'static str,
    /// Its whole configuration; `None` when what it found was refused and the last good one stays.
    pub config: Option<DynamicConfig>,
    /// What is wrong with what it found, or will surprise.
    pub diagnostics: Vec<Diagnostic>,
}
