//! An order that asks, again and again, which living result is cheapest to get rid of.
//!
//! To *retire* a result is to run every task that needs it, and before them what they miss. A retirement that leaves no more
//! alive than before is carried out, the one that needs the least room in between first (the merging of segments in Liu, "An
//! application of generalized tree pebbling to sparse matrix factorization", 1987, for graphs that are no trees). When there is
//! none, the walk to the next target goes on by one task.

mod trial;

use super::dag::Dag;
use super::nearest::Nearest;
use super::run::Run;
use super::walk::{Visits, Walk};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use trial::Trial;

/// How results are retired.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// Tasks that one retirement may run; those that need more are not looked at.
    pub(super) tasks_max: usize,
    /// Whether retirements that leave more alive are carried out too, when there are no others.
    pub(super) rises: bool,
}

/// Where the way leads.
pub(super) enum Targets<'a> {
    /// Through a list.
    Listed(std::slice::Iter<'a, u32>),
    /// Always to what is nearest.
    Nearest(Nearest<'a>),
}

impl Targets<'_> {
    fn next(&mut self, run: &Run) -> Option<u32> {
        match self {
            Targets::Listed(list) => list.next().copied(),
            Targets::Nearest(nearest) => nearest.next(run),
        }
    }
}

/// Inputs up to which a task makes its other inputs worth another look when one was made.
const INPUTS_WATCHED_MAX: usize = 64;
/// Links that are followed to where a result meets others.
const LINKS_MAX: usize = 4;

/// From target to target, with detours to whatever can be retired.
pub(super) fn order(dag: &Dag, visits: &Visits, targets: Targets, settings: Settings) -> Vec<u32> {
    let (mut run, mut walk) = (Run::new(dag), Walk::new(visits));
    let mut offers = Offers::new(dag, settings);
    let mut trail = Trail { stack: Vec::new(), targets };
    loop {
        offers.look(&run, visits);
        if let Some(offer) = offers.best(&run) {
            offers.tasks_of(dag, offer).iter().for_each(|task| walk.to(&mut run, *task));
        } else if let Some(task) = trail.next(&run, visits) {
            run.run(task);
        } else {
            return run.finish();
        }
    }
}

/// Which tasks retire a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    /// Those that need it.
    Users,
    /// Those in which its users' results, or what alone is made of them, meet others.
    Meetings,
    /// One of its users: the result stays, but something else may go.
    One(u32),
}

/// A way to get rid of something; less is better, compared field by field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Offer {
    rises: bool,
    /// What is most wanted to be small: the room that it needs, or, if it leaves more alive than before, how much more.
    first: i64,
    second: i64,
    /// The newest first.
    age: Reverse<u64>,
    result: u32,
    by: By,
    version: u32,
}

struct Offers {
    settings: Settings,
    heap: BinaryHeap<Reverse<Offer>>,
    /// How often each result was looked at; offers of earlier times are void.
    versions: Vec<u32>,
    /// Results whose offers changed.
    stale: Vec<u32>,
    is_stale: Vec<bool>,
    meetings: Vec<u32>,
    trial: Trial,
    /// How much of the order was seen.
    seen: usize,
    made: u64,
}

impl Offers {
    fn new(dag: &Dag, settings: Settings) -> Offers {
        Offers {
            settings,
            heap: BinaryHeap::new(),
            versions: vec![0; dag.len()],
            stale: Vec::new(),
            is_stale: vec![false; dag.len()],
            meetings: dag.tasks().map(|task| meeting(dag, task)).collect(),
            trial: Trial::new(dag, settings.tasks_max),
            seen: 0,
            made: 0,
        }
    }

    /// Makes new offers around what has run since the last look.
    fn look(&mut self, run: &Run, visits: &Visits) {
        let dag = run.dag();
        for &task in &run.order()[self.seen..] {
            self.touch(run, task);
            dag.inputs(task).iter().for_each(|input| self.touch(run, *input));
            for &user in dag.dependents(task).iter().filter(|user| !run.has_run(**user)) {
                if (run.missing(user) as usize) < self.settings.tasks_max && dag.inputs(user).len() <= INPUTS_WATCHED_MAX {
                    dag.inputs(user).iter().for_each(|input| self.touch(run, *input));
                }
            }
        }
        self.seen = run.order().len();
        while let Some(result) = self.stale.pop() {
            self.is_stale[result as usize] = false;
            self.versions[result as usize] += 1;
            let users = dag.dependents(result);
            if run.uses(result) as usize <= self.settings.tasks_max && users.len() <= 8 * self.settings.tasks_max {
                let meetings: Vec<u32> = users.iter().map(|user| self.meetings[*user as usize]).collect();
                self.make(run, visits, result, By::Users, users);
                if meetings != users {
                    self.make(run, visits, result, By::Meetings, &meetings);
                }
                if run.uses(result) > 1 {
                    for user in users.iter().filter(|user| !run.has_run(**user)) {
                        self.make(run, visits, result, By::One(*user), std::slice::from_ref(user));
                    }
                }
            }
        }
    }

    fn touch(&mut self, run: &Run, result: u32) {
        let is_alive = run.has_run(result) && run.uses(result) > 0;
        if is_alive && !std::mem::replace(&mut self.is_stale[result as usize], true) {
            self.stale.push(result);
        }
    }

    fn make(&mut self, run: &Run, visits: &Visits, result: u32, by: By, tasks: &[u32]) {
        let Some(climb) = self.trial.run(run, visits, tasks) else { return };
        let rises = climb.rise > 0;
        if rises && !self.settings.rises {
            return;
        }
        let (first, second) = if rises { (climb.rise, climb.hill) } else { (climb.hill, climb.rise) };
        self.made += 1;
        let (age, version) = (Reverse(self.made), self.versions[result as usize]);
        self.heap.push(Reverse(Offer { rises, first, second, age, result, by, version }));
    }

    /// Takes the best offer that still stands.
    fn best(&mut self, run: &Run) -> Option<Offer> {
        loop {
            let Reverse(offer) = self.heap.pop()?;
            if offer.version == self.versions[offer.result as usize] && run.uses(offer.result) > 0 {
                return Some(offer);
            }
        }
    }

    fn tasks_of(&self, dag: &Dag, offer: Offer) -> Vec<u32> {
        let users = dag.dependents(offer.result).iter();
        match offer.by {
            By::Users => users.copied().collect(),
            By::Meetings => users.map(|user| self.meetings[*user as usize]).collect(),
            By::One(user) => vec![user],
        }
    }
}

/// Where a task's result, or what alone is made of it, is needed together with others.
fn meeting(dag: &Dag, task: u32) -> u32 {
    let mut at = task;
    for _ in 0..LINKS_MAX {
        let [next] = dag.dependents(at) else { break };
        at = *next;
        if dag.inputs(at).len() > 1 {
            break;
        }
    }
    at
}

/// The way to the targets, task by task.
struct Trail<'a> {
    /// What is waited for, and how many of its inputs have run.
    stack: Vec<(u32, u32)>,
    targets: Targets<'a>,
}

impl Trail<'_> {
    /// The next task on the way, ready to run.
    fn next(&mut self, run: &Run, visits: &Visits) -> Option<u32> {
        loop {
            let Some((task, visited)) = self.stack.last_mut() else {
                let target = self.targets.next(run)?;
                self.stack.push((target, 0));
                continue;
            };
            if run.has_run(*task) {
                self.stack.pop();
            } else if run.missing(*task) == 0 {
                return Some(*task);
            } else {
                let input = visits.of(*task)[*visited as usize];
                if run.has_run(input) {
                    *visited += 1;
                } else {
                    self.stack.push((input, 0));
                }
            }
        }
    }
}
