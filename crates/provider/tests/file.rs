//! The file provider on a real file system.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "file/blank.rs"]
mod blank;
#[path = "file/directory.rs"]
mod directory;
#[path = "file/events.rs"]
mod events;
#[path = "file/harness.rs"]
mod harness;
#[path = "file/start.rs"]
mod start;
