//! Where gangs go: each member to a worker of its own, all of them in one step or none.
//!
//! Members are sent only where what they take is free now, never to wait behind what runs, so that all of them start when the
//! word reaches their workers. Until there is room for all, workers are held for them like for any task that needs more than is free.

use super::{INPUTS_SEEN_MAX, WORKERS_SEEN_MAX};
use crate::action::Actions;
use crate::attempt::{ATTEMPTS_MAX, Way};
use crate::core::SchedulerCore;
use crate::dense_set::DenseSet;
use crate::queue::ShapeIndex;
use crate::task::{State, TaskId};
use crate::worker::WorkerIndex;
use std::cmp::Reverse;

/// Workers with room that are compared for one member.
const COMPARED_MAX: usize = 64;

impl SchedulerCore {
    /// Places a gang that is ready, or lets it wait for room.
    pub(super) fn place_gang(&mut self, first: TaskId, shape: ShapeIndex, out: &mut Actions) {
        let members = self.open_members(first);
        if self.queues.key(shape).gang as usize != members.len() {
            // Some became needed, or were given up, since it stood here; it stands elsewhere too.
            self.queues.pop(shape);
            return;
        }
        if self.attempts.len() + members.len() > ATTEMPTS_MAX {
            return self.queues.block(shape);
        }
        let chosen = if self.queues.is_full(shape) { None } else { self.choose_gang_way(first, &members, shape) };
        let Some((at, way, workers)) = chosen else { return self.wait_for_room(first, shape) };
        self.queues.pop(shape);
        for (member, worker) in members.iter().zip(&workers) {
            let settings = self.graph(member.graph).task(member.task).profile + at;
            self.assign(*member, *worker, Way { shape: way, settings }, false, out);
        }
        workers.iter().for_each(|worker| self.placed(first, *worker));
    }

    /// The first of the ways in which a gang may run for which there is room for all: its position, and a worker for each member.
    fn choose_gang_way(
        &mut self,
        first: TaskId,
        members: &[TaskId],
        shape: ShapeIndex,
    ) -> Option<(u32, ShapeIndex, Vec<WorkerIndex>)> {
        let ways: Vec<ShapeIndex> = std::iter::once(shape).chain(self.queues.key(shape).fallbacks.iter().copied()).collect();
        let mut ways = (0..).zip(ways).filter(|(_, way)| self.is_possible(*way)).collect::<Vec<_>>().into_iter();
        ways.find_map(|(at, way)| Some((at, way, self.choose_gang(first, members, way)?)))
    }

    /// A worker for each member, all different, when there is room for all of them.
    fn choose_gang(&self, first: TaskId, members: &[TaskId], shape: ShapeIndex) -> Option<Vec<WorkerIndex>> {
        let key = self.queues.key(shape);
        let runs_alone = self.is_suspect(first);
        let has_room = |index: &WorkerIndex| {
            let worker = self.worker(*index);
            (!runs_alone || worker.attempts.is_empty())
                && worker.could_ever(key, self.now)
                && worker.is_available(key)
                && worker.has_slots_beside_plans(key)
                && self.has_memory(*index, members[0])
                && self.respects_hold(*index, first, key)
        };
        let held = self.reservations.of_task(first).map(|index| self.reservations.at(index));
        let held = held.iter().flat_map(|held| held.places.iter().map(|place| place.worker));
        // Who has no whole slot free may have room for members that take less.
        let least_loaded = if key.slots_milli < 1_000 { WORKERS_SEEN_MAX + members.len() } else { 0 };
        let others = self.idle_workers.iter().map(WorkerIndex).chain(self.free_workers.least_first().take(least_loaded));
        let mut seen = DenseSet::default();
        let different = held.chain(others).filter(|worker| seen.insert(worker.0));
        let mut free: Vec<WorkerIndex> = different.filter(has_room).take(members.len() + COMPARED_MAX).collect();
        if free.len() < members.len() {
            return None;
        }
        // The best are at the end, where they are taken.
        free.reverse();
        free.sort_by_key(|worker| Reverse(self.worker(*worker).dislike(key)));
        // Whose inputs are the largest chooses first.
        let mut order: Vec<usize> = (0..members.len()).collect();
        order.sort_by_key(|at| Reverse(self.stored_input_bytes(members[*at])));
        let mut chosen = vec![free[0]; members.len()];
        for at in order {
            let cost = |index: WorkerIndex| (self.worker(index).dislike(key), self.transfer_us(members[at], index));
            let near = (0..free.len()).rev().take(COMPARED_MAX).min_by_key(|place| cost(free[*place]))?;
            chosen[at] = free.remove(near);
        }
        Some(chosen)
    }

    /// Bytes of inputs that are at workers.
    fn stored_input_bytes(&self, id: TaskId) -> u64 {
        let graph = self.graph(id.graph);
        let inputs = graph.dependencies(id.task).iter().take(INPUTS_SEEN_MAX).map(|input| &graph.task(*input).state);
        let bytes = inputs.map(|state| match state {
            State::Done { size, is_inline: false, .. } => *size,
            State::Done { .. }
            | State::Idle
            | State::Waiting
            | State::Queued
            | State::Assigned(_)
            | State::Resting { .. }
            | State::Failed { .. }
            | State::Delegated { .. } => 0,
        });
        bytes.sum()
    }
}
