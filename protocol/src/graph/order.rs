//! Orders and circles.

use super::{Graph, edges};
use crate::ids::TaskIndex;

/// Every task after what it needs, or the tasks of one circle. What a base has needs nothing of a fragment.
pub(super) fn topological(graph: &Graph) -> Result<Vec<TaskIndex>, Vec<TaskIndex>> {
    let base = graph.base.tasks;
    if base == 0 {
        return edges::topological(&graph.dependency_starts, &graph.dependencies).map_err(|missing| circle(graph, &missing));
    }
    let (starts, inner) = edges::within(&graph.dependency_starts, &graph.dependencies, base);
    let order = edges::topological(&starts, &inner).map_err(|missing| circle(graph, &missing))?;
    Ok(order.into_iter().map(|task| TaskIndex(task.0 + base)).collect())
}

/// One circle among the tasks that still miss something: follow what each misses until one comes again.
fn circle(graph: &Graph, missing: &[u32]) -> Vec<TaskIndex> {
    let base = graph.base.tasks;
    let stuck = |task: &TaskIndex| task.0 >= base && missing[(task.0 - base) as usize] > 0;
    let mut seen_at = vec![u32::MAX; graph.len()];
    let mut walk: Vec<TaskIndex> = Vec::new();
    let mut task = graph.tasks().map(|task| task.index()).find(stuck).expect("something is stuck");
    loop {
        let seen = &mut seen_at[(task.0 - base) as usize];
        if *seen != u32::MAX {
            return walk.split_off(*seen as usize);
        }
        *seen = walk.len() as u32;
        walk.push(task);
        task = graph.task(task).dependencies().iter().copied().find(stuck).expect("a stuck task waits for a stuck one");
    }
}
