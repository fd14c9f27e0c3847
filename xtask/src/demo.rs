//! `cargo xtask demo`: the flights of a year, by tasks in up to four languages, embedded and on a fleet.

mod data;
mod fleet;
mod plain;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::exec::{capture, execute, phase, seconds};
use crate::failure::Failure;
use crate::guests::{self, Language};
use crate::{tools, workspace};

use fleet::Fleet;

/// Workers of the fleet that the graph is run on after the embedded run.
const WORKERS: u32 = 2;
/// The key of the graph's only output: a record of `table` and `svg`.
const OUTPUT: &str = "report";

struct Options {
    /// Ranges to cut each month's file into.
    pieces: u32,
    /// Leave out Python and Node, as on a machine without them.
    only_rust: bool,
}

pub(crate) fn run(args: &[String]) -> Result<(), Failure> {
    let options = parse(args)?;
    phase("build wasm-tasks", || workspace::build_programs(&["wasm-tasks"]))?;
    let languages: &[Language] = if options.only_rust { &[Language::Rust] } else { &Language::ALL };
    let present = phase("build the guests", || guests::build(languages))?;
    let folder = tools::target().join("demo");
    let files = phase("unpack the data", || data::unpack(&folder))?;
    let graph = folder.join("graph.msgpack");
    phase("write the graph", || write_graph(&graph, &files, &options, &present))?;

    let embedded = phase("run it embedded", || submit(&graph, None))?;
    let fleet = phase(&format!("run it on a fleet of {WORKERS} workers"), || {
        let fleet = Fleet::up(WORKERS)?;
        let report = submit(&graph, Some(fleet.scheduler()))?;
        fleet.down()?;
        Ok(report)
    })?;
    let (expected, by) = phase("compute it plainly", || expected(&files, &options))?;
    let svg = folder.join("delays.svg");
    std::fs::write(&svg, &embedded.svg).map_err(|error| Failure::file("write", &svg, &error))?;

    print!("{}", embedded.table);
    println!("plot: {}", svg.display());
    println!("embedded: {}", seconds(embedded.time));
    println!("fleet of {WORKERS} workers: {}", seconds(fleet.time));
    for (name, report) in [("embedded", &embedded), ("fleet", &fleet)] {
        if report.table != expected {
            return Err(Failure::step(format!(
                "the {name} run's table differs from what {by} computes:\n{}\nexpected:\n{expected}",
                report.table
            )));
        }
        if report.svg != embedded.svg {
            return Err(Failure::step(format!("the {name} run's plot differs from the embedded run's")));
        }
    }
    println!("both agree with what {by} computes from the CSV");
    Ok(())
}

fn parse(args: &[String]) -> Result<Options, Failure> {
    let mut options = Options { pieces: 2, only_rust: false };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--rust" => options.only_rust = true,
            "--pieces" => {
                let pieces = args.next().and_then(|number| number.parse().ok()).filter(|pieces| *pieces > 0);
                options.pieces = pieces.ok_or_else(|| Failure::usage("`--pieces` needs a number, 1 or more"))?;
            }
            other => return Err(Failure::usage(format!("`demo` has no option `{other}`"))),
        }
    }
    Ok(options)
}

/// Writes the graph with the Python SDK, or with the Rust SDK where Python is missing.
fn write_graph(graph: &Path, files: &[PathBuf], options: &Options, present: &[Language]) -> Result<(), Failure> {
    let component = |language: Language, name: &str| guests::path(if present.contains(&language) { name } else { "flights" });
    let python = if options.only_rust { None } else { tools::python("venv", "guests.txt")? };
    let mut command = if let Some(python) = python {
        let mut command = Command::new(python);
        command
            .arg(tools::root().join("guest-examples/flights/make_graph.py"))
            .env("PYTHONPATH", tools::root().join("sdk/python/src"))
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    } else {
        println!("   without Python: the graph is written by the Rust SDK");
        workspace::build_example("flights")?;
        Command::new(tools::flights_example())
    };
    command
        .arg("--parse")
        .arg(guests::path("flights"))
        .arg("--combine")
        .arg(component(Language::Python, "combine"))
        .arg("--stats")
        .arg(component(Language::C, "stats"))
        .arg("--report")
        .arg(component(Language::JavaScript, "report"))
        .args(["--pieces", &options.pieces.to_string()])
        .arg("--out")
        .arg(graph)
        .args(files);
    execute(&mut command)
}

/// What a run of the graph gave, and how long it took.
struct Report {
    table: String,
    svg: String,
    time: Duration,
}

fn submit(graph: &Path, scheduler: Option<&str>) -> Result<Report, Failure> {
    let mut command = tools::wasm_tasks();
    // The graph names components beside its folder.
    command.arg("submit").arg(graph).args(["--format", "json"]).arg("--allow-path").arg(tools::target());
    if let Some(address) = scheduler {
        command.args(["--scheduler", address]);
    }
    let start = Instant::now();
    let printed = capture(&mut command)?;
    let time = start.elapsed();
    let outputs: Value = serde_json::from_str(&printed)
        .map_err(|error| Failure::step(format!("`wasm-tasks submit` printed no JSON ({error}): {printed}")))?;
    let field = |name: &str| {
        outputs[OUTPUT][name]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| Failure::step(format!("the outputs have no text `{OUTPUT}.{name}`: {printed}")))
    };
    Ok(Report { table: field("table")?, svg: field("svg")?, time })
}

/// The table as a plain program computes it, and that program's language.
fn expected(files: &[PathBuf], options: &Options) -> Result<(String, &'static str), Failure> {
    let python = if options.only_rust { None } else { tools::python("venv", "guests.txt")? };
    match python {
        Some(python) => {
            let script = tools::root().join("guest-examples/flights/plain.py");
            Ok((capture(Command::new(python).arg(script).args(files))?, "plain Python"))
        }
        None => Ok((plain::table(files)?, "plain Rust")),
    }
}
