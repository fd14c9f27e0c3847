//! Which target is nearest to what has run: the one that needs the fewest sources besides those that have.

use super::dag::Dag;
use super::run::Run;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Sources of all targets together, for each task and edge: graphs with more have no nearest targets.
const SOURCES_MAX: usize = 8;

/// Targets and their sources.
#[derive(Debug)]
pub(super) struct Nearest<'a> {
    targets: &'a [u32],
    /// Sources that have not run, by position of the target.
    missing: Vec<u32>,
    /// The positions of the targets that need a source, by source.
    users: Vec<Vec<u32>>,
    /// (missing sources, position) of targets of which a source has run; what has changed since is there again.
    touched: BinaryHeap<Reverse<(u32, u32)>>,
    /// How much of the order was seen.
    seen: usize,
    next: usize,
}

impl<'a> Nearest<'a> {
    /// None when targets have too many sources.
    pub(super) fn new(dag: &Dag, targets: &'a [u32]) -> Option<Nearest<'a>> {
        let mut left = SOURCES_MAX * (dag.len() + dag.edges());
        let mut nearest = Nearest {
            targets,
            missing: vec![0; targets.len()],
            users: vec![Vec::new(); dag.len()],
            touched: BinaryHeap::new(),
            seen: 0,
            next: 0,
        };
        let mut met = vec![u32::MAX; dag.len()];
        let mut stack = Vec::new();
        for (target, position) in targets.iter().zip(0..) {
            stack.push(*target);
            while let Some(task) = stack.pop() {
                if std::mem::replace(&mut met[task as usize], position) == position {
                    continue;
                }
                left = left.checked_sub(1)?;
                stack.extend_from_slice(dag.inputs(task));
                if dag.inputs(task).is_empty() {
                    nearest.missing[position as usize] += 1;
                    nearest.users[task as usize].push(position);
                }
            }
        }
        Some(nearest)
    }

    /// The target that is nearest now and has not run.
    pub(super) fn next(&mut self, run: &Run) -> Option<u32> {
        for task in &run.order()[self.seen..] {
            for position in &self.users[*task as usize] {
                self.missing[*position as usize] -= 1;
                self.touched.push(Reverse((self.missing[*position as usize], *position)));
            }
        }
        self.seen = run.order().len();
        while let Some(Reverse((missing, position))) = self.touched.pop() {
            let target = self.targets[position as usize];
            if missing == self.missing[position as usize] && !run.has_run(target) {
                return Some(target);
            }
        }
        while let Some(target) = self.targets.get(self.next) {
            self.next += 1;
            if !run.has_run(*target) {
                return Some(*target);
            }
        }
        None
    }
}
