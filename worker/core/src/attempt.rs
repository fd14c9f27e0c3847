//! An attempt: one assignment of a task to this worker, its states and the table of their transitions.

use crate::action::{InputValue, LaunchInput};
use crate::lane::LaneId;
use crate::ready::ShapeId;
use crate::slab::Id;
use crate::{ComponentId, GraphKey, ResultId};
use bytes::Bytes;
use wasm_tasks_protocol::message::Priority;
use wasm_tasks_protocol::{Attempt, TaskIndex};

/// The kind of [`AttemptId`].
#[derive(Debug)]
pub enum AttemptKind {}

/// Names an attempt between core and shell.
pub type AttemptId = Id<AttemptKind>;

/// The states of an attempt, without what they carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not here yet.
    New,
    /// Inputs, data or its component are not here.
    Waiting,
    /// Everything is here; it waits for a slot or another resource.
    Ready,
    /// Handed to a lane.
    Running,
    /// Handed to a lane, and not wanted any more.
    Stopping,
    /// Ended, or given back.
    Gone,
}

/// Every transition that there is, with its cause. Whatever is not here cannot happen.
pub const TRANSITIONS: &[(Phase, &str, Phase)] = &[
    (Phase::New, "assigned", Phase::Waiting),
    (Phase::New, "assigned, and nothing is missing", Phase::Ready),
    (Phase::New, "assigned with what this worker cannot do", Phase::Gone),
    (Phase::Waiting, "the last missing thing came", Phase::Ready),
    (Phase::Waiting, "it follows what it waits for in its lane", Phase::Running),
    (Phase::Waiting, "its component or data cannot be loaded", Phase::Gone),
    (Phase::Waiting, "retracted, cancelled or forgotten", Phase::Gone),
    (Phase::Ready, "retracted, cancelled or forgotten", Phase::Gone),
    (Phase::Ready, "a lane is free", Phase::Running),
    (Phase::Running, "recalled before it began", Phase::Ready),
    (Phase::Running, "not begun, and what it follows did not end well", Phase::Waiting),
    (Phase::Running, "it ended", Phase::Gone),
    (Phase::Running, "cancelled or forgotten", Phase::Stopping),
    (Phase::Stopping, "it ended", Phase::Gone),
];

/// [`TRANSITIONS`] as one bit for each pair.
const ALLOWED: u64 = {
    let (mut bits, mut at) = (0, 0);
    while at < TRANSITIONS.len() {
        bits |= 1 << (TRANSITIONS[at].0 as u64 * 8 + TRANSITIONS[at].2 as u64);
        at += 1;
    }
    bits
};

const STEP_COUNT: usize = ALLOWED.count_ones() as usize;

/// The pairs of [`TRANSITIONS`], each once.
pub const STEPS: [(Phase, Phase); STEP_COUNT] = {
    let mut steps = [(Phase::New, Phase::New); STEP_COUNT];
    let (mut seen, mut count, mut at) = (0u64, 0, 0);
    while at < TRANSITIONS.len() {
        let (from, _, to) = TRANSITIONS[at];
        let bit = 1 << (from as u64 * 8 + to as u64);
        if seen & bit == 0 {
            steps[count] = (from, to);
            count += 1;
        }
        seen |= bit;
        at += 1;
    }
    steps
};

/// How often each of [`STEPS`] was made.
pub type Steps = [u64; STEPS.len()];

/// Positions in [`STEPS`] by pair of phases.
const STEP_OF: [u8; 64] = {
    let (mut positions, mut at) = ([0; 64], 0);
    while at < STEPS.len() {
        positions[STEPS[at].0 as usize * 8 + STEPS[at].1 as usize] = at as u8;
        at += 1;
    }
    positions
};

impl Phase {
    /// Whether [`TRANSITIONS`] has a step from here.
    pub const fn may_become(self, next: Phase) -> bool {
        ALLOWED & 1 << (self as u64 * 8 + next as u64) != 0
    }

    /// The state's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Phase::New => "new",
            Phase::Waiting => "waiting",
            Phase::Ready => "ready",
            Phase::Running => "running",
            Phase::Stopping => "stopping",
            Phase::Gone => "gone",
        }
    }
}

/// A state, with what is legal in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    New,
    Waiting {
        /// How many things are not here.
        missing: u32,
    },
    Ready,
    Running(Place),
    Stopping(Place),
    Gone,
}

/// Where an attempt runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) lane: LaneId,
    /// What it adds to the lane's expected time, in microseconds.
    pub(crate) expected_us: u32,
    /// Whether inputs were being made in the lane when it was handed over.
    pub(crate) is_following: bool,
}

impl State {
    pub(crate) const fn phase(self) -> Phase {
        match self {
            State::New => Phase::New,
            State::Waiting { .. } => Phase::Waiting,
            State::Ready => Phase::Ready,
            State::Running(_) => Phase::Running,
            State::Stopping(_) => Phase::Stopping,
            State::Gone => Phase::Gone,
        }
    }
}

/// What is known of an attempt.
pub(crate) struct AttemptRecord {
    pub(crate) number: Attempt,
    pub(crate) graph: GraphKey,
    pub(crate) task: TaskIndex,
    pub(crate) function: u32,
    pub(crate) settings: u32,
    pub(crate) shape: ShapeId,
    pub(crate) component: ComponentId,
    pub(crate) priority: Priority,
    pub(crate) args: Bytes,
    pub(crate) inputs: Vec<LaunchInput>,
    /// Where its result will be kept.
    pub(crate) output: ResultId,
    /// Whether another was handed to the lane to follow it.
    pub(crate) is_followed: bool,
    state: State,
}

impl AttemptRecord {
    /// A record in [`State::New`].
    pub(crate) fn new(assignment: Assigned, inputs: Vec<LaunchInput>) -> AttemptRecord {
        let Assigned { number, graph, task, function, settings, shape, component, priority, args, output } = assignment;
        AttemptRecord {
            number,
            graph,
            task,
            function,
            settings,
            shape,
            component,
            priority,
            args,
            inputs,
            output,
            is_followed: false,
            state: State::New,
        }
    }

    pub(crate) const fn state(&self) -> State {
        self.state
    }

    /// Whether the scheduler may still speak of it.
    pub(crate) const fn is_wanted(&self) -> bool {
        !matches!(self.state, State::Stopping(_) | State::Gone)
    }

    /// The only way to another state; it is counted.
    pub(crate) fn enter(&mut self, next: State, steps: &mut Steps) {
        let (from, to) = (self.state.phase(), next.phase());
        assert!(from.may_become(to), "attempt {} went from {} to {}", self.number.0, from.as_str(), to.as_str());
        steps[STEP_OF[from as usize * 8 + to as usize] as usize] += 1;
        self.state = next;
    }

    /// One of the things that it waits for is here. Returns whether nothing is missing now.
    pub(crate) fn arrived(&mut self) -> bool {
        match &mut self.state {
            State::Waiting { missing } => {
                assert!(*missing > 0, "attempt {} waited for nothing", self.number.0);
                *missing -= 1;
                *missing == 0
            }
            State::New | State::Ready | State::Running(_) | State::Stopping(_) | State::Gone => false,
        }
    }

    /// The kept results that it uses.
    pub(crate) fn uses(&self) -> impl Iterator<Item = ResultId> + '_ {
        self.inputs.iter().filter_map(|input| match input.value {
            InputValue::Stored(result) => Some(result),
            InputValue::Inline(_) | InputValue::Following(_) => None,
        })
    }
}

/// The parts of an assignment that a record keeps, with the core's own ids.
pub(crate) struct Assigned {
    pub(crate) number: Attempt,
    pub(crate) graph: GraphKey,
    pub(crate) task: TaskIndex,
    pub(crate) function: u32,
    pub(crate) settings: u32,
    pub(crate) shape: ShapeId,
    pub(crate) component: ComponentId,
    pub(crate) priority: Priority,
    pub(crate) args: Bytes,
    pub(crate) output: ResultId,
}
