//! `wasm-tasks publish`: keeps a graph under a name.

use crate::Ended;
use crate::failure::Exit;
use crate::graph_name::GraphName;
use crate::output::note;
use crate::place::Place;
use clap::Args;

/// Gives a graph of a fleet a name, and keeps its outputs until the name is withdrawn
#[derive(Args)]
#[command(after_help = "Examples:
  id=$(wasm-tasks submit graph.msgpack --detach)
  wasm-tasks publish $id prices
  wasm-tasks results prices                     from any client, as often as wanted
  wasm-tasks unpublish prices

Wherever a command takes the id of a graph it takes a published name too.")]
pub(crate) struct Publish {
    /// The graph's id, or a name that it has already
    #[arg(value_parser = GraphName::parse)]
    graph: GraphName,
    /// The name
    name: String,
    #[command(flatten)]
    place: Place,
}

impl Publish {
    pub(crate) async fn run(self) -> Ended {
        let client = self.place.fleet().await?;
        let graph = self.graph.find(&client).await?;
        client.publish(graph, &self.name).await?;
        note(format!("graph `{graph}` is published as `{}`", self.name));
        Ok(Exit::Done)
    }
}
