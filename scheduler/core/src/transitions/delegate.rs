//! Attempts that end in tasks which they wrote: a tail call. One of these takes the place of the task, for whoever needs it.
//!
//! That the tasks may be run, and that the result is of the right type, was checked before.

use crate::action::Actions;
use crate::core::SchedulerCore;
use crate::event::GraphPlan;
use crate::graph::Order;
use crate::task::{State, TaskId};
use wasm_tasks_protocol::ids::TaskIndex;
use wasm_tasks_protocol::time::Duration;

/// How an attempt ended that delegated.
#[derive(Debug)]
pub(crate) struct Delegation {
    /// Wall time in the sandbox.
    pub(crate) run: Duration,
    /// Peak of linear memory.
    pub(crate) memory_peak_bytes: u64,
    /// Its tasks.
    pub(crate) plan: GraphPlan,
    /// Which of them takes the task's place.
    pub(crate) output: TaskIndex,
}

impl SchedulerCore {
    pub(crate) fn on_attempt_delegated(&mut self, attempt: u32, delegation: Delegation, out: &mut Actions) {
        let Delegation { run, memory_peak_bytes, mut plan, output } = delegation;
        let ended = self.end_attempt(attempt);
        self.release_copy(&ended, out);
        self.learn(&ended, run, memory_peak_bytes);
        let id = ended.task;
        assert!(self.graph(id.graph).gangs.of(id.task).is_none(), "members of gangs do not delegate");
        // Whoever was sent ahead waits at a worker for a result that will not come into being there.
        self.withdraw_dependents(id, out);
        let others = self.graph(id.graph).task(id.task).attempts_set();
        others.as_slice().iter().for_each(|other| self.cancel_attempt(*other, out));
        let tasks = self.graph(id.graph).tasks.len();
        assert!((tasks..tasks + plan.functions.len()).contains(&(output.0 as usize)), "it is one of its tasks");
        plan.outputs = Vec::new();
        self.extend_graph(id.graph, plan, Order::First);
        let graph = self.graph_mut(id.graph);
        graph.replace(id.task, output);
        graph.find_family(output);
        graph.counts.delegated += 1;
        let function = graph.task(id.task).function;
        graph.functions[function as usize].delegated += 1;
        let is_first = !std::mem::replace(&mut graph.task_mut(id.task).was_done, true);
        graph.counts.finished += u64::from(is_first);
        graph.open -= 1;
        self.change(id, State::Delegated { to: output });
        // What both need stays.
        self.require(TaskId { graph: id.graph, task: output }, out);
        self.drop_needs_of(id, out);
    }
}
