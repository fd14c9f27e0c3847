//! What dask's scheduler promises of balance, width and co-assignment (`distributed/tests/test_steal.py`, `test_scheduler.py`),
//! asked of the real cores.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "dask/roots.rs"]
mod roots;

use std::sync::Arc;
use wasm_tasks_protocol::Time;
use wasm_tasks_protocol::graph::LabelRule;
use wasm_tasks_protocol::ids::{GraphId, TaskIndex};
use wasm_tasks_protocol::time::Duration;

use wasm_tasks_scheduler_core::TaskId;
use wasm_tasks_sim::core_shell::CoreShell;
use wasm_tasks_sim::network::NetModel;
use wasm_tasks_sim::reference::Estimates;
use wasm_tasks_sim::scheduler::{Offer, Scheduler};
use wasm_tasks_sim::work::{Work, WorkTask};
use wasm_tasks_sim::world::{Counts, World, WorldSettings};

const BANDWIDTH: u64 = 125_000_000;

fn task(seconds: f64, bytes: u64, function: u32, needs: &[u32]) -> WorkTask {
    let mut task = WorkTask::new(seconds, seconds, bytes);
    task.function = function;
    task.needs = needs.iter().map(|need| (TaskIndex(*need), 0)).collect();
    task
}

/// Runs a graph of which nothing is expected. Calls `look` after every step.
fn run(work: Work, workers: &[u32], estimates: Option<Estimates>, mut look: impl FnMut(&World<CoreShell, ()>)) -> Counts {
    let settings = WorldSettings { bandwidth: BANDWIDTH, model: NetModel::MaxMin, is_checked: false, ..WorldSettings::default() };
    let mut shell = CoreShell::new(1);
    shell.estimates = estimates;
    let mut world: World<CoreShell, ()> = World::new(settings, shell, 1);
    for (number, slots) in workers.iter().enumerate() {
        let mut offer = Offer::of_slots(*slots, Duration(200));
        offer.labels = vec![("at".to_owned(), number.to_string())];
        world.join(&offer, 1.0);
    }
    world.submit(Time(0), GraphId([1; 16]), Arc::new(work));
    while world.graphs.is_empty() || !world.scheduler.is_finished() {
        assert!(world.step().is_some(), "nothing happens any more");
        look(&world);
    }
    world.close()
}

/// Where tasks ran, when all of them became ready at once: for each worker of one slot the numbers of those that it ran.
/// `inputs` says what each task needs: results of so many bytes, and at which workers they lie.
/// Also, how many seconds passed from when they were ready until the last had ended.
fn placed(workers: usize, inputs: &[(u64, Vec<usize>)], tasks: &[usize]) -> (Vec<Vec<usize>>, f64) {
    let at = |worker: usize| vec![LabelRule::parse(&format!("at={worker}")).unwrap()];
    let mut list = Vec::new();
    let (mut roots, mut copies) = (Vec::new(), Vec::new());
    for (bytes, holders) in inputs {
        let mut root = task(0.001, *bytes, 0, &[]);
        root.settings.labels = at(holders[0]);
        list.push(root);
        let root = list.len() as u32 - 1;
        roots.push(root);
        for holder in &holders[1..] {
            let mut copy = task(0.001, 8, 1, &[root]);
            copy.settings.labels = at(*holder);
            list.push(copy);
            copies.push(list.len() as u32 - 1);
        }
    }
    // Nothing may run before everything lies where it should.
    let all: Vec<u32> = roots.iter().chain(&copies).copied().collect();
    list.push(task(0.001, 8, 2, &all));
    let gate = list.len() as u32 - 1;
    let first = list.len();
    list.extend(tasks.iter().map(|input| task(1.0, 8, 3, &[roots[*input], gate])));
    let work = Work::new("table".to_owned(), list, None, 1).unwrap();
    let mut ran: Vec<Vec<usize>> = vec![Vec::new(); workers];
    let mut seen = std::collections::BTreeSet::new();
    let (mut first_ended, mut last_ended) = (f64::INFINITY, 0.0);
    run(work, &vec![1; workers], Some(Estimates::Exact), |world| {
        let Some(index) = world.graphs.keys().next().and_then(|graph| world.scheduler.core.graph_index(*graph)) else { return };
        for at in 0..tasks.len() {
            let id = TaskId { graph: index, task: TaskIndex((first + at) as u32) };
            if let Some((_, Some(worker))) = world.scheduler.core.result_of(id)
                && seen.insert(at)
            {
                ran[worker.0 as usize - 1].push(at);
                let now = world.now.since(Time(0)).as_secs_f64();
                (first_ended, last_ended) = (f64::min(first_ended, now), now);
            }
        }
    });
    (ran, last_ended - first_ended + 1.0)
}

/// Rows of `test_balance`: each number is what it costs to move a task's input, in tenths of a second; tasks take one second,
/// the most expensive are the most urgent; inputs are at that worker. Returns who ran what, as sorted whole seconds, and how long it took.
fn balance(table: &[Vec<u64>]) -> (Vec<Vec<u64>>, f64) {
    let mut inputs = Vec::new();
    for (worker, costs) in table.iter().enumerate() {
        let mut costs = costs.clone();
        costs.sort_unstable_by_key(|cost| std::cmp::Reverse(*cost));
        inputs.extend(costs.iter().map(|tenths| (tenths * BANDWIDTH / 10 + 1_000, vec![worker])));
    }
    let tasks: Vec<usize> = (0..inputs.len()).collect();
    let (ran, seconds) = placed(table.len(), &inputs, &tasks);
    (sorted(ran.iter().map(|list| list.iter().map(|task| inputs[*task].0 / BANDWIDTH).collect()).collect()), seconds)
}

fn sorted(mut rows: Vec<Vec<u64>>) -> Vec<Vec<u64>> {
    rows.iter_mut().for_each(|list| list.sort_unstable_by(|a, b| b.cmp(a)));
    rows.sort_by(|a, b| b.cmp(a));
    rows
}

/// Every order of the numbers below `n`.
fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(n - 1);
    shorter.iter().flat_map(|list| (0..n).map(move |at| [&list[..at], &[n - 1], &list[at..]].concat())).collect()
}

#[test]
fn work_is_balanced_as_dask_steals() {
    // Inputs as they lie, beside who should run what.
    let text = include_str!("dask/balance.txt");
    let mut wrong = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (given, wanted) = line.split_once("->").unwrap();
        let rows = |text: &str| -> Vec<Vec<u64>> {
            let number = |text: &str| (text.parse::<f64>().unwrap() * 10.0) as u64;
            text.split('|').map(|row| row.split_whitespace().map(number).collect()).collect()
        };
        let (given, wanted) = (rows(given), rows(wanted));
        let wanted = sorted(wanted.iter().map(|row| row.iter().map(|tenths| tenths / 10).collect()).collect());
        for order in permutations(given.len().min(3)) {
            // Workers beyond the third stay where they are: all orders of more would take long.
            let given: Vec<Vec<u64>> = (0..given.len()).map(|at| given[*order.get(at).unwrap_or(&at)].clone()).collect();
            let (got, _) = balance(&given);
            if got != wanted {
                wrong.push(format!("{line}: {got:?} for {given:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// dask's last row takes `4 2 2 2 | 4 2 1 1 | 2 | 1 | 1` from this. It counts each transfer alone; here the three from the first
/// worker share its way: two of one second are there after 3 s, that of two after 4 s, and its task ends at 5 s. Ours ends as
/// soon: one more task stays where its input is, and one less where dask has the second worker run four.
#[test]
fn several_crowded_workers_end_as_soon_as_dasks() {
    let (ran, seconds) = balance(&[vec![40, 20, 20, 20, 20, 10, 10], vec![40, 20, 10, 10], vec![], vec![], vec![]]);
    println!("{ran:?} in {seconds} s");
    assert!(seconds <= 5.05, "{ran:?} take {seconds} s");
    assert!(ran.iter().all(|list| (1..=5).contains(&list.len())), "nobody idles: {ran:?}");
    let moved: u64 = ran[2..].iter().flatten().sum();
    assert_eq!(moved, 4, "nothing that takes long moves: {ran:?}");
}

/// Tasks of one second that all need one result: how many each worker runs. The result takes so many seconds to move.
fn shared(seconds: u64, holders: &[usize], workers: usize, tasks: usize) -> Vec<usize> {
    placed(workers, &[(seconds * BANDWIDTH, holders.to_vec())], &vec![0; tasks]).0.iter().map(Vec::len).collect()
}

#[test]
fn a_large_input_moves_only_for_enough_work() {
    for home in [0, 1] {
        let counts = |seconds, holders: &[usize], tasks| {
            let counts = shared(seconds, holders, 2, tasks);
            (counts[home], counts[1 - home])
        };
        assert_eq!(counts(10, &[home], 10), (10, 0), "not enough work to steal");
        assert_eq!(counts(10, &[home], 12), (11, 1), "enough work to steal");
        assert_eq!(counts(20, &[home], 12), (12, 0), "not enough work for what it costs");
        assert_eq!(counts(1, &[home], 2), (2, 0), "elsewhere it would end no sooner");
        assert_eq!(counts(1, &[home, 1 - home], 2), (1, 1), "where a copy is nothing moves");
        assert!(counts(10, &[home], 20).1 > 0, "at last it is worth it");
    }
    let mut with_copy = shared(2, &[0, 1], 3, 2);
    assert_eq!((with_copy.pop(), with_copy), (Some(0), vec![1, 1]), "to the copy, and not to who has none");
    assert_eq!(shared(6, &[0, 1], 3, 8), [4, 4, 0], "evenly among those who have it");
}
