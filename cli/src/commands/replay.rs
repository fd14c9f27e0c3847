//! `wasm-tasks replay`: a task with its inputs as a graph of its own.

use super::results::open_run;
use crate::Ended;
use crate::failure::{Exit, Failure};
use crate::follow::{check_file, or_interrupt, read_upload};
use crate::graph_name::GraphName;
use crate::output::{note, print_line, write_file};
use crate::place::{Place, Size};
use crate::signals::Interrupts;
use clap::Args;
use std::path::{Path, PathBuf};
use wasm_tasks::{ErrorCode, GraphId, Replay as Written, ReplayFailure};

/// Writes a task with its inputs as a graph of one task, to run it again anywhere
#[derive(Args)]
#[command(after_help = "Examples:
  wasm-tasks replay graph.msgpack mean-3               of a graph file: what the task needs is run first
  wasm-tasks replay ID mean-3 -o mean-3.msgpack        of a graph that a fleet knows
  wasm-tasks submit mean-3.msgpack                     runs the task again

The file has the component, the inputs, and the options that the result depends on, so that the task does the same on any
machine. Inputs that a fleet still has are taken as they are, the others are computed again. KEY may be a task that a task
wrote, such as `sort/less`: of a graph file, the task that wrote it is run first.")]
pub(crate) struct Replay {
    /// The graph: its file, its id, or its published name
    graph: String,
    /// The task's key
    key: String,
    /// Folder below which the graph may read files too, besides its own; may be given several times
    #[arg(long, value_name = "DIR")]
    allow_path: Vec<PathBuf>,
    /// The file to write [default: replay-KEY.msgpack]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    size: Size,
}

/// What `GRAPH` is.
enum Origin {
    Fleet(GraphName),
    File(PathBuf),
}

impl Replay {
    pub(crate) async fn run(self) -> Ended {
        let mut interrupts = Interrupts::listen()?;
        check_file(self.output.as_deref())?;
        let written = match self.origin()? {
            Origin::Fleet(graph) => {
                let client = or_interrupt(&mut interrupts, self.place.fleet()).await?;
                let graph = graph.find(&client).await?;
                or_interrupt(&mut interrupts, async { client.replay(graph, &self.key).await.map_err(failure) }).await?
            }
            Origin::File(path) => {
                let upload = read_upload(&path, &self.allow_path, &mut interrupts).await?;
                let client = or_interrupt(&mut interrupts, self.place.open(&self.size)).await?;
                let replay = async { client.replay_upload(upload, &self.key).await.map_err(failure) };
                let written = or_interrupt(&mut interrupts, replay).await;
                client.close().await;
                written?
            }
        };
        let file = self.output.clone().unwrap_or_else(|| default_file(&self.key));
        write_file(&file, &written.file)?;
        print_line(file.display())?;
        self.say(&written, &file);
        Ok(Exit::Done)
    }

    fn origin(&self) -> Result<Origin, Failure> {
        let path = PathBuf::from(&self.graph);
        let name = GraphName::parse(&self.graph).map_err(Failure::bad_arguments)?;
        if path.exists() {
            return Ok(Origin::File(path));
        }
        match (name, self.place.scheduler()) {
            (name, Some(_)) => Ok(Origin::Fleet(name)),
            (GraphName::Id(graph), None) => file_of_run(graph).map(Origin::File),
            (GraphName::Published(_), None) => Ok(Origin::File(path)),
        }
    }

    fn say(&self, written: &Written, file: &Path) {
        if written.is_granted {
            note("note: a real clock or real randomness is granted here, so another run may differ");
        }
        note(format!("hint: `wasm-tasks submit {}` runs `{}` again", file.display(), self.key));
    }
}

/// An embedded run keeps no graph, but knows the file that it came from.
fn file_of_run(graph: GraphId) -> Result<PathBuf, Failure> {
    let run = open_run(graph)?;
    let source = PathBuf::from(run.summary["source"].as_str().unwrap_or_default());
    if source.is_file() {
        return Ok(source);
    }
    let message = format!("the embedded run `{graph}` was of `{}`, which is no file here", source.display());
    Err(Failure::bad_input(ErrorCode::NotFound, message).hint(Some("name the graph file instead of the id")))
}

fn failure(error: ReplayFailure) -> Failure {
    match error {
        ReplayFailure::Client(error) => error.into(),
        ReplayFailure::NoTask(_)
        | ReplayFailure::NoComponent(..)
        | ReplayFailure::NoInput { .. }
        | ReplayFailure::Input(_)
        | ReplayFailure::Write(_) => Failure::bad_input(error.code(), &error).hint(error.hint()),
    }
}

/// A name that fits into a folder, whatever the key is.
fn default_file(key: &str) -> PathBuf {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let name: String = key.chars().take(80).map(|c| if fits(c) { c } else { '_' }).collect();
    PathBuf::from(format!("replay-{name}.msgpack"))
}
