//! `wasm-tasks published`: the graphs that are kept under a name.

use crate::Ended;
use crate::failure::Exit;
use crate::format::table;
use crate::output::{print, print_json};
use crate::place::Place;
use clap::Args;

/// Lists the graphs of a fleet that are published
#[derive(Args)]
#[command(after_help = "Examples:
  wasm-tasks published
  wasm-tasks published --json | jq -r '.[].name'")]
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
            print(&table(rows.as_array().map_or(&[], Vec::as_slice)))?;
        }
        Ok(Exit::Done)
    }
}
