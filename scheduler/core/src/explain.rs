//! Why a task is in the state it is in.

use crate::core::SchedulerCore;
use crate::queue::{ShapeIndex, ShapeKey};
use crate::task::{GraphIndex, State, StateName, TaskId};
use crate::worker::{Worker, WorkerIndex};
use wasm_tasks_protocol::ids::{TaskIndex, WorkerId};
use wasm_tasks_protocol::time::{Duration, Time};

/// What is known of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Its state.
    pub state: StateName,
    /// How often it was assigned.
    pub attempts: u32,
    /// Inputs that do not exist yet, the first few.
    pub missing: Vec<TaskIndex>,
    /// Workers that have it, or its result.
    pub workers: Vec<WorkerId>,
    /// Of the workers, the one that has a second attempt because the first takes too long.
    pub copy: Option<WorkerId>,
    /// How long it runs, as far as its worker told, and what was expected where anything is known of that.
    pub running: Option<(Duration, Option<Duration>)>,
    /// Tasks that still need its result, and one more for an output.
    pub needed_by: u32,
    /// The task whose failure this one shares.
    pub cause: Option<TaskIndex>,
    /// The task that took its place.
    pub delegated_to: Option<TaskIndex>,
    /// When it runs again.
    pub until: Option<Time>,
    /// For a queued task: what each worker lacks, the best fits first, the first few.
    pub fits: Vec<WorkerFit>,
    /// Whether no worker could run it, whatever else ends.
    pub is_unrunnable: bool,
    /// Workers that are held for it, or for its gang, and how long from now it is expected to take until there is room.
    pub reserved: Option<(Vec<WorkerId>, Duration)>,
    /// Set for members of gangs.
    pub gang: Option<GangStanding>,
}

/// How the gang of a task stands.
#[derive(Clone, Debug, PartialEq)]
pub struct GangStanding {
    /// The member of rank 0.
    pub first: TaskIndex,
    /// How many members there are.
    pub len: u32,
    /// How many of them are needed and have no result: they start together.
    pub open: u32,
    /// How many workers could run a member, whatever else ends; counted while the task is queued.
    pub fitting: u32,
    /// Members that the others wait for: before they start those without all inputs, afterwards those that still run. The
    /// first few.
    pub awaited: Vec<TaskIndex>,
    /// Whether this member has ended and waits for the others.
    pub has_ended: bool,
}

/// What a worker lacks to run a task.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerFit {
    /// The worker.
    pub worker: WorkerId,
    /// One sentence for each thing that it lacks; none: it only has no room now.
    pub lacks: Vec<String>,
    /// The more urgent task that it is held for.
    pub held_for: Option<TaskId>,
}

const SHOWN_MAX: usize = 8;

impl SchedulerCore {
    /// Explains a task; none when it is not known.
    pub fn explain(&self, id: TaskId) -> Option<Explanation> {
        let graph = self.graph_at(id.graph)?;
        let task = graph.tasks.get(id.task.0 as usize)?;
        let workers = match &task.state {
            State::Assigned(attempts) => {
                attempts.as_slice().iter().map(|attempt| self.worker(self.attempts.at(*attempt).worker).id).collect()
            }
            State::Done { holders, .. } => holders.as_slice().iter().map(|holder| self.worker(WorkerIndex(*holder)).id).collect(),
            State::Idle
            | State::Waiting
            | State::Queued
            | State::Resting { .. }
            | State::Failed { .. }
            | State::Delegated { .. } => Vec::new(),
        };
        let is_missing = |input: &&TaskIndex| !graph.task(**input).is_done();
        let fits = if task.state == State::Queued { self.fits(id) } else { Vec::new() };
        let live = task.attempts_live().iter().map(|attempt| self.attempts.at(*attempt));
        let gang = self.gang_standing(id);
        Some(Explanation {
            state: task.state.name(),
            attempts: u32::from(task.attempts),
            missing: match task.is_open() {
                true => graph.dependencies(id.task).iter().filter(is_missing).take(SHOWN_MAX).copied().collect(),
                false => Vec::new(),
            },
            workers,
            copy: live
                .clone()
                .find(|live| live.is_copy && task.attempts_live().len() > 1)
                .map(|live| self.worker(live.worker).id),
            running: live
                .filter(|live| live.is_started)
                .map(|live| live.starts)
                .min()
                .map(|starts| (self.now.since(starts), self.length_us(id).map(Duration))),
            needed_by: task.needed - u32::from(task.is_open() && self.is_member(id)),
            cause: if let State::Failed { cause } = task.state { Some(cause) } else { None },
            delegated_to: if let State::Delegated { to } = task.state { Some(to) } else { None },
            until: if let State::Resting { until } = task.state { Some(until) } else { None },
            is_unrunnable: task.state == State::Queued
                && (fits.iter().all(|fit| !fit.lacks.is_empty()) || gang.as_ref().is_some_and(|gang| gang.fitting < gang.open)),
            fits,
            reserved: self.reservations.of_task(self.stands_for(id)).map(|index| {
                let held = self.reservations.at(index);
                let workers = held.places.iter().map(|place| self.worker(place.worker).id).collect();
                (workers, held.start.since(self.now))
            }),
            gang,
        })
    }

    /// The task that stands in queues for another: of a gang the first.
    fn stands_for(&self, id: TaskId) -> TaskId {
        let gang = self.graph(id.graph).gangs.of(id.task);
        gang.map_or(id, |gang| TaskId { graph: id.graph, task: gang.first() })
    }

    fn gang_standing(&self, id: TaskId) -> Option<GangStanding> {
        let graph = self.graph(id.graph);
        let gang = graph.gangs.of(id.task)?;
        let open = self.open_members(id);
        let has_ended = |task: TaskIndex| graph.task(task).attempts_live().iter().any(|index| self.report_of(*index).is_some());
        let is_awaited = |member: &&TaskId| match graph.task(member.task).state {
            State::Waiting | State::Resting { .. } => true,
            State::Assigned(_) => !has_ended(member.task),
            State::Idle | State::Queued | State::Done { .. } | State::Failed { .. } | State::Delegated { .. } => false,
        };
        let fitting = if graph.task(id.task).state == State::Queued {
            self.workers_for(graph.profile_of(id.task).shape, usize::MAX)
        } else {
            0
        };
        Some(GangStanding {
            first: gang.first(),
            len: gang.len(),
            open: open.len() as u32,
            fitting: fitting as u32,
            awaited: open.iter().filter(is_awaited).map(|member| member.task).take(SHOWN_MAX).collect(),
            has_ended: has_ended(id.task),
        })
    }

    /// Tasks of a graph that are ready and that no worker could run, whatever else ends: the first few.
    ///
    /// Looks at one task of each request that waits, and at its workers; for questions of people.
    pub fn unrunnable(&self, graph: GraphIndex) -> Vec<TaskId> {
        let mut found: Vec<TaskId> = Vec::new();
        for (shape, tasks) in self.queues.waiting() {
            let needed = self.queues.key(shape).gang.max(1) as usize;
            if self.workers_for(shape, needed) == needed {
                continue;
            }
            let is_waiting = |id: &TaskId| id.graph == graph && self.is_ready(*id);
            if self.graph_at(graph).is_some() {
                found.extend(tasks.filter(is_waiting).take(SHOWN_MAX));
            }
        }
        found.sort_unstable();
        found.dedup();
        found.truncate(SHOWN_MAX);
        found
    }

    /// Whether a worker could run tasks of a shape in one of their ways.
    pub(crate) fn could_run(&self, worker: WorkerIndex, shape: ShapeIndex) -> bool {
        let worker = self.worker(worker);
        let mut ways = std::iter::once(shape).chain(self.queues.key(shape).fallbacks.iter().copied());
        !worker.is_leaving && ways.any(|way| worker.could_ever(self.queues.key(way), self.now))
    }

    /// How many workers could run tasks of a shape, in the way in which most could; counts no further than `enough`.
    fn workers_for(&self, shape: ShapeIndex, enough: usize) -> usize {
        let ways = std::iter::once(shape).chain(self.queues.key(shape).fallbacks.iter().copied());
        let count = |way: ShapeIndex| {
            let workers = self.worker_ids.values().map(|worker| self.worker(*worker));
            let fitting = workers.filter(|worker| !worker.is_leaving && worker.could_ever(self.queues.key(way), self.now));
            fitting.take(enough).count()
        };
        ways.map(count).max().unwrap_or(0)
    }

    /// The state of a task; none when it is not known.
    pub fn state_of(&self, id: TaskId) -> Option<StateName> {
        Some(self.graph_at(id.graph)?.tasks.get(id.task.0 as usize)?.state.name())
    }

    fn fits(&self, id: TaskId) -> Vec<WorkerFit> {
        let graph = self.graph(id.graph);
        let shape = graph.profile_of(id.task).shape;
        let ways: Vec<&ShapeKey> = std::iter::once(shape)
            .chain(self.queues.key(shape).fallbacks.iter().copied())
            .map(|way| self.queues.key(way))
            .collect();
        let mut fits: Vec<WorkerFit> = Vec::new();
        for index in self.worker_ids.values() {
            let worker = self.worker(*index);
            let mut by_way: Vec<Vec<String>> = ways.iter().map(|way| worker.lacks(way, self.now)).collect();
            let mut lacks = match by_way.iter().position(Vec::is_empty) {
                Some(_) => Vec::new(),
                None if by_way.len() == 1 => by_way.remove(0),
                None => (1..).zip(by_way).map(|(at, lacks)| format!("alternative {at}: {}", lacks.join(" and "))).collect(),
            };
            if worker.is_leaving {
                lacks.push("is leaving".to_owned());
            }
            let held = worker.hold.map(|hold| self.reservations.at(hold.reservation));
            let held_for = held
                .filter(|held| held.task != self.stands_for(id) && held.priority < graph.priority(id.task))
                .map(|held| held.task);
            fits.push(WorkerFit { worker: worker.id, lacks, held_for });
        }
        fits.sort_by_key(|fit| fit.lacks.len());
        fits.truncate(SHOWN_MAX);
        fits
    }
}

impl Worker {
    /// What it has too little of for a shape even when nothing runs, a sentence for each.
    fn lacks(&self, shape: &ShapeKey, now: Time) -> Vec<String> {
        let mut lacks = Vec::new();
        let plan = &self.plan;
        if plan.slots_milli < shape.slots_milli {
            lacks.push(format!("has {} slots, {} are needed", milli(plan.slots_milli), milli(shape.slots_milli)));
        }
        if plan.memory_bytes < shape.memory_bytes {
            lacks.push(format!("has {} bytes of memory, {} are needed", plan.memory_bytes, shape.memory_bytes));
        }
        for rule in shape.labels.iter().filter(|rule| !rule.is_satisfied(&plan.labels)) {
            lacks.push(format!("its labels do not satisfy `{rule}`"));
        }
        for need in &shape.pools {
            let has: u64 = plan.pools.iter().filter(|pool| pool.name == need.name).map(|pool| pool.milli).sum();
            if has < need.milli {
                lacks.push(format!("has {} of `{}`, {} are needed", milli(has), need.name, milli(need.milli)));
            }
        }
        if !self.stays_for(shape, now) {
            let left = plan.leaves_at.map_or(0.0, |leaves| leaves.since(now).as_secs_f64());
            lacks.push(format!("leaves in {left:.1} s, {} s are needed", shape.time_request.as_secs_f64()));
        }
        lacks
    }
}

/// Thousandths as people write them.
fn milli(milli: u64) -> String {
    if milli.is_multiple_of(1_000) { (milli / 1_000).to_string() } else { format!("{}", milli as f64 / 1_000.0) }
}
