//! Reference policies and the network on cases that are worked out by hand.

use std::sync::Arc;
use wasm_tasks_protocol::Time;
use wasm_tasks_protocol::ids::{TaskIndex, WorkerId};
use wasm_tasks_sim::compare::{self, Cluster};
use wasm_tasks_sim::generate;
use wasm_tasks_sim::network::{NetModel, Network};
use wasm_tasks_sim::reference::{Estimates, Policy};
use wasm_tasks_sim::work::{Work, WorkTask};

const MIB: u64 = 1 << 20;

fn cluster(workers: u32, slots: u32) -> Cluster {
    Cluster {
        workers,
        slots,
        model: NetModel::MaxMin,
        bandwidth: 100 * MIB,
        slow: (0, 1.0),
        load: wasm_tasks_protocol::time::Duration(1_000),
    }
}

fn work(tasks: &[(f64, u64, &[u32])]) -> Arc<Work> {
    let task = |(seconds, mib, needs): &(f64, u64, &[u32])| {
        let mut task = WorkTask::new(*seconds, *seconds, mib * MIB);
        task.needs = needs.iter().map(|need| (TaskIndex(*need), 0)).collect();
        task
    };
    Arc::new(Work::new("by hand".to_owned(), tasks.iter().map(task).collect(), None, 1).expect("no circle"))
}

/// Seconds, to the millisecond: what messages take is below that.
fn seconds(work: &Arc<Work>, cluster: &Cluster, policy: Policy) -> f64 {
    let makespan = compare::reference(work, cluster, Estimates::Exact, policy, 1).makespan.as_secs_f64();
    (makespan * 100.0).floor() / 100.0
}

#[test]
fn b_level_runs_the_longest_path_first() {
    // A chain of 3 s and three single tasks of 1 s on two slots: 3 s when the chain goes first.
    let work = work(&[(1.0, 0, &[]), (1.0, 0, &[]), (1.0, 0, &[]), (1.0, 0, &[]), (1.0, 0, &[3]), (1.0, 0, &[4])]);
    assert_eq!(seconds(&work, &cluster(1, 2), Policy::BLevelGt), 3.0);
    assert_eq!(work.critical_path().as_secs_f64(), 3.0);
}

#[test]
fn b_level_takes_the_worker_that_has_the_input() {
    // Two chains on two workers: nothing moves.
    let work = work(&[(1.0, 500, &[]), (1.0, 500, &[]), (1.0, 0, &[0]), (1.0, 0, &[1])]);
    let measured = compare::reference(&work, &cluster(2, 1), Estimates::Exact, Policy::BLevelGt, 1);
    assert_eq!((measured.counts.bytes_moved, measured.makespan.0 / 10_000), (0, 200));
}

#[test]
fn a_thief_fetches_what_it_steals() {
    // One task of 1 s makes 100 MiB, which four tasks of 3 s need, on two workers of one slot. The second steals two of them
    // and fetches for 1 s: 1 + 1 + 3 + 3 = 8 s; one worker alone would take 13 s.
    let work = work(&[(1.0, 100, &[]), (3.0, 0, &[0]), (3.0, 0, &[0]), (3.0, 0, &[0]), (3.0, 0, &[0])]);
    assert_eq!(seconds(&work, &cluster(2, 1), Policy::WorkStealing), 8.0);
    assert_eq!(seconds(&work, &cluster(2, 1), Policy::Single), 13.0);
}

#[test]
fn a_thief_chooses_by_cost_but_steals_at_any() {
    // One task of 1 s makes 400 MiB, which two tasks of 1 s need. As Estee has it, who has free slots takes what waits elsewhere,
    // the cheapest first, however long it takes to get: 1 + 4 + 1 = 6 s, where the first worker alone would take 3 s.
    let work = work(&[(1.0, 400, &[]), (1.0, 0, &[0]), (1.0, 0, &[0])]);
    let run = compare::reference(&work, &cluster(2, 1), Estimates::Exact, Policy::WorkStealing, 1);
    assert_eq!((run.makespan.0 / 10_000, run.counts.bytes_moved), (600, 400 * MIB));
}

#[test]
fn a_single_worker_uses_its_slots() {
    // 1 s, and then four tasks of 3 s on two slots; the other workers do nothing.
    let work = work(&[(1.0, 100, &[]), (3.0, 0, &[0]), (3.0, 0, &[0]), (3.0, 0, &[0]), (3.0, 0, &[0])]);
    let run = compare::reference(&work, &cluster(4, 2), Estimates::Exact, Policy::Single, 1);
    assert_eq!((run.makespan.0 / 10_000, run.counts.bytes_moved), (700, 0));
}

#[test]
fn random_goes_where_the_numbers_say() {
    // From the seed 0 SplitMix64 gives e220a8397b1dcdaf, 6e789e6aa1b965f4, 06c45d188009454f, f88bb8a8724c81ec,
    // 1b39896a51a8749b, 53cb9f0c747ea2ea, 2c829abe1f4532e1. The order of the four tasks is shuffled from its end: the first
    // is 3 of 4, task 3 stays last; the second is 0 of 3, tasks 0 and 2 change places; the third is 1 of 2, task 1 stays.
    // So 2, 1 and 0 are placed: the fourth and the sixth are even, 2 and 0 go to the first worker; the fifth is odd, 1 goes to
    // the second. When 0 is done, the seventh is odd: 3 goes to the second worker, and its input after it.
    let work = work(&[(1.0, 100, &[]), (1.0, 0, &[]), (1.0, 0, &[]), (1.0, 0, &[0])]);
    let run = compare::reference(&work, &cluster(2, 1), Estimates::Exact, Policy::Random, 0);
    // 2 until 1 s and 0 until 2 s at the first, 1 until 1 s at the second; 100 MiB take 1 s; 3 takes 1 s.
    assert_eq!((run.makespan.0 / 10_000, run.counts.bytes_moved), (400, 100 * MIB));
    // Placed where its input is it would have moved nothing: the longest path.
    assert_eq!(work.critical_path().as_secs_f64(), 2.0);
}

#[test]
fn max_min_shares_the_tightest_way_first() {
    // Two transfers leave worker 1, one of them to where a third one from worker 2 goes: each gets half of 1 byte/µs,
    // and when the first two are over (200 µs) the third has 100 of its 200 bytes left, at full speed.
    let mut network = Network::new(NetModel::MaxMin, 1_000_000);
    let [one, two, three, four] = [1, 2, 3, 4].map(WorkerId);
    network.start(Time(0), one, three, 100);
    network.start(Time(0), one, four, 100);
    network.start(Time(0), two, four, 200);
    assert_eq!(network.next_end(Time(0)), Some(Time(200)));
    assert_eq!(network.ended(Time(200)).len(), 2);
    assert_eq!(network.next_end(Time(200)), Some(Time(300)));
    assert_eq!(network.ended(Time(300)).len(), 1);
    assert_eq!(network.next_end(Time(300)), None);
}

#[test]
fn simple_transfers_do_not_share() {
    let mut network = Network::new(NetModel::Simple, 1_000_000);
    network.start(Time(0), WorkerId(1), WorkerId(2), 100);
    network.start(Time(0), WorkerId(1), WorkerId(3), 100);
    assert_eq!(network.next_end(Time(0)), Some(Time(100)));
    assert_eq!(network.ended(Time(100)).len(), 2);
}

#[test]
fn slow_workers_are_found_and_get_what_they_can_do() {
    // 200 tasks of 1 s, and when all are done four chains of ten tasks of 5 s, at eight workers of which half take four times as
    // long: 40 s and 50 s where the chains are at fast ones, and 40 s and 200 s where one of them is not.
    let mut tasks: Vec<(f64, u64, &[u32])> = vec![(1.0, 0, &[]); 200];
    let all: Vec<u32> = (0..200).collect();
    tasks.push((0.1, 0, &all));
    let needs: Vec<[u32; 1]> = (0..40).map(|at| [if at % 10 == 0 { 200 } else { 200 + at }]).collect();
    tasks.extend(needs.iter().map(|needs| (5.0, 0, needs.as_slice())));
    let work = work(&tasks);
    let cluster = Cluster { slow: (4, 0.25), ..cluster(8, 1) };
    let ours = compare::ours(&work, &cluster, Estimates::Exact, 1, None).makespan.as_secs_f64();
    let others = [Policy::BLevelGt, Policy::WorkStealing].map(|policy| seconds(&work, &cluster, policy));
    assert!(ours < 105.0, "{ours} s, where 91 s are needed, and others take {others:?} s");
    assert!(others.iter().all(|other| ours < 0.8 * other), "{ours} s beside {others:?} s");
}

#[test]
fn every_shape_ends_under_every_policy_and_no_sooner_than_it_can() {
    let cluster = cluster(8, 4);
    for name in generate::NAMES.iter().filter(|name| **name != "mapreduce") {
        let work = Arc::new(generate::generate(name, 7).expect("a known name"));
        let bound = work.critical_path().0.max((work.slot_micros() / 32.0) as u64);
        let mut runs = vec![compare::ours(&work, &cluster, Estimates::Exact, 1, None)];
        runs.extend(Policy::ALL.iter().map(|policy| compare::reference(&work, &cluster, Estimates::Exact, *policy, 1)));
        // Durations are whole microseconds here and there.
        let slack = work.tasks.len() as u64;
        assert!(runs.iter().all(|run| run.makespan.0 + slack >= bound), "{name}: {runs:?} against {bound}");
        assert!(
            runs.iter()
                .all(|run| run.counts.busy.0 as f64 * 1.01 >= work.tasks.iter().map(|task| task.duration.0).sum::<u64>() as f64),
            "{name}"
        );
    }
}
