//! Plays scenarios and prints what came of them. Without arguments: the table of `docs/guarantees.md`.
//!
//!     cargo run --release -p tollgate-sim
//!     cargo run --release -p tollgate-sim -- search 1000000000
//!
//! `search` plays random scenarios with every fault that the contract has to survive, until so many decisions were
//! made, and stops at the first that admits too many.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program that prints")]

use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};

use tollgate_sim::{Outcome, Random, Scenario, run};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    match (args.next().as_deref(), args.next().and_then(|number| number.parse().ok()), args.next()) {
        (None, ..) => table(),
        (Some("search"), Some(decisions), seed) => {
            let fresh = || UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64);
            return search(decisions, seed.and_then(|seed| seed.parse().ok()).unwrap_or_else(fresh));
        }
        _ => {
            eprintln!("usage: tollgate-sim [search DECISIONS [SEED]]");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn search(decisions: u64, seed: u64) -> ExitCode {
    let mut seeds = Random::new(seed);
    let (mut done, mut worst, mut runs) = (0, f64::NEG_INFINITY, 0_u32);
    while done < decisions {
        let seed = seeds.bits();
        let scenario = Scenario::any(&mut Random::new(seed));
        let outcome = run(&scenario, seed);
        done += outcome.arrived;
        runs += 1;
        worst = f64::max(worst, outcome.excess);
        if outcome.excess > 0.0 {
            println!("seed {seed}: {} too many\n{scenario:#?}\n{outcome:#?}", outcome.excess);
            return ExitCode::FAILURE;
        }
    }
    println!("{done} decisions in {runs} scenarios from seed {seed}: at worst {worst:.3} tokens over the contract");
    ExitCode::SUCCESS
}

fn table() {
    let ms = Duration::from_millis;
    let skewed = [85.0, 5.0, 5.0, 5.0];
    let cases = [
        ("4, 10k/s b10k, 80 %", Scenario::steady(4, 10_000, 10_000, 0.8)),
        ("16, 10k/s b10k, 80 %", Scenario::steady(16, 10_000, 10_000, 0.8)),
        ("4, 1k/s b100, 90 %", Scenario::steady(4, 1_000, 100, 0.9)),
        ("4, 1k/s b100, 90 % 85:5:5:5", Scenario::steady(4, 1_000, 100, 0.9).spread(&skewed)),
        ("4, 1k/s b20, 90 %", Scenario::steady(4, 1_000, 20, 0.9)),
        ("4, 1k/s b20, 90 % 85:5:5:5", Scenario::steady(4, 1_000, 20, 0.9).spread(&skewed)),
        ("4, 2k/s b4k, 98 %", Scenario::steady(4, 2_000, 4_000, 0.98)),
        ("4, 1k/s b100, 90 % on/off", Scenario::steady(4, 1_000, 100, 1.8).on_off(ms(50), ms(50))),
        ("4, 1k/s b20, 90 % on/off", Scenario::steady(4, 1_000, 20, 1.8).on_off(ms(50), ms(50))),
        ("4, 2k/s b200, 5 x", Scenario::steady(4, 2_000, 200, 5.0)),
        ("16, 1k/s b100, 5 x", Scenario::steady(16, 1_000, 100, 5.0)),
        ("4, 2k/s b200, 1.5 x 8:1:1:1", Scenario::steady(4, 2_000, 200, 1.5).spread(&[8.0, 1.0, 1.0, 1.0])),
        ("4, 1k/s b100, 100 x", Scenario::steady(4, 1_000, 100, 100.0)),
        ("4, 10/s b10, 100 x", Scenario::steady(4, 10, 10, 100.0)),
        ("4, 1k/s b1, 5 x", Scenario::steady(4, 1_000, 1, 5.0)),
        ("4, 1k/s b2, 5 x", Scenario::steady(4, 1_000, 2, 5.0)),
    ];
    println!(
        "| instances, quota, load | calls/request | decided here | utilisation | needless | excess | Jain | lent, died, returned |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (name, scenario) in cases {
        let outcome = run(&scenario.lasting(Duration::from_secs(20)), 1);
        print_row(name, &outcome);
    }
}

fn print_row(name: &str, outcome: &Outcome) {
    let of = |part: u64| part as f64 / outcome.arrived as f64;
    println!(
        "| {name} | {:.4} | {:.1} % | {:.4} | {:.3} % | {:.2} | {:.4} | {:?} |",
        outcome.calls_per_request(),
        100.0 * of(outcome.local),
        outcome.utilisation(),
        100.0 * outcome.needless(),
        outcome.excess,
        outcome.jain,
        outcome.slots
    );
}
