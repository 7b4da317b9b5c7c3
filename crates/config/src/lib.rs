//! From what was written to what is meant: static and dynamic configuration with diagnostics.

pub mod decode;
pub mod diagnostic;
pub mod duration;
pub mod load;
pub mod name;
pub mod node;
pub mod place;
pub mod redacted;
mod suggest;

pub use diagnostic::{Diagnostic, Severity, Subject};
pub use duration::SignedDuration;
pub use name::QualifiedName;
pub use node::Node;
pub use place::Place;
pub use redacted::Redacted;
