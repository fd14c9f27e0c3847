//! Placement of tasks that take long, or whose inputs do: they go where they end first, and not before they must.
//!
//! A task for which no worker is free yet, or that ends sooner where a slot is still taken, stays in the queue: a later
//! decision is a better one. The slots that it waits for are kept free of what would delay it; what ends before may use them.
//! It is sent early only so much that its inputs come while it waits.

use crate::core::SchedulerCore;
use crate::placement::Stretch;
use crate::placement::timeline::Foresight;
use crate::queue::ShapeIndex;
use crate::task::TaskId;
use crate::worker::{Worker, WorkerIndex};

/// Tasks that are expected to take this many microseconds are placed with care: a decision costs some.
const CARE_US: u64 = 10_000;
/// Inputs that are looked at for that.
const CARE_INPUTS: usize = 4;
/// Of the time that inputs take on their way, one part of so many counts although it is hidden: others need the way too.
const MOVED_PART: u64 = 5;
/// But where nobody else has the way, never more than so many quarters of what the task takes: with more, work would wait where
/// it could have ended sooner elsewhere. dask steals for a gain of half of it.
const MOVED_QUARTERS_MAX: u64 = 3;
/// Workers that are looked at for one task.
const WORKERS_SEEN_MAX: usize = 64;
/// What one round of placement may look at for tasks that it then leaves in the queue: workers, and inputs of tasks.
pub(crate) const CARE_PER_ROUND: usize = 1_000;

/// Where forecasts of a function are off by more than this part on average, its tasks are not sent before a slot is free.
const UNCERTAIN_MIN: f64 = 0.5;

/// What is to be done with a task.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Choice {
    /// Send it there.
    Now(WorkerIndex),
    /// It ends first at this worker, which has no slot for it yet.
    Later(WorkerIndex),
    /// No worker can run it now.
    Nowhere,
    /// Enough tasks were looked at in this round that have to wait.
    Enough,
}

/// What a worker would be for a task; the least is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Offer {
    /// Microseconds until it ends, and what else it costs.
    cost: u64,
    /// Its siblings are elsewhere.
    is_apart: bool,
    load: u64,
    /// How much of results it has, in steps: what needs these will want it.
    held: u64,
    worker: WorkerIndex,
    starts: u64,
    /// Bytes that would move, and when they would be there.
    moved: u64,
    arrival: u64,
}

impl SchedulerCore {
    /// Whether a decision about a task is worth its cost: the task takes long, or the way of an input or of its result does.
    pub(crate) fn is_worth_care(&self, id: TaskId) -> bool {
        let graph = self.graph(id.graph);
        if graph.task(id.task).deaths > 0 {
            return false;
        }
        let bytes = self.care_bytes();
        self.length_us(id).is_some_and(|length| length >= CARE_US)
            || self.result_bytes(id) >= bytes
            || graph.dependencies(id.task).iter().take(CARE_INPUTS).any(|input| graph.task(*input).size() >= bytes)
    }

    /// Bytes whose way takes as long as a task that is placed with care.
    fn care_bytes(&self) -> u64 {
        (self.bandwidth / (1_000_000 / CARE_US)).max(1)
    }

    /// Where the task ends first.
    pub(crate) fn choose_carefully(&mut self, id: TaskId, shape: ShapeIndex, care: &mut usize) -> Choice {
        if *care == 0 {
            return Choice::Enough;
        }

        let inputs = self.inputs_of(id);
        let length = self.length_or_guess_us(id);
        let slots_milli = self.queues.key(shape).slots_milli;
        let meeting = self.meeting_of(id);
        let care_bytes = self.care_bytes();
        let mut best: Option<Offer> = None;
        let mut consider = |index: WorkerIndex| {
            let Some(worker) = self.workers.get(index.0 as usize).and_then(Option::as_ref) else { return };
            if !self.could_take(worker, shape)
                || !self.has_memory(index, id)
                || !self.respects_hold(index, id, self.queues.key(shape))
            {
                return;
            }
            let (arrival, moved) = self.arrival_us(&inputs, index);
            let length = worker.pace.here_us(length);
            let ready = arrival.max(self.load_wait_us(id, index));
            let starts = self.slots_free_us(index, ready, length, slots_milli, Foresight::Cautious);
            let ends = starts.saturating_add(length);
            let delivered = ends.saturating_add(meeting.map_or(0, |meeting| meeting.way_from_us(index)));
            let cost = delivered.saturating_add(self.moving_cost(id, index, moved, arrival));
            let is_apart = meeting.is_none_or(|meeting| meeting.at != index);
            let load = worker.slots_used_milli * 1_000 / worker.plan.slots_milli.max(1);
            let held = worker.memory.held_bytes / care_bytes;
            let offer = Offer { cost, is_apart, load, held, worker: index, starts, moved, arrival };
            if best.is_none_or(|best| offer < best) {
                best = Some(offer);
            }
        };
        if self.workers.len() <= WORKERS_SEEN_MAX {
            (0..self.workers.len() as u32).for_each(|index| consider(WorkerIndex(index)));
        } else {
            let mut holders: Vec<(u32, u64)> = inputs.at.iter().collect();
            holders.sort_unstable_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
            holders.iter().take(WORKERS_SEEN_MAX / 4).for_each(|(holder, _)| consider(WorkerIndex(*holder)));
            self.free_workers.least_first().take(WORKERS_SEEN_MAX).for_each(&mut consider);
        }
        let cost = inputs.len() + self.workers.len().min(WORKERS_SEEN_MAX);
        self.put_back(inputs);
        let Some(Offer { worker, starts, moved, arrival, .. }) = best else { return Choice::Nowhere };
        let length = self.worker(worker).pace.here_us(length);
        // Behind much that is on its way already, inputs would not come any sooner for being asked for now.
        // Who is sent behind something that may take much longer than it is expected to is bound to it.
        let is_foreseen = self.uncertainty(id) <= UNCERTAIN_MIN;
        let foresight = if is_foreseen { Foresight::Likely } else { Foresight::Cautious };
        let free = self.slots_free_us(worker, 0, length, slots_milli, foresight);
        let way = super::link::micros(moved, self.bandwidth_down(worker));
        let round_trip = self.worker(worker).round_trip().0;
        let prefill = self.worker(worker).prefill_us();
        // How long before its slot is free it may be sent, and what is ahead of its inputs on their way.
        let lead = if self.may_as_well_wait(self.worker(worker), id) { 0 } else { prefill };
        let ahead = arrival.saturating_sub(way + round_trip);
        if free <= arrival.max(lead) && ahead <= way.max(prefill).max(CARE_US) {
            return Choice::Now(worker);
        }
        *care = care.saturating_sub(cost);
        if !self.queues.has_smaller_rival(shape) {
            let stretch = Stretch { from: starts, to: starts.saturating_add(length), slots_milli };
            self.worker_mut(worker).plans.push(stretch);
        }
        Choice::Later(worker)
    }

    /// What it costs others that bytes move to a worker for a task, in microseconds.
    fn moving_cost(&self, id: TaskId, to: WorkerIndex, moved: u64, arrival: u64) -> u64 {
        let way = super::link::micros(moved, self.bandwidth_down(to));
        let is_free = arrival <= way + self.worker(to).round_trip().0;
        let most = self.length_us(id).filter(|_| is_free).map_or(u64::MAX, |length| length / 4 * MOVED_QUARTERS_MAX);
        (way / MOVED_PART).min(most)
    }

    /// Whether a worker could run a task of the shape once slots are free.
    fn could_take(&self, worker: &Worker, shape: ShapeIndex) -> bool {
        let key = self.queues.key(shape);
        !worker.is_leaving && worker.suspects == 0 && worker.could_ever(key, self.now) && worker.is_available_but_slots(key)
    }
}
