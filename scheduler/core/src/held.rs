//! Which results a worker has, so that nothing looks at all tasks when it leaves or is lost.
//!
//! A list to which every result that comes is added, and from which those that went are swept when they are more than those that
//! are there: a result costs a few nanoseconds then, where a set would cost as much as its placement. Knows nothing of sizes.

use crate::core::SchedulerCore;
use crate::task::{State, TaskId};
use crate::worker::WorkerIndex;

/// Entries that went and are kept however little is there.
const ROOM_KEPT: usize = 32;

/// The results of one worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeldResults {
    /// In the order in which they came: all that are there, some that are not any more, and some twice.
    came: Vec<TaskId>,
    /// How many are there.
    count: usize,
}

impl HeldResults {
    pub(crate) fn add(&mut self, id: TaskId) {
        self.came.push(id);
        self.count += 1;
    }

    pub(crate) fn remove(&mut self) {
        assert!(self.count > 0, "what goes had come");
        self.count -= 1;
    }

    fn is_crowded(&self) -> bool {
        self.came.len() > 4 * self.count + ROOM_KEPT
    }
}

impl SchedulerCore {
    /// The results that a worker has, in the order of their graphs and positions.
    pub(crate) fn held_at(&self, worker: WorkerIndex) -> Vec<TaskId> {
        let mut held = self.worker(worker).held.came.clone();
        self.sweep(&mut held, worker);
        held
    }

    fn sweep(&self, came: &mut Vec<TaskId>, worker: WorkerIndex) {
        came.sort_unstable();
        came.dedup();
        came.retain(|id| self.has_result(*id, worker));
    }

    /// Whether a worker has the result of a task, which may be forgotten.
    pub(crate) fn has_result(&self, id: TaskId, worker: WorkerIndex) -> bool {
        match self.graph_at(id.graph).and_then(|graph| graph.tasks.get(id.task.0 as usize)).map(|task| &task.state) {
            Some(State::Done { holders, .. }) => holders.contains(worker.0),
            Some(
                State::Idle
                | State::Waiting
                | State::Queued
                | State::Assigned(_)
                | State::Resting { .. }
                | State::Failed { .. }
                | State::Delegated { .. },
            )
            | None => false,
        }
    }

    /// Forgets what went when it is more than what is there.
    pub(crate) fn trim_held(&mut self, worker: WorkerIndex) {
        if !self.worker(worker).held.is_crowded() {
            return;
        }
        let mut came = std::mem::take(&mut self.worker_mut(worker).held.came);
        self.sweep(&mut came, worker);
        came.shrink_to((2 * came.len()).max(ROOM_KEPT));
        self.worker_mut(worker).held.came = came;
    }

    /// What must hold of workers' results after every event.
    ///
    /// # Panics
    /// When something does not.
    pub(crate) fn check_held(&self) {
        let mut all = vec![Vec::new(); self.workers.len()];
        for graph in self.graph_ids.values() {
            for task in self.task_positions(*graph) {
                if let State::Done { holders, .. } = &self.graph(*graph).task(task).state {
                    holders.as_slice().iter().for_each(|holder| all[*holder as usize].push(TaskId { graph: *graph, task }));
                }
            }
        }
        for index in self.worker_ids.values() {
            let held = &self.worker(*index).held;
            let mut true_ones = std::mem::take(&mut all[index.0 as usize]);
            true_ones.sort_unstable();
            assert!(self.held_at(*index) == true_ones, "the results of a worker are listed");
            assert_eq!(held.count, true_ones.len(), "the results of a worker are counted");
            assert!(!held.is_crowded(), "what a worker had is forgotten in time");
        }
    }
}
