//! What the command's words mean.

mod seeds;

use clap::Parser;
use std::process::ExitCode;

/// Simulates the real scheduler core and the real worker cores over virtual time.
///
/// Without a graph it runs seeds: random graphs on random clusters with random faults, then a phase without faults in which
/// everything must end well. A seed that breaks something is printed with the command that replays it.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask sim", about, long_about)]
pub(crate) struct Command {
    /// How many seeds to run
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// Run this seed only
    #[arg(long)]
    seed: Option<u64>,
    /// The first of the seeds
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// With --seed: print what happened
    #[arg(long, requires = "seed")]
    trace: bool,
}

impl Command {
    pub(crate) fn run(self) -> ExitCode {
        match self.seed {
            Some(seed) => seeds::one(seed, self.trace),
            None => seeds::many(self.first, self.seeds),
        }
    }
}
