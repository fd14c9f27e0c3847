//! Instances of WfFormat 1.5 (<https://wfcommons.org/format>), as WfCommons publishes them.

use super::{BYTES_MAX, CORES_MAX, Place, ReadError, SECONDS_MAX};
use crate::work::{Work, WorkTask};
use serde_json::Value;
use std::collections::BTreeMap;
use wasm_tasks_protocol::ids::TaskIndex;

/// Reads an instance: durations are the measured run times, cores those that were counted, edges those of the specification,
/// and every output file is a part of its task's result. Files that no task writes are not moved. Tasks of one program share a
/// function. That tasks were measured on different machines is not made up for.
///
/// # Errors
/// What is not as it should be.
pub fn wfformat(file: &str, json: &[u8]) -> Result<Work, ReadError> {
    let value: Value = serde_json::from_slice(json).map_err(|error| Place::default().wrong(error))?;
    let name = value.get("name").and_then(Value::as_str).unwrap_or(file);
    let here = Place::graph(name);
    let list = |pointer: &str| value.pointer(pointer).and_then(Value::as_array);
    let entries = list("/workflow/specification/tasks")
        .ok_or_else(|| here.field("workflow.specification.tasks").expected("the tasks of WfFormat 1.5"))?;
    let sizes = sizes(&here, list("/workflow/specification/files").map_or(&[], Vec::as_slice))?;
    let runs = list("/workflow/execution/tasks")
        .ok_or_else(|| here.field("workflow.execution.tasks").expected("what was measured of the tasks"))?;
    let mut measured: BTreeMap<&str, &Value> = BTreeMap::new();
    for (position, run) in runs.iter().enumerate() {
        let id = run.get("id").and_then(Value::as_str);
        measured.insert(id.ok_or_else(|| here.task(position).field("execution.id").expected("a text"))?, run);
    }
    let mut positions: BTreeMap<&str, u32> = BTreeMap::new();
    let mut makers: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    let mut functions: BTreeMap<&str, u32> = BTreeMap::new();
    let mut tasks = Vec::with_capacity(entries.len());
    for (position, entry) in (0u32..).zip(entries) {
        let id = entry.get("id").and_then(Value::as_str);
        let id = id.ok_or_else(|| here.task(position).field("id").expected("a text"))?;
        let place = here.task(format!("`{id}`"));
        let run = measured.get(id).ok_or_else(|| place.field("execution").expected("a measured run of the task"))?;
        let mut task = task(&place, run)?;
        let outputs = names(&place, entry, "outputFiles")?;
        task.parts = outputs.iter().map(|file| sizes.get(file).copied().unwrap_or(0)).collect();
        // Tasks that are ordered without a file between them hand over nothing.
        task.parts.push(0);
        makers.extend((0u32..).zip(outputs).map(|(part, file)| (file, (position, part))));
        let next = functions.len() as u32;
        task.function = *functions.entry(entry.get("name").and_then(Value::as_str).unwrap_or_default()).or_insert(next);
        if positions.insert(id, position).is_some() {
            return Err(place.field("id").expected("an id that no other task has"));
        }
        tasks.push(task);
    }
    for (position, entry) in entries.iter().enumerate() {
        let place = here.task(position);
        for parent in names(&place, entry, "parents")? {
            let unknown = || place.field("parents").expected("ids of tasks");
            let parent = *positions.get(parent).ok_or_else(unknown)?;
            let last = tasks[parent as usize].parts.len() as u32 - 1;
            tasks[position].needs.push((TaskIndex(parent), last));
        }
        for file in names(&place, entry, "inputFiles")? {
            if let Some((maker, part)) = makers.get(file).filter(|(maker, _)| *maker as usize != position) {
                tasks[position].needs.push((TaskIndex(*maker), *part));
            }
        }
    }
    Work::new(name.to_owned(), tasks, None, 1).map_err(|error| here.wrong(error))
}

fn task(place: &Place, run: &Value) -> Result<WorkTask, ReadError> {
    let number = |field: &'static str, max: f64, what: &'static str| match run.get(field).filter(|value| !value.is_null()) {
        None => Ok(None),
        Some(value) => {
            let number = value.as_f64().filter(|number| (0.0..=max).contains(number));
            number.map(Some).ok_or_else(|| place.field(field).expected(what))
        }
    };
    let seconds = number("runtimeInSeconds", SECONDS_MAX, "seconds, from 0 to 1e9")?;
    let seconds = seconds.ok_or_else(|| place.field("runtimeInSeconds").expected("seconds, from 0 to 1e9"))?;
    let mut task = WorkTask::new(seconds, seconds, 0);
    if let Some(cores) = number("coreCount", CORES_MAX, "cores, from 0 to 10,000")?.filter(|cores| *cores > 0.0) {
        task.settings.slots_milli = (cores * 1_000.0) as u64;
    }
    Ok(task)
}

fn sizes<'a>(here: &Place, files: &'a [Value]) -> Result<BTreeMap<&'a str, u64>, ReadError> {
    let mut sizes = BTreeMap::new();
    for file in files {
        let id = file.get("id").and_then(Value::as_str).ok_or_else(|| here.field("files.id").expected("a text"))?;
        let size = file.get("sizeInBytes").and_then(Value::as_f64).filter(|size| (0.0..=BYTES_MAX).contains(size));
        sizes.insert(id, size.ok_or_else(|| here.field("files.sizeInBytes").expected("bytes, from 0 to 2^50"))? as u64);
    }
    Ok(sizes)
}

fn names<'a>(place: &Place, entry: &'a Value, field: &'static str) -> Result<Vec<&'a str>, ReadError> {
    let Some(list) = entry.get(field).filter(|list| !list.is_null()) else { return Ok(Vec::new()) };
    let texts = list.as_array().and_then(|list| list.iter().map(Value::as_str).collect());
    texts.ok_or_else(|| place.field(field).expected("an array of texts"))
}
