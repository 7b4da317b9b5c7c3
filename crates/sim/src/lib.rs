//! Many instances, one store, and everything that goes wrong between them: in virtual time and from one seed.
//!
//! What is driven is what runs in production: [`tollgate_limiter::turnstile::Turnstile`] on the side of the instances,
//! [`tollgate_limiter::shared`] on the side of the store. Only the network, the clocks and the requests are made up. The
//! contract is judged by [`oracle::excess`], which shares no code with either.
//!
//! ```
//! use tollgate_sim::{Scenario, run};
//!
//! let outcome = run(&Scenario::steady(4, 1_000, 100, 0.9), 1);
//! assert!(outcome.excess <= 0.0);
//! ```

pub mod oracle;
mod random;
mod scenario;
mod server;
mod world;

pub use random::Random;
pub use scenario::{Faults, Load, Scenario};
pub use world::{Outcome, run};
