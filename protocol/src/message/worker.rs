//! Between a scheduler and its workers.

use crate::error::TaskError;
use crate::graph::{DataEncoding, Resource, Settings};
use crate::ids::{Attempt, ComponentDigest, ContentDigest, GraphId, TaskIndex, TenantId, WorkerId};
use crate::time::Duration;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// What a worker offers when it joins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerOffer {
    /// For people; need not be unique.
    pub name: String,
    /// Tasks of one slot that run at once.
    pub slots: u32,
    /// Bytes of memory for tasks and results.
    pub memory_bytes: u64,
    /// `key=value` labels; `arch` and `os` are always there.
    pub labels: Vec<(String, String)>,
    /// Named pools.
    pub pools: Vec<Resource>,
    /// How long from now it stays, where it knows.
    pub lifetime: Option<Duration>,
    /// Where other workers may reach it; empty when they cannot, and then the scheduler relays.
    pub addresses: Vec<SocketAddr>,
    /// Process id, for people.
    pub pid: u32,
}

/// Orders to a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToWorker {
    /// The answer to `Joined`.
    Welcome {
        /// The worker's number.
        worker: WorkerId,
        /// How often to send `Heartbeat`.
        heartbeat: Duration,
    },
    /// Another worker that results may be fetched from.
    AddPeer(PeerAddress),
    /// That worker is gone.
    RemovePeer(WorkerId),
    /// What assignments of a graph refer to; sent before the first of them.
    DefineGraph {
        /// The graph.
        graph: GraphId,
        /// Whose it is.
        tenant: TenantId,
        /// Its functions, by position.
        functions: Vec<FunctionSpec>,
        /// Its data entries, by position.
        data: Vec<DataSpec>,
        /// Different settings of its tasks; assignments name a position.
        settings: Vec<Settings>,
    },
    /// Nothing of the graph is needed any more: running attempts stop, results go.
    ForgetGraph(GraphId),
    /// Tasks to run.
    AssignTasks {
        /// Their graph.
        graph: GraphId,
        /// The tasks, in the order of their priority.
        tasks: Vec<Assignment>,
    },
    /// Stop these attempts at once; nothing need be reported.
    CancelAttempts(Vec<Attempt>),
    /// Give these attempts back unless they run already; answered with `Retracted`.
    RetractAttempts(Vec<Attempt>),
    /// New holders of an input that the worker could not fetch.
    UpdateInput {
        /// The attempt that waits for it.
        attempt: Attempt,
        /// The input.
        input: Input,
    },
    /// Results that nobody needs from this worker any more.
    ReleaseResults {
        /// Their graph.
        graph: GraphId,
        /// The tasks.
        tasks: Vec<TaskIndex>,
    },
    /// Finish what runs, take nothing new, leave.
    Shutdown,
    /// Take nothing new, give back what does not run, and stay until `Shutdown`: results are fetched from here meanwhile.
    Drain,
    /// Fetch these results and keep them; answered with `ReplicasAdded` or `ReplicasMissing`.
    FetchReplicas {
        /// Their graph, which was defined before.
        graph: GraphId,
        /// The results.
        results: Vec<Input>,
    },
    /// Fetch these data entries before a task needs them.
    LoadData {
        /// Their graph, which was defined before.
        graph: GraphId,
        /// Their positions.
        data: Vec<u32>,
    },
    /// A graph that was defined goes on: these follow what is known of it.
    ExtendGraph {
        /// The graph.
        graph: GraphId,
        /// More functions.
        functions: Vec<FunctionSpec>,
        /// More data entries.
        data: Vec<DataSpec>,
        /// More settings.
        settings: Vec<Settings>,
    },
    /// Load these components before tasks need them; each is answered with `ComponentLoaded` or `ComponentUnloaded`.
    LoadComponents {
        /// For whom: loads of one client do not hold up those of others.
        client: u64,
        /// Which, and whether with metering.
        components: Vec<(ComponentDigest, bool)>,
    },
}

/// Where a worker can be reached by its peers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerAddress {
    /// The worker.
    pub worker: WorkerId,
    /// Its addresses, best first.
    pub addresses: Vec<SocketAddr>,
}

/// A function, for a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FunctionSpec {
    /// Its component.
    pub component: ComponentDigest,
    /// Its export.
    pub export: String,
    /// The array of bound arguments in the file encoding; empty when there are none.
    pub bind: Bytes,
    /// Set for dynamic functions; holds the declared result type as text, or nothing.
    pub dynamic: Option<Option<String>>,
}

/// A data entry, for a worker: fetched when it is needed, unless its bytes are here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataSpec {
    /// Whether it is a `list<u8>` rather than one value in the file encoding.
    pub is_raw: bool,
    /// Its size in bytes.
    pub len: u64,
    /// Its bytes when they are few.
    pub inline: Option<Bytes>,
}

impl DataSpec {
    /// From the encoding in the graph.
    pub fn new(encoding: DataEncoding, len: u64, inline: Option<Bytes>) -> DataSpec {
        DataSpec { is_raw: encoding == DataEncoding::Raw, len, inline }
    }
}

/// The order of tasks; smaller runs first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Priority {
    /// The user's priority, negated.
    pub user: i32,
    /// Older graphs first.
    pub generation: u32,
    /// Fragments of a graph in the order they came.
    pub fragment: u32,
    /// The static order within the fragment.
    pub rank: u32,
}

/// One task to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// The task.
    pub task: TaskIndex,
    /// This assignment of it.
    pub attempt: Attempt,
    /// Position of its function.
    pub function: u32,
    /// Position of its settings.
    pub settings: u32,
    /// When to run it.
    pub priority: Priority,
    /// Its arguments in the file encoding, with references.
    pub args: Bytes,
    /// The results that its arguments refer to, each once.
    pub inputs: Vec<Input>,
}

/// A result that a task needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// The task that made it.
    pub task: TaskIndex,
    /// Its size in bytes, where known.
    pub size: u64,
    /// Where it is.
    pub source: InputSource,
}

/// Where a result is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum InputSource {
    /// Here: the typed encoding.
    Inline(Bytes),
    /// At these workers, which may include the one that is told.
    At(Vec<WorkerId>),
    /// It will be made by this attempt, at the worker that is told.
    Pending(Attempt),
    /// Wherever a [`ToWorker::FetchReplicas`] will say, when it is this worker's turn to fetch it.
    Later,
}

/// What a worker reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FromWorker {
    /// The first message.
    Joined(WorkerOffer),
    /// Attempts that ended well.
    AttemptsFinished(Vec<AttemptFinished>),
    /// An attempt that did not.
    AttemptFailed(AttemptFailed),
    /// Attempts that began to run; sent for those that run long enough to matter.
    AttemptsStarted(Vec<Attempt>),
    /// The answer to `RetractAttempts`: those given back. What is not named runs or has ended.
    Retracted {
        /// What was asked.
        asked: Vec<Attempt>,
        /// What is given back.
        returned: Vec<Attempt>,
    },
    /// An input could not be fetched from any of its holders.
    InputMissing {
        /// The attempt that waits for it.
        attempt: Attempt,
        /// The task whose result is missing.
        task: TaskIndex,
        /// The holders that were tried.
        tried: Vec<WorkerId>,
    },
    /// A copy of another worker's result is now here.
    ReplicasAdded {
        /// The graph.
        graph: GraphId,
        /// The tasks.
        tasks: Vec<TaskIndex>,
    },
    /// The worker is well.
    Heartbeat {
        /// Bytes of results it holds in memory.
        stored_bytes: u64,
        /// Bytes of results it holds on disk.
        spilled_bytes: u64,
        /// Resident memory of its process.
        resident_bytes: u64,
        /// Fresh instances that it made for tasks so far.
        instantiations: u64,
    },
    /// The last message: nothing runs here any more, and the link is about to close.
    Leaving,
    /// The worker wants to leave: as after `Drain`.
    Draining {
        /// It leaves after this time at the latest.
        within: Option<Duration>,
    },
    /// The worker's memory is short, and it begins nothing new while something runs; or no longer.
    MemoryShort(bool),
    /// Results that the worker was told to fetch and could get from nobody.
    ReplicasMissing {
        /// The graph.
        graph: GraphId,
        /// The tasks.
        tasks: Vec<TaskIndex>,
    },
    /// An attempt that ended in tasks which it wrote.
    AttemptDelegated(AttemptDelegated),
    /// A result that the scheduler counts on is on disk, and in memory no longer.
    ResultSpilled {
        /// The graph.
        graph: GraphId,
        /// The task.
        task: TaskIndex,
        /// How long writing it took.
        took: Duration,
    },
    /// A component is here, and tasks of it can begin.
    ComponentLoaded {
        /// Which.
        digest: ComponentDigest,
        /// Whether tasks that are metered can.
        is_metered: bool,
        /// How long fetching and compiling took, or reading what was compiled before.
        took: Duration,
    },
    /// A component is not here any more, or could not be loaded.
    ComponentUnloaded {
        /// Which.
        digest: ComponentDigest,
        /// Which of its two forms.
        is_metered: bool,
    },
    /// How fast results of other workers came, since a time when none was on its way.
    BytesFetched {
        /// Bytes that came.
        bytes: u64,
        /// How long that took.
        took: Duration,
    },
    /// How fast results went from here to all who fetched them, since a time when none was on its way.
    BytesGiven {
        /// Bytes that went.
        bytes: u64,
        /// How long that took.
        took: Duration,
    },
}

/// A result that a worker now holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptFinished {
    /// The attempt.
    pub attempt: Attempt,
    /// Bytes of the result's typed encoding.
    pub size: u64,
    /// Digest of the typed encoding.
    pub digest: ContentDigest,
    /// Wall time in the sandbox.
    pub run: Duration,
    /// Peak of linear memory, in bytes.
    pub memory_peak_bytes: u64,
    /// Fuel used, when metered.
    pub fuel_used: Option<u64>,
    /// Whether the guest wrote to its standard output or error.
    pub has_logs: bool,
    /// The result itself when it is small.
    pub inline: Option<Bytes>,
}

/// An attempt that ended in tasks which it wrote, one of which takes its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptDelegated {
    /// The attempt.
    pub attempt: Attempt,
    /// Wall time in the sandbox.
    pub run: Duration,
    /// Peak of linear memory, in bytes.
    pub memory_peak_bytes: u64,
    /// Fuel used, when metered.
    pub fuel_used: Option<u64>,
    /// Whether the guest wrote to its standard output or error.
    pub has_logs: bool,
    /// The tasks, as the guest wrote them: at most [`DELEGATION_BYTES_MAX`](crate::limits::DELEGATION_BYTES_MAX) bytes.
    pub tasks: Bytes,
}

/// An attempt that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptFailed {
    /// The attempt.
    pub attempt: Attempt,
    /// Wall time in the sandbox; zero when it was never entered.
    pub run: Duration,
    /// Whether the guest wrote to its standard output or error.
    pub has_logs: bool,
    /// Why.
    pub error: TaskError,
}
