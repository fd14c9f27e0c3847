//! Makes an order better, never worse: what is free of charge moves to the front, what can wait moves to the back.

use super::dag::Dag;
use super::run::Run;

/// The order, with every task as soon as it frees at least what it keeps.
pub(super) fn pull(dag: &Dag, order: &[u32]) -> Vec<u32> {
    let mut run = Run::new(dag);
    order.iter().for_each(|task| run.run(*task));
    run.finish()
}

/// The order, with every task as late as possible: just before the first that needs it, once its own result weighs at least
/// what is held for it alone. This is [`pull`] with time running backwards.
pub(super) fn push(dag: &Dag, order: &[u32]) -> Vec<u32> {
    // Dependents that are not placed.
    let mut waiting: Vec<u32> = dag.tasks().map(|task| dag.dependents(task).len() as u32).collect();
    // What must be held longer if the task is placed now.
    let mut holds: Vec<u64> = dag.tasks().map(|task| dag.inputs(task).iter().map(|input| dag.size(*input)).sum()).collect();
    let mut is_held = vec![false; dag.len()];
    let mut is_placed = vec![false; dag.len()];
    let mut pending = Vec::new();
    let mut reversed = Vec::with_capacity(dag.len());
    for &task in order.iter().rev() {
        pending.push(task);
        while let Some(task) = pending.pop() {
            if std::mem::replace(&mut is_placed[task as usize], true) {
                continue;
            }
            reversed.push(task);
            for &input in dag.inputs(task) {
                if !std::mem::replace(&mut is_held[input as usize], true) {
                    for &user in dag.dependents(input) {
                        holds[user as usize] -= dag.size(input);
                        if waiting[user as usize] == 0 && holds[user as usize] <= dag.kept(user) {
                            pending.push(user);
                        }
                    }
                }
                waiting[input as usize] -= 1;
                if waiting[input as usize] == 0 && holds[input as usize] <= dag.kept(input) {
                    pending.push(input);
                }
            }
        }
    }
    reversed.reverse();
    reversed
}
