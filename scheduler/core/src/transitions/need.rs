//! What is needed: graphs come, results are wanted and let go.

use crate::action::{Action, Actions};
use crate::core::SchedulerCore;
use crate::event::GraphPlan;
use crate::graph::Graph;
use crate::ranks::Fleet;
use crate::task::{GraphIndex, State, TaskId};
use crate::worker::WorkerIndex;
use wasm_tasks_protocol::ids::{GraphId, TaskIndex};

impl SchedulerCore {
    /// A graph that is known already is left as it is.
    pub(crate) fn on_graph_submitted(&mut self, id: GraphId, plan: GraphPlan, out: &mut Actions) {
        if self.graph_ids.contains_key(&id) {
            return;
        }
        let slot = self.free_graphs.pop().unwrap_or_else(|| {
            self.graphs.push(None);
            self.graphs.len() as u32 - 1
        });
        let index = GraphIndex { slot, generation: self.next_generation };
        self.next_generation += 1;
        let memory_bytes = self.worker_ids.values().map(|worker| self.worker(*worker).plan.memory_bytes).sum();
        let fleet = Fleet { memory_bytes, slots: self.fleet_slots_milli / 1_000 };
        let deadline = plan.deadline.map(|after| self.now + after);
        let queues = &mut self.queues;
        let wanted = plan.outputs.clone();
        let components = plan.components.iter().map(|digest| self.modules.take(*digest)).collect();
        let mut graph = Graph::new(index, plan, fleet, |key| queues.intern(key));
        (graph.deadline, graph.components) = (deadline, components);
        self.deadlines.extend(deadline.map(|at| (at, index)));
        self.graphs[slot as usize] = Some(graph);
        self.graph_ids.insert(id, index);
        out.push(Action::GraphAccepted { graph: id, index });
        self.want(index, wanted, out);
        self.finish_graph_if_done(index, out);
    }

    /// Makes an idle task that is needed wait for its inputs, and makes those needed too.
    pub(crate) fn require(&mut self, first: TaskId, out: &mut Actions) {
        let mut stack = vec![first.task];
        let mut doomed = Vec::new();
        while let Some(task) = stack.pop() {
            let id = TaskId { graph: first.graph, task };
            if self.graph(id.graph).task(task).state != State::Idle {
                // A member, for its gang and for who needs its result.
                continue;
            }
            self.change(id, State::Waiting);
            self.note_open(id, true);
            stack.extend(self.join_gang(id, out).iter().map(|mate| mate.task));
            let graph = self.graph_mut(id.graph);
            graph.is_finished = false;
            if !graph.task(task).was_counted {
                graph.task_mut(task).was_counted = true;
                graph.counts.tasks += 1;
            }
            let mut missing = 0;
            for position in 0..graph.dependencies(task).len() {
                let dependency = graph.dependencies(task)[position];
                let input = graph.task_mut(dependency);
                input.needed += 1;
                missing += u32::from(!input.is_done());
                match input.state {
                    State::Idle if input.needed == 1 => stack.push(dependency),
                    State::Failed { cause } => doomed.push((id, cause)),
                    State::Idle
                    | State::Waiting
                    | State::Queued
                    | State::Assigned(_)
                    | State::Resting { .. }
                    | State::Done { .. }
                    | State::Delegated { .. } => {}
                }
            }
            graph.task_mut(task).missing = missing;
            if missing == 0 {
                self.requeue(id);
            }
        }
        for (id, cause) in doomed {
            if self.graph(id.graph).task(id.task).is_open() {
                self.fail_with_dependents(id, cause, out);
            }
        }
    }

    /// One dependent less needs each input of a task; what nobody needs is let go.
    pub(crate) fn drop_needs_of(&mut self, id: TaskId, out: &mut Actions) {
        let mut stack = vec![id.task];
        while let Some(task) = stack.pop() {
            for position in 0..self.graph(id.graph).dependencies(task).len() {
                let dependency = self.graph(id.graph).dependencies(task)[position];
                let input = self.graph_mut(id.graph).task_mut(dependency);
                assert!(input.needed > 0, "each dependent is counted once");
                input.needed -= 1;
                let input = TaskId { graph: id.graph, task: dependency };
                if !self.is_unneeded(input) {
                    if self.graph(id.graph).task(dependency).has_large_copies() {
                        self.fans.note_surplus(input);
                    }
                    continue;
                }
                if self.graph(id.graph).task(dependency).is_done() {
                    self.release(input, out);
                } else {
                    stack.extend(self.stop_unneeded(input, out).iter().map(|stopped| stopped.task));
                }
            }
        }
    }

    /// Lets a result go that nobody needs.
    pub(crate) fn release(&mut self, id: TaskId, out: &mut Actions) {
        let task = self.graph_mut(id.graph).task_mut(id.task);
        if let State::Done { holders, is_inline, size } = &task.state {
            let (holders, is_inline, size) = (holders.clone(), *is_inline, *size);
            for holder in holders.as_slice() {
                self.count_held(crate::worker::WorkerIndex(*holder), id, size, false);
                let worker = self.worker(crate::worker::WorkerIndex(*holder)).id;
                out.push(Action::Release { worker, task: id });
            }
            if is_inline {
                out.push(Action::ReleaseInline(id));
            }
            self.fans.forget(id);
            self.change(id, State::Idle);
        }
    }

    /// Ends whatever an open task does, and gives it a state that is not open. Its inputs are the caller's.
    pub(crate) fn stop(&mut self, id: TaskId, to: State, out: &mut Actions) {
        if let State::Resting { until } = self.graph(id.graph).task(id.task).state {
            self.resting.remove(&(until, id));
        }
        let attempts = self.graph(id.graph).task(id.task).attempts_live().to_vec();
        for attempt in &attempts {
            self.cancel_attempt(*attempt, out);
        }
        self.change(id, to);
        self.note_open(id, false);
        if !attempts.is_empty() {
            self.withdraw_dependents(id, out);
        }
    }

    /// Ends a live attempt and tells its worker.
    pub(crate) fn cancel_attempt(&mut self, index: u32, out: &mut Actions) {
        let has_reported = self.discard_report(index, out);
        let ended = self.end_attempt(index);
        let worker = self.worker(ended.worker).id;
        if has_reported {
            out.push(Action::Release { worker, task: ended.task });
            return;
        }
        out.push(Action::Cancel { worker, attempt: ended.number });
        self.release_copy(&ended, out);
    }

    /// An attempt ended at a worker without a result: unless another one of its task lives, the task is sent to where it belongs.
    pub(crate) fn go_on_without(&mut self, id: TaskId, worker: WorkerIndex, out: &mut Actions) {
        if self.graph(id.graph).task(id.task).attempts_live().is_empty() {
            self.return_to_queue(id, out);
        } else {
            self.withdraw_dependents_at(id, worker, out);
        }
    }

    /// Takes back dependents that were sent to one worker ahead of a result that may come into being elsewhere.
    pub(crate) fn withdraw_dependents_at(&mut self, first: TaskId, worker: WorkerIndex, out: &mut Actions) {
        for position in 0..self.graph(first.graph).dependents(first.task).len() {
            let id = TaskId { graph: first.graph, task: self.graph(first.graph).dependents(first.task)[position] };
            let Some(attempt) = self.attempt_at(id, worker).filter(|attempt| self.attempts.at(*attempt).is_ahead) else {
                continue;
            };
            self.cancel_attempt(attempt, out);
            self.go_on_without(id, worker, out);
        }
    }

    /// Takes back dependents that were sent ahead of a result that will not come into being there.
    pub(crate) fn withdraw_dependents(&mut self, first: TaskId, out: &mut Actions) {
        let mut stack = vec![first.task];
        while let Some(task) = stack.pop() {
            for position in 0..self.graph(first.graph).dependents(task).len() {
                let dependent = self.graph(first.graph).dependents(task)[position];
                let id = TaskId { graph: first.graph, task: dependent };
                let ahead: Vec<u32> = self.graph(id.graph).task(dependent).attempts_live().to_vec();
                if ahead.is_empty() || !ahead.iter().all(|attempt| self.attempts.at(*attempt).is_ahead) {
                    continue;
                }
                for attempt in ahead {
                    self.cancel_attempt(attempt, out);
                }
                self.requeue(id);
                stack.push(dependent);
            }
        }
    }

    /// Announces the end of a graph once nothing is open.
    pub(crate) fn finish_graph_if_done(&mut self, index: GraphIndex, out: &mut Actions) {
        let graph = self.graph_mut(index);
        if graph.open == 0 && !graph.is_finished {
            graph.is_finished = true;
            let (counts, is_cancelled, is_overdue) = (graph.counts.clone(), graph.is_cancelled, graph.is_overdue);
            out.push(Action::GraphFinished { graph: index, counts, is_cancelled, is_overdue });
        }
    }

    /// Tells once what became of an output.
    pub(crate) fn announce_failed(&mut self, id: TaskId, out: &mut Actions) {
        let task = self.graph_mut(id.graph).task_mut(id.task);
        if task.is_output && !task.is_announced {
            task.is_announced = true;
            out.push(Action::Output { task: id, outcome: crate::action::OutputOutcome::Failed });
        }
    }

    /// Positions of the tasks of a graph, for walks that change it.
    pub(crate) fn task_positions(&self, index: GraphIndex) -> impl Iterator<Item = TaskIndex> + use<> {
        (0..self.graph(index).tasks.len() as u32).map(TaskIndex)
    }
}
