//! `wasm-tasks logs`: what tasks wrote to their standard output and error.

use super::results::open_run;
use crate::Ended;
use crate::escape::field;
use crate::failure::{Exit, Failure};
use crate::graph_name::GraphName;
use crate::output::{note, print, print_json};
use crate::place::Place;
use clap::Args;
use serde_json::Value as Json;
use wasm_tasks::{ErrorCode, Query};

/// Shows what tasks wrote to standard output and standard error
#[derive(Args)]
#[command(after_help = "Examples:
  wasm-tasks logs ID                 all tasks that wrote something
  wasm-tasks logs ID parse-3         one task
  wasm-tasks logs ID --json

The last 64 KiB of each are kept while the result is. Embedded runs of more than 1,000 tasks keep those of failed tasks.")]
pub(crate) struct Logs {
    /// The graph's id, or its published name; `wasm-tasks status` lists them
    #[arg(value_parser = GraphName::parse)]
    graph: GraphName,
    /// The task's key
    key: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

impl Logs {
    pub(crate) async fn run(self) -> Ended {
        let answer = match self.place.scheduler() {
            Some(_) => {
                let client = self.place.fleet().await?;
                let graph = self.graph.find(&client).await?;
                client.ask(Query::Logs { graph, key: self.key.clone() }).await?
            }
            None => self.of_run()?,
        };
        if self.json {
            print_json(&answer)?;
            return Ok(Exit::Done);
        }
        let text = text(&answer, self.key.is_some());
        if text.is_empty() {
            note("nothing was written");
        }
        print(&text)?;
        Ok(Exit::Done)
    }

    fn of_run(&self) -> Result<Json, Failure> {
        let logs = open_run(self.graph.id()?)?.logs();
        let Some(key) = &self.key else { return Ok(logs) };
        let of_task: Vec<Json> =
            logs.as_array().into_iter().flatten().filter(|log| log["key"].as_str() == Some(key)).cloned().collect();
        if of_task.is_empty() {
            return Err(Failure::bad_input(ErrorCode::NotFound, format!("nothing that task `{key}` wrote is kept")));
        }
        Ok(Json::Array(of_task))
    }
}

/// Lines with the task's key and the stream in front, unless it is one task's.
fn text(answer: &Json, is_one: bool) -> String {
    let mut out = String::new();
    for log in answer.as_array().into_iter().flatten() {
        let key = field(log["key"].as_str().unwrap_or_default());
        for name in ["stdout", "stderr"] {
            for line in log[name].as_str().unwrap_or_default().lines() {
                out.push_str(&if is_one { format!("{line}\n") } else { format!("{key} {name}: {line}\n") });
            }
        }
    }
    out
}
