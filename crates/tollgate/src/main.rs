//! Tollgate: a gateway that speaks Traefik's configuration and shares one rate limit between its instances.

mod args;
mod check;
mod demo;
mod health;
mod instance;
mod internal;
mod report;
mod run;

use std::process::ExitCode;

use args::Command;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match args::parse(&arguments) {
        Ok(Command::Run(flags)) => run::run(flags),
        Ok(Command::Check(options)) => check::check(&options),
        Ok(Command::Demo) => demo::demo(),
        Ok(Command::HealthCheck(flags)) => health::check(flags),
        Ok(Command::Version) => report::say(&format!("tollgate {}\n", env!("CARGO_PKG_VERSION"))),
        Ok(Command::Help) => report::say(args::HELP),
        Err(problem) => report::complain(&format!("{problem}\n\n{}", args::USAGE)),
    }
}
