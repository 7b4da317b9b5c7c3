//! Requests on their way to a backend and back, over real connections.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it should be")]

mod bodies;
mod connections;
mod failures;
mod front;
mod malformed;
mod messages;
mod mixed;
mod upgrades;
