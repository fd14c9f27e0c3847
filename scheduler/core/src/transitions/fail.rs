//! Attempts that fail, what is repeated, and what fails with them.

use crate::action::{Action, Actions};
use crate::core::SchedulerCore;
use crate::task::{State, TaskId};
use crate::worker::WorkerIndex;
use wasm_tasks_protocol::error::ErrorCode;
use wasm_tasks_protocol::ids::{TaskIndex, WorkerId};
use wasm_tasks_protocol::time::{Duration, Time};

/// How often a task is repeated because of faults of workers, whatever its options say.
const FAULTS_MAX: u8 = 5;
/// The longest pause before a task is repeated.
const BACKOFF_MAX: Duration = Duration::from_millis(60_000);

impl SchedulerCore {
    pub(crate) fn on_attempt_failed(&mut self, now: Time, index: u32, code: ErrorCode, run: Duration, out: &mut Actions) {
        let ended = self.end_attempt(index);
        self.release_copy(&ended, out);
        let id = ended.task;
        let worker = self.worker(ended.worker).id;
        let graph = self.graph_mut(id.graph);
        graph.counts.run = graph.counts.run + run;
        let settings = &graph.profile_of(id.task).settings;
        let (retries_max, backoff) = (settings.retries, settings.backoff);
        let task = graph.task_mut(id.task);
        let is_fault = matches!(code, ErrorCode::WorkerFault | ErrorCode::Cancelled);
        let (used, max) = if is_fault { (&mut task.faults, u32::from(FAULTS_MAX)) } else { (&mut task.retries, retries_max) };
        if u32::from(*used) < max {
            *used += 1;
            let pause = pause(backoff, *used, ended.number.0);
            if task.attempts_live().is_empty() {
                self.rest(id, now + pause, out);
                self.rest_mates(id, now + pause, out);
            } else {
                self.withdraw_dependents_at(id, ended.worker, out);
            }
        } else {
            self.fail_for_good(id, code, Some(worker), out);
        }
    }

    pub(crate) fn rest(&mut self, id: TaskId, until: Time, out: &mut Actions) {
        self.change(id, State::Resting { until });
        self.resting.insert((until, id));
        self.withdraw_dependents(id, out);
    }

    pub(crate) fn on_tick(&mut self, now: Time, out: &mut Actions) {
        self.on_deadlines(now, out);
        while let Some((until, id)) = self.resting.first().copied()
            && until <= now
        {
            self.resting.pop_first();
            self.change(id, State::Waiting);
            self.requeue(id);
        }
    }

    /// A task failed of its own and will not be repeated.
    pub(crate) fn fail_for_good(&mut self, id: TaskId, code: ErrorCode, worker: Option<WorkerId>, out: &mut Actions) {
        let dependents = self.fail_with_dependents(id, id.task, out);
        let graph = self.graph_mut(id.graph);
        graph.counts.failed += 1;
        graph.counts.dependents_failed -= 1;
        let attempts = u32::from(graph.task(id.task).attempts);
        out.push(Action::TaskFailed { task: id, code, worker, attempts, dependents: dependents - 1 });
        self.finish_graph_if_done(id.graph, out);
    }

    /// Fails an open task, its mates, and every open task that depends on them. Returns how many these are.
    pub(crate) fn fail_with_dependents(&mut self, first: TaskId, cause: TaskIndex, out: &mut Actions) -> u32 {
        let mut count = 0;
        let mut stack = vec![first.task];
        while let Some(task) = stack.pop() {
            let id = TaskId { graph: first.graph, task };
            if !self.graph(id.graph).task(task).is_open() {
                continue;
            }
            count += 1;
            self.graph_mut(id.graph).counts.dependents_failed += 1;
            self.stop(id, State::Failed { cause }, out);
            self.announce_failed(id, out);
            self.drop_needs_of(id, out);
            let graph = self.graph(id.graph);
            stack.extend_from_slice(graph.dependents(task));
            stack.extend(graph.gangs.of(task).into_iter().flat_map(|gang| gang.members()));
        }
        count
    }

    /// An attempt was on a worker that is gone; one that waited for inputs, or for its mates, cannot have killed it.
    pub(crate) fn on_attempt_orphaned(&mut self, index: u32, was_waiting: bool, worker: WorkerIndex, out: &mut Actions) {
        let id = self.attempts.at(index).task;
        let worker = self.worker(worker).id;
        let has_ended = self.discard_report(index, out);
        self.end_attempt(index);
        if !self.graph(id.graph).task(id.task).attempts_live().is_empty() {
            return;
        }
        let task = self.graph_mut(id.graph).task_mut(id.task);
        // One death, however many of a gang it stops.
        task.deaths += u8::from(!was_waiting && !has_ended);
        if u32::from(task.deaths) >= wasm_tasks_protocol::limits::WORKER_DEATHS_MAX {
            self.fail_for_good(id, ErrorCode::WorkerDied, Some(worker), out);
        } else {
            self.return_to_queue(id, out);
        }
    }
}

/// Doubles with each try; up to a quarter is taken off so that tasks which failed together do not return together.
fn pause(first: Duration, tries: u8, salt: u64) -> Duration {
    let doubled = first.0.saturating_mul(1 << (tries - 1).min(20)).min(BACKOFF_MAX.0);
    // SplitMix64's finaliser: spreads the attempt's number over the range.
    let mut mixed = salt.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    Duration(doubled - mixed % (doubled / 4 + 1))
}
