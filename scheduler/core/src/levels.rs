//! The order by what is left to do: the task from which the longest path leads to an end runs first.
//!
//! It keeps slots busy to the end, and cares nothing for memory: it is taken only where the results that it keeps
//! alive are few beside the memory of the workers, and where durations are expected at all.

use crate::event::Expected;
use wasm_tasks_protocol::graph::edges::{edges_of, topological};
use wasm_tasks_protocol::ids::TaskIndex;

/// Of the workers' memory, results may take one part of so many before order cares for memory only.
const MEMORY_PART: u64 = 2;
/// Results alive may be one part of so many more than in the order that cares for memory.
const MORE_PART: u64 = 4;

/// Edges of a graph, one way.
pub(crate) struct Edges<'a> {
    pub(crate) starts: &'a [u32],
    pub(crate) list: &'a [TaskIndex],
}

impl Edges<'_> {
    fn of(&self, task: u32) -> &[TaskIndex] {
        edges_of(self.starts, self.list, TaskIndex(task))
    }
}

/// Ranks by what is left to do, or `ranks` as they are where memory is the constraint. Linear but for one sort.
pub(crate) fn order(
    dependencies: &Edges<'_>,
    dependents: &Edges<'_>,
    expected: &[Expected],
    ranks: Vec<u32>,
    memory_bytes: u64,
) -> Vec<u32> {
    let levels = levels(dependencies, dependents, expected);
    let mut tasks: Vec<u32> = (0..ranks.len() as u32).collect();
    tasks.sort_unstable_by_key(|task| (std::cmp::Reverse(levels[*task as usize]), ranks[*task as usize]));
    let peak = peak_bytes(&tasks, dependencies, dependents, expected);
    if peak > memory_bytes / MEMORY_PART {
        let mut by_rank: Vec<u32> = (0..ranks.len() as u32).collect();
        by_rank.sort_unstable_by_key(|task| ranks[*task as usize]);
        let least = peak_bytes(&by_rank, dependencies, dependents, expected);
        if peak > least.saturating_add(least / MORE_PART) {
            return ranks;
        }
    }
    let mut order = ranks;
    (0..).zip(&tasks).for_each(|(rank, task)| order[*task as usize] = rank);
    order
}

/// Microseconds of the longest path from each task to an end, the task included.
fn levels(dependencies: &Edges<'_>, dependents: &Edges<'_>, expected: &[Expected]) -> Vec<u64> {
    let said = || expected.iter().map(|expected| expected.run_us).filter(|run_us| *run_us != Expected::NOT_SAID);
    // What nothing is said of is taken for what the others are on average.
    let (sum, count) = said().fold((0u64, 0u64), |(sum, count), run_us| (sum.saturating_add(run_us), count + 1));
    let mean = sum / count.max(1);
    let mut levels = vec![0u64; expected.len()];
    let order = topological(dependencies.starts, dependencies.list).expect("a checked graph has no circle");
    for task in order.into_iter().rev() {
        let after = dependents.of(task.0).iter().map(|dependent| levels[dependent.0 as usize]).max().unwrap_or(0);
        let own = match expected[task.0 as usize].run_us {
            Expected::NOT_SAID => mean,
            run_us => run_us,
        };
        levels[task.0 as usize] = after.saturating_add(own.max(1));
    }
    levels
}

/// Bytes of results that are alive at most when tasks run one after the other in this order.
fn peak_bytes(tasks: &[u32], dependencies: &Edges<'_>, dependents: &Edges<'_>, expected: &[Expected]) -> u64 {
    let bytes = |task: u32| match expected[task as usize].result_bytes {
        Expected::NOT_SAID => 0,
        bytes => bytes,
    };
    let mut left: Vec<u32> = (0..expected.len() as u32).map(|task| dependents.of(task).len() as u32).collect();
    let (mut alive, mut peak) = (0u64, 0u64);
    for task in tasks {
        alive = alive.saturating_add(bytes(*task));
        peak = peak.max(alive);
        for input in dependencies.of(*task) {
            left[input.0 as usize] -= 1;
            if left[input.0 as usize] == 0 {
                alive = alive.saturating_sub(bytes(input.0));
            }
        }
    }
    peak
}
