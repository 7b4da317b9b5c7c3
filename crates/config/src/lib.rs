//! From what was written to what is meant: static and dynamic configuration with diagnostics.
//!
//! The road of dynamic configuration:
//!
//! ```text
//! text ── template ──► Node ── decode ──► DynamicConfig ── merge ──► MergedConfig ── compile ──► CheckedConfig
//!         go, sprig    tree with          as written,                all providers               what is meant
//!                      places             defaults applied
//! ```
//!
//! Failures are of two classes, as in Traefik. What does not decode refuses its whole file: all
//! mistakes are told with file, line and column, and whoever has the last good configuration goes
//! on with it. What decodes but cannot work disables its object and what needs it, and nothing
//! else: [`compile()`] never fails.
//!
//! ```
//! use std::collections::BTreeMap;
//! use tollgate_config::{Context, DynamicConfig, EntryPointFacts, Format, compile, load_dynamic_text};
//!
//! let text = r"
//! http:
//!   routers:
//!     api: {rule: PathPrefix(`/api`), service: api, middlewares: [limit]}
//!   middlewares:
//!     limit: {rateLimit: {average: 100, period: -1m}}
//!   services:
//!     api: {loadBalancer: {servers: [{url: 'http://10.0.0.1:8080'}]}}
//! ";
//! let (config, warnings) = load_dynamic_text(text, Format::Yaml, "api.yml").unwrap();
//! assert!(warnings.is_empty());
//!
//! let merged = DynamicConfig::merge(&BTreeMap::from([("file".to_owned(), config)]));
//! let web = EntryPointFacts { name: "web".to_owned(), ..EntryPointFacts::default() };
//! let compiled = compile(&merged, &Context { entry_points: vec![web], ..Context::default() });
//!
//! assert!(compiled.config.routers.is_empty());
//! assert_eq!(
//!     compiled.diagnostics[0].to_string(),
//!     "api.yml:6:47: error: http.middlewares.limit.rateLimit.period: \
//!      negative value not valid for period: -1m0s; hint: remove the minus"
//! );
//! ```

pub mod checked;
pub mod compile;
pub mod decode;
pub mod diagnostic;
pub mod duration;
pub mod dynamic;
pub mod files;
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
pub use files::Files;
pub use load::{Format, load_dynamic_file, load_dynamic_text};
pub use name::QualifiedName;
pub use node::Node;
pub use place::Place;
pub use redacted::Redacted;
pub use static_config::StaticConfig;
pub use written::Written;
