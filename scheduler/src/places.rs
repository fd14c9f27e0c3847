//! Which tasks of a graph took the place of which: those that ended in tasks which they wrote.

use crate::dense_hash::DenseMap;
use wasm_tasks_protocol::ids::TaskIndex;

/// Tasks and what took their places. Empty, and free of cost, for graphs in which nothing delegates.
#[derive(Debug, Default)]
pub(crate) struct Places {
    taken: DenseMap<TaskIndex, TaskIndex>,
}

impl Places {
    /// A task took another's place.
    pub(crate) fn take(&mut self, of: TaskIndex, by: TaskIndex) {
        self.taken.insert(of, by);
    }

    /// What is in a task's place by now; itself where nothing took it.
    pub(crate) fn now(&self, mut task: TaskIndex) -> TaskIndex {
        while let Some(by) = self.taken.get(&task) {
            task = *by;
        }
        task
    }

    /// Whether the places of any of these are taken.
    pub(crate) fn is_any_taken(&self, tasks: &[TaskIndex]) -> bool {
        !self.taken.is_empty() && tasks.iter().any(|task| self.taken.contains_key(task))
    }
}
