//! An order that finishes what is nearly complete.

use super::dag::Dag;
use super::run::Run;
use super::walk::{Visits, Walk};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Next comes the task that needs a living result and misses the fewest inputs, of several the one whose input was made last; only when
/// nothing is alive, the next target.
pub(super) fn order(dag: &Dag, visits: &Visits, targets: &[u32]) -> Vec<u32> {
    let (mut run, mut walk) = (Run::new(dag), Walk::new(visits));
    // (missing inputs, when that was found, task); what has changed since is there again.
    let mut frontier: BinaryHeap<(Reverse<u32>, u32, u32)> = BinaryHeap::new();
    let mut seen = 0;
    let mut found = 0;
    let mut targets = targets.iter();
    loop {
        while let Some(task) = run.order().get(seen) {
            seen += 1;
            for &dependent in dag.dependents(*task).iter().filter(|dependent| !run.has_run(**dependent)) {
                found += 1;
                frontier.push((Reverse(run.missing(dependent)), found, dependent));
            }
        }
        let next = match frontier.pop() {
            Some((Reverse(missing), _, task)) => (run.missing(task) == missing).then_some(task),
            None => match targets.next() {
                Some(target) => Some(*target),
                None => return run.finish(),
            },
        };
        if let Some(task) = next {
            walk.to(&mut run, task);
        }
    }
}
