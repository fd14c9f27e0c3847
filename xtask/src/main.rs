//! `cargo xtask`: tasks of the project itself. Here is only the command line; each task has its file.
#![allow(clippy::print_stdout, reason = "what a task prints is what it is run for")]

mod bench;
mod counts;
mod demo;
mod exec;
mod failure;
mod guests;
mod stamp;
mod test;
mod tools;
mod workspace;

use std::process::ExitCode;

use failure::Failure;

const HELP: &str = "\
Tasks of the project itself

Usage: cargo xtask TASK

Tasks:
  guests [--only LANG]...        build the guests into target/guests (LANG: rust, python, js, c)
  test                           build and test everything: Rust, guests, SDKs, conformance, tidy
  demo [--pieces N] [--rust]     mean departure delay by hour over a year of flights, embedded and on a fleet
                                 (--pieces: parts to cut each month into, default 2; --rust: only Rust guests)
  bench [NAME]... [--json FILE]  measurements beside the bare engine and dask
  sim [ARGS]...                  the simulator of scheduler and workers
  order                          orders graphs from standard input, one a line as JSON (--help)

Rust is required; Python 3.9 or newer and Node 20 or newer are used where present.
Everything is installed below target/ or beside a package. After the first run no network is needed.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

fn dispatch(args: &[String]) -> Result<(), Failure> {
    let Some((task, rest)) = args.split_first() else {
        println!("{HELP}");
        return Ok(());
    };
    match task.as_str() {
        "guests" => guests::run(rest),
        "test" => test::run(rest),
        "demo" => demo::run(rest),
        "bench" => bench::run(rest),
        "sim" => bench::simulate(rest),
        "order" => bench::order(rest),
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(())
        }
        other => Err(Failure::usage(format!("there is no task `{other}`; `cargo xtask --help` lists them"))),
    }
}
