//! Edges in the compressed layout of [`Graph`](super::Graph) and of plans made of it: `edges[starts[t]..starts[t + 1]]`
//! are those of task `t`.

use crate::ids::TaskIndex;

/// The edges of one task.
pub fn edges_of<'a>(starts: &[u32], edges: &'a [TaskIndex], task: TaskIndex) -> &'a [TaskIndex] {
    &edges[starts[task.0 as usize] as usize..starts[task.0 as usize + 1] as usize]
}

/// The edges turned around: who needs whom becomes who is needed by whom.
pub fn transpose(starts: &[u32], edges: &[TaskIndex]) -> (Vec<u32>, Vec<TaskIndex>) {
    let n = starts.len().saturating_sub(1);
    let mut ends = vec![0u32; n + 1];
    edges.iter().for_each(|edge| ends[edge.0 as usize + 1] += 1);
    for task in 0..n {
        ends[task + 1] += ends[task];
    }
    let out_starts = ends.clone();
    let mut out = vec![TaskIndex(0); edges.len()];
    for task in (0..n as u32).map(TaskIndex) {
        for edge in edges_of(starts, edges, task) {
            let at = &mut ends[edge.0 as usize];
            out[*at as usize] = task;
            *at += 1;
        }
    }
    (out_starts, out)
}

/// The edges of a fragment that stay in it, with positions counted from its first task, which is `base`.
pub fn within(starts: &[u32], edges: &[TaskIndex], base: u32) -> (Vec<u32>, Vec<TaskIndex>) {
    let mut inner_starts = Vec::with_capacity(starts.len());
    let mut inner = Vec::new();
    inner_starts.push(0);
    for task in 0..starts.len().saturating_sub(1) as u32 {
        let own = edges_of(starts, edges, TaskIndex(task)).iter().filter(|edge| edge.0 >= base);
        inner.extend(own.map(|edge| TaskIndex(edge.0 - base)));
        inner_starts.push(inner.len() as u32);
    }
    (inner_starts, inner)
}

/// Every task after what it needs (Kahn's algorithm, "Topological sorting of large networks", 1962).
///
/// # Errors
/// How many of its edges each task still waits for, when some wait for each other.
pub fn topological(starts: &[u32], edges: &[TaskIndex]) -> Result<Vec<TaskIndex>, Vec<u32>> {
    let mut missing: Vec<u32> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let (dependent_starts, dependents) = transpose(starts, edges);
    let mut order: Vec<TaskIndex> = Vec::with_capacity(missing.len());
    order.extend((0..missing.len() as u32).filter(|task| missing[*task as usize] == 0).map(TaskIndex));
    let mut next = 0;
    while let Some(&task) = order.get(next) {
        next += 1;
        for dependent in edges_of(&dependent_starts, &dependents, task) {
            missing[dependent.0 as usize] -= 1;
            if missing[dependent.0 as usize] == 0 {
                order.push(*dependent);
            }
        }
    }
    if order.len() == missing.len() { Ok(order) } else { Err(missing) }
}
