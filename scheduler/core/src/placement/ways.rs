//! Tasks that may run in several ways, and tasks that like some workers better than others.

use super::{INPUTS_SEEN_MAX, WORKERS_SEEN_MAX};
use crate::attempt::Way;
use crate::core::SchedulerCore;
use crate::queue::ShapeIndex;
use crate::task::{State, TaskId};
use crate::worker::WorkerIndex;

/// Workers that are looked at besides the least loaded ones when none of these is liked wholly.
const OTHERS_SEEN_MAX: usize = 256;

impl SchedulerCore {
    /// The first of the ways in which a task may run for which there is room, and the worker.
    pub(super) fn choose_way(&mut self, id: TaskId, shape: ShapeIndex) -> Option<(WorkerIndex, Way)> {
        let settings = self.graph(id.graph).task(id.task).profile;
        if let Some(worker) = self.choose_liked(id, shape) {
            return Some((worker, Way { shape, settings }));
        }
        for at in 0..self.queues.key(shape).fallbacks.len() {
            let way = Way { shape: self.queues.key(shape).fallbacks[at], settings: settings + at as u32 + 1 };
            if let Some(worker) = self.choose_liked(id, way.shape) {
                return Some((worker, way));
            }
        }
        None
    }

    /// Of the workers with room that satisfy most of what the task prefers, the one where it can start first. The rules come
    /// in their order: a worker that satisfies the first is better than one that satisfies all others.
    fn choose_liked(&mut self, id: TaskId, shape: ShapeIndex) -> Option<WorkerIndex> {
        let chosen = self.choose_worker(id, shape)?;
        let key = self.queues.key(shape);
        if key.prefer.is_empty() {
            return Some(chosen);
        }
        let rank = |worker: WorkerIndex| (self.worker(worker).dislike(key), self.start_us(id, worker), worker != chosen);
        let holders = self.graph(id.graph).dependencies(id.task).iter().take(INPUTS_SEEN_MAX);
        let holders = holders.filter_map(|input| match &self.graph(id.graph).task(*input).state {
            State::Done { holders, .. } => holders.as_slice().first().map(|holder| WorkerIndex(*holder)),
            State::Idle
            | State::Waiting
            | State::Queued
            | State::Assigned(_)
            | State::Resting { .. }
            | State::Failed { .. }
            | State::Delegated { .. } => None,
        });
        let near = self.free_workers.least_first().take(WORKERS_SEEN_MAX).chain(holders);
        let best = near.filter(|worker| self.has_room(*worker, id, shape)).min_by_key(|worker| rank(*worker)).unwrap_or(chosen);
        if self.worker(best).dislike(key) == 0 {
            return Some(best);
        }
        let count = self.workers.len();
        let others = (0..count.min(OTHERS_SEEN_MAX)).map(|step| WorkerIndex(((self.liked_cursor + step) % count) as u32));
        let others = others.filter(|worker| self.workers[worker.0 as usize].is_some() && self.has_room(*worker, id, shape));
        let best = others.chain([best]).min_by_key(|worker| rank(*worker));
        self.liked_cursor = (self.liked_cursor + OTHERS_SEEN_MAX) % count;
        best
    }
}
