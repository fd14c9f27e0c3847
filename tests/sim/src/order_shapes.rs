//! Graphs on which orders are compared: shapes of published workloads, only who needs whom.
//!
//! Owns the list of them. What a shape is like is told where it is made: benchmarks of whole systems and of arrays in
//! `workloads`, dependence patterns in `patterns`, what an order finds hard in `stress`, chance in `random_graphs`. Must not know how
//! graphs are ordered.

mod patterns;
mod random_graphs;
mod stress;
mod workloads;

/// A graph: what each task needs, by position. Inputs come before what needs them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The shape and its size.
    pub name: String,
    /// What each task needs.
    pub inputs: Vec<Vec<u32>>,
}

/// Every named shape in several sizes, then random graphs of every kind.
pub fn all() -> Vec<Shape> {
    let mut shapes = named();
    shapes.extend(random());
    shapes
}

/// Every named shape in several sizes.
pub fn named() -> Vec<Shape> {
    let mut shapes = Vec::new();
    workloads::add_to(&mut shapes);
    patterns::add_to(&mut shapes);
    stress::add_to(&mut shapes);
    shapes
}

/// Random graphs, determined by their seeds.
pub fn random() -> Vec<Shape> {
    let mut shapes = Vec::new();
    random_graphs::add_to(&mut shapes);
    shapes
}

/// Graphs of about a million tasks, to take the time of.
pub fn huge() -> Vec<Shape> {
    const MILLION: u32 = 1_000_000;
    let mut shapes = Vec::new();
    let mut merge = Graph::default();
    let sources = merge.sources(MILLION - 1);
    merge.task(&sources);
    add(&mut shapes, "merge-1M", merge);
    add(&mut shapes, "tree-1M", patterns::pairs(19));
    add(&mut shapes, "maps-1M", patterns::layers(1_000, 1_000, |point, _| vec![point]));
    add(&mut shapes, "stencil-1M", patterns::layers(1_000, 1_000, |point, width| patterns::around(point, 1, 1, width)));
    add(&mut shapes, "grid-1M", stress::grid(1_000, 1_000));
    add(&mut shapes, "random-1M", random_graphs::uniform(1, MILLION, 3));
    add(&mut shapes, "random-near-1M", random_graphs::near(1, MILLION, 3, 1_000));
    add(&mut shapes, "chain-1M", stress::chains(1, MILLION));
    shapes
}

fn add(shapes: &mut Vec<Shape>, name: impl Into<String>, graph: Graph) {
    shapes.push(Shape { name: name.into(), inputs: graph.inputs });
}

/// What is being put together.
#[derive(Clone, Debug, Default)]
struct Graph {
    inputs: Vec<Vec<u32>>,
}

impl Graph {
    /// A task that needs others.
    fn task(&mut self, inputs: &[u32]) -> u32 {
        self.inputs.push(inputs.to_vec());
        self.inputs.len() as u32 - 1
    }

    fn sources(&mut self, count: u32) -> Vec<u32> {
        (0..count).map(|_| self.task(&[])).collect()
    }

    /// One task for each.
    fn map(&mut self, over: &[u32]) -> Vec<u32> {
        over.iter().map(|task| self.task(&[*task])).collect()
    }

    /// One task for each pair.
    fn zip(&mut self, left: &[u32], right: &[u32]) -> Vec<u32> {
        left.iter().zip(right).map(|(left, right)| self.task(&[*left, *right])).collect()
    }

    /// Some at a time, until there is one.
    fn reduce(&mut self, over: &[u32], at_once: usize) -> u32 {
        let mut level = over.to_vec();
        while level.len() > 1 {
            level = level.chunks(at_once).map(|some| self.task(some)).collect();
        }
        level[0]
    }
}

#[cfg(test)]
mod tests {
    use super::{named, random};
    use std::collections::BTreeSet;

    #[test]
    fn shapes_are_graphs_and_many() {
        let (named, random) = (named(), random());
        assert!(named.len() >= 60 && random.len() >= 200, "{} named, {} random", named.len(), random.len());
        let names: BTreeSet<&str> = named.iter().chain(&random).map(|shape| shape.name.as_str()).collect();
        assert_eq!(names.len(), named.len() + random.len(), "names are different");
        for shape in named.iter().chain(&random) {
            for (task, inputs) in shape.inputs.iter().enumerate() {
                let different: BTreeSet<&u32> = inputs.iter().collect();
                assert_eq!(different.len(), inputs.len(), "{}: task {task} needs nothing twice", shape.name);
                assert!(inputs.iter().all(|input| (*input as usize) < task), "{}: task {task} needs earlier ones", shape.name);
            }
        }
    }
}
