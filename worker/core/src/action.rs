//! What the core wants done. The shell performs actions in their order, then sends the messages as one batch.

use crate::{AttemptId, ComponentId, FetchId, GraphKey, LaneId, ResultId};
use bytes::Bytes;
use wasm_tasks_protocol::graph::Settings;
use wasm_tasks_protocol::ids::WorkerId;
use wasm_tasks_protocol::message::{AttemptFinished, DataSpec, FromWorker, FunctionSpec, PeerAddress};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_protocol::{Attempt, ComponentDigest, GraphId, TaskIndex, TenantId};

/// Everything that one or more calls of `handle` asked for.
#[derive(Debug, Default)]
pub struct Actions {
    /// For the shell itself.
    pub perform: Vec<Action>,
    /// For the scheduler.
    pub send: Vec<FromWorker>,
}

/// Reports in one message: with as many small results as fit into them it is a quarter of what a message may have.
const REPORTS_MAX: usize = 4_096;

impl Actions {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.perform.is_empty() && self.send.is_empty()
    }

    /// Reports a finished attempt, together with the ones right before it.
    pub(crate) fn finished(&mut self, report: AttemptFinished) {
        match self.send.last_mut() {
            Some(FromWorker::AttemptsFinished(reports)) if reports.len() < REPORTS_MAX => reports.push(report),
            _ => self.send.push(FromWorker::AttemptsFinished(vec![report])),
        }
    }

    /// Reports a replica, together with those right before it.
    pub(crate) fn replica_added(&mut self, graph: GraphId, task: TaskIndex) {
        match self.send.last_mut() {
            Some(FromWorker::ReplicasAdded { graph: same, tasks }) if *same == graph => tasks.push(task),
            _ => self.send.push(FromWorker::ReplicasAdded { graph, tasks: vec![task] }),
        }
    }

    /// Reports replicas that cannot be had, together with those right before them.
    pub(crate) fn replicas_missing(&mut self, graph: GraphId, missing: impl Iterator<Item = TaskIndex>) {
        match self.send.last_mut() {
            Some(FromWorker::ReplicasMissing { graph: same, tasks }) if *same == graph => tasks.extend(missing),
            _ => self.send.push(FromWorker::ReplicasMissing { graph, tasks: missing.collect() }),
        }
    }
}

/// An order to the shell.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// The scheduler knows this worker by this number.
    Welcomed(WorkerId),
    /// Send a [`FromWorker::Heartbeat`].
    Heartbeat,
    /// Hand a run of attempts to a lane, after what it has already.
    Execute {
        /// The lane.
        lane: LaneId,
        /// The attempts, in order.
        run: Vec<Launch>,
        /// The core wants to hear of the lane when no more than this many of its attempts are left.
        report_at: u32,
    },
    /// Stop an attempt that was handed to a lane, whether it began or not. It still ends as an event.
    Interrupt {
        /// The lane.
        lane: LaneId,
        /// The attempt.
        id: AttemptId,
    },
    /// Take back what a lane has not begun; each ends as [`Outcome::NotRun`](crate::Outcome::NotRun).
    Recall(LaneId),
    /// Load a component, fetching its bytes where need be; ends as [`Event::ComponentLoaded`](crate::Event::ComponentLoaded).
    LoadComponent {
        /// The component.
        component: ComponentId,
        /// What pins it.
        digest: ComponentDigest,
        /// Whether it is loaded with fuel metering.
        is_metered: bool,
        /// For whom, as the scheduler counts clients; 0 for tasks that are here already.
        client: u64,
    },
    /// Let go of a loaded component.
    UnloadComponent(ComponentId),
    /// Fetch a data entry from the scheduler; ends as [`Event::DataLoaded`](crate::Event::DataLoaded).
    LoadData {
        /// The graph.
        graph: GraphKey,
        /// The same on the wire.
        graph_id: GraphId,
        /// The entry's position.
        position: u32,
    },
    /// Fetch a result; ends as [`Event::FetchEnded`](crate::Event::FetchEnded).
    Fetch {
        /// Names this try.
        fetch: FetchId,
        /// The graph.
        graph: GraphId,
        /// The task whose result it is.
        task: TaskIndex,
        /// Who holds it.
        from: WorkerId,
        /// Its size, where known.
        size: u64,
    },
    /// Stop a fetch; nothing need be reported.
    CancelFetch(FetchId),
    /// Keep a result.
    Store {
        /// Its place.
        result: ResultId,
        /// The typed encoding.
        value: Bytes,
    },
    /// Let go of a result.
    Drop(ResultId),
    /// Keep what the core does not need of a graph's definition.
    DefineGraph {
        /// The graph.
        graph: GraphKey,
        /// The same on the wire.
        graph_id: GraphId,
        /// Whose it is.
        tenant: TenantId,
        /// Its functions.
        functions: Vec<FunctionSpec>,
        /// Its data entries.
        data: Vec<DataSpec>,
        /// Settings of its tasks.
        settings: Vec<Settings>,
    },
    /// Keep this after what is kept of a graph's definition.
    ExtendGraph {
        /// The graph.
        graph: GraphKey,
        /// More functions.
        functions: Vec<FunctionSpec>,
        /// More data entries.
        data: Vec<DataSpec>,
        /// More settings of its tasks.
        settings: Vec<Settings>,
    },
    /// Let go of a graph's definition, its data and its logs.
    ForgetGraph(GraphKey),
    /// A worker that results may be fetched from.
    AddPeer(PeerAddress),
    /// It is gone.
    RemovePeer(WorkerId),
    /// Send what there is to send, then end.
    Leave,
}

/// An attempt as a lane gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Launch {
    /// Names it between core and shell.
    pub id: AttemptId,
    /// Names it between worker and scheduler.
    pub attempt: Attempt,
    /// Its graph.
    pub graph: GraphKey,
    /// Its task.
    pub task: TaskIndex,
    /// Position of its function.
    pub function: u32,
    /// Position of its settings.
    pub settings: u32,
    /// The component, loaded in the way that the settings ask for.
    pub component: ComponentId,
    /// Its arguments in the file encoding.
    pub args: Bytes,
    /// The results that they refer to.
    pub inputs: Vec<LaunchInput>,
}

/// A result that an attempt uses.
#[derive(Clone, Debug, PartialEq)]
pub struct LaunchInput {
    /// The task that made it.
    pub task: TaskIndex,
    /// Where the shell finds it.
    pub value: InputValue,
}

/// Where the bytes of an input are.
#[derive(Clone, Debug, PartialEq)]
pub enum InputValue {
    /// They came with the assignment.
    Inline(Bytes),
    /// They are kept under this id.
    Stored(ResultId),
    /// An attempt that is before it in the lane makes them. If that ends without a result, this one ends as
    /// [`Outcome::NotRun`](crate::Outcome::NotRun).
    Following(AttemptId),
}

/// Why the core wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerName {
    /// A heartbeat is due.
    Heartbeat,
    /// A lane works on an attempt for longer than expected while others queue behind it.
    Stall,
    /// An attempt runs for long enough that the scheduler should know.
    Started,
}

/// Of a worker's memory, one part of so many may be results that are being fetched.
const FETCH_PART: u64 = 8;
/// But at least this many bytes, and at most so many. Simulated: where results have 300 MiB and each worker sends to several,
/// a limit of 256 MiB leaves half of the links unused, because who waits for its share of a busy one asks no other.
const FETCH_BYTES_LEAST: u64 = 64 << 20;
const FETCH_BYTES_MOST: u64 = 1 << 30;

/// What a worker is, for its core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreSettings {
    /// Tasks of one slot that run at once.
    pub slots: u32,
    /// Lanes: attempts that run at once, however small their share of a slot.
    pub lanes: u32,
    /// Bytes of memory that tasks may declare together.
    pub memory_bytes: u64,
    /// With more bytes of results in memory one attempt runs at a time.
    pub pause_above_bytes: u64,
    /// Named pools.
    pub pools: Vec<wasm_tasks_protocol::graph::Resource>,
    /// Fetches of results at once.
    pub fetches_max: u32,
    /// Bytes of the results that are fetched at once; one fetch is always allowed.
    pub fetch_bytes_max: u64,
    /// Expected time of the attempts that a lane is handed at once.
    pub run_target: Duration,
    /// Components that are kept loaded although no graph uses them.
    pub idle_components_max: u32,
}

impl CoreSettings {
    /// The usual settings for a number of slots and an amount of memory.
    ///
    /// The run target decides how often worker and scheduler wake each other while tasks are short: when half of it is left. A
    /// hop of a chain costs 9.5 µs with 500 µs, 8.0 with 1 ms and 7.0 with 2 ms (measured 2026-11-23, 200,000 tasks, 2 cores,
    /// the first with another allocator).
    pub fn new(slots: u32, memory_bytes: u64) -> CoreSettings {
        CoreSettings {
            slots,
            lanes: slots.saturating_mul(2).saturating_add(2),
            memory_bytes,
            pause_above_bytes: memory_bytes / 5 * 4,
            pools: Vec::new(),
            fetches_max: 32,
            fetch_bytes_max: (memory_bytes / FETCH_PART).clamp(FETCH_BYTES_LEAST, FETCH_BYTES_MOST),
            run_target: Duration(2_000),
            idle_components_max: 32,
        }
    }
}
