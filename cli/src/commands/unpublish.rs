//! `wasm-tasks unpublish`: withdraws the name of a graph.

use crate::Ended;
use crate::failure::Exit;
use crate::output::note;
use crate::place::Place;
use clap::Args;

/// Withdraws the name of a published graph
#[derive(Args)]
#[command(after_help = "Examples:
  wasm-tasks unpublish prices                   its results go once no client needs them")]
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
