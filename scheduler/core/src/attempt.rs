//! Live attempts: a slab whose index is part of the attempt's number.

use crate::queue::ShapeIndex;
use crate::stragglers::Watch;
use crate::task::TaskId;
use crate::worker::WorkerIndex;
use wasm_tasks_protocol::ids::Attempt;
use wasm_tasks_protocol::time::Time;

/// Bits of an attempt's number that are its index; the rest is a serial number.
///
/// A million attempts can live at once. The serial has 44 bits and starts at the microseconds of the
/// wall clock, so that it repeats after 203 days at the earliest, whatever was restarted in between.
const INDEX_BITS: u32 = 20;

/// Live attempts at once, at most.
pub(crate) const ATTEMPTS_MAX: usize = 1 << INDEX_BITS;

/// One of the ways in which a task may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// What it takes.
    pub(crate) shape: ShapeIndex,
    /// Position of its settings in the graph's plan.
    pub(crate) settings: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct LiveAttempt {
    pub(crate) number: Attempt,
    pub(crate) task: TaskId,
    pub(crate) worker: WorkerIndex,
    /// Where it stands in the worker's list.
    pub(crate) position: u32,
    /// When it was assigned.
    pub(crate) assigned_at: Time,
    /// What was expected when it was assigned, in microseconds.
    pub(crate) expected_us: u32,
    /// When it should begin to run, as it looked when it was assigned; when it did, once `is_started`.
    pub(crate) starts: Time,
    /// Whether its worker said that it runs.
    pub(crate) is_started: bool,
    /// What it is expected to take of memory beyond what its task declared, in bytes.
    pub(crate) memory_bytes: u64,
    /// How it runs.
    pub(crate) way: Way,
    /// Sent before all inputs existed.
    pub(crate) is_ahead: bool,
    /// Asked back, no answer yet.
    pub(crate) is_retracting: bool,
    /// Its worker kept it when it was asked for: it is not asked for again before this.
    pub(crate) kept_until: Time,
    /// Whether it was begun beside another that takes too long.
    pub(crate) is_copy: bool,
    /// Whether it may be among those for which a large result is fetched.
    pub(crate) is_fetching: bool,
    /// Whether it took much longer than was expected.
    pub(crate) is_late: bool,
    /// Where it stands in the index of those that may take too long.
    pub(crate) watch: Watch,
    /// Its worker has an older copy of the result, of which it was not told to let it go.
    pub(crate) has_copy: bool,
}

#[derive(Debug)]
pub(crate) struct AttemptTable {
    slots: Vec<Option<LiveAttempt>>,
    free: Vec<u32>,
    next_serial: u64,
    live: usize,
}

impl AttemptTable {
    pub(crate) fn new(first_serial: u64) -> AttemptTable {
        AttemptTable { slots: Vec::new(), free: Vec::new(), next_serial: first_serial, live: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.live
    }

    pub(crate) fn is_full(&self) -> bool {
        self.live == ATTEMPTS_MAX
    }

    /// Adds an attempt; its number is new.
    pub(crate) fn insert(&mut self, make: impl FnOnce(Attempt) -> LiveAttempt) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        assert!((index as usize) < ATTEMPTS_MAX, "placement checks `is_full`");
        let serial = self.next_serial & ((1 << (64 - INDEX_BITS)) - 1);
        self.next_serial += 1;
        self.live += 1;
        self.slots[index as usize] = Some(make(Attempt(serial << INDEX_BITS | u64::from(index))));
        index
    }

    /// The index of a live attempt; none for a stale or invented number.
    pub(crate) fn find(&self, number: Attempt) -> Option<u32> {
        let index = (number.0 & (ATTEMPTS_MAX as u64 - 1)) as u32;
        let live = self.slots.get(index as usize)?.as_ref()?;
        (live.number == number).then_some(index)
    }

    pub(crate) fn at(&self, index: u32) -> &LiveAttempt {
        self.slots[index as usize].as_ref().expect("indices held by tasks and workers are live")
    }

    pub(crate) fn at_mut(&mut self, index: u32) -> &mut LiveAttempt {
        self.slots[index as usize].as_mut().expect("indices held by tasks and workers are live")
    }

    pub(crate) fn remove(&mut self, index: u32) -> LiveAttempt {
        let live = self.slots[index as usize].take().expect("indices held by tasks and workers are live");
        self.free.push(index);
        self.live -= 1;
        live
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &LiveAttempt)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| slot.as_ref().map(|live| (index as u32, live)))
    }
}
