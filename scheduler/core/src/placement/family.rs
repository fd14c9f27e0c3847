//! Siblings that meet downstream stay together although few of them run at once: what the worker of a family has no room for
//! yet waits for it, while others begin other families.
//!
//! A task that waits so is queued like any other, only the queues do not have it. A worker keeps nothing that others could do:
//! when nothing else is queued, who idles takes half of what another keeps; and who cannot go on gives all of it back.

use crate::action::Actions;
use crate::attempt::Way;
use crate::core::SchedulerCore;
use crate::graph::Graph;
use crate::load_index::LoadIndex;
use crate::placement::WORKERS_SEEN_MAX;
use crate::queue::ShapeIndex;
use crate::task::{NONE, State, TaskId};
use crate::worker::{Worker, WorkerIndex};
use std::collections::BTreeSet;
use wasm_tasks_protocol::ids::TaskIndex;
use wasm_tasks_protocol::message::Priority;

/// A family of more tasks than this has no home: one worker would have to do too much, and keep too much.
const FAMILY_MAX: usize = 64;
/// A task with more inputs than this, or larger ones, goes where its inputs are, whoever its siblings are. dask's root-ish tasks
/// have fewer than five dependencies too.
const INPUTS_MAX: usize = 4;
/// An input that many need and that is larger is worth staying near.
const INPUT_BYTES_MAX: u64 = 64 << 10;
/// What more tasks than this need is no part of the work of one of them.
const LINKS_MAX: usize = 4;
/// A task with more inputs than this does not use up what any one of them makes.
const NEXT_INPUTS_MAX: usize = 16;
/// Beside a task that takes so many round trips one of them is not worth hiding.
const LONG_ROUND_TRIPS: u64 = 10;

/// Which workers keep siblings.
#[derive(Debug, Default)]
pub(crate) struct Families {
    /// By how many they keep.
    keepers: LoadIndex,
    /// Those of them that have room, and how urgent the first is that each keeps.
    ready: BTreeSet<(Priority, u32)>,
    /// Those that had none after all in this round of placement.
    full: Vec<WorkerIndex>,
    /// What workers kept that cannot go on: not in the queues yet, which others may be looking at.
    returned: Vec<(Priority, TaskId)>,
}

/// Whether a task begins something: it needs nothing, or only a little that many others need too.
pub(super) fn is_root(graph: &Graph, task: TaskIndex) -> bool {
    let is_common = |input: TaskIndex| graph.dependents(input).len() > LINKS_MAX && graph.task(input).size() <= INPUT_BYTES_MAX;
    let inputs = graph.dependencies(task);
    inputs.len() <= INPUTS_MAX && inputs.iter().all(|input| is_common(*input))
}

impl Worker {
    /// Whether it can go on with a family.
    fn may_keep(&self) -> bool {
        !self.is_leaving && self.suspects == 0 && self.hold.is_none() && !self.memory.is_paused
    }
}

impl SchedulerCore {
    /// Keeps the indices of keepers true after what one has to do changed.
    pub(super) fn reindex_family(&mut self, index: WorkerIndex) {
        let worker = self.worker(index);
        if !worker.siblings.is_empty() && !worker.may_keep() {
            let siblings = std::mem::take(&mut self.worker_mut(index).siblings);
            self.families.returned.extend(siblings);
        }
        let worker = self.worker(index);
        let kept = worker.siblings.len() as u64;
        let first = worker.siblings.front().filter(|_| worker.has_room(true)).map(|(priority, _)| (*priority, index.0));
        if worker.next_sibling != first {
            let old = std::mem::replace(&mut self.worker_mut(index).next_sibling, first);
            old.map(|old| self.families.ready.remove(&old));
            self.families.ready.extend(first);
        }
        self.families.keepers.set(index, (kept > 0).then_some(kept));
    }

    /// Puts into the queues what workers gave back that cannot go on.
    pub(super) fn requeue_siblings(&mut self) {
        for (priority, id) in std::mem::take(&mut self.families.returned) {
            self.queues.kept -= 1;
            if self.is_ready(id) {
                let shape = self.graph(id.graph).profile_of(id.task).shape;
                self.queues.give_back(shape, priority, id);
            }
        }
    }

    /// Whether a task, the first of its shape's queue, waits for the worker of its family, which has no room for it, while
    /// others begin something else. If so, that worker keeps it.
    pub(super) fn keep_for_family(&mut self, id: TaskId, shape: ShapeIndex) -> bool {
        if self.free_workers.is_empty() || !self.queues.key(shape).is_ordinary() {
            return false;
        }
        let Some(home) = self.home_of_root(id) else { return false };
        let worker = self.worker(home);
        if !worker.may_keep() || worker.has_free_slot() {
            return false;
        }
        if self.has_room(home, id, shape) && !self.waits_while_others_idle(id, home) {
            return false;
        }
        self.queues.pop(shape);
        let priority = self.graph(id.graph).priority(id.task);
        self.worker_mut(home).siblings.push_back((priority, id));
        self.queues.kept += 1;
        self.reindex(home);
        true
    }

    /// The worker where a task belongs for its siblings' sake, and not for that of its inputs.
    fn home_of_root(&self, id: TaskId) -> Option<WorkerIndex> {
        let graph = self.graph(id.graph);
        let task = graph.task(id.task);
        if task.family == NONE || task.deaths > 0 || graph.dependencies(TaskIndex(task.family)).len() > FAMILY_MAX {
            return None;
        }
        let home = self.home_of_family(graph, task.family);
        (home != NONE && is_root(graph, id.task)).then_some(WorkerIndex(home))
    }

    /// Lets the worker whose next sibling is the most urgent go on with its family, if nothing that is queued is as urgent.
    /// Returns whether there was one.
    pub(super) fn go_on_with_family(&mut self, queued: Option<Priority>, out: &mut Actions) -> bool {
        let Some((priority, worker)) = self.families.ready.first().copied() else { return false };
        if queued.is_some_and(|queued| queued <= priority) {
            return false;
        }
        self.take_sibling(WorkerIndex(worker), out);
        true
    }

    /// Places the first of the siblings that a worker keeps; or puts it where it belongs, when that is elsewhere now.
    fn take_sibling(&mut self, index: WorkerIndex, out: &mut Actions) {
        let (priority, id) = *self.worker(index).siblings.front().expect("a worker that goes on with a family keeps some of it");
        let is_ready = self.is_ready(id);
        let is_quick = is_ready && !self.is_worth_care(id);
        let has_room = is_quick
            && self.has_room(index, id, self.graph(id.graph).profile_of(id.task).shape)
            && !self.waits_while_others_idle(id, index);
        if is_quick && !has_room && !self.worker(index).has_free_slot() {
            // Until the end of this round: something runs here.
            self.families.full.push(index);
            self.worker_mut(index).next_sibling = None;
            self.families.ready.remove(&(priority, index.0));
            return;
        }
        self.worker_mut(index).siblings.pop_front();
        self.queues.kept -= 1;
        if has_room {
            let graph = self.graph(id.graph);
            let way = Way { shape: graph.profile_of(id.task).shape, settings: graph.task(id.task).profile };
            self.assign(id, index, way, false, out);
            self.placed(id, index);
            self.send_ahead(id, index, out);
        } else if is_ready {
            self.queues.give_back(self.graph(id.graph).profile_of(id.task).shape, priority, id);
        }
        self.reindex(index);
    }

    /// Ends a round of placement.
    pub(super) fn end_families(&mut self) {
        for worker in std::mem::take(&mut self.families.full) {
            self.reindex(worker);
        }
    }

    /// Nothing else is queued: who idles takes half of what the worker with the most siblings keeps for later.
    /// The second time in a round and later only of what takes nobody knows how long: of the rest there is another round within
    /// milliseconds, and each division puts siblings into one more place.
    pub(super) fn share_families(&mut self, is_again: bool) {
        self.end_families();
        if self.families.keepers.is_empty() {
            return;
        }
        let idle: Vec<WorkerIndex> = self.idle_workers.iter().map(WorkerIndex).collect();
        for thief in idle {
            // Who has a slot free for the only one that it keeps goes on with it.
            let can_spare = |keeper: &WorkerIndex| {
                let keeper = self.worker(*keeper);
                let is_known = keeper.siblings.front().is_some_and(|(_, id)| self.is_ready(*id) && self.length_us(*id).is_some());
                (keeper.siblings.len() > 1 || !keeper.has_free_slot()) && !(is_again && is_known)
            };
            let Some(keeper) = self.families.keepers.most_first().take(WORKERS_SEEN_MAX).find(can_spare) else { return };
            if self.worker(thief).siblings.is_empty() && self.worker(thief).may_keep() {
                let siblings = &mut self.worker_mut(keeper).siblings;
                let taken = siblings.split_off(siblings.len() / 2);
                self.worker_mut(thief).siblings = taken;
                self.reindex(keeper);
                self.reindex(thief);
            }
        }
    }

    /// What must hold of kept siblings after every event.
    ///
    /// # Panics
    /// When something does not.
    pub(crate) fn check_families(&self) {
        let (mut kept, mut next) = (self.families.returned.len() as u64, 0);
        for index in self.worker_ids.values() {
            let worker = self.worker(*index);
            let count = worker.siblings.len() as u64;
            kept += count;
            assert!(count == 0 || worker.may_keep(), "who cannot go on with a family keeps none of it");
            assert!(self.families.keepers.holds(*index, (count > 0).then_some(count)), "keepers are indexed");
            let first = worker.siblings.front().filter(|_| worker.has_room(true)).map(|(priority, _)| (*priority, index.0));
            assert_eq!(worker.next_sibling, first, "who has room and siblings knows the first");
            next += usize::from(first.is_some_and(|first| self.families.ready.contains(&first)));
        }
        assert_eq!(self.queues.kept, kept, "what is kept is counted");
        let known = self.worker_ids.values().filter(|index| self.worker(**index).next_sibling.is_some()).count();
        assert!(next == known && self.families.ready.len() == known, "keepers with room are indexed");
        assert!(self.families.full.is_empty(), "a round of placement ends");
    }

    /// Whether a task that would only wait at a worker for a slot had better wait in the queue: it would make one result more
    /// while what was begun there has results that nobody used yet.
    pub(super) fn outruns(&self, worker: &Worker, id: TaskId) -> bool {
        if worker.has_free_slot() {
            return false;
        }
        let Some(next) = self.next_of_root(id) else { return false };
        !worker.ahead_stops.is_empty() || (self.is_worth_care(next) && self.is_long_at(worker, next))
    }

    /// Whether a task is one of those that begin something, and hides no way to and fro that is worth hiding when it is at a
    /// worker before a slot is free.
    pub(super) fn may_as_well_wait(&self, worker: &Worker, id: TaskId) -> bool {
        self.next_of_root(id).is_some() && self.is_long_at(worker, id)
    }

    fn is_long_at(&self, worker: &Worker, id: TaskId) -> bool {
        self.length_us(id).is_some_and(|length| length >= LONG_ROUND_TRIPS * worker.round_trip().0)
    }

    /// What waits for a task that begins something, and for few others.
    fn next_of_root(&self, id: TaskId) -> Option<TaskId> {
        let graph = self.graph(id.graph);
        let [next, ..] = graph.dependents(id.task) else { return None };
        let is_soon = is_root(graph, id.task) && graph.dependencies(*next).len() <= NEXT_INPUTS_MAX;
        (is_soon && graph.task(*next).state == State::Waiting).then_some(TaskId { graph: id.graph, task: *next })
    }
}
