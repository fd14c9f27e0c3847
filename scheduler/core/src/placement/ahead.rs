//! Tasks that are sent to a worker before their inputs exist, because all of these are being made there: a chain, or a
//! local reduction, costs no round trip a hop.
//!
//! What a worker has no room for is remembered with it, and goes on when half of what it was given is done: long before it
//! would wait for more.

use crate::action::Actions;
use crate::attempt::Way;
use crate::core::SchedulerCore;
use crate::task::{State, TaskId};
use crate::worker::WorkerIndex;

/// A task is sent ahead only if it has at most this many inputs, and only to this many dependents of a task.
const AHEAD_INPUTS_MAX: usize = 16;
/// Places where sending ahead stopped that are remembered for a worker. Whatever is forgotten is queued when its inputs exist.
const STOPS_MAX: usize = 64;

impl SchedulerCore {
    /// Goes on where workers had no room and have some again, unless something more urgent waits.
    pub(super) fn resume_ahead(&mut self, out: &mut Actions) {
        if self.hungry_workers.is_empty() {
            return;
        }
        let urgent = self.queues.first().map(|(_, id)| self.graph_at(id.graph).map(|graph| graph.priority(id.task)));
        let hungry: Vec<WorkerIndex> = self.hungry_workers.iter().map(WorkerIndex).collect();
        for worker in hungry {
            let stops = std::mem::take(&mut self.worker_mut(worker).ahead_stops);
            for (at, id) in stops.iter().enumerate() {
                let Some(graph) = self.graph_at(id.graph) else { continue };
                if urgent.flatten().is_some_and(|urgent| urgent < graph.priority(id.task)) {
                    self.worker_mut(worker).ahead_stops.extend_from_slice(&stops[at..]);
                    break;
                }
                self.send_ahead(*id, worker, out);
            }
            self.reindex(worker);
        }
    }

    /// Sends what follows from a task that is at a worker.
    pub(super) fn send_ahead(&mut self, first: TaskId, worker: WorkerIndex, out: &mut Actions) {
        let mut stack = vec![first.task];
        while let Some(task) = stack.pop() {
            let graph = self.graph(first.graph);
            let dependents = graph.dependents(task);
            let candidates: Vec<_> = dependents
                .iter()
                .take(AHEAD_INPUTS_MAX)
                .copied()
                .filter(|task| self.may_go_ahead(TaskId { graph: first.graph, task: *task }, worker))
                .collect();
            for (nth, dependent) in candidates.into_iter().enumerate() {
                let id = TaskId { graph: first.graph, task: dependent };
                // The first takes over the slot of what it follows from; the others need slots of their own.
                if nth > 0 && self.would_wait_needlessly(id, worker) {
                    continue;
                }
                let graph = self.graph(id.graph);
                let way = Way { shape: graph.profile_of(dependent).shape, settings: graph.task(dependent).profile };
                if self.attempts.is_full() || !self.has_room(worker, id, way.shape) {
                    stack.push(task);
                    self.stop_ahead(worker, stack.into_iter().map(|task| TaskId { graph: first.graph, task }));
                    return;
                }
                self.assign(id, worker, way, true, out);
                self.placed(id, worker);
                stack.push(dependent);
            }
        }
    }

    /// Whether a task that needs a slot of its own would wait for one at a worker: for nobody knows how long, or while others
    /// idle.
    fn would_wait_needlessly(&self, id: TaskId, index: WorkerIndex) -> bool {
        let is_blind = self.length_us(id).is_none() && !self.worker(index).has_free_slot();
        is_blind || self.waits_while_others_idle(id, index)
    }

    fn stop_ahead(&mut self, worker: WorkerIndex, at: impl Iterator<Item = TaskId>) {
        let stops = &mut self.worker_mut(worker).ahead_stops;
        let room = STOPS_MAX.saturating_sub(stops.len());
        stops.extend(at.take(room));
    }

    fn may_go_ahead(&self, id: TaskId, worker: WorkerIndex) -> bool {
        let graph = self.graph(id.graph);
        let inputs = graph.dependencies(id.task);
        graph.task(id.task).state == State::Waiting
            && inputs.len() <= AHEAD_INPUTS_MAX
            && graph.task(id.task).deaths == 0
            // Beside a long task a round trip is nothing, and a later decision is a better one.
            && !self.is_worth_care(id)
            && self.queues.key(graph.profile_of(id.task).shape).is_ordinary()
            && inputs.iter().all(|input| match &graph.task(*input).state {
                State::Done { .. } => true,
                // What usually ends in other tasks leaves no result here.
                State::Assigned(_) if graph.functions[graph.task(*input).function as usize].delegates() => false,
                // What members made is there when the last of them has ended.
                State::Assigned(attempts) => graph.gangs.of(*input).is_none() && attempts.as_slice().iter().any(|attempt| {
                    let live = self.attempts.at(*attempt);
                    live.worker == worker && !live.is_retracting
                }),
                State::Idle
                | State::Waiting
                | State::Queued
                | State::Resting { .. }
                | State::Failed { .. }
                | State::Delegated { .. } => false,
            })
    }
}
