//! Which of the orders a graph's tasks get, by what its author says of them.
//!
//! Nothing is said: few results are alive at once. Sizes: few bytes. Durations too: the longest path to an end goes first, as
//! long as memory allows. Must not know workers but for what they have together, and no states.

use crate::dependents::Dependents;
use crate::event::Expected;
use crate::levels::{self, Edges};
use crate::order::{static_order, static_order_by_size};
use wasm_tasks_protocol::ids::TaskIndex;

/// What all workers have together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fleet {
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// Slots, whole ones.
    pub slots: u64,
}

impl Fleet {
    /// Any memory, and no more slots than one.
    pub const UNKNOWN: Fleet = Fleet { memory_bytes: u64::MAX, slots: 1 };
}

/// Ranks by task: smaller runs first. `starts` and `dependencies` are a [`GraphPlan`](crate::GraphPlan)'s; `expected` is
/// empty or has one entry a task.
///
/// # Panics
/// When the graph has a circle.
pub fn planned_order(starts: &[u32], dependencies: &[TaskIndex], expected: &[Expected], fleet: Fleet) -> Vec<u32> {
    let ranks = bounded_order(starts, dependencies, expected);
    if expected.iter().all(|expected| expected.run_us == Expected::NOT_SAID) {
        return ranks;
    }
    let dependents = Dependents::new(starts, dependencies);
    let (from, list) = dependents.table();
    let dependents = Edges { starts: from, list };
    levels::order(&Edges { starts, list: dependencies }, &dependents, expected, ranks, fleet)
}

/// Ranks by task for few living results, or few living bytes where sizes are expected. What nothing is said of is taken
/// to be as large as the others are on average.
///
/// # Panics
/// When the graph has a circle.
pub(crate) fn bounded_order(starts: &[u32], dependencies: &[TaskIndex], expected: &[Expected]) -> Vec<u32> {
    let said = || expected.iter().map(|expected| expected.result_bytes).filter(|bytes| *bytes != Expected::NOT_SAID);
    let (sum, count) = said().fold((0u128, 0u128), |(sum, count), bytes| (sum + u128::from(bytes), count + 1));
    if count == 0 {
        return static_order(starts, dependencies);
    }
    let mean = u64::try_from(sum / count).unwrap_or(u64::MAX);
    let size = |expected: &Expected| if expected.result_bytes == Expected::NOT_SAID { mean } else { expected.result_bytes };
    // Results of no size are still results: among equals those orders are better that keep fewer of them.
    let sizes: Vec<u64> = expected.iter().map(|expected| size(expected).max(1)).collect();
    static_order_by_size(starts, dependencies, &sizes)
}
