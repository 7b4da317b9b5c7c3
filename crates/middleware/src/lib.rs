//! The middlewares, one file each, named as Traefik names them.

mod add_prefix;
pub mod headers;
mod ip_allow_list;
mod path;
mod strip_prefix;
#[cfg(test)]
mod testing;

pub use add_prefix::AddPrefix;
pub use headers::Headers;
pub use ip_allow_list::IpAllowList;
pub use strip_prefix::StripPrefix;
