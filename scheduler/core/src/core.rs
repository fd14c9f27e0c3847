//! The state machine's front: its tables, and which handler takes which event.

use crate::action::{Action, Actions};
use crate::attempt::AttemptTable;
use crate::claims;
use crate::dense_set::DenseSet;
use crate::drain::Drains;
use crate::event::Event;
use crate::fan::Fans;
use crate::gang::Report;
use crate::graph::Graph;
use crate::load_index::LoadIndex;
use crate::modules::Modules;
use crate::placement::reserve::Reservations;
use crate::placement::{End, Families};
use crate::queue::Queues;
use crate::stragglers::Stragglers;
use crate::task::{GraphIndex, State, TaskId};
use crate::transitions::delegate::Delegation;
use crate::worker::{Worker, WorkerIndex};
use std::collections::{BTreeMap, BTreeSet};
use wasm_tasks_protocol::ids::{GraphId, WorkerId};
use wasm_tasks_protocol::time::Time;

/// Fixed for the life of a core.
#[derive(Clone, Debug)]
pub struct Settings {
    /// First serial number of attempts: microseconds of the wall clock when the scheduler started.
    pub first_serial: u64,
}

/// What a timeout is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerName {
    /// A task that failed runs again.
    Retry,
    /// A worker that drains is let go, whatever it still has.
    Drain,
    /// A graph must have ended.
    Deadline,
    /// An attempt runs so long that it is looked at.
    Straggler,
    /// A round of placement ended before it had looked at all that waits.
    Placement,
}

/// What happened so far, for statistics and tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Reports on attempts that were over.
    pub stale_reports: u64,
    /// Results that were lost and made again.
    pub recomputed: u64,
    /// Tasks sent before their inputs existed.
    pub sent_ahead: u64,
    /// Tasks that a worker gave back.
    pub retracted: u64,
    /// Results that were moved from workers that left.
    pub moved: u64,
    /// Attempts that were begun beside others that took too long.
    pub copies: u64,
    /// Of these, those that ended first.
    pub copies_won: u64,
    /// Copies of results that were let go because others were enough.
    pub copies_dropped: u64,
    /// Steps of tasks, by the position of the transition in [`TRANSITIONS`](crate::TRANSITIONS).
    pub transitions: [u64; crate::TRANSITIONS.len()],
}

/// The scheduler's state. See the crate's documentation for its use.
#[derive(Debug)]
pub struct SchedulerCore {
    pub(crate) graphs: Vec<Option<Graph>>,
    pub(crate) free_graphs: Vec<u32>,
    pub(crate) graph_ids: BTreeMap<GraphId, GraphIndex>,
    pub(crate) next_generation: u32,
    pub(crate) workers: Vec<Option<Worker>>,
    pub(crate) worker_ids: BTreeMap<WorkerId, WorkerIndex>,
    /// Counts the changes of who is a worker.
    pub(crate) fleet: u64,
    /// Places in `workers` that nobody has.
    pub(crate) vacant_workers: DenseSet,
    /// Workers with room for ordinary tasks, by load.
    pub(crate) free_workers: LoadIndex,
    /// Workers with a slot that nothing was assigned to.
    pub(crate) idle_workers: DenseSet,
    /// Workers that have tasks which wait for a slot and could run elsewhere, by how long these wait.
    pub(crate) loaded_workers: LoadIndex,
    /// The same workers, by how many such tasks they have for each slot.
    pub(crate) crowded_workers: LoadIndex,
    /// Workers to which sending tasks ahead may go on.
    pub(crate) hungry_workers: DenseSet,
    /// Workers that keep tasks for later because their siblings are there.
    pub(crate) families: Families,
    pub(crate) attempts: AttemptTable,
    pub(crate) queues: Queues,
    pub(crate) reservations: Reservations,
    /// Where the search for workers that are liked goes on.
    pub(crate) liked_cursor: usize,
    pub(crate) resting: BTreeSet<(Time, TaskId)>,
    pub(crate) stragglers: Stragglers,
    pub(crate) fans: Fans,
    /// Slots of all workers, in thousandths.
    pub(crate) fleet_slots_milli: u64,
    pub(crate) drains: Drains,
    pub(crate) modules: Modules,
    /// Graphs that have a deadline which has not passed.
    pub(crate) deadlines: BTreeSet<(Time, GraphIndex)>,
    pub(crate) counters: Counters,
    pub(crate) is_unsettled: bool,
    /// The last round of placement left something to the next.
    pub(crate) is_round_short: bool,
    /// Bytes a second that links are taken to carry of which too little was measured.
    pub(crate) bandwidth: u64,
    pub(crate) rates: crate::placement::Rates<{ crate::placement::FLEET_RATES_KEPT }>,
    /// What tasks take over what is foreseen of them, at all workers.
    pub(crate) pace: crate::pace::Pace,
    /// Where inputs of the task that is being placed are.
    pub(crate) inputs: crate::placement::Inputs,
    pub(crate) now: Time,
}

impl SchedulerCore {
    /// A scheduler without graphs and workers.
    pub fn new(settings: &Settings) -> SchedulerCore {
        SchedulerCore {
            graphs: Vec::new(),
            free_graphs: Vec::new(),
            graph_ids: BTreeMap::new(),
            next_generation: 0,
            workers: Vec::new(),
            worker_ids: BTreeMap::new(),
            fleet: 0,
            vacant_workers: DenseSet::default(),
            free_workers: LoadIndex::default(),
            idle_workers: DenseSet::default(),
            loaded_workers: LoadIndex::default(),
            crowded_workers: LoadIndex::default(),
            hungry_workers: DenseSet::default(),
            families: Families::default(),
            attempts: AttemptTable::new(settings.first_serial),
            queues: Queues::default(),
            reservations: Reservations::default(),
            liked_cursor: 0,
            resting: BTreeSet::new(),
            stragglers: Stragglers::default(),
            fans: Fans::default(),
            fleet_slots_milli: 0,
            drains: Drains::default(),
            modules: Modules::default(),
            deadlines: BTreeSet::new(),
            counters: Counters::default(),
            is_unsettled: false,
            is_round_short: false,
            inputs: crate::placement::Inputs::default(),
            bandwidth: crate::placement::BANDWIDTH_GUESS,
            rates: crate::placement::Rates::default(),
            pace: crate::pace::Pace::default(),
            now: Time::default(),
        }
    }

    /// The only mutator. What comes from a peer is checked: a stale or invented report is counted and ignored.
    /// Time that goes back is taken as standing still.
    pub fn handle(&mut self, now: Time, event: Event, out: &mut Actions) {
        self.now = self.now.max(now);
        let now = self.now;
        // Time alone makes no room.
        if !matches!(event, Event::Settle | Event::Tick) {
            self.queues.look_again();
        }
        match event {
            Event::Settle => {
                self.settle(out);
                return;
            }
            Event::GraphSubmitted { graph, plan } => self.on_graph_submitted(graph, plan, out),
            Event::GraphExtended { graph, plan } => self.on_graph_extended(graph, plan, out),
            Event::OutputsReleased { graph, tasks } => self.on_outputs_released(graph, &tasks, out),
            Event::ReplicasWanted { graph, tasks, copies } => self.on_replicas_wanted(graph, &tasks, copies),
            Event::GraphCancelled(graph) => self.on_graph_cancelled(graph, out),
            Event::TasksCancelled { graph, tasks } => self.on_tasks_cancelled(graph, &tasks, out),
            Event::GraphReleased(graph) => self.on_graph_released(graph, out),
            Event::WorkerJoined { worker, plan } => self.on_worker_joined(worker, claims::plan(plan)),
            Event::WorkerLost(worker) => self.on_worker_lost(worker, out),
            Event::WorkerLeaving(worker) => self.on_worker_leaving(worker),
            Event::WorkerStored { worker, spilled_bytes } => self.on_worker_stored(worker, spilled_bytes),
            Event::WorkerPaused { worker, is_paused } => self.on_worker_paused(worker, is_paused),
            Event::WorkerDraining { worker, within } => {
                self.begin_drain(worker, within.map(|within| now + within), false);
            }
            Event::DrainWorker { worker, within, gives_up } => {
                if self.begin_drain(worker, within.map(|within| now + within), gives_up) {
                    out.push(Action::Drain { worker });
                }
            }
            Event::WorkerMeasured { worker, round_trip } => {
                if let Some(worker) = self.worker_ids.get(&worker).copied() {
                    self.worker_mut(worker).plan.round_trip = claims::round_trip(round_trip);
                    self.reindex(worker);
                }
            }
            Event::BytesFetched { worker, bytes, took } => {
                self.on_bytes_moved(worker, bytes, took, End::Fetches);
                // It frees nothing.
                return;
            }
            Event::ComponentLoaded { worker, digest, is_metered, took } => {
                self.on_component_loaded(worker, &digest, is_metered, took);
                // It frees nothing.
                return;
            }
            Event::ResultSpilled { worker, graph, task, took } => {
                self.on_result_spilled(worker, graph, task, took);
                return;
            }
            Event::ComponentUnloaded { worker, digest, is_metered } => {
                self.on_component_unloaded(worker, &digest, is_metered);
                return;
            }
            Event::BytesGiven { worker, bytes, took } => {
                self.on_bytes_moved(worker, bytes, took, End::Gives);
                return;
            }
            Event::AttemptFinished { worker, attempt, size, run, memory_peak_bytes, is_inline } => {
                let (size, run) = (claims::size(size), claims::run(run));
                let report = Report { size, run, memory_peak_bytes: claims::memory_bytes(memory_peak_bytes), is_inline };
                match self.find_attempt(worker, attempt) {
                    Some(index) => self.on_attempt_finished(index, report, out),
                    None => self.counters.stale_reports += 1,
                }
            }
            Event::AttemptDelegated { worker, attempt, run, memory_peak_bytes, plan, output } => {
                let (run, memory_peak_bytes) = (claims::run(run), claims::memory_bytes(memory_peak_bytes));
                match self.find_attempt(worker, attempt) {
                    Some(index) => self.on_attempt_delegated(index, Delegation { run, memory_peak_bytes, plan, output }, out),
                    None => self.counters.stale_reports += 1,
                }
            }
            Event::AttemptFailed { worker, attempt, code, run } => match self.find_attempt(worker, attempt) {
                Some(index) => self.on_attempt_failed(now, index, code, claims::run(run), out),
                None => self.counters.stale_reports += 1,
            },
            Event::AttemptsStarted { worker, attempts } => {
                self.on_attempts_started(now, worker, &attempts);
                // It frees nothing, but what waits behind them may be of use to a worker that idles.
                if self.idle_workers.is_empty() || self.loaded_workers.is_empty() {
                    return;
                }
            }
            Event::Retracted { worker, asked, returned } => self.on_retracted(worker, &asked, &returned, out),
            Event::InputMissing { worker, attempt, task, tried } => match self.find_attempt(worker, attempt) {
                Some(index) => self.on_input_missing(index, task, &tried, out),
                None => self.counters.stale_reports += 1,
            },
            Event::ReplicasAdded { worker, graph, tasks } => self.on_replicas_added(worker, graph, &tasks, out),
            Event::ResultUnreadable { worker, graph, task } => self.on_result_unreadable(worker, graph, task, out),
            Event::ReplicasMissing { worker, graph, tasks } => self.on_replicas_missing(worker, graph, &tasks),
            Event::Tick => {
                self.on_tick(now, out);
                self.end_overdue_drains(now, out);
                self.look_for_stragglers();
            }
        }
        self.is_unsettled = true;
    }

    /// When to call [`handle`](SchedulerCore::handle) with [`Event::Tick`] at the latest, and what for.
    pub fn next_timeout(&self) -> Option<(Time, TimerName)> {
        let retry = self.resting.first().map(|(at, _)| (*at, TimerName::Retry));
        let drain = self.drains.next_deadline().map(|at| (at, TimerName::Drain));
        let deadline = self.deadlines.first().map(|(at, _)| (*at, TimerName::Deadline));
        let straggler = self.stragglers.next_look().map(|at| (at, TimerName::Straggler));
        let placement = self.is_round_short.then_some((self.now, TimerName::Placement));
        [retry, drain, deadline, straggler, placement].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// What happened so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The index of a graph.
    pub fn graph_index(&self, graph: GraphId) -> Option<GraphIndex> {
        self.graph_ids.get(&graph).copied()
    }

    /// How a graph stands.
    pub fn graph_counts(&self, graph: GraphIndex) -> Option<&crate::GraphCounts> {
        self.graph_at(graph).map(|graph| &graph.counts)
    }

    /// What was learnt of a graph's functions, by position.
    pub fn function_statistics(&self, graph: GraphIndex) -> &[crate::FunctionStatistics] {
        self.graph_at(graph).map_or(&[], |graph| &graph.functions)
    }

    /// Live attempts of a worker, and whether it takes new ones.
    pub fn worker_load(&self, worker: WorkerId) -> Option<(usize, bool)> {
        let worker = self.worker(*self.worker_ids.get(&worker)?);
        Some((worker.attempts.len(), !worker.is_leaving))
    }

    /// When a worker will leave, if that is known.
    pub fn worker_leaves_at(&self, worker: WorkerId) -> Option<Time> {
        self.worker(*self.worker_ids.get(&worker)?).plan.leaves_at
    }

    /// The task of a live attempt that this very worker has; none for a stale or invented number.
    pub fn attempt_task(&self, worker: WorkerId, attempt: wasm_tasks_protocol::Attempt) -> Option<TaskId> {
        self.find_attempt(worker, attempt).map(|index| self.attempts.at(index).task)
    }

    /// The task that took a task's place, which may be itself. None when the task is not known.
    pub fn stand_in(&self, id: TaskId) -> Option<TaskId> {
        let graph = self.graph_at(id.graph)?;
        graph.tasks.get(id.task.0 as usize)?;
        Some(TaskId { graph: id.graph, task: graph.stand_in(id.task) })
    }

    /// Where a task's result is, or that of the task in its place: its size, and a worker that has it.
    pub fn result_of(&self, id: TaskId) -> Option<(u64, Option<WorkerId>)> {
        let graph = self.graph_at(id.graph)?;
        match &graph.tasks.get(graph.stand_in(id.task).0 as usize)?.state {
            State::Done { size, holders, .. } => {
                Some((*size, holders.as_slice().first().map(|holder| self.worker(WorkerIndex(*holder)).id)))
            }
            State::Idle
            | State::Waiting
            | State::Queued
            | State::Assigned(_)
            | State::Resting { .. }
            | State::Failed { .. }
            | State::Delegated { .. } => None,
        }
    }

    /// Whether a shell must still send [`Event::Settle`].
    pub fn is_unsettled(&self) -> bool {
        self.is_unsettled
    }

    /// A live attempt that this very worker has, and has not reported yet.
    pub(crate) fn find_attempt(&self, worker: WorkerId, attempt: wasm_tasks_protocol::Attempt) -> Option<u32> {
        let index = self.attempts.find(attempt)?;
        (self.worker(self.attempts.at(index).worker).id == worker && self.report_of(index).is_none()).then_some(index)
    }

    pub(crate) fn graph_at(&self, index: GraphIndex) -> Option<&Graph> {
        self.graphs.get(index.slot as usize)?.as_ref().filter(|graph| graph.index == index)
    }

    /// A graph that something live refers to.
    pub(crate) fn graph(&self, index: GraphIndex) -> &Graph {
        self.graph_at(index).expect("attempts and queues of a forgotten graph are gone")
    }

    pub(crate) fn graph_mut(&mut self, index: GraphIndex) -> &mut Graph {
        self.graphs[index.slot as usize].as_mut().expect("attempts and queues of a forgotten graph are gone")
    }

    pub(crate) fn worker(&self, index: WorkerIndex) -> &Worker {
        self.workers[index.0 as usize].as_ref().expect("a lost worker's attempts and replicas are gone")
    }

    pub(crate) fn worker_mut(&mut self, index: WorkerIndex) -> &mut Worker {
        self.workers[index.0 as usize].as_mut().expect("a lost worker's attempts and replicas are gone")
    }
}
