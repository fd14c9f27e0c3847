//! Estee's graphs as JSON: what `estee/serialization/dask_json.py` writes, and the tables of the published data set
//! (<https://zenodo.org/records/2630385>).
//!
//! A task is `{d, e_d, cpus, outputs, inputs}`: seconds, expected seconds, cores, sizes in MiB, pairs of task and output.

use super::{BYTES_MAX, CORES_MAX, Place, ReadError, SECONDS_MAX};
use crate::generate::set_functions;
use crate::work::{Work, WorkTask};
use serde_json::Value;
use wasm_tasks_protocol::ids::TaskIndex;
use wasm_tasks_protocol::limits::GRAPH_TASKS_MAX;

const MIB: f64 = (1u64 << 20) as f64;

/// Reads graphs. A file may have
///
/// * tasks in an array, or in an object under `tasks`: one graph;
/// * graphs in an array, or one after the other: each like that, or a record `{graph_name, graph}`;
/// * graphs in an object, by name or under `graphs`;
/// * a table by column, as pandas writes it: `{graph_name: {row: …}, graph: {row: …}}`.
///
/// Where a graph is expected its text may stand. Also read are `duration` for `d`, `expected_duration` or `e_duration` for
/// `e_d` (left out: the duration), and outputs as numbers or as objects with `s` or `size`. `name` is that of a graph that has
/// none.
pub fn estee(name: &str, json: &[u8]) -> Vec<Result<Work, ReadError>> {
    let values: Result<Vec<Value>, _> = serde_json::Deserializer::from_slice(json).into_iter().collect();
    let here = Place::default();
    match values {
        Err(error) => vec![Err(here.wrong(error))],
        Ok(values) if values.is_empty() => vec![Err(here.expected("a graph"))],
        Ok(values) => values.iter().flat_map(|value| graphs(name, value)).collect(),
    }
}

fn graphs(name: &str, value: &Value) -> Vec<Result<Work, ReadError>> {
    match value {
        Value::Array(list) if list.iter().any(is_graph) => {
            let one = |(at, graph): (usize, &Value)| graphs(&format!("{name} {at}"), graph);
            list.iter().enumerate().flat_map(one).collect()
        }
        Value::Object(fields) => {
            let named = ["graph_name", "name"].iter().find_map(|field| fields.get(*field));
            let own_name = named.and_then(Value::as_str).unwrap_or(name);
            match (fields.get("tasks"), fields.get("graph"), fields.get("graphs")) {
                (Some(tasks), ..) => vec![graph(own_name, tasks)],
                (None, Some(Value::Object(column)), _) if !column.contains_key("tasks") => {
                    let names = named.and_then(Value::as_object);
                    let name_of = |row: &String| names.and_then(|names| names.get(row)?.as_str()).map(str::to_owned);
                    let one =
                        |(row, graph): (&String, &Value)| graphs(&name_of(row).unwrap_or_else(|| format!("{name} {row}")), graph);
                    column.iter().flat_map(one).collect()
                }
                (None, Some(graph), _) => graphs(own_name, graph),
                (None, None, Some(list)) => graphs(own_name, list),
                (None, None, None) if !fields.is_empty() && fields.values().all(is_graph) => {
                    fields.iter().flat_map(|(name, graph)| graphs(name, graph)).collect()
                }
                (None, None, None) => vec![Err(Place::graph(name).expected("tasks, or graphs"))],
            }
        }
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(Value::String(_)) => vec![Err(Place::graph(name).expected("tasks, or graphs"))],
            Ok(value) => graphs(name, &value),
            Err(error) => vec![Err(Place::graph(name).wrong(error))],
        },
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) => vec![graph(name, value)],
    }
}

/// Whether this is a graph rather than a task.
fn is_graph(value: &Value) -> bool {
    match value {
        Value::Array(_) | Value::String(_) => true,
        Value::Object(fields) => fields.contains_key("tasks") || fields.contains_key("graph"),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn graph(name: &str, tasks: &Value) -> Result<Work, ReadError> {
    let here = Place::graph(name);
    let list = tasks.as_array().ok_or_else(|| here.expected("an array of tasks"))?;
    if list.len() > GRAPH_TASKS_MAX {
        return Err(here.expected("at most 16,777,216 tasks"));
    }
    let mut tasks = Vec::with_capacity(list.len());
    for (position, entry) in list.iter().enumerate() {
        tasks.push(task(&here.task(position), entry)?);
    }
    for position in 0..tasks.len() {
        for (need, part) in tasks[position].needs.clone() {
            let place = here.task(position).field("inputs");
            let source = tasks.get(need.0 as usize).ok_or_else(|| place.expected("a task that the graph has"))?;
            if part as usize >= source.parts.len() {
                return Err(place.expected("an output that its task has"));
            }
        }
    }
    set_functions(&mut tasks);
    Work::new(name.to_owned(), tasks, None, 1).map_err(|error| here.wrong(error))
}

fn task(here: &Place, entry: &Value) -> Result<WorkTask, ReadError> {
    if !entry.is_object() {
        return Err(here.expected("an object"));
    }
    let seconds = |names: &[&'static str]| match present(entry, names) {
        Some((field, value)) => number(&here.field(field), value, SECONDS_MAX, "seconds, from 0 to 1e9").map(Some),
        None => Ok(None),
    };
    let duration = seconds(&["d", "duration"])?.ok_or_else(|| here.field("d").expected("seconds, from 0 to 1e9"))?;
    let expected = seconds(&["e_d", "expected_duration", "e_duration"])?.unwrap_or(duration);
    let mut task = WorkTask::new(duration, expected, 0);
    if let Some((field, value)) = present(entry, &["cpus", "cores"]) {
        let cores = number(&here.field(field), value, CORES_MAX, "cores, from 0 to 10,000")?;
        task.settings.slots_milli = (cores * 1_000.0) as u64;
    }
    task.parts = array(here, entry, "outputs")?
        .iter()
        .map(|output| {
            let size = present(output, &["s", "size"]).map_or(output, |(_, size)| size);
            let place = here.field("outputs");
            number(&place, size, BYTES_MAX / MIB, "sizes in MiB, or objects with `s`").map(|mib| (mib * MIB) as u64)
        })
        .collect::<Result<_, _>>()?;
    for input in array(here, entry, "inputs")? {
        let index = |value: Option<&Value>| value.and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
        let pair = match input {
            Value::Array(pair) if pair.len() == 2 => index(pair.first()).zip(index(pair.get(1))),
            Value::Number(_) => index(Some(input)).map(|task| (task, 0)),
            Value::Array(_) | Value::Object(_) | Value::String(_) | Value::Null | Value::Bool(_) => None,
        };
        let (need, part) = pair.ok_or_else(|| here.field("inputs").expected("pairs of task and output"))?;
        task.needs.push((TaskIndex(need), part));
    }
    Ok(task)
}

/// The first of these fields that is there and not null.
fn present<'a>(entry: &'a Value, names: &[&'static str]) -> Option<(&'static str, &'a Value)> {
    names.iter().find_map(|name| Some((*name, entry.get(name).filter(|value| !value.is_null())?)))
}

/// A list; what is not there is empty.
fn array<'a>(here: &Place, entry: &'a Value, field: &'static str) -> Result<&'a [Value], ReadError> {
    match present(entry, &[field]) {
        None => Ok(&[]),
        Some((_, value)) => value.as_array().map(Vec::as_slice).ok_or_else(|| here.field(field).expected("an array")),
    }
}

fn number(place: &Place, value: &Value, max: f64, what: &'static str) -> Result<f64, ReadError> {
    value.as_f64().filter(|number| (0.0..=max).contains(number)).ok_or_else(|| place.expected(what))
}
