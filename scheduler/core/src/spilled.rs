//! Which results workers have on disk only, and how fast these come back from there.
//!
//! A worker says of each result that it wrote to disk how long that took; reading it is taken to take as long a byte. Only
//! results that it holds are noted, so that it cannot fill anything by what it says.

use crate::claims;
use crate::core::SchedulerCore;
use crate::task::TaskId;
use crate::worker::WorkerIndex;
use std::collections::BTreeSet;
use wasm_tasks_protocol::ids::{GraphId, TaskIndex, WorkerId};
use wasm_tasks_protocol::time::Duration;

/// Weight of the newest measurement: that of round trips in RFC 6298.
const NEWEST_WEIGHT: f64 = 0.125;

/// The disk of one worker.
#[derive(Debug, Default)]
pub(crate) struct Spilled {
    results: BTreeSet<TaskId>,
    /// An exponential moving average, once something was written.
    micros_per_byte: Option<f64>,
}

impl Spilled {
    pub(crate) fn forget(&mut self, id: TaskId) {
        // Most workers never spill.
        if !self.results.is_empty() {
            self.results.remove(&id);
        }
    }

    /// Microseconds until a result of so many bytes can be read here, beyond what it takes from memory.
    pub(crate) fn wait_us(&self, id: TaskId, bytes: u64) -> u64 {
        if self.results.is_empty() || !self.results.contains(&id) {
            return 0;
        }
        (bytes as f64 * self.micros_per_byte.unwrap_or(0.0)) as u64
    }
}

impl SchedulerCore {
    pub(crate) fn on_result_spilled(&mut self, worker: WorkerId, graph: GraphId, task: TaskIndex, took: Duration) {
        let known = self.worker_ids.get(&worker).copied().zip(self.graph_index(graph));
        let known = known.map(|(worker, graph)| (worker, TaskId { graph, task }));
        let Some((index, id)) = known.filter(|(index, id)| self.has_result(*id, *index)) else {
            self.counters.stale_reports += 1;
            return;
        };
        let rate = claims::bandwidth(self.graph(id.graph).task(task).size(), took);
        let spilled = &mut self.worker_mut(index).spilled;
        let measured = 1e6 / rate as f64;
        let known = spilled.micros_per_byte.unwrap_or(measured);
        spilled.micros_per_byte = Some(known + NEWEST_WEIGHT * (measured - known));
        spilled.results.insert(id);
    }

    /// Microseconds until a worker that holds a result can read it, beyond what it takes from memory.
    pub(crate) fn unspill_us(&self, id: TaskId, holder: u32, bytes: u64) -> u64 {
        self.worker(WorkerIndex(holder)).spilled.wait_us(id, bytes)
    }

    pub(crate) fn check_spilled(&self) {
        for index in self.worker_ids.values() {
            let spilled = &self.worker(*index).spilled.results;
            assert!(spilled.iter().all(|id| self.has_result(*id, *index)), "only what a worker has is on its disk");
        }
    }
}
