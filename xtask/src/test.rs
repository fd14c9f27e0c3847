//! `cargo xtask test`: builds everything, then runs every test there is, in phases.
//!
//! Conformance, cluster and tidy tests are Rust tests of the workspace (`tests/`) or part of an
//! SDK's own tests, so they run in the phases of their language.

use std::process::Command;

use crate::counts::Counts;
use crate::exec::{echo, follow, phase};
use crate::failure::Failure;
use crate::guests::{self, Language};
use crate::{tools, workspace};

/// A phase of tests: whether its runner succeeded, and what it counted.
struct Outcome {
    succeeded: bool,
    counts: Counts,
}

/// The tests of one language; none where its tools are missing.
type Tests = fn() -> Result<Option<Outcome>, Failure>;

pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    if let Some(arg) = args.first() {
        return Err(Failure::usage(format!("`test` takes no arguments, not `{arg}`; `cargo test` runs single tests")));
    }
    phase("build the workspace", workspace::build_everything)?;
    phase("build the guests", || guests::build(&Language::ALL))?;

    let phases: [(&str, Tests); 4] = [
        ("cargo test --workspace", rust),
        ("cargo test of the worker's shell without the engine", worker_shell),
        ("pytest", python),
        ("node --test", javascript),
    ];
    let mut counts = Counts::default();
    let mut failed = Vec::new();
    for (name, tests) in phases {
        if let Some(outcome) = phase(name, tests)? {
            counts += outcome.counts;
            if !outcome.succeeded {
                failed.push(name);
            } else if outcome.counts.total() == 0 {
                failed.push(name);
                println!("   {name} ran no test");
            }
        }
    }
    println!("{} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.skipped);
    if failed.is_empty() { Ok(()) } else { Err(Failure::step(format!("failed: {}", failed.join("; ")))) }
}

fn rust() -> Result<Option<Outcome>, Failure> {
    let mut command = tools::cargo();
    command.args(["test", "--workspace", "--no-fail-fast"]);
    counted(&mut command, Counts::of_cargo).map(Some)
}

/// Without the sandbox the shell's tests do not link the engine, which would take longer than all of them together.
fn worker_shell() -> Result<Option<Outcome>, Failure> {
    let mut command = tools::cargo();
    command.args(["test", "--package", "wasm-tasks-worker", "--no-default-features"]);
    counted(&mut command, Counts::of_cargo).map(Some)
}

fn python() -> Result<Option<Outcome>, Failure> {
    let Some(python) = tools::python("venv", "guests.txt")? else {
        println!("   python3 (3.9 or newer) not found: tests of the Python SDK and of the demo's graph skipped");
        return Ok(None);
    };
    let sdk = tools::root().join("sdk/python");
    let mut both = Outcome { succeeded: true, counts: Counts::default() };
    for folder in [sdk.clone(), tools::root().join("guest-examples/flights")] {
        let mut command = Command::new(&python);
        command
            .args(["-m", "pytest", "-q", "-p", "no:cacheprovider"])
            .env("WASM_TASKS_BIN", tools::cli())
            .env("WASM_TASKS_GUESTS", tools::target().join("guests"))
            .env("WASM_TASKS_FLIGHTS", tools::flights_example())
            .env("PYTHONPATH", sdk.join("src"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(folder);
        let outcome = counted(&mut command, Counts::of_pytest)?;
        both.succeeded &= outcome.succeeded && outcome.counts.total() > 0;
        both.counts += outcome.counts;
    }
    Ok(Some(both))
}

fn javascript() -> Result<Option<Outcome>, Failure> {
    if !tools::is_node_present() {
        println!("   node (20 or newer) with npm not found: tests of the JavaScript guests skipped");
        return Ok(None);
    }
    let mut command = Command::new("node");
    command.arg("--test").current_dir(tools::root().join("guest-examples/js"));
    counted(&mut command, Counts::of_node).map(Some)
}

/// Runs a test runner, passes on what it prints, and adds up what it counts.
fn counted(command: &mut Command, count: fn(&str) -> Option<Counts>) -> Result<Outcome, Failure> {
    let mut counts = Counts::default();
    let succeeded = follow(command, |line| {
        echo(line);
        if let Some(counted) = count(line) {
            counts += counted;
        }
    })?;
    Ok(Outcome { succeeded, counts })
}
