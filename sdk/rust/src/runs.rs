//! What an embedded run leaves behind: a folder with its summary, failures, logs and small results.
//!
//! Bounded in number and size, and written at the end in one go, so that a task costs nothing more.
//! Owns the layout of the folder; what the answers in it say is the scheduler's.

use crate::client::{Client, Outcome, OutputError, Submission};
use crate::home::create_private;
use crate::report::{failure_to_json, summary_to_json};
use bytes::Bytes;
use serde_json::{Map, Value as Json, json};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use wasm_tasks_protocol::GraphId;
use wasm_tasks_protocol::message::Query;

/// Runs that are kept; older ones go.
pub const RUNS_MAX: usize = 20;
/// Bytes of results that one run keeps. A result that does not fit any more is left out.
const RESULT_BYTES_MAX: usize = 4 << 20;
/// Bytes of each of the other files.
const FILE_BYTES_MAX: usize = 2 << 20;
/// Tasks whose logs and explanations are asked for one by one.
const FAILED_TASKS_MAX: usize = 100;
/// Tasks up to which the logs of all are kept, not only of those that failed.
const ALL_LOGS_TASKS_MAX: u64 = 1_000;

/// The folder of all runs.
#[derive(Clone, Debug)]
pub struct Runs {
    folder: PathBuf,
}

/// The folder of one run.
#[derive(Clone, Debug)]
pub struct Run {
    folder: PathBuf,
    /// Its graph.
    pub id: GraphId,
    /// `summary.json`.
    pub summary: Json,
}

impl Runs {
    /// The runs in a folder, which need not exist yet.
    pub fn new(folder: PathBuf) -> Runs {
        Runs { folder }
    }

    /// Keeps a run that ended. `source` is what people know the graph by: its file.
    ///
    /// # Errors
    /// When the folder cannot be written; nothing is left behind then.
    pub async fn record(&self, client: &Client, submission: &Submission, outcome: &Outcome, source: &str) -> io::Result<()> {
        let answers = Answers::ask(client, submission, outcome).await;
        let id = submission.id();
        create_private(&self.folder)?;
        let temporary = self.folder.join(format!(".{id}.tmp"));
        drop(fs::remove_dir_all(&temporary));
        let written = write_run(&temporary, id, outcome, &answers, source)
            .and_then(|()| fs::rename(&temporary, self.folder.join(id.to_string())));
        if written.is_err() {
            drop(fs::remove_dir_all(&temporary));
        }
        written?;
        self.forget_old();
        Ok(())
    }

    /// The runs, the newest first.
    pub fn list(&self) -> Vec<Run> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let open = |entry: io::Result<fs::DirEntry>| self.open(entry.ok()?.file_name().to_str()?.parse().ok()?);
        let mut runs: Vec<Run> = entries.filter_map(open).collect();
        runs.sort_by_key(|run| std::cmp::Reverse(run.summary["ended_unix_ms"].as_u64()));
        runs
    }

    /// A run, where it is kept.
    pub fn open(&self, id: GraphId) -> Option<Run> {
        let folder = self.folder.join(id.to_string());
        let summary = read_json(&folder.join("summary.json"))?;
        Some(Run { folder, id, summary })
    }

    /// Another process may be doing the same at this moment, so what is gone already is no error.
    fn forget_old(&self) {
        self.list().iter().skip(RUNS_MAX).for_each(|run| drop(fs::remove_dir_all(&run.folder)));
    }
}

impl Run {
    /// The tasks that failed.
    pub fn failures(&self) -> Json {
        read_json(&self.folder.join("failures.json")).unwrap_or_else(|| json!([]))
    }

    /// What tasks wrote: a list of `{key, stdout, stderr}`. Only failed tasks when the graph was large.
    pub fn logs(&self) -> Json {
        read_json(&self.folder.join("logs.json")).unwrap_or_else(|| json!([]))
    }

    /// Explanations: of the graph (no key), or of a task that did not end well.
    pub fn explain(&self, key: Option<&str>) -> Option<Json> {
        let explain = read_json(&self.folder.join("explain.json"))?;
        match key {
            None => explain.get("graph").cloned(),
            Some(key) => explain["tasks"].get(key).cloned(),
        }
    }

    /// Names of the outputs, and their typed encoding where it was kept.
    pub fn outputs(&self) -> Vec<(String, Option<Bytes>)> {
        let list = read_json(&self.folder.join("outputs.json")).unwrap_or_default();
        let read = |output: &Json| {
            let bytes = output["file"].as_str().and_then(|file| fs::read(self.folder.join("results").join(file)).ok());
            (output["name"].as_str().unwrap_or_default().to_owned(), bytes.map(Bytes::from))
        };
        list.as_array().into_iter().flatten().map(read).collect()
    }
}

/// What the scheduler says of tasks that did not end well.
struct Answers {
    explain: Json,
    logs: Vec<Json>,
}

impl Answers {
    async fn ask(client: &Client, submission: &Submission, outcome: &Outcome) -> Answers {
        let graph = submission.id();
        let ask = async |query| client.ask(query).await.ok();
        let keys = || outcome.failures.iter().take(FAILED_TASKS_MAX).map(|failure| failure.key.clone());
        // Outputs that failed because of another task are what people ask about; the name of a whole one is its task's key.
        let failed = outcome.outputs.iter().filter(|output| matches!(output.value, Err(OutputError::Failed)));
        let failed = failed.take(FAILED_TASKS_MAX).map(|output| output.name.clone());
        let mut tasks = Map::new();
        for key in keys().chain(failed) {
            if !tasks.contains_key(&key)
                && let Some(answer) = ask(Query::Explain { graph, key: Some(key.clone()) }).await
            {
                tasks.insert(key, answer);
            }
        }
        let whole = match outcome.is_success() {
            true => None,
            false => ask(Query::Explain { graph, key: None }).await,
        };
        let mut logs = Vec::new();
        if outcome.summary.tasks <= ALL_LOGS_TASKS_MAX {
            if let Some(Json::Array(all)) = ask(Query::Logs { graph, key: None }).await {
                logs = all;
            }
        } else {
            for key in keys() {
                if let Some(Json::Array(of_task)) = ask(Query::Logs { graph, key: Some(key) }).await {
                    logs.extend(of_task);
                }
            }
        }
        Answers { explain: json!({"graph": whole, "tasks": tasks}), logs }
    }
}

fn write_run(folder: &Path, id: GraphId, outcome: &Outcome, answers: &Answers, source: &str) -> io::Result<()> {
    fs::create_dir_all(folder.join("results"))?;
    let mut room = RESULT_BYTES_MAX;
    let mut outputs = Vec::new();
    for (position, output) in outcome.outputs.iter().enumerate() {
        let size = output.value.as_ref().ok().map(Bytes::len);
        let mut file = None;
        if let Ok(bytes) = &output.value
            && bytes.len() <= room
        {
            let name = format!("{position}.msgpack");
            fs::write(folder.join("results").join(&name), bytes)?;
            room -= bytes.len();
            file = Some(name);
        }
        outputs.push(json!({"name": output.name, "bytes": size, "file": file}));
    }
    let mut summary =
        json!({"graph": id.to_string(), "source": source, "ended_unix_ms": unix_ms(), "outputs": outcome.outputs.len()});
    if let (Json::Object(summary), Json::Object(numbers)) = (&mut summary, summary_to_json(&outcome.summary)) {
        summary.extend(numbers);
    }
    write_json(&folder.join("outputs.json"), &Json::Array(outputs))?;
    write_json(&folder.join("failures.json"), &bounded_list(outcome.failures.iter().map(failure_to_json)))?;
    write_json(&folder.join("explain.json"), &answers.explain)?;
    write_json(&folder.join("logs.json"), &bounded_list(answers.logs.iter().cloned()))?;
    write_json(&folder.join("summary.json"), &summary)
}

/// As many as fit into a file.
fn bounded_list(items: impl Iterator<Item = Json>) -> Json {
    let mut room = FILE_BYTES_MAX;
    items.take_while(|item| fits(&item.to_string(), &mut room)).collect()
}

fn fits(text: &str, room: &mut usize) -> bool {
    let left = room.checked_sub(text.len());
    *room = left.unwrap_or(0);
    left.is_some()
}

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

fn read_json(path: &Path) -> Option<Json> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn write_json(path: &Path, json: &Json) -> io::Result<()> {
    fs::write(path, json.to_string())
}
