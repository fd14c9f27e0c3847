//! `wasm-tasks attach`: follows a graph that was submitted before.

use super::results::no_such_run;
use crate::Ended;
use crate::follow::{self, Interrupt, Sink, or_interrupt};
use crate::graph_name::GraphName;
use crate::place::Place;
use crate::report::Voice;
use crate::signals::Interrupts;
use crate::values::Format;
use clap::Args;
use std::path::PathBuf;

/// Follows a graph of a fleet to its end and prints its outputs
#[derive(Args)]
#[command(after_help = "Examples:
  id=$(wasm-tasks submit graph.msgpack --detach)
  wasm-tasks attach $id

Ctrl-C leaves the graph running; `wasm-tasks cancel ID` stops it.")]
pub(crate) struct Attach {
    /// The graph's id, or its published name
    #[arg(value_parser = GraphName::parse)]
    graph: GraphName,
    /// How outputs are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// File for the outputs instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// No progress, no summary
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    place: Place,
}

impl Attach {
    pub(crate) async fn run(self) -> Ended {
        if self.place.scheduler().is_none() {
            let hint = "an embedded run ends with its command; `wasm-tasks results ID` shows what it left";
            return Err(no_such_run(self.graph.id()?, hint));
        }
        let voice = Voice::new(self.quiet);
        let mut interrupts = Interrupts::listen()?;
        follow::check_file(self.output.as_deref())?;
        let client = or_interrupt(&mut interrupts, self.place.fleet()).await?;
        let graph = self.graph.find(&client).await?;
        let submission = client.attach(graph).await?;
        submission.detach();
        self.format.check(submission.output_names().len(), self.output.as_deref())?;
        let bar = voice.bar();
        let (outcome, _) = follow::until_end(&submission, &bar, &mut interrupts, Interrupt::Leaves).await?;
        drop(bar);
        let sink = Sink { format: self.format, file: self.output, is_bare: false };
        follow::finish(&submission, &outcome, Some(&graph.to_string()), &sink, voice, false)
    }
}
