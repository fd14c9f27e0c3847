//! A test's view of a core: events in one line, actions as short text.

use crate::{Action, Actions, Event, GraphPlan, InputAt, OutputOutcome, SchedulerCore, Settings, WorkerPlan};
use std::collections::BTreeMap;
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::graph;
use wasm_tasks_protocol::ids::{Attempt, GraphId, TaskIndex, WorkerId};
use wasm_tasks_protocol::time::{Duration, Time};

pub(super) struct World {
    pub(super) core: SchedulerCore,
    pub(super) now: Time,
    /// Live attempts as this test saw them: by worker, the task and the number.
    pub(super) assigned: BTreeMap<WorkerId, Vec<(TaskIndex, Attempt)>>,
    /// Results that workers were told to fetch.
    pub(super) orders: Vec<(WorkerId, TaskIndex)>,
    /// How long tasks take.
    pub(super) run: Duration,
    /// What the first graphs' functions are known to take, for graphs that come.
    lengths: BTreeMap<u32, Duration>,
    /// What tasks of other graphs than the first are called.
    names: BTreeMap<GraphId, &'static str>,
    /// Everything that happened since the last look.
    log: Vec<String>,
}

pub(super) const GRAPH: GraphId = GraphId([1; 16]);

/// A plan where task `i` needs `edges[i]`; outputs are given.
pub(super) fn plan(edges: &[&[u32]], outputs: &[u32]) -> GraphPlan {
    plan_with(edges, outputs, graph::Settings::default())
}

pub(super) fn plan_with(edges: &[&[u32]], outputs: &[u32], settings: graph::Settings) -> GraphPlan {
    let mut starts = vec![0];
    let mut dependencies = Vec::new();
    for needs in edges {
        dependencies.extend(needs.iter().copied().map(TaskIndex));
        starts.push(dependencies.len() as u32);
    }
    GraphPlan {
        dependency_starts: starts,
        dependencies,
        functions: vec![0; edges.len()],
        task_settings: vec![0; edges.len()],
        settings: vec![settings],
        outputs: outputs.iter().copied().map(TaskIndex).collect(),
        ..GraphPlan::default()
    }
}

/// A plan of tasks, each with what it needs, its function and its settings.
pub(super) fn plan_of(tasks: &[(&[u32], u32, u32)], outputs: &[u32], settings: &[graph::Settings]) -> GraphPlan {
    let edges: Vec<&[u32]> = tasks.iter().map(|(needs, ..)| *needs).collect();
    let mut plan = GraphPlan { settings: Vec::new(), ..plan(&edges, outputs) };
    let mut add = |settings: &graph::Settings| {
        let position = plan.settings.len() as u32;
        plan.settings.extend(settings.ways());
        position
    };
    let positions: Vec<u32> = settings.iter().map(&mut add).collect();
    plan.functions = tasks.iter().map(|(_, function, _)| *function).collect();
    plan.task_settings = tasks.iter().map(|(.., settings)| positions[*settings as usize]).collect();
    plan
}

impl World {
    pub(super) fn new(workers: &[u64]) -> World {
        let mut world = World {
            core: SchedulerCore::new(&Settings { first_serial: 1 }),
            now: Time(0),
            assigned: BTreeMap::new(),
            orders: Vec::new(),
            run: Duration(1_000_000),
            lengths: BTreeMap::new(),
            names: BTreeMap::new(),
            log: Vec::new(),
        };
        for (worker, slots) in (1..).zip(workers) {
            world.join(worker, *slots);
        }
        world
    }

    pub(super) fn join(&mut self, worker: u64, slots: u64) {
        self.join_with(worker, slots, &[("zone", &format!("z{worker}"))], &[], None);
    }

    pub(super) fn join_with(
        &mut self,
        worker: u64,
        slots: u64,
        labels: &[(&str, &str)],
        pools: &[graph::Resource],
        leaves_at: Option<Time>,
    ) {
        let plan = WorkerPlan {
            slots_milli: slots * 1_000,
            memory_bytes: 1 << 30,
            labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            pools: pools.to_vec(),
            round_trip: Duration(100),
            leaves_at,
        };
        self.handle(Event::WorkerJoined { worker: WorkerId(worker), plan });
    }

    pub(super) fn submit(&mut self, plan: GraphPlan) -> String {
        self.event(Event::GraphSubmitted { graph: GRAPH, plan })
    }

    /// Says how long tasks of a function are known to take, in graphs that come.
    pub(super) fn learn(&mut self, function: u32, length: Duration) {
        self.lengths.insert(function, length);
    }

    /// Says what the tasks of another graph than the first are called in texts.
    pub(super) fn name_graph(&mut self, graph: GraphId, name: &'static str) {
        self.names.insert(graph, name);
    }

    fn name(&self, id: crate::TaskId) -> String {
        let graph = self.names.iter().find(|(graph, _)| self.core.graph_index(**graph) == Some(id.graph));
        format!("{}{}", graph.map_or("", |(_, name)| name), id.task.0)
    }

    /// The tasks at a worker.
    pub(super) fn assigned_at(&self, worker: u64) -> Vec<u32> {
        self.assigned.get(&WorkerId(worker)).into_iter().flatten().map(|(task, _)| task.0).collect()
    }

    /// The reservations, as text.
    pub(super) fn reserved(&self) -> Vec<String> {
        let held = self.core.reservations.iter().map(|(_, held)| {
            let workers: Vec<String> = held.places.iter().map(|place| self.core.worker(place.worker).id.0.to_string()).collect();
            let start = held.start.since(self.now).as_secs_f64();
            (held.priority, format!("{} at w{} from {start:.1} s", self.name(held.task), workers.join("+")))
        });
        let mut held: Vec<_> = held.collect();
        held.sort();
        held.into_iter().map(|(_, text)| text).collect()
    }

    /// Handles an event and settles; what came of it as text.
    pub(super) fn event(&mut self, event: Event) -> String {
        self.handle(event);
        self.settle()
    }

    pub(super) fn settle(&mut self) -> String {
        self.handle(Event::Settle);
        std::mem::take(&mut self.log).join("; ")
    }

    pub(super) fn handle(&mut self, event: Event) {
        let submitted = if let Event::GraphSubmitted { graph, .. } = &event { Some(*graph) } else { None };
        let mut actions = Actions::new();
        self.core.handle(self.now, event, &mut actions);
        if let Some(graph) = submitted.and_then(|graph| self.core.graph_index(graph)) {
            let functions = &mut self.core.graph_mut(graph).functions;
            for (function, length) in &self.lengths {
                if let Some(statistics) = functions.get_mut(*function as usize) {
                    statistics.mean_us = Some(length.0 as f64);
                }
            }
        }
        self.core.check_invariants();
        for action in actions.drain() {
            self.note(action);
        }
    }

    fn note(&mut self, action: Action) {
        let text = match action {
            Action::GraphAccepted { .. } => return,
            Action::Assign { worker, task, attempt, settings, inputs, .. } => {
                self.assigned.entry(worker).or_default().push((task.task, attempt));
                let inputs: Vec<String> = inputs
                    .iter()
                    .map(|input| match &input.at {
                        InputAt::Shell => format!("{} inline", input.task.0),
                        InputAt::Workers(workers) => format!(
                            "{} at {}",
                            input.task.0,
                            workers.iter().map(|w| w.0.to_string()).collect::<Vec<_>>().join("+")
                        ),
                        InputAt::Pending(_) => format!("{} pending", input.task.0),
                        InputAt::Later => format!("{} later", input.task.0),
                    })
                    .collect();
                let inputs = if inputs.is_empty() { String::new() } else { format!(" ({})", inputs.join(", ")) };
                let way = settings - self.core.graph(task.graph).task(task.task).profile;
                let way = if way == 0 { String::new() } else { format!(" way {way}") };
                format!("{} -> w{}{way}{inputs}", self.name(task), worker.0)
            }
            Action::Cancel { worker, attempt } => {
                let list = self.assigned.entry(worker).or_default();
                let at = list.iter().position(|(_, number)| *number == attempt).expect("cancels what was assigned");
                format!("cancel {} at w{}", list.remove(at).0.0, worker.0)
            }
            Action::Retract { worker, attempts } => format!("retract {} from w{}", attempts.len(), worker.0),
            Action::UpdateInput { worker, input, .. } => format!("update {} for w{}: {:?}", input.task.0, worker.0, input.at),
            Action::Release { worker, task } => format!("release {} at w{}", task.task.0, worker.0),
            Action::Replicate { worker, task, holders, .. } => {
                self.orders.push((worker, task.task));
                let holders: Vec<String> = holders.iter().map(|holder| holder.0.to_string()).collect();
                format!("w{} fetches {} from {}", worker.0, task.task.0, holders.join("+"))
            }
            Action::Drain { worker } => format!("drain w{}", worker.0),
            Action::Dismiss { worker, summary } => {
                let late = if summary.is_timed_out { ", late" } else { "" };
                format!("w{} may go: moved {}, left {}, stopped {}{late}", worker.0, summary.moved, summary.left, summary.stopped)
            }
            Action::ReleaseInline(task) => format!("release {} inline", task.task.0),
            Action::Output { task, outcome: OutputOutcome::Ready { .. } } => format!("output {} ready", task.task.0),
            Action::Output { task, outcome: OutputOutcome::Failed } => format!("output {} failed", task.task.0),
            Action::TaskFailed { task, code, attempts, dependents, .. } => {
                format!("{} failed: {code} after {attempts}, {dependents} dependents", task.task.0)
            }
            Action::GraphFinished { counts, is_overdue, .. } => {
                let late = if is_overdue { " overdue" } else { "" };
                format!(
                    "finished {}/{} failed {}+{}{late}",
                    counts.finished, counts.tasks, counts.failed, counts.dependents_failed
                )
            }
            Action::GraphForgotten { workers, .. } => format!("forgotten at {} workers", workers.len()),
        };
        self.log.push(text);
    }

    /// The attempt of a task at a worker, which is over with this.
    pub(super) fn take(&mut self, worker: u64, task: u32) -> Attempt {
        let list = self.assigned.entry(WorkerId(worker)).or_default();
        let at = list.iter().position(|(assigned, _)| assigned.0 == task).expect("the task is at that worker");
        list.remove(at).1
    }

    pub(super) fn finish(&mut self, worker: u64, task: u32, size: u64) -> String {
        let event = self.finished(worker, task, size);
        self.event(event)
    }

    pub(super) fn finished(&mut self, worker: u64, task: u32, size: u64) -> Event {
        let attempt = self.take(worker, task);
        Event::AttemptFinished {
            worker: WorkerId(worker),
            attempt,
            size,
            run: self.run,
            memory_peak_bytes: 0,
            is_inline: size <= 16,
        }
    }

    pub(super) fn fail(&mut self, worker: u64, task: u32, code: ErrorCode) -> String {
        let attempt = self.take(worker, task);
        self.event(Event::AttemptFailed { worker: WorkerId(worker), attempt, code, run: Duration(1) })
    }

    pub(super) fn lose(&mut self, worker: u64) -> String {
        self.handle(Event::WorkerLost(WorkerId(worker)));
        self.assigned.remove(&WorkerId(worker));
        self.settle()
    }
}
