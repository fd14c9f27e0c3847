//! `wasm-tasks results`: outputs of a graph that were not taken yet, or are wanted again.

use crate::Ended;
use crate::failure::{Exit, Failure};
use crate::follow::{self, Sink};
use crate::format::counted;
use crate::graph_name::GraphName;
use crate::output::note;
use crate::place::Place;
use crate::values::Format;
use bytes::Bytes;
use clap::Args;
use std::path::PathBuf;
use wasm_tasks::runs::{Run, Runs};
use wasm_tasks::{ErrorCode, GraphId, Home, OutputError};

/// Prints the finished outputs of a graph, of a fleet or of an earlier embedded run
#[derive(Args)]
#[command(after_help = "Examples:
  wasm-tasks results 5f0c6f2a8b3d4e1f9a7c5b3d1e2f4a6b
  wasm-tasks results ID --output-name 'report.svg' --format raw -o report.svg

Outputs that are not finished are left out; `attach` waits for them. Embedded runs keep small results.")]
pub(crate) struct Results {
    /// The graph's id, or its published name; `wasm-tasks status` lists them
    #[arg(value_parser = GraphName::parse)]
    graph: GraphName,
    /// Only this output
    #[arg(long, value_name = "NAME")]
    output_name: Option<String>,
    /// How outputs are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// File for the outputs instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

impl Results {
    pub(crate) async fn run(self) -> Ended {
        follow::check_file(self.output.as_deref())?;
        let outputs = match self.place.scheduler() {
            Some(_) => self.of_fleet().await?,
            None => open_run(self.graph.id()?)?.outputs(),
        };
        let wanted = |name: &str| self.output_name.as_deref().is_none_or(|wanted| wanted == name);
        let outputs: Vec<(String, Option<Bytes>)> = outputs.into_iter().filter(|(name, _)| wanted(name)).collect();
        if let (Some(name), true) = (&self.output_name, outputs.is_empty()) {
            return Err(Failure::bad_input(ErrorCode::NotFound, format!("the graph has no output `{name}`")));
        }
        self.format.check(outputs.len(), self.output.as_deref())?;
        let missing: Vec<String> =
            outputs.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| format!("`{name}`")).collect();
        let ready: Vec<(String, Bytes)> = outputs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        follow::write(&ready, &Sink { format: self.format, file: self.output, is_bare: false })?;
        if missing.is_empty() {
            return Ok(Exit::Done);
        }
        let shown = missing.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
        let (outputs, more) = (counted(missing.len() as u64, "output"), if missing.len() > 5 { ", …" } else { "" });
        note(format!("note: {outputs} without a value here: {shown}{more}"));
        Ok(Exit::TaskFailed)
    }

    /// What is finished now.
    async fn of_fleet(&self) -> Result<Vec<(String, Option<Bytes>)>, Failure> {
        let client = self.place.fleet().await?;
        let submission = client.attach(self.graph.find(&client).await?).await?;
        submission.detach();
        submission.known().await?;
        let mut outputs = Vec::new();
        for (position, name) in submission.output_names().iter().enumerate() {
            let value = match submission.try_output(position).await {
                Some(Err(OutputError::Client(error))) if error.is_connection() => return Err(error.into()),
                Some(value) => value.ok(),
                None => None,
            };
            outputs.push((name.clone(), value));
        }
        Ok(outputs)
    }
}

/// An embedded run that was kept.
pub(super) fn open_run(graph: GraphId) -> Result<Run, Failure> {
    let run = Runs::new(Home::from_env()?.runs()).open(graph);
    run.ok_or_else(|| {
        no_such_run(graph, "`wasm-tasks status` lists the runs that are kept; name a fleet with `--scheduler HOST:PORT`")
    })
}

/// Nothing is known of a graph without a scheduler.
pub(super) fn no_such_run(graph: GraphId, hint: &str) -> Failure {
    Failure::bad_input(ErrorCode::NotFound, format!("no embedded run `{graph}` to follow")).hint(Some(hint))
}
