//! Orders and circles.

use super::Graph;
use crate::ids::TaskIndex;

/// Every task after what it needs (Kahn's algorithm), or the tasks of one circle.
pub(super) fn topological(graph: &Graph) -> Result<Vec<TaskIndex>, Vec<TaskIndex>> {
    let n = graph.len();
    let mut missing: Vec<u32> = graph.dependency_starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let (starts, dependents) = transpose(n, &graph.dependency_starts, &graph.dependencies);
    let mut order: Vec<TaskIndex> = Vec::with_capacity(n);
    order.extend((0..n as u32).filter(|task| missing[*task as usize] == 0).map(TaskIndex));
    let mut next = 0;
    while let Some(&task) = order.get(next) {
        next += 1;
        for &dependent in &dependents[starts[task.0 as usize] as usize..starts[task.0 as usize + 1] as usize] {
            missing[dependent.0 as usize] -= 1;
            if missing[dependent.0 as usize] == 0 {
                order.push(dependent);
            }
        }
    }
    if order.len() == n { Ok(order) } else { Err(circle(graph, &missing)) }
}

/// Who needs whom, turned around, in the same compressed layout.
pub(super) fn transpose(n: usize, starts: &[u32], edges: &[TaskIndex]) -> (Vec<u32>, Vec<TaskIndex>) {
    let mut counts = vec![0u32; n + 1];
    edges.iter().for_each(|edge| counts[edge.0 as usize + 1] += 1);
    for task in 0..n {
        counts[task + 1] += counts[task];
    }
    let out_starts = counts.clone();
    let mut out = vec![TaskIndex(0); edges.len()];
    for task in 0..n {
        for edge in &edges[starts[task] as usize..starts[task + 1] as usize] {
            let at = &mut counts[edge.0 as usize];
            out[*at as usize] = TaskIndex(task as u32);
            *at += 1;
        }
    }
    (out_starts, out)
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
