//! The static order of a graph's tasks: depth first, so that what is made is soon used up.
//!
//! The aim is dask.order's: few results alive at once. Here: a post-order walk from the tasks that nothing
//! depends on; of several inputs the one with the largest subtree comes first, because while the later ones are
//! made only its single result is kept (Sethi and Ullman, "The generation of optimal code for arithmetic
//! expressions", 1970, for trees; a heuristic for other graphs).

use wasm_tasks_protocol::ids::TaskIndex;

/// Ranks by task: smaller runs first. `starts` and `dependencies` are a [`GraphPlan`](crate::GraphPlan)'s.
///
/// Takes time linear in tasks plus edges, but for sorting the inputs of each task. The graph must have no circle.
pub fn static_order(starts: &[u32], dependencies: &[TaskIndex]) -> Vec<u32> {
    let n = starts.len().saturating_sub(1);
    let inputs = |task: u32| &dependencies[starts[task as usize] as usize..starts[task as usize + 1] as usize];
    let mut has_dependents = vec![false; n];
    dependencies.iter().for_each(|task| has_dependents[task.0 as usize] = true);
    let weights = weights(n, starts, dependencies);

    let mut ranks = vec![u32::MAX; n];
    let mut next = 0;
    let mut sorted = dependencies.to_vec();
    for task in 0..n {
        sorted[starts[task] as usize..starts[task + 1] as usize]
            .sort_by_key(|input| std::cmp::Reverse(weights[input.0 as usize]));
    }
    // (task, how many of its inputs were walked)
    let mut stack: Vec<(u32, u32)> = Vec::new();
    let mut is_open = vec![false; n];
    for root in (0..n as u32).filter(|task| !has_dependents[*task as usize]) {
        stack.push((root, 0));
        is_open[root as usize] = true;
        while let Some((task, walked)) = stack.last_mut() {
            let task = *task;
            let first = starts[task as usize] + *walked;
            if (*walked as usize) < inputs(task).len() {
                *walked += 1;
                let input = sorted[first as usize].0;
                if !is_open[input as usize] {
                    is_open[input as usize] = true;
                    stack.push((input, 0));
                }
            } else {
                ranks[task as usize] = next;
                next += 1;
                stack.pop();
            }
        }
    }
    assert!(next as usize == n, "a checked graph has no circle");
    ranks
}

/// How many results are alive at most while a task's subtree is made, were it a tree.
fn weights(n: usize, starts: &[u32], dependencies: &[TaskIndex]) -> Vec<u32> {
    let mut weights = vec![1u32; n];
    let mut of_inputs: Vec<u32> = Vec::new();
    for task in topological(n, starts, dependencies) {
        of_inputs.clear();
        let inputs = &dependencies[starts[task as usize] as usize..starts[task as usize + 1] as usize];
        of_inputs.extend(inputs.iter().map(|input| weights[input.0 as usize]));
        of_inputs.sort_unstable_by(|a, b| b.cmp(a));
        let peak = of_inputs.iter().zip(0..).map(|(weight, kept)| weight.saturating_add(kept)).max();
        weights[task as usize] = peak.unwrap_or(0).max(1);
    }
    weights
}

fn topological(n: usize, starts: &[u32], dependencies: &[TaskIndex]) -> Vec<u32> {
    let (dependent_starts, dependents) = transpose(n, starts, dependencies);
    let mut missing: Vec<u32> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let mut order: Vec<u32> = (0..n as u32).filter(|task| missing[*task as usize] == 0).collect();
    let mut next = 0;
    while let Some(&task) = order.get(next) {
        next += 1;
        for dependent in &dependents[dependent_starts[task as usize] as usize..dependent_starts[task as usize + 1] as usize] {
            missing[dependent.0 as usize] -= 1;
            if missing[dependent.0 as usize] == 0 {
                order.push(dependent.0);
            }
        }
    }
    order
}

/// The edges turned around, in the same layout.
pub(crate) fn transpose(n: usize, starts: &[u32], edges: &[TaskIndex]) -> (Vec<u32>, Vec<TaskIndex>) {
    let mut ends = vec![0u32; n + 1];
    edges.iter().for_each(|edge| ends[edge.0 as usize + 1] += 1);
    for task in 0..n {
        ends[task + 1] += ends[task];
    }
    let out_starts = ends.clone();
    let mut out = vec![TaskIndex(0); edges.len()];
    for task in 0..n {
        for edge in &edges[starts[task] as usize..starts[task + 1] as usize] {
            let at = &mut ends[edge.0 as usize];
            out[*at as usize] = TaskIndex(task as u32);
            *at += 1;
        }
    }
    (out_starts, out)
}
