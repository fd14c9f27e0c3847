//! Orders of graphs whose best peak is known, from hand or from trying everything.

use super::{living_results, static_order, static_order_by_size};
use wasm_tasks_protocol::ids::TaskIndex;

/// A graph as lists of inputs.
type Inputs = Vec<Vec<u32>>;

fn plan(inputs: &[Vec<u32>]) -> (Vec<u32>, Vec<TaskIndex>) {
    let mut starts = vec![0];
    let mut edges = Vec::new();
    for list in inputs {
        edges.extend(list.iter().copied().map(TaskIndex));
        starts.push(edges.len() as u32);
    }
    (starts, edges)
}

/// The peak of the static order, which must be an order.
fn peak(inputs: &[Vec<u32>], sizes: Option<&[u64]>) -> u64 {
    let (starts, edges) = plan(inputs);
    let order = || match sizes {
        None => static_order(&starts, &edges),
        Some(sizes) => static_order_by_size(&starts, &edges, sizes),
    };
    let ranks = order();
    assert_eq!(ranks, order(), "the order of a graph is always the same");
    let mut sorted = ranks.clone();
    sorted.sort_unstable();
    assert!(sorted.into_iter().eq(0..inputs.len() as u32), "ranks are a permutation");
    for (task, list) in inputs.iter().enumerate() {
        assert!(list.iter().all(|input| ranks[*input as usize] < ranks[task]), "a task runs after what it needs");
    }
    living_results(&starts, &edges, &ranks, sizes).into_iter().max().unwrap_or(0)
}

/// The best peak of all orders, by trying every set of tasks that may have run.
fn best_peak(inputs: &[Vec<u32>], sizes: Option<&[u64]>) -> u64 {
    let n = inputs.len();
    let needs: Vec<usize> = inputs.iter().map(|list| list.iter().fold(0, |set, input| set | 1 << input)).collect();
    let users: Vec<usize> =
        (0..n).map(|task| (0..n).filter(|user| needs[*user] >> task & 1 == 1).fold(0, |set, user| set | 1 << user)).collect();
    let alive = |ran: usize| -> u64 {
        let alive = (0..n).filter(|task| ran >> task & 1 == 1 && users[*task] & !ran != 0);
        alive.map(|task| sizes.map_or(1, |sizes| sizes[task])).sum()
    };
    let mut best = vec![u64::MAX; 1 << n];
    best[0] = 0;
    for ran in 0..1usize << n {
        for task in (0..n).filter(|task| ran >> task & 1 == 0 && needs[*task] & !ran == 0) {
            let next = ran | 1 << task;
            best[next] = best[next].min(best[ran].max(alive(next)));
        }
    }
    best[(1 << n) - 1]
}

/// Pseudo-random numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    /// A graph with edges from earlier to later tasks, then renamed so that numbers say nothing.
    fn graph(&mut self, tasks: u64) -> Inputs {
        let per_mille = 100 + self.below(500);
        let mut names: Vec<u32> = (0..tasks as u32).collect();
        (1..names.len()).rev().for_each(|last| names.swap(last, self.below(last as u64 + 1) as usize));
        let mut inputs = vec![Vec::new(); tasks as usize];
        for task in 0..tasks as usize {
            for input in 0..task {
                if self.below(1_000) < per_mille {
                    inputs[names[task] as usize].push(names[input]);
                }
            }
        }
        inputs
    }
}

#[test]
fn trivial_graphs() {
    assert_eq!(static_order(&[], &[]), Vec::<u32>::new());
    assert_eq!(static_order(&[0], &[]), Vec::<u32>::new());
    assert_eq!(static_order(&[0, 0], &[]), [0]);
    // An input that is named twice.
    assert_eq!(peak(&[vec![], vec![0, 0], vec![1, 0, 1]], None), 2);
}

#[test]
fn peaks_worked_out_by_hand() {
    // A chain holds one result at a time.
    let chain: Inputs = (0..100u32).map(|task| if task == 0 { vec![] } else { vec![task - 1] }).collect();
    assert_eq!(peak(&chain, None), 1);
    // Ten sources that one task needs must all be there.
    let mut merge = vec![vec![]; 10];
    merge.push((0..10).collect());
    assert_eq!(peak(&merge, None), 10);
    // A binary tree of 2^k leaves needs k + 1: one for each level, and a leaf.
    let (mut tree, mut level): (Inputs, Vec<u32>) = (vec![vec![]; 64], (0..64).collect());
    while level.len() > 1 {
        let first = tree.len() as u32;
        level.chunks(2).for_each(|pair| tree.push(pair.to_vec()));
        level = (first..tree.len() as u32).collect();
    }
    assert_eq!(peak(&tree, None), 7);
    // Diamonds in a row: the two sides of one, then of the next.
    let diamonds: Inputs = (0..31u32)
        .map(|task| match task % 3 {
            0 if task == 0 => vec![],
            0 => vec![task - 1, task - 2],
            1 => vec![task - 1],
            _ => vec![task - 2],
        })
        .collect();
    assert_eq!(peak(&diamonds, None), 2);
    // Sources that a hundred tasks each need go one after the other.
    let mut fan = vec![vec![], vec![]];
    (0..200).for_each(|task| fan.push(vec![task / 100]));
    assert_eq!(peak(&fan, None), 1);
    // A grid needs one row and a corner; by columns it needs fewer when they are shorter.
    let grid: Inputs = (0..30u32)
        .map(|task| {
            let (row, column) = (task / 3, task % 3);
            let above = (row > 0).then(|| task - 3);
            let left = (column > 0).then(|| task - 1);
            above.into_iter().chain(left).collect()
        })
        .collect();
    assert_eq!(peak(&grid, None), 3);
}

#[test]
fn sizes_decide_where_counts_do_not() {
    // Two chains that meet: whose large first result is made first, and dropped, before the other's middle is kept.
    let inputs = [vec![], vec![0], vec![], vec![2], vec![1, 3]];
    assert_eq!(peak(&inputs, Some(&[100, 1, 10, 10, 1])), 100);
    assert_eq!(peak(&inputs, Some(&[10, 10, 100, 1, 1])), 100);
    // Sizes that no machine has are still compared.
    assert_eq!(peak(&inputs, Some(&[u64::MAX, 0, u64::MAX, 0, 0])), u64::MAX);
    assert_eq!(peak(&inputs, Some(&[0; 5])), 0);
}

/// Every random graph of up to nine tasks: how much above the best peak the order is, at most and how often.
#[test]
fn small_random_graphs_are_near_the_best() {
    let mut random = Random(7);
    let mut above = [0u32; 4];
    for _ in 0..3_000 {
        let tasks = 2 + random.below(8);
        let graph = random.graph(tasks);
        let (ours, best) = (peak(&graph, None), best_peak(&graph, None));
        assert!(ours >= best, "nothing is better than the best: {graph:?}");
        assert!(ours <= best + 1, "{ours} instead of {best}: {graph:?}");
        above[(ours - best) as usize] += 1;
    }
    assert!(above[1] <= 15, "optimal for all but 0.5 %: {above:?}");
}

#[test]
fn small_random_graphs_with_sizes_are_near_the_best() {
    let mut random = Random(8);
    let mut is_best = 0;
    for _ in 0..1_000 {
        let tasks = 2 + random.below(8);
        let graph = random.graph(tasks);
        let sizes: Vec<u64> = (0..tasks).map(|_| random.below(100)).collect();
        let (ours, best) = (peak(&graph, Some(&sizes)), best_peak(&graph, Some(&sizes)));
        assert!(ours >= best && ours * 2 <= best * 3, "{ours} instead of {best}: {graph:?}, {sizes:?}");
        is_best += u32::from(ours == best);
    }
    assert!(is_best >= 900, "optimal for nine in ten: {is_best} of 1000");
}

#[test]
fn graphs_of_every_size_class_are_ordered() {
    let mut random = Random(9);
    for tasks in [50, 3_000, 30_000, 120_000] {
        let inputs: Inputs = (0..tasks)
            .map(|task: u64| if task == 0 { vec![] } else { (0..random.below(4)).map(|_| random.below(task) as u32).collect() })
            .collect();
        assert!(peak(&inputs, None) > 0);
        let sizes: Vec<u64> = (0..tasks).map(|_| random.below(1_000)).collect();
        assert!(peak(&inputs, Some(&sizes)) > 0);
    }
}

/// On a stack of 2 MiB, as threads of tests have, nothing may recurse.
#[test]
fn deep_and_wide_graphs_are_ordered() {
    for tasks in [100_000u32, 1_000_000] {
        let chain: Inputs = (0..tasks).map(|task| if task == 0 { vec![] } else { vec![task - 1] }).collect();
        assert_eq!(peak(&chain, None), 1);
        // The same, where the last position runs first.
        let back: Inputs = (0..tasks).map(|task| if task + 1 == tasks { vec![] } else { vec![task + 1] }).collect();
        assert_eq!(peak(&back, None), 1);
    }
    let mut wide = vec![vec![]; 100_000];
    wide.push((0..100_000).collect());
    assert_eq!(peak(&wide, None), 100_000);
}

#[test]
#[should_panic(expected = "a checked graph has no circle")]
fn circles_are_a_bug_of_the_caller() {
    let (starts, edges) = plan(&[vec![1], vec![0]]);
    static_order(&starts, &edges);
}
