//! Carries out what the core wants done.

use super::{Actor, WorkerLink};
use crate::graphs::ShellGraph;
use crate::scheduler::judged;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Instant;
use wasm_tasks_judge::Asker;
use wasm_tasks_protocol::error::{ErrorCode, TaskError};
use wasm_tasks_protocol::ids::{Attempt, GraphId, TaskIndex, WorkerId};
use wasm_tasks_protocol::message::{
    Assignment, GraphState, GraphSummary, Input, InputSource, OutputResult, Priority, TaskFailure, ToClient, ToWorker,
};
use wasm_tasks_scheduler_core::{
    Action, AssignedInput, FunctionStatistics, GraphCounts, GraphIndex, InputAt, OutputOutcome, TaskId,
};

/// What the core says of an assignment, besides who gets which task.
struct Assigned<'a> {
    attempt: Attempt,
    settings: u32,
    priority: Priority,
    inputs: &'a [AssignedInput],
}

impl Actor {
    pub(super) fn perform(&mut self, action: Action) {
        match action {
            Action::GraphAccepted { graph, index } => {
                if let Some((id, prepared, session)) = self.arriving.take() {
                    assert!(id == graph, "graphs are accepted one after the other");
                    let slot = index.slot();
                    if self.graphs.len() <= slot {
                        self.graphs.resize_with(slot + 1, || None);
                    }
                    let asker = self.sessions.get(&session).map(|client| judged(client.outbox.peer(), session));
                    let asker = asker.unwrap_or_else(|| Asker::new("clients that went", session.0));
                    self.graphs[slot] = Some(ShellGraph::new(graph, index, prepared, session, asker));
                    self.note_change(index);
                }
            }
            Action::Assign { worker, task, attempt, settings, priority, inputs } => {
                self.assign(worker, task, Assigned { attempt, settings, priority, inputs: &inputs });
            }
            Action::Cancel { worker, attempt } => {
                self.to_worker(worker, |last| match last {
                    Some(ToWorker::CancelAttempts(list)) => {
                        list.push(attempt);
                        None
                    }
                    _ => Some(ToWorker::CancelAttempts(vec![attempt])),
                });
            }
            Action::Retract { worker, attempts } => self.to_worker(worker, |_| Some(ToWorker::RetractAttempts(attempts))),
            Action::UpdateInput { worker, attempt, input, graph } => {
                if let Some(graph) = self.graph_of(graph) {
                    let input = wire_input(graph, &input);
                    self.to_worker(worker, |_| Some(ToWorker::UpdateInput { attempt, input }));
                }
            }
            Action::Release { worker, task } => {
                let Some(graph) = self.graph_of(task.graph).map(|graph| graph.id) else { return };
                self.to_worker(worker, |last| match last {
                    Some(ToWorker::ReleaseResults { graph: known, tasks }) if *known == graph => {
                        tasks.push(task.task);
                        None
                    }
                    _ => Some(ToWorker::ReleaseResults { graph, tasks: vec![task.task] }),
                });
            }
            Action::Replicate { worker, task, size, holders } => self.replicate(worker, task, size, holders),
            Action::Drain { worker } => self.to_worker(worker, |_| Some(ToWorker::Drain)),
            Action::Dismiss { worker, summary } => self.on_dismissed(worker, summary),
            Action::ReleaseInline(task) => {
                if let Some(graph) = self.graph_of(task.graph) {
                    graph.inline.remove(&task.task);
                }
            }
            Action::Output { task, outcome } => self.on_output(task, outcome),
            Action::TaskFailed { task, code, worker, attempts, dependents } => {
                self.on_task_failed(task, code, worker, attempts, dependents)
            }
            Action::GraphFinished { graph, counts, is_cancelled, is_overdue } => {
                self.on_graph_finished(graph, &counts, is_cancelled, is_overdue);
            }
            Action::GraphForgotten { graph, index, .. } => {
                if let Some(forgotten) = self.graphs[index.slot()].take() {
                    forgotten.is_over.store(true, Ordering::Relaxed);
                    for worker in forgotten.defined_at.into_keys() {
                        self.to_worker(worker, |_| Some(ToWorker::ForgetGraph(graph)));
                    }
                }
            }
        }
    }

    /// Adds a message for a worker; `make` may extend the last one of this turn instead.
    fn to_worker(&mut self, worker: WorkerId, make: impl FnOnce(Option<&mut ToWorker>) -> Option<ToWorker>) {
        // A worker that is gone has lost everything that this could change.
        if let Some(link) = self.workers.get_mut(&worker)
            && let Some(message) = make(link.outbox.last_mut())
        {
            link.outbox.push(message);
        }
    }

    fn assign(&mut self, worker: WorkerId, id: TaskId, assigned: Assigned<'_>) {
        let Some(graph) = self.graphs[id.graph.slot()].as_mut() else { return };
        let Some(link) = self.workers.get_mut(&worker) else { return };
        define(graph, worker, link);
        let task = graph.parts.task(id.task);
        let assignment = Assignment {
            task: id.task,
            attempt: assigned.attempt,
            function: task.function_index(),
            settings: assigned.settings,
            priority: assigned.priority,
            args: graph.arguments(id.task),
            inputs: wire_inputs(graph, assigned.inputs, graph.places.is_any_taken(task.dependencies())),
        };
        let id = graph.id;
        let bytes = assignment_bytes(&assignment);
        match link.outbox.last_with_room(bytes) {
            Some(ToWorker::AssignTasks { graph, tasks }) if *graph == id => tasks.push(assignment),
            _ => link.outbox.push_sized(ToWorker::AssignTasks { graph: id, tasks: vec![assignment] }, bytes),
        }
    }

    /// Tells a worker to fetch a result; many in one message, but not so many that it grows beyond what a message may be.
    fn replicate(&mut self, worker: WorkerId, id: TaskId, size: u64, holders: Vec<WorkerId>) {
        const RESULTS_MAX: usize = 4_096;
        let Some(graph) = self.graphs[id.graph.slot()].as_mut() else { return };
        let Some(link) = self.workers.get_mut(&worker) else { return };
        define(graph, worker, link);
        let input = Input { task: id.task, size, source: InputSource::At(holders) };
        match link.outbox.last_mut() {
            Some(ToWorker::FetchReplicas { graph: known, results }) if *known == graph.id && results.len() < RESULTS_MAX => {
                results.push(input);
            }
            _ => link.outbox.push(ToWorker::FetchReplicas { graph: graph.id, results: vec![input] }),
        }
    }

    /// Tells all workers to fetch data entries; those that come later fetch them when they need them.
    pub(super) fn broadcast(&mut self, graph: GraphId, data: &[u32]) {
        let Some(graph) = self.core.graph_index(graph).and_then(|index| self.graphs[index.slot()].as_mut()) else { return };
        let numbering = graph.parts.numbering();
        let data: Vec<u32> = data.iter().filter_map(|entry| numbering.position(*entry, |extent| extent.data)).collect();
        if data.is_empty() {
            return;
        }
        let joined = self.workers.iter().filter(|(_, link)| link.offer.is_some()).map(|(worker, _)| *worker);
        for worker in joined.collect::<Vec<_>>() {
            if let Some(link) = self.workers.get_mut(&worker) {
                define(graph, worker, link);
                link.outbox.push(ToWorker::LoadData { graph: graph.id, data: data.clone() });
            }
        }
    }

    fn on_output(&mut self, id: TaskId, outcome: OutputOutcome) {
        let Some(graph) = self.graphs[id.graph.slot()].as_mut() else { return };
        let positions: Vec<u32> = graph.owed.positions_of(id.task).collect();
        for position in positions {
            let result = match outcome {
                OutputOutcome::Failed => OutputResult::Failed,
                OutputOutcome::Ready { size, .. } => graph.inline_output(position).unwrap_or(OutputResult::Stored { size }),
            };
            if !graph.owed.settle(position, &result) {
                continue;
            }
            for follower in &graph.followers {
                let Some(session) = self.sessions.get_mut(follower) else { continue };
                let bytes = output_bytes(&result);
                match session.outbox.last_with_room(bytes) {
                    Some(ToClient::Outputs { graph: known, outputs }) if *known == graph.id => {
                        outputs.push((position, result.clone()));
                    }
                    _ => {
                        let outputs = vec![(position, result.clone())];
                        session.outbox.push_sized(ToClient::Outputs { graph: graph.id, outputs }, bytes);
                    }
                }
            }
        }
    }

    fn on_task_failed(&mut self, id: TaskId, code: ErrorCode, worker: Option<WorkerId>, attempts: u32, dependents: u32) {
        let name = worker.map(|worker| self.worker_name(worker));
        let Some(graph) = self.graph_of(id.graph) else { return };
        let error = match graph.errors.remove(&id.task) {
            Some(error) if error.code == code => error,
            Some(_) | None if code == ErrorCode::WorkerDied => {
                let last = name.as_deref().unwrap_or_default();
                let message =
                    format!("{attempts} workers died while they had this task, the last of them `{last}`; it is not tried again");
                TaskError::new(code, message)
            }
            Some(_) | None if code == ErrorCode::Cancelled => TaskError::new(code, "a client cancelled it"),
            Some(_) | None => TaskError::new(code, "the worker did not say why"),
        };
        let failure = TaskFailure {
            task: graph.parts.numbering().task_for_clients(id.task),
            key: graph.key(id.task).to_owned(),
            function: graph.function_name(graph.parts.task(id.task).function_index()),
            worker: name,
            attempts,
            dependents,
            error,
        };
        graph.note_failure(failure.clone());
        let (graph, followers) = (graph.id, graph.followers.clone());
        for follower in followers {
            if let Some(session) = self.sessions.get_mut(&follower) {
                session.outbox.push(ToClient::TaskFailed { graph, failure: failure.clone() });
            }
        }
    }

    fn on_graph_finished(&mut self, index: GraphIndex, counts: &GraphCounts, is_cancelled: bool, is_overdue: bool) {
        let statistics = self.core.function_statistics(index).to_vec();
        let Some(graph) = self.graph_of(index) else { return };
        let ended = |statistics: &FunctionStatistics| statistics.count + statistics.delegated;
        let slowest = (0..).zip(&statistics).max_by_key(|(_, statistics)| statistics.total);
        let slowest = slowest.filter(|(_, statistics)| ended(statistics) > 0);
        let summary = GraphSummary {
            tasks: counts.tasks,
            finished: counts.finished,
            failed: counts.failed,
            dependents_failed: counts.dependents_failed,
            is_cancelled,
            overdue: graph.deadline().filter(|_| is_overdue),
            elapsed: graph.submitted.elapsed().into(),
            run: counts.run,
            bytes_moved: counts.bytes_moved,
            memory_peak_bytes: counts.memory_peak_bytes,
            attempts: counts.attempts,
            slowest: slowest.map(|(function, statistics)| (graph.function_name(function), statistics.total, ended(statistics))),
            outputs: u64::from(graph.parts.extent().outputs),
        };
        graph.summary = Some(summary.clone());
        graph.finished = Some(Instant::now());
        graph.is_cancelled = is_cancelled;
        graph.is_changed = false;
        let (graph, followers) = (graph.id, graph.followers.clone());
        for follower in followers {
            if let Some(session) = self.sessions.get_mut(&follower) {
                session.outbox.push(ToClient::Progress { graph, state: state_of(counts) });
                session.outbox.push(ToClient::Finished { graph, summary: summary.clone() });
            }
        }
    }

    pub(super) fn send_progress(&mut self) {
        for index in std::mem::take(&mut self.changed) {
            let Some(graph) = self.graphs[index.slot()].as_mut().filter(|graph| graph.index == index) else { continue };
            // Those who follow a graph that ended were told so.
            if !std::mem::take(&mut graph.is_changed) {
                continue;
            }
            let Some(counts) = self.core.graph_counts(graph.index) else { continue };
            for follower in &graph.followers {
                if let Some(session) = self.sessions.get_mut(follower) {
                    session.outbox.push(ToClient::Progress { graph: graph.id, state: state_of(counts) });
                }
            }
        }
    }
}

pub(super) fn state_of(counts: &GraphCounts) -> GraphState {
    GraphState {
        tasks: counts.tasks,
        finished: counts.finished,
        failed: counts.failed + counts.dependents_failed,
        assigned: counts.assigned,
    }
}

/// Tells a worker of a graph that it does not know.
fn define(graph: &mut ShellGraph, worker: WorkerId, link: &mut WorkerLink) {
    if let Some(definition) = graph.definition_for(worker) {
        link.outbox.push(definition);
    }
}

/// Bytes of small results that travel with one assignment. The worker asks for the others one by one: a task with so many
/// inputs takes its time anyway, and a message must not grow beyond what it may have.
const INLINE_INPUTS_BYTES_MAX: usize = 16 << 20;

fn wire_inputs(graph: &ShellGraph, inputs: &[AssignedInput], may_repeat: bool) -> Vec<Input> {
    let mut inline_bytes = 0;
    // Two tasks may have become one.
    let mut seen = BTreeSet::new();
    let is_first = |input: &&AssignedInput| !may_repeat || seen.insert(input.task);
    let input = |input: &AssignedInput| {
        let mut input = wire_input(graph, input);
        if let InputSource::Inline(bytes) = &input.source {
            inline_bytes += bytes.len();
            if inline_bytes > INLINE_INPUTS_BYTES_MAX {
                input.source = InputSource::At(Vec::new());
            }
        }
        input
    };
    inputs.iter().filter(is_first).map(input).collect()
}

/// Bytes of an assignment in a message, roughly.
fn assignment_bytes(assignment: &Assignment) -> usize {
    let input = |input: &Input| match &input.source {
        InputSource::Inline(bytes) => 16 + bytes.len(),
        InputSource::At(workers) => 16 + 10 * workers.len(),
        InputSource::Pending(_) | InputSource::Later => 26,
    };
    64 + assignment.args.len() + assignment.inputs.iter().map(input).sum::<usize>()
}

/// Bytes of an output in a message, roughly.
pub(super) fn output_bytes(result: &OutputResult) -> usize {
    match result {
        OutputResult::Inline(bytes) => 16 + bytes.len(),
        OutputResult::Stored { .. } | OutputResult::Failed | OutputResult::Released => 16,
    }
}

fn wire_input(graph: &ShellGraph, input: &AssignedInput) -> Input {
    let source = match &input.at {
        InputAt::Shell => InputSource::Inline(inline(graph, input.task)),
        InputAt::Workers(workers) => InputSource::At(workers.clone()),
        InputAt::Pending(attempt) => InputSource::Pending(*attempt),
        InputAt::Later => InputSource::Later,
    };
    Input { task: input.task, size: input.size, source }
}

fn inline(graph: &ShellGraph, task: TaskIndex) -> bytes::Bytes {
    graph.inline.get(&task).expect("the shell keeps what the core says it has").clone()
}
