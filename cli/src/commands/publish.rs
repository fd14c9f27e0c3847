//! `wasm-tasks publish`, `published` and `unpublish`: graphs that are kept under a name.

use crate::Ended;
use crate::failure::Exit;
use crate::format::table;
use crate::graph_name::GraphName;
use crate::output::{note, print, print_json};
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

/// Withdraws the name of a published graph
#[derive(Args)]
pub(crate) struct Unpublish {
    /// The name
    name: String,
    #[command(flatten)]
    place: Place,
}

impl Unpublish {
    pub(crate) async fn run(self) -> Ended {
        self.place.fleet().await?.unpublish(&self.name).await?;
        note(format!("`{}` is withdrawn", self.name));
        Ok(Exit::Done)
    }
}

/// Lists the graphs of a fleet that are published
#[derive(Args)]
pub(crate) struct Published {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

impl Published {
    pub(crate) async fn run(self) -> Ended {
        let rows = self.place.fleet().await?.published().await?;
        if self.json {
            print_json(&rows)?;
        } else {
            print(table(rows.as_array().map_or(&[], Vec::as_slice)).as_bytes())?;
        }
        Ok(Exit::Done)
    }
}
