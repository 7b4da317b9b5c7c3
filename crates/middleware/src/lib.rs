//! The middlewares, one file each, named as Traefik names them.

mod add_prefix;
mod build;
pub mod headers;
mod ip_allow_list;
mod path;
mod rate_limit;
mod strip_prefix;
#[cfg(test)]
mod testing;

pub use add_prefix::AddPrefix;
pub use build::{BuildError, Link, build, is_per_router, join};
pub use headers::Headers;
pub use ip_allow_list::IpAllowList;
pub use rate_limit::{RateLimit, RateLimits, Unlimited};
pub use strip_prefix::StripPrefix;
