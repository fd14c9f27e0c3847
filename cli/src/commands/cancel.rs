//! `wasm-tasks cancel`: stops a graph, or some of its tasks.

use crate::Ended;
use crate::failure::Exit;
use crate::format::counted;
use crate::graph_name::GraphName;
use crate::output::{note, print_json};
use crate::place::Place;
use clap::Args;
use wasm_tasks::{state_of, summary_to_json};

/// Stops a graph of a fleet, or some of its tasks; running ones end at once
#[derive(Args)]
#[command(after_help = "Examples:
  wasm-tasks cancel 5f0c6f2a8b3d4e1f9a7c5b3d1e2f4a6b --scheduler 127.0.0.1:7077
  wasm-tasks cancel ID mean-3 mean-4            these tasks and what needs them; the rest goes on")]
pub(crate) struct Cancel {
    /// The graph's id, or its published name; `wasm-tasks status` lists them
    #[arg(value_parser = GraphName::parse)]
    graph: GraphName,
    /// Keys of tasks; without any the whole graph is stopped
    keys: Vec<String>,
    /// Print the graph's summary as JSON
    #[arg(long, conflicts_with = "keys")]
    json: bool,
    #[command(flatten)]
    place: Place,
}

impl Cancel {
    pub(crate) async fn run(self) -> Ended {
        let client = self.place.fleet().await?;
        let graph = self.graph.find(&client).await?;
        if !self.keys.is_empty() {
            client.cancel_tasks(graph, &self.keys).await?;
            let tasks = counted(self.keys.len() as u64, "task");
            note(format!("{tasks} of graph `{graph}` cancelled, with what needs them; what had ended is as it was"));
            return Ok(Exit::Done);
        }
        let submission = client.attach(graph).await?;
        submission.detach();
        submission.cancel().await?;
        let summary = submission.finished().await?;
        if self.json {
            print_json(&summary_to_json(&summary))?;
        } else if summary.is_cancelled {
            note(format!("graph `{graph}` is cancelled"));
        } else {
            note(format!("graph `{graph}` had ended before: {}", state_of(&summary)));
        }
        Ok(Exit::Done)
    }
}
