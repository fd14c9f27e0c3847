//! Between a scheduler and its clients. Graphs and components are uploaded by [requests](super::Request).

use crate::error::{ErrorCode, TaskError};
use crate::ids::{GraphId, TaskIndex};
use crate::time::Duration;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Orders of a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FromClient {
    /// The first message.
    Opened {
        /// For people: program and version.
        name: String,
    },
    /// Follow a graph: its state now, then every change, outputs included.
    Attach(GraphId),
    /// Stop a graph.
    Cancel(GraphId),
    /// Results of the graph are no longer needed by this client.
    Release(GraphId),
    /// The graph is this client's own: it is released when the client goes.
    Bind(GraphId),
    /// Stop tasks of a graph, and with them what needs them. Those that have ended are left alone.
    CancelTasks {
        /// The graph.
        graph: GraphId,
        /// The tasks.
        tasks: Vec<TaskIndex>,
    },
    /// So many workers should have copies of results: for those that calls will need everywhere. What is not done is left as
    /// it is.
    Replicate {
        /// The graph.
        graph: GraphId,
        /// The tasks.
        tasks: Vec<TaskIndex>,
        /// Copies of each; more than there are workers: one at each that is there now.
        copies: u32,
    },
    /// All workers that are there should fetch data entries before tasks need them.
    Broadcast {
        /// The graph.
        graph: GraphId,
        /// Positions of the entries, as the client counts.
        data: Vec<u32>,
    },
    /// A question; answered once with the same number.
    Ask {
        /// Chosen by the client.
        number: u64,
        /// The question.
        query: Query,
    },
    /// Workers are to leave without loss: answered like a question, when all of them are gone, with
    /// `[{id, name, moved, moved_bytes, left, stopped, is_timed_out}]`.
    DrainWorkers {
        /// Chosen by the client.
        number: u64,
        /// Names or numbers of workers.
        workers: Vec<String>,
        /// They are let go after this time, whatever they still have.
        within: Option<Duration>,
        /// Results that no other worker can take are left behind at once.
        gives_up: bool,
    },
    /// Some outputs are no longer needed by this client. A task whose outputs nobody who follows the graph needs any more is not run
    /// for them, and its result is let go.
    ReleaseOutputs {
        /// The graph.
        graph: GraphId,
        /// Their positions.
        outputs: Vec<u32>,
    },
}

/// Questions about the cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Query {
    /// Graphs and their states.
    Status,
    /// Workers.
    Workers,
    /// Why a task is in the state it is in. The key may be left out for the whole graph.
    Explain {
        /// The graph.
        graph: GraphId,
        /// The task.
        key: Option<String>,
    },
    /// Which tasks of a graph no worker can run, and why: the first few. For clients that see nothing move.
    Stuck {
        /// The graph.
        graph: GraphId,
    },
    /// What a task wrote to its standard output and error.
    Logs {
        /// The graph.
        graph: GraphId,
        /// The task; all that wrote something when left out.
        key: Option<String>,
    },
    /// What the outputs of a graph are called ([`Graph::output_name`](crate::graph::Graph::output_name)): a JSON array of
    /// strings in their order. For clients that attach to a graph whose file they do not have.
    Outputs {
        /// The graph.
        graph: GraphId,
    },
    /// How far the tables of a graph go ([`Extent`](crate::graph::Extent)): `{"components", "functions", "data", "tasks",
    /// "outputs"}`. For those who write a fragment.
    Extent {
        /// The graph.
        graph: GraphId,
    },
    /// Names under which graphs are published: a JSON array of `{name, graph, state, tasks, finished, outputs}`.
    Published {
        /// Only this name.
        name: Option<String>,
    },
}

/// What a scheduler tells a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToClient {
    /// The answer to `Opened`.
    Welcome {
        /// For people: program and version.
        name: String,
    },
    /// State of a graph that the client follows; at most a few a second.
    Progress {
        /// The graph.
        graph: GraphId,
        /// Its state.
        state: GraphState,
    },
    /// Outputs that are ready, or never will be.
    Outputs {
        /// The graph.
        graph: GraphId,
        /// Position in the graph's outputs, and what became of it.
        outputs: Vec<(u32, OutputResult)>,
    },
    /// A task failed for a reason of its own; dependents are not listed.
    TaskFailed {
        /// The graph.
        graph: GraphId,
        /// What happened.
        failure: TaskFailure,
    },
    /// Nothing more will happen to the graph, unless it is extended.
    Finished {
        /// The graph.
        graph: GraphId,
        /// How it went.
        summary: GraphSummary,
    },
    /// The graph is not known: never was, or was released.
    UnknownGraph(GraphId),
    /// The answer to `Ask`: JSON text, or a refusal.
    Answer {
        /// The question's number.
        number: u64,
        /// The answer.
        answer: Result<String, Refusal>,
    },
}

/// Numbers of a graph in motion.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GraphState {
    /// All tasks.
    pub tasks: u64,
    /// Ended well.
    pub finished: u64,
    /// Failed, dependents included.
    pub failed: u64,
    /// Assigned to a worker.
    pub assigned: u64,
}

/// What became of an output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OutputResult {
    /// The typed encoding, when it is small and has no path.
    Inline(Bytes),
    /// To be fetched with [`Request::FetchOutput`](super::Request::FetchOutput); the size is that of the whole result.
    Stored {
        /// Bytes of the task's result.
        size: u64,
    },
    /// It will not come.
    Failed,
    /// It was let go: everybody who followed the graph said that it is no longer needed.
    Released,
}

/// A failed task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskFailure {
    /// The task.
    pub task: TaskIndex,
    /// Its key.
    pub key: String,
    /// Its function, as `component-name export`.
    pub function: String,
    /// Name of the worker, where it ran on one.
    pub worker: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// Tasks that failed because of it.
    pub dependents: u32,
    /// Why.
    pub error: TaskError,
}

/// How a graph went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GraphSummary {
    /// All tasks.
    pub tasks: u64,
    /// Ended well.
    pub finished: u64,
    /// Failed for a reason of their own.
    pub failed: u64,
    /// Failed because another did.
    pub dependents_failed: u64,
    /// Whether it was cancelled.
    pub is_cancelled: bool,
    /// The deadline that it did not keep, where it was cancelled because of that.
    pub overdue: Option<Duration>,
    /// From acceptance to the end.
    pub elapsed: Duration,
    /// Sum of wall times in sandboxes.
    pub run: Duration,
    /// Bytes of results that moved between workers.
    pub bytes_moved: u64,
    /// Largest peak of a task's linear memory.
    pub memory_peak_bytes: u64,
    /// Attempts, retries and recomputations included.
    pub attempts: u64,
    /// Function with the largest sum of wall times, that sum, and its number of tasks.
    pub slowest: Option<(String, Duration, u64)>,
    /// How many outputs the graph had: what is said here is not about later ones.
    pub outputs: u64,
}

/// Why something was refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// The code.
    pub code: ErrorCode,
    /// What is wrong and where; one line each.
    pub messages: Vec<String>,
}

impl Refusal {
    /// A refusal with one message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Refusal {
        Refusal { code, messages: vec![message.into()] }
    }
}
