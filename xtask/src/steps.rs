//! Everything that must hold, in the order in which it fails fastest.

use std::process::Command;
use std::time::Instant;

struct Step {
    name: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
}

const STEPS: &[Step] = &[
    Step { name: "format", program: "cargo", arguments: &["fmt", "--all", "--check"], environment: &[] },
    Step {
        name: "lints",
        program: "cargo",
        arguments: &["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"],
        environment: &[],
    },
    Step {
        name: "tests",
        program: "cargo",
        arguments: &["test", "--locked", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"],
        environment: &[],
    },
    Step {
        name: "simulation",
        program: "cargo",
        arguments: &["run", "--locked", "--profile", "quick", "-p", "tollgate-sim", "--", "search", "200000000"],
        environment: &[],
    },
    Step {
        name: "examples in the documentation",
        program: "cargo",
        arguments: &["test", "--locked", "--workspace", "--doc"],
        environment: &[],
    },
    Step {
        name: "documentation",
        program: "cargo",
        arguments: &["doc", "--locked", "--workspace", "--no-deps"],
        environment: &[("RUSTDOCFLAGS", "-D warnings")],
    },
    Step { name: "fuzz smoke", program: "fuzz/smoke", arguments: &["5"], environment: &[] },
];

/// Runs every step, and says how long each took. The first that fails ends it.
pub(crate) fn run_all() -> Result<(), String> {
    let mut times = Vec::new();
    let started = Instant::now();
    announce("house rules");
    crate::tidy::check()?;
    for step in STEPS {
        announce(step.name);
        let began = Instant::now();
        let status = Command::new(step.program)
            .args(step.arguments)
            .envs(step.environment.iter().copied())
            .status()
            .map_err(|error| format!("{}: {} cannot be run: {error}", step.name, step.program))?;
        if !status.success() {
            return Err(format!("{} failed", step.name));
        }
        times.push((step.name, began.elapsed()));
    }
    println!();
    for (name, took) in times {
        println!("{:>7.1} s  {name}", took.as_secs_f64());
    }
    println!("{:>7.1} s  in all", started.elapsed().as_secs_f64());
    Ok(())
}

fn announce(name: &str) {
    println!("\n── {name}");
}
