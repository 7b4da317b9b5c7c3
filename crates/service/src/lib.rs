//! Where requests go: load balancers, backends and the upstream client.
//!
//! ```text
//! LoadBalancer → Balancer picks → Proxy rewrites → Client sends → the backend
//! ```
//!
//! What a reload must not lose, idle connections and whose turn it is, lives in [`Backends`].

mod backend;
mod balancer;
mod client;
pub mod echo;
mod fields;
mod load_balancer;
mod proxy;

pub use backend::{Backend, BackendError, Backends};
pub use balancer::Balancer;
pub use client::law;
pub use client::{Answer, Client, Flaw, SendError, Stats, Transport, Tunnel, Upgrade, stats};
pub use load_balancer::{LoadBalancer, LoadBalancerOptions, ServerOptions};
pub use proxy::{HostHeader, Proxy};
