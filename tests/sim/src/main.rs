//! `cargo xtask sim`: runs seeds with faults, and compares policies on graphs.

mod command;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    command::Command::parse().run()
}
