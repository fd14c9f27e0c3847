//! Policies that others use, beside which ours is measured. They see a whole graph and estimates of it, and know of no
//! failures: they run where nothing goes wrong.
//!
//! `blevel-gt`, `ws` and `random` are written after their descriptions in Estee (`estee/schedulers/queue.py`, `ws.py`; the
//! latter follows dask's work stealing). Where ours differ: data on its way to a worker counts as scheduled there, not as
//! there; `random` chooses when a task is ready; a task that was asked back and runs already stays.

use crate::random::Random;
use crate::scheduler::{Offer, Relay, Scheduler};
use crate::work::Work;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wasm_tasks_protocol::Time;
use wasm_tasks_protocol::graph::Settings;
use wasm_tasks_protocol::ids::{Attempt, GraphId, TaskIndex, TenantId, WorkerId};
use wasm_tasks_protocol::message::{Assignment, FromWorker, Input, InputSource, PeerAddress, Priority, ToWorker};
use wasm_tasks_protocol::time::Duration;

/// A policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// Longest path first, to a free worker with the fewest bytes missing.
    BLevelGt,
    /// To the worker with the fewest bytes missing at once; workers with room take from those with too much.
    WorkStealing,
    /// To any worker.
    Random,
    /// All to one worker.
    Single,
}

impl Policy {
    /// All of them.
    pub const ALL: [Policy; 4] = [Policy::BLevelGt, Policy::WorkStealing, Policy::Random, Policy::Single];

    /// The name as Estee has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Policy::BLevelGt => "blevel-gt",
            Policy::WorkStealing => "ws",
            Policy::Random => "random",
            Policy::Single => "single",
        }
    }
}

/// What policies know of durations and sizes before tasks ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Estimates {
    /// Everything.
    Exact,
    /// The graph's means.
    Mean,
}

#[derive(Debug)]
struct PolicyWorker {
    slots: i64,
    free: i64,
    tasks: BTreeSet<TaskIndex>,
    is_defined: bool,
    outbox: Vec<ToWorker>,
}

#[derive(Debug)]
struct Place {
    worker: WorkerId,
    attempt: Attempt,
    /// Asked back, for this worker.
    moves_to: Option<WorkerId>,
    /// Was asked back once, and runs: not asked again.
    is_running: bool,
}

/// A policy at work.
#[derive(Debug)]
pub struct Reference {
    policy: Policy,
    estimates: Estimates,
    random: Random,
    graph: Option<(GraphId, Arc<Work>)>,
    workers: BTreeMap<WorkerId, PolicyWorker>,
    /// Position in the order by b-level.
    ranks: Vec<u32>,
    /// The graph's different settings, and which of them each task has.
    settings: Vec<Settings>,
    task_settings: Vec<u32>,
    durations: Vec<f64>,
    mean_size: f64,
    missing: Vec<usize>,
    consumers: Vec<usize>,
    holders: Vec<BTreeSet<WorkerId>>,
    places: BTreeMap<TaskIndex, Place>,
    by_attempt: BTreeMap<Attempt, TaskIndex>,
    ready: BTreeSet<(u32, TaskIndex)>,
    done: usize,
    next_attempt: u64,
}

impl Reference {
    /// A policy without workers.
    pub fn new(policy: Policy, estimates: Estimates, seed: u64) -> Reference {
        Reference {
            policy,
            estimates,
            random: Random::new(seed),
            graph: None,
            workers: BTreeMap::new(),
            ranks: Vec::new(),
            settings: Vec::new(),
            task_settings: Vec::new(),
            durations: Vec::new(),
            mean_size: 0.0,
            missing: Vec::new(),
            consumers: Vec::new(),
            holders: Vec::new(),
            places: BTreeMap::new(),
            by_attempt: BTreeMap::new(),
            ready: BTreeSet::new(),
            done: 0,
            next_attempt: 1,
        }
    }

    fn work(&self) -> Arc<Work> {
        Arc::clone(&self.graph.as_ref().expect("there is a graph when tasks are spoken of").1)
    }

    /// Bytes that a worker lacks of a task's inputs, as far as policies know sizes; what is on its way there counts a tenth.
    fn cost(&self, work: &Work, worker: WorkerId, task: TaskIndex) -> f64 {
        let mut cost = 0.0;
        for (need, part) in &work.task(task).needs {
            if self.holders[need.0 as usize].contains(&worker) {
                continue;
            }
            let size = match self.estimates {
                Estimates::Exact => work.task(*need).parts[*part as usize] as f64,
                Estimates::Mean => self.mean_size,
            };
            let others = &self.workers[&worker].tasks;
            let is_scheduled = work.dependents[need.0 as usize].iter().any(|other| *other != task && others.contains(other));
            cost += if is_scheduled { 0.1 * size } else { size };
        }
        cost
    }

    fn cheapest(&mut self, work: &Work, task: TaskIndex, among: &[WorkerId]) -> WorkerId {
        let costs: Vec<f64> = among.iter().map(|worker| self.cost(work, *worker, task)).collect();
        let least = costs.iter().copied().fold(f64::INFINITY, f64::min);
        let best: Vec<WorkerId> =
            among.iter().zip(&costs).filter(|(_, cost)| **cost == least).map(|(worker, _)| *worker).collect();
        *self.random.pick(&best).expect("some worker can run the task")
    }

    fn fitting(&self, slots: i64) -> Vec<WorkerId> {
        self.workers.iter().filter(|(_, worker)| worker.slots >= slots).map(|(id, _)| *id).collect()
    }

    fn take(&mut self, worker: WorkerId, task: TaskIndex, slots: i64) {
        let entry = self.workers.get_mut(&worker).expect("tasks go to workers that are there");
        entry.free -= slots;
        entry.tasks.insert(task);
    }

    fn give_back(&mut self, worker: WorkerId, task: TaskIndex, slots: i64) {
        let entry = self.workers.get_mut(&worker).expect("tasks are at workers that are there");
        entry.free += slots;
        entry.tasks.remove(&task);
    }

    fn queue(&mut self, work: &Work) {
        let mut open: BTreeSet<WorkerId> = self.workers.keys().copied().collect();
        for (rank, task) in self.ready.clone() {
            let slots = slots_of(work, task);
            let free: Vec<WorkerId> = open.iter().copied().filter(|worker| self.workers[worker].free >= slots).collect();
            if free.is_empty() {
                // What a smaller task could use stays open to it; the rest is kept for this one.
                open.retain(|worker| self.workers[worker].slots < slots);
                if open.is_empty() {
                    break;
                }
                continue;
            }
            self.ready.remove(&(rank, task));
            let worker = self.cheapest(work, task, &free);
            self.take(worker, task, slots);
            self.assign(work, task, worker);
        }
    }

    fn steal(&mut self, work: &Work) {
        let mut plan: BTreeMap<TaskIndex, WorkerId> = BTreeMap::new();
        for (_, task) in std::mem::take(&mut self.ready) {
            let slots = slots_of(work, task);
            let fitting = self.fitting(slots);
            let worker = self.cheapest(work, task, &fitting);
            self.take(worker, task, slots);
            plan.insert(task, worker);
        }
        for thief in self.workers.keys().copied().collect::<Vec<_>>() {
            if self.workers[&thief].free > 0 {
                self.steal_for(work, thief, &mut plan);
            }
        }
        for (task, worker) in plan {
            match self.places.get_mut(&task) {
                None => self.assign(work, task, worker),
                Some(place) if place.worker == worker => {}
                Some(place) => {
                    place.moves_to = Some(worker);
                    let (from, attempt) = (place.worker, place.attempt);
                    self.send(from, ToWorker::RetractAttempts(vec![attempt]));
                }
            }
        }
    }

    fn steal_for(&mut self, work: &Work, thief: WorkerId, plan: &mut BTreeMap<TaskIndex, WorkerId>) {
        let loaded = self.workers.values().filter(|worker| worker.free < 0);
        let is_moving =
            |task: &TaskIndex| self.places.get(task).is_some_and(|place| place.moves_to.is_some() || place.is_running);
        let tasks = loaded.flat_map(|worker| worker.tasks.iter().copied()).filter(|task| !is_moving(task));
        let key = |task: TaskIndex| self.cost(work, thief, task) / self.durations[task.0 as usize].max(1.0);
        let mut tasks: Vec<(f64, TaskIndex)> = tasks.map(|task| (key(task), task)).collect();
        tasks.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for (_, task) in tasks {
            let slots = slots_of(work, task);
            let victim = plan.get(&task).copied().unwrap_or_else(|| self.places[&task].worker);
            let (has, gets) = (self.workers[&victim].free, self.workers[&thief].free);
            if slots > self.workers[&thief].slots || has - slots >= gets || has + slots > 0 {
                continue;
            }
            self.give_back(victim, task, slots);
            self.take(thief, task, slots);
            plan.insert(task, thief);
        }
    }

    fn assign(&mut self, work: &Work, task: TaskIndex, worker: WorkerId) {
        let attempt = Attempt(self.next_attempt);
        self.next_attempt += 1;
        let (graph, _) = self.graph.as_ref().expect("there is a graph when tasks are assigned");
        let graph = *graph;
        let settings = self.task_settings[task.0 as usize];
        let inputs = work.dependencies[task.0 as usize].iter().map(|need| Input {
            task: *need,
            size: work.task(*need).size(),
            source: InputSource::At(self.holders[need.0 as usize].iter().copied().collect()),
        });
        let assignment = Assignment {
            task,
            attempt,
            function: work.task(task).function,
            settings,
            priority: Priority { rank: self.ranks[task.0 as usize], ..Priority::default() },
            args: Bytes::new(),
            inputs: inputs.collect(),
        };
        let entry = self.workers.get_mut(&worker).expect("tasks go to workers that are there");
        if !std::mem::replace(&mut entry.is_defined, true) {
            let (functions, data, settings) = (work.functions(), Vec::new(), self.settings.clone());
            entry.outbox.push(ToWorker::DefineGraph { graph, tenant: TenantId::DEFAULT, functions, data, settings });
        }
        entry.outbox.push(ToWorker::AssignTasks { graph, tasks: vec![assignment] });
        self.places.insert(task, Place { worker, attempt, moves_to: None, is_running: false });
        self.by_attempt.insert(attempt, task);
    }

    fn send(&mut self, worker: WorkerId, message: ToWorker) {
        if let Some(entry) = self.workers.get_mut(&worker) {
            entry.outbox.push(message);
        }
    }

    fn on_finished(&mut self, worker: WorkerId, attempt: Attempt) {
        let work = self.work();
        let Some(task) = self.by_attempt.remove(&attempt) else { return };
        let place = self.places.remove(&task).expect("a live attempt has a place");
        self.give_back(place.moves_to.unwrap_or(worker), task, slots_of(&work, task));
        self.done += 1;
        self.holders[task.0 as usize].insert(worker);
        for dependent in &work.dependents[task.0 as usize] {
            self.missing[dependent.0 as usize] -= 1;
            if self.missing[dependent.0 as usize] == 0 {
                self.ready.insert((self.ranks[dependent.0 as usize], *dependent));
            }
        }
        for need in &work.dependencies[task.0 as usize] {
            let left = &mut self.consumers[need.0 as usize];
            *left -= 1;
            if *left == 0 && !work.outputs.contains(need) {
                self.release(*need);
            }
        }
    }

    fn release(&mut self, task: TaskIndex) {
        let Some((graph, _)) = self.graph.as_ref() else { return };
        let graph = *graph;
        for holder in std::mem::take(&mut self.holders[task.0 as usize]) {
            self.send(holder, ToWorker::ReleaseResults { graph, tasks: vec![task] });
        }
    }

    fn on_retracted(&mut self, asked: &[Attempt], returned: &[Attempt]) {
        let work = self.work();
        for attempt in asked {
            let Some(task) = self.by_attempt.get(attempt).copied() else { continue };
            let place = self.places.get_mut(&task).expect("a live attempt has a place");
            let Some(to) = place.moves_to.take() else { continue };
            if returned.contains(attempt) {
                self.by_attempt.remove(attempt);
                self.assign(&work, task, to);
            } else {
                place.is_running = true;
                let back = place.worker;
                self.give_back(to, task, slots_of(&work, task));
                self.take(back, task, slots_of(&work, task));
            }
        }
    }
}

fn slots_of(work: &Work, task: TaskIndex) -> i64 {
    work.task(task).settings.slots_milli as i64
}

impl Scheduler for Reference {
    fn on_submitted(&mut self, _now: Time, graph: GraphId, work: &Arc<Work>) {
        let n = work.tasks.len();
        let plan = work.plan();
        (self.settings, self.task_settings) = (plan.settings, plan.task_settings);
        let mean = |sum: f64, count: usize| sum / count.max(1) as f64;
        let mean_us = mean(work.tasks.iter().map(|task| task.duration.0 as f64).sum(), n);
        self.durations = match self.estimates {
            Estimates::Exact => work.tasks.iter().map(|task| task.duration.0 as f64).collect(),
            Estimates::Mean => vec![mean_us; n],
        };
        let parts: usize = work.tasks.iter().map(|task| task.parts.len()).sum();
        self.mean_size = mean(work.tasks.iter().map(|task| task.size() as f64).sum(), parts);
        let levels = match self.estimates {
            Estimates::Exact => work.b_levels(|task| task.duration),
            Estimates::Mean => work.b_levels(|_| Duration(mean_us as u64)),
        };
        let mut order: Vec<usize> = (0..n).collect();
        self.random.shuffle(&mut order);
        if self.policy != Policy::Random {
            order.sort_by_key(|task| std::cmp::Reverse(levels[*task]));
        }
        self.ranks = vec![0; n];
        order.iter().enumerate().for_each(|(rank, task)| self.ranks[*task] = rank as u32);
        self.missing = work.dependencies.iter().map(Vec::len).collect();
        self.consumers = work.dependents.iter().map(Vec::len).collect();
        self.holders = vec![BTreeSet::new(); n];
        let roots = (0..n).filter(|task| self.missing[*task] == 0);
        self.ready = roots.map(|task| (self.ranks[task], TaskIndex(task as u32))).collect();
        self.graph = Some((graph, Arc::clone(work)));
    }

    fn on_cancelled(&mut self, _now: Time, _graph: GraphId) {}

    fn on_released(&mut self, _now: Time, _graph: GraphId) {}

    fn on_joined(&mut self, _now: Time, worker: WorkerId, offer: &Offer) {
        let mut outbox = vec![ToWorker::Welcome { worker, heartbeat: Duration::ZERO }];
        for (other, entry) in &mut self.workers {
            entry.outbox.push(ToWorker::AddPeer(PeerAddress { worker, addresses: Vec::new() }));
            outbox.push(ToWorker::AddPeer(PeerAddress { worker: *other, addresses: Vec::new() }));
        }
        let slots = i64::from(offer.slots) * 1_000;
        self.workers.insert(worker, PolicyWorker { slots, free: slots, tasks: BTreeSet::new(), is_defined: false, outbox });
    }

    fn on_said(&mut self, _now: Time, worker: WorkerId, message: FromWorker) {
        match message {
            FromWorker::AttemptsFinished(list) => list.iter().for_each(|report| self.on_finished(worker, report.attempt)),
            FromWorker::Retracted { asked, returned } => self.on_retracted(&asked, &returned),
            FromWorker::ReplicasAdded { graph, tasks } => {
                for task in tasks {
                    if self.consumers[task.0 as usize] > 0 {
                        self.holders[task.0 as usize].insert(worker);
                    } else {
                        self.send(worker, ToWorker::ReleaseResults { graph, tasks: vec![task] });
                    }
                }
            }
            FromWorker::AttemptFailed(_) | FromWorker::AttemptDelegated(_) | FromWorker::InputMissing { .. } => {
                panic!("policies run where nothing goes wrong, and a worker says {message:?}")
            }
            FromWorker::Joined(_)
            | FromWorker::AttemptsStarted(_)
            | FromWorker::Heartbeat { .. }
            | FromWorker::Leaving
            | FromWorker::Draining { .. }
            | FromWorker::MemoryShort(_)
            | FromWorker::BytesFetched { .. }
            | FromWorker::ResultSpilled { .. }
            | FromWorker::ComponentLoaded { .. }
            | FromWorker::ComponentUnloaded { .. }
            | FromWorker::BytesGiven { .. }
            | FromWorker::ReplicasMissing { .. } => {}
        }
    }

    fn on_gone(&mut self, _now: Time, worker: WorkerId) {
        panic!("policies run where nothing goes wrong, and worker {} is gone", worker.0);
    }

    fn end_turn(&mut self, _now: Time) {
        if self.graph.is_none() || self.workers.is_empty() {
            return;
        }
        let work = self.work();
        match self.policy {
            Policy::BLevelGt => self.queue(&work),
            Policy::WorkStealing => self.steal(&work),
            Policy::Random | Policy::Single => {
                for (_, task) in std::mem::take(&mut self.ready) {
                    let slots = slots_of(&work, task);
                    let fitting = self.fitting(slots);
                    let chosen = if self.policy == Policy::Single { fitting.first() } else { self.random.pick(&fitting) };
                    let worker = *chosen.expect("some worker can run the task");
                    self.take(worker, task, slots);
                    self.assign(&work, task, worker);
                }
            }
        }
    }

    fn next_timeout(&self) -> Option<Time> {
        None
    }

    fn take_messages(&mut self) -> Vec<(WorkerId, Vec<ToWorker>)> {
        let full = self.workers.iter_mut().filter(|(_, entry)| !entry.outbox.is_empty());
        full.map(|(worker, entry)| (*worker, std::mem::take(&mut entry.outbox))).collect()
    }

    fn relay(&self, _graph: GraphId, task: TaskIndex) -> Relay {
        self.holders.get(task.0 as usize).and_then(|holders| holders.first()).map_or(Relay::Nowhere, |holder| Relay::At(*holder))
    }

    fn is_finished(&self) -> bool {
        self.graph.as_ref().is_some_and(|(_, work)| self.done == work.tasks.len())
    }
}
