//! What the embedded worker can run at all. Nobody joins the cluster of one process, so a task that asks for more than
//! this worker has would wait for ever; it is refused with its graph instead. Knows nothing of what is busy now.

use crate::error::ClientError;
use std::collections::HashSet;
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::graph::{Graph, Settings, Task};
use wasm_tasks_protocol::message::Refusal;
use wasm_tasks_worker::WorkerSettings;

/// Tasks that one refusal names.
const NAMED_MAX: usize = 10;

/// What a worker has when nothing runs.
pub(super) struct Room {
    slots_milli: u64,
    memory_bytes: u64,
    labels: Vec<(String, String)>,
}

impl Room {
    pub(super) fn of(worker: &WorkerSettings) -> Room {
        Room { slots_milli: u64::from(worker.slots) * 1_000, memory_bytes: worker.memory_bytes, labels: worker.all_labels() }
    }

    /// Refuses a graph with tasks that can never run here.
    pub(super) fn check(&self, graph: &Graph) -> Result<(), ClientError> {
        // Most tasks of a function share their settings; each kind is named once.
        let mut seen = HashSet::new();
        let kinds = graph.tasks().filter(|task| seen.insert(task.settings_key()));
        let message = |task: Task<'_>| {
            let lacks = self.lacks(&task.settings())?;
            Some(format!("{}: this process can never run it: {lacks}", task.place()))
        };
        let mut messages: Vec<String> = kinds.filter_map(message).take(NAMED_MAX).collect();
        let Some(last) = messages.last_mut() else { return Ok(()) };
        last.push_str("\n  hint: ask for less, or submit to a fleet with a worker that has it (`wasm-tasks worker --help`)");
        Err(ClientError::Refused(Refusal { code: ErrorCode::Unrunnable, messages }))
    }

    /// What is missing for all ways in which a task may run.
    fn lacks(&self, settings: &Settings) -> Option<String> {
        if settings.gang > 1 {
            return Some(format!("it is one of a gang of {}, each of which needs a worker of its own", settings.gang));
        }
        let lacks: Option<Vec<String>> = settings.ways().map(|way| self.lacks_for(&way)).collect();
        let lacks = lacks?;
        Some(match &lacks[..] {
            [only] => only.clone(),
            all => (1..).zip(all).map(|(at, lacks)| format!("alternative {at}: {lacks}")).collect::<Vec<_>>().join("; "),
        })
    }

    fn lacks_for(&self, settings: &Settings) -> Option<String> {
        let slots = |milli: u64| milli as f64 / 1_000.0;
        if settings.slots_milli > self.slots_milli {
            return Some(format!("it has {} slots, {} are needed", slots(self.slots_milli), slots(settings.slots_milli)));
        }
        if settings.memory_declared && settings.memory_bytes > self.memory_bytes {
            return Some(format!("it has {} bytes of memory, {} are needed", self.memory_bytes, settings.memory_bytes));
        }
        if let Some(rule) = settings.labels.iter().find(|rule| !rule.is_satisfied(&self.labels)) {
            return Some(format!("its labels do not satisfy `{rule}`"));
        }
        let pool = settings.pools.iter().find(|pool| pool.milli > 0)?;
        Some(format!("it has no `{}`", pool.name))
    }
}
