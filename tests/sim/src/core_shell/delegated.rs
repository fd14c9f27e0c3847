//! Attempts that ended in tasks: the graph's next piece.

use super::CoreShell;
use wasm_tasks_protocol::Time;
use wasm_tasks_protocol::ids::WorkerId;
use wasm_tasks_protocol::message::AttemptDelegated;
use wasm_tasks_scheduler_core::{Event, GraphPlan};

impl CoreShell {
    pub(super) fn on_delegated(&mut self, now: Time, worker: WorkerId, report: &AttemptDelegated) {
        let AttemptDelegated { attempt, run, memory_peak_bytes, .. } = *report;
        let piece = report.tasks.first_chunk().map_or(u64::MAX, |bytes| u64::from_le_bytes(*bytes)) as usize;
        let Some(id) = self.core.attempt_task(worker, attempt) else { return };
        let Some(graph) = self.graph_of_mut(id.graph) else { return };
        // What was made up is for a shell to refuse.
        let Some(delegation) = graph.work.delegations.get(piece).copied().filter(|found| found.by == id.task) else {
            return;
        };
        assert_eq!(graph.pieces, piece + 1, "a task ends in tasks once");
        let plan = GraphPlan { outputs: Vec::new(), ..graph.work.piece(&graph.plan, graph.pieces) };
        graph.pieces += 1;
        let output = delegation.output;
        self.event(now, Event::AttemptDelegated { worker, attempt, run, memory_peak_bytes, plan, output });
    }
}
