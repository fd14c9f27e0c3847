//! Queues of ready tasks: one for each shape of request, so that no shape waits behind another.

use crate::task::TaskId;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use wasm_tasks_protocol::graph::{LabelRule, Resource, Settings};
use wasm_tasks_protocol::message::Priority;
use wasm_tasks_protocol::time::Duration;

/// What tasks ask of a worker.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ShapeKey {
    pub(crate) slots_milli: u64,
    /// 0 unless the task declared it.
    pub(crate) memory_bytes: u64,
    pub(crate) pools: Vec<Resource>,
    pub(crate) labels: Vec<LabelRule>,
    /// Rules that workers should satisfy.
    pub(crate) prefer: Vec<LabelRule>,
    /// How long a worker must stay at least.
    pub(crate) time_request: Duration,
    /// How many workers are needed at once, for a task on each; 0 for a task that is in no gang.
    pub(crate) gang: u32,
    /// Shapes that do as well, the preferred first.
    pub(crate) fallbacks: Vec<ShapeIndex>,
}

impl ShapeKey {
    /// Without fallbacks.
    pub(crate) fn of(settings: &Settings) -> ShapeKey {
        ShapeKey {
            prefer: settings.prefer.clone(),
            time_request: settings.time_request,
            gang: settings.gang,
            fallbacks: Vec::new(),
            slots_milli: settings.slots_milli,
            memory_bytes: if settings.memory_declared { settings.memory_bytes } else { 0 },
            pools: settings.pools.clone(),
            labels: settings.labels.clone(),
        }
    }

    /// One slot, any worker: such tasks may be sent before a slot is free.
    pub(crate) fn is_ordinary(&self) -> bool {
        self.takes_one_slot()
            && self.labels.is_empty()
            && self.prefer.is_empty()
            && self.time_request == Duration::ZERO
            && self.gang == 0
            && self.fallbacks.is_empty()
    }
}

impl ShapeKey {
    /// Whether there are several ways to run, or workers that are liked better.
    pub(crate) fn has_choice(&self) -> bool {
        !self.prefer.is_empty() || !self.fallbacks.is_empty()
    }

    /// One slot of certain workers: as many may wait at a worker as ordinary tasks.
    pub(crate) fn takes_one_slot(&self) -> bool {
        self.slots_milli == 1_000 && self.memory_bytes == 0 && self.pools.is_empty()
    }

    /// What a task that is expected to take so many microseconds adds to its worker's occupancy.
    pub(crate) fn occupancy_us(&self, expected_us: u32) -> u64 {
        (u128::from(expected_us) * u128::from(self.slots_milli) / 1_000) as u64
    }

    /// Whether every worker that has room for this has room for the other.
    fn needs_all_of(&self, other: &ShapeKey) -> bool {
        let has = |need: &Resource| self.pools.iter().any(|own| own.name == need.name && own.milli >= need.milli);
        self.slots_milli >= other.slots_milli
            && self.memory_bytes >= other.memory_bytes
            && other.pools.iter().all(has)
            && other.labels.iter().all(|rule| self.labels.contains(rule))
            && self.time_request >= other.time_request
            && self.gang >= other.gang
            && self.fallbacks.is_empty()
    }
}

/// Entries for which an empty queue keeps room.
const ROOM_KEPT: usize = 4_096;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ShapeIndex(pub(crate) u32);

#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) key: ShapeKey,
    /// Profiles of graphs and fallbacks of other shapes that name it; when there are none its place is vacant.
    uses: u32,
    queue: BinaryHeap<Reverse<(Priority, TaskId)>>,
    /// No worker had room for its first task in this round of placement.
    pub(crate) is_blocked: bool,
    /// No worker has room for any of its tasks in this round; they may still get reservations.
    pub(crate) is_full: bool,
    /// How far all workers were looked at in this round.
    looks: Looks,
    /// Whether some worker could ever run its tasks, in the fleet of this number.
    possible: Option<(u64, bool)>,
}

/// The numbers of the workers that were found last by looking at all of them: those before have no room, and in a round of
/// placement nobody gets any.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Looks {
    /// For what can begin there at once.
    pub(crate) available: u32,
    /// For what may wait there too.
    pub(crate) room: u32,
}

/// All shapes that graphs ask for.
#[derive(Debug)]
pub(crate) struct Queues {
    shapes: Vec<Shape>,
    by_key: BTreeMap<ShapeKey, ShapeIndex>,
    vacant: Vec<ShapeIndex>,
    /// Tasks of one slot that any worker may run, and that wait at workers where their siblings are.
    pub(crate) kept: u64,
    /// What these ask for.
    ordinary: ShapeKey,
}

impl Default for Queues {
    fn default() -> Queues {
        let ordinary = ShapeKey::of(&Settings::default());
        Queues { shapes: Vec::new(), by_key: BTreeMap::new(), vacant: Vec::new(), kept: 0, ordinary }
    }
}

impl Queues {
    /// The shape with a key, for one more use: see [`Queues::let_go`].
    pub(crate) fn intern(&mut self, key: ShapeKey) -> ShapeIndex {
        if let Some(known) = self.by_key.get(&key) {
            self.shapes[known.0 as usize].uses += 1;
            return *known;
        }
        key.fallbacks.iter().for_each(|fallback| self.shapes[fallback.0 as usize].uses += 1);
        let shape = Shape {
            key: key.clone(),
            uses: 1,
            queue: BinaryHeap::new(),
            is_blocked: false,
            is_full: false,
            looks: Looks::default(),
            possible: None,
        };
        let index = match self.vacant.pop() {
            Some(vacant) => {
                self.shapes[vacant.0 as usize] = shape;
                vacant
            }
            None => {
                self.shapes.push(shape);
                ShapeIndex(self.shapes.len() as u32 - 1)
            }
        };
        self.by_key.insert(key, index);
        index
    }

    /// Ends one use of a shape. After the last one no task that is left has it: what is in its queue is of graphs that are gone.
    pub(crate) fn let_go(&mut self, shape: ShapeIndex) {
        let entry = &mut self.shapes[shape.0 as usize];
        assert!(entry.uses > 0, "a shape is let go as often as it is used");
        entry.uses -= 1;
        if entry.uses > 0 {
            return;
        }
        entry.queue = BinaryHeap::new();
        let fallbacks = std::mem::take(&mut entry.key.fallbacks);
        self.by_key.remove(&ShapeKey { fallbacks: fallbacks.clone(), ..entry.key.clone() });
        self.vacant.push(shape);
        // A fallback has none itself.
        fallbacks.into_iter().for_each(|fallback| self.let_go(fallback));
    }

    /// What must hold of shapes after every event. `used` has an entry for each use by a profile.
    ///
    /// # Panics
    /// When something does not.
    pub(crate) fn check(&self, used: impl Iterator<Item = ShapeIndex>) {
        let mut uses = vec![0; self.shapes.len()];
        used.for_each(|shape| uses[shape.0 as usize] += 1);
        self.by_key.keys().flat_map(|key| &key.fallbacks).for_each(|fallback| uses[fallback.0 as usize] += 1);
        for ((index, shape), uses) in (0..).map(ShapeIndex).zip(&self.shapes).zip(uses) {
            assert_eq!(shape.uses, uses, "uses of a shape are counted");
            assert_eq!(self.by_key.get(&shape.key) == Some(&index), uses > 0, "shapes in use are found by their keys");
            assert_eq!(self.vacant.contains(&index), uses == 0, "the others' places are vacant");
            assert!(uses > 0 || shape.queue.is_empty(), "nothing waits in a shape that nobody uses");
        }
    }

    pub(crate) fn key(&self, shape: ShapeIndex) -> &ShapeKey {
        &self.shapes[shape.0 as usize].key
    }

    pub(crate) fn push(&mut self, shape: ShapeIndex, priority: Priority, task: TaskId) {
        self.shapes[shape.0 as usize].queue.push(Reverse((priority, task)));
    }

    /// Shapes that have entries, and these, in no order.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (ShapeIndex, impl Iterator<Item = TaskId> + '_)> {
        let shapes = (0..).map(ShapeIndex).zip(&self.shapes).filter(|(_, shape)| !shape.queue.is_empty());
        shapes.map(|(index, shape)| (index, shape.queue.iter().map(|Reverse((_, task))| *task)))
    }

    /// Removes the first entry of a shape. What is left of a long queue does not keep the room that it had.
    pub(crate) fn pop(&mut self, shape: ShapeIndex) {
        let queue = &mut self.shapes[shape.0 as usize].queue;
        queue.pop();
        if queue.capacity() > ROOM_KEPT && queue.len() < queue.capacity() / 8 {
            queue.shrink_to((queue.len() * 2).max(ROOM_KEPT));
        }
    }

    pub(crate) fn block(&mut self, shape: ShapeIndex) {
        self.shapes[shape.0 as usize].is_blocked = true;
    }

    pub(crate) fn unblock_all(&mut self) {
        self.shapes
            .iter_mut()
            .for_each(|shape| (shape.is_blocked, shape.is_full, shape.looks) = (false, false, Looks::default()));
    }

    pub(crate) fn looks(&self, shape: ShapeIndex) -> Looks {
        self.shapes[shape.0 as usize].looks
    }

    /// What was found out of a shape and a fleet.
    pub(crate) fn possible_in(&self, shape: ShapeIndex, fleet: u64) -> Option<bool> {
        self.shapes[shape.0 as usize].possible.filter(|(of, _)| *of == fleet).map(|(_, is_possible)| is_possible)
    }

    pub(crate) fn note_possible(&mut self, shape: ShapeIndex, fleet: u64, is_possible: bool) {
        self.shapes[shape.0 as usize].possible = Some((fleet, is_possible));
    }

    pub(crate) fn note_looks(&mut self, shape: ShapeIndex, looks: Looks) {
        self.shapes[shape.0 as usize].looks = looks;
    }

    pub(crate) fn mark_full(&mut self, shape: ShapeIndex) {
        self.shapes[shape.0 as usize].is_full = true;
    }

    pub(crate) fn is_full(&self, shape: ShapeIndex) -> bool {
        self.shapes[shape.0 as usize].is_full
    }

    /// Whether tasks of another shape wait, in this round, that could use room which this shape cannot.
    pub(crate) fn has_smaller_rival(&self, shape: ShapeIndex) -> bool {
        let own = self.key(shape);
        let others = self.shapes.iter().enumerate().filter(|(index, _)| *index != shape.0 as usize);
        let is_kept_smaller = self.kept > 0 && !self.ordinary.needs_all_of(own);
        is_kept_smaller
            || others
                .map(|(_, other)| other)
                .any(|other| !other.is_blocked && !other.queue.is_empty() && !other.key.needs_all_of(own))
    }

    /// The first task of all shapes that are not blocked. It may have left the queue: entries are not removed
    /// when a task leaves otherwise than by placement, the caller looks at its state.
    pub(crate) fn first(&self) -> Option<(ShapeIndex, TaskId)> {
        let heads = self.shapes.iter().enumerate().filter(|(_, shape)| !shape.is_blocked);
        let best = heads
            .filter_map(|(index, shape)| shape.queue.peek().map(|Reverse((priority, task))| (priority, task, index)))
            .min()?;
        Some((ShapeIndex(best.2 as u32), *best.1))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.shapes.iter().all(|shape| shape.queue.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::{Queues, ROOM_KEPT, ShapeKey};
    use crate::task::{GraphIndex, TaskId};
    use wasm_tasks_protocol::graph::Settings;
    use wasm_tasks_protocol::ids::TaskIndex;
    use wasm_tasks_protocol::message::Priority;

    /// Shapes of a million graphs that come and go take the places of those that went.
    #[test]
    fn shapes_that_nobody_asks_for_are_forgotten() {
        let mut queues = Queues::default();
        let key = |slots_milli| ShapeKey::of(&Settings { slots_milli, ..Settings::default() });
        let kept = queues.intern(key(1_000));
        for round in 2..1_000 {
            let small = queues.intern(key(round));
            let either = queues.intern(ShapeKey { fallbacks: vec![small, kept], ..key(5_000) });
            assert_eq!(queues.intern(key(round)), small);
            queues.check([kept, small, either, small].into_iter());
            queues.push(either, Priority::default(), TaskId { graph: GraphIndex { slot: 0, generation: 0 }, task: TaskIndex(0) });
            queues.let_go(small);
            queues.let_go(small);
            assert_eq!(queues.key(small).slots_milli, round, "another shape falls back to it");
            queues.let_go(either);
            queues.check([kept].into_iter());
            assert!(queues.is_empty());
            assert_eq!((queues.shapes.len(), queues.by_key.len()), (3, 1));
        }
    }

    #[test]
    fn a_queue_that_was_long_gives_its_room_back() {
        let mut queues = Queues::default();
        let shape = queues.intern(ShapeKey::of(&Settings::default()));
        let graph = GraphIndex { slot: 0, generation: 0 };
        (0..100_000).for_each(|task| queues.push(shape, Priority::default(), TaskId { graph, task: TaskIndex(task) }));
        for left in (0..100_000).rev() {
            assert_eq!(queues.first().map(|(_, id)| id.task.0), Some(99_999 - left));
            queues.pop(shape);
            let room = queues.shapes[0].queue.capacity();
            assert!(room <= (left as usize * 8).max(2 * ROOM_KEPT) + 8, "room for {room} with {left} left");
        }
        assert!(queues.is_empty());
    }
}
