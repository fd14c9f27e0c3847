//! `wasm-tasks workers`: the workers of a fleet.

use crate::Ended;
use crate::failure::Exit;
use crate::format;
use crate::output::{note, print, print_json};
use crate::place::Place;
use clap::Args;
use serde_json::Value as Json;
use wasm_tasks::Query;

/// Lists the workers of a fleet
#[derive(Args)]
#[command(after_help = "Examples:
  wasm-tasks workers --scheduler 127.0.0.1:7077
  wasm-tasks workers --json | jq '.[].name'")]
pub(crate) struct Workers {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

impl Workers {
    pub(crate) async fn run(self) -> Ended {
        let answer = self.place.fleet().await?.ask(Query::Workers).await?;
        if self.json {
            print_json(&answer)?;
            return Ok(Exit::Done);
        }
        let workers = answer.as_array().map_or(&[][..], Vec::as_slice);
        // Few workers know when they leave.
        let has_ends = workers.iter().any(|worker| !worker["leaves_in_ms"].is_null());
        let workers: Vec<Json> = workers.iter().map(|worker| row(worker, has_ends)).collect();
        if workers.is_empty() {
            note("no worker is connected");
        }
        print(&format::table(&workers))?;
        Ok(Exit::Done)
    }
}

fn row(worker: &Json, has_ends: bool) -> Json {
    const COLUMNS: [&str; 12] = [
        "id",
        "name",
        "state",
        "slots",
        "assigned",
        "memory_bytes",
        "stored_bytes",
        "resident_bytes",
        "labels",
        "pools",
        "leaves_in_ms",
        "pid",
    ];
    let cell = |name: &str| if name == "state" { state(worker).into() } else { worker[name].clone() };
    let is_shown = |name: &&&str| has_ends || **name != "leaves_in_ms";
    Json::Object(COLUMNS.iter().filter(is_shown).map(|name| ((*name).to_owned(), cell(name))).collect())
}

/// One word for what a worker does.
fn state(worker: &Json) -> &'static str {
    match (worker["drain"].is_object(), worker["is_leaving"] == true) {
        (true, _) => "draining",
        (false, true) => "leaving",
        (false, false) if worker["is_paused"] == true => "paused",
        (false, false) => "ready",
    }
}
