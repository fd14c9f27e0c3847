//! What is known of the way of bytes to a worker and from it.

use crate::claims;
use crate::core::SchedulerCore;
use crate::placement::timeline::Foresight;
use crate::queue::ShapeIndex;
use crate::task::{State, TaskId};
use crate::worker::WorkerIndex;
use std::collections::BTreeMap;
use wasm_tasks_protocol::ids::WorkerId;
use wasm_tasks_protocol::time::{Duration, Time};

/// Bytes a second that links are taken to carry until it is measured: a gigabit Ethernet.
pub(crate) const BANDWIDTH_GUESS: u64 = 125_000_000;
/// Results below this size are not booked on links: their way is the round trip.
const BOOKED_BYTES_MIN: u64 = 64 << 10;
/// Inputs of a task that are looked at one by one for what is on its way.
const INPUTS_SEEN_MAX: usize = 256;
/// Measurements of one link that are kept. When fewer were made, it is taken for what the others are: the best of a few may be
/// what was left beside others that got from the same holder.
const RATES_KEPT: usize = 16;
/// Measurements of all links that are kept.
pub(crate) const FLEET_RATES_KEPT: usize = 64;
/// Entries of results on their way that are kept without looking for those which came or never will.
const COMING_MIN: usize = 64;

/// Transfers to a worker and from it.
#[derive(Debug, Default)]
pub(crate) struct Link {
    /// When everything that was ordered to it will have come, if it has its way to itself.
    down_free: Time,
    /// The same of what others were told to get from it.
    up_free: Time,
    /// Results on their way, when they should be there, and from whom. May name some that came or never will.
    coming: BTreeMap<TaskId, (Time, WorkerIndex)>,
    purge_at: usize,
    /// What was measured of what came and of what went.
    down: Rates<RATES_KEPT>,
    up: Rates<RATES_KEPT>,
}

/// Who says how fast bytes moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The one to whom they came.
    Fetches,
    /// The one that gave them.
    Gives,
}

/// The last measurements of how fast bytes came or went, in bytes a second; 0: not yet.
///
/// A measurement says what moved, and that may be less than the link carries: because others got from the same holder at the
/// same time, because the other end is slower, or because little was to move. So the best of some is the link's.
#[derive(Debug)]
pub(crate) struct Rates<const KEPT: usize> {
    last: [u64; KEPT],
    next: usize,
}

impl<const KEPT: usize> Default for Rates<KEPT> {
    fn default() -> Rates<KEPT> {
        Rates { last: [0; KEPT], next: 0 }
    }
}

impl<const KEPT: usize> Rates<KEPT> {
    fn note(&mut self, rate: u64) {
        self.last[self.next] = rate;
        self.next = (self.next + 1) % KEPT;
    }

    fn best(&self) -> u64 {
        self.last.iter().copied().fold(0, u64::max)
    }

    /// Whether as many were made as are kept.
    fn is_full(&self) -> bool {
        self.last[KEPT - 1] > 0
    }
}

impl Link {
    /// When everything that others were told to get from it will have gone.
    pub(crate) fn up_free(&self) -> Time {
        self.up_free
    }

    /// When a result that is on its way should be there.
    pub(crate) fn comes_at(&self, result: TaskId) -> Option<Time> {
        self.coming.get(&result).map(|(at, _)| *at)
    }

    /// The worker on whose way up a result that is on its way was booked.
    pub(crate) fn comes_from(&self, result: TaskId) -> Option<WorkerIndex> {
        self.coming.get(&result).map(|(_, source)| *source)
    }
}

/// Microseconds that bytes take.
pub(crate) fn micros(bytes: u64, bandwidth: u64) -> u64 {
    (bytes as f64 * 1e6 / bandwidth.max(1) as f64) as u64
}

/// Where the inputs of a task are, in bytes that would have to move.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    /// All of them that are at workers, but the small ones.
    pub(crate) total: u64,
    /// Those that are too small to be booked on links.
    small: u64,
    /// Bytes of these by holder.
    small_at: ByWorker,
    /// Bytes by holder.
    pub(crate) at: ByWorker,
    /// Bytes by the holder that would be asked: the one whose way up is free first.
    sources: ByWorker,
    /// Microseconds that holders read from disk before they have all of it in memory.
    disk_us: ByWorker,
    /// The same of those that would be asked.
    source_disk_us: ByWorker,
    /// The inputs that are booked when they move: the task, its holder that would be asked, bytes.
    each: Vec<(TaskId, u32, u64)>,
    /// Inputs that would come from a worker which does not have them yet, and when it could begin to give them.
    relayed: Vec<(TaskId, u32, u64, Time)>,
}

/// Sums for some workers.
#[derive(Debug, Default)]
pub(crate) struct ByWorker {
    /// By position; of those that are not in `known` it is 0.
    sums: Vec<u64>,
    known: Vec<u32>,
}

impl ByWorker {
    fn add(&mut self, worker: u32, bytes: u64) {
        let at = worker as usize;
        if self.sums.len() <= at {
            self.sums.resize(at + 1, 0);
        }
        if self.sums[at] == 0 && bytes > 0 {
            self.known.push(worker);
        }
        self.sums[at] += bytes;
    }

    fn of(&self, worker: u32) -> u64 {
        self.sums.get(worker as usize).copied().unwrap_or(0)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u64)> {
        self.known.iter().map(|worker| (*worker, self.sums[*worker as usize]))
    }

    fn clear(&mut self) {
        self.known.drain(..).for_each(|worker| self.sums[worker as usize] = 0);
    }
}

impl Inputs {
    /// How much there is to look at, for bounds on work.
    pub(crate) fn len(&self) -> usize {
        self.each.len()
    }
}

impl SchedulerCore {
    /// Give it back with [`SchedulerCore::put_back`]: its memory is used again.
    pub(crate) fn inputs_of(&mut self, id: TaskId) -> Inputs {
        let mut inputs = std::mem::take(&mut self.inputs);
        let graph = self.graph(id.graph);
        for (position, input) in graph.dependencies(id.task).iter().enumerate().take(INPUTS_SEEN_MAX) {
            let State::Done { size, holders, is_inline: false } = &graph.task(*input).state else { continue };
            let bytes = graph.input_bytes(id.task, position, *size).max(1);
            if *size < BOOKED_BYTES_MIN {
                inputs.small += bytes;
                holders.as_slice().iter().for_each(|holder| inputs.small_at.add(*holder, bytes));
                continue;
            }
            inputs.total += bytes;
            let result = TaskId { graph: id.graph, task: *input };
            for holder in holders.as_slice() {
                inputs.at.add(*holder, bytes);
                inputs.disk_us.add(*holder, self.unspill_us(result, *holder, *size));
            }
            let (source, at) = self.first_source(result, holders.as_slice());
            if holders.contains(source) {
                inputs.sources.add(source, bytes);
                inputs.source_disk_us.add(source, self.unspill_us(result, source, *size));
            } else {
                inputs.relayed.push((result, source, bytes, at));
            }
            inputs.each.push((result, source, bytes));
        }
        inputs
    }

    /// The position of the holder that is to be asked: the one whose way up is free first.
    pub(crate) fn freest_holder(&self, holders: &[u32]) -> Option<usize> {
        (0..holders.len()).min_by_key(|at| self.worker(WorkerIndex(holders[*at])).link.up_free)
    }

    pub(crate) fn put_back(&mut self, mut inputs: Inputs) {
        inputs.at.clear();
        inputs.sources.clear();
        inputs.disk_us.clear();
        inputs.source_disk_us.clear();
        inputs.each.clear();
        inputs.relayed.clear();
        inputs.small_at.clear();
        (inputs.total, inputs.small) = (0, 0);
        self.inputs = inputs;
    }

    /// Microseconds until the inputs are at a worker if they are ordered there now, and bytes that would move.
    pub(crate) fn arrival_us(&self, inputs: &Inputs, index: WorkerIndex) -> (u64, u64) {
        let worker = self.worker(index);
        let mut missing = inputs.total - inputs.at.of(index.0);
        // What is here comes from the worker's own disk.
        let mut arrival = inputs.disk_us.of(index.0);
        if missing > 0 && !worker.link.coming.is_empty() {
            for (input, _, bytes) in &inputs.each {
                if let Some(at) = worker.link.comes_at(*input)
                    && !self.holds(*input, index)
                {
                    missing -= bytes;
                    arrival = arrival.max(at.since(self.now).0);
                }
            }
        }
        // Small inputs come beside whatever else is on its way.
        let small = inputs.small - inputs.small_at.of(index.0);
        let small_us = micros(small, self.bandwidth_down(index));
        if missing == 0 {
            let small_us = if small > 0 { worker.round_trip().0 + small_us } else { 0 };
            return (arrival.max(small_us), small);
        }
        let down = worker.link.down_free.since(self.now).0 + micros(missing, self.bandwidth_down(index)) + small_us;
        let up = inputs.sources.iter().filter(|(source, _)| *source != index.0).map(|(source, bytes)| {
            let (disk, source) = (inputs.source_disk_us.of(source), WorkerIndex(source));
            let way = micros(bytes.min(missing), self.bandwidth_up(source));
            self.worker(source).link.up_free.since(self.now).0.max(disk) + way
        });
        let relayed = inputs.relayed.iter().filter(|(input, source, ..)| {
            *source != index.0 && !worker.link.coming.contains_key(input) && !self.holds(*input, index)
        });
        let relayed = relayed
            .map(|(_, source, bytes, at)| at.since(self.now).0 + micros(*bytes, self.bandwidth_up(WorkerIndex(*source))))
            .max();
        (arrival.max(down).max(up.max().unwrap_or(0)).max(relayed.unwrap_or(0)) + worker.round_trip().0, missing + small)
    }

    /// Books the inputs of a task that is being assigned on the links. Returns the microseconds until it can start.
    pub(crate) fn book(&mut self, id: TaskId, index: WorkerIndex, shape: ShapeIndex) -> u64 {
        let load = self.load_wait_us(id, index);
        if !self.is_worth_care(id) {
            return self.worker(index).wait_us().max(load);
        }
        let inputs = self.inputs_of(id);
        let (arrival, _) = self.arrival_us(&inputs, index);
        let now = self.now;
        for (input, source, bytes) in &inputs.each {
            if self.holds(*input, index) || self.worker(index).link.comes_at(*input).is_some_and(|at| at > now) {
                continue;
            }
            let rates = [self.bandwidth_down(index), self.bandwidth_up(WorkerIndex(*source))];
            let [down, up] = rates.map(|rate| Duration(micros(*bytes, rate)));
            let ready = inputs.relayed.iter().find(|(relayed, ..)| relayed == input).map_or(now, |(.., at)| *at);
            let down_free = &mut self.worker_mut(index).link.down_free;
            *down_free = (*down_free).max(now) + down;
            let down_free = *down_free;
            let up_free = &mut self.worker_mut(WorkerIndex(*source)).link.up_free;
            *up_free = (*up_free).max(ready) + up;
            let at = down_free.max(*up_free);
            let link = &mut self.worker_mut(index).link;
            link.coming.insert(*input, (at, WorkerIndex(*source)));
            if link.coming.len() > link.purge_at.max(COMING_MIN) {
                link.coming.retain(|_, (at, _)| *at > now);
                link.purge_at = 2 * link.coming.len();
            }
        }
        self.put_back(inputs);
        let slots_milli = self.queues.key(shape).slots_milli;
        self.slots_free_us(index, arrival.max(load), self.length_at_us(id, index), slots_milli, Foresight::Likely)
    }

    /// Bytes a second that a worker's link is taken to carry to it: what was measured of it, or what others are like. No link
    /// is taken to carry less down than up: holders that are busy with others make what comes look slow.
    pub(crate) fn bandwidth_down(&self, index: WorkerIndex) -> u64 {
        let Link { down, up, .. } = &self.worker(index).link;
        if down.is_full() { down.best().max(up.best()) } else { self.bandwidth }
    }

    /// The same of its way up.
    pub(crate) fn bandwidth_up(&self, index: WorkerIndex) -> u64 {
        let up = &self.worker(index).link.up;
        if up.is_full() { up.best() } else { self.bandwidth }
    }

    pub(crate) fn on_bytes_moved(&mut self, worker: WorkerId, bytes: u64, took: Duration, said_by: End) {
        let Some(index) = self.worker_ids.get(&worker).copied() else {
            self.counters.stale_reports += 1;
            return;
        };
        let rate = claims::bandwidth(bytes, took);
        let link = &mut self.worker_mut(index).link;
        match said_by {
            End::Fetches => link.down.note(rate),
            End::Gives => link.up.note(rate),
        }
        self.rates.note(rate);
        self.bandwidth = self.rates.best();
    }

    /// A result came to a worker.
    pub(crate) fn note_arrival(&mut self, id: TaskId, index: WorkerIndex) {
        self.worker_mut(index).link.coming.remove(&id);
    }
}
