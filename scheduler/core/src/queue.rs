//! Queues of ready tasks: one for each shape of request, so that no shape waits behind another.
//!
//! Nothing here takes time for all shapes: a graph may have as many as it has tasks. A round of placement passes over so many
//! of them for want of room, the most urgent and then others in turn; what is left has its turn in the next rounds.

use crate::task::TaskId;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
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

/// Shapes that a round of placement may pass over for want of room, the most urgent first.
const PASSED_FIRST: usize = 64;
/// And those after them, going on where the last round ended.
const PASSED_MAX: usize = 256;
/// Shapes that are looked at for rivals of one, by how urgent they are.
const RIVALS_SEEN_MAX: usize = 64;

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
    /// Something below was noted in this round of placement.
    is_touched: bool,
    /// No worker had room for its first task in this round of placement.
    is_blocked: bool,
    /// No worker has room for any of its tasks in this round; they may still get reservations.
    is_full: bool,
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

/// The first entry of a shape's queue, and the shape.
type Head = (Priority, TaskId, ShapeIndex);

impl Shape {
    fn head(&self, index: ShapeIndex) -> Option<Head> {
        self.queue.peek().map(|Reverse((priority, task))| (*priority, *task, index))
    }
}

/// All shapes that graphs ask for.
#[derive(Debug)]
pub(crate) struct Queues {
    shapes: Vec<Shape>,
    by_key: BTreeMap<ShapeKey, ShapeIndex>,
    vacant: Vec<ShapeIndex>,
    /// The heads of all shapes that are not blocked.
    heads: BTreeSet<Head>,
    /// Shapes of which something was noted in this round.
    touched: Vec<ShapeIndex>,
    round: Round,
    /// Tasks of one slot that any worker may run, and that wait at workers where their siblings are.
    pub(crate) kept: u64,
    /// What these ask for.
    ordinary: ShapeKey,
}

impl Default for Queues {
    fn default() -> Queues {
        Queues {
            shapes: Vec::new(),
            by_key: BTreeMap::new(),
            vacant: Vec::new(),
            heads: BTreeSet::new(),
            touched: Vec::new(),
            round: Round::default(),
            kept: 0,
            ordinary: ShapeKey::of(&Settings::default()),
        }
    }
}

/// How far a round of placement came.
#[derive(Debug, Default)]
struct Round {
    /// Shapes that were passed over.
    passed: usize,
    /// Where the look at those that are not the most urgent goes on.
    cursor: Option<Head>,
    /// Shapes that were not looked at since something changed; none: not counted yet.
    unseen: Option<usize>,
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
            is_touched: false,
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
        let head = entry.head(shape);
        entry.queue = BinaryHeap::new();
        if let Some(head) = head {
            self.heads.remove(&head);
        }
        let entry = &mut self.shapes[shape.0 as usize];
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
            let head = shape.head(index).filter(|_| !shape.is_blocked);
            assert!(head.is_none_or(|head| self.heads.contains(&head)), "who is first in a shape that is not blocked is known");
            assert_eq!(shape.is_touched, self.touched.contains(&index), "shapes of which something was noted are listed");
            let is_clean = !shape.is_blocked && !shape.is_full;
            assert!(shape.is_touched || is_clean, "nothing was noted of the others");
        }
        let open = self.shapes.iter().filter(|shape| !shape.is_blocked && !shape.queue.is_empty()).count();
        assert_eq!(self.heads.len(), open, "heads are of shapes that are not blocked, one of each");
    }

    pub(crate) fn key(&self, shape: ShapeIndex) -> &ShapeKey {
        &self.shapes[shape.0 as usize].key
    }

    /// Adds a task that became ready.
    pub(crate) fn push(&mut self, shape: ShapeIndex, priority: Priority, task: TaskId) {
        self.look_again();
        self.put_back(shape, priority, task);
    }

    /// Adds a task that was taken out in this round of placement.
    pub(crate) fn put_back(&mut self, index: ShapeIndex, priority: Priority, task: TaskId) {
        let shape = &mut self.shapes[index.0 as usize];
        let old = shape.head(index);
        shape.queue.push(Reverse((priority, task)));
        let new = (priority, task, index);
        if shape.is_blocked || old.is_some_and(|old| old <= new) {
            return;
        }
        if let Some(old) = old {
            self.heads.remove(&old);
        }
        self.heads.insert(new);
    }

    /// Adds a task that waited elsewhere: rounds of placement come to it too.
    pub(crate) fn give_back(&mut self, shape: ShapeIndex, priority: Priority, task: TaskId) {
        self.round.unseen = self.round.unseen.map(|unseen| unseen + 1);
        self.put_back(shape, priority, task);
    }

    /// Something changed that may give room to any shape.
    pub(crate) fn look_again(&mut self) {
        self.round.unseen = None;
    }

    /// Shapes that have entries, and these, in no order.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (ShapeIndex, impl Iterator<Item = TaskId> + '_)> {
        let waits = |index: &ShapeIndex| {
            let shape = &self.shapes[index.0 as usize];
            shape.is_blocked && !shape.queue.is_empty()
        };
        let blocked = self.touched.iter().copied().filter(waits);
        let shapes = self.heads.iter().map(|(.., index)| *index).chain(blocked);
        shapes.map(|index| (index, self.shapes[index.0 as usize].queue.iter().map(|Reverse((_, task))| *task)))
    }

    /// How many shapes have entries, at most.
    pub(crate) fn waiting_count(&self) -> usize {
        self.heads.len() + self.touched.len()
    }

    /// Removes the first entry of a shape. What is left of a long queue does not keep the room that it had.
    pub(crate) fn pop(&mut self, index: ShapeIndex) {
        let shape = &mut self.shapes[index.0 as usize];
        let old = shape.head(index);
        let queue = &mut shape.queue;
        queue.pop();
        if queue.capacity() > ROOM_KEPT && queue.len() < queue.capacity() / 8 {
            queue.shrink_to((queue.len() * 2).max(ROOM_KEPT));
        }
        let (is_blocked, new) = (shape.is_blocked, shape.head(index));
        if !is_blocked {
            if let Some(old) = old {
                self.heads.remove(&old);
            }
            self.heads.extend(new);
        }
    }

    /// Passes over a shape until the next round.
    pub(crate) fn block(&mut self, index: ShapeIndex) {
        self.round.passed += 1;
        if self.round.passed > PASSED_FIRST {
            self.round.unseen = self.round.unseen.map(|unseen| unseen.saturating_sub(1));
        }
        let shape = self.touch(index);
        shape.is_blocked = true;
        let head = shape.head(index);
        if let Some(head) = head {
            self.heads.remove(&head);
        }
    }

    fn touch(&mut self, index: ShapeIndex) -> &mut Shape {
        let shape = &mut self.shapes[index.0 as usize];
        if !std::mem::replace(&mut shape.is_touched, true) {
            self.touched.push(index);
        }
        shape
    }

    /// A round of placement begins: all shapes may be looked at.
    pub(crate) fn begin_round(&mut self) {
        self.round.passed = 0;
        for index in std::mem::take(&mut self.touched) {
            let shape = &mut self.shapes[index.0 as usize];
            (shape.is_touched, shape.is_full, shape.looks) = (false, false, Looks::default());
            if std::mem::take(&mut shape.is_blocked) {
                self.heads.extend(shape.head(index));
            }
        }
        self.round.unseen.get_or_insert(self.heads.len());
    }

    /// Whether shapes are left that no round came to since something changed.
    pub(crate) fn is_round_short(&self) -> bool {
        self.round.unseen.is_some_and(|unseen| unseen > 0) && self.round.passed >= PASSED_MAX && !self.heads.is_empty()
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
        self.touch(shape).looks = looks;
    }

    pub(crate) fn mark_full(&mut self, shape: ShapeIndex) {
        self.touch(shape).is_full = true;
    }

    pub(crate) fn is_full(&self, shape: ShapeIndex) -> bool {
        self.shapes[shape.0 as usize].is_full
    }

    /// Whether tasks of another shape wait, in this round, that could use room which this shape cannot: of those that are
    /// looked at, the most urgent.
    pub(crate) fn has_smaller_rival(&self, shape: ShapeIndex) -> bool {
        let own = self.key(shape);
        let is_kept_smaller = self.kept > 0 && !self.ordinary.needs_all_of(own);
        let mut others = self.heads.iter().map(|(.., other)| *other).filter(|other| *other != shape).take(RIVALS_SEEN_MAX);
        is_kept_smaller || others.any(|other| !self.key(other).needs_all_of(own))
    }

    /// The most urgent task of all shapes that are not blocked. It may have left the queue: entries are not removed
    /// when a task leaves otherwise than by placement, the caller looks at its state.
    pub(crate) fn first(&self) -> Option<(ShapeIndex, TaskId)> {
        self.heads.first().map(|(_, task, shape)| (*shape, *task))
    }

    /// The task that placement is to look at next: the most urgent, and after many were passed over one of another shape.
    pub(crate) fn next(&mut self) -> Option<(ShapeIndex, TaskId)> {
        if self.round.passed < PASSED_FIRST {
            return self.first();
        }
        if self.round.passed >= PASSED_MAX {
            return None;
        }
        let after = self.round.cursor.and_then(|cursor| self.heads.range(cursor..).next());
        let head = *after.or_else(|| self.heads.first())?;
        self.round.cursor = Some(head);
        Some((head.2, head.1))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting().next().is_none()
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
