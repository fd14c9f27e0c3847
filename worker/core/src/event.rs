//! What happens to a worker, as plain values that can be logged and replayed.

use crate::{AttemptId, ComponentId, FetchId, GraphKey, LaneId, ResultId};
use bytes::Bytes;
use wasm_tasks_protocol::TaskError;
use wasm_tasks_protocol::message::{AttemptDelegated, AttemptFailed, AttemptFinished, ToWorker};
use wasm_tasks_protocol::time::Duration;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The scheduler gave an order.
    Ordered(ToWorker),
    /// Attempts of a lane ended, in the order in which the lane had them.
    AttemptsEnded {
        /// The lane.
        lane: LaneId,
        /// The attempts.
        ended: Vec<Ended>,
    },
    /// The answer to [`Action::LoadComponent`](crate::Action::LoadComponent).
    ComponentLoaded {
        /// The component.
        component: ComponentId,
        /// How long that took.
        took: Duration,
        /// Why its tasks cannot run, when they cannot.
        result: Result<(), TaskError>,
    },
    /// The answer to [`Action::LoadData`](crate::Action::LoadData).
    DataLoaded {
        /// The graph.
        graph: GraphKey,
        /// The entry's position.
        position: u32,
        /// Why it is not here, when it is not.
        result: Result<(), TaskError>,
    },
    /// The answer to [`Action::Fetch`](crate::Action::Fetch): the result, or nothing when that holder did not give it.
    FetchEnded {
        /// The fetch.
        fetch: FetchId,
        /// The typed encoding.
        value: Option<Bytes>,
        /// Bytes that came for it.
        bytes: u64,
    },
    /// A result was written to disk, and let go from memory.
    Spilled {
        /// The result; it may be gone.
        result: ResultId,
        /// How long that took.
        took: Duration,
    },
    /// The shell began or ended to give a result to somebody.
    Gave {
        /// Bytes that went to all together since this was said last.
        bytes: u64,
        /// To how many something still goes.
        going_on: u32,
    },
    /// A time that [`WorkerCore::next_timeout`](crate::WorkerCore::next_timeout) named has come.
    TimedOut,
    /// The inbox is empty: what was asked for may now be decided, best first.
    Settle,
    /// The shell looked how much memory is in use.
    MemoryMeasured {
        /// Results in memory.
        stored_bytes: u64,
        /// What the process takes beyond what it took when it started.
        process_bytes: u64,
    },
    /// The worker is to leave of its own accord, when the scheduler lets it go.
    Drain {
        /// The scheduler is told to let it go within this time.
        within: Option<Duration>,
    },
}

/// An attempt that a lane is done with.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// Which.
    pub id: AttemptId,
    /// How.
    pub outcome: Outcome,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// With a result.
    Finished {
        /// What the scheduler is told.
        report: Box<AttemptFinished>,
        /// The typed encoding.
        value: Bytes,
    },
    /// With tasks, of which one takes its place: there is no result here.
    Delegated(Box<AttemptDelegated>),
    /// With an error.
    Failed(Box<AttemptFailed>),
    /// It never began: it was recalled or interrupted first.
    NotRun,
}
