//! The data plane.
//!
//! ```text
//! Gateway   one thread per core, each with a listener per entry point
//!   EntryPoint   accepts, sheds what is too much
//!     Connection   guard, HTTP/1 or HTTP/2, one record per exchange
//!       Forwarded    what the request says of the way it came
//!       Runtime      the route that takes it: middlewares, and a service behind them
//! ```
//!
//! What is served is in a [`Runtime`], an immutable snapshot behind a [`RuntimeHandle`]. A request looks into it once,
//! and ends with what it found there, whatever happens to the configuration in the meantime.

mod build;
mod census;
mod connection;
mod entry_point;
mod forwarded;
mod gateway;
mod observer;
mod options;
mod reload;
mod resources;
mod runtime;
mod thread;

pub use build::{Built, InternalServices, build};
pub use gateway::{Gateway, Lifecycle, StartError};
pub use observer::{Observed, Observer};
pub use options::{
    AddressError, EntryPointOptions, ForwardedOptions, GatewayOptions, LifeCycleOptions, QuerySemicolons,
    TimeoutOptions,
};
pub use reload::{Reloaded, Reloader};
pub use resources::Resources;
pub use runtime::{Route, Runtime, RuntimeHandle};
