//! What must hold for every input, one function for each place where strangers' bytes come in.
//!
//! A function panics when its law is broken. They know nothing of libFuzzer: the binaries in `targets/` put them to it.

#![forbid(unsafe_code)]

mod canonical;
mod configuration;
mod forwarded_for;
mod redis_reply;
mod request;
mod rule;

pub use canonical::canonical;
pub use configuration::{dynamic_config, static_config};
pub use forwarded_for::forwarded_for;
pub use redis_reply::redis_reply;
pub use rule::rule;
pub use tollgate_service::law::fuzz as answer;
pub use tollgate_wire::law::fuzz as http1;
