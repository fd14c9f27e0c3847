//! What tasks are expected to take: what their graph says of them, corrected by what was seen.

use crate::core::SchedulerCore;
use crate::event::Expected;
use crate::task::TaskId;

/// Microseconds that a task of an unknown function is taken to run where nothing is known of any.
const LENGTH_UNKNOWN_US: u64 = 1_000;

impl SchedulerCore {
    /// What the task is expected to take, in microseconds; none where nothing is said and its function never ran.
    pub(crate) fn length_us(&self, id: TaskId) -> Option<u64> {
        let graph = self.graph(id.graph);
        let function = &graph.functions[graph.task(id.task).function as usize];
        match graph.expected.get(id.task.0 as usize).map(|expected| expected.run_us) {
            Some(run_us) if run_us != Expected::NOT_SAID => Some((run_us as f64 * function.ratio()) as u64),
            Some(_) | None => function.mean_us.map(|mean| mean as u64),
        }
    }

    /// What the task is taken to run, known or not, in microseconds.
    pub(crate) fn length_or_guess_us(&self, id: TaskId) -> u64 {
        self.length_us(id).unwrap_or(LENGTH_UNKNOWN_US)
    }
}
