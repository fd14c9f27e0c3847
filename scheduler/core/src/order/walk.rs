//! Walks from tasks back to what they need, depth first: what is made is soon used up.
//!
//! Owns in which order the inputs of a task are made. Must not know which tasks are walked to, and why.

use super::dag::Dag;
use super::run::Run;
use std::cmp::Reverse;

/// The inputs of every task in the order in which a walk visits them.
#[derive(Debug)]
pub(super) struct Visits {
    starts: Vec<u32>,
    inputs: Vec<u32>,
}

impl Visits {
    /// Inputs with smaller keys come first.
    fn by<K: Ord>(dag: &Dag, key: impl Fn(u32) -> K) -> Visits {
        let mut starts = Vec::with_capacity(dag.len() + 1);
        let mut inputs = Vec::with_capacity(dag.edges());
        starts.push(0);
        for task in dag.tasks() {
            let from = inputs.len();
            inputs.extend_from_slice(dag.inputs(task));
            if inputs.len() - from > 1 {
                inputs[from..].sort_by_key(|input| key(*input));
            }
            starts.push(inputs.len() as u32);
        }
        Visits { starts, inputs }
    }

    /// The inputs that need the most room come first, because while the later ones are made only one result of each is kept
    /// (Sethi and Ullman, "The generation of optimal code for arithmetic expressions", 1970).
    pub(super) fn by_weight(dag: &Dag, weights: &[u64]) -> Visits {
        Visits::by(dag, |task| Reverse(weights[task as usize]))
    }

    /// Like [`Visits::by_weight`], with weights that are changed a little: differently in each round, always alike for a graph.
    pub(super) fn by_varied_weight(dag: &Dag, weights: &[u64], round: u64) -> Visits {
        // Twice the weight of a typical result, in eighths.
        let most = dag.tasks().map(|task| dag.kept(task)).max().unwrap_or(1);
        Visits::by(dag, |task| {
            let noise = noise(task, round) % 24;
            Reverse(weights[task as usize].saturating_mul(4).saturating_add(most * noise))
        })
    }

    /// Inputs come in the order that is best for what a walk to them took: first those that leave no more alive than
    /// before, the ones that need little room before the others; then those after which the level falls the most from
    /// its highest (Liu, "An application of generalized tree pebbling to sparse matrix factorization", 1987).
    pub(super) fn by_climbs(dag: &Dag, climbs: &[Climb]) -> Visits {
        Visits::by(dag, |task| {
            let Climb { hill, rise } = climbs[task as usize];
            if rise <= 0 { (false, hill) } else { (true, rise - hill) }
        })
    }

    /// The inputs of one task.
    pub(super) fn of(&self, task: u32) -> &[u32] {
        &self.inputs[self.starts[task as usize] as usize..self.starts[task as usize + 1] as usize]
    }
}

/// A number that is always the same for a task and a round, and else anything (the end of SplitMix64).
pub(super) fn noise(task: u32, round: u64) -> u64 {
    let z = (u64::from(task) ^ round.rotate_right(16)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// How a task changed the level, with all that ran before it for its sake.
#[derive(Clone, Copy, Debug)]
pub(super) struct Climb {
    /// How far it went up at most.
    pub(super) hill: i64,
    /// How much higher it was at the end.
    pub(super) rise: i64,
}

/// A task whose inputs are being walked.
#[derive(Debug)]
struct Frame {
    task: u32,
    /// How many inputs were visited.
    visited: u32,
    level: i64,
    highest: i64,
}

/// A walk through a graph, from target to target.
pub(super) struct Walk<'a> {
    visits: &'a Visits,
    stack: Vec<Frame>,
    climbs: Option<Vec<Climb>>,
}

impl<'a> Walk<'a> {
    /// Has been nowhere.
    pub(super) fn new(visits: &'a Visits) -> Walk<'a> {
        Walk { visits, stack: Vec::new(), climbs: None }
    }

    /// Runs a task, unless it has, and before it all that it needs.
    pub(super) fn to(&mut self, run: &mut Run, target: u32) {
        if run.has_run(target) {
            return;
        }
        self.open(run, target);
        while let Some(frame) = self.stack.last_mut() {
            let task = frame.task;
            if run.has_run(task) {
                self.close(run);
            } else if run.missing(task) == 0 {
                run.run(task);
                self.close(run);
            } else {
                let input = self.visits.of(task)[frame.visited as usize];
                frame.visited += 1;
                if !run.has_run(input) {
                    self.open(run, input);
                }
            }
        }
    }

    fn open(&mut self, run: &mut Run, task: u32) {
        self.stack.push(Frame { task, visited: 0, level: run.level(), highest: run.watch() });
    }

    fn close(&mut self, run: &mut Run) {
        let frame = self.stack.pop().expect("a frame was open");
        let highest = run.unwatch(frame.highest);
        if let Some(climbs) = &mut self.climbs {
            climbs[frame.task as usize] = Climb { hill: highest - frame.level, rise: run.level() - frame.level };
        }
    }
}

/// From target to target.
pub(super) fn from_targets(dag: &Dag, visits: &Visits, targets: &[u32]) -> Vec<u32> {
    let (mut run, mut walk) = (Run::new(dag), Walk::new(visits));
    targets.iter().for_each(|target| walk.to(&mut run, *target));
    run.finish()
}

/// From target to target, and what each step took.
pub(super) fn from_targets_measured(dag: &Dag, visits: &Visits, targets: &[u32]) -> (Vec<u32>, Vec<Climb>) {
    let (mut run, mut walk) = (Run::new(dag), Walk::new(visits));
    let alone = |task| Climb { hill: 2 * dag.kept(task) as i64, rise: 2 * dag.kept(task) as i64 };
    walk.climbs = Some(dag.tasks().map(alone).collect());
    targets.iter().for_each(|target| walk.to(&mut run, *target));
    (run.finish(), walk.climbs.unwrap_or_default())
}

/// Twice what is alive at most while a task and what it needs is made, were it a tree, less what is left of it.
pub(super) fn weights(dag: &Dag) -> Vec<u64> {
    // After tasks, and while they run: the sum of both puts the former first.
    let mut peaks = vec![(0u64, 0u64); dag.len()];
    let weight = |(after, running): (u64, u64), kept: u64| after + running - 2 * kept;
    let mut of_inputs: Vec<((u64, u64), u64)> = Vec::new();
    for task in dag.topological() {
        let kept = dag.kept(task);
        let (mut held, mut after, mut running) = (0u64, kept, 0);
        of_inputs.clear();
        of_inputs.extend(dag.inputs(task).iter().map(|input| (peaks[*input as usize], dag.kept(*input))));
        of_inputs.sort_unstable_by_key(|(peaks, kept)| Reverse(weight(*peaks, *kept)));
        for ((input_after, input_running), kept) in &of_inputs {
            after = after.max(held + input_after);
            running = running.max(held + input_running);
            held += kept;
        }
        peaks[task as usize] = (after, running.max(held + kept));
    }
    dag.tasks().map(|task| weight(peaks[task as usize], dag.kept(task))).collect()
}
