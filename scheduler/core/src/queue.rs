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
    /// Shapes that do as well, the preferred first.
    pub(crate) fallbacks: Vec<ShapeIndex>,
}

impl ShapeKey {
    /// Without fallbacks.
    pub(crate) fn of(settings: &Settings) -> ShapeKey {
        ShapeKey {
            prefer: settings.prefer.clone(),
            time_request: settings.time_request,
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
    queue: BinaryHeap<Reverse<(Priority, TaskId)>>,
    /// No worker had room for its first task in this round of placement.
    pub(crate) is_blocked: bool,
    /// No worker has room for any of its tasks in this round; they may still get reservations.
    pub(crate) is_full: bool,
}

/// All shapes that were ever asked for.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    shapes: Vec<Shape>,
    by_key: BTreeMap<ShapeKey, ShapeIndex>,
}

impl Queues {
    pub(crate) fn intern(&mut self, key: ShapeKey) -> ShapeIndex {
        *self.by_key.entry(key).or_insert_with_key(|key| {
            self.shapes.push(Shape { key: key.clone(), queue: BinaryHeap::new(), is_blocked: false, is_full: false });
            ShapeIndex(self.shapes.len() as u32 - 1)
        })
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
        self.shapes.iter_mut().for_each(|shape| (shape.is_blocked, shape.is_full) = (false, false));
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
        others.map(|(_, other)| other).any(|other| !other.is_blocked && !other.queue.is_empty() && !other.key.needs_all_of(own))
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
