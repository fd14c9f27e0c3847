//! Workers that come and go, and results that are lost with them.

use crate::action::{Action, Actions, AssignedInput, InputAt};
use crate::attempt::LiveAttempt;
use crate::core::SchedulerCore;
use crate::event::WorkerPlan;
use crate::task::{State, TaskId};
use crate::worker::{Worker, WorkerIndex};
use std::collections::BTreeSet;
use wasm_tasks_protocol::ids::{GraphId, TaskIndex, WorkerId};

impl SchedulerCore {
    /// A number that is in use is ignored: shells never use one twice.
    pub(crate) fn on_worker_joined(&mut self, id: WorkerId, plan: WorkerPlan) {
        if self.worker_ids.contains_key(&id) {
            return;
        }
        let index = WorkerIndex(self.vacant_workers.next_from(0).unwrap_or(self.workers.len() as u32));
        if index.0 as usize == self.workers.len() {
            self.workers.push(None);
        }
        self.vacant_workers.remove(index.0);
        self.workers[index.0 as usize] = Some(Worker::new(id, plan));
        self.worker_ids.insert(id, index);
        self.fleet += 1;
        self.fleet_slots_milli += self.worker(index).plan.slots_milli;
        self.reindex(index);
        self.drains.note_receivers();
    }

    pub(crate) fn on_worker_leaving(&mut self, id: WorkerId) {
        if let Some(index) = self.worker_ids.get(&id).copied() {
            self.worker_mut(index).is_leaving = true;
            self.reindex(index);
            self.note_leaving(index);
        }
    }

    pub(crate) fn on_worker_lost(&mut self, id: WorkerId, out: &mut Actions) {
        let Some(index) = self.worker_ids.remove(&id) else { return };
        self.fleet += 1;
        self.worker_mut(index).is_leaving = true;
        self.reindex(index);
        // Asked before the worker's results are lost: what had its inputs there could run, and may be what killed it.
        let waiting: BTreeSet<u32> =
            self.worker(index).attempts.iter().copied().filter(|attempt| self.waits_for_inputs(*attempt)).collect();
        let graphs: Vec<_> = self.graph_ids.values().copied().collect();
        for graph in &graphs {
            self.graph_mut(*graph).workers.remove(index.0);
        }
        for id in self.held_at(index) {
            self.lose_replica(id, index, out);
        }
        if let Some(hold) = self.worker(index).hold {
            self.give_up(hold.reservation);
        }
        while let Some(attempt) = self.worker(index).attempts.last().copied() {
            self.on_attempt_orphaned(attempt, waiting.contains(&attempt), index, out);
        }
        self.end_drain(index);
        self.fans.on_worker_lost(index);
        self.forget_modules(index);
        self.fleet_slots_milli -= self.worker(index).plan.slots_milli;
        self.workers[index.0 as usize] = None;
        self.vacant_workers.insert(index.0);
        for graph in graphs {
            self.finish_graph_if_done(graph, out);
        }
    }

    /// Whether an attempt was sent ahead of inputs that do not exist yet.
    fn waits_for_inputs(&self, attempt: u32) -> bool {
        let live = self.attempts.at(attempt);
        live.is_ahead && self.graph(live.task.graph).task(live.task.task).missing > 0
    }

    pub(crate) fn holds(&self, id: TaskId, worker: WorkerIndex) -> bool {
        match &self.graph(id.graph).task(id.task).state {
            State::Done { holders, .. } => holders.contains(worker.0),
            State::Idle
            | State::Waiting
            | State::Queued
            | State::Assigned(_)
            | State::Resting { .. }
            | State::Failed { .. }
            | State::Delegated { .. } => false,
        }
    }

    /// A worker does not have a result, or not any more. Returns whether another copy is left.
    fn lose_replica(&mut self, id: TaskId, worker: WorkerIndex, out: &mut Actions) -> bool {
        let State::Done { holders, is_inline, size } = &mut self.graph_mut(id.graph).task_mut(id.task).state else {
            return false;
        };
        if !holders.remove(worker.0) {
            return true;
        }
        let (is_last, size) = (holders.is_empty() && !*is_inline, *size);
        self.count_held(worker, id, size, false);
        if is_last {
            self.on_result_lost(id, out);
            return false;
        }
        self.drains.note(id);
        self.fans.on_copy_lost(id, worker);
        true
    }

    /// The last copy is gone: exactly what is still needed is made again.
    fn on_result_lost(&mut self, id: TaskId, out: &mut Actions) {
        self.change(id, State::Idle);
        self.counters.recomputed += 1;
        self.end_fan(id, out);
        for position in 0..self.graph(id.graph).dependents(id.task).len() {
            let dependent = TaskId { graph: id.graph, task: self.graph(id.graph).dependents(id.task)[position] };
            let task = self.graph_mut(id.graph).task_mut(dependent.task);
            if task.is_open() {
                task.missing += 1;
                if task.state == State::Queued {
                    self.change(dependent, State::Waiting);
                }
            }
        }
        let task = self.graph_mut(id.graph).task_mut(id.task);
        task.is_announced = false;
        if task.needed > 0 {
            self.require(id, out);
        }
    }

    /// Whoever asked a holder for a result did not get it.
    pub(crate) fn on_result_unreadable(&mut self, worker: WorkerId, graph: GraphId, task: TaskIndex, out: &mut Actions) {
        let place = self.worker_ids.get(&worker).copied().zip(self.graph_ids.get(&graph).copied());
        let place = place.filter(|(_, graph)| (task.0 as usize) < self.graph(*graph).tasks.len());
        // What took the place of a task has its result.
        match place.map(|(index, graph)| (index, TaskId { graph, task: self.graph(graph).stand_in(task) })) {
            Some((index, id)) if self.holds(id, index) => {
                self.lose_replica(id, index, out);
                // As where an input is missing: the old copy must not meet a new one.
                out.push(Action::Release { worker, task: id });
                // What it needs may have failed meanwhile.
                self.finish_graph_if_done(id.graph, out);
            }
            Some(_) | None => self.counters.stale_reports += 1,
        }
    }

    pub(crate) fn on_input_missing(&mut self, index: u32, input: TaskIndex, tried: &[WorkerId], out: &mut Actions) {
        let (number, id, worker) = {
            let live = self.attempts.at(index);
            (live.number, live.task, live.worker)
        };
        if !self.graph(id.graph).dependencies(id.task).contains(&input) {
            return;
        }
        let source = TaskId { graph: id.graph, task: input };
        for holder in tried {
            if let Some(index) = self.worker_ids.get(holder).copied() {
                let (worker, task) = (*holder, source);
                let was_holder = self.holds(source, index);
                self.lose_replica(source, index, out);
                // If it has the result after all, it keeps it for nobody; if it cannot read it, a new one must not meet the old.
                if was_holder {
                    out.push(Action::Release { worker, task });
                }
            }
        }
        // Losing the input may have ended the attempt.
        if self.attempts.find(number) != Some(index) {
            return;
        }
        match self.input(id, input, worker) {
            Some(mut input) => {
                let position = self.graph(id.graph).dependencies(id.task).iter().position(|known| *known == input.task);
                if let InputAt::Workers(holders) = &input.at
                    && self.is_given_on(id, position.expect("it was looked for above"), input.size)
                    && !holders.contains(&self.worker(worker).id)
                {
                    input.at = self.join_fan(source, worker, index);
                }
                if input.at == InputAt::Later {
                    return;
                }
                let worker = self.worker(worker).id;
                out.push(Action::UpdateInput { worker, attempt: number, input, graph: id.graph });
            }
            None => {
                self.cancel_attempt(index, out);
                self.go_on_without(id, worker, out);
            }
        }
    }

    /// Where an input is, seen from a worker; none when it does not exist and is not being made there.
    pub(crate) fn input(&self, id: TaskId, input: TaskIndex, worker: WorkerIndex) -> Option<AssignedInput> {
        let graph = self.graph(id.graph);
        let (size, at) = match &graph.task(input).state {
            State::Done { size, holders, .. } if holders.contains(worker.0) => {
                (*size, InputAt::Workers(vec![self.worker(worker).id]))
            }
            State::Done { size, is_inline: true, .. } => (*size, InputAt::Shell),
            State::Done { size, holders, .. } => {
                let mut ids: Vec<WorkerId> =
                    holders.as_slice().iter().map(|holder| self.worker(WorkerIndex(*holder)).id).collect();
                // Workers ask the first unless they are busy with it.
                if let Some(first) = self.freest_holder(holders.as_slice()) {
                    ids.swap(0, first);
                }
                (*size, InputAt::Workers(ids))
            }
            State::Assigned(attempts) => {
                let here = attempts.as_slice().iter().find(|attempt| self.attempts.at(**attempt).worker == worker)?;
                (0, InputAt::Pending(self.attempts.at(*here).number))
            }
            State::Idle
            | State::Waiting
            | State::Queued
            | State::Resting { .. }
            | State::Failed { .. }
            | State::Delegated { .. } => return None,
        };
        Some(AssignedInput { task: input, size, at })
    }

    pub(crate) fn on_replicas_added(&mut self, worker: WorkerId, graph: GraphId, tasks: &[TaskIndex], out: &mut Actions) {
        let (Some(index), Some(graph)) = (self.worker_ids.get(&worker).copied(), self.graph_ids.get(&graph).copied()) else {
            self.counters.stale_reports += 1;
            return;
        };
        for task in tasks.iter().copied().filter(|task| (task.0 as usize) < self.graph(graph).tasks.len()).collect::<Vec<_>>() {
            self.note_arrival(TaskId { graph, task }, index);
            match &mut self.graph_mut(graph).task_mut(task).state {
                State::Done { holders, size, .. } => {
                    let (is_new, size) = (holders.insert(index.0), *size);
                    if is_new {
                        self.count_held(index, TaskId { graph, task }, size, true);
                    }
                    self.drains.note(TaskId { graph, task });
                    self.fans.on_arrived(TaskId { graph, task }, index);
                    if self.graph(graph).task(task).has_large_copies() {
                        self.fans.note_surplus(TaskId { graph, task });
                    }
                }
                State::Idle
                | State::Waiting
                | State::Queued
                | State::Assigned(_)
                | State::Resting { .. }
                | State::Failed { .. }
                | State::Delegated { .. } => {
                    let id = TaskId { graph, task };
                    // Where the result is being made again a word to let the copy go could take the new result instead.
                    match self.attempt_at(id, index) {
                        Some(attempt) => self.attempts.at_mut(attempt).has_copy = true,
                        None => out.push(Action::Release { worker, task: id }),
                    }
                }
            }
        }
    }

    /// The attempt of a task that a worker has.
    pub(crate) fn attempt_at(&self, id: TaskId, worker: WorkerIndex) -> Option<u32> {
        let live = self.graph(id.graph).task(id.task).attempts_live();
        live.iter().copied().find(|attempt| self.attempts.at(*attempt).worker == worker)
    }

    /// An attempt ended without a result: its worker may let an older copy go.
    pub(crate) fn release_copy(&self, ended: &LiveAttempt, out: &mut Actions) {
        if ended.has_copy {
            out.push(Action::Release { worker: self.worker(ended.worker).id, task: ended.task });
        }
    }
}
