//! What the core is told. Events are plain values: they can be logged and replayed.

use wasm_tasks_protocol::error::ErrorCode;
use wasm_tasks_protocol::graph::{Resource, Settings};
use wasm_tasks_protocol::ids::{Attempt, ComponentDigest, GraphId, TaskIndex, WorkerId};
use wasm_tasks_protocol::time::{Duration, Time};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A checked graph is to be run.
    GraphSubmitted {
        /// Its id.
        graph: GraphId,
        /// Its structure.
        plan: GraphPlan,
    },
    /// A checked fragment continues a graph. One for a graph that is not there, or was cancelled, is ignored.
    GraphExtended {
        /// The graph.
        graph: GraphId,
        /// What is added: tasks follow those that are there, dependencies and outputs may be of either, `settings` follow
        /// those that are known, and `functions` and `task_settings` are positions among all.
        plan: GraphPlan,
    },
    /// A worker that has a result cannot give it to somebody who asked: a client, or the shell for one. The copy counts as
    /// lost; when it was the last one the result is made again.
    ResultUnreadable {
        /// Who has it.
        worker: WorkerId,
        /// The graph.
        graph: GraphId,
        /// The task.
        task: TaskIndex,
    },
    /// Results that were outputs are no longer wanted as such. What is no output is ignored.
    OutputsReleased {
        /// The graph.
        graph: GraphId,
        /// The tasks.
        tasks: Vec<TaskIndex>,
    },
    /// So many workers should have copies of results. What is not done, or with the shell, is left as it is.
    ReplicasWanted {
        /// The graph.
        graph: GraphId,
        /// The tasks.
        tasks: Vec<TaskIndex>,
        /// Copies of each; more than there are workers: one at each that is there now.
        copies: u32,
    },
    /// A graph is to stop.
    GraphCancelled(GraphId),
    /// Tasks are to stop, and with them what needs them.
    TasksCancelled {
        /// Their graph.
        graph: GraphId,
        /// The tasks. Those that have ended, or that the graph does not have, are left alone.
        tasks: Vec<TaskIndex>,
    },
    /// Nobody needs anything of a graph any more.
    GraphReleased(GraphId),
    /// A worker is there.
    WorkerJoined {
        /// Its number; never used before.
        worker: WorkerId,
        /// What it offers.
        plan: WorkerPlan,
    },
    /// A worker is gone, with all it held.
    WorkerLost(WorkerId),
    /// A worker is gone as soon as its link is.
    WorkerLeaving(WorkerId),
    /// A worker said how many bytes of results it has on disk.
    WorkerStored {
        /// The worker.
        worker: WorkerId,
        /// Bytes.
        spilled_bytes: u64,
    },
    /// A worker has too little memory to begin anything while something runs, or enough again.
    WorkerPaused {
        /// The worker.
        worker: WorkerId,
        /// Whether it has too little.
        is_paused: bool,
    },
    /// A worker wants to leave: it takes nothing new, gives back what it has not begun, and waits for
    /// [`Action::Dismiss`](crate::Action::Dismiss).
    WorkerDraining {
        /// The worker.
        worker: WorkerId,
        /// How long it waits.
        within: Option<Duration>,
    },
    /// Somebody wants a worker to leave.
    DrainWorker {
        /// The worker.
        worker: WorkerId,
        /// It is let go after this time, whatever it still has.
        within: Option<Duration>,
        /// Results that nobody can take are left behind at once.
        gives_up: bool,
    },
    /// The round trip to a worker was measured.
    WorkerMeasured {
        /// The worker.
        worker: WorkerId,
        /// The round trip.
        round_trip: Duration,
    },
    /// A worker says how fast results of others came to it.
    BytesFetched {
        /// The worker.
        worker: WorkerId,
        /// Bytes that came while something was on its way all the time.
        bytes: u64,
        /// How long that took.
        took: Duration,
    },
    /// A worker has a result on disk, and in memory no longer.
    ResultSpilled {
        /// The worker.
        worker: WorkerId,
        /// The graph.
        graph: GraphId,
        /// The task.
        task: TaskIndex,
        /// How long writing it took.
        took: Duration,
    },
    /// A worker has a component, and tasks of it can begin there.
    ComponentLoaded {
        /// The worker.
        worker: WorkerId,
        /// The component.
        digest: ComponentDigest,
        /// Whether tasks that are metered can.
        is_metered: bool,
        /// How long fetching and compiling took, or reading what was compiled before.
        took: Duration,
    },
    /// A worker let go of a component, or could not load it.
    ComponentUnloaded {
        /// The worker.
        worker: WorkerId,
        /// The component.
        digest: ComponentDigest,
        /// Which of its two forms.
        is_metered: bool,
    },
    /// A worker says how fast results went from it, to all who fetched them together.
    BytesGiven {
        /// The worker.
        worker: WorkerId,
        /// Bytes that went while something was on its way all the time.
        bytes: u64,
        /// How long that took.
        took: Duration,
    },
    /// An attempt ended well; its result is at the worker.
    AttemptFinished {
        /// Who says so.
        worker: WorkerId,
        /// The attempt.
        attempt: Attempt,
        /// Bytes of the result.
        size: u64,
        /// Wall time in the sandbox.
        run: Duration,
        /// Peak of linear memory.
        memory_peak_bytes: u64,
        /// Whether the shell has a copy of the result.
        is_inline: bool,
    },
    /// An attempt ended in tasks that it wrote, and that were checked.
    AttemptDelegated {
        /// Who says so.
        worker: WorkerId,
        /// The attempt.
        attempt: Attempt,
        /// Wall time in the sandbox.
        run: Duration,
        /// Peak of linear memory.
        memory_peak_bytes: u64,
        /// The tasks, as in [`Event::GraphExtended`], without outputs. They may need each other, and what the task itself needed.
        plan: GraphPlan,
        /// The one of them that takes the task's place.
        output: TaskIndex,
    },
    /// An attempt failed.
    AttemptFailed {
        /// Who says so.
        worker: WorkerId,
        /// The attempt.
        attempt: Attempt,
        /// Why.
        code: ErrorCode,
        /// Wall time in the sandbox.
        run: Duration,
    },
    /// Attempts run for a while already: workers tell of those that take long.
    AttemptsStarted {
        /// Who says so.
        worker: WorkerId,
        /// The attempts.
        attempts: Vec<Attempt>,
    },
    /// The answer to [`Action::Retract`](crate::Action::Retract).
    Retracted {
        /// Who says so.
        worker: WorkerId,
        /// What was asked for.
        asked: Vec<Attempt>,
        /// What is given back.
        returned: Vec<Attempt>,
    },
    /// A worker could not get an input.
    InputMissing {
        /// Who says so.
        worker: WorkerId,
        /// The attempt that waits.
        attempt: Attempt,
        /// The task whose result it is.
        task: TaskIndex,
        /// The holders that were tried.
        tried: Vec<WorkerId>,
    },
    /// Copies of results are at a worker.
    ReplicasAdded {
        /// Who says so.
        worker: WorkerId,
        /// The graph.
        graph: GraphId,
        /// The tasks.
        tasks: Vec<TaskIndex>,
    },
    /// A worker could not get results that it was told to fetch.
    ReplicasMissing {
        /// Who says so.
        worker: WorkerId,
        /// The graph.
        graph: GraphId,
        /// The tasks.
        tasks: Vec<TaskIndex>,
    },
    /// A timeout may have passed.
    Tick,
    /// Nothing else is waiting: place what can be placed.
    Settle,
}

/// A graph, reduced to what scheduling needs. All lists are by position.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GraphPlan {
    /// `dependencies[dependency_starts[t]..dependency_starts[t + 1]]` are the tasks that `t` needs.
    pub dependency_starts: Vec<u32>,
    /// See there.
    pub dependencies: Vec<TaskIndex>,
    /// The function of each task.
    pub functions: Vec<u32>,
    /// The settings of each task: a position in `settings`.
    pub task_settings: Vec<u32>,
    /// The different settings; those with fallbacks are followed by these, as [`Settings::ways`] gives them.
    pub settings: Vec<Settings>,
    /// The tasks whose results are wanted.
    pub outputs: Vec<TaskIndex>,
    /// What the graph's author expects of tasks: empty when nothing is said of any, otherwise one entry a task.
    pub expected: Vec<Expected>,
    /// Bytes that move along each of `dependencies` where that is only a part of a result, as expected with the result's
    /// size; [`Expected::NOT_SAID`]: the whole result. Empty when all move whole.
    pub edge_bytes: Vec<u64>,
    /// The component of each function, by position; in [`Event::GraphExtended`] of the functions after those that are known.
    /// Empty when nothing is known of components: then it makes no difference who has them.
    pub components: Vec<ComponentDigest>,
    /// How long after its submission the graph is stopped, if it has not ended by then.
    pub deadline: Option<Duration>,
}

/// What is expected of a task before it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Microseconds that it runs.
    pub run_us: u64,
    /// Bytes of its result.
    pub result_bytes: u64,
}

impl Expected {
    /// Where nothing is said.
    pub const NOT_SAID: u64 = u64::MAX;
    /// Nothing is said.
    pub const NOTHING: Expected = Expected { run_us: Expected::NOT_SAID, result_bytes: Expected::NOT_SAID };
}

/// What a worker offers.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerPlan {
    /// Slots, in thousandths.
    pub slots_milli: u64,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// Labels.
    pub labels: Vec<(String, String)>,
    /// Named pools.
    pub pools: Vec<Resource>,
    /// Round trip to it, as far as it is known.
    pub round_trip: Duration,
    /// When it will leave, if that is known.
    pub leaves_at: Option<Time>,
}
