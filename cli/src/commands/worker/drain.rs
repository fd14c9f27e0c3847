//! `wasm-tasks worker drain`: workers of a fleet leave without loss.

use crate::Ended;
use crate::escape::field;
use crate::failure::{Exit, Failure};
use crate::format;
use crate::output::{note, print_json, print_line};
use crate::place::Place;
use clap::Args;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::time::Duration;
use wasm_tasks::{Client, Query};

/// How often is looked how far they are.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Lets workers leave: what runs finishes, and what only they have is moved to others first
#[derive(Args)]
#[command(after_help = "Examples:
  wasm-tasks worker drain rack3 --scheduler 127.0.0.1:7077
  wasm-tasks worker drain rack3 rack4 --timeout 600
  wasm-tasks worker drain 17 --abandon-results --json

Prints a line for each worker when all of them are gone. A drain goes on when this command is interrupted. When no
other worker can take the results, it waits for one until the time is up; `wasm-tasks workers` shows how far it is.")]
pub(crate) struct Drain {
    /// Names of workers, or their numbers; `wasm-tasks workers` lists them
    #[arg(value_name = "NAME", required = true)]
    workers: Vec<String>,
    /// Seconds after which they are let go, whatever they still have: what runs there is stopped and runs elsewhere, and
    /// results that only they have are made again when they are needed [default: no end]
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    timeout: Option<Duration>,
    /// Do not wait for somebody who can take the results: what nobody can take now is made again when it is needed
    #[arg(long)]
    abandon_results: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

impl Drain {
    pub(crate) async fn run(self) -> Ended {
        let client = self.place.fleet().await?;
        let drained = client.drain_workers(self.workers.clone(), self.timeout, self.abandon_results);
        let gone = tokio::select! {
            gone = drained => gone?,
            failed = watch(&client, &self.workers) => return Err(failed),
        };
        let gone = gone.as_array().map(Vec::as_slice).unwrap_or_default();
        let is_lossless = gone.iter().all(|worker| worker["left"] == 0 && worker["stopped"] == 0);
        if self.json {
            print_json(&Json::from(gone))?;
        } else {
            gone.iter().try_for_each(|worker| print_line(sentence(worker)))?;
        }
        if !is_lossless {
            note("note: what was left behind is made again where it is still needed");
        }
        Ok(Exit::Done)
    }
}

/// Says how far the workers are whenever that changes and it takes long. Ends only when the scheduler is lost.
async fn watch(client: &Client, names: &[String]) -> Failure {
    let mut said: BTreeMap<u64, String> = BTreeMap::new();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let workers = match client.ask(Query::Workers).await {
            Ok(workers) => workers,
            Err(error) => return error.into(),
        };
        for worker in workers.as_array().into_iter().flatten() {
            let id = worker["id"].as_u64().unwrap_or_default();
            let name = worker["name"].as_str().unwrap_or_default();
            let is_meant = names.iter().any(|meant| meant == name || meant.parse() == Ok(id));
            let Some(text) = progress(&worker["drain"]).filter(|_| is_meant) else { continue };
            if said.get(&id) != Some(&text) {
                note(format!("{}: {text}", field(name)));
                said.insert(id, text);
            }
        }
    }
}

fn progress(drain: &Json) -> Option<String> {
    let number = |name: &str| drain[name].as_u64().unwrap_or(0);
    let (assigned, unmoved) = (number("assigned"), number("unmoved"));
    match (assigned, unmoved) {
        _ if drain.is_null() => None,
        (0, 0) => None,
        (0, unmoved) if drain["is_stuck"] == true => Some(format!(
            "no other worker can take {} that only it has; it waits for one, or for the end of `--timeout`",
            format::counted(unmoved, "result")
        )),
        (0, unmoved) => Some(format!("moving {}", format::counted(unmoved, "result"))),
        (assigned, 0) => Some(format!("finishing {}", format::counted(assigned, "task"))),
        (assigned, unmoved) => {
            Some(format!("finishing {}, moving {}", format::counted(assigned, "task"), format::counted(unmoved, "result")))
        }
    }
}

/// `rack3 left: moved 12 results (3.4 MiB)`
fn sentence(worker: &Json) -> String {
    let number = |name: &str| worker[name].as_u64().unwrap_or(0);
    let name = worker["name"].as_str().unwrap_or_default();
    let how = if worker["is_lost"] == true { "was lost while it drained" } else { "left" };
    let mut text = match number("moved") {
        0 => format!("{name} {how}: no result had to be moved"),
        moved => format!("{name} {how}: moved {} ({})", format::counted(moved, "result"), format::bytes(number("moved_bytes"))),
    };
    if number("left") > 0 {
        text += &format!("; {} only it had went with it", format::counted(number("left"), "result"));
    }
    if number("stopped") > 0 {
        text += &format!("; {} stopped", format::counted(number("stopped"), "running task"));
    }
    if worker["is_timed_out"] == true {
        text += "; its time was up";
    }
    text
}

pub(super) fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=1e9).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "a time is a number of seconds, such as `30` or `0.5`".to_owned())
}
