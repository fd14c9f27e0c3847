//! `wasm-tasks show --order`: in which order a graph's tasks run when nothing else decides.

use super::short_function;
use crate::escape::field;
use crate::format::{count, counted};
use serde_json::{Value as Json, json};
use std::fmt::Write as _;
use wasm_tasks_protocol::graph::Graph;
use wasm_tasks_scheduler::GraphOrder;

/// A line for each task: its place, what is alive after it, its key and function; the peak at the end.
pub(super) fn text(graph: &Graph) -> String {
    let order = GraphOrder::of(graph);
    let keys = order.tasks.iter().map(|task| field(graph.task(*task).key()).chars().count());
    let width = keys.max().unwrap_or(0).clamp(3, 40);
    let mut out = format!("{:>8}  {:>6}  {:width$}  function\n", "position", "alive", "key");
    for (position, (task, living)) in order.tasks.iter().zip(&order.living).enumerate() {
        let task = graph.task(*task);
        // Writing to a string cannot fail.
        let _ =
            writeln!(out, "{position:>8}  {living:>6}  {:width$}  {}", field(task.key()), field(short_function(task.function())));
    }
    let _ = write!(
        out,
        "{}; at most {} at once",
        counted(order.tasks.len() as u64, "task"),
        match order.peak() {
            1 => "1 result is alive".to_owned(),
            peak => format!("{} results are alive", count(peak)),
        }
    );
    if let Some(bytes) = order.peak_bytes() {
        let _ = write!(out, ", of at most {}", counted(bytes, "byte"));
    }
    out.push_str(", when tasks run one by one\n");
    out
}

/// The same as JSON.
pub(super) fn json(graph: &Graph) -> Json {
    let order = GraphOrder::of(graph);
    let tasks: Vec<Json> = order
        .tasks
        .iter()
        .zip(&order.living)
        .map(|(task, living)| {
            let task = graph.task(*task);
            json!({"key": task.key(), "function": task.function_index(), "alive": living})
        })
        .collect();
    json!({"order": tasks, "peak": order.peak(), "peak-bytes": order.peak_bytes()})
}
