//! The order in which a scheduler would run a graph, were there one slot: for people who ask.
//!
//! Must not know scheduling; the core makes the order.

use wasm_tasks_protocol::graph::Graph;
use wasm_tasks_protocol::ids::TaskIndex;
use wasm_tasks_scheduler_core::{living_results, static_order};

/// A graph's static order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphOrder {
    /// Its tasks, first to run first.
    pub tasks: Vec<TaskIndex>,
    /// How many results are alive after each of them: made, and needed by a task that has not run. What no task needs is
    /// not counted, outputs neither.
    pub living: Vec<u64>,
}

impl GraphOrder {
    /// The order in which every task of a graph has its place.
    pub fn of(graph: &Graph) -> GraphOrder {
        let mut starts = Vec::with_capacity(graph.len() + 1);
        let mut dependencies = Vec::with_capacity(graph.edge_count());
        starts.push(0);
        for task in graph.tasks() {
            dependencies.extend_from_slice(task.dependencies());
            starts.push(dependencies.len() as u32);
        }
        let ranks = static_order(&starts, &dependencies);
        let mut tasks = vec![TaskIndex(0); ranks.len()];
        ranks.iter().zip(0..).for_each(|(rank, task)| tasks[*rank as usize] = TaskIndex(task));
        GraphOrder { tasks, living: living_results(&starts, &dependencies, &ranks, None) }
    }

    /// The most that is alive at once.
    pub fn peak(&self) -> u64 {
        self.living.iter().copied().max().unwrap_or(0)
    }
}
