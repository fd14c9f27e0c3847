//! Memory of workers: what results take there, what tasks are expected to take, and whether one more fits.
//!
//! Knows sizes only: nothing of bytes, and nothing of how a worker spills.

use crate::core::SchedulerCore;
use crate::task::{GraphIndex, State, TaskId};
use crate::worker::{Worker, WorkerIndex};
use wasm_tasks_protocol::ids::WorkerId;
use wasm_tasks_protocol::limits::RESULT_BYTES_MAX;

/// What is set aside beyond the largest peak that a function reached so far: a quarter of it. Peaks vary with inputs.
const HEADROOM: u64 = 4;
/// Inputs that are looked at for what they free.
const INPUTS_SEEN_MAX: usize = 64;

/// Memory of one worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MemoryUse {
    /// Sizes of the results that it holds, summed.
    pub(crate) held_bytes: u64,
    /// Of these, what it said that it has on disk.
    pub(crate) spilled_bytes: u64,
    /// What its attempts are expected to take together, if all of them ran; without those that declared it.
    pub(crate) learnt_bytes: u64,
    /// The most that one of them is expected to take, since the worker last had none.
    pub(crate) heaviest_bytes: u64,
    /// It begins nothing new while something runs.
    pub(crate) is_paused: bool,
    /// It just said that it is short of memory, and may give back once what it was not asked for.
    pub(crate) may_give_back: bool,
}

impl MemoryUse {
    pub(crate) fn begin(&mut self, learnt_bytes: u64) {
        self.learnt_bytes += learnt_bytes;
        self.heaviest_bytes = self.heaviest_bytes.max(learnt_bytes);
    }

    pub(crate) fn end(&mut self, learnt_bytes: u64, was_last: bool) {
        self.learnt_bytes -= learnt_bytes;
        if was_last {
            self.heaviest_bytes = 0;
        }
    }
}

impl Worker {
    /// Whether it may begin something: a worker without work always may, or nothing would ever go on.
    pub(crate) fn may_begin(&self) -> bool {
        !self.memory.is_paused || self.attempts.is_empty()
    }

    /// Whether a task that is expected to take so much fits beside what is there. It does when as many of the heaviest as
    /// run at once do, or all that were assigned together.
    fn has_memory_for(&self, declared: u64, learnt: u64) -> bool {
        if self.attempts.is_empty() || declared.max(learnt) == 0 {
            return true;
        }
        let stored = self.memory.held_bytes.saturating_sub(self.memory.spilled_bytes);
        let taken = stored.saturating_add(self.memory_used).saturating_add(declared);
        let free = self.plan.memory_bytes.saturating_sub(taken);
        let heaviest = self.memory.heaviest_bytes.max(learnt);
        taken <= self.plan.memory_bytes
            && (heaviest.saturating_mul(self.slots()) <= free || self.memory.learnt_bytes.saturating_add(learnt) <= free)
    }
}

impl SchedulerCore {
    /// What a task is expected to take at its peak, by what its function took so far; 0 while that is unknown, and for
    /// tasks that declared it.
    pub(crate) fn learnt_memory(&self, id: TaskId) -> u64 {
        let graph = self.graph(id.graph);
        if self.queues.key(graph.profile_of(id.task).shape).memory_bytes > 0 {
            return 0;
        }
        let peak = graph.functions[graph.task(id.task).function as usize].memory_peak_bytes;
        peak + peak / HEADROOM
    }

    /// Whether a task may begin at a worker as far as memory goes: it fits, or its end frees more than it takes.
    pub(crate) fn has_memory(&self, worker: WorkerIndex, id: TaskId) -> bool {
        let declared = self.queues.key(self.graph(id.graph).profile_of(id.task).shape).memory_bytes;
        let learnt = self.learnt_memory(id);
        let (at, is_free) = (self.worker(worker), self.worker(worker).may_begin());
        (is_free && at.has_memory_for(declared, learnt)) || self.frees(worker, id) > declared.max(learnt)
    }

    /// Bytes of results at a worker that nobody needs any more when the task has ended.
    fn frees(&self, worker: WorkerIndex, id: TaskId) -> u64 {
        let graph = self.graph(id.graph);
        let inputs = graph.dependencies(id.task).iter().take(INPUTS_SEEN_MAX).map(|input| graph.task(*input));
        let freed = inputs.filter(|input| input.needed == 1).filter_map(|input| match &input.state {
            State::Done { size, holders, .. } if holders.contains(worker.0) => Some(counted(*size)),
            State::Done { .. }
            | State::Idle
            | State::Waiting
            | State::Queued
            | State::Assigned(_)
            | State::Resting { .. }
            | State::Failed { .. }
            | State::Delegated { .. } => None,
        });
        freed.sum()
    }

    /// A worker has a result, or has it no longer.
    pub(crate) fn count_held(&mut self, worker: WorkerIndex, id: TaskId, size: u64, is_here: bool) {
        let Worker { memory, held, spilled, .. } = self.worker_mut(worker);
        spilled.forget(id);
        if is_here {
            memory.held_bytes += counted(size);
            held.add(id);
        } else {
            memory.held_bytes -= counted(size);
            held.remove();
        }
        self.trim_held(worker);
    }

    /// A graph goes, and its results with it; whoever takes it away trims the lists of its workers.
    pub(crate) fn forget_held(&mut self, graph: GraphIndex) {
        for task in self.task_positions(graph) {
            if let State::Done { size, holders, .. } = &self.graph(graph).task(task).state {
                let (size, holders) = (*size, holders.clone());
                for holder in holders.as_slice() {
                    let Worker { memory, held, spilled, .. } = self.worker_mut(WorkerIndex(*holder));
                    spilled.forget(TaskId { graph, task });
                    memory.held_bytes -= counted(size);
                    held.remove();
                }
            }
        }
    }

    /// A worker said how much it has on disk.
    pub(crate) fn on_worker_stored(&mut self, worker: WorkerId, spilled_bytes: u64) {
        if let Some(index) = self.worker_ids.get(&worker).copied() {
            self.worker_mut(index).memory.spilled_bytes = spilled_bytes;
            self.drains.note_receivers();
        }
    }

    /// A worker has too little memory, or enough again.
    pub(crate) fn on_worker_paused(&mut self, worker: WorkerId, is_paused: bool) {
        if let Some(index) = self.worker_ids.get(&worker).copied() {
            let memory = &mut self.worker_mut(index).memory;
            memory.may_give_back = is_paused && !memory.is_paused;
            memory.is_paused = is_paused;
            self.reindex(index);
            self.drains.note_receivers();
        }
    }

    /// Whether a worker begins nothing new because its memory is short.
    pub fn is_paused(&self, worker: WorkerId) -> bool {
        self.worker_ids.get(&worker).is_some_and(|index| self.worker(*index).memory.is_paused)
    }

    /// What must hold of workers' memory after every event.
    ///
    /// # Panics
    /// When something does not.
    pub(crate) fn check_memory(&self) {
        let mut held = vec![0; self.workers.len()];
        for graph in self.graph_ids.values() {
            for task in &self.graph(*graph).tasks {
                if let State::Done { size, holders, .. } = &task.state {
                    holders.as_slice().iter().for_each(|holder| held[*holder as usize] += counted(*size));
                }
            }
        }
        for index in self.worker_ids.values() {
            let worker = self.worker(*index);
            assert_eq!(worker.memory.held_bytes, held[index.0 as usize], "results at a worker are counted");
            let learnt = worker.attempts.iter().map(|attempt| self.attempts.at(*attempt).memory_bytes);
            assert_eq!(worker.memory.learnt_bytes, learnt.clone().sum::<u64>(), "what attempts take is counted");
            assert!(worker.memory.heaviest_bytes >= learnt.max().unwrap_or(0), "the heaviest attempt is known");
        }
    }
}

/// A size as it is counted: what a worker says may be anything, and sums must not overflow.
fn counted(size: u64) -> u64 {
    size.min(RESULT_BYTES_MAX)
}
