//! `wasm-tasks explain`: why a task is in the state it is in.

use super::results::open_run;
use crate::Ended;
use crate::escape::field;
use crate::failure::{Exit, Failure};
use crate::format;
use crate::graph_name::GraphName;
use crate::output::{print, print_json};
use crate::place::Place;
use clap::Args;
use serde_json::{Value as Json, json};
use wasm_tasks::{ErrorCode, Query};

/// Explains why a task waits, runs or failed
#[derive(Args)]
#[command(after_help = "Examples:
  wasm-tasks explain ID                              the whole graph
  wasm-tasks explain ID mean-3                       one task
  wasm-tasks explain ID mean-3 --scheduler 127.0.0.1:7077

Embedded runs keep the explanations of tasks that did not end well.")]
pub(crate) struct Explain {
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

impl Explain {
    pub(crate) async fn run(self) -> Ended {
        let answer = match self.place.scheduler() {
            Some(_) => {
                let client = self.place.fleet().await?;
                let graph = self.graph.find(&client).await?;
                client.ask(Query::Explain { graph, key: self.key.clone() }).await?
            }
            None => self.of_run()?,
        };
        if self.json {
            print_json(&answer)?
        } else {
            print(&text(&answer))?
        }
        Ok(Exit::Done)
    }

    fn of_run(&self) -> Result<Json, Failure> {
        let run = open_run(self.graph.id()?)?;
        if let Some(answer) = run.explain(self.key.as_deref()).filter(|answer| !answer.is_null()) {
            return Ok(answer);
        }
        let failures = run.failures();
        let failure = failures.as_array().into_iter().flatten().find(|failure| failure["key"].as_str() == self.key.as_deref());
        match (&self.key, failure) {
            (None, _) => Ok(json!({"graph": self.graph.to_string(), "state": run.summary["state"], "failures": failures})),
            (Some(_), Some(failure)) => Ok(failure.clone()),
            (Some(key), None) => {
                let message = format!("nothing is kept of task `{key}`: it ended well, or the graph does not have it");
                Err(Failure::bad_input(ErrorCode::NotFound, message))
            }
        }
    }
}

/// The sentence first, then the facts.
fn text(answer: &Json) -> String {
    let mut facts = answer.clone();
    let mut sentence = String::new();
    if let Json::Object(fields) = &mut facts {
        fields.retain(|_, value| !value.is_null() && *value != json!(false));
        if let (Some(key), Some(Json::String(text))) = (fields.get("key").cloned(), fields.shift_remove("text")) {
            sentence = format!("`{}`: {}\n", field(key.as_str().unwrap_or_default()), field(&text));
        }
    }
    sentence + &format::tree(&facts)
}
