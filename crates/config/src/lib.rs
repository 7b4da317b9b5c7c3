//! From what was written to what is meant: static and dynamic configuration with diagnostics.

pub mod checked;
pub mod compile;
pub mod decode;
pub mod diagnostic;
pub mod duration;
pub mod dynamic;
pub mod load;
pub mod name;
pub mod node;
pub mod place;
pub mod redacted;
pub mod shape;
pub mod static_config;
pub mod status;
mod suggest;
mod template;
pub mod view;
pub mod written;

pub use checked::CheckedConfig;
pub use compile::{Compiled, Context, EntryPointFacts, compile};
pub use diagnostic::{Diagnostic, Severity, Subject};
pub use duration::SignedDuration;
pub use dynamic::{DynamicConfig, MergedConfig};
pub use load::{Format, load_dynamic_file, load_dynamic_text};
pub use name::QualifiedName;
pub use node::Node;
pub use place::Place;
pub use redacted::Redacted;
pub use static_config::StaticConfig;
pub use written::Written;
