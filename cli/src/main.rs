//! The `wasm-tasks` command: reads the command line and hands it to one of `commands`.

mod commands;
mod componentize;
mod escape;
mod failed;
mod failure;
mod fleet;
mod follow;
mod format;
mod graph_name;
mod judge;
mod lifeline;
mod output;
mod pages;
mod place;
mod report;
mod signals;
mod values;

use crate::commands::Command;
use crate::failure::{Exit, Failure};
use crate::output::LogWriter;
use clap::Parser;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;
use wasm_tasks_allocator as _;

/// Runs graphs of sandboxed WebAssembly tasks, in this process or on a fleet.
#[derive(Parser)]
#[command(name = "wasm-tasks", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "Examples:
  wasm-tasks run calc.wasm add 1 2              call one export
  wasm-tasks inspect calc.wasm                  what a component exports
  wasm-tasks check graph.msgpack                everything that can be checked without running
  wasm-tasks submit graph.msgpack               run a graph on all cores of this machine
  wasm-tasks up --workers 2                     start a fleet on this machine
  wasm-tasks submit graph.msgpack --scheduler 127.0.0.1:7077

Exit codes: 0 done, 1 a task failed, 2 bad input, 3 no connection, 130 interrupted.
Logs go to standard error; WASM_TASKS_LOG=debug shows more of them.")]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

/// A closed connection tells its peer so in one packet, which needs a moment to leave. Without it, the scheduler
/// would believe for a while that a client that has ended is still there.
const GOODBYE: std::time::Duration = std::time::Duration::from_millis(2);

fn main() -> ExitCode {
    if let Some(ended) = judge::serve() {
        return ended;
    }
    let CommandLine { command } = CommandLine::parse();
    start_logging(command.default_log_level());
    let ended = start_runtime().and_then(|runtime| {
        let ended = runtime.block_on(async {
            let ended = command.run().await;
            tokio::time::sleep(GOODBYE).await;
            ended
        });
        // What still runs must not keep the process: threads of the sandbox end with it.
        runtime.shutdown_background();
        ended
    });
    let exit = ended.unwrap_or_else(|failure| {
        failure.print();
        failure.exit
    });
    ExitCode::from(exit as u8)
}

fn start_logging(default: &str) {
    let filter = EnvFilter::try_from_env("WASM_TASKS_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| LogWriter)
        // The writer escapes colours as well: a peer's text has the same bytes.
        .with_ansi(false)
        .with_target(false)
        .init();
}

fn start_runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failure::system(format!("cannot start threads: {error}")))
}

/// Every command ends with one of these.
type Ended = Result<Exit, Failure>;
