//! What the core wants done.

use crate::drain::DrainSummary;
use crate::graph::GraphCounts;
use crate::task::{GraphIndex, TaskId};
use wasm_tasks_protocol::error::ErrorCode;
use wasm_tasks_protocol::ids::{Attempt, GraphId, TaskIndex, WorkerId};
use wasm_tasks_protocol::message::Priority;

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// The graph has this index from now on.
    GraphAccepted {
        /// The graph.
        graph: GraphId,
        /// Its index in later actions.
        index: GraphIndex,
    },
    /// Send a task to a worker.
    Assign {
        /// The worker.
        worker: WorkerId,
        /// The task.
        task: TaskId,
        /// The new attempt.
        attempt: Attempt,
        /// Position in the plan's settings: its own, or one of its fallbacks.
        settings: u32,
        /// When to run it.
        priority: Priority,
        /// Where its inputs are, in the order of the plan's dependencies.
        inputs: Vec<AssignedInput>,
    },
    /// Stop an attempt; whatever it still reports is ignored.
    Cancel {
        /// The worker.
        worker: WorkerId,
        /// The attempt.
        attempt: Attempt,
    },
    /// Ask for attempts back.
    Retract {
        /// The worker.
        worker: WorkerId,
        /// The attempts.
        attempts: Vec<Attempt>,
    },
    /// Tell a worker who holds an input now.
    UpdateInput {
        /// The worker.
        worker: WorkerId,
        /// The attempt that waits.
        attempt: Attempt,
        /// The input.
        input: AssignedInput,
        /// The graph.
        graph: GraphIndex,
    },
    /// A worker's copy of a result is no longer needed.
    Release {
        /// The worker.
        worker: WorkerId,
        /// The task.
        task: TaskId,
    },
    /// Tell a worker to fetch a result; it answers with [`Event::ReplicasAdded`](crate::Event::ReplicasAdded) or
    /// [`Event::ReplicasMissing`](crate::Event::ReplicasMissing).
    Replicate {
        /// The worker.
        worker: WorkerId,
        /// The task.
        task: TaskId,
        /// Bytes of its result.
        size: u64,
        /// Who has it.
        holders: Vec<WorkerId>,
    },
    /// Tell a worker to take nothing new and give back what it has not begun.
    Drain {
        /// The worker.
        worker: WorkerId,
    },
    /// A worker that drained may go.
    Dismiss {
        /// The worker.
        worker: WorkerId,
        /// What became of what it had.
        summary: DrainSummary,
    },
    /// The shell's own copy of a result is no longer needed.
    ReleaseInline(TaskId),
    /// An output became available, or never will.
    Output {
        /// The task.
        task: TaskId,
        /// What became of it.
        outcome: OutputOutcome,
    },
    /// A task failed for good, for a reason of its own.
    TaskFailed {
        /// The task.
        task: TaskId,
        /// Why.
        code: ErrorCode,
        /// The worker on which it last ran; none when it was cancelled.
        worker: Option<WorkerId>,
        /// How often it was tried.
        attempts: u32,
        /// Tasks that fail because of it.
        dependents: u32,
    },
    /// Nothing more will happen to a graph, but its outputs are kept until it is released.
    GraphFinished {
        /// The graph.
        graph: GraphIndex,
        /// How it went.
        counts: GraphCounts,
        /// Whether it was cancelled.
        is_cancelled: bool,
        /// Whether that was because its deadline passed.
        is_overdue: bool,
    },
    /// The graph is gone; its index will not be used again.
    GraphForgotten {
        /// The graph.
        graph: GraphId,
        /// Its index until now.
        index: GraphIndex,
        /// Workers that were told of it.
        workers: Vec<WorkerId>,
    },
}

/// Where an input of an assignment is.
#[derive(Clone, Debug, PartialEq)]
pub struct AssignedInput {
    /// The task that makes it.
    pub task: TaskIndex,
    /// Its size in bytes; 0 while it is not known.
    pub size: u64,
    /// Where.
    pub at: InputAt,
}

/// Where a result is.
#[derive(Clone, Debug, PartialEq)]
pub enum InputAt {
    /// With the shell, which sends it along.
    Shell,
    /// At workers.
    Workers(Vec<WorkerId>),
    /// At the worker that is told, once this attempt has ended there.
    Pending(Attempt),
    /// At workers that give it to others now: an [`Action::Replicate`] will say when it is this worker's turn.
    Later,
}

/// What became of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputOutcome {
    /// The result exists.
    Ready {
        /// Its size in bytes.
        size: u64,
        /// Whether the shell has a copy.
        is_inline: bool,
        /// Who has it otherwise.
        worker: Option<WorkerId>,
    },
    /// It will not exist.
    Failed,
}

/// Actions in the order in which they are to be carried out.
#[derive(Debug, Default)]
pub struct Actions {
    list: Vec<Action>,
}

impl Actions {
    /// None yet.
    pub fn new() -> Actions {
        Actions::default()
    }

    /// Adds one at the end.
    pub fn push(&mut self, action: Action) {
        self.list.push(action);
    }

    /// Takes all of them.
    pub fn drain(&mut self) -> std::vec::Drain<'_, Action> {
        self.list.drain(..)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}
