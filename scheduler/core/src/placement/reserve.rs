//! Workers that are held for tasks which need more than any worker has free, so that smaller ones do not starve them.
//!
//! A task at the head of its shape that finds no room, while a smaller request behind it could, gets a reservation: one
//! worker, and the time at which what runs there is expected to have made room. Until then a less urgent task may use
//! that worker only if it is expected to end before, or takes what is left beside the reservation. Nothing here is
//! looked at while all tasks ask for the same.

use crate::core::SchedulerCore;
use crate::queue::{ShapeIndex, ShapeKey};
use crate::task::{GraphIndex, State, TaskId};
use crate::worker::{Amounts, Worker, WorkerIndex};
use wasm_tasks_protocol::message::Priority;
use wasm_tasks_protocol::time::{Duration, Time};

/// Reservations at once, at most: each costs a look in every round of placement.
pub(crate) const RESERVATIONS_MAX: usize = 32;
/// Workers that are looked at for one reservation.
const WORKERS_SEEN_MAX: usize = 64;

/// Position of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HoldIndex(u8);

/// A worker that is held for a task.
#[derive(Clone, Debug)]
pub(crate) struct Reservation {
    pub(crate) task: TaskId,
    /// Where it is queued.
    pub(crate) shape: ShapeIndex,
    /// What is held for it: that shape, or one of its fallbacks.
    way: ShapeIndex,
    pub(crate) priority: Priority,
    pub(crate) worker: WorkerIndex,
    /// When the task is expected to have room there.
    pub(crate) start: Time,
    /// What is left beside it then; none when it runs alone.
    spare: Option<Amounts>,
    /// The round of placement that last wanted it.
    round: u64,
}

/// All reservations.
#[derive(Debug, Default)]
pub(crate) struct Reservations {
    list: Vec<Option<Reservation>>,
    len: usize,
    round: u64,
    /// Where the search for a worker goes on.
    cursor: usize,
}

impl Reservations {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (HoldIndex, &Reservation)> {
        (0u8..).map(HoldIndex).zip(&self.list).filter_map(|(index, entry)| Some((index, entry.as_ref()?)))
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn of_task(&self, task: TaskId) -> Option<HoldIndex> {
        self.iter().find(|(_, held)| held.task == task).map(|(index, _)| index)
    }

    pub(crate) fn at(&self, index: HoldIndex) -> &Reservation {
        self.list[usize::from(index.0)].as_ref().expect("a worker is held for a reservation that is there")
    }

    fn insert(&mut self, reservation: Reservation) -> HoldIndex {
        let at = self.list.iter().position(Option::is_none).unwrap_or(self.list.len());
        assert!(at < RESERVATIONS_MAX, "reservations are limited before they are made");
        if at == self.list.len() {
            self.list.push(None);
        }
        self.list[at] = Some(reservation);
        self.len += 1;
        HoldIndex(at as u8)
    }

    fn remove(&mut self, index: HoldIndex) -> Reservation {
        self.len -= 1;
        self.list[usize::from(index.0)].take().expect("a reservation ends once")
    }
}

impl SchedulerCore {
    /// Begins a round of placement: reserved tasks stand in their queues again, and estimates are made anew.
    pub(crate) fn begin_reservations(&mut self) {
        if self.reservations.len == 0 {
            return;
        }
        self.reservations.round += 1;
        let all: Vec<HoldIndex> = self.reservations.iter().map(|(index, _)| index).collect();
        for index in all {
            let held = self.reservations.at(index).clone();
            let is_queued = self.graph_at(held.task.graph).is_some_and(|graph| graph.task(held.task.task).state == State::Queued);
            if is_queued {
                self.queues.push(held.shape, held.priority, held.task);
            }
            let can_keep = is_queued && self.can_hold(held.worker, held.way);
            if can_keep {
                self.renew_hold(held.worker);
            } else {
                self.drop_hold(index);
            }
        }
    }

    /// Ends a round: what was not wanted again is let go.
    pub(crate) fn end_reservations(&mut self) {
        let round = self.reservations.round;
        if self.reservations.len > 0 {
            let old = self.reservations.iter().filter(|(_, held)| held.round != round).map(|(index, _)| index);
            old.collect::<Vec<_>>().into_iter().for_each(|index| self.drop_hold(index));
        }
    }

    /// A task was placed: what was held for it is free, and who is held where it went waits for it too.
    pub(crate) fn placed(&mut self, id: TaskId, worker: WorkerIndex) {
        if self.reservations.len > 0 {
            if let Some(index) = self.reservations.of_task(id) {
                self.drop_hold(index);
            }
            self.renew_hold(worker);
        }
    }

    /// A task found no room. It gets a reservation when something smaller could go before it, or when it must run alone;
    /// else its shape waits, as nothing behind it can take what it needs.
    pub(crate) fn wait_for_room(&mut self, id: TaskId, shape: ShapeIndex) {
        let runs_alone = self.graph(id.graph).task(id.task).deaths > 0;
        if !runs_alone {
            self.queues.mark_full(shape);
        }
        if (runs_alone || self.queues.has_smaller_rival(shape)) && self.reserve(id, shape) {
            self.queues.pop(shape);
        } else {
            self.queues.block(shape);
        }
    }

    fn drop_hold(&mut self, index: HoldIndex) {
        let held = self.reservations.remove(index);
        self.worker_mut(held.worker).hold = None;
        self.reindex(held.worker);
    }

    /// Holds a worker for a task that found no room. Returns whether one is held; if not, nothing less urgent of its shape
    /// can be helped either.
    fn reserve(&mut self, id: TaskId, shape: ShapeIndex) -> bool {
        let round = self.reservations.round;
        if let Some(index) = self.reservations.of_task(id) {
            if let Some(held) = &mut self.reservations.list[usize::from(index.0)] {
                held.round = round;
            }
            return true;
        }
        let priority = self.graph(id.graph).priority(id.task);
        if self.reservations.len == RESERVATIONS_MAX {
            let least =
                self.reservations.iter().max_by_key(|(_, held)| held.priority).filter(|(_, held)| held.priority > priority);
            let Some((least, _)) = least else { return false };
            self.give_up(least);
        }
        let ways: Vec<ShapeIndex> = std::iter::once(shape).chain(self.queues.key(shape).fallbacks.clone()).collect();
        let ways: Vec<(usize, ShapeIndex)> = ways.into_iter().enumerate().filter(|(_, way)| self.is_possible(*way)).collect();
        let starts = ways.into_iter().filter_map(|(at, way)| {
            let (start, worker) = self.first_to_drain(id, way, priority)?;
            Some((start, at, way, worker))
        });
        let Some((start, _, way, worker)) = starts.min_by_key(|(start, at, ..)| (*start, *at)) else { return false };
        if let Some(index) = self.worker(worker).hold {
            self.give_up(index);
        }
        let reservation = Reservation { task: id, shape, way, priority, worker, start, spare: None, round };
        self.reservations.cursor = worker.0 as usize + 1;
        self.worker_mut(worker).hold = Some(self.reservations.insert(reservation));
        self.reindex(worker);
        self.renew_hold(worker);
        true
    }

    /// A graph is about to go: nothing is held for its tasks.
    pub(crate) fn give_up_all_of(&mut self, graph: GraphIndex) {
        let held = self.reservations.iter().filter(|(_, held)| held.task.graph == graph).map(|(index, _)| index);
        held.collect::<Vec<_>>().into_iter().for_each(|index| self.drop_hold(index));
    }

    /// A reservation goes before its task was placed; the task stands in its queue again.
    pub(crate) fn give_up(&mut self, index: HoldIndex) {
        let held = self.reservations.at(index).clone();
        self.drop_hold(index);
        self.queues.push(held.shape, held.priority, held.task);
    }

    /// The worker where a task has room first, among those that are not held for something more urgent.
    fn first_to_drain(&self, id: TaskId, shape: ShapeIndex, priority: Priority) -> Option<(Time, WorkerIndex)> {
        let count = self.workers.len();
        let begin = self.reservations.cursor;
        let key = self.queues.key(shape);
        let mut best: Option<(Time, WorkerIndex)> = None;
        let mut seen = 0;
        for step in 0..count {
            let index = WorkerIndex(((begin + step) % count) as u32);
            let Some(worker) = &self.workers[index.0 as usize] else { continue };
            let is_free = worker.hold.is_none_or(|hold| self.reservations.at(hold).priority > priority);
            if !is_free || !self.can_hold(index, shape) {
                continue;
            }
            let start = self.drains(worker, id, shape).0.max(self.now + Duration(self.transfer_us(id, index)));
            if worker.stays_for(key, start) && best.is_none_or(|(earliest, _)| start < earliest) {
                best = Some((start, index));
            }
            seen += 1;
            if seen == WORKERS_SEEN_MAX {
                break;
            }
        }
        best
    }

    fn can_hold(&self, worker: WorkerIndex, shape: ShapeIndex) -> bool {
        let key = self.queues.key(shape);
        let worker = self.workers[worker.0 as usize].as_ref();
        worker.is_some_and(|worker| !worker.is_leaving && worker.could_ever(key, self.now))
    }

    /// Makes the estimate of a held worker anew, after something was placed there or ended.
    fn renew_hold(&mut self, worker: WorkerIndex) {
        let Some(index) = self.worker(worker).hold else { return };
        let held = self.reservations.at(index);
        let (start, spare) = self.drains(self.worker(worker), held.task, held.way);
        if let Some(held) = &mut self.reservations.list[usize::from(index.0)] {
            (held.start, held.spare) = (start, spare);
        }
    }

    /// When a worker is expected to have room for a task if nothing new comes, and what is left beside it then.
    fn drains(&self, worker: &Worker, id: TaskId, shape: ShapeIndex) -> (Time, Option<Amounts>) {
        let key = self.queues.key(shape);
        let runs_alone = self.graph(id.graph).task(id.task).deaths > 0;
        let mut ends: Vec<(Time, u32)> = worker
            .attempts
            .iter()
            .map(|attempt| {
                let live = self.attempts.at(*attempt);
                ((live.assigned_at + Duration(u64::from(live.expected_us))).max(self.now), *attempt)
            })
            .collect();
        ends.sort_unstable();
        let mut used = worker.used();
        let mut start = self.now;
        for (end, attempt) in ends {
            if !runs_alone && worker.has_beside(&used, key) {
                break;
            }
            start = end;
            used.give_back(&worker.amounts_of(self.queues.key(self.attempts.at(attempt).way.shape)));
        }
        (start, (!runs_alone).then(|| worker.spare_beside(&used, key)))
    }

    /// Whether a task may go to a worker that is held, without a delay for whom it is held for.
    pub(crate) fn respects_hold(&self, index: WorkerIndex, id: TaskId, key: &ShapeKey) -> bool {
        let worker = self.worker(index);
        let Some(hold) = worker.hold else { return true };
        let held = self.reservations.at(hold);
        if held.task == id || self.graph(id.graph).priority(id.task) < held.priority {
            return true;
        }
        if held.spare.as_ref().is_some_and(|spare| spare.covers(&worker.amounts_of(key))) {
            return true;
        }
        let wait = if worker.is_available(key) { 0 } else { worker.wait_us() };
        self.length_us(id).is_some_and(|length| {
            let ready = wait.max(self.transfer_us(id, index));
            self.now + Duration(ready.saturating_add(length)) <= held.start
        })
    }
}
