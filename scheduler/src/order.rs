//! The order in which a scheduler would run a graph, were there one slot and memory enough: for people who ask.
//!
//! Must not know scheduling; the core makes the order.

use crate::submit::expected_of;
use wasm_tasks_protocol::graph::Graph;
use wasm_tasks_protocol::ids::TaskIndex;
use wasm_tasks_scheduler_core::{Expected, Fleet, living_results, planned_order};

/// A graph's static order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphOrder {
    /// Its tasks, first to run first.
    pub tasks: Vec<TaskIndex>,
    /// How many results are alive after each of them: made, and needed by a task that has not run. What no task needs is
    /// not counted, outputs neither.
    pub living: Vec<u64>,
    /// The bytes of these, where all results' sizes are expected.
    pub living_bytes: Option<Vec<u64>>,
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
        let expected = expected_of(graph);
        let ranks = planned_order(&starts, &dependencies, &expected, Fleet::UNKNOWN);
        let mut tasks = vec![TaskIndex(0); ranks.len()];
        ranks.iter().zip(0..).for_each(|(rank, task)| tasks[*rank as usize] = TaskIndex(task));
        let sizes: Vec<u64> = expected.iter().map(|expected| expected.result_bytes).collect();
        let is_sized = !sizes.is_empty() && !sizes.contains(&Expected::NOT_SAID);
        let living = |sizes| living_results(&starts, &dependencies, &ranks, sizes);
        GraphOrder { living: living(None), living_bytes: is_sized.then(|| living(Some(&sizes))), tasks }
    }

    /// The most that is alive at once.
    pub fn peak(&self) -> u64 {
        self.living.iter().copied().max().unwrap_or(0)
    }

    /// The most bytes that are alive at once, where all sizes are expected.
    pub fn peak_bytes(&self) -> Option<u64> {
        self.living_bytes.as_ref().map(|bytes| bytes.iter().copied().max().unwrap_or(0))
    }
}
