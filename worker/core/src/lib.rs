//! The worker's state machine: events in, actions out. Pure.
//!
//! Owns what this worker was assigned and how far each attempt is, which results are here or on their way, and who
//! runs next. It must not know a clock, a thread, a file, the environment, the network or the sandbox; it carries
//! argument and result bytes from event to action and reads only the data references in arguments.
//!
//! Use: feed every event to [`WorkerCore::handle`] with the time at which it is handled, and [`Event::Settle`] when
//! there is nothing more to feed. Perform [`Actions::perform`] in order, then send [`Actions::send`] as one batch.
//! When the time that [`WorkerCore::next_timeout`] names has come, feed [`Event::TimedOut`].

mod action;
mod assign;
mod attempt;
mod component;
mod dispatch;
mod end;
mod event;
mod explain;
mod fetch;
mod follow;
mod graph;
mod invariants;
mod lane;
mod memory;
mod meter;
mod pages;
mod ready;
mod replicate;
mod result;
mod slab;
#[cfg(test)]
mod tests;
mod timeout;

pub use action::{Action, Actions, CoreSettings, InputValue, Launch, LaunchInput, TimerName};
pub use attempt::{AttemptId, AttemptKind, Phase, STEPS, Steps, TRANSITIONS};
pub use component::{ComponentId, ComponentKind};
pub use event::{Ended, Event, Outcome};
pub use explain::Explanation;
pub use fetch::{FetchId, FetchKind};
pub use graph::{GraphKey, GraphKind};
pub use lane::LaneId;
pub use result::{ResultId, ResultKind};
pub use slab::Id;

use attempt::AttemptRecord;
use component::Components;
use fetch::Fetches;
use graph::{Definition, Graph};
use lane::Lane;
use memory::Gate;
use meter::Meter;
use ready::{ReadyQueues, Resources};
use result::{Arrival, ResultEntry};
use slab::Slab;
use std::collections::BTreeMap;
use wasm_tasks_protocol::ids::WorkerId;
use wasm_tasks_protocol::message::ToWorker;
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_protocol::{Attempt, GraphId, TaskIndex, Time};

/// The state of a worker.
pub struct WorkerCore {
    settings: CoreSettings,
    me: Option<WorkerId>,
    heartbeat: Option<(Duration, Time)>,
    attempts: Slab<AttemptKind, AttemptRecord>,
    /// Attempts that the scheduler may speak of; those that are being stopped are not among them.
    numbers: BTreeMap<Attempt, AttemptId>,
    graphs: Slab<GraphKind, Graph>,
    graph_keys: BTreeMap<GraphId, GraphKey>,
    results: Slab<ResultKind, ResultEntry>,
    held_bytes: u64,
    components: Components,
    fetches: Fetches,
    /// What goes to others.
    given: Meter,
    ready: ReadyQueues,
    resources: Resources,
    lanes: Vec<Lane>,
    is_leaving: bool,
    /// The scheduler needs nothing from here any more.
    may_go: bool,
    gate: Gate,
    has_left: bool,
    stale: u64,
    steps: Steps,
}

impl WorkerCore {
    /// A worker without work.
    ///
    /// # Panics
    /// When there are no slots, or fewer lanes than slots.
    pub fn new(settings: CoreSettings) -> WorkerCore {
        assert!(settings.slots > 0 && settings.lanes >= settings.slots, "a worker has a lane for each slot");
        WorkerCore {
            me: None,
            heartbeat: None,
            attempts: Slab::new(),
            numbers: BTreeMap::new(),
            graphs: Slab::new(),
            graph_keys: BTreeMap::new(),
            results: Slab::new(),
            held_bytes: 0,
            components: Components::new(),
            fetches: Fetches::new(),
            given: Meter::default(),
            ready: ReadyQueues::new(),
            resources: Resources::new(settings.slots, settings.memory_bytes, settings.pools.clone()),
            lanes: (0..settings.lanes).map(|_| Lane::new()).collect(),
            is_leaving: false,
            may_go: false,
            gate: Gate::default(),
            has_left: false,
            stale: 0,
            steps: Steps::default(),
            settings,
        }
    }

    /// Takes in what happened. What is to be done is appended to `out`.
    pub fn handle(&mut self, now: Time, event: Event, out: &mut Actions) {
        match event {
            Event::Ordered(order) => self.on_order(now, order, out),
            Event::AttemptsEnded { lane, ended } => self.on_ended(now, lane, ended, out),
            Event::ComponentLoaded { component, took, result } => self.on_component_loaded(component, took, result, out),
            Event::DataLoaded { graph, position, result } => self.on_data_loaded(graph, position, result, out),
            Event::FetchEnded { fetch, value, bytes } => {
                self.on_fetch_ended(fetch, value, out);
                self.measure_fetches(now, bytes, out);
            }
            Event::Spilled { result, took } => self.on_spilled(result, took, out),
            Event::TimedOut => self.on_timed_out(now, out),
            Event::Settle => {
                self.start_fetches(out);
                self.fetches.time(now);
                self.dispatch(now, out);
            }
            Event::MemoryMeasured { stored_bytes, process_bytes } => self.on_memory_measured(stored_bytes, process_bytes, out),
            Event::Gave { bytes, going_on } => self.measure_gifts(now, bytes, going_on, out),
            Event::Drain { within } => self.drain_by_itself(within, out),
        }
        self.leave_when_done(out);
    }

    fn on_order(&mut self, now: Time, order: ToWorker, out: &mut Actions) {
        match order {
            ToWorker::Welcome { worker, heartbeat } => {
                self.me = Some(worker);
                self.heartbeat = (heartbeat > Duration::ZERO).then(|| (heartbeat, now + heartbeat));
                out.perform.push(Action::Welcomed(worker));
            }
            ToWorker::AddPeer(peer) => out.perform.push(Action::AddPeer(peer)),
            ToWorker::RemovePeer(peer) => {
                self.on_peer_removed(peer, out);
                out.perform.push(Action::RemovePeer(peer));
            }
            ToWorker::DefineGraph { graph, tenant, functions, data, settings } => {
                self.on_graph_defined(graph, tenant, Definition { functions, data, settings }, out);
            }
            ToWorker::ExtendGraph { graph, functions, data, settings } => {
                self.on_graph_extended(graph, Definition { functions, data, settings }, out);
            }
            ToWorker::ForgetGraph(graph) => self.forget_graph(graph, out),
            ToWorker::AssignTasks { graph, tasks } => self.assign(graph, tasks, out),
            ToWorker::CancelAttempts(attempts) => self.cancel(&attempts, out),
            ToWorker::RetractAttempts(attempts) => self.retract(attempts, out),
            ToWorker::UpdateInput { attempt, input } => self.update_input(attempt, input, out),
            ToWorker::ReleaseResults { graph, tasks } => self.release(graph, &tasks, out),
            ToWorker::Shutdown => {
                self.may_go = true;
                self.drain(out);
            }
            ToWorker::Drain => self.drain(out),
            ToWorker::LoadData { graph, data } => self.load_data(graph, &data, out),
            ToWorker::LoadComponents { client, components } => self.preload(client, components, out),
            ToWorker::FetchReplicas { graph, results } => self.fetch_replicas(graph, results, out),
        }
    }

    /// The id under which the shell keeps a result that is here.
    pub fn held(&self, graph: GraphId, task: TaskIndex) -> Option<ResultId> {
        let result = self.graphs[*self.graph_keys.get(&graph)?].results.get(task)?;
        (self.results[result].arrival == Arrival::Held).then_some(result)
    }

    /// The key of a graph that is defined here.
    pub fn graph_key(&self, graph: GraphId) -> Option<GraphKey> {
        self.graph_keys.get(&graph).copied()
    }

    /// Bytes of the results that are here.
    pub fn held_bytes(&self) -> u64 {
        self.held_bytes
    }

    /// Attempts that were assigned here and have not ended.
    pub fn attempt_count(&self) -> usize {
        self.attempts.len()
    }

    /// Orders about attempts that this worker does not have (any more), so far.
    pub fn stale_count(&self) -> u64 {
        self.stale
    }

    /// How often attempts made each of [`STEPS`].
    pub fn steps(&self) -> &Steps {
        &self.steps
    }

    /// Whether the worker has left.
    pub fn has_left(&self) -> bool {
        self.has_left
    }
}
