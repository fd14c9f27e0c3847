//! `cargo xtask order`: orders graphs, one a line, from standard input to standard output.
//!
//! Owns the streams only; `wasm_tasks_sim::order_line` owns what is on a line.

use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;
use wasm_tasks_sim::order_line::answer;

const USAGE: &str = "\
Orders graphs so that few results are alive at once

Usage: cargo xtask order < GRAPHS > ORDERS

Standard input has one JSON object a line: {\"deps\": [[…], …]}, where deps[i] lists the tasks that task i needs, by position.
Optional: \"sizes\": […], the bytes of each task's result; then few bytes are alive at once. Other fields are ignored.
Standard output has a line for each: {\"priorities\": […]}, the position of each task in the order; lower runs first.
For a line that is no graph it is {\"error\": \"…\"}.";

fn main() -> ExitCode {
    if let Some(word) = std::env::args().nth(1) {
        eprintln!("{USAGE}");
        return if word == "--help" || word == "-h" { ExitCode::SUCCESS } else { ExitCode::from(2) };
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        // Who reads has gone.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask order: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> std::io::Result<()> {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        writeln!(output, "{}", answer(&line))?;
        output.flush()?;
    }
}
