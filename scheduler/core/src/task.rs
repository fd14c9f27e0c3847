//! One task: its state and what is known of it.

use crate::fan::FAN_BYTES_MIN;
use crate::small_set::SmallSet;
use wasm_tasks_protocol::ids::TaskIndex;
use wasm_tasks_protocol::time::Time;

/// A graph in the core: a place and the generation that has it. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GraphIndex {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl GraphIndex {
    /// The place, for tables of a shell; reused after [`Action::GraphForgotten`](crate::Action::GraphForgotten).
    pub fn slot(self) -> usize {
        self.slot as usize
    }
}

/// A task in the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// Its graph.
    pub graph: GraphIndex,
    /// Its position.
    pub task: TaskIndex,
}

/// No worker, no family.
pub(crate) const NONE: u32 = u32::MAX;

/// The state, with what is legal in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum State {
    /// Nobody needs the result now.
    Idle,
    /// Needed; some inputs do not exist.
    Waiting,
    /// All inputs exist; in the queue of its shape.
    Queued,
    /// At workers: indices of live attempts, at least one.
    Assigned(SmallSet),
    /// Failed; runs again later.
    Resting { until: Time },
    /// The result exists at `holders` (worker indices), or with the shell.
    Done { size: u64, holders: SmallSet, is_inline: bool },
    /// Never will have a result; `cause` is the task that failed of its own.
    Failed { cause: TaskIndex },
    /// Ended in a call of `to`, a task that it wrote, which took its place. Nobody needs or asks this one any more.
    Delegated { to: TaskIndex },
}

/// The names of the states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateName {
    /// Nobody needs the result now: it never ran, or its result was let go.
    Idle,
    /// Some inputs do not exist yet.
    Waiting,
    /// All inputs exist; it waits for a worker.
    Queued,
    /// At a worker.
    Assigned,
    /// Failed; it will run again after a pause.
    Resting,
    /// The result exists.
    Done,
    /// It failed, or something that it needs did.
    Failed,
    /// It ended in tasks that it wrote, and one of them took its place.
    Delegated,
}

impl StateName {
    /// All states.
    pub const ALL: [StateName; 8] = [
        StateName::Idle,
        StateName::Waiting,
        StateName::Queued,
        StateName::Assigned,
        StateName::Resting,
        StateName::Done,
        StateName::Failed,
        StateName::Delegated,
    ];

    /// The name as it is printed.
    pub const fn as_str(self) -> &'static str {
        match self {
            StateName::Idle => "idle",
            StateName::Waiting => "waiting",
            StateName::Queued => "queued",
            StateName::Assigned => "assigned",
            StateName::Resting => "resting",
            StateName::Done => "done",
            StateName::Failed => "failed",
            StateName::Delegated => "delegated",
        }
    }
}

impl State {
    pub(crate) fn name(&self) -> StateName {
        match self {
            State::Idle => StateName::Idle,
            State::Waiting => StateName::Waiting,
            State::Queued => StateName::Queued,
            State::Assigned(_) => StateName::Assigned,
            State::Resting { .. } => StateName::Resting,
            State::Done { .. } => StateName::Done,
            State::Failed { .. } => StateName::Failed,
            State::Delegated { .. } => StateName::Delegated,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) state: State,
    /// Dependencies that are not done.
    pub(crate) missing: u32,
    /// Dependents that still need the result, and one more where it is an output that is owed.
    pub(crate) needed: u32,
    /// Position in the static order.
    pub(crate) rank: u32,
    /// The task in which this one meets its siblings, or `NONE`.
    pub(crate) family: u32,
    /// Where the family that meets in this task lives: a worker's index, or `NONE`. The worker may be gone, and another in its
    /// place: see `home_of_family`.
    pub(crate) home: u32,
    pub(crate) function: u32,
    /// Position in the graph's profiles.
    pub(crate) profile: u32,
    /// How many bytes it is given, once that is known: see [`crate::lengths`].
    pub(crate) input_class: u8,
    pub(crate) attempts: u16,
    /// Retries for reasons of its own.
    pub(crate) retries: u8,
    /// Retries for reasons of workers.
    pub(crate) faults: u8,
    /// How often it was given back.
    pub(crate) steals: u8,
    /// Workers that died while they had it.
    pub(crate) deaths: u8,
    /// Whether it was counted as needed before.
    pub(crate) was_counted: bool,
    /// Whether it was done before.
    pub(crate) was_done: bool,
    pub(crate) is_output: bool,
    /// Whether the outcome of this output was announced.
    pub(crate) is_announced: bool,
}

impl Task {
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, State::Done { .. })
    }

    /// Needed, and neither done nor failed.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Waiting | State::Queued | State::Assigned(_) | State::Resting { .. })
    }

    /// Bytes of the result, where there is one.
    pub(crate) fn size(&self) -> u64 {
        if let State::Done { size, .. } = self.state { size } else { 0 }
    }

    /// Whether several workers have its result, and it is large.
    pub(crate) fn has_large_copies(&self) -> bool {
        matches!(&self.state, State::Done { size, holders: SmallSet::Many(_), .. } if *size >= FAN_BYTES_MIN)
    }

    /// Its live attempts, as a set of its own.
    pub(crate) fn attempts_set(&self) -> SmallSet {
        match &self.state {
            State::Assigned(attempts) => attempts.clone(),
            State::Idle
            | State::Waiting
            | State::Queued
            | State::Resting { .. }
            | State::Done { .. }
            | State::Failed { .. }
            | State::Delegated { .. } => SmallSet::Empty,
        }
    }

    pub(crate) fn attempts_live(&self) -> &[u32] {
        match &self.state {
            State::Assigned(attempts) => attempts.as_slice(),
            State::Idle
            | State::Waiting
            | State::Queued
            | State::Resting { .. }
            | State::Done { .. }
            | State::Failed { .. }
            | State::Delegated { .. } => &[],
        }
    }
}
