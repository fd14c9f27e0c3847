//! The real scheduler core in a shell of values: the same translation between events, actions and messages as
//! `scheduler/src/actor` makes, without connections and clients.

mod brief;
mod copies;
mod delegated;

use self::brief::brief;
use crate::coverage::Coverage;
use crate::gangs::Watch;
use crate::promises::Promises;
use crate::reference::Estimates;
use crate::scheduler::{Offer, Relay, Scheduler};
use crate::work::{Work, settings_of};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wasm_tasks_protocol::ids::{Attempt, GraphId, TaskIndex, TenantId, WorkerId};
use wasm_tasks_protocol::limits::INLINE_BYTES_MAX;
use wasm_tasks_protocol::message::{Assignment, FromWorker, FunctionSpec, Input, InputSource, PeerAddress, Priority, ToWorker};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_protocol::{ErrorCode, Time};
use wasm_tasks_scheduler_core::{
    Action, Actions, AssignedInput, DrainSummary, Event, GraphIndex, GraphPlan, InputAt, OutputOutcome, SchedulerCore, TaskId,
    WorkerPlan,
};

#[derive(Debug)]
struct ShellGraph {
    id: GraphId,
    index: GraphIndex,
    work: Arc<Work>,
    plan: GraphPlan,
    functions: Vec<FunctionSpec>,
    /// Pieces that were submitted.
    pieces: usize,
    /// How many functions and settings each worker was told of.
    defined_at: BTreeMap<WorkerId, [usize; 2]>,
    inline: BTreeMap<TaskIndex, Bytes>,
}

impl ShellGraph {
    /// What is in a task's place by now.
    fn now(&self, mut task: TaskIndex) -> TaskIndex {
        let come = &self.work.delegations[..(self.pieces - 1).min(self.work.delegations.len())];
        while let Some(delegation) = come.iter().find(|delegation| delegation.by == task) {
            task = delegation.output;
        }
        task
    }

    /// A task and those whose place it took.
    fn names_of(&self, task: TaskIndex) -> impl Iterator<Item = TaskIndex> + '_ {
        let by = self.work.delegations.iter().map(|delegation| delegation.by);
        std::iter::once(task).chain(by.filter(move |by| *by != task && self.now(*by) == task))
    }

    /// How many functions and settings the tasks have that were submitted so far.
    fn tables(&self) -> [usize; 2] {
        let tasks = self.work.end_of(self.pieces - 1);
        let functions = self.plan.functions[..tasks].iter().max().map_or(0, |last| *last as usize + 1);
        [functions, settings_of(&self.plan, tasks)]
    }
}

/// What clients were told.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The last word on each output.
    pub outputs: BTreeMap<(GraphId, TaskIndex), OutputOutcome>,
    /// Tasks that failed of their own, with the number of attempts.
    pub failures: BTreeMap<(GraphId, TaskIndex), (ErrorCode, u32)>,
    /// Graphs that are finished, and whether they were cancelled.
    pub finished: BTreeMap<GraphId, bool>,
    /// Outputs that the client let go of.
    pub let_go: BTreeSet<(GraphId, TaskIndex)>,
    /// Tasks that clients wanted stopped.
    pub cancelled: BTreeSet<(GraphId, TaskIndex)>,
    /// Attempts that failed for reasons of workers.
    pub faults: BTreeMap<(GraphId, TaskIndex), u32>,
    /// Workers that were let go, and what became of their results.
    pub drains: Vec<(WorkerId, DrainSummary)>,
    /// Deaths of workers that had each task.
    pub deaths: BTreeMap<(GraphId, TaskIndex), u32>,
    /// Of these, those of the only worker that had the task, which missed nothing there.
    pub blamed: BTreeMap<(GraphId, TaskIndex), u32>,
}

/// The core and what its shell keeps.
#[derive(Debug)]
pub struct CoreShell {
    /// The core.
    pub core: SchedulerCore,
    actions: Actions,
    graphs: Vec<Option<ShellGraph>>,
    arriving: Option<(Arc<Work>, GraphPlan)>,
    /// Connected workers, with the messages of this turn.
    workers: BTreeMap<WorkerId, Vec<ToWorker>>,
    /// What clients were told.
    pub told: Told,
    /// What was promised on the way.
    pub promises: Promises,
    /// What happened so far.
    pub coverage: Coverage,
    /// Check invariants after every so many events; 0: never.
    pub check_every: u64,
    /// Gives nanoseconds, to measure the core's own time.
    pub clock: Option<fn() -> u64>,
    /// The core's own time.
    pub core_nanos: u64,
    /// What the core is told of durations and sizes; nothing unless it is set.
    pub estimates: Option<Estimates>,
    /// Reports that came, for those that come again.
    pub reports: Vec<(WorkerId, FromWorker)>,
    /// Attempts that were assigned, for reports by others.
    pub assigned: Vec<(WorkerId, Attempt)>,
    /// How members of gangs are sent.
    pub gangs: Watch,
    /// What the core was told and what it wanted, when asked for.
    pub trace: Option<Vec<String>>,
}

impl CoreShell {
    /// A scheduler without workers.
    pub fn new(check_every: u64) -> CoreShell {
        CoreShell {
            core: SchedulerCore::new(&wasm_tasks_scheduler_core::Settings { first_serial: 1 }),
            actions: Actions::new(),
            graphs: Vec::new(),
            arriving: None,
            workers: BTreeMap::new(),
            told: Told::default(),
            promises: Promises::default(),
            coverage: Coverage::default(),
            check_every,
            clock: None,
            core_nanos: 0,
            estimates: None,
            reports: Vec::new(),
            assigned: Vec::new(),
            gangs: Watch::default(),
            trace: None,
        }
    }

    /// Gives the core an event and carries out what it answers.
    pub fn event(&mut self, now: Time, event: Event) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>10} scheduler < {}", now.0, brief(&event)));
        }
        if matches!(event, Event::Settle) {
            let core = &self.core;
            self.promises.on_placement(|worker| core.worker_load(worker).map_or(0, |(attempts, _)| attempts));
        }
        let mut actions = std::mem::take(&mut self.actions);
        let begun = self.clock.map(|clock| clock());
        self.core.handle(now, event, &mut actions);
        if let (Some(clock), Some(begun)) = (self.clock, begun) {
            self.core_nanos += clock() - begun;
        }
        self.coverage.events += 1;
        self.coverage.note(now, self.core.counters());
        if self.check_every > 0 && self.coverage.events.is_multiple_of(self.check_every) {
            self.core.check_invariants();
            self.coverage.checked += 1;
        }
        for action in actions.drain() {
            if let Some(trace) = &mut self.trace {
                trace.push(format!("{:>10} scheduler > {action:?}", now.0));
            }
            self.perform(now, action);
        }
        self.coverage.gangs += self.gangs.check(&self.core);
        self.actions = actions;
    }

    fn perform(&mut self, now: Time, action: Action) {
        match action {
            Action::GraphAccepted { graph, index } => {
                let (work, plan) = self.arriving.take().expect("graphs are accepted one after the other");
                let slot = index.slot();
                if self.graphs.len() <= slot {
                    self.graphs.resize_with(slot + 1, || None);
                }
                let functions = work.functions();
                let (defined_at, inline) = (BTreeMap::new(), BTreeMap::new());
                self.graphs[slot] = Some(ShellGraph { id: graph, index, work, plan, functions, pieces: 1, defined_at, inline });
            }
            Action::Assign { worker, task, attempt, settings, priority, inputs } => {
                self.promises.on_told(worker, attempt, &inputs);
                self.assign(worker, task, attempt, settings, priority, &inputs);
            }
            Action::Cancel { worker, attempt } => self.send(worker, ToWorker::CancelAttempts(vec![attempt])),
            Action::Retract { worker, attempts } => {
                for attempt in &attempts {
                    if let Some(task) = self.task_of(worker, *attempt) {
                        self.promises.on_asked(now, worker, *attempt, task);
                    }
                }
                self.send(worker, ToWorker::RetractAttempts(attempts));
            }
            Action::UpdateInput { worker, attempt, input, graph } => {
                if let Some(graph) = self.graph_of(graph) {
                    let input = wire_input(graph, &input);
                    self.send(worker, ToWorker::UpdateInput { attempt, input });
                }
            }
            Action::Release { worker, task } => {
                let Some(graph) = self.graph_of(task.graph).map(|graph| graph.id) else { return };
                self.promises.on_release(&self.core, worker, task, graph);
                self.send(worker, ToWorker::ReleaseResults { graph, tasks: vec![task.task] });
            }
            Action::Replicate { worker, task, size, holders } => self.replicate(worker, task, size, holders),
            Action::Drain { worker } => self.send(worker, ToWorker::Drain),
            Action::Dismiss { worker, summary } => {
                self.promises.on_dismissed(worker, &summary);
                self.told.drains.push((worker, summary));
                self.send(worker, ToWorker::Shutdown);
            }
            Action::ReleaseInline(task) => {
                if let Some(graph) = self.graph_of_mut(task.graph) {
                    graph.inline.remove(&task.task);
                }
            }
            Action::Output { task, outcome } => {
                if let Some(graph) = self.graph_of(task.graph) {
                    let names: Vec<TaskIndex> = graph.names_of(task.task).collect();
                    let id = graph.id;
                    self.told.outputs.extend(names.into_iter().map(|name| ((id, name), outcome)));
                }
            }
            Action::TaskFailed { task, code, attempts, .. } => {
                if let Some(graph) = self.graph_of(task.graph).map(|graph| graph.id) {
                    self.told.failures.insert((graph, task.task), (code, attempts));
                }
            }
            Action::GraphFinished { graph, is_cancelled, is_overdue, .. } => {
                if let Some(graph) = self.graph_of(graph).map(|graph| graph.id) {
                    self.promises.on_finished(now, graph, is_overdue);
                    self.told.finished.insert(graph, is_cancelled);
                }
            }
            Action::GraphForgotten { graph, index, .. } => {
                if let Some(forgotten) = self.graphs[index.slot()].take() {
                    for worker in forgotten.defined_at.into_keys() {
                        self.send(worker, ToWorker::ForgetGraph(graph));
                    }
                }
            }
        }
    }

    fn send(&mut self, worker: WorkerId, message: ToWorker) {
        // A worker that is gone has lost everything that this could change.
        if let Some(outbox) = self.workers.get_mut(&worker) {
            outbox.push(message);
        }
    }

    fn replicate(&mut self, worker: WorkerId, id: TaskId, size: u64, holders: Vec<WorkerId>) {
        self.promises.on_told_at_last(worker, id.task);
        self.define(worker, id.graph);
        let Some(graph) = self.graph_of(id.graph).map(|graph| graph.id) else { return };
        let results = vec![Input { task: id.task, size, source: InputSource::At(holders) }];
        self.send(worker, ToWorker::FetchReplicas { graph, results });
    }

    /// Tells a worker of a graph that it does not know.
    fn define(&mut self, worker: WorkerId, graph: GraphIndex) {
        let graph = self.graphs[graph.slot()].as_mut().expect("tasks are of graphs that are there");
        let Some(outbox) = self.workers.get_mut(&worker) else { return };
        let all = graph.tables();
        let (functions, settings) = (&graph.functions, &graph.plan.settings);
        match graph.defined_at.insert(worker, all) {
            Some(told) if told == all => {}
            Some(told) => outbox.push(ToWorker::ExtendGraph {
                graph: graph.id,
                functions: functions[told[0]..all[0]].to_vec(),
                data: Vec::new(),
                settings: settings[told[1]..all[1]].to_vec(),
            }),
            None => outbox.push(ToWorker::DefineGraph {
                graph: graph.id,
                tenant: TenantId::DEFAULT,
                functions: functions[..all[0]].to_vec(),
                data: Vec::new(),
                settings: settings[..all[1]].to_vec(),
            }),
        }
    }

    fn assign(
        &mut self,
        worker: WorkerId,
        id: TaskId,
        attempt: Attempt,
        settings: u32,
        priority: Priority,
        inputs: &[AssignedInput],
    ) {
        self.define(worker, id.graph);
        self.promises.on_assigned(worker, !inputs.iter().any(|input| matches!(input.at, InputAt::Workers(_))));
        let graph = self.graphs[id.graph.slot()].as_mut().expect("tasks are of graphs that are there");
        let Some(outbox) = self.workers.get_mut(&worker) else { return };
        if self.check_every > 0 {
            self.assigned.push((worker, attempt));
        }
        self.gangs.note(graph.id, &graph.work, id, worker);
        let position = id.task.0 as usize;
        let assignment = Assignment {
            task: id.task,
            attempt,
            function: graph.plan.functions[position],
            settings,
            priority,
            args: Bytes::new(),
            inputs: inputs.iter().map(|input| wire_input(graph, input)).collect(),
        };
        let id = graph.id;
        if let Some(ToWorker::AssignTasks { graph, tasks }) = outbox.last_mut()
            && *graph == id
        {
            tasks.push(assignment);
        } else {
            outbox.push(ToWorker::AssignTasks { graph: id, tasks: vec![assignment] });
        }
    }

    fn graph_of(&self, index: GraphIndex) -> Option<&ShellGraph> {
        self.graphs.get(index.slot())?.as_ref().filter(|graph| graph.index == index)
    }

    fn graph_of_mut(&mut self, index: GraphIndex) -> Option<&mut ShellGraph> {
        self.graphs.get_mut(index.slot())?.as_mut().filter(|graph| graph.index == index)
    }

    /// The next piece of a graph comes, where one is left and the graph takes it.
    pub fn on_extended(&mut self, now: Time, graph: GraphId) {
        let Some(index) = self.core.graph_index(graph) else { return };
        if self.told.finished.get(&graph) == Some(&true) {
            return;
        }
        let takes = |known: &&mut ShellGraph| known.pieces <= known.work.cuts.len() && known.work.delegations.is_empty();
        let Some(known) = self.graph_of_mut(index).filter(takes) else { return };
        let plan = known.work.piece(&known.plan, known.pieces);
        known.pieces += 1;
        // Its end is told again.
        self.told.finished.remove(&graph);
        self.event(now, Event::GraphExtended { graph, plan });
    }

    /// How many tasks of a graph were submitted.
    pub fn submitted(&self, graph: GraphId) -> usize {
        let known = self.core.graph_index(graph).and_then(|index| self.graph_of(index));
        known.map_or(0, |known| known.work.end_of(known.pieces - 1))
    }

    /// An output of a graph is not needed any more, whether it is there or not.
    pub fn let_go(&mut self, now: Time, graph: GraphId, pick: u64) {
        let submitted = self.submitted(graph);
        let known = self.core.graph_index(graph).and_then(|index| self.graph_of(index));
        let takes = |known: &&ShellGraph| known.pieces > known.work.cuts.len() || !known.work.delegations.is_empty();
        let Some(known) = known.filter(takes) else { return };
        let outputs: Vec<TaskIndex> =
            known.work.outputs.iter().copied().filter(|output| (output.0 as usize) < submitted).collect();
        if outputs.is_empty() {
            return;
        }
        let output = outputs[(pick % outputs.len() as u64) as usize];
        self.told.let_go.insert((graph, output));
        self.event(now, Event::OutputsReleased { graph, tasks: vec![output] });
    }

    /// A worker is to leave, as an operator may say.
    pub fn on_drain(&mut self, now: Time, worker: WorkerId, within: Option<Duration>, gives_up: bool) {
        self.promises.on_drain(worker, gives_up);
        self.event(now, Event::DrainWorker { worker, within, gives_up });
    }

    /// The task of a live attempt that this very worker has.
    fn task_of(&self, worker: WorkerId, attempt: Attempt) -> Option<(GraphId, TaskIndex)> {
        let id = self.core.attempt_task(worker, attempt)?;
        Some((self.graph_of(id.graph)?.id, id.task))
    }

    /// Stops tasks, as a client may.
    pub fn on_tasks_cancelled(&mut self, now: Time, graph: GraphId, tasks: Vec<TaskIndex>) {
        self.told.cancelled.extend(tasks.iter().map(|task| (graph, *task)));
        // What took their places is stopped.
        if let Some(known) = self.core.graph_index(graph).and_then(|index| self.graph_of(index)) {
            let now: Vec<_> = tasks.iter().map(|task| (graph, known.now(*task))).collect();
            self.told.cancelled.extend(now);
        }
        self.event(now, Event::TasksCancelled { graph, tasks });
    }

    /// The value of a result that the shell has.
    pub fn inline(&self, graph: GraphId, task: TaskIndex) -> Option<&Bytes> {
        self.graph_of(self.core.graph_index(graph)?)?.inline.get(&task)
    }

    /// How many small results the shell keeps.
    pub fn inline_count(&self, graph: GraphId) -> usize {
        self.core.graph_index(graph).and_then(|index| self.graph_of(index)).map_or(0, |graph| graph.inline.len())
    }
}

impl Scheduler for CoreShell {
    fn on_submitted(&mut self, now: Time, graph: GraphId, work: &Arc<Work>) {
        let mut whole = work.plan();
        if let Some(estimates) = self.estimates {
            work.expect(estimates, &mut whole);
        }
        let plan = work.piece(&whole, 0);
        self.arriving = Some((Arc::clone(work), whole));
        if let Some(after) = plan.deadline {
            self.promises.on_deadline(graph, now + after);
        }
        self.event(now, Event::GraphSubmitted { graph, plan });
    }

    fn on_cancelled(&mut self, now: Time, graph: GraphId) {
        self.event(now, Event::GraphCancelled(graph));
    }

    fn on_released(&mut self, now: Time, graph: GraphId) {
        self.event(now, Event::GraphReleased(graph));
    }

    fn on_joined(&mut self, now: Time, worker: WorkerId, offer: &Offer) {
        let welcome = ToWorker::Welcome { worker, heartbeat: Duration::ZERO };
        let peer = |worker: WorkerId| ToWorker::AddPeer(PeerAddress { worker, addresses: Vec::new() });
        let mut outbox = vec![welcome];
        for (other, messages) in &mut self.workers {
            messages.push(peer(worker));
            outbox.push(peer(*other));
        }
        self.workers.insert(worker, outbox);
        let plan = WorkerPlan {
            slots_milli: u64::from(offer.slots) * 1_000,
            memory_bytes: offer.memory_bytes,
            labels: offer.labels.clone(),
            pools: offer.pools.clone(),
            round_trip: offer.round_trip,
            leaves_at: offer.lifetime.map(|lifetime| now + lifetime),
        };
        self.event(now, Event::WorkerJoined { worker, plan });
    }

    fn on_said(&mut self, now: Time, worker: WorkerId, message: FromWorker) {
        let repeats =
            !matches!(message, FromWorker::ReplicasAdded { .. } | FromWorker::Draining { .. } | FromWorker::MemoryShort(_));
        if self.check_every > 0 && repeats {
            self.reports.push((worker, message.clone()));
        }
        match message {
            FromWorker::AttemptsFinished(finished) => {
                for report in finished {
                    if let Some(task) = self.task_of(worker, report.attempt) {
                        self.promises.on_done(task);
                    }
                    let inline = report.inline.filter(|_| report.size <= INLINE_BYTES_MAX as u64);
                    let is_inline = inline.is_some();
                    if let Some(id) = self.core.attempt_task(worker, report.attempt)
                        && let Some(graph) = self.graph_of_mut(id.graph)
                        && let Some(bytes) = inline
                    {
                        graph.inline.insert(id.task, bytes);
                    }
                    let (attempt, size, run) = (report.attempt, report.size, report.run);
                    let memory_peak_bytes = report.memory_peak_bytes;
                    self.event(now, Event::AttemptFinished { worker, attempt, size, run, memory_peak_bytes, is_inline });
                }
            }
            FromWorker::AttemptDelegated(report) => self.on_delegated(now, worker, &report),
            FromWorker::AttemptFailed(failed) => {
                let (attempt, run, code) = (failed.attempt, failed.run, failed.error.code);
                if let Some(id) = self.core.attempt_task(worker, attempt)
                    && code == ErrorCode::WorkerFault
                    && let Some(graph) = self.graph_of(id.graph).map(|graph| graph.id)
                {
                    *self.told.faults.entry((graph, id.task)).or_default() += 1;
                }
                self.event(now, Event::AttemptFailed { worker, attempt, code, run });
            }
            FromWorker::Retracted { asked, returned } => {
                let tasks: Vec<_> = returned.iter().map(|attempt| (*attempt, self.task_of(worker, *attempt))).collect();
                let task = |of: Attempt| tasks.iter().find(|(attempt, _)| *attempt == of).and_then(|(_, task)| *task);
                self.promises.on_answered(now, worker, &asked, &returned, task);
                self.event(now, Event::Retracted { worker, asked, returned });
            }
            FromWorker::InputMissing { attempt, task, tried } => {
                self.promises.on_missing(worker, attempt, task, &tried);
                self.event(now, Event::InputMissing { worker, attempt, task, tried });
            }
            FromWorker::ReplicasAdded { graph, tasks } => self.event(now, Event::ReplicasAdded { worker, graph, tasks }),
            FromWorker::Leaving => self.event(now, Event::WorkerLeaving(worker)),
            FromWorker::MemoryShort(is_paused) => {
                self.promises.on_memory(worker, is_paused);
                self.event(now, Event::WorkerPaused { worker, is_paused });
            }
            FromWorker::Draining { within } => {
                self.promises.on_drain(worker, false);
                self.event(now, Event::WorkerDraining { worker, within });
            }
            FromWorker::ResultSpilled { graph, task, took } => {
                self.event(now, Event::ResultSpilled { worker, graph, task, took })
            }
            FromWorker::ComponentLoaded { digest, is_metered, took } => {
                self.event(now, Event::ComponentLoaded { worker, digest, is_metered, took })
            }
            FromWorker::ComponentUnloaded { digest, is_metered } => {
                self.event(now, Event::ComponentUnloaded { worker, digest, is_metered })
            }
            FromWorker::BytesFetched { bytes, took } => self.event(now, Event::BytesFetched { worker, bytes, took }),
            FromWorker::BytesGiven { bytes, took } => self.event(now, Event::BytesGiven { worker, bytes, took }),
            FromWorker::ReplicasMissing { graph, tasks } => {
                self.promises.on_ungettable(graph, &tasks);
                self.event(now, Event::ReplicasMissing { worker, graph, tasks });
            }
            FromWorker::AttemptsStarted(attempts) => {
                self.promises.on_started(worker, &attempts);
                self.event(now, Event::AttemptsStarted { worker, attempts });
            }
            FromWorker::Joined(_) | FromWorker::Heartbeat { .. } => {}
        }
    }

    fn on_gone(&mut self, now: Time, worker: WorkerId) {
        for graph in self.graphs.iter().flatten() {
            for position in 0..graph.work.tasks.len() as u32 {
                let task = TaskIndex(position);
                let id = TaskId { graph: graph.index, task };
                let Some(why) = self.core.explain(id).filter(|why| why.workers.contains(&worker)) else { continue };
                if why.state == wasm_tasks_scheduler_core::StateName::Assigned {
                    // Who waits for others of its gang has ended.
                    let runs = why.gang.is_none_or(|gang| !gang.has_ended);
                    let is_blamed = runs && why.workers == [worker] && why.missing.is_empty();
                    *self.told.deaths.entry((graph.id, task)).or_default() += u32::from(runs);
                    *self.told.blamed.entry((graph.id, task)).or_default() += u32::from(is_blamed);
                }
            }
        }
        self.promises.on_gone(worker);
        self.event(now, Event::WorkerLost(worker));
        self.workers.remove(&worker);
        self.workers.values_mut().for_each(|outbox| outbox.push(ToWorker::RemovePeer(worker)));
        for graph in self.graphs.iter_mut().flatten() {
            graph.defined_at.remove(&worker);
        }
    }

    fn end_turn(&mut self, now: Time) {
        if self.core.next_timeout().is_some_and(|(at, _)| at <= now) {
            self.event(now, Event::Tick);
        }
        if self.core.is_unsettled() {
            self.event(now, Event::Settle);
        }
        let (told, core) = (&self.told, &self.core);
        let is_open = |graph: GraphId| core.graph_index(graph).is_some() && !told.finished.contains_key(&graph);
        self.promises.on_turn_ended(now, is_open);
    }

    fn next_timeout(&self) -> Option<Time> {
        self.core.next_timeout().map(|(at, _)| at)
    }

    fn take_messages(&mut self) -> Vec<(WorkerId, Vec<ToWorker>)> {
        let full = self.workers.iter_mut().filter(|(_, outbox)| !outbox.is_empty());
        full.map(|(worker, outbox)| (*worker, std::mem::take(outbox))).collect()
    }

    fn relay(&self, graph: GraphId, task: TaskIndex) -> Relay {
        if let Some(value) = self.inline(graph, task) {
            return Relay::Here(value.clone());
        }
        let index = self.core.graph_index(graph);
        let holder = index.and_then(|graph| self.core.result_of(TaskId { graph, task })).and_then(|(_, holder)| holder);
        holder.map_or(Relay::Nowhere, Relay::At)
    }

    fn is_finished(&self) -> bool {
        self.graphs.iter().flatten().all(|graph| self.told.finished.contains_key(&graph.id))
    }
}

fn wire_input(graph: &ShellGraph, input: &AssignedInput) -> Input {
    let source = match &input.at {
        InputAt::Shell => {
            InputSource::Inline(graph.inline.get(&input.task).expect("the shell keeps what the core says it has").clone())
        }
        InputAt::Workers(workers) => InputSource::At(workers.clone()),
        InputAt::Pending(attempt) => InputSource::Pending(*attempt),
        InputAt::Later => InputSource::Later,
    };
    Input { task: input.task, size: input.size, source }
}
