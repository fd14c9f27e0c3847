//! `wasm-tasks cancel`: stops a graph.

use super::results::parse_id;
use crate::Ended;
use crate::failure::Exit;
use crate::output::{note, print_json};
use crate::place::Place;
use clap::Args;
use wasm_tasks::{GraphId, state_of, summary_to_json};

/// Stops a graph of a fleet; running tasks end at once
#[derive(Args)]
#[command(after_help = "Examples:
  wasm-tasks cancel 5f0c6f2a8b3d4e1f9a7c5b3d1e2f4a6b --scheduler 127.0.0.1:7077")]
pub(crate) struct Cancel {
    /// The graph's id; `wasm-tasks status` lists them
    #[arg(value_parser = parse_id)]
    graph: GraphId,
    /// Print the graph's summary as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

impl Cancel {
    pub(crate) async fn run(self) -> Ended {
        let client = self.place.fleet().await?;
        let submission = client.attach(self.graph).await?;
        submission.detach();
        submission.cancel().await?;
        let summary = submission.finished().await?;
        if self.json {
            print_json(&summary_to_json(&summary))?;
        } else if summary.is_cancelled {
            note(format!("graph `{}` is cancelled", self.graph));
        } else {
            note(format!("graph `{}` had ended before: {}", self.graph, state_of(&summary)));
        }
        Ok(Exit::Done)
    }
}
