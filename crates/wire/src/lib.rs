//! What bytes may pass as an HTTP/1 request: a strict reader in front of the HTTP engine.
//!
//! hyper reads HTTP/1 generously: it takes lines ended by a bare line feed, two `Host` fields, a
//! `Transfer-Encoding` beside a `Content-Length`. Behind a gateway every such kindness is a chance
//! that the next hop reads the same bytes as other requests. So each byte is seen here before
//! hyper sees it, and what two readers could understand in two ways goes no further.
//!
//! - [`Framing`] is the reader: bytes in, how many of them may pass out. It has no clock and no
//!   socket, follows head, body and next head of a whole connection, and gives the same answer
//!   however the bytes were cut into reads.
//! - [`Guard`] is the reader on a connection: it stands between the socket and hyper, ends what
//!   [`Framing`] refuses, and lets no client take forever.
//! - [`GuardState`] is what the gateway shares with the guard of a connection.
//!
//! Requests are not built here. What hyper refuses by itself (a target that is no URI, a header
//! name too long for it) is left to hyper.

mod field;
mod framing;
mod guard;
pub mod law;
mod limits;
mod syntax;
mod violation;

pub use framing::{Advance, Framing, State};
pub use guard::{Answering, Guard, GuardState, Timeouts};
pub use limits::Limits;
pub use violation::Violation;
