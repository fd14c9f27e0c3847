//! Graphs that are stopped, and graphs that are let go.

use crate::action::{Action, Actions};
use crate::core::SchedulerCore;
use crate::task::{GraphIndex, State, TaskId};
use crate::worker::WorkerIndex;
use wasm_tasks_protocol::error::ErrorCode;
use wasm_tasks_protocol::ids::{GraphId, TaskIndex};
use wasm_tasks_protocol::time::Time;

impl SchedulerCore {
    pub(crate) fn on_graph_cancelled(&mut self, graph: GraphId, out: &mut Actions) {
        let Some(index) = self.graph_ids.get(&graph).copied() else { return };
        if self.graph(index).open > 0 {
            self.cancel(index, out);
        }
    }

    /// As if each of the tasks had failed; a running one is stopped at once.
    pub(crate) fn on_tasks_cancelled(&mut self, graph: GraphId, tasks: &[TaskIndex], out: &mut Actions) {
        let Some(index) = self.graph_ids.get(&graph).copied() else { return };
        for task in tasks.iter().copied() {
            if task.0 as usize >= self.graph(index).tasks.len() {
                continue;
            }
            let task = self.graph(index).stand_in(task);
            if self.graph(index).task(task).is_open() {
                self.fail_for_good(TaskId { graph: index, task }, ErrorCode::Cancelled, None, out);
            }
        }
    }

    /// Stops the graphs whose time is over.
    pub(crate) fn on_deadlines(&mut self, now: Time, out: &mut Actions) {
        while let Some((at, index)) = self.deadlines.first().copied()
            && at <= now
        {
            self.deadlines.pop_first();
            let graph = self.graph_mut(index);
            graph.deadline = None;
            if graph.open > 0 {
                graph.is_overdue = true;
                self.cancel(index, out);
            }
        }
    }

    fn cancel(&mut self, index: GraphIndex, out: &mut Actions) {
        self.graph_mut(index).is_cancelled = true;
        for task in self.task_positions(index) {
            let id = TaskId { graph: index, task };
            if self.graph(index).task(task).is_open() {
                self.stop(id, State::Failed { cause: task }, out);
                self.announce_failed(id, out);
                self.drop_needs_of(id, out);
            }
        }
        self.finish_graph_if_done(index, out);
    }

    pub(crate) fn on_graph_released(&mut self, graph: GraphId, out: &mut Actions) {
        let Some(index) = self.graph_ids.get(&graph).copied() else { return };
        if self.graph(index).open > 0 {
            self.cancel(index, out);
        }
        self.forget_held(index);
        self.fans.forget_graph(index);
        self.graph_ids.remove(&graph);
        self.drains.note_graph(index);
        if let Some(at) = self.graph(index).deadline {
            self.deadlines.remove(&(at, index));
        }
        self.give_up_all_of(index);
        let forgotten = self.graphs[index.slot as usize].take().expect("an indexed graph is there");
        forgotten.shapes().for_each(|shape| self.queues.let_go(shape));
        forgotten.components.iter().for_each(|component| self.modules.let_go(*component));
        self.free_graphs.push(index.slot);
        forgotten.workers.iter().for_each(|worker| self.trim_held(WorkerIndex(worker)));
        let workers = forgotten.workers.iter().map(|worker| self.worker(WorkerIndex(worker)).id).collect();
        out.push(Action::GraphForgotten { graph, index, workers });
    }
}
