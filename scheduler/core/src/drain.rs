//! Workers that are to leave: what only they have is moved to others first, then they may go.
//!
//! Owns who leaves until when, and which results would go with them. Must not know how results move: receivers are told
//! to fetch, and report like anybody who fetched.

use crate::action::{Action, Actions};
use crate::core::SchedulerCore;
use crate::small_set::SmallSet;
use crate::task::{GraphIndex, State, TaskId};
use crate::worker::WorkerIndex;
use std::collections::{BTreeMap, BTreeSet};
use wasm_tasks_protocol::ids::{GraphId, TaskIndex, WorkerId};
use wasm_tasks_protocol::time::Time;

/// Results that a receiver is told to fetch at once: it fetches few of them side by side, and what it was not told can
/// still go elsewhere.
const MOVES_MAX: u32 = 128;
/// Receivers that may fail to fetch a result before it is left to be made again.
const TRIES_MAX: u8 = 4;
/// Workers that are compared before one is told to take results.
const RECEIVERS_SEEN: usize = 64;
/// Dependents of a result that are looked at for one which is about to fetch it anyway.
const DEPENDENTS_SEEN: usize = 16;

/// What became of a worker's results while it drained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DrainSummary {
    /// Results that only this worker had and that others have now.
    pub moved: u64,
    /// Their bytes.
    pub moved_bytes: u64,
    /// Results that are still needed and go with the worker; they are made again.
    pub left: u64,
    /// Attempts that ran and were stopped because time was up; they run elsewhere.
    pub stopped: u64,
    /// Whether the worker is let go because time was up.
    pub is_timed_out: bool,
}

/// How a worker's drain stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DrainState {
    /// Attempts that have not ended.
    pub attempts: u64,
    /// Results that only leaving workers have, this one among them.
    pub unmoved: u64,
    /// Whether some of these are waiting because no worker can take them.
    pub is_stuck: bool,
    /// What was done so far.
    pub summary: DrainSummary,
}

#[derive(Debug)]
struct Drain {
    deadline: Option<Time>,
    /// Results that nobody can take are left at once.
    gives_up: bool,
    /// Results at risk that this worker holds.
    at_risk: u64,
    summary: DrainSummary,
    is_dismissed: bool,
}

/// A result that only leaving workers have.
#[derive(Debug)]
struct Risk {
    /// They.
    holders: SmallSet,
    size: u64,
    /// Who was told to fetch it.
    receiver: Option<WorkerIndex>,
    /// How many could not.
    tries: u8,
}

/// All drains.
#[derive(Debug, Default)]
pub(crate) struct Drains {
    by_worker: BTreeMap<WorkerIndex, Drain>,
    deadlines: BTreeSet<(Time, WorkerIndex)>,
    risks: BTreeMap<TaskId, Risk>,
    /// Of the results at risk, those that nobody was told to fetch and that are not given up.
    waiting: BTreeSet<TaskId>,
    /// Results whose holders changed since the last look.
    changed: Vec<TaskId>,
    /// How many were told to somebody.
    ordered: usize,
    /// Receivers, with the number and the bytes of what they were told to fetch.
    incoming: BTreeMap<WorkerIndex, (u32, u64)>,
    /// Where the look for receivers goes on.
    cursor: usize,
    /// Nobody can take what waits, until something changes.
    is_stuck: bool,
}

impl Drains {
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Notes that holders of a result changed. Costs nothing while nobody leaves.
    pub(crate) fn note(&mut self, id: TaskId) {
        if !self.by_worker.is_empty() {
            self.changed.push(id);
        }
    }

    /// A graph is gone, with all its results.
    pub(crate) fn note_graph(&mut self, graph: GraphIndex) {
        let first = TaskId { graph, task: TaskIndex(0) };
        let last = TaskId { graph, task: TaskIndex(u32::MAX) };
        self.changed.extend(self.risks.range(first..=last).map(|(id, _)| *id));
    }

    /// There may be somebody now who can take results.
    pub(crate) fn note_receivers(&mut self) {
        self.is_stuck = false;
    }

    /// The receiver of a result is no receiver any more.
    fn unassign(&mut self, id: TaskId) {
        let Some(risk) = self.risks.get_mut(&id) else { return };
        let Some(receiver) = risk.receiver.take() else { return };
        let (count, bytes) = self.incoming.get_mut(&receiver).expect("a receiver's orders are counted");
        *count -= 1;
        *bytes -= risk.size;
        if *count == 0 {
            self.incoming.remove(&receiver);
        }
        self.ordered -= 1;
        self.is_stuck = false;
    }

    fn forget_risk(&mut self, id: TaskId) {
        // Whoever still fetches it reports it, and is told then whether it is wanted.
        self.unassign(id);
        self.risks.remove(&id);
        self.waiting.remove(&id);
    }

    /// What a worker was told to fetch goes elsewhere.
    pub(crate) fn take_back(&mut self, receiver: WorkerIndex) {
        if !self.incoming.contains_key(&receiver) {
            return;
        }
        let ordered = self.risks.iter().filter(|(_, risk)| risk.receiver == Some(receiver)).map(|(id, _)| *id);
        for id in ordered.collect::<Vec<_>>() {
            self.unassign(id);
            self.waiting.insert(id);
        }
    }

    /// Whether there are results that nobody is to fetch any more because too many could not.
    fn has_given_up(&self) -> bool {
        self.risks.len() > self.waiting.len() + self.ordered
    }
}

impl SchedulerCore {
    /// A worker is to leave. Asked again, the earlier end of the time counts. Looks at every result that it has.
    pub(crate) fn begin_drain(&mut self, id: WorkerId, until: Option<Time>, gives_up: bool) -> bool {
        let Some(index) = self.worker_ids.get(&id).copied() else { return false };
        if let Some(drain) = self.drains.by_worker.get_mut(&index) {
            drain.gives_up |= gives_up;
            let earlier = [drain.deadline, until].into_iter().flatten().min();
            if earlier != drain.deadline && !drain.is_dismissed {
                self.drains.deadlines.retain(|(_, other)| *other != index);
                self.drains.deadlines.extend(earlier.map(|at| (at, index)));
                drain.deadline = earlier;
            }
            return false;
        }
        self.worker_mut(index).is_leaving = true;
        self.reindex(index);
        self.drains.deadlines.extend(until.map(|at| (at, index)));
        // It may have said before that it leaves.
        let at_risk = self.drains.risks.values().filter(|risk| risk.holders.contains(index.0)).count() as u64;
        let drain = Drain { deadline: until, gives_up, at_risk, summary: DrainSummary::default(), is_dismissed: false };
        self.drains.by_worker.insert(index, drain);
        self.note_leaving(index);
        true
    }

    /// A worker takes nothing new any more: whoever was told to rely on it must not, and what it has may be at risk.
    /// Looks at every result that it has.
    pub(crate) fn note_leaving(&mut self, index: WorkerIndex) {
        self.drains.take_back(index);
        if self.drains.by_worker.is_empty() {
            return;
        }
        let held = self.held_at(index);
        self.drains.changed.extend(held);
    }

    /// A worker is gone.
    pub(crate) fn end_drain(&mut self, index: WorkerIndex) {
        self.drains.take_back(index);
        if let Some(Drain { deadline: Some(at), .. }) = self.drains.by_worker.remove(&index) {
            self.drains.deadlines.remove(&(at, index));
        }
        // Whatever still names it must not outlive it: its place is used again.
        for (id, risk) in &mut self.drains.risks {
            if risk.holders.remove(index.0) {
                self.drains.changed.push(*id);
            }
        }
    }

    /// How a worker's drain stands; none when it does not drain.
    pub fn drain_state(&self, worker: WorkerId) -> Option<DrainState> {
        let index = *self.worker_ids.get(&worker)?;
        let drain = self.drains.by_worker.get(&index)?;
        Some(DrainState {
            attempts: self.worker(index).attempts.len() as u64,
            unmoved: drain.at_risk,
            is_stuck: self.drains.is_stuck && drain.at_risk > 0,
            summary: drain.summary.clone(),
        })
    }

    /// The size of a result, and who has it, when all of these leave and one of them is waited for.
    fn risk_of(&self, id: TaskId) -> Option<(u64, &SmallSet)> {
        match &self.graph_at(id.graph)?.task(id.task).state {
            State::Done { size, holders, is_inline: false }
                if holders.as_slice().iter().all(|holder| self.worker(WorkerIndex(*holder)).is_leaving)
                    && holders.as_slice().iter().any(|holder| self.drains.by_worker.contains_key(&WorkerIndex(*holder))) =>
            {
                Some((*size, holders))
            }
            State::Done { .. }
            | State::Idle
            | State::Waiting
            | State::Queued
            | State::Assigned(_)
            | State::Resting { .. }
            | State::Failed { .. }
            | State::Delegated { .. } => None,
        }
    }

    /// Looks again at results whose holders changed.
    fn review_results(&mut self) {
        for id in std::mem::take(&mut self.drains.changed) {
            let now = self.risk_of(id).map(|(size, holders)| (size, holders.clone()));
            let before = self.drains.risks.get(&id);
            if before.map(|risk| &risk.holders) == now.as_ref().map(|(_, holders)| holders) {
                continue;
            }
            let before = before.map_or(SmallSet::Empty, |risk| risk.holders.clone());
            let is_saved = now.is_none() && self.graph_at(id.graph).is_some_and(|graph| graph.task(id.task).is_done());
            let size = self.drains.risks.get(&id).map_or(0, |risk| risk.size);
            for holder in before.as_slice() {
                if let Some(drain) = self.drains.by_worker.get_mut(&WorkerIndex(*holder)) {
                    drain.at_risk -= 1;
                    drain.summary.moved += u64::from(is_saved);
                    drain.summary.moved_bytes += if is_saved { size } else { 0 };
                }
            }
            match now {
                Some((size, holders)) => {
                    for holder in holders.as_slice() {
                        if let Some(drain) = self.drains.by_worker.get_mut(&WorkerIndex(*holder)) {
                            drain.at_risk += 1;
                        }
                    }
                    if let Some(risk) = self.drains.risks.get_mut(&id) {
                        risk.holders = holders;
                    } else {
                        self.drains.risks.insert(id, Risk { holders, size, receiver: None, tries: 0 });
                        self.drains.waiting.insert(id);
                    }
                }
                None => self.drains.forget_risk(id),
            }
        }
    }

    /// Tells workers that stay to take what would go, and lets those go that have nothing left.
    pub(crate) fn drain(&mut self, out: &mut Actions) {
        self.review_results();
        if self.drains.by_worker.is_empty() {
            return;
        }
        while !self.drains.is_stuck && !self.drains.waiting.is_empty() {
            match self.next_receiver() {
                Some(receiver) => self.hand_over(receiver, out),
                None => self.drains.is_stuck = true,
            }
        }
        let ready: Vec<WorkerIndex> = self
            .drains
            .by_worker
            .iter()
            .filter(|(index, drain)| {
                !drain.is_dismissed
                    && self.worker(**index).attempts.is_empty()
                    && (drain.at_risk == 0 || self.may_leave_results(**index, drain))
            })
            .map(|(index, _)| *index)
            .collect();
        for index in ready {
            self.dismiss(index, out);
        }
    }

    /// Whether all that a worker still has to hand over is to be left.
    fn may_leave_results(&self, index: WorkerIndex, drain: &Drain) -> bool {
        let is_stuck = drain.gives_up && self.drains.is_stuck;
        if !self.drains.has_given_up() && !is_stuck {
            return false;
        }
        let mut risks = self.drains.risks.iter().filter(|(_, risk)| risk.holders.contains(index.0));
        risks.all(|(id, risk)| {
            risk.receiver.is_none() && (!self.drains.waiting.contains(id) || (drain.gives_up && self.drains.is_stuck))
        })
    }

    /// The worker, among the next ones that can take something, with the fewest bytes for its memory.
    fn next_receiver(&mut self) -> Option<WorkerIndex> {
        let all = self.workers.len();
        let mut best: Option<(u64, WorkerIndex)> = None;
        let mut found = 0;
        for _ in 0..all {
            self.drains.cursor = (self.drains.cursor + 1) % all;
            let index = WorkerIndex(self.drains.cursor as u32);
            let Some(worker) = &self.workers[index.0 as usize] else { continue };
            let (count, bytes) = self.drains.incoming.get(&index).copied().unwrap_or_default();
            let stored = worker.memory.held_bytes.saturating_sub(worker.memory.spilled_bytes).saturating_add(bytes);
            if worker.is_leaving || worker.memory.is_paused || count >= MOVES_MAX || stored >= worker.plan.memory_bytes {
                continue;
            }
            let fill = stored.saturating_mul(1_000) / worker.plan.memory_bytes.max(1);
            if best.is_none_or(|(least, _)| fill < least) {
                best = Some((fill, index));
            }
            found += 1;
            if found == RECEIVERS_SEEN {
                break;
            }
        }
        best.map(|(_, index)| index)
    }

    /// Tells a worker to take a few results, or others who are about to fetch them anyway.
    fn hand_over(&mut self, receiver: WorkerIndex, out: &mut Actions) {
        const BATCH: usize = 16;
        let batch: Vec<TaskId> = self.drains.waiting.iter().take(BATCH).copied().collect();
        for id in batch {
            let receiver = self.fetches_anyway(id).unwrap_or(receiver);
            let holders: Vec<WorkerId> =
                self.drains.risks[&id].holders.as_slice().iter().map(|holder| self.worker(WorkerIndex(*holder)).id).collect();
            self.drains.waiting.remove(&id);
            let risk = self.drains.risks.get_mut(&id).expect("what waits is at risk");
            risk.receiver = Some(receiver);
            self.drains.ordered += 1;
            let size = risk.size;
            let (count, bytes) = self.drains.incoming.entry(receiver).or_default();
            *count += 1;
            *bytes += size;
            self.graph_mut(id.graph).workers.insert(receiver.0);
            out.push(Action::Replicate { worker: self.worker(receiver).id, task: id, size, holders });
        }
    }

    /// A worker that stays and was given a task that needs the result.
    fn fetches_anyway(&self, id: TaskId) -> Option<WorkerIndex> {
        let graph = self.graph(id.graph);
        let attempts =
            graph.dependents(id.task).iter().take(DEPENDENTS_SEEN).flat_map(|task| graph.task(*task).attempts_live().iter());
        attempts.map(|attempt| self.attempts.at(*attempt).worker).find(|worker| {
            let count = self.drains.incoming.get(worker).map_or(0, |(count, _)| *count);
            !self.worker(*worker).is_leaving && count < MOVES_MAX
        })
    }

    fn dismiss(&mut self, index: WorkerIndex, out: &mut Actions) {
        let drain = self.drains.by_worker.get_mut(&index).expect("only who drains is dismissed");
        drain.is_dismissed = true;
        drain.summary.left = drain.at_risk;
        if let Some(at) = drain.deadline.take() {
            self.drains.deadlines.remove(&(at, index));
        }
        let summary = drain.summary.clone();
        self.counters.moved += summary.moved;
        out.push(Action::Dismiss { worker: self.worker(index).id, summary });
    }

    /// Lets go whose time is up: what runs there runs elsewhere, what is only there is made again.
    pub(crate) fn end_overdue_drains(&mut self, now: Time, out: &mut Actions) {
        while let Some((at, index)) = self.drains.deadlines.first().copied()
            && at <= now
        {
            self.drains.deadlines.pop_first();
            self.review_results();
            while let Some(attempt) = self.worker(index).attempts.last().copied() {
                let id = self.attempts.at(attempt).task;
                self.cancel_attempt(attempt, out);
                if let Some(drain) = self.drains.by_worker.get_mut(&index) {
                    drain.summary.stopped += 1;
                }
                self.go_on_without(id, index, out);
            }
            if let Some(drain) = self.drains.by_worker.get_mut(&index).filter(|drain| !drain.is_dismissed) {
                drain.summary.is_timed_out = true;
                self.dismiss(index, out);
            }
        }
    }

    /// A worker could not get results that it was told to fetch.
    pub(crate) fn on_replicas_missing(&mut self, worker: WorkerId, graph: GraphId, tasks: &[TaskIndex]) {
        let (Some(index), Some(graph)) = (self.worker_ids.get(&worker).copied(), self.graph_ids.get(&graph).copied()) else {
            self.counters.stale_reports += 1;
            return;
        };
        let is_refusal = self.worker(index).is_leaving;
        for task in tasks {
            let id = TaskId { graph, task: *task };
            let was_ordered = self.on_order_failed(id, index);
            if self.drains.risks.get(&id).is_none_or(|risk| risk.receiver != Some(index)) {
                self.counters.stale_reports += u64::from(!was_ordered);
                continue;
            }
            self.drains.unassign(id);
            let risk = self.drains.risks.get_mut(&id).expect("it was just there");
            risk.tries += u8::from(!is_refusal);
            if risk.tries < TRIES_MAX {
                self.drains.waiting.insert(id);
            }
        }
        self.drains.note_receivers();
    }

    /// What must hold of drains after every event.
    ///
    /// # Panics
    /// When something does not.
    pub(crate) fn check_drains(&self) {
        let drains = &self.drains;
        let mut at_risk: BTreeMap<WorkerIndex, u64> = BTreeMap::new();
        let mut incoming: BTreeMap<WorkerIndex, (u32, u64)> = BTreeMap::new();
        for (id, risk) in &drains.risks {
            let is_reviewed = !drains.changed.contains(id);
            if is_reviewed {
                let now = self.risk_of(*id).map(|(_, holders)| holders);
                assert_eq!(now, Some(&risk.holders), "what is at risk is only with workers that leave");
            }
            for holder in risk.holders.as_slice().iter().filter(|holder| drains.by_worker.contains_key(&WorkerIndex(**holder))) {
                *at_risk.entry(WorkerIndex(*holder)).or_default() += 1;
            }
            if let Some(receiver) = risk.receiver {
                assert!(!self.worker(receiver).is_leaving, "receivers stay");
                let (count, bytes) = incoming.entry(receiver).or_default();
                *count += 1;
                *bytes += risk.size;
            }
            assert!(!(risk.receiver.is_some() && drains.waiting.contains(id)), "what is fetched does not wait");
            let is_cared_for = risk.receiver.is_some() || drains.waiting.contains(id);
            assert!(
                is_cared_for || risk.tries >= TRIES_MAX,
                "what is at risk is moved, or waits for that, until too many failed"
            );
        }
        let timed = drains.by_worker.values().filter(|drain| drain.deadline.is_some()).count();
        assert_eq!(drains.deadlines.len(), timed, "timers are of those who drain");
        assert_eq!(incoming, drains.incoming, "orders to fetch are counted");
        assert_eq!(drains.ordered, incoming.values().map(|(count, _)| *count as usize).sum::<usize>());
        assert!(drains.waiting.iter().all(|id| drains.risks.contains_key(id)), "what waits is at risk");
        for (index, drain) in &drains.by_worker {
            assert!(self.worker(*index).is_leaving, "who drains takes nothing new");
            assert_eq!(drain.at_risk, at_risk.get(index).copied().unwrap_or(0), "what is at risk is counted");
            assert!(drain.deadline.is_none_or(|at| drains.deadlines.contains(&(at, *index))), "who drains has a timer");
        }
        if drains.by_worker.is_empty() && drains.changed.is_empty() {
            assert!(drains.risks.is_empty(), "nothing is at risk while nobody leaves");
            return;
        }
        for graph in self.graph_ids.values() {
            for task in self.task_positions(*graph) {
                let id = TaskId { graph: *graph, task };
                let is_known = drains.risks.contains_key(&id) || drains.changed.contains(&id);
                assert!(is_known || self.risk_of(id).is_none(), "what leaves is known");
            }
        }
    }
}
