//! Traefik's rule language: which requests a router takes.
//!
//! [`Rule::parse`] reads the text of a router's `rule` and answers, for every
//! [`Request`], whether the router takes it. [`Table`] holds all routers of an
//! entry point and selects the one that wins. [`canonical`] computes what rules
//! look at: the canonical host, path, routing path and query. [`go_regex`] gives
//! regular expressions the meaning they have in Go, because that is what the
//! authors of the rules wrote.
//!
//! The crate knows no HTTP library and does no I/O. The facts it follows are
//! those of Traefik 3.7.15 (`pkg/rules`, `pkg/muxer/http`), in
//! `tests/facts`.
//!
//! ```
//! use tollgate_rule::Rule;
//!
//! let rule = Rule::parse("Host(`example.com`) && PathPrefix(`/api`)").unwrap();
//! assert_eq!(rule.default_priority(), 41);
//! assert_eq!(rule.hosts(), ["example.com"]);
//!
//! let error = Rule::parse("Hots(`example.com`)").unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "unknown matcher `Hots` at byte 0 (did you mean `Host`?)"
//! );
//! ```

pub mod canonical;
mod compile;
mod error;
pub mod go_regex;
mod lexer;
mod literal;
mod matcher;
mod node;
mod parser;
mod precedence;
mod request;
mod rule;
mod suggest;
mod syntax;
mod table;
mod utf8;

pub use error::RuleError;
pub use request::Request;
pub use rule::{Rule, RuleSyntax};
pub use table::{Entry, Table};
