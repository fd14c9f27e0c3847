//! Graphs that are stopped, and graphs that are let go.

use crate::action::{Action, Actions};
use crate::core::SchedulerCore;
use crate::task::{GraphIndex, State, TaskId};
use crate::worker::WorkerIndex;
use wasm_tasks_protocol::ids::GraphId;

impl SchedulerCore {
    pub(crate) fn on_graph_cancelled(&mut self, graph: GraphId, out: &mut Actions) {
        let Some(index) = self.graph_ids.get(&graph).copied() else { return };
        if self.graph(index).open > 0 {
            self.cancel(index, out);
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
        self.graph_ids.remove(&graph);
        self.drains.note_graph(index);
        let forgotten = self.graphs[index.slot as usize].take().expect("an indexed graph is there");
        self.free_graphs.push(index.slot);
        let workers = forgotten.workers.iter().map(|worker| self.worker(WorkerIndex(worker)).id).collect();
        out.push(Action::GraphForgotten { graph, index, workers });
    }
}
