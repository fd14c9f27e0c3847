//! `cargo xtask bench`, `cargo xtask sim` and `cargo xtask order`: programs of the workspace, started with what they need.

use std::process::Command;

use crate::exec::{execute, phase};
use crate::failure::Failure;
use crate::guests::{self, Language};
use crate::{tools, workspace};

/// Runs the benchmarks of `tests/bench`, beside dask in a virtual environment of its own.
pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    phase("build", || workspace::build_programs(&["wasm-tasks", "wasm-tasks-bench"]))?;
    phase("build the guests", || guests::build(&[Language::Rust]))?;
    let python = phase("dask for comparison", || tools::python("venv-bench", "bench.txt"))?;
    let mut command = Command::new(tools::program("wasm-tasks-bench"));
    match python {
        Some(python) => {
            command.env("WASM_TASKS_BENCH_PYTHON", python);
        }
        None => println!("   python3 (3.9 or newer) not found: no comparison with dask"),
    }
    command.env("WASM_TASKS_BIN", tools::cli());
    execute(command.args(args))
}

/// Runs the simulator of `tests/sim`.
pub(crate) fn simulate(args: &[String]) -> Result<(), Failure> {
    run_of_simulator("wasm-tasks-sim", args)
}

/// Orders graphs from standard input.
pub(crate) fn order(args: &[String]) -> Result<(), Failure> {
    run_of_simulator("wasm-tasks-order", args)
}

fn run_of_simulator(program: &str, args: &[String]) -> Result<(), Failure> {
    let mut command = tools::cargo();
    command.args(["run", "--quiet", "--package", "wasm-tasks-sim", "--bin", program, "--"]);
    execute(command.args(args))
}
