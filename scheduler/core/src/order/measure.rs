//! What an order costs when its tasks run one by one.
//!
//! A result is *alive* from when its task has run until the last task that needs it has: what nobody needs is never
//! alive, as in `dask.order.diagnostics`. Outputs that a client keeps are therefore not counted, in any order.

use super::dag::Dag;

/// The cost of an order; less is better, compared field by field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cost {
    /// The most that is alive after a task has run.
    pub(super) peak: u128,
    /// The most that is alive while a task runs: what it needs is still there, and its result already.
    pub(super) running_peak: u128,
    /// What is alive after each task, summed.
    pub(super) sum: u128,
}

/// Runs an order. `after` is told what is alive after each task.
pub(super) fn measure(dag: &Dag, order: &[u32], mut after: impl FnMut(u128)) -> Cost {
    let mut uses: Vec<u32> = dag.tasks().map(|task| dag.dependents(task).len() as u32).collect();
    let mut cost = Cost::default();
    let mut live = 0u128;
    for &task in order {
        live += u128::from(dag.kept(task));
        cost.running_peak = cost.running_peak.max(live);
        for &input in dag.inputs(task) {
            uses[input as usize] -= 1;
            if uses[input as usize] == 0 {
                live -= u128::from(dag.size(input));
            }
        }
        cost.peak = cost.peak.max(live);
        cost.sum += live;
        after(live);
    }
    cost
}

/// What no order's peak can be below, after tasks and while they run: all inputs of a task are alive just before it.
pub(super) fn bounds(dag: &Dag) -> (u128, u128) {
    dag.tasks().fold((0, 0), |(after, running), task| {
        let needs: u128 = dag.inputs(task).iter().map(|input| u128::from(dag.size(*input))).sum();
        (after.max(needs), running.max(needs + u128::from(dag.kept(task))))
    })
}
