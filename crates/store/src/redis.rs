//! Buckets shared through a Redis or Valkey server. Nothing else in Tollgate knows that protocol.
//!
//! ```text
//! request ── Book: one turnstile per key ── known refusal? ──────────────────────────► denied here, no call
//!               │ first of its key                 │ a call is under way
//!               ▼                                  ▼
//!            due keys ──► Caller (one task): up to 16 keys in one script call ──► server
//!               ▲              │ reply: slots for those who waited, or until when there are none
//!               └── more have arrived meanwhile ──┘
//! ```
//!
//! The server's clock decides, read inside the script. Every wait has a deadline. Which server is responsible for a key
//! is known to [`Servers`](servers::Servers). When one cannot be used, its [`Link`](link::Link) says so at once, and a
//! probe in the background notices when it is back.

mod address;
mod beat;
mod book;
mod caller;
mod calls;
mod chance;
mod cluster;
mod error;
mod granted;
mod greeting;
mod hash_slot;
mod health;
mod line;
mod link;
mod map;
mod options;
mod redirect;
mod reply;
mod script;
mod sentinel;
mod servers;
mod store;
mod window;

pub(crate) use beat::InstanceId;
pub use error::{ErrorKind, StoreError};
pub use health::{Health, NodeRole, NodeSnapshot};
pub use options::{RedisOptions, RedisTls, Topology};
pub use reply::{Most, decode as decode_replies};
pub use store::RedisStore;
pub(crate) use store::{Asked, Waiting};
pub use window::{WindowAnswer, WindowAsk, WindowReplies, WindowStep, decode as decode_windows};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod window_tests;
