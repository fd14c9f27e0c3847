//! Attempts that end well.

use crate::action::{Action, Actions, OutputOutcome};
use crate::attempt::LiveAttempt;
use crate::core::SchedulerCore;
use crate::event::Expected;
use crate::gang::Report;
use crate::small_set::SmallSet;
use crate::task::{State, TaskId};
use wasm_tasks_protocol::limits::TASK_MEMORY_BYTES_MAX;
use wasm_tasks_protocol::time::Duration;

/// Weight of the newest observation in the moving average of durations. Half, as dask has it: durations of a
/// function drift with its inputs.
const NEWEST_WEIGHT: f64 = 0.5;

/// Tasks that take less say nothing of how fast a worker is: what else it does weighs more.
const PACE_US_MIN: u64 = 1_000;

impl SchedulerCore {
    pub(crate) fn on_attempt_finished(&mut self, index: u32, report: Report, out: &mut Actions) {
        if !self.is_member(self.attempts.at(index).task) {
            return self.complete(index, report, out);
        }
        for ended in self.end_member(index, report) {
            self.complete(ended.attempt, ended.report, out);
        }
    }

    fn complete(&mut self, index: u32, report: Report, out: &mut Actions) {
        let Report { size, run, memory_peak_bytes, is_inline } = report;
        let ended = self.end_attempt(index);
        let id = ended.task;
        let others = self.graph(id.graph).task(id.task).attempts_set();
        let worker = self.worker(ended.worker).id;
        self.learn(&ended, run, memory_peak_bytes);
        self.change(id, State::Done { size, holders: SmallSet::One(ended.worker.0), is_inline });
        self.counters.copies_won += u64::from(ended.is_copy && !others.is_empty());
        for other in others.as_slice() {
            self.cancel_loser(*other, out);
        }
        self.count_held(ended.worker, id, size, true);
        self.note_open(id, false);
        let graph = self.graph_mut(id.graph);
        let task = graph.task_mut(id.task);
        let function = task.function;
        let is_first = !std::mem::replace(&mut task.was_done, true);
        if task.is_output && !task.is_announced {
            task.is_announced = true;
            out.push(Action::Output { task: id, outcome: OutputOutcome::Ready { size, is_inline, worker: Some(worker) } });
        }
        graph.counts.finished += u64::from(is_first);
        let statistics = &mut graph.functions[function as usize];
        statistics.count += 1;
        let said = graph.expected.get(id.task.0 as usize).map(|expected| expected.result_bytes);
        statistics.sizes.note(said.filter(|bytes| *bytes != Expected::NOT_SAID), size);
        self.tell_dependents(id);
        self.drop_needs_of(id, out);
        if self.graph(id.graph).task(id.task).needed == 0 {
            // Only its gang needed it to run.
            self.release(id, out);
        }
        self.finish_graph_if_done(id.graph, out);
    }

    /// Notes what an attempt took that ended as it should, in a result or in tasks: for its graph, its function and its worker.
    pub(crate) fn learn(&mut self, ended: &LiveAttempt, run: Duration, memory_peak_bytes: u64) {
        let id = ended.task;
        let foreseen_us = self.length_us(id);
        // What it would have taken at a worker like the others.
        let usual = Duration((run.0 as f64 / self.worker(ended.worker).pace.factor()) as u64);
        if let Some(foreseen_us) = foreseen_us.filter(|foreseen_us| *foreseen_us >= PACE_US_MIN) {
            let pace = &mut self.workers[ended.worker.0 as usize].as_mut().expect("attempts end before their worker goes").pace;
            pace.note(foreseen_us, run.0, &mut self.pace);
        }
        let graph = self.graph_mut(id.graph);
        graph.counts.run = graph.counts.run + run;
        graph.counts.memory_peak_bytes = graph.counts.memory_peak_bytes.max(memory_peak_bytes);
        graph.classify(id.task);
        let (function, class) = (graph.task(id.task).function, graph.task(id.task).input_class);
        let statistics = &mut graph.functions[function as usize];
        statistics.total = statistics.total + run;
        // More than a linear memory can have is a lie.
        let peak = memory_peak_bytes.min(TASK_MEMORY_BYTES_MAX);
        statistics.memory_peak_bytes = statistics.memory_peak_bytes.max(peak);
        if let Some(foreseen_us) = foreseen_us {
            statistics.note_spread(foreseen_us, run);
        }
        let newest = usual.0 as f64;
        statistics.lengths.note(class, newest, NEWEST_WEIGHT);
        statistics.mean_us = Some(statistics.mean_us.map_or(newest, |mean| mean + NEWEST_WEIGHT * (newest - mean)));
        if let Some(expected) = graph.expected.get(id.task.0 as usize).filter(|expected| expected.run_us != Expected::NOT_SAID) {
            statistics.compare(expected.run_us, usual);
        }
    }

    /// One input less is missing for each dependent.
    fn tell_dependents(&mut self, id: TaskId) {
        for position in 0..self.graph(id.graph).dependents(id.task).len() {
            let graph = self.graph_mut(id.graph);
            let dependent = graph.dependents(id.task)[position];
            let task = graph.task_mut(dependent);
            if !task.is_open() {
                continue;
            }
            assert!(task.missing > 0, "an input that was not done was counted as missing");
            task.missing -= 1;
            if task.missing == 0 && task.state == State::Waiting {
                self.requeue(TaskId { graph: id.graph, task: dependent });
            }
        }
    }

    /// Removes a live attempt and gives back what it took. The task's state is the caller's.
    pub(crate) fn end_attempt(&mut self, index: u32) -> LiveAttempt {
        let ended = self.attempts.remove(index);
        let (graph, task) = (ended.task.graph, ended.task.task);
        let shape = ended.way.shape;
        let is_suspect = self.graph(graph).task(task).deaths > 0;
        let worker = self.workers[ended.worker.0 as usize].as_mut().expect("attempts end before their worker goes");
        worker.attempts.swap_remove(ended.position as usize);
        if let Some(moved) = worker.attempts.get(ended.position as usize) {
            self.attempts.at_mut(*moved).position = ended.position;
        }
        worker.occupancy_us -= self.queues.key(shape).occupancy_us(ended.expected_us);
        worker.suspects -= u32::from(is_suspect);
        worker.ahead -= u32::from(ended.is_ahead);
        worker.retracting -= u32::from(ended.is_retracting);
        worker.account(self.queues.key(shape), false);
        worker.memory.end(ended.memory_bytes, worker.attempts.is_empty());
        self.stragglers.forget(index, &ended);
        self.leave_fans(index, &ended);
        self.reindex(ended.worker);
        if let State::Assigned(attempts) = &mut self.graph_mut(graph).task_mut(task).state {
            attempts.remove(index);
        }
        ended
    }
}
