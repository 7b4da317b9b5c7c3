//! What people and CI run.
//!
//! ```text
//! cargo xtask test      everything that must hold: format, lints, tests, documentation, house rules, fuzz smoke
//! cargo xtask tidy      the house rules alone
//! cargo xtask install   what the tests need from the system
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this talks to a person")]

mod install;
mod steps;
mod tidy;
mod valkey;

use std::process::ExitCode;

fn main() -> ExitCode {
    let task = std::env::args().nth(1).unwrap_or_default();
    let outcome = match task.as_str() {
        "test" => install::missing().and_then(|()| steps::run_all()),
        "tidy" => tidy::check(),
        "install" => install::missing(),
        _ => Err("usage: cargo xtask test | tidy | install".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("{what}");
            ExitCode::FAILURE
        }
    }
}
