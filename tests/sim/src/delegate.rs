//! Graphs of which tasks write tasks: the pieces of a graph come from a task of the piece before, and one of each takes that
//! task's place.
//!
//! Positions are those of the graph as it would be whole, so each piece has one place where it can come; what comes in which
//! order is otherwise the scheduler's business.

use crate::random::mix;
use crate::work::{Fate, Work};
use std::collections::BTreeSet;
use wasm_tasks_protocol::ids::TaskIndex;

/// A piece that a task writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// The task.
    pub by: TaskIndex,
    /// What takes its place.
    pub output: TaskIndex,
}

/// The same graph with its pieces written by tasks, as far as they are not empty; needs that such pieces cannot have are left
/// out.
pub fn delegated(work: &Work) -> Work {
    let n = work.tasks.len() as u32;
    let mut cuts: Vec<u32> = work.cuts.iter().copied().filter(|cut| (1..n).contains(cut)).collect();
    cuts.dedup();
    let ends: Vec<u32> = cuts.iter().copied().skip(1).chain([n]).collect();
    let mut tasks = work.tasks.clone();
    let mut delegations = Vec::new();
    let mut before = 0;
    for (cut, end) in cuts.iter().copied().zip(ends) {
        let draw = |salt: u64, from: u32, to: u32| from + (mix(work.salt ^ salt ^ u64::from(cut)) % u64::from(to - from)) as u32;
        // Now and then what took a task's place delegates in its turn.
        let last: Option<&Delegation> = delegations.last();
        let by = last.map(|last| last.output.0).filter(|_| draw(1, 0, 2) == 0).unwrap_or_else(|| draw(2, before, cut));
        tasks[by as usize].fate = Fate::Fine;
        let known: BTreeSet<TaskIndex> = tasks[by as usize].needs.iter().map(|(need, _)| *need).collect();
        for task in cut..end {
            tasks[task as usize].needs.retain(|(need, _)| need.0 >= cut || known.contains(need));
        }
        delegations.push(Delegation { by: TaskIndex(by), output: TaskIndex(draw(3, cut, end)) });
        before = cut;
    }
    let first = cuts.first().copied().unwrap_or(n);
    let mut outputs: Vec<TaskIndex> = work.outputs.iter().copied().filter(|output| output.0 < first).collect();
    // What delegates is wanted, in one way or another.
    outputs.extend(
        delegations.first().map(|delegation| delegation.by).filter(|by| mix(u64::from(by.0)) % 4 > 0 || outputs.is_empty()),
    );
    outputs.sort_unstable();
    outputs.dedup();
    let mut made = Work::with_delegations(work.name.clone(), tasks, Some(outputs), work.salt, delegations)
        .expect("tasks need earlier ones, and what takes a place needs less");
    (made.cuts, made.broken, made.deadline) = (cuts, work.broken, work.deadline);
    made
}

impl Work {
    /// The task whose result a task's is, when all of it was written that is.
    pub fn stand_in(&self, mut task: TaskIndex) -> TaskIndex {
        while let Some(delegation) = self.delegation_by(task) {
            task = self.delegations[delegation].output;
        }
        task
    }

    /// The piece that a task writes, counted from 0.
    pub fn delegation_by(&self, task: TaskIndex) -> Option<usize> {
        self.delegations.iter().position(|delegation| delegation.by == task)
    }

    /// The tasks whose results a task gets, in the order of their positions.
    pub fn inputs_of(&self, task: TaskIndex) -> Vec<TaskIndex> {
        let mut inputs: Vec<TaskIndex> = self.dependencies[task.0 as usize].iter().map(|need| self.stand_in(*need)).collect();
        inputs.sort_unstable();
        inputs.dedup();
        inputs
    }
}
