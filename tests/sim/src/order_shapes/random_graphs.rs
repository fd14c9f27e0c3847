//! Random graphs of several kinds, each determined by its seed.

use super::{Graph, Shape, add};
use crate::random::Random;

/// Every task needs up to `inputs` earlier ones, wherever they are.
pub(super) fn uniform(seed: u64, tasks: u32, inputs: u64) -> Graph {
    near(seed, tasks, inputs, tasks)
}

/// Every task needs up to `inputs` of the `reach` tasks before it.
pub(super) fn near(seed: u64, tasks: u32, inputs: u64, reach: u32) -> Graph {
    let mut random = Random::new(seed);
    let mut graph = Graph::default();
    for task in 0..tasks {
        let count = if task == 0 { 0 } else { random.between(0, inputs) };
        let first = task.saturating_sub(reach);
        let mut needs: Vec<u32> = (0..count).map(|_| random.between(u64::from(first), u64::from(task) - 1) as u32).collect();
        needs.sort_unstable();
        needs.dedup();
        graph.task(&needs);
    }
    graph
}

/// Rounds of random width; each task needs some of the round before.
fn layered(seed: u64) -> Graph {
    let mut random = Random::new(seed);
    let mut graph = Graph::default();
    let width = random.between(2, 40) as u32;
    let mut last = graph.sources(width);
    for _ in 0..random.between(2, 12) {
        last = (0..random.between(1, u64::from(width)))
            .map(|_| {
                let mut needs: Vec<u32> = (0..random.between(1, 3)).filter_map(|_| random.pick(&last).copied()).collect();
                needs.sort_unstable();
                needs.dedup();
                graph.task(&needs)
            })
            .collect();
    }
    graph
}

/// A tree whose tasks need one to four others.
fn tree(seed: u64) -> Graph {
    let mut random = Random::new(seed);
    let mut graph = Graph::default();
    let leaves = random.between(5, 300) as u32;
    let mut roots = graph.sources(leaves);
    while roots.len() > 1 {
        random.shuffle(&mut roots);
        let some = roots.split_off(roots.len().saturating_sub(random.between(1, 4) as usize));
        roots.push(graph.task(&some));
    }
    graph
}

/// Parts one after the other or side by side, down to single tasks.
fn series_parallel(seed: u64) -> Graph {
    let mut random = Random::new(seed);
    let mut graph = Graph::default();
    let first = graph.task(&[]);
    let last = part(&mut random, &mut graph, first, 6);
    graph.task(&[last]);
    graph
}

fn part(random: &mut Random, graph: &mut Graph, from: u32, depth: u32) -> u32 {
    if depth == 0 || random.chance(200) {
        return graph.task(&[from]);
    }
    if random.chance(500) {
        let middle = part(random, graph, from, depth - 1);
        return part(random, graph, middle, depth - 1);
    }
    let ends: Vec<u32> = (0..random.between(2, 4)).map(|_| part(random, graph, from, depth - 1)).collect();
    graph.task(&ends)
}

/// Reductions of several shared sources through mapped steps, as users write them.
fn pipelines(seed: u64) -> Graph {
    let mut random = Random::new(seed);
    let mut graph = Graph::default();
    let chunks = random.between(3, 40) as u32;
    let mut arrays = vec![graph.sources(chunks), graph.sources(chunks)];
    for _ in 0..random.between(2, 8) {
        let of = random.pick(&arrays).cloned().unwrap_or_default();
        let other = random.pick(&arrays).cloned().unwrap_or_default();
        let next = match random.below(4) {
            0 => graph.map(&of),
            1 if of == other => graph.map(&of),
            1 => graph.zip(&of, &other),
            2 => {
                let reduced = graph.reduce(&of, random.between(2, 8) as usize);
                other.iter().map(|task| if *task == reduced { *task } else { graph.task(&[*task, reduced]) }).collect()
            }
            _ => (0..of.len()).map(|at| graph.task(&of[at.saturating_sub(1)..=at])).collect(),
        };
        arrays.push(next);
    }
    if let Some(last) = arrays.last() {
        let last = last.clone();
        graph.reduce(&last, 4);
    }
    graph
}

pub(super) fn add_to(shapes: &mut Vec<Shape>) {
    for seed in 0..40 {
        let size = 20 + 30 * (seed as u32 % 10);
        add(shapes, format!("random-uniform-{seed}"), uniform(seed, size, 3));
        add(shapes, format!("random-near-{seed}"), near(seed, size * 2, 3, 8));
        add(shapes, format!("random-layered-{seed}"), layered(seed));
        add(shapes, format!("random-tree-{seed}"), tree(seed));
        add(shapes, format!("random-series-parallel-{seed}"), series_parallel(seed));
        add(shapes, format!("random-pipelines-{seed}"), pipelines(seed));
    }
}
