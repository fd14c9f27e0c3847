//! Who needs whose result: edges turned around, for graphs that may go on growing.
//!
//! A graph of its own has one compressed table. When it is first extended, each task gets a span of its own instead; a span that
//! is full moves to the end with twice the room, so that each edge costs a constant amount of work, however often the graph grows.

use wasm_tasks_protocol::graph::edges::{edges_of, transpose};
use wasm_tasks_protocol::ids::TaskIndex;

/// The dependents of each task.
#[derive(Debug)]
pub(crate) struct Dependents {
    /// Where each task's edges start in `edges`, while there are no spans.
    starts: Vec<u32>,
    edges: Vec<TaskIndex>,
    /// First edge and number of edges of each task, once the graph was extended.
    spans: Vec<(u32, u32)>,
    /// Edges from here on have room for powers of two; those before have none.
    grown_from: u32,
}

impl Dependents {
    /// Of dependencies in the layout of a plan.
    pub(crate) fn new(starts: &[u32], dependencies: &[TaskIndex]) -> Dependents {
        let (starts, edges) = transpose(starts, dependencies);
        let grown_from = edges.len() as u32;
        Dependents { starts, edges, spans: Vec::new(), grown_from }
    }

    /// The compressed table, of a graph that was never extended.
    pub(crate) fn table(&self) -> (&[u32], &[TaskIndex]) {
        (&self.starts, &self.edges)
    }

    pub(crate) fn of(&self, task: TaskIndex) -> &[TaskIndex] {
        if self.spans.is_empty() {
            return edges_of(&self.starts, &self.edges, task);
        }
        let (first, len) = self.spans[task.0 as usize];
        &self.edges[first as usize..first as usize + len as usize]
    }

    /// Tasks follow that nothing needs yet.
    pub(crate) fn extend(&mut self, tasks: usize) {
        if self.spans.is_empty() {
            self.spans = self.starts.windows(2).map(|pair| (pair[0], pair[1] - pair[0])).collect();
            self.starts = Vec::new();
        }
        self.spans.resize(self.spans.len() + tasks, (self.edges.len() as u32, 0));
    }

    /// Whoever needs one task needs another instead; only after [`Dependents::extend`]. Takes time for those that need the
    /// other already.
    pub(crate) fn take_over(&mut self, from: TaskIndex, to: TaskIndex) {
        for position in 0..self.of(to).len() {
            self.add(from, self.of(to)[position]);
        }
        self.spans[to.0 as usize] = std::mem::replace(&mut self.spans[from.0 as usize], (0, 0));
    }

    /// One more task needs the result of another; only after [`Dependents::extend`].
    pub(crate) fn add(&mut self, task: TaskIndex, dependent: TaskIndex) {
        let (first, len) = self.spans[task.0 as usize];
        let is_full = first < self.grown_from || len == 0 || len.is_power_of_two();
        let first = if is_full {
            let moved = self.edges.len() as u32;
            self.edges.extend_from_within(first as usize..(first + len) as usize);
            self.edges.resize(moved as usize + (len as usize + 1).next_power_of_two(), TaskIndex(u32::MAX));
            moved
        } else {
            first
        };
        self.edges[(first + len) as usize] = dependent;
        self.spans[task.0 as usize] = (first, len + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// However a graph came into being, in one piece or in many, each task has the same dependents.
        #[test]
        fn growing_gives_the_same_as_one_piece(needs in prop::collection::vec(prop::collection::btree_set(0u32..200, 0..6), 1..60), first in 0usize..60) {
            let needs: Vec<Vec<TaskIndex>> =
                needs.iter().zip(0..).map(|(set, task)| set.iter().filter(|need| **need < task).map(|need| TaskIndex(*need)).collect()).collect();
            let table = |tasks: &[Vec<TaskIndex>]| {
                let mut starts = vec![0];
                tasks.iter().for_each(|list| starts.push(starts.last().expect("it has one") + list.len() as u32));
                Dependents::new(&starts, &tasks.concat())
            };
            let whole = table(&needs);
            let first = first.min(needs.len());
            let mut grown = table(&needs[..first]);
            for (task, list) in needs.iter().enumerate().skip(first) {
                grown.extend(1);
                list.iter().for_each(|need| grown.add(*need, TaskIndex(task as u32)));
            }
            for task in (0..needs.len() as u32).map(TaskIndex) {
                prop_assert_eq!(whole.of(task), grown.of(task));
            }
            let edges = needs.iter().map(Vec::len).sum::<usize>();
            prop_assert!(grown.edges.len() <= 5 * edges, "{} edges take {} places", edges, grown.edges.len());
        }
    }
}
