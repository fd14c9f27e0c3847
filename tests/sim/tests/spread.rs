//! One result that many workers need: how long it takes until all have it, and what stays of it.

use std::sync::Arc;
use wasm_tasks_protocol::Time;
use wasm_tasks_protocol::ids::{GraphId, TaskIndex};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_sim::core_shell::CoreShell;
use wasm_tasks_sim::network::NetModel;
use wasm_tasks_sim::reference::Estimates;
use wasm_tasks_sim::scheduler::{Offer, Scheduler};
use wasm_tasks_sim::work::{Work, WorkTask};
use wasm_tasks_sim::world::{World, WorldSettings};

const MIB: u64 = 1 << 20;
const WORKERS: u32 = 32;

/// What a run took.
struct Run {
    seconds: f64,
    moved_mib: u64,
    dropped: u64,
}

/// One task makes a result of 100 MiB in 0.1 s; `tasks` of so many seconds need it, on 32 workers of one slot with links of
/// 100 MiB/s, shared fairly.
fn broadcast(seconds: f64, tasks: u32) -> Run {
    let mut all = vec![WorkTask::new(0.1, 0.1, 100 * MIB)];
    for _ in 0..tasks {
        let mut task = WorkTask::new(seconds, seconds, 1_000);
        (task.function, task.needs) = (1, vec![(TaskIndex(0), 0)]);
        all.push(task);
    }
    let outputs = Some((0..=tasks).map(TaskIndex).collect());
    let work = Work::new("broadcast".to_owned(), all, outputs, 1).expect("no circle");
    let settings = WorldSettings { model: NetModel::MaxMin, bandwidth: 100 * MIB, is_checked: true, ..WorldSettings::default() };
    let mut shell = CoreShell::new(1);
    shell.estimates = Some(Estimates::Exact);
    let mut world: World<CoreShell, ()> = World::new(settings, shell, 1);
    for _ in 0..WORKERS {
        world.join(&Offer::of_slots(1, Duration(1_000)), 1.0);
    }
    world.submit(Time(0), GraphId([1; 16]), Arc::new(work));
    let mut seconds = 0.0;
    while world.step().is_some() {
        if world.graphs.is_empty() || !world.scheduler.is_finished() {
            seconds = world.now.since(Time(0)).as_secs_f64();
        }
    }
    let dropped = world.scheduler.core.counters().copies_dropped;
    Run { seconds, moved_mib: world.close().bytes_moved / MIB, dropped }
}

#[test]
fn a_result_reaches_many_workers_in_the_time_of_a_few_transfers() {
    // A transfer takes 1 s; from one holder 31 would take 31 s. With two at a time there are three times as many holders
    // after 2 s, so 32 after 8 s at most.
    let run = broadcast(20.0, WORKERS);
    assert_eq!(run.moved_mib, 100 * u64::from(WORKERS - 1), "every worker gets it once");
    assert!(run.seconds < 0.1 + 8.5 + 20.0, "{} s", run.seconds);
}

#[test]
fn copies_go_when_nobody_needs_them_any_more() {
    let run = broadcast(20.0, WORKERS);
    assert_eq!(run.dropped, u64::from(WORKERS - 1), "the result is an output: one copy stays");
}
