//! Members of gangs go from state to state together: they stop when one of them stops, and end when all have.
//!
//! Where they go is `placement/gang.rs`; who is a member is `gang.rs`.

use crate::action::{Action, Actions};
use crate::core::SchedulerCore;
use crate::gang::{Ended, Report};
use crate::queue::{ShapeIndex, ShapeKey};
use crate::task::{State, TaskId};
use wasm_tasks_protocol::time::Time;

impl SchedulerCore {
    /// As long as a member is open its gang needs it, whoever else does: called when it becomes open, and when it is no longer.
    pub(crate) fn note_open(&mut self, id: TaskId, is_open: bool) {
        let graph = self.graph_mut(id.graph);
        if is_open {
            graph.open += 1;
        } else {
            graph.open -= 1;
        }
        if graph.gangs.of(id.task).is_some() {
            let task = graph.task_mut(id.task);
            task.needed = if is_open { task.needed + 1 } else { task.needed - 1 };
        }
    }

    /// A member just became open: those that never ran run with it, and those that run already begin again with it.
    /// Returns who else becomes open.
    pub(crate) fn join_gang(&mut self, id: TaskId, out: &mut Actions) -> Vec<TaskId> {
        let graph = self.graph(id.graph);
        let Some(gang) = graph.gangs.of(id.task) else { return Vec::new() };
        let is_new = |task: &_| graph.task(*task).state == State::Idle && !graph.task(*task).was_done;
        let new = gang.members().filter(is_new).map(|task| TaskId { graph: id.graph, task }).collect();
        self.restart_mates(id, out);
        new
    }

    /// Whether nobody needs a task any more, nor any of those that start with it.
    pub(crate) fn is_unneeded(&self, id: TaskId) -> bool {
        let task = self.graph(id.graph).task(id.task);
        if task.needed == 0 {
            return true;
        }
        task.needed == 1
            && task.is_open()
            && self.is_member(id)
            && self.open_members(id).iter().all(|member| self.graph(id.graph).task(member.task).needed == 1)
    }

    /// Stops a task that nobody needs if it is open, with its mates. Returns all of these: their inputs are the caller's.
    pub(crate) fn stop_unneeded(&mut self, id: TaskId, out: &mut Actions) -> Vec<TaskId> {
        if !self.graph(id.graph).task(id.task).is_open() {
            return Vec::new();
        }
        let members = self.open_members(id);
        members.iter().for_each(|member| self.stop(*member, State::Idle, out));
        members
    }

    /// A task's attempt ended without a result and without fault of its own: it is queued again, and its mates with it.
    pub(crate) fn return_to_queue(&mut self, id: TaskId, out: &mut Actions) {
        self.requeue(id);
        self.withdraw_dependents(id, out);
        self.restart_mates(id, out);
    }

    /// Takes the other members of a task's gang back from their workers and queues them.
    fn restart_mates(&mut self, id: TaskId, out: &mut Actions) {
        for mate in self.stop_mates(id, out) {
            self.requeue(mate);
            self.withdraw_dependents(mate, out);
        }
    }

    /// A member failed and may be repeated: the whole gang rests as long as it does.
    pub(crate) fn rest_mates(&mut self, id: TaskId, until: Time, out: &mut Actions) {
        for mate in self.stop_mates(id, out) {
            self.rest(mate, until, out);
        }
    }

    /// Ends what the other members of a task's gang do at workers. Their states are the caller's.
    fn stop_mates(&mut self, id: TaskId, out: &mut Actions) -> Vec<TaskId> {
        if !self.is_member(id) {
            return Vec::new();
        }
        let mut mates = self.open_members(id);
        mates.retain(|mate| *mate != id && matches!(self.graph(mate.graph).task(mate.task).state, State::Assigned(_)));
        for mate in &mates {
            for attempt in self.graph(mate.graph).task(mate.task).attempts_live().to_vec() {
                self.cancel_attempt(attempt, out);
            }
        }
        mates
    }

    /// A member's attempt ended well. Returns what all of them reported when it was the last one to end, by rank.
    pub(crate) fn end_member(&mut self, attempt: u32, report: Report) -> Vec<Ended> {
        let id = self.attempts.at(attempt).task;
        let open = self.open_members(id).len();
        let gang = self.graph_mut(id.graph).gangs.of_mut(id.task).expect("only members wait for others");
        gang.ended.push(Ended { attempt, report });
        if gang.ended.len() < open {
            return Vec::new();
        }
        let mut ended = std::mem::take(&mut gang.ended);
        ended.sort_unstable_by_key(|ended| self.attempts.at(ended.attempt).task);
        ended
    }

    /// Forgets what an attempt reported that ends with its gang; its result is at its worker, for nobody.
    pub(crate) fn discard_report(&mut self, attempt: u32, out: &mut Actions) -> bool {
        let id = self.attempts.at(attempt).task;
        let Some(gang) = self.graph_mut(id.graph).gangs.of_mut(id.task) else { return false };
        let Some(at) = gang.ended.iter().position(|ended| ended.attempt == attempt) else { return false };
        if gang.ended.swap_remove(at).report.is_inline {
            out.push(Action::ReleaseInline(id));
        }
        true
    }

    /// Where a gang that is ready waits: with the others that need as many workers of the same kind. After a loss fewer
    /// members run than it has.
    pub(crate) fn gang_shape(&mut self, first: TaskId) -> ShapeIndex {
        let count = self.open_members(first).len() as u32;
        let shape = self.graph(first.graph).profile_of(first.task).shape;
        let key = self.queues.key(shape);
        if key.gang == count {
            return shape;
        }
        let key = ShapeKey { gang: count, ..key.clone() };
        let same = |fallback: &ShapeIndex| ShapeKey { gang: count, ..self.queues.key(*fallback).clone() };
        let fallbacks: Vec<ShapeKey> = key.fallbacks.iter().map(same).collect();
        let fallbacks: Vec<ShapeIndex> = fallbacks.into_iter().map(|key| self.queues.intern(key)).collect();
        let shape = self.queues.intern(ShapeKey { fallbacks: fallbacks.clone(), ..key });
        // The shape itself keeps what it falls back to.
        fallbacks.into_iter().for_each(|fallback| self.queues.let_go(fallback));
        let others = &mut self.graph_mut(first.graph).other_shapes;
        if others.contains(&shape) {
            self.queues.let_go(shape);
        } else {
            others.push(shape);
        }
        shape
    }
}
