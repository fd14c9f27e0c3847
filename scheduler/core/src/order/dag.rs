//! The graph that is to be ordered: edges both ways, each once, and what its results weigh.
//!
//! Must not know how an order is found.

use wasm_tasks_protocol::ids::TaskIndex;

/// Tasks and edges as dense numbers. Lists are sorted and without duplicates.
#[derive(Debug)]
pub(super) struct Dag {
    input_starts: Vec<u32>,
    inputs: Vec<u32>,
    dependent_starts: Vec<u32>,
    dependents: Vec<u32>,
    /// What a result weighs; none when each counts as one.
    sizes: Option<Vec<u64>>,
}

impl Dag {
    /// `starts` and `dependencies` are a [`GraphPlan`](crate::GraphPlan)'s; `sizes` are bytes by task.
    pub(super) fn new(starts: &[u32], dependencies: &[TaskIndex], sizes: Option<Vec<u64>>) -> Dag {
        let n = starts.len().saturating_sub(1);
        let edges = dependencies.iter().map(|task| task.0);
        let (dependent_starts, dependents) = turned(starts, edges, n);
        let (input_starts, inputs) = turned(&dependent_starts, dependents.iter().copied(), n);
        assert!(sizes.as_ref().is_none_or(|sizes| sizes.len() == n), "there is one size a task");
        Dag { input_starts, inputs, dependent_starts, dependents, sizes }
    }

    /// How many tasks there are.
    pub(super) fn len(&self) -> usize {
        self.input_starts.len() - 1
    }

    /// How many edges there are.
    pub(super) fn edges(&self) -> usize {
        self.inputs.len()
    }

    /// All tasks.
    pub(super) fn tasks(&self) -> std::ops::Range<u32> {
        0..self.len() as u32
    }

    /// What a task needs.
    pub(super) fn inputs(&self, task: u32) -> &[u32] {
        &self.inputs[self.input_starts[task as usize] as usize..self.input_starts[task as usize + 1] as usize]
    }

    /// Who needs a task.
    pub(super) fn dependents(&self, task: u32) -> &[u32] {
        &self.dependents[self.dependent_starts[task as usize] as usize..self.dependent_starts[task as usize + 1] as usize]
    }

    /// What a result weighs.
    pub(super) fn size(&self, task: u32) -> u64 {
        self.sizes.as_ref().map_or(1, |sizes| sizes[task as usize])
    }

    /// What is alive of a task once it has run: nothing, if nobody needs it.
    pub(super) fn kept(&self, task: u32) -> u64 {
        if self.dependents(task).is_empty() { 0 } else { self.size(task) }
    }

    /// Every task after what it needs.
    pub(super) fn topological(&self) -> Vec<u32> {
        if self.tasks().all(|task| self.inputs(task).last().is_none_or(|input| *input < task)) {
            return self.tasks().collect();
        }
        let mut missing: Vec<u32> = self.tasks().map(|task| self.inputs(task).len() as u32).collect();
        let mut order: Vec<u32> = Vec::with_capacity(self.len());
        order.extend(self.tasks().filter(|task| missing[*task as usize] == 0));
        let mut next = 0;
        while let Some(&task) = order.get(next) {
            next += 1;
            for dependent in self.dependents(task) {
                missing[*dependent as usize] -= 1;
                if missing[*dependent as usize] == 0 {
                    order.push(*dependent);
                }
            }
        }
        assert!(order.len() == self.len(), "a checked graph has no circle");
        order
    }
}

/// The edges turned around, each once, the lists sorted.
fn turned(starts: &[u32], edges: impl Iterator<Item = u32> + Clone, n: usize) -> (Vec<u32>, Vec<u32>) {
    let mut last = vec![u32::MAX; n];
    let mut ends = vec![0u32; n + 1];
    // Each edge that is not there yet: from where, and to where.
    let each = |mark: &mut Vec<u32>, seen: &mut dyn FnMut(usize, u32)| {
        let mut edges = edges.clone();
        for task in 0..n as u32 {
            for edge in edges.by_ref().take((starts[task as usize + 1] - starts[task as usize]) as usize) {
                if std::mem::replace(&mut mark[edge as usize], task) != task {
                    seen(edge as usize, task);
                }
            }
        }
    };
    each(&mut last, &mut |edge, _| ends[edge + 1] += 1);
    for task in 0..n {
        ends[task + 1] += ends[task];
    }
    let out_starts = ends.clone();
    let mut out = vec![0u32; ends[n] as usize];
    last.fill(u32::MAX);
    each(&mut last, &mut |edge, task| {
        out[ends[edge] as usize] = task;
        ends[edge] += 1;
    });
    (out_starts, out)
}
