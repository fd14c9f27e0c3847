//! One worker: what it offers, what it has to do, and how much more it may be given.

use crate::event::WorkerPlan;
use crate::held::HeldResults;
use crate::memory::MemoryUse;
use crate::modules::WorkerModules;
use crate::pace::Pace;
use crate::placement::reserve::Hold;
use crate::placement::{Link, Stretch};
use crate::queue::ShapeKey;
use crate::spilled::Spilled;
use crate::task::TaskId;
use std::collections::VecDeque;
use wasm_tasks_protocol::graph::Resource;
use wasm_tasks_protocol::ids::WorkerId;
use wasm_tasks_protocol::message::Priority;
use wasm_tasks_protocol::time::{Duration, Time};

/// A worker in the core; never reused while anything refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct WorkerIndex(pub(crate) u32);

/// Work that a slot is given beyond what runs, so that it never waits for the next assignment: twice the round trip,
/// and at least this many microseconds: a worker asks for more when half of it is left, and each time costs both a turn, about
/// 200 µs together on 2 cores (measured).
const PREFILL_US_MIN: u64 = 4_000;
/// Tasks that a slot is given at most, however short they are.
const PREFILL_TASKS_MAX: u64 = 1_024;
/// Workers with free slots are told apart by one part of so many of their slots, the others by so many microseconds.
const LOAD_STEP: u64 = 64;
/// Tasks that a slot is given while it is not known how long they take.
const PREFILL_UNKNOWN: u64 = 2;

/// A task that asks for other than one slot waits at a worker only if it takes less than so many times the prefill's
/// time: for a longer one the way there does not matter, and elsewhere there may be room sooner.
const PREFILL_SHORT: u64 = 10;

#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) plan: WorkerPlan,
    /// Indices of live attempts.
    pub(crate) attempts: Vec<u32>,
    pub(crate) slots_used_milli: u64,
    pub(crate) memory_used: u64,
    pub(crate) pools_used: Vec<Resource>,
    /// Sum of what the attempts were expected to take, times the slots that each takes.
    pub(crate) occupancy_us: u64,
    /// Attempts of tasks on whose workers something died before: they run alone.
    pub(crate) suspects: u32,
    /// Attempts that were sent before their inputs existed.
    pub(crate) ahead: u32,
    /// Attempts that were asked back and not answered for.
    pub(crate) retracting: u32,
    /// Tasks here whose dependents could not be sent ahead for want of room.
    pub(crate) ahead_stops: Vec<TaskId>,
    /// Ready tasks that wait for room here because their siblings are here, the first first; some may have gone elsewhere since.
    pub(crate) siblings: VecDeque<(Priority, TaskId)>,
    /// How urgent the first of them is, and this worker's index, when there is room here: its place in the core's index.
    pub(crate) next_sibling: Option<(Priority, u32)>,
    pub(crate) is_leaving: bool,
    pub(crate) memory: MemoryUse,
    pub(crate) held: HeldResults,
    /// The reservation that it is held for.
    pub(crate) hold: Option<Hold>,
    /// Transfers to it and from it.
    pub(crate) link: Link,
    pub(crate) pace: Pace,
    pub(crate) modules: WorkerModules,
    pub(crate) spilled: Spilled,
    /// What this round of placement keeps free of it, for tasks that are not sent yet.
    pub(crate) plans: Vec<Stretch>,
}

impl Worker {
    pub(crate) fn new(id: WorkerId, plan: WorkerPlan) -> Worker {
        let pools_used = plan.pools.iter().map(|pool| Resource { name: pool.name.clone(), milli: 0 }).collect();
        Worker {
            id,
            plan,
            attempts: Vec::new(),
            slots_used_milli: 0,
            memory_used: 0,
            pools_used,
            occupancy_us: 0,
            suspects: 0,
            ahead: 0,
            ahead_stops: Vec::new(),
            siblings: VecDeque::new(),
            next_sibling: None,
            retracting: 0,
            is_leaving: false,
            memory: MemoryUse::default(),
            held: HeldResults::default(),
            hold: None,
            link: Link::default(),
            pace: Pace::default(),
            modules: WorkerModules::default(),
            spilled: Spilled::default(),
            plans: Vec::new(),
        }
    }

    /// Whole slots, at least one.
    pub(crate) fn slots(&self) -> u64 {
        (self.plan.slots_milli / 1_000).max(1)
    }

    /// Expected microseconds until a slot is free.
    pub(crate) fn wait_us(&self) -> u64 {
        self.occupancy_us / self.slots()
    }

    /// Tasks that wait for a slot and could run elsewhere: not those sent ahead, and none while an answer is awaited.
    pub(crate) fn surplus(&self) -> u64 {
        if self.retracting > 0 {
            return 0;
        }
        (self.slots_used_milli - u64::from(self.ahead) * 1_000).saturating_sub(self.plan.slots_milli).div_ceil(1_000)
    }

    /// Whether a slot is free.
    pub(crate) fn has_free_slot(&self) -> bool {
        self.slots_used_milli + 1_000 <= self.plan.slots_milli
    }

    /// How far one more ordinary task is from running here; none when there is no room for one. Workers with a free slot
    /// come first, by the part of their slots that is taken, and then the others by how long a slot is expected to be busy.
    /// In steps, so that workers which differ by nothing stand in the order of their numbers.
    pub(crate) fn load(&self) -> Option<u64> {
        let load = || match self.has_free_slot() {
            true => self.slots_used_milli * (LOAD_STEP - 1) / self.plan.slots_milli.max(1),
            false => (1 + self.wait_us() / LOAD_STEP) * LOAD_STEP + self.attempts.len() as u64 / self.slots(),
        };
        self.has_room(true).then(load)
    }

    /// Whether there is a slot that nothing was assigned to.
    pub(crate) fn is_idle(&self) -> bool {
        !self.is_leaving && self.suspects == 0 && self.hold.is_none() && self.has_free_slot() && self.may_begin()
    }

    /// Whether what could not be sent ahead may go on: half of what it was given is done.
    pub(crate) fn wants_more_ahead(&self) -> bool {
        !self.ahead_stops.is_empty() && self.wait_us() <= self.prefill_us() / 2 && self.has_room(true)
    }

    pub(crate) fn prefill_us(&self) -> u64 {
        (2 * self.plan.round_trip.0).max(PREFILL_US_MIN)
    }

    /// Whether one more ordinary task of this expected length keeps it busy without piling up.
    pub(crate) fn has_room(&self, is_length_known: bool) -> bool {
        if self.is_leaving || self.suspects > 0 {
            return false;
        }
        self.has_free_slot() || self.may_prefill(1_000, is_length_known)
    }

    /// Whether work for so many slots, in thousandths, may wait here for what runs to end.
    fn may_prefill(&self, slots_milli: u64, is_length_known: bool) -> bool {
        let per_slot = if is_length_known { PREFILL_TASKS_MAX } else { PREFILL_UNKNOWN };
        let max = self.plan.slots_milli.max(1_000).saturating_mul(per_slot);
        (self.attempts.len() as u64) < self.slots() * PREFILL_TASKS_MAX
            && self.slots_used_milli.saturating_add(slots_milli) <= max
            && self.wait_us() < self.prefill_us()
    }

    /// Whether it could run a task of the shape if it had nothing else to do. Fallbacks are not looked at.
    pub(crate) fn could_ever(&self, shape: &ShapeKey, now: Time) -> bool {
        self.stays_for(shape, now)
            && shape.slots_milli <= self.plan.slots_milli
            && shape.memory_bytes <= self.plan.memory_bytes
            && shape.labels.iter().all(|rule| rule.is_satisfied(&self.plan.labels))
            && shape.pools.iter().all(|need| amount(&self.plan.pools, &need.name) >= need.milli)
    }

    /// Whether what a task of the shape needs is available now; for shapes that are not ordinary.
    pub(crate) fn is_available(&self, shape: &ShapeKey) -> bool {
        !self.is_leaving
            && self.suspects == 0
            && (self.attempts.len() as u64) < self.slots() * PREFILL_TASKS_MAX
            && self.slots_used_milli + shape.slots_milli <= self.plan.slots_milli
            && self.is_available_but_slots(shape)
    }

    /// The same of everything but slots.
    pub(crate) fn is_available_but_slots(&self, shape: &ShapeKey) -> bool {
        self.memory_used + shape.memory_bytes <= self.plan.memory_bytes
            && shape
                .pools
                .iter()
                .all(|need| amount(&self.pools_used, &need.name) + need.milli <= amount(&self.plan.pools, &need.name))
    }

    /// Whether what this round of placement keeps free for more urgent tasks stays so.
    pub(crate) fn has_slots_beside_plans(&self, shape: &ShapeKey) -> bool {
        let planned: u64 = self.plans.iter().map(|plan| plan.slots_milli).sum();
        planned == 0 || self.slots_used_milli + planned + shape.slots_milli <= self.plan.slots_milli
    }

    /// Whether it could be given a task of the shape: there is room, or room is expected soon.
    pub(crate) fn has_room_for(&self, shape: &ShapeKey, length_us: Option<u64>) -> bool {
        if shape.takes_one_slot() {
            return self.has_room(length_us.is_some());
        }
        let may_wait = |need: &Resource| {
            amount(&self.pools_used, &need.name) + need.milli
                <= amount(&self.plan.pools, &need.name).saturating_mul(PREFILL_UNKNOWN)
        };
        self.is_available(shape)
            || (length_us.is_some_and(|length| length < PREFILL_SHORT * self.prefill_us())
                && !self.is_leaving
                && self.suspects == 0
                && self.memory_used + shape.memory_bytes <= self.plan.memory_bytes
                && shape.pools.iter().all(may_wait)
                && self.may_prefill(shape.slots_milli, true))
    }

    /// What its attempts take.
    pub(crate) fn used(&self) -> Amounts {
        let pools = self.pools_used.iter().map(|pool| pool.milli).collect();
        Amounts { slots_milli: self.slots_used_milli, memory_bytes: self.memory_used, pools }
    }

    /// What a task of the shape takes here.
    pub(crate) fn amounts_of(&self, shape: &ShapeKey) -> Amounts {
        let pools = self.plan.pools.iter().map(|pool| amount(&shape.pools, &pool.name)).collect();
        Amounts { slots_milli: shape.slots_milli, memory_bytes: shape.memory_bytes, pools }
    }

    /// What is left when this is used; nothing where more is used than there is.
    fn left(&self, used: &Amounts) -> Amounts {
        Amounts {
            slots_milli: self.plan.slots_milli.saturating_sub(used.slots_milli),
            memory_bytes: self.plan.memory_bytes.saturating_sub(used.memory_bytes),
            pools: self.plan.pools.iter().zip(&used.pools).map(|(pool, used)| pool.milli.saturating_sub(*used)).collect(),
        }
    }

    /// Whether a task of the shape has room when this is used.
    pub(crate) fn has_beside(&self, used: &Amounts, shape: &ShapeKey) -> bool {
        self.left(used).covers(&self.amounts_of(shape))
    }

    /// What is left when this is used, and a task of the shape runs too.
    pub(crate) fn spare_beside(&self, used: &Amounts, shape: &ShapeKey) -> Amounts {
        let mut both = used.clone();
        both.take(&self.amounts_of(shape));
        self.left(&both)
    }

    /// Whether it stays for as long as a task of the shape asks for, when that starts at a time.
    pub(crate) fn stays_for(&self, shape: &ShapeKey, start: Time) -> bool {
        shape.time_request == Duration::ZERO || self.plan.leaves_at.is_none_or(|leaves| start + shape.time_request <= leaves)
    }

    /// Which of the rules that the shape prefers it does not satisfy, as bits: less is better.
    pub(crate) fn dislike(&self, shape: &ShapeKey) -> u64 {
        shape.prefer.iter().fold(0, |bits, rule| bits << 1 | u64::from(!rule.is_satisfied(&self.plan.labels)))
    }

    /// Takes or gives back what a task of the shape needs.
    pub(crate) fn account(&mut self, shape: &ShapeKey, takes: bool) {
        let change = |used: &mut u64, amount: u64| *used = if takes { *used + amount } else { *used - amount };
        change(&mut self.slots_used_milli, shape.slots_milli);
        change(&mut self.memory_used, shape.memory_bytes);
        for need in &shape.pools {
            if let Some(pool) = self.pools_used.iter_mut().find(|pool| pool.name == need.name) {
                change(&mut pool.milli, need.milli);
            }
        }
    }

    pub(crate) fn round_trip(&self) -> Duration {
        self.plan.round_trip
    }
}

/// Amounts of what a worker has; pools by their position in its plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amounts {
    pub(crate) slots_milli: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) pools: Vec<u64>,
}

impl Amounts {
    /// Whether it is at least that much of everything.
    pub(crate) fn covers(&self, other: &Amounts) -> bool {
        self.slots_milli >= other.slots_milli
            && self.memory_bytes >= other.memory_bytes
            && self.pools.iter().zip(&other.pools).all(|(own, other)| own >= other)
    }

    fn take(&mut self, other: &Amounts) {
        self.slots_milli += other.slots_milli;
        self.memory_bytes += other.memory_bytes;
        self.pools.iter_mut().zip(&other.pools).for_each(|(own, other)| *own += other);
    }

    pub(crate) fn give_back(&mut self, other: &Amounts) {
        self.slots_milli -= other.slots_milli;
        self.memory_bytes -= other.memory_bytes;
        self.pools.iter_mut().zip(&other.pools).for_each(|(own, other)| *own -= other);
    }
}

fn amount(pools: &[Resource], name: &str) -> u64 {
    pools.iter().filter(|pool| pool.name == name).map(|pool| pool.milli).sum()
}
