//! The program as its users meet it: started with files, asked over sockets, ended with signals.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod check;
mod failures;
mod instance;
mod life;
mod limits;
mod outages;
mod renewal;
mod secrets;
mod seeing;
mod sharing;
