//! Running tasks one by one, and with each whatever comes free of charge.
//!
//! Owns what has run. Must not know why a task is chosen.

use super::dag::Dag;

/// What has run so far.
///
/// Running a task also runs what then is ready and frees at least as much as it keeps. What is alive is a submodular
/// function of the set of tasks that have run, so doing that at once never makes the rest of an order worse.
pub(super) struct Run<'a> {
    dag: &'a Dag,
    tasks: Vec<Progress>,
    pending: Vec<u32>,
    order: Vec<u32>,
    /// Twice what is alive.
    level: i64,
    /// The highest level since it was last set. While a task runs, the level counts one less: an order is judged by what
    /// is alive after tasks first.
    highest: i64,
}

/// How far a task is.
#[derive(Clone, Copy, Debug)]
struct Progress {
    /// Inputs that have not run; [`RAN`] when the task itself has.
    missing: u32,
    /// Dependents that have not run.
    uses: u32,
    /// Their numbers, combined by exclusive or: when one is left, its number.
    users: u32,
    /// What would be freed if the task ran now.
    frees: u64,
}

const RAN: u32 = u32::MAX;

impl<'a> Run<'a> {
    /// Nothing has run.
    pub(super) fn new(dag: &'a Dag) -> Run<'a> {
        let progress = |task: u32| {
            let users = dag.dependents(task);
            Progress {
                missing: dag.inputs(task).len() as u32,
                uses: users.len() as u32,
                users: users.iter().fold(0, |all, user| all ^ user),
                frees: 0,
            }
        };
        Run {
            dag,
            tasks: dag.tasks().map(progress).collect(),
            pending: Vec::new(),
            order: Vec::with_capacity(dag.len()),
            level: 0,
            highest: 0,
        }
    }

    /// The graph.
    pub(super) fn dag(&self) -> &'a Dag {
        self.dag
    }

    /// What has run, in order.
    pub(super) fn order(&self) -> &[u32] {
        &self.order
    }

    /// The order, when all has run.
    pub(super) fn finish(self) -> Vec<u32> {
        assert!(self.order.len() == self.dag.len(), "all tasks have run");
        self.order
    }

    /// Whether a task has run.
    pub(super) fn has_run(&self, task: u32) -> bool {
        self.tasks[task as usize].missing == RAN
    }

    /// How many inputs of a task that has not run have not run.
    pub(super) fn missing(&self, task: u32) -> u32 {
        self.tasks[task as usize].missing
    }

    /// How many tasks that need a result have not run.
    pub(super) fn uses(&self, task: u32) -> u32 {
        self.tasks[task as usize].uses
    }

    /// Twice what is alive.
    pub(super) fn level(&self) -> i64 {
        self.level
    }

    /// Starts to watch for the highest level from here; the highest until here.
    pub(super) fn watch(&mut self) -> i64 {
        std::mem::replace(&mut self.highest, self.level)
    }

    /// Ends what [`Run::watch`] began: the highest level since then.
    pub(super) fn unwatch(&mut self, before: i64) -> i64 {
        let highest = self.highest;
        self.highest = highest.max(before);
        highest
    }

    /// Runs a task that is ready, unless it has, and what comes free of charge with it.
    pub(super) fn run(&mut self, task: u32) {
        self.pending.push(task);
        while let Some(task) = self.pending.pop() {
            if !self.has_run(task) {
                self.run_one(task);
            }
        }
    }

    fn run_one(&mut self, task: u32) {
        let dag = self.dag;
        assert!(self.tasks[task as usize].missing == 0, "what a task needs runs before it");
        self.tasks[task as usize].missing = RAN;
        self.order.push(task);
        self.level += 2 * dag.kept(task) as i64;
        self.highest = self.highest.max(self.level - 1);
        // From the last, so that of several that come free the first is on top.
        for &input in dag.inputs(task).iter().rev() {
            let progress = &mut self.tasks[input as usize];
            progress.uses -= 1;
            progress.users ^= task;
            match progress.uses {
                0 => self.level -= 2 * dag.size(input) as i64,
                1 => {
                    let user = progress.users;
                    self.tasks[user as usize].frees += dag.size(input);
                    self.consider(user);
                }
                _ => {}
            }
        }
        self.highest = self.highest.max(self.level);
        let Progress { uses, users, .. } = self.tasks[task as usize];
        if uses == 1 {
            self.tasks[users as usize].frees += dag.size(task);
        }
        for &dependent in dag.dependents(task).iter().rev() {
            self.tasks[dependent as usize].missing -= 1;
            self.consider(dependent);
        }
    }

    fn consider(&mut self, task: u32) {
        let Progress { missing, frees, .. } = self.tasks[task as usize];
        if missing == 0 && frees >= self.dag.kept(task) {
            self.pending.push(task);
        }
    }
}
