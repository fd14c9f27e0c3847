//! What the scheduler promises on the way, looked at as it happens: what it asks back, whom it lets go, whom it spares, and
//! when it stops a graph. What must hold at the end is in `checks`.
//!
//! Knows messages and times only, never why the core did what it did.

use std::collections::{BTreeMap, BTreeSet};
use wasm_tasks_protocol::Time;
use wasm_tasks_protocol::ids::{Attempt, GraphId, TaskIndex, WorkerId};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_scheduler_core::{AssignedInput, DrainSummary, InputAt, SchedulerCore, StateName, TaskId};

/// A worker that kept what it was asked for is left in peace with it at least so long.
const PEACE: Duration = Duration::from_millis(10);
/// A task is taken from workers at most so often.
const MOVES_MAX: u32 = 2;

/// What was said so far, and what was broken.
#[derive(Clone, Debug, Default)]
pub struct Promises {
    /// The first promise that was broken.
    pub broken: Option<String>,
    /// Attempts that were asked back and not answered for.
    asked: BTreeSet<(WorkerId, Attempt)>,
    /// When workers said last that they keep an attempt.
    kept: BTreeMap<(WorkerId, Attempt), Time>,
    /// Attempts that are known to run.
    started: BTreeSet<(WorkerId, Attempt)>,
    /// How often tasks were given back by workers that were asked for them.
    moves: BTreeMap<(GraphId, TaskIndex), u32>,
    /// Workers that are to leave.
    draining: BTreeSet<WorkerId>,
    /// Of these, those that may leave although they have something that nobody else has.
    may_leave_results: BTreeSet<WorkerId>,
    /// Inputs of attempts of which the scheduler said that it would tell later where they are.
    later: BTreeSet<(WorkerId, TaskIndex, Attempt)>,
    /// Results that somebody could not get although he was told to.
    ungettable: BTreeSet<(GraphId, TaskIndex)>,
    /// Workers that said that they are short of memory.
    paused: BTreeSet<WorkerId>,
    /// How many attempts these have, while tasks are placed.
    loads: BTreeMap<WorkerId, usize>,
    /// When tasks must have ended that are more urgent than all others.
    patience: BTreeMap<(GraphId, TaskIndex), Time>,
    /// When graphs must have ended.
    deadlines: BTreeMap<GraphId, Time>,
}

impl Promises {
    fn broke(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    /// An attempt is asked back.
    pub(crate) fn on_asked(&mut self, now: Time, worker: WorkerId, attempt: Attempt, task: (GraphId, TaskIndex)) {
        let name = format!("task {} of graph {}", task.1.0, task.0);
        if !self.asked.insert((worker, attempt)) {
            self.broke(format!("worker {} is asked for {name} again before it answered", worker.0));
        }
        if let Some(at) = self.kept.get(&(worker, attempt)).filter(|at| now < **at + PEACE) {
            let ago = now.since(*at).0;
            self.broke(format!("worker {} is asked for {name} again {ago} µs after it said that it keeps it", worker.0));
        }
        if self.started.contains(&(worker, attempt)) {
            self.broke(format!("worker {} is asked for {name}, which is known to run there", worker.0));
        }
        if self.moves.get(&task).is_some_and(|moves| *moves >= MOVES_MAX) {
            self.broke(format!("worker {} is asked for {name}, which was moved {MOVES_MAX} times", worker.0));
        }
    }

    /// A worker answers for what it was asked back. `task` tells of live attempts of this very worker.
    pub(crate) fn on_answered(
        &mut self,
        now: Time,
        worker: WorkerId,
        asked: &[Attempt],
        returned: &[Attempt],
        task: impl Fn(Attempt) -> Option<(GraphId, TaskIndex)>,
    ) {
        for attempt in returned {
            if let (true, Some(task)) = (self.asked.contains(&(worker, *attempt)), task(*attempt)) {
                *self.moves.entry(task).or_default() += 1;
            }
        }
        for attempt in asked {
            self.asked.remove(&(worker, *attempt));
            self.kept.insert((worker, *attempt), now);
        }
    }

    /// A worker says that attempts run.
    pub(crate) fn on_started(&mut self, worker: WorkerId, attempts: &[Attempt]) {
        self.started.extend(attempts.iter().map(|attempt| (worker, *attempt)));
    }

    /// A worker is to leave.
    pub(crate) fn on_drain(&mut self, worker: WorkerId, may_leave_results: bool) {
        self.draining.insert(worker);
        if may_leave_results {
            self.may_leave_results.insert(worker);
        }
    }

    /// A worker could not get what it was told to get.
    pub(crate) fn on_ungettable(&mut self, graph: GraphId, tasks: &[TaskIndex]) {
        self.ungettable.extend(tasks.iter().map(|task| (graph, *task)));
    }

    /// A worker was told what an attempt needs.
    pub(crate) fn on_told(&mut self, worker: WorkerId, attempt: Attempt, inputs: &[AssignedInput]) {
        let later = inputs.iter().filter(|input| input.at == InputAt::Later);
        self.later.extend(later.map(|input| (worker, input.task, attempt)));
    }

    /// A worker was told where a result is.
    pub(crate) fn on_told_at_last(&mut self, worker: WorkerId, task: TaskIndex) {
        let known: Vec<_> = self.later.range((worker, task, Attempt(0))..=(worker, task, Attempt(u64::MAX))).copied().collect();
        self.later.retain(|one| !known.contains(one));
    }

    /// A worker lacks an input: not one that it was to wait for and tried nowhere.
    pub(crate) fn on_missing(&mut self, worker: WorkerId, attempt: Attempt, task: TaskIndex, tried: &[WorkerId]) {
        if tried.is_empty() && self.later.contains(&(worker, task, attempt)) {
            self.broke(format!("worker {} asks for the result of task {} that it was to be told of", worker.0, task.0));
        }
    }

    /// A worker is to let a result go: not while it makes that very result, because the word could take the new one.
    pub(crate) fn on_release(&mut self, core: &SchedulerCore, worker: WorkerId, id: TaskId, graph: GraphId) {
        let is_made = core.state_of(id) == Some(StateName::Assigned);
        if is_made && core.explain(id).is_some_and(|why| why.workers.contains(&worker)) {
            let task = id.task.0;
            self.broke(format!("worker {} is told to let go of task {task} of graph {graph}, which it is making", worker.0));
        }
    }

    /// A worker may leave.
    pub(crate) fn on_dismissed(&mut self, worker: WorkerId, summary: &DrainSummary) {
        if !self.draining.contains(&worker) {
            self.broke(format!("worker {} is let go, and nobody wanted it to leave", worker.0));
        }
        let has_reason = summary.is_timed_out || self.may_leave_results.contains(&worker) || !self.ungettable.is_empty();
        if summary.left > 0 && !has_reason {
            self.broke(format!("worker {} is let go although only it has {} results", worker.0, summary.left));
        }
    }

    /// A worker has too little memory, or enough again.
    pub(crate) fn on_memory(&mut self, worker: WorkerId, is_short: bool) {
        if is_short {
            self.paused.insert(worker);
        } else {
            self.paused.remove(&worker);
        }
    }

    /// Placement begins: how many attempts workers have.
    pub(crate) fn on_placement(&mut self, attempts: impl Fn(WorkerId) -> usize) {
        self.loads = self.paused.iter().map(|worker| (*worker, attempts(*worker))).collect();
    }

    /// A task is given to a worker. One without inputs at workers frees no memory when it ends.
    pub(crate) fn on_assigned(&mut self, worker: WorkerId, frees_nothing: bool) {
        let Some(load) = self.loads.get_mut(&worker) else { return };
        *load += 1;
        if *load > 1 && frees_nothing {
            self.broke(format!("worker {} is short of memory, has something to do, and is given more", worker.0));
        }
    }

    /// A worker is gone.
    pub(crate) fn on_gone(&mut self, worker: WorkerId) {
        self.draining.remove(&worker);
        self.paused.remove(&worker);
    }

    /// A graph must have ended at a time.
    pub(crate) fn on_deadline(&mut self, graph: GraphId, at: Time) {
        self.deadlines.insert(graph, at);
    }

    /// A graph ended.
    pub(crate) fn on_finished(&mut self, now: Time, graph: GraphId, is_overdue: bool) {
        if is_overdue && self.deadlines.get(&graph).is_some_and(|at| now < *at) {
            self.broke(format!("graph {graph} is stopped for a deadline that has not passed"));
        }
    }

    /// A task that is more urgent than all others must have ended at a time.
    pub(crate) fn must_end_by(&mut self, graph: GraphId, task: TaskIndex, at: Time) {
        self.patience.insert((graph, task), at);
    }

    /// A task has a result.
    pub(crate) fn on_done(&mut self, task: (GraphId, TaskIndex)) {
        self.patience.remove(&task);
    }

    /// Nothing more happens at this moment. `is_open` tells of graphs.
    pub(crate) fn on_turn_ended(&mut self, now: Time, is_open: impl Fn(GraphId) -> bool) {
        while let Some(graph) = self.deadlines.iter().find(|(_, at)| **at <= now).map(|(graph, _)| *graph) {
            self.deadlines.remove(&graph);
            if is_open(graph) {
                self.broke(format!("graph {graph} goes on after its deadline"));
            }
        }
        if let Some(((graph, task), at)) = self.patience.iter().find(|(_, at)| **at < now) {
            self.broke(format!("task {} of graph {graph} is the most urgent, and has not ended at {} µs", task.0, at.0));
        }
    }

    /// Workers that were to leave and are still there.
    pub(crate) fn staying(&self) -> impl Iterator<Item = WorkerId> + '_ {
        self.draining.iter().copied()
    }
}
