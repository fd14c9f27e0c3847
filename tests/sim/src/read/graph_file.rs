//! Our own graph files. They say what calls what, and what tasks ask for; how long tasks take and how much they make they say
//! only where their authors gave it.

use super::{Place, ReadError, Reason};
use crate::work::{Work, WorkTask};
use bytes::Bytes;
use wasm_tasks_protocol::graph::{Graph, Settings, Task};
use wasm_tasks_protocol::time::Duration;

/// What tasks of which nothing is said take and make.
#[derive(Clone, Copy, Debug)]
pub struct Defaults {
    /// How long they run.
    pub duration: Duration,
    /// Bytes of their results.
    pub bytes: u64,
}

/// Reads a graph file. Of what tasks ask for, slots and priorities are kept: workers that are compared on are equal, have no
/// labels and pools, and enough memory.
///
/// # Errors
/// What is not as it should be.
pub fn graph_file(name: &str, file: Bytes, defaults: Defaults) -> Result<Work, ReadError> {
    let here = Place::graph(name);
    let graph = Graph::read(file).map_err(|error| here.wrong(Reason::GraphFile(Box::new(error))))?;
    let task = |task: Task<'_>| {
        let (run_us, result_bytes) = task.expected(&[Some(&task.function().options), Some(graph.options())]);
        let seconds = run_us.map_or(defaults.duration, Duration).as_secs_f64();
        let mut made = WorkTask::new(seconds, seconds, result_bytes.unwrap_or(defaults.bytes));
        made.function = task.function_index();
        let asked = task.settings();
        made.settings = Settings { slots_milli: asked.slots_milli, priority: asked.priority, ..Settings::default() };
        made.needs = task.dependencies().iter().map(|need| (*need, 0)).collect();
        made
    };
    let tasks = graph.tasks().map(task).collect();
    let mut outputs: Vec<_> = graph.outputs().iter().map(|output| output.task).collect();
    outputs.sort_unstable();
    outputs.dedup();
    Work::new(name.to_owned(), tasks, Some(outputs), 1).map_err(|error| here.wrong(error))
}
