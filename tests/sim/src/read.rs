//! Graphs that others wrote: Estee's JSON, and WfFormat 1.5 of WfCommons.

use crate::generate::set_functions;
use crate::work::{Work, WorkError, WorkTask};
use serde_json::Value;
use std::collections::BTreeMap;
use wasm_tasks_protocol::ids::TaskIndex;

/// Why bytes are not a graph.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not JSON.
    #[error("it is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Something is missing or of the wrong kind.
    #[error("{place}: expected {expected}")]
    Expected {
        /// Where.
        place: String,
        /// What.
        expected: &'static str,
    },
    /// Edges that lead nowhere, or a circle.
    #[error("{0}")]
    Graph(#[from] WorkError),
}

fn expected(place: impl Into<String>, expected: &'static str) -> ReadError {
    ReadError::Expected { place: place.into(), expected }
}

const MIB: f64 = (1u64 << 20) as f64;

/// Reads Estee's graphs: an array of tasks `{d, e_d, cpus, outputs: [{s, e_s}], inputs: [[task, output], …]}` (seconds, MiB), or
/// records `{graph_name, graph}` in an array, where `graph` is such an array or its text; or the same by column, as pandas
/// writes a table.
///
/// # Errors
/// What is not as it should be.
pub fn estee(json: &[u8]) -> Result<Vec<Work>, ReadError> {
    let value: Value = serde_json::from_slice(json)?;
    if let Some(names) = value.get("graph_name").and_then(Value::as_object) {
        let graphs = value.get("graph").and_then(Value::as_object).ok_or_else(|| expected("graph", "a column"))?;
        let graph = |row: &String| graphs.get(row).ok_or_else(|| expected(format!("graph.{row}"), "a graph"));
        return names.iter().map(|(row, name)| estee_graph(name.as_str().unwrap_or("graph"), graph(row)?)).collect();
    }
    let list = value.as_array().ok_or_else(|| expected("the file", "an array of tasks or of graphs"))?;
    if list.first().is_some_and(|first| first.get("graph").is_some()) {
        let record = |record: &Value| {
            let name = record.get("graph_name").and_then(Value::as_str).unwrap_or("graph");
            estee_graph(name, record.get("graph").unwrap_or(&Value::Null))
        };
        return list.iter().map(record).collect();
    }
    Ok(vec![estee_graph("graph", &value)?])
}

fn estee_graph(name: &str, graph: &Value) -> Result<Work, ReadError> {
    let parsed: Value;
    let graph = match graph.as_str() {
        Some(text) => {
            parsed = serde_json::from_str(text)?;
            &parsed
        }
        None => graph,
    };
    let list = graph.as_array().ok_or_else(|| expected(name, "an array of tasks"))?;
    let mut tasks = Vec::with_capacity(list.len());
    for (position, entry) in list.iter().enumerate() {
        let place = |field: &str| format!("{name}, task {position}, `{field}`");
        let number =
            |value: Option<&Value>, field: &str| value.and_then(Value::as_f64).ok_or_else(|| expected(place(field), "a number"));
        let duration = number(entry.get("d"), "d")?;
        let mut task = WorkTask::new(duration, entry.get("e_d").and_then(Value::as_f64).unwrap_or(duration), 0);
        let cpus = entry.get("cpus").and_then(Value::as_u64).unwrap_or(1);
        task.settings.slots_milli = cpus.saturating_mul(1_000);
        let outputs = entry.get("outputs").and_then(Value::as_array).ok_or_else(|| expected(place("outputs"), "an array"))?;
        let sizes = outputs.iter().map(|output| number(output.get("s"), "outputs").map(|mib| (mib.max(0.0) * MIB) as u64));
        task.parts = sizes.collect::<Result<_, _>>()?;
        let inputs = entry.get("inputs").and_then(Value::as_array).ok_or_else(|| expected(place("inputs"), "an array"))?;
        for input in inputs {
            let at = |at: usize| input.get(at).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
            let pair = at(0).zip(at(1)).ok_or_else(|| expected(place("inputs"), "pairs of task and output"))?;
            let has = list.get(pair.0 as usize).and_then(|task| task.get("outputs")?.as_array()).map_or(0, Vec::len);
            if pair.1 as usize >= has {
                return Err(expected(place("inputs"), "an output that its task has"));
            }
            task.needs.push((TaskIndex(pair.0), pair.1));
        }
        tasks.push(task);
    }
    set_functions(&mut tasks);
    Ok(Work::new(name.to_owned(), tasks, None, 1)?)
}

/// Reads an instance of WfFormat 1.5 (<https://wfcommons.org/format>): durations are the measured run times, edges are those of
/// the specification, and every output file is a part of its task's result. Files that no task writes are not moved. Tasks of
/// one program share a function; each takes one slot.
///
/// # Errors
/// What is not as it should be.
pub fn wfformat(json: &[u8]) -> Result<Work, ReadError> {
    let value: Value = serde_json::from_slice(json)?;
    let name = value.get("name").and_then(Value::as_str).unwrap_or("workflow");
    let list = |path: &str| {
        value
            .pointer(path)
            .and_then(Value::as_array)
            .ok_or_else(|| expected(path.trim_start_matches('/').replace('/', "."), "an array"))
    };
    let text = |entry: &Value, field: &str| entry.get(field).and_then(Value::as_str).map(str::to_owned);
    let entries = list("/workflow/specification/tasks")?;
    let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
    if let Ok(files) = list("/workflow/specification/files") {
        for file in files {
            let id = text(file, "id").ok_or_else(|| expected("a file", "an `id`"))?;
            sizes.insert(id, file.get("sizeInBytes").and_then(Value::as_u64).unwrap_or(0));
        }
    }
    let mut seconds: BTreeMap<String, f64> = BTreeMap::new();
    for run in list("/workflow/execution/tasks")? {
        let id = text(run, "id").ok_or_else(|| expected("an executed task", "an `id`"))?;
        seconds.insert(id, run.get("runtimeInSeconds").and_then(Value::as_f64).unwrap_or(0.0));
    }
    let names = |entry: &Value, field: &str| -> Vec<String> {
        let list = entry.get(field).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut positions: BTreeMap<String, u32> = BTreeMap::new();
    let mut makers: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    let mut functions: BTreeMap<String, u32> = BTreeMap::new();
    let mut tasks = Vec::with_capacity(entries.len());
    for (position, entry) in (0u32..).zip(entries) {
        let id = text(entry, "id").ok_or_else(|| expected(format!("task {position}"), "an `id`"))?;
        let duration = seconds.get(&id).copied().unwrap_or(0.0);
        let mut task = WorkTask::new(duration, duration, 0);
        let outputs = names(entry, "outputFiles");
        task.parts = outputs.iter().map(|file| sizes.get(file).copied().unwrap_or(0)).collect();
        // Tasks that are ordered without a file between them hand over nothing.
        task.parts.push(0);
        makers.extend((0u32..).zip(outputs).map(|(part, file)| (file, (position, part))));
        let next = functions.len() as u32;
        task.function = *functions.entry(text(entry, "name").unwrap_or_default()).or_insert(next);
        positions.insert(id, position);
        tasks.push(task);
    }
    for (position, entry) in entries.iter().enumerate() {
        for parent in names(entry, "parents") {
            let parent =
                *positions.get(&parent).ok_or_else(|| expected(format!("task {position}, `parents`"), "ids of tasks"))?;
            let last = tasks[parent as usize].parts.len() as u32 - 1;
            tasks[position].needs.push((TaskIndex(parent), last));
        }
        for file in names(entry, "inputFiles") {
            if let Some((maker, part)) = makers.get(&file).filter(|(maker, _)| *maker as usize != position) {
                tasks[position].needs.push((TaskIndex(*maker), *part));
            }
        }
    }
    Ok(Work::new(name.to_owned(), tasks, None, 1)?)
}
