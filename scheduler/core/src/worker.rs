//! One worker: what it offers, what it has to do, and how much more it may be given.

use crate::event::WorkerPlan;
use crate::queue::ShapeKey;
use wasm_tasks_protocol::graph::Resource;
use wasm_tasks_protocol::ids::WorkerId;
use wasm_tasks_protocol::time::Duration;

/// A worker in the core; never reused while anything refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct WorkerIndex(pub(crate) u32);

/// Work that a slot is given beyond what runs, so that it never waits for the next assignment: twice the round trip,
/// and at least this many microseconds (measured: a turn of scheduler and worker costs about 200 µs on 2 cores).
const PREFILL_US_MIN: u64 = 2_000;
/// Tasks that a slot is given at most, however short they are.
const PREFILL_TASKS_MAX: u64 = 512;
/// Tasks that a slot is given while it is not known how long they take.
const PREFILL_UNKNOWN: u64 = 2;

#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) plan: WorkerPlan,
    /// Indices of live attempts.
    pub(crate) attempts: Vec<u32>,
    pub(crate) slots_used_milli: u64,
    pub(crate) memory_used: u64,
    pub(crate) pools_used: Vec<Resource>,
    /// Sum of what the attempts were expected to take.
    pub(crate) occupancy_us: u64,
    /// Attempts of tasks on whose workers something died before: they run alone.
    pub(crate) suspects: u32,
    /// Attempts that were sent before their inputs existed.
    pub(crate) ahead: u32,
    /// Attempts that were asked back and not answered for.
    pub(crate) retracting: u32,
    pub(crate) is_leaving: bool,
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
            retracting: 0,
            is_leaving: false,
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
        (self.attempts.len() as u64 - u64::from(self.ahead)).saturating_sub(self.slots())
    }

    /// How much there is to do before one more ordinary task; none when there is no room for one. In steps, so that
    /// workers which differ by nothing stand in the order of their numbers.
    pub(crate) fn load(&self) -> Option<u64> {
        self.has_room(true).then(|| self.wait_us() / 64 * 64 + self.attempts.len() as u64 / self.slots())
    }

    /// Whether there is a slot that nothing was assigned to.
    pub(crate) fn is_idle(&self) -> bool {
        !self.is_leaving && self.suspects == 0 && (self.attempts.len() as u64) < self.slots()
    }

    fn prefill_us(&self) -> u64 {
        (2 * self.plan.round_trip.0).max(PREFILL_US_MIN)
    }

    /// Whether one more ordinary task of this expected length keeps it busy without piling up.
    pub(crate) fn has_room(&self, is_length_known: bool) -> bool {
        if self.is_leaving || self.suspects > 0 {
            return false;
        }
        let slots = self.slots();
        let assigned = self.attempts.len() as u64;
        let per_slot = if is_length_known { PREFILL_TASKS_MAX } else { PREFILL_UNKNOWN };
        assigned < slots || (assigned < slots * per_slot && self.wait_us() < self.prefill_us())
    }

    /// Whether it could run a task of the shape if it had nothing else to do.
    pub(crate) fn could_ever(&self, shape: &ShapeKey) -> bool {
        shape.slots_milli <= self.plan.slots_milli
            && shape.memory_bytes <= self.plan.memory_bytes
            && shape.labels.iter().all(|rule| rule.is_satisfied(&self.plan.labels))
            && shape.pools.iter().all(|need| amount(&self.plan.pools, &need.name) >= need.milli)
    }

    /// Whether what a task of the shape needs is available now; for shapes that are not ordinary.
    pub(crate) fn is_available(&self, shape: &ShapeKey) -> bool {
        !self.is_leaving
            && self.suspects == 0
            && self.slots_used_milli + shape.slots_milli <= self.plan.slots_milli
            && self.memory_used + shape.memory_bytes <= self.plan.memory_bytes
            && shape
                .pools
                .iter()
                .all(|need| amount(&self.pools_used, &need.name) + need.milli <= amount(&self.plan.pools, &need.name))
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

fn amount(pools: &[Resource], name: &str) -> u64 {
    pools.iter().filter(|pool| pool.name == name).map(|pool| pool.milli).sum()
}
