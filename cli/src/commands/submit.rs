//! `wasm-tasks submit`: runs a graph.

use super::append::Append;
use crate::Ended;
use crate::failure::{Exit, Failure};
use crate::follow::{self, Interrupt, Sink, or_interrupt, read_upload, until_end};
use crate::graph_name::parse_id;
use crate::output::print_line;
use crate::place::{Place, Size};
use crate::report::Voice;
use crate::signals::Interrupts;
use crate::values::Format;
use clap::Args;
use std::collections::HashMap;
use std::path::PathBuf;
use wasm_tasks::runs::Runs;
use wasm_tasks::{Client, ErrorCode, GraphId, Home, Outcome, Submission, Upload};
use wasm_tasks_protocol::graph::Reference;

/// Runs a graph and prints its outputs
#[derive(Args)]
#[command(after_help = "Examples:
  wasm-tasks submit graph.msgpack
  wasm-tasks submit graph.msgpack --format msgpack -o outputs.msgpack
  wasm-tasks submit graph.msgpack --format raw > plot.svg
  wasm-tasks submit graph.msgpack --scheduler 127.0.0.1:7077 --detach
  wasm-tasks submit more.msgpack --scheduler 127.0.0.1:7077 --append-to ID
  wasm-tasks submit graph.msgpack --deadline 10min
  wasm-tasks submit graph.msgpack --allow-path /data

Finished outputs are printed also when another task fails. Ctrl-C cancels the graph.")]
pub(crate) struct Submit {
    /// The graph file, `-` for standard input; paths in it are relative to its folder, or to this one
    graph: PathBuf,
    /// How outputs are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// File for the outputs instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print the graph's id and leave; `attach` and `results` take it. Needs a fleet
    #[arg(long)]
    detach: bool,
    /// The file is a fragment that continues this graph of a fleet; its outputs are printed
    #[arg(long, value_name = "GRAPH", value_parser = parse_id)]
    append_to: Option<GraphId>,
    /// Stop the graph when it has not ended so long after its submission, such as `10s` or `5min`
    #[arg(long, value_name = "TIME", value_parser = crate::format::parse_duration, conflicts_with = "append_to")]
    deadline: Option<std::time::Duration>,
    /// Folder below which the graph may read files too, besides its own; may be given several times
    #[arg(long, value_name = "DIR")]
    allow_path: Vec<PathBuf>,
    /// No progress, no summary
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    size: Size,
}

impl Submit {
    pub(crate) async fn run(self) -> Ended {
        let voice = Voice::new(self.quiet);
        let mut interrupts = Interrupts::listen()?;
        follow::check_file(self.output.as_deref())?;
        if self.detach && self.place.scheduler().is_none() {
            // The embedded cluster ends with this process, so there would be nothing to come back to.
            self.place.fleet().await?;
        }
        if let Some(graph) = self.append_to {
            let fragment = Append { graph, file: self.graph, allowed: self.allow_path, is_detached: self.detach };
            let sink = Sink { format: self.format, file: self.output, is_bare: false };
            return fragment.run(&self.place, &sink, voice, &mut interrupts).await;
        }
        let bar = voice.bar();
        bar.phase("reading the graph");
        let upload = read_upload(&self.graph, &self.allow_path, &mut interrupts).await?;
        let upload = match self.deadline {
            Some(deadline) => upload.with_deadline(deadline)?,
            None => upload,
        };
        if !self.detach {
            self.format.check(upload.graph.outputs().len(), self.output.as_deref())?;
        }
        check_names(&upload)?;
        bar.phase("checking and compiling");
        let client = or_interrupt(&mut interrupts, self.place.open(&self.size)).await?;
        let submission = or_interrupt(&mut interrupts, async { Ok(client.submit_upload(upload).await?) }).await?;
        if self.detach {
            drop(bar);
            submission.detach();
            print_line(submission.id())?;
            voice.say(format!("hint: `wasm-tasks attach {}` follows it", submission.id()));
            return Ok(Exit::Done);
        }
        let (outcome, is_interrupted) = until_end(&submission, &bar, &mut interrupts, Interrupt::Stops).await?;
        drop(bar);
        let source = self.graph.display().to_string();
        let sink = Sink { format: self.format, file: self.output, is_bare: false };
        // An embedded cluster is gone with this process, and its graph with it; the file is still there.
        let origin = if client.is_embedded() { source.clone() } else { submission.id().to_string() };
        let ended = follow::finish(&submission, &outcome, Some(&origin), &sink, voice, is_interrupted);
        keep_or_release(&client, &submission, &outcome, &source, ended.is_ok()).await;
        drop(submission);
        client.close().await;
        ended
    }
}

/// Outputs are handed over by name, so two different ones cannot have the same: a key may imitate a path.
pub(super) fn check_names(upload: &Upload) -> Result<(), Failure> {
    let mut known: HashMap<String, &Reference> = HashMap::new();
    for output in upload.graph.outputs() {
        let name = upload.graph.output_name(output);
        if known.insert(name.clone(), output).is_some_and(|other| other != output) {
            let failure = Failure::bad_input(ErrorCode::DuplicateKey, format!("two outputs are called `{name}`"));
            return Err(failure.hint(Some("choose keys that do not look like a path into another task's result")));
        }
    }
    Ok(())
}

/// Keeps what `status`, `logs`, `explain` and `results` show of a graph that ended, and lets go of what was handed over.
pub(super) async fn keep_or_release(client: &Client, submission: &Submission, outcome: &Outcome, source: &str, is_written: bool) {
    if client.is_embedded() {
        record(client, submission, outcome, source).await;
    } else if outcome.is_success() && is_written {
        if let Err(error) = submission.release().await {
            tracing::debug!(%error, "the graph could not be released");
        }
    } else {
        // For `explain`, `logs` and `results`; the scheduler forgets it after a while.
        submission.detach();
    }
}

/// Keeps an embedded run. Its results are not worth less when that fails.
async fn record(client: &Client, submission: &Submission, outcome: &Outcome, source: &str) {
    let kept = match Home::from_env() {
        Ok(home) => Runs::new(home.runs()).record(client, submission, outcome, source).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = kept {
        tracing::warn!("`status`, `logs` and `explain` will not know this run: {error}");
    }
}
