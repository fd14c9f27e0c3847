//! The static order of a graph's tasks: depth first, so that what is made is soon used up.
//!
//! The aim is dask.order's: few results alive at once. Here: a post-order walk from the tasks that nothing
//! depends on; of several inputs the one with the largest subtree comes first, because while the later ones are
//! made only its single result is kept (Sethi and Ullman, "The generation of optimal code for arithmetic
//! expressions", 1970, for trees; a heuristic for other graphs).

use wasm_tasks_protocol::graph::edges::{edges_of, topological};
use wasm_tasks_protocol::ids::TaskIndex;

/// Ranks by task: smaller runs first. `starts` and `dependencies` are a [`GraphPlan`](crate::GraphPlan)'s.
///
/// Takes time linear in tasks plus edges, but for sorting the inputs of each task. The graph must have no circle.
pub fn static_order(starts: &[u32], dependencies: &[TaskIndex]) -> Vec<u32> {
    let n = starts.len().saturating_sub(1);
    let inputs = |task: u32| edges_of(starts, dependencies, TaskIndex(task));
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
    for task in topological(starts, dependencies).expect("a checked graph has no circle") {
        of_inputs.clear();
        of_inputs.extend(edges_of(starts, dependencies, task).iter().map(|input| weights[input.0 as usize]));
        of_inputs.sort_unstable_by(|a, b| b.cmp(a));
        let peak = of_inputs.iter().zip(0..).map(|(weight, kept)| weight.saturating_add(kept)).max();
        weights[task.0 as usize] = peak.unwrap_or(0).max(1);
    }
    weights
}
