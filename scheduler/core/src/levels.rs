//! The order by what is left to do: the task from which the longest path leads to an end runs first.
//!
//! It keeps slots busy to the end, and cares nothing for memory: it is taken only where the results that it keeps
//! alive are few beside the memory of the workers, and where durations are expected at all. Among equals the order that
//! cares for memory is kept, but for tasks that are given the same: see [`mix_alike`].

use crate::event::Expected;
use crate::ranks::Fleet;
use wasm_tasks_protocol::graph::edges::{edges_of, topological};
use wasm_tasks_protocol::ids::TaskIndex;

/// Of the workers' memory, results may take one part of so many before order cares for memory only.
const MEMORY_PART: u64 = 2;
/// Results alive may be one part of so many more than in the order that cares for memory.
const MORE_PART: u64 = 4;

/// Edges of a graph, one way.
pub(crate) struct Edges<'a> {
    pub(crate) starts: &'a [u32],
    pub(crate) list: &'a [TaskIndex],
}

impl Edges<'_> {
    fn of(&self, task: u32) -> &[TaskIndex] {
        edges_of(self.starts, self.list, TaskIndex(task))
    }
}

/// Ranks by what is left to do, or `ranks` as they are where memory is the constraint. Linear but for one sort.
pub(crate) fn order(
    dependencies: &Edges<'_>,
    dependents: &Edges<'_>,
    expected: &[Expected],
    ranks: Vec<u32>,
    fleet: Fleet,
) -> Vec<u32> {
    let levels = levels(dependencies, dependents, expected);
    let mut tasks: Vec<u32> = (0..ranks.len() as u32).collect();
    tasks.sort_unstable_by_key(|task| (std::cmp::Reverse(levels[*task as usize]), ranks[*task as usize]));
    mix_alike(&mut tasks, &levels, dependencies, dependents, fleet.slots);
    let peak = peak_bytes(&tasks, dependencies, dependents, expected);
    if peak > fleet.memory_bytes / MEMORY_PART {
        let mut by_rank: Vec<u32> = (0..ranks.len() as u32).collect();
        by_rank.sort_unstable_by_key(|task| ranks[*task as usize]);
        let least = peak_bytes(&by_rank, dependencies, dependents, expected);
        if peak > least.saturating_add(least / MORE_PART) {
            return ranks;
        }
    }
    let mut order = ranks;
    (0..).zip(&tasks).for_each(|(rank, task)| order[*task as usize] = rank);
    order
}

/// Tasks that are given the same inputs and have equally much left to do change places with each other, as if drawn by lot.
///
/// Nothing that is known tells them apart, but whoever writes a loop over parameters lets it begin with the small ones: in the
/// order of the graph the longest would begin last, which is the worst for the end (Graham, "Bounds on multiprocessing timing
/// anomalies", 1969). What meets in the same task stays together. Where all of them begin at once, there is nothing to draw.
fn mix_alike(tasks: &mut [u32], levels: &[u64], dependencies: &Edges<'_>, dependents: &Edges<'_>, slots: u64) {
    let key = |task: u32| dependencies.of(task).iter().fold(levels[task as usize], |key, input| mixed(key ^ u64::from(input.0)));
    let given = (0..).zip(&*tasks).filter(|(_, task)| !dependencies.of(**task).is_empty());
    // Where two lists of inputs have one key, nothing is lost: these tasks change places too, if they stand beside each other.
    let mut places: Vec<(u64, u32, u32)> = given.map(|(place, task)| (key(*task), place, *task)).collect();
    places.sort_unstable();
    for alike in places.chunk_by(|one, other| one.0 == other.0).filter(|alike| alike.len() as u64 > slots.max(1)) {
        let lot = |task: u32| mixed(dependents.of(task).first().map_or(!u64::from(task), |meets| u64::from(meets.0)));
        let mut drawn: Vec<(u64, u32, u32)> = alike.iter().map(|(_, place, task)| (lot(*task), *place, *task)).collect();
        drawn.sort_unstable();
        alike.iter().zip(drawn).for_each(|((_, place, _), (.., task))| tasks[*place as usize] = task);
    }
}

/// SplitMix64's finaliser.
fn mixed(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Microseconds of the longest path from each task to an end, the task included.
fn levels(dependencies: &Edges<'_>, dependents: &Edges<'_>, expected: &[Expected]) -> Vec<u64> {
    let said = || expected.iter().map(|expected| expected.run_us).filter(|run_us| *run_us != Expected::NOT_SAID);
    // What nothing is said of is taken for what the others are on average.
    let (sum, count) = said().fold((0u64, 0u64), |(sum, count), run_us| (sum.saturating_add(run_us), count + 1));
    let mean = sum / count.max(1);
    let mut levels = vec![0u64; expected.len()];
    let order = topological(dependencies.starts, dependencies.list).expect("a checked graph has no circle");
    for task in order.into_iter().rev() {
        let after = dependents.of(task.0).iter().map(|dependent| levels[dependent.0 as usize]).max().unwrap_or(0);
        let own = match expected[task.0 as usize].run_us {
            Expected::NOT_SAID => mean,
            run_us => run_us,
        };
        levels[task.0 as usize] = after.saturating_add(own.max(1));
    }
    levels
}

/// Bytes of results that are alive at most when tasks run one after the other in this order.
fn peak_bytes(tasks: &[u32], dependencies: &Edges<'_>, dependents: &Edges<'_>, expected: &[Expected]) -> u64 {
    let bytes = |task: u32| match expected[task as usize].result_bytes {
        Expected::NOT_SAID => 0,
        bytes => bytes,
    };
    let mut left: Vec<u32> = (0..expected.len() as u32).map(|task| dependents.of(task).len() as u32).collect();
    let (mut alive, mut peak) = (0u64, 0u64);
    for task in tasks {
        alive = alive.saturating_add(bytes(*task));
        peak = peak.max(alive);
        for input in dependencies.of(*task) {
            left[input.0 as usize] -= 1;
            if left[input.0 as usize] == 0 {
                alive = alive.saturating_sub(bytes(input.0));
            }
        }
    }
    peak
}

#[cfg(test)]
mod tests {
    use super::{Edges, Fleet, order};
    use crate::dependents::Dependents;
    use crate::event::Expected;
    use wasm_tasks_protocol::ids::TaskIndex;

    /// Ranks of tasks that need these, are all expected to take as long, and make nothing that is large.
    fn ranks(needs: &[Vec<u32>], slots: u64) -> Vec<u32> {
        let mut starts = vec![0];
        let mut list = Vec::new();
        for needs in needs {
            list.extend(needs.iter().copied().map(TaskIndex));
            starts.push(list.len() as u32);
        }
        let dependents = Dependents::new(&starts, &list);
        let (from, back) = dependents.table();
        let expected = vec![Expected { run_us: 1_000, result_bytes: 8 }; needs.len()];
        let (there, back) = (Edges { starts: &starts, list: &list }, Edges { starts: from, list: back });
        order(&there, &back, &expected, (0..needs.len() as u32).collect(), Fleet { slots, ..Fleet::UNKNOWN })
    }

    #[test]
    fn tasks_that_are_given_the_same_change_places() {
        // Two roots, and tasks that need one or the other, by turns.
        let mut needs: Vec<Vec<u32>> = vec![Vec::new(); 2];
        needs.extend((0..200).map(|at| vec![at % 2]));
        assert!(
            (0..202).eq(super::tests::ranks(&needs, 100)),
            "a hundred slots have one for each of those that are given the same"
        );
        let ranks = ranks(&needs, 99);
        assert_eq!(&ranks[..2], &[0, 1], "what is given nothing keeps its place");
        let rises = (2..200).filter(|at| ranks[at + 2] > ranks[*at]).count();
        assert!((60..140).contains(&rises), "{rises} of 198 come before the one that was written next");
        assert!((2..202).all(|at| (ranks[at] - 2) % 2 == (at as u32) % 2), "each in a place of those that are given the same");
        let mut sorted = ranks;
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..202), "each place is taken once");
    }

    #[test]
    fn what_meets_stays_together() {
        // One root, pairs that need it, and a task for each pair.
        let mut needs: Vec<Vec<u32>> = vec![Vec::new()];
        needs.extend((0..100).map(|_| vec![0]));
        needs.extend((0..50).map(|pair| vec![1 + 2 * pair, 2 + 2 * pair]));
        let ranks = ranks(&needs, 1);
        assert!((0..50).all(|pair| ranks[2 + 2 * pair] == ranks[1 + 2 * pair] + 1), "{ranks:?}");
    }
}
