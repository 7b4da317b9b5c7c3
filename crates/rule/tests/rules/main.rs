//! The rule language against what Traefik answers, and against its own laws.

mod facts;
mod laws;
mod sent;
mod table;
mod v2;
