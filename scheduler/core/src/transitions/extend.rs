//! Graphs that grow, and outputs that are asked for and let go one by one.

use crate::action::{Action, Actions, OutputOutcome};
use crate::core::SchedulerCore;
use crate::event::GraphPlan;
use crate::graph::Order;
use crate::task::{GraphIndex, State, TaskId};
use crate::worker::WorkerIndex;
use wasm_tasks_protocol::ids::{GraphId, TaskIndex};

impl SchedulerCore {
    /// A fragment for a graph that is gone or was cancelled is late, and ignored.
    pub(crate) fn on_graph_extended(&mut self, id: GraphId, plan: GraphPlan, out: &mut Actions) {
        let Some(index) = self.graph_ids.get(&id).copied() else { return };
        if self.graph(index).is_cancelled {
            return;
        }
        let wanted = plan.outputs.clone();
        self.extend_graph(index, plan, Order::After);
        // Its end is told again, also when nothing of the fragment has to run.
        self.graph_mut(index).is_finished = false;
        self.want(index, wanted, out);
        self.finish_graph_if_done(index, out);
    }

    /// Adds a part to a graph, with the shapes and the components of its tasks.
    pub(crate) fn extend_graph(&mut self, index: GraphIndex, plan: GraphPlan, order: Order) {
        let (queues, modules) = (&mut self.queues, &mut self.modules);
        let graph = self.graphs[index.slot as usize].as_mut().expect("an indexed graph is there");
        graph.components.extend(plan.components.iter().map(|digest| modules.take(*digest)));
        graph.extend(plan, order, |key| queues.intern(key));
    }

    /// Makes tasks outputs, and tells of those whose outcome is known already.
    pub(crate) fn want(&mut self, index: GraphIndex, mut wanted: Vec<TaskIndex>, out: &mut Actions) {
        let graph = self.graph(index);
        wanted.iter_mut().for_each(|task| *task = graph.stand_in(*task));
        wanted.sort_unstable();
        wanted.dedup();
        for output in &wanted {
            let task = self.graph_mut(index).task_mut(*output);
            if !std::mem::replace(&mut task.is_output, true) {
                task.is_announced = false;
                task.needed += 1;
            }
        }
        for task in wanted {
            let id = TaskId { graph: index, task };
            let outcome = match &self.graph(index).task(task).state {
                State::Idle => {
                    self.require(id, out);
                    continue;
                }
                State::Waiting | State::Queued | State::Assigned(_) | State::Resting { .. } => continue,
                State::Done { size, holders, is_inline } => {
                    let worker = holders.as_slice().first().map(|holder| self.worker(WorkerIndex(*holder)).id);
                    OutputOutcome::Ready { size: *size, is_inline: *is_inline, worker }
                }
                State::Failed { .. } => OutputOutcome::Failed,
                State::Delegated { .. } => unreachable!("what took its place is wanted instead"),
            };
            self.graph_mut(index).task_mut(task).is_announced = true;
            out.push(Action::Output { task: id, outcome });
        }
    }

    pub(crate) fn on_outputs_released(&mut self, id: GraphId, tasks: &[TaskIndex], out: &mut Actions) {
        let Some(index) = self.graph_ids.get(&id).copied() else { return };
        for task in tasks {
            if task.0 as usize >= self.graph(index).tasks.len() {
                continue;
            }
            let task = self.graph(index).stand_in(*task);
            let Some(entry) = Some(self.graph_mut(index).task_mut(task)).filter(|entry| entry.is_output) else { continue };
            entry.is_output = false;
            assert!(entry.needed > 0, "an output is counted as needed");
            entry.needed -= 1;
            let is_done = entry.is_done();
            let id = TaskId { graph: index, task };
            if !self.is_unneeded(id) {
                continue;
            }
            if is_done {
                self.release(id, out);
            } else {
                let stopped = self.stop_unneeded(id, out);
                stopped.into_iter().for_each(|id| self.drop_needs_of(id, out));
            }
        }
        self.finish_graph_if_done(index, out);
    }
}
