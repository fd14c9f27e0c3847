//! What running some tasks would cost, found out without running them.

use crate::order::dag::Dag;
use crate::order::run::Run;
use crate::order::walk::{Climb, Visits};

/// Edges looked at for each task that a trial may run.
const EDGES_A_TASK: usize = 8;

/// Room for trials; marks carry the number of the trial, so nothing is cleared.
pub(super) struct Trial {
    tasks_max: usize,
    number: u32,
    /// The trial in which a task was met.
    met: Vec<u32>,
    /// The trial in which a result was used, and how often.
    used: Vec<(u32, u32)>,
    /// Tasks whose inputs are being visited, and how many were.
    stack: Vec<(u32, u32)>,
    /// What would run.
    order: Vec<u32>,
}

impl Trial {
    pub(super) fn new(dag: &Dag, tasks_max: usize) -> Trial {
        let n = dag.len();
        Trial { tasks_max, number: 0, met: vec![0; n], used: vec![(0, 0); n], stack: Vec::new(), order: Vec::new() }
    }

    /// How what is alive would change if some tasks ran, and before them what they miss; none when that is too much to look at.
    pub(super) fn run(&mut self, run: &Run, visits: &Visits, tasks: &[u32]) -> Option<Climb> {
        // After 2^32 trials old marks may be taken for new ones, which costs quality, never correctness.
        self.number = self.number.wrapping_add(1).max(1);
        self.stack.clear();
        self.order.clear();
        let mut edges_left = EDGES_A_TASK * self.tasks_max;
        for &task in tasks {
            self.meet(run, task, &mut edges_left)?;
            while let Some((task, visited)) = self.stack.last_mut() {
                let task = *task;
                if let Some(input) = visits.of(task).get(*visited as usize) {
                    *visited += 1;
                    self.meet(run, *input, &mut edges_left)?;
                } else {
                    self.order.push(task);
                    self.stack.pop();
                }
            }
        }
        Some(self.climb(run))
    }

    /// Opens a task that has not run and was not met; none when it is one too many.
    fn meet(&mut self, run: &Run, task: u32, edges_left: &mut usize) -> Option<()> {
        if run.has_run(task) || std::mem::replace(&mut self.met[task as usize], self.number) == self.number {
            return Some(());
        }
        *edges_left = edges_left.checked_sub(run.dag().inputs(task).len())?;
        if self.stack.len() + self.order.len() >= self.tasks_max {
            return None;
        }
        self.stack.push((task, 0));
        Some(())
    }

    fn climb(&mut self, run: &Run) -> Climb {
        let dag = run.dag();
        let mut climb = Climb { hill: 0, rise: 0 };
        for &task in &self.order {
            climb.rise += dag.kept(task) as i64;
            for &input in dag.inputs(task) {
                let used = &mut self.used[input as usize];
                *used = if used.0 == self.number { (used.0, used.1 + 1) } else { (self.number, 1) };
                if used.1 == run.uses(input) {
                    climb.rise -= dag.size(input) as i64;
                }
            }
            climb.hill = climb.hill.max(climb.rise);
        }
        climb
    }
}
