//! A gateway on the loopback interface, with real backends and clients that send what they like.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "gateway/harness.rs"]
mod harness;

#[path = "gateway/drain.rs"]
mod drain;
#[path = "gateway/forwarding.rs"]
mod forwarding;
#[path = "gateway/http2.rs"]
mod http2;
#[path = "gateway/reload.rs"]
mod reload;
#[path = "gateway/renewal.rs"]
mod renewal;
#[path = "gateway/routing.rs"]
mod routing;
#[path = "gateway/smuggling.rs"]
mod smuggling;
#[path = "gateway/streams.rs"]
mod streams;
