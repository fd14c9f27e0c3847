//! Workers that are held for tasks which need more than any worker has free, so that smaller ones do not starve them.
//!
//! A task at the head of its shape that finds no room, while a smaller request behind it could, gets a reservation: one
//! worker, and the time at which what runs there is expected to have made room. A gang gets one for all its members, and its
//! time is that of the last of its workers. Until then a less urgent task may use a worker that is held only if it is expected
//! to end before, or takes what is left beside the reservation. Nothing here is looked at while all tasks ask for the same.

use crate::core::SchedulerCore;
use crate::queue::{ShapeIndex, ShapeKey};
use crate::task::{GraphIndex, TaskId};
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

/// Workers that are held for a task: one, or for a gang as many as it has members.
#[derive(Clone, Debug)]
pub(crate) struct Reservation {
    /// The task; of a gang the first.
    pub(crate) task: TaskId,
    /// Where it is queued.
    pub(crate) shape: ShapeIndex,
    /// What is held for it: that shape, or one of its fallbacks.
    way: ShapeIndex,
    pub(crate) priority: Priority,
    pub(crate) places: Vec<Place>,
    /// When the task is expected to have room at all of them.
    pub(crate) start: Time,
    /// The round of placement that last wanted it.
    round: u64,
}

/// A worker that is held.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) worker: WorkerIndex,
    /// When it is expected to have room.
    start: Time,
    /// What is left beside the task then; none when it runs alone.
    spare: Option<Amounts>,
}

/// What a worker is held for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) reservation: HoldIndex,
    /// Position among its places.
    pub(crate) place: u32,
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
            let is_queued = self.is_ready(held.task);
            if is_queued {
                self.queues.put_back(held.shape, held.priority, held.task);
            }
            if is_queued && held.places.iter().all(|place| self.can_hold(place.worker, held.way)) {
                let runs_alone = self.is_suspect(held.task);
                (0..held.places.len()).for_each(|place| self.renew_place(index, place, runs_alone));
                self.renew_start(index);
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
        let runs_alone = self.is_suspect(id);
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
        for place in self.reservations.remove(index).places {
            self.worker_mut(place.worker).hold = None;
            self.reindex(place.worker);
        }
    }

    /// Holds a worker for a task that found no room, or as many as a gang needs. Returns whether all are held; if not,
    /// nothing less urgent of its shape can be helped either.
    fn reserve(&mut self, id: TaskId, shape: ShapeIndex) -> bool {
        let round = self.reservations.round;
        if let Some(index) = self.reservations.of_task(id) {
            if self.reservations.at(index).shape != shape {
                // A gang of which more members are open now: what was held for fewer is no place for it.
                self.drop_hold(index);
            } else if let Some(held) = &mut self.reservations.list[usize::from(index.0)] {
                held.round = round;
                return true;
            }
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
        let count = self.queues.key(shape).gang.max(1) as usize;
        let starts = ways.into_iter().filter_map(|(at, way)| {
            let first = self.first_to_drain(id, way, priority, count)?;
            Some((first.iter().map(|(start, _)| *start).max()?, at, way, first))
        });
        let Some((start, _, way, first)) = starts.min_by_key(|(start, at, ..)| (*start, *at)) else { return false };
        let place = |(start, worker): &(Time, WorkerIndex)| Place { worker: *worker, start: *start, spare: None };
        let places: Vec<Place> = first.iter().map(place).collect();
        for (_, worker) in &first {
            if let Some(hold) = self.worker(*worker).hold {
                self.give_up(hold.reservation);
            }
            self.reservations.cursor = worker.0 as usize + 1;
        }
        let index = self.reservations.insert(Reservation { task: id, shape, way, priority, places, start, round });
        let runs_alone = self.is_suspect(id);
        for (place, (_, worker)) in first.iter().enumerate() {
            self.worker_mut(*worker).hold = Some(Hold { reservation: index, place: place as u32 });
            self.reindex(*worker);
            self.renew_place(index, place, runs_alone);
        }
        self.renew_start(index);
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
        self.queues.put_back(held.shape, held.priority, held.task);
    }

    /// So many workers where a task has room first, among those that are not held for something more urgent.
    fn first_to_drain(
        &self,
        id: TaskId,
        shape: ShapeIndex,
        priority: Priority,
        wanted: usize,
    ) -> Option<Vec<(Time, WorkerIndex)>> {
        let count = self.workers.len();
        let begin = self.reservations.cursor;
        let key = self.queues.key(shape);
        let runs_alone = self.is_suspect(id);
        // Of two that have room at the same time the first one that was looked at.
        let mut found: Vec<(Time, usize, WorkerIndex)> = Vec::new();
        let mut seen = 0;
        for step in 0..count {
            let index = WorkerIndex(((begin + step) % count) as u32);
            let Some(worker) = &self.workers[index.0 as usize] else { continue };
            let is_free = worker.hold.is_none_or(|hold| self.reservations.at(hold.reservation).priority > priority);
            if !is_free || !self.can_hold(index, shape) {
                continue;
            }
            let start = self.drains(worker, shape, runs_alone).0.max(self.now + Duration(self.transfer_us(id, index)));
            if worker.stays_for(key, start) {
                found.push((start, step, index));
            }
            seen += 1;
            if seen == WORKERS_SEEN_MAX.max(2 * wanted) {
                break;
            }
        }
        found.sort_unstable();
        let first = found.get(..wanted)?;
        Some(first.iter().map(|(start, _, worker)| (*start, *worker)).collect())
    }

    fn can_hold(&self, worker: WorkerIndex, shape: ShapeIndex) -> bool {
        let key = self.queues.key(shape);
        let worker = self.workers[worker.0 as usize].as_ref();
        worker.is_some_and(|worker| !worker.is_leaving && worker.could_ever(key, self.now))
    }

    /// Makes the estimate of a held worker anew, after something was placed there or ended.
    fn renew_hold(&mut self, worker: WorkerIndex) {
        if let Some(hold) = self.worker(worker).hold {
            let runs_alone = self.is_suspect(self.reservations.at(hold.reservation).task);
            self.renew_place(hold.reservation, hold.place as usize, runs_alone);
            self.renew_start(hold.reservation);
        }
    }

    fn renew_place(&mut self, index: HoldIndex, place: usize, runs_alone: bool) {
        let held = self.reservations.at(index);
        let (start, spare) = self.drains(self.worker(held.places[place].worker), held.way, runs_alone);
        if let Some(held) = &mut self.reservations.list[usize::from(index.0)] {
            (held.places[place].start, held.places[place].spare) = (start, spare);
        }
    }

    /// A gang starts when the last of its workers has room.
    fn renew_start(&mut self, index: HoldIndex) {
        if let Some(held) = &mut self.reservations.list[usize::from(index.0)] {
            held.start = held.places.iter().map(|place| place.start).max().unwrap_or(held.start);
        }
    }

    /// When a worker is expected to have room for a task if nothing new comes, and what is left beside it then.
    fn drains(&self, worker: &Worker, shape: ShapeIndex, runs_alone: bool) -> (Time, Option<Amounts>) {
        let key = self.queues.key(shape);
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
        let held = self.reservations.at(hold.reservation);
        if held.task == id || self.graph(id.graph).priority(id.task) < held.priority {
            return true;
        }
        if held.places[hold.place as usize].spare.as_ref().is_some_and(|spare| spare.covers(&worker.amounts_of(key))) {
            return true;
        }
        let wait = if worker.is_available(key) { 0 } else { worker.wait_us() };
        self.length_us(id).is_some_and(|length| {
            let ready = wait.max(self.transfer_us(id, index));
            self.now + Duration(ready.saturating_add(length)) <= held.start
        })
    }
}
