//! `wasm-tasks status`: graphs of a fleet, or the embedded runs of this machine.

use crate::Ended;
use crate::failure::Exit;
use crate::fleet::Fleet;
use crate::format;
use crate::output::{note, print, print_json};
use crate::place::Place;
use clap::Args;
use serde_json::{Value as Json, json};
use wasm_tasks::runs::{Run, Runs};
use wasm_tasks::{Home, Query};

/// Lists the graphs of a fleet, or the last embedded runs
#[derive(Args)]
#[command(after_help = "Examples:
  wasm-tasks status                                 embedded runs of this machine
  wasm-tasks status --scheduler 127.0.0.1:7077      graphs of a fleet
  wasm-tasks status --json")]
pub(crate) struct Status {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

impl Status {
    pub(crate) async fn run(self) -> Ended {
        if self.place.scheduler().is_some() {
            let answer = self.place.fleet().await?.ask(Query::Status).await?;
            if self.json {
                print_json(&answer)?
            } else {
                print(&fleet_text(&answer))?
            }
            return Ok(Exit::Done);
        }
        let home = Home::from_env()?;
        let runs = Runs::new(home.runs()).list();
        if self.json {
            print_json(&json!({"runs": runs.iter().map(|run| run.summary.clone()).collect::<Vec<_>>()}))?;
        } else if runs.is_empty() {
            note("no embedded runs are kept on this machine");
        } else {
            print(&format::table(&runs.iter().map(row).collect::<Vec<_>>()))?;
        }
        if let Some(fleet) = Fleet::running(&home) {
            note(format!("note: a fleet runs on this machine; `wasm-tasks status --scheduler {}` shows it", fleet.address));
        }
        Ok(Exit::Done)
    }
}

fn row(run: &Run) -> Json {
    json!({
        "graph": run.id.to_string(),
        "state": run.summary["state"],
        "tasks": run.summary["tasks"],
        "failed": run.summary["failed"],
        "elapsed_seconds": run.summary["elapsed_seconds"],
        "source": run.summary["source"],
    })
}

fn fleet_text(answer: &Json) -> String {
    const COLUMNS: [&str; 8] = ["id", "name", "state", "tasks", "finished", "failed", "assigned", "elapsed_ms"];
    let row = |graph: &Json| Json::Object(COLUMNS.iter().map(|name| ((*name).to_owned(), graph[*name].clone())).collect());
    let rows: Vec<Json> = answer["graphs"].as_array().into_iter().flatten().map(row).collect();
    let workers = format::counted(answer["workers"].as_u64().unwrap_or(0), "worker");
    let slots = format::counted(answer["slots"].as_u64().unwrap_or(0), "slot");
    let graphs = if rows.is_empty() { "no graphs\n".to_owned() } else { format::table(&rows) };
    format!("{workers}, {slots}\n{graphs}")
}
