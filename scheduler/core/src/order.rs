//! The static order of a graph's tasks: of several candidates the one in which the fewest results are alive at once.
//!
//! Owns which candidates are tried on which graph. The aim is dask.order's, the ways are others: walks back from the outputs
//! (`walk`), retiring living results (`retire`), finishing what is nearly complete (`frontier`). Each takes time about linear
//! in tasks and edges, so does measuring it; the smaller a graph, the more are tried. Must not know workers, times, or what tasks do.

mod dag;
mod frontier;
mod improve;
mod measure;
mod nearest;
mod retire;
mod run;
mod walk;

use dag::Dag;
use measure::{Cost, bounds, measure};
use nearest::Nearest;
use walk::Visits;
use wasm_tasks_protocol::ids::TaskIndex;

/// What all results together may weigh, so that sums of them fit any integer here.
const TOTAL_MAX: u64 = 1 << 60;
/// Tasks plus edges above which only the first candidate is made.
const LARGE_MIN: usize = 400_000;
/// Tasks plus edges up to which candidates are made that look far.
const MEDIUM_MAX: usize = 100_000;
/// Tasks plus edges up to which all candidates are made and improved.
const SMALL_MAX: usize = 20_000;
/// How often walks are repeated with what was measured of the one before.
const ROUNDS: usize = 3;
/// Tasks plus edges of all varied candidates together, and how many there are at most.
const VARIED_WORK: usize = 30_000;
const VARIED_MAX: usize = 24;

/// Ranks by task: smaller runs first, every task after what it needs. `starts` and `dependencies` are a
/// [`GraphPlan`](crate::GraphPlan)'s; duplicates do no harm.
///
/// Few results are alive at once when tasks run one by one: a result is alive until the last task that needs it has run, and
/// what nobody needs is never counted. Trees are ordered optimally; for other graphs nothing is promised, as finding
/// the best order is NP-hard (Sethi, "Complete register allocation problems", 1975). Takes time near linear in tasks plus edges.
///
/// # Panics
/// When the graph has a circle.
pub fn static_order(starts: &[u32], dependencies: &[TaskIndex]) -> Vec<u32> {
    ranks(&best(&Dag::new(starts, dependencies, None)))
}

/// Like [`static_order`], for as few living bytes as possible: `sizes` are those of the tasks' results.
///
/// # Panics
/// When the graph has a circle, or there is not one size a task.
pub fn static_order_by_size(starts: &[u32], dependencies: &[TaskIndex], sizes: &[u64]) -> Vec<u32> {
    // So that all sums fit: only what is far above any machine loses precision.
    let total: u128 = sizes.iter().map(|size| u128::from(*size)).sum();
    let shift = (128 - (total / u128::from(TOTAL_MAX)).leading_zeros()).min(63);
    ranks(&best(&Dag::new(starts, dependencies, Some(sizes.iter().map(|size| size >> shift).collect()))))
}

/// How many results are alive after each task, in the order of `ranks`; see [`static_order`]. With sizes, how many bytes.
///
/// # Panics
/// When `ranks` is not a permutation, or a task comes before one that it needs.
pub fn living_results(starts: &[u32], dependencies: &[TaskIndex], ranks: &[u32], sizes: Option<&[u64]>) -> Vec<u64> {
    let dag = Dag::new(starts, dependencies, sizes.map(<[u64]>::to_vec));
    let mut order = vec![u32::MAX; ranks.len()];
    dag.tasks().zip(ranks).for_each(|(task, rank)| order[*rank as usize] = task);
    let is_topological =
        dag.tasks().all(|task| dag.inputs(task).iter().all(|input| ranks[*input as usize] < ranks[task as usize]));
    assert!(is_topological && !order.contains(&u32::MAX), "ranks order all tasks, each after what it needs");
    let mut living = Vec::with_capacity(order.len());
    measure(&dag, &order, |live| living.push(u64::try_from(live).unwrap_or(u64::MAX)));
    living
}

fn ranks(order: &[u32]) -> Vec<u32> {
    let mut ranks = vec![0; order.len()];
    order.iter().zip(0..).for_each(|(task, rank)| ranks[*task as usize] = rank);
    ranks
}

/// The best candidate so far.
struct Best<'a> {
    dag: &'a Dag,
    /// What no peak can be below, after tasks and while they run.
    bounds: (u128, u128),
    order: Vec<u32>,
    cost: Cost,
}

impl Best<'_> {
    /// Looks at a candidate; whether none can be better. All others say the same of what they tried.
    fn offer(&mut self, order: Vec<u32>) -> bool {
        let cost = measure(self.dag, &order, |_| {});
        if self.order.is_empty() || cost < self.cost {
            (self.order, self.cost) = (order, cost);
        }
        (self.cost.peak, self.cost.running_peak) == self.bounds
    }

    /// Tries other candidates, as many as the size of the graph allows.
    fn search(&mut self, weights: &[u64], visits: &Visits, mut targets: Vec<u32>) -> bool {
        let dag = self.dag;
        let work = dag.len() + dag.edges();
        let retire = |visits: &Visits, targets: &[u32], tasks_max, rises| {
            let targets = retire::Targets::Listed(targets.iter());
            retire::order(dag, visits, targets, retire::Settings { tasks_max, rises })
        };
        if work > LARGE_MIN || self.offer(retire(visits, &targets, 16, false)) {
            return true;
        }
        let (order, climbs) = walk::from_targets_measured(dag, visits, &targets);
        let mut climbed = Visits::by_climbs(dag, &climbs);
        if self.offer(order) || self.offer(retire(&climbed, &targets, 16, true)) || work > MEDIUM_MAX {
            return true;
        }
        if self.offer(retire(visits, &targets, 1_024, false))
            || self.offer(retire(visits, &targets, 256, true))
            || work > SMALL_MAX
        {
            return true;
        }
        if targets.len() > 1 {
            for (visits, tasks_max) in [(visits, 16), (visits, 64), (&climbed, 64)] {
                let Some(nearest) = Nearest::new(dag, &targets) else { break };
                let settings = retire::Settings { tasks_max, rises: false };
                if self.offer(retire::order(dag, visits, retire::Targets::Nearest(nearest), settings)) {
                    return true;
                }
            }
        }
        if self.offer(retire(&climbed, &targets, 16, false)) || self.offer(retire(&climbed, &targets, 64, true)) {
            return true;
        }
        for _ in 1..ROUNDS {
            let (order, climbs) = walk::from_targets_measured(dag, &climbed, &targets);
            climbed = Visits::by_climbs(dag, &climbs);
            if self.offer(order) {
                return true;
            }
        }
        if self.offer(frontier::order(dag, visits, &targets)) || self.improve() {
            return true;
        }
        for round in 0..(VARIED_WORK / work.max(1)).min(VARIED_MAX) as u64 {
            let varied = Visits::by_varied_weight(dag, weights, round);
            // How far retirement looks differs too, and where it goes.
            let (is_nearest, tasks_max, rises) =
                [(false, 16, false), (true, 64, false), (false, 4, false), (true, 4, false), (false, 16, true)]
                    [round as usize % 5];
            let nearest = if is_nearest && targets.len() > 1 { Nearest::new(dag, &targets) } else { None };
            let order = match nearest {
                Some(nearest) => {
                    let settings = retire::Settings { tasks_max, rises };
                    retire::order(dag, &varied, retire::Targets::Nearest(nearest), settings)
                }
                None => retire(&varied, &targets, tasks_max, rises),
            };
            targets.sort_by_key(|target| walk::noise(*target, round));
            let pushed = improve::push(dag, &order);
            if self.offer(improve::pull(dag, &pushed)) || self.offer(pushed) || self.offer(order) {
                return true;
            }
        }
        false
    }

    /// Moves tasks where it does no harm, as long as that helps.
    fn improve(&mut self) -> bool {
        for _ in 0..ROUNDS {
            let before = self.cost;
            let pushed = improve::push(self.dag, &self.order);
            let pulled = improve::pull(self.dag, &pushed);
            if self.offer(pushed) || self.offer(pulled) {
                return true;
            }
            if self.cost == before {
                break;
            }
        }
        false
    }
}

fn best(dag: &Dag) -> Vec<u32> {
    let mut best = Best { dag, bounds: bounds(dag), order: Vec::new(), cost: Cost::default() };
    let weights = walk::weights(dag);
    let visits = Visits::by_weight(dag, &weights);
    let mut targets: Vec<u32> = dag.tasks().filter(|task| dag.dependents(*task).is_empty()).collect();
    targets.sort_by_key(|target| weights[*target as usize]);
    // Trees are done with this.
    let is_forest = dag.tasks().all(|task| dag.dependents(task).len() <= 1);
    if !best.offer(walk::from_targets(dag, &visits, &targets)) && !is_forest {
        best.search(&weights, &visits, targets);
    }
    best.order
}

#[cfg(test)]
mod tests;
