//! Summaries and failures as JSON: what `--json` prints and run folders keep.

use crate::json::msgpack_to_json;
use serde_json::{Value as Json, json};
use wasm_tasks_protocol::message::{GraphState, GraphSummary, TaskFailure};

/// The numbers of a graph that ended. Times are in seconds, sizes in bytes.
pub fn summary_to_json(summary: &GraphSummary) -> Json {
    let slowest = summary
        .slowest
        .as_ref()
        .map(|(function, run, tasks)| json!({"function": function, "run_seconds": run.as_secs_f64(), "tasks": tasks}));
    json!({
        "state": state_of(summary),
        "tasks": summary.tasks,
        "finished": summary.finished,
        "failed": summary.failed,
        "dependents_failed": summary.dependents_failed,
        "cancelled": summary.is_cancelled,
        "overdue_seconds": summary.overdue.map(|deadline| deadline.as_secs_f64()),
        "elapsed_seconds": summary.elapsed.as_secs_f64(),
        "run_seconds": summary.run.as_secs_f64(),
        "bytes_moved": summary.bytes_moved,
        "memory_peak_bytes": summary.memory_peak_bytes,
        "attempts": summary.attempts,
        "slowest": slowest,
    })
}

/// One word for how a graph ended.
pub fn state_of(summary: &GraphSummary) -> &'static str {
    match summary {
        GraphSummary { is_cancelled: true, .. } => "cancelled",
        GraphSummary { failed: 0, dependents_failed: 0, .. } => "finished",
        GraphSummary { .. } => "failed",
    }
}

/// The numbers of a graph in motion.
pub fn progress_to_json(state: &GraphState) -> Json {
    json!({"state": "running", "tasks": state.tasks, "finished": state.finished, "failed": state.failed, "assigned": state.assigned})
}

/// A failed task. The value of an `err` is JSON as results are.
pub fn failure_to_json(failure: &TaskFailure) -> Json {
    let error = &failure.error;
    json!({
        "key": failure.key,
        "function": failure.function,
        "worker": failure.worker,
        "attempts": failure.attempts,
        "dependents": failure.dependents,
        "code": error.code.as_str(),
        "message": error.message,
        "value": error.value.as_deref().and_then(|bytes| msgpack_to_json(bytes).ok()),
        "stderr": error.stderr_tail,
        "backtrace": error.backtrace,
        "memory_peak_bytes": error.memory_peak_bytes,
        "fuel_used": error.fuel_used,
    })
}
