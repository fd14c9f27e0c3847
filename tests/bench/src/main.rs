//! Benchmarks beside the bare engine and dask: `wasm-tasks-bench [NAME…] [--json FILE]`.
//!
//! Owns the list of benchmarks and their order. It measures and reports, and never fails because something was slow; it
//! fails when something could not be measured or gave a wrong result.

mod context;
mod core_alone;
mod cycle;
mod error;
mod fleet;
mod fleet_benches;
mod interrupt;
mod machine;
mod median;
mod order;
mod peer;
mod process;
mod report;
mod sandbox;
mod shapes;
mod stub;
mod submission;
mod values;
mod zero_worker;

use context::Context;
use error::BenchError;
use report::Report;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use wasm_tasks_allocator as _;

/// Runs a benchmark and adds its rows.
type Bench = fn(&Context, &mut Report) -> Result<(), BenchError>;

/// Name, what it measures, and how. Large values come first: what other benchmarks leave in the allocator decides whether
/// the pages of a result are new, and differently for the two sides.
const BENCHES: &[(&str, &str, Bench)] = &[
    ("bytes-1MiB", "1 MiB list<u8> in and out, beside a monomorphic TypedFunc", values::bytes),
    ("f64-1M", "1 M list<f64> in and out, beside a monomorphic TypedFunc", values::floats),
    ("records-10000", "10,000 records {u32, f64, string} in and out, beside a monomorphic TypedFunc", values::records),
    ("cycle", "CPU time of a task in an embedded run, beside the bare wasmtime loop", cycle::run),
    ("core", "the scheduler's core alone: time a task with 10 to 10,000 workers, and memory a task", core_alone::run),
    ("order", "the static order beside dask.order, on every shape, and graphs of a million tasks", order::run),
    ("zero-worker", "the scheduler's process over QUIC with two workers that answer at once", zero_worker::run),
    ("submit-1M", "a graph of a million tasks: decoding, checking, ordering; memory with it and after it", submission::run),
    ("merge-10000", "10,000 tasks summed by 100 and one, on a fleet, beside dask", fleet_benches::merge),
    ("tree-14", "2^14 leaves summed pairwise, on a fleet, beside dask", fleet_benches::tree),
    ("chain-2000", "one hop of a chain, on a fleet, beside dask", fleet_benches::chain),
];

/// Runs in a process of its own, so that memory freed before does not hide growth.
const CORE_MEMORY: &str = "--core-memory";

fn main() -> ExitCode {
    match measure() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::from(2)
        }
    }
}

/// What the command line asks for.
struct Asked {
    names: Vec<String>,
    json: Option<PathBuf>,
}

fn asked() -> Result<Asked, BenchError> {
    let mut asked = Asked { names: Vec::new(), json: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => {
                asked.json = Some(words.next().ok_or_else(|| BenchError::Usage("`--json` needs a file".to_owned()))?.into())
            }
            name if BENCHES.iter().any(|(known, _, _)| *known == name) => asked.names.push(word),
            other => return Err(BenchError::Usage(format!("there is no benchmark `{other}`\n\n{}", usage()))),
        }
    }
    Ok(asked)
}

fn usage() -> String {
    let lines: Vec<String> = BENCHES.iter().map(|(name, about, _)| format!("  {name:14} {about}")).collect();
    format!("usage: bench [NAME...] [--json FILE]\n\n{}", lines.join("\n"))
}

fn measure() -> Result<bool, BenchError> {
    if std::env::args().nth(1).as_deref() == Some(CORE_MEMORY) {
        say(&core_alone::memory_of_a_task()?.to_string());
        return Ok(true);
    }
    let asked = asked()?;
    let context = Context::new()?;
    let mut report = Report::new();
    for (name, _, bench) in BENCHES {
        if !asked.names.is_empty() && !asked.names.iter().any(|asked| asked == name) {
            continue;
        }
        let start = std::time::Instant::now();
        say(&format!("-- {name}"));
        if let Err(error) = bench(&context, &mut report) {
            report.failed(name, &error);
        }
        say(&format!("   {:.1} s", start.elapsed().as_secs_f64()));
    }
    let versions = context.close();
    let machine = machine::describe(&versions);
    say(&report.table(&machine));
    if let Some(path) = &asked.json {
        let text = report.json(&machine).to_string() + "\n";
        std::fs::write(path, text).map_err(|source| BenchError::File { path: path.clone(), source })?;
    }
    Ok(report.is_complete())
}

/// Prints a line.
fn say(line: &str) {
    // Whoever read the output may have gone; the JSON file is written all the same.
    drop(writeln!(std::io::stdout().lock(), "{line}"));
}
