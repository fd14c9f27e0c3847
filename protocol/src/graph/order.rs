//! Orders and circles.

use super::{Graph, edges};
use crate::ids::TaskIndex;

/// Every task after what it needs, or the tasks of one circle.
pub(super) fn topological(graph: &Graph) -> Result<Vec<TaskIndex>, Vec<TaskIndex>> {
    edges::topological(&graph.dependency_starts, &graph.dependencies).map_err(|missing| circle(graph, &missing))
}

/// One circle among the tasks that still miss something: follow what each misses until one comes again.
fn circle(graph: &Graph, missing: &[u32]) -> Vec<TaskIndex> {
    let stuck = |task: &TaskIndex| missing[task.0 as usize] > 0;
    let mut seen_at = vec![u32::MAX; graph.len()];
    let mut walk: Vec<TaskIndex> = Vec::new();
    let mut task = (0..graph.len() as u32).map(TaskIndex).find(stuck).expect("something is stuck");
    loop {
        let seen = &mut seen_at[task.0 as usize];
        if *seen != u32::MAX {
            return walk.split_off(*seen as usize);
        }
        *seen = walk.len() as u32;
        walk.push(task);
        task = graph.task(task).dependencies().iter().copied().find(stuck).expect("a stuck task waits for a stuck one");
    }
}
