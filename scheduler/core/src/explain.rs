//! Why a task is in the state it is in.

use crate::core::SchedulerCore;
use crate::task::{State, StateName, TaskId};
use crate::worker::WorkerIndex;
use wasm_tasks_protocol::ids::{TaskIndex, WorkerId};
use wasm_tasks_protocol::time::Time;

/// What is known of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Its state.
    pub state: StateName,
    /// How often it was assigned.
    pub attempts: u32,
    /// Inputs that do not exist yet, the first few.
    pub missing: Vec<TaskIndex>,
    /// Workers that have it, or its result.
    pub workers: Vec<WorkerId>,
    /// Tasks that still need its result, and one more for an output.
    pub needed_by: u32,
    /// The task whose failure this one shares.
    pub cause: Option<TaskIndex>,
    /// When it runs again.
    pub until: Option<Time>,
    /// For a queued task: what each worker lacks, the best fits first, the first few.
    pub fits: Vec<WorkerFit>,
    /// Whether no worker could run it, whatever else ends.
    pub is_unrunnable: bool,
}

/// What a worker lacks to run a task.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerFit {
    /// The worker.
    pub worker: WorkerId,
    /// One sentence for each thing that it lacks; none: it only has no room now.
    pub lacks: Vec<String>,
}

const SHOWN_MAX: usize = 8;

impl SchedulerCore {
    /// Explains a task; none when it is not known.
    pub fn explain(&self, id: TaskId) -> Option<Explanation> {
        let graph = self.graph_at(id.graph)?;
        let task = graph.tasks.get(id.task.0 as usize)?;
        let workers = match &task.state {
            State::Assigned(attempts) => {
                attempts.as_slice().iter().map(|attempt| self.worker(self.attempts.at(*attempt).worker).id).collect()
            }
            State::Done { holders, .. } => holders.as_slice().iter().map(|holder| self.worker(WorkerIndex(*holder)).id).collect(),
            State::Idle | State::Waiting | State::Queued | State::Resting { .. } | State::Failed { .. } => Vec::new(),
        };
        let is_missing = |input: &&TaskIndex| !graph.task(**input).is_done();
        let fits = if task.state == State::Queued { self.fits(id) } else { Vec::new() };
        Some(Explanation {
            state: task.state.name(),
            attempts: u32::from(task.attempts),
            missing: match task.is_open() {
                true => graph.dependencies(id.task).iter().filter(is_missing).take(SHOWN_MAX).copied().collect(),
                false => Vec::new(),
            },
            workers,
            needed_by: task.needed,
            cause: if let State::Failed { cause } = task.state { Some(cause) } else { None },
            until: if let State::Resting { until } = task.state { Some(until) } else { None },
            is_unrunnable: task.state == State::Queued && fits.iter().all(|fit| !fit.lacks.is_empty()),
            fits,
        })
    }

    fn fits(&self, id: TaskId) -> Vec<WorkerFit> {
        let shape = self.queues.key(self.graph(id.graph).profile_of(id.task).shape);
        let mut fits: Vec<WorkerFit> = Vec::new();
        for index in self.worker_ids.values() {
            let worker = self.worker(*index);
            let mut lacks = Vec::new();
            if worker.plan.slots_milli < shape.slots_milli {
                lacks.push(format!("has {} slots, {} are needed", milli(worker.plan.slots_milli), milli(shape.slots_milli)));
            }
            if worker.plan.memory_bytes < shape.memory_bytes {
                lacks.push(format!("has {} bytes of memory, {} are needed", worker.plan.memory_bytes, shape.memory_bytes));
            }
            for rule in shape.labels.iter().filter(|rule| !rule.is_satisfied(&worker.plan.labels)) {
                lacks.push(format!("its labels do not satisfy `{rule}`"));
            }
            for need in &shape.pools {
                let has: u64 = worker.plan.pools.iter().filter(|pool| pool.name == need.name).map(|pool| pool.milli).sum();
                if has < need.milli {
                    lacks.push(format!("has {} of `{}`, {} are needed", milli(has), need.name, milli(need.milli)));
                }
            }
            if worker.is_leaving {
                lacks.push("is leaving".to_owned());
            }
            fits.push(WorkerFit { worker: worker.id, lacks });
        }
        fits.sort_by_key(|fit| fit.lacks.len());
        fits.truncate(SHOWN_MAX);
        fits
    }
}

/// Thousandths as people write them.
fn milli(milli: u64) -> String {
    if milli.is_multiple_of(1_000) { (milli / 1_000).to_string() } else { format!("{}", milli as f64 / 1_000.0) }
}
