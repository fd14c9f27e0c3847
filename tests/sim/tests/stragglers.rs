//! A worker that becomes slow holds a graph up for as long as it takes, or only until somebody else does its work.

use std::sync::Arc;
use wasm_tasks_protocol::Time;
use wasm_tasks_protocol::ids::{GraphId, WorkerId};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_sim::core_shell::CoreShell;
use wasm_tasks_sim::network::NetModel;
use wasm_tasks_sim::scheduler::{Offer, Scheduler};
use wasm_tasks_sim::work::{Work, WorkTask};
use wasm_tasks_sim::world::{World, WorldSettings};

const WORKERS: u64 = 8;

/// What it took, what the scheduler's core counted, and how long slots were busy.
struct Run {
    makespan: Duration,
    copies: u64,
    copies_won: u64,
    busy: Duration,
}

/// 64 tasks of a second each on eight workers of two slots; one of these is 20 times slower from `slow_from` on.
fn run(speculate: bool, slow_from: Time) -> Run {
    let task = |_| {
        let mut task = WorkTask::new(1.0, 1.0, 1_000);
        task.settings.speculate = speculate;
        task
    };
    let work = Work::new("equal tasks".to_owned(), (0..64).map(task).collect(), None, 1).expect("no circle");
    let settings = WorldSettings { model: NetModel::MaxMin, is_checked: true, ..WorldSettings::default() };
    let mut world: World<CoreShell, ()> = World::new(settings, CoreShell::new(1), 1);
    let offer = Offer::of_slots(2, Duration(1_000));
    for _ in 0..WORKERS {
        world.join(&offer, 1.0);
    }
    world.submit(Time(0), GraphId([1; 16]), Arc::new(work));
    let slow: WorkerId = *world.workers.keys().next().expect("workers joined");
    while world.graphs.is_empty() || !world.scheduler.is_finished() {
        assert!(world.step().is_some(), "nothing happens any more and the graph has not ended");
        if world.now >= slow_from
            && let Some(process) = world.workers.get_mut(&slow)
        {
            process.speed = 0.05;
        }
    }
    let makespan = world.now.since(Time(0));
    let counters = world.scheduler.core.counters().clone();
    let busy = world.close().busy;
    Run { makespan, copies: counters.copies, copies_won: counters.copies_won, busy }
}

#[test]
fn second_attempts_shorten_what_a_slow_worker_prolongs() {
    let slow_from = Time(2_500_000);
    let (with, without) = (run(true, slow_from), run(false, slow_from));
    assert_eq!(without.copies, 0);
    assert!(with.copies_won > 0);
    assert!(3 * with.makespan.0 < without.makespan.0, "{:?} against {:?}", with.makespan, without.makespan);
    assert!(with.busy < without.busy, "the slow worker is freed: {:?} against {:?}", with.busy, without.busy);
}

#[test]
fn nothing_is_run_twice_where_nobody_is_slow() {
    let never = Time(u64::MAX);
    let (with, without) = (run(true, never), run(false, never));
    assert_eq!((with.copies, with.makespan), (0, without.makespan));
}
