//! What tasks are expected to take: what their graph says of them, corrected by what was seen.

use crate::core::SchedulerCore;
use crate::event::Expected;
use crate::task::TaskId;
use crate::worker::WorkerIndex;

/// Microseconds that a task of an unknown function is taken to run where nothing is known of any.
const LENGTH_UNKNOWN_US: u64 = 1_000;

/// Of a normal distribution, the standard deviation over the mean absolute one: √(π/2).
const STANDARD_PER_MEAN_DEVIATION: f64 = 1.25;
/// Attempts of a function whose length was foreseen, before it is believed how well.
const FORESEEN_MIN: u64 = 8;

impl SchedulerCore {
    /// What the task is expected to take, in microseconds; none where nothing is said and its function never ran.
    pub(crate) fn length_us(&self, id: TaskId) -> Option<u64> {
        let graph = self.graph(id.graph);
        let task = graph.task(id.task);
        let function = &graph.functions[task.function as usize];
        match graph.expected.get(id.task.0 as usize).map(|expected| expected.run_us) {
            Some(run_us) if run_us != Expected::NOT_SAID => Some((run_us as f64 * function.ratio()) as u64),
            Some(_) | None if function.lengths.are_several() => {
                function.lengths.of(task.input_class).or(function.mean_us).map(|mean| mean as u64)
            }
            Some(_) | None => function.mean_us.map(|mean| mean as u64),
        }
    }

    /// The standard deviation of what the task is expected to take, as a part of that; 0 while too little is known of its
    /// function.
    pub(crate) fn uncertainty(&self, id: TaskId) -> f64 {
        let graph = self.graph(id.graph);
        let function = &graph.functions[graph.task(id.task).function as usize];
        if function.foreseen < FORESEEN_MIN { 0.0 } else { (function.spread * STANDARD_PER_MEAN_DEVIATION).min(1.0) }
    }

    /// What the task is taken to run at a worker, known or not, in microseconds.
    pub(crate) fn length_at_us(&self, id: TaskId, worker: WorkerIndex) -> u64 {
        self.worker(worker).pace.here_us(self.length_or_guess_us(id))
    }

    /// What the task is taken to run, known or not, in microseconds.
    pub(crate) fn length_or_guess_us(&self, id: TaskId) -> u64 {
        self.length_us(id).unwrap_or(LENGTH_UNKNOWN_US)
    }
}
