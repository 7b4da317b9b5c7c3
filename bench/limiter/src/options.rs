//! What was asked for on the command line.

use std::time::Duration;

/// How much is measured.
pub(crate) struct Options {
    pub(crate) rounds: u32,
    pub(crate) length: Duration,
    pub(crate) seed: u64,
    /// Sections; empty: all.
    pub(crate) only: Vec<String>,
}

pub(crate) const USAGE: &str = "usage: tollgate-bench-limiter [--rounds N] [--seconds N] [--seed N] [--only SECTION]…";

impl Options {
    /// Reads the arguments; nothing if they cannot be understood.
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let mut options = Self { rounds: 5, length: Duration::from_secs(4), seed: 1, only: Vec::new() };
        while let Some(name) = arguments.next() {
            let value = arguments.next()?;
            match name.as_str() {
                "--rounds" => options.rounds = value.parse().ok().filter(|rounds| *rounds > 0)?,
                "--seconds" => {
                    let seconds = value.parse().ok().filter(|seconds| *seconds > 0.0)?;
                    options.length = Duration::try_from_secs_f64(seconds).ok()?;
                }
                "--seed" => options.seed = value.parse().ok()?,
                "--only" => options.only.push(value),
                _ => return None,
            }
        }
        Some(options)
    }

    /// Everybody meets the same requests in a round, and others in the next.
    pub(crate) fn seed_of(&self, round: u32) -> u64 {
        self.seed.wrapping_add(u64::from(round) << 32)
    }

    pub(crate) fn wants(&self, section: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == section)
    }
}
