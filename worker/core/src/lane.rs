//! A lane: one thread of the shell, with the attempts that it was handed and has not ended.
//!
//! A slot is a share of the worker; a lane is a place to run. A worker has more lanes than slots, for attempts
//! that ask for less than a slot.

use crate::AttemptId;
use crate::ready::ShapeId;
use std::collections::VecDeque;
use wasm_tasks_protocol::Time;
use wasm_tasks_protocol::time::Duration;

/// Names a lane, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(pub u32);

/// How long an attempt may run before what queues behind it is taken back, unless more was expected.
pub(crate) const STALL_AFTER: Duration = Duration::from_millis(2);
/// How long an attempt runs before the scheduler is told that it began.
pub(crate) const STARTED_AFTER: Duration = Duration::from_millis(10);
/// An attempt that is expected to take longer is never queued behind, and nothing queues behind it.
pub(crate) const LONG_US: u32 = 5_000;
/// What an attempt of unknown duration counts for: long.
pub(crate) const UNKNOWN_US: u32 = 2 * LONG_US;

/// A lane's work.
#[derive(Debug)]
pub(crate) struct Lane {
    /// In the order in which the lane runs them.
    pub(crate) queue: VecDeque<AttemptId>,
    /// Sum of what the attempts in it are expected to take, in microseconds.
    pub(crate) expected_us: u64,
    /// What the attempt in front is expected to take.
    pub(crate) front_us: u32,
    /// When the attempt in front began, as far as the lane has told.
    pub(crate) since: Time,
    /// The most that an attempt took or may take here since it was idle, without what tasks declared; in bytes.
    pub(crate) memory_bytes: u64,
    /// The shape of what runs in it.
    pub(crate) shape: ShapeId,
    /// Whether the scheduler knows of the attempt in front.
    pub(crate) is_started_known: bool,
    /// Whether what is not begun was asked back.
    pub(crate) is_recalled: bool,
}

impl Lane {
    pub(crate) const fn new() -> Lane {
        Lane {
            queue: VecDeque::new(),
            expected_us: 0,
            front_us: 0,
            since: Time(0),
            memory_bytes: 0,
            shape: ShapeId::DEFAULT,
            is_started_known: false,
            is_recalled: false,
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// When the attempts behind the one in front should be taken back.
    pub(crate) fn stalls_at(&self) -> Option<Time> {
        let patience = Duration(u64::from(self.front_us) * 4);
        (self.queue.len() > 1 && !self.is_recalled).then(|| self.since + patience.max(STALL_AFTER))
    }

    /// When the scheduler should hear that the attempt in front runs.
    pub(crate) fn starts_at(&self) -> Option<Time> {
        (!self.is_idle() && !self.is_started_known).then(|| self.since + STARTED_AFTER)
    }

    /// Whether another run should queue behind what is there: no more than half a run is left, and none of it is long.
    pub(crate) fn wants_more(&self, run_target: Duration) -> bool {
        self.shape == ShapeId::DEFAULT
            && !self.is_recalled
            && (self.expected_us <= run_target.0 / 2 || self.queue.len() == 1 && self.expected_us <= u64::from(LONG_US))
    }
}
