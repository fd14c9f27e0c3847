//! The shapes that are run here and at the peer: graphs of the SDK, and plans for the core alone.
//!
//! Every task has arguments of its own: leaf `i` of round `r` adds `i` and `r`.

use crate::error::BenchError;
use std::path::Path;
use wasm_tasks::{Args, Function, Graph, Task, args};
use wasm_tasks_protocol::graph::Settings;
use wasm_tasks_protocol::ids::TaskIndex;
use wasm_tasks_scheduler_core::GraphPlan;

/// How many inputs a task of a merge has.
const FAN_IN: usize = 100;

/// A graph with one output, and what that must be.
pub(crate) struct Shape {
    pub(crate) graph: Graph,
    /// The key of the output.
    pub(crate) output: String,
    pub(crate) expected: i64,
    pub(crate) tasks: u64,
}

/// What shapes are made of.
struct Calc {
    graph: Graph,
    add: Function,
    sum: Function,
}

impl Calc {
    fn new(calc: &Path) -> Result<Calc, BenchError> {
        let mut graph = Graph::new();
        let component = graph.component_file(calc).map_err(BenchError::at("reading a guest"))?;
        let (add, sum) = (graph.function(&component, "add"), graph.function(&component, "sum"));
        Ok(Calc { graph, add, sum })
    }

    /// Keys have 16 bytes.
    fn leaf(&mut self, i: usize, round: usize) -> Task {
        self.graph.call_named(&format!("leaf{round:04}{i:08}"), &self.add, args![i, round])
    }

    fn finish(mut self, last: &Task, expected: i64) -> Shape {
        self.graph.output(last);
        Shape { output: last.key().to_owned(), expected, tasks: self.graph.len() as u64, graph: self.graph }
    }
}

fn sum_of_leaves(leaves: usize, round: usize) -> i64 {
    (leaves * (leaves - 1) / 2 + leaves * round) as i64
}

/// Leaves, summed by a hundred at a time until there is one.
pub(crate) fn merge(calc: &Path, leaves: usize, round: usize) -> Result<Shape, BenchError> {
    let mut shape = Calc::new(calc)?;
    let mut level: Vec<Task> = (0..leaves).map(|i| shape.leaf(i, round)).collect();
    let mut depth = 0;
    while level.len() > 1 {
        depth += 1;
        level = level
            .chunks(FAN_IN)
            .enumerate()
            .map(|(i, group)| {
                let parts: Vec<&Task> = group.iter().collect();
                let sum = shape.sum.clone();
                shape.graph.call_named(&format!("sum{depth}{round:04}{i:08}"), &sum, args![parts])
            })
            .collect();
    }
    let last = level[0].clone();
    Ok(shape.finish(&last, sum_of_leaves(leaves, round)))
}

/// Two to the power of `height` leaves, summed pairwise.
pub(crate) fn tree(calc: &Path, height: u32, round: usize) -> Result<Shape, BenchError> {
    let mut shape = Calc::new(calc)?;
    let leaves = 1usize << height;
    let mut level: Vec<Task> = (0..leaves).map(|i| shape.leaf(i, round)).collect();
    let mut depth = 0;
    while level.len() > 1 {
        depth += 1;
        let add = shape.add.clone();
        let pairs = level.chunks(2).enumerate();
        level = pairs
            .map(|(i, pair)| {
                shape.graph.call_named(&format!("add{depth:02}{round:04}{i:07}"), &add, pair.iter().collect::<Args>())
            })
            .collect();
    }
    let last = level[0].clone();
    Ok(shape.finish(&last, sum_of_leaves(leaves, round)))
}

/// Each task adds its position to the result of the one before.
pub(crate) fn chain(calc: &Path, hops: usize, round: usize) -> Result<Shape, BenchError> {
    let mut shape = Calc::new(calc)?;
    let mut last = shape.leaf(0, round);
    for i in 1..hops {
        let add = shape.add.clone();
        last = shape.graph.call_named(&format!("link{round:04}{i:08}"), &add, args![&last, i]);
    }
    let expected = (hops * (hops - 1) / 2 + round) as i64;
    Ok(shape.finish(&last, expected))
}

/// Each task adds the results of two of those before it, drawn by a generator of 64 bits (Steele and others, "Fast splittable
/// pseudorandom number generators", 2014). Its value is not known beforehand: it is not to be run.
pub(crate) fn random(calc: &Path, tasks: usize, round: usize) -> Result<Shape, BenchError> {
    let mut shape = Calc::new(calc)?;
    let mut state = round as u64;
    let mut draw = |below: usize| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ (mixed >> 31)) % below as u64) as usize
    };
    let mut made: Vec<Task> = (0..tasks / 10).map(|i| shape.leaf(i, round)).collect();
    for i in made.len()..tasks {
        let (first, second) = (made[draw(i)].clone(), made[draw(i)].clone());
        let add = shape.add.clone();
        made.push(shape.graph.call_named(&format!("node{round:04}{i:08}"), &add, args![&first, &second]));
    }
    let used: Vec<Task> = made.split_off(tasks - tasks / 10);
    used.iter().for_each(|task| shape.graph.output(task));
    let last = used[used.len() - 1].clone();
    Ok(Shape { output: last.key().to_owned(), expected: 0, tasks: shape.graph.len() as u64, graph: shape.graph })
}

/// Tasks that need nothing, all of them outputs.
pub(crate) fn flat(calc: &Path, tasks: usize, round: usize) -> Result<Graph, BenchError> {
    let mut shape = Calc::new(calc)?;
    for i in 0..tasks {
        let leaf = shape.leaf(i, round);
        shape.graph.output(&leaf);
    }
    Ok(shape.graph)
}

/// Calls of a guest's `count`, which says how often it was called in its instance; all of them outputs.
pub(crate) fn counts(hostile: &Path, tasks: usize) -> Result<Graph, BenchError> {
    let mut graph = Graph::new();
    let component = graph.component_file(hostile).map_err(BenchError::at("reading a guest"))?;
    let count = graph.function(&component, "count");
    for i in 0..tasks {
        let task = graph.call_named(&format!("count-{i}"), &count, args![]);
        graph.output(&task);
    }
    Ok(graph)
}

/// [`merge`] as the core gets it.
pub(crate) fn merge_plan(leaves: usize) -> GraphPlan {
    let mut plan = GraphPlan { dependency_starts: vec![0], settings: vec![Settings::default()], ..GraphPlan::default() };
    plan.functions = vec![0; leaves];
    plan.dependency_starts.resize(leaves + 1, 0);
    let mut level: Vec<u32> = (0..leaves as u32).collect();
    while level.len() > 1 {
        let mut next = Vec::with_capacity(level.len().div_ceil(FAN_IN));
        for group in level.chunks(FAN_IN) {
            next.push(plan.functions.len() as u32);
            plan.functions.push(1);
            plan.dependencies.extend(group.iter().copied().map(TaskIndex));
            plan.dependency_starts.push(plan.dependencies.len() as u32);
        }
        level = next;
    }
    plan.task_settings = vec![0; plan.functions.len()];
    plan.outputs = vec![TaskIndex(level[0])];
    plan
}

#[cfg(test)]
mod tests {
    use super::merge_plan;

    #[test]
    fn a_plan_has_every_task_once() {
        let plan = merge_plan(250);
        assert_eq!(plan.functions.len(), 250 + 3 + 1);
        assert_eq!(plan.dependencies.len(), 250 + 3);
        assert_eq!(plan.dependency_starts.len(), plan.functions.len() + 1);
        assert_eq!(plan.outputs[0].0 as usize, plan.functions.len() - 1);
    }
}
