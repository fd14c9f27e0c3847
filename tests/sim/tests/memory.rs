//! Placement does not take more memory than workers have.

use std::sync::Arc;
use wasm_tasks_protocol::Time;
use wasm_tasks_protocol::ids::{GraphId, TaskIndex};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_sim::core_shell::CoreShell;
use wasm_tasks_sim::faults::Fault;
use wasm_tasks_sim::scheduler::{Offer, Scheduler};
use wasm_tasks_sim::store::Room;
use wasm_tasks_sim::work::{Work, WorkTask};
use wasm_tasks_sim::world::{World, WorldSettings};

const MIB: u64 = 1 << 20;

/// Tasks that take much and give little, or as much, and one of their function that is first.
fn heavy(count: u32, peak: u64, bytes: u64) -> Work {
    let mut tasks = Vec::new();
    for position in 0..count {
        let mut task = WorkTask::new(0.5, 0.5, bytes);
        task.peak = peak;
        if position > 0 {
            task.needs = vec![(TaskIndex(0), 0)];
        }
        tasks.push(task);
    }
    for producer in 1..count {
        let mut task = WorkTask::new(0.2, 0.2, 1_000);
        task.function = 1;
        task.needs = vec![(TaskIndex(producer), 0)];
        tasks.push(task);
    }
    Work::new("heavy".to_owned(), tasks, None, 1).expect("no circle")
}

/// The most that any worker took, and how long it took.
fn run(work: Work, offer: &Offer, workers: u32) -> (u64, Time) {
    let mut world: World<CoreShell, Fault> = World::new(WorldSettings::default(), CoreShell::new(1), 7);
    for _ in 0..workers {
        world.join(offer, 1.0);
    }
    world.submit(Time(0), GraphId([1; 16]), Arc::new(work));
    while world.graphs.is_empty() || !world.scheduler.is_finished() {
        assert!(world.step().is_some(), "nothing happens any more and the graph has not ended");
    }
    (world.workers.values().map(|worker| worker.peak_memory_bytes).max().unwrap_or(0), world.now)
}

#[test]
fn tasks_that_take_much_do_not_run_beside_each_other_where_they_do_not_fit() {
    for workers in [1, 3] {
        for (peak, bytes) in [(400, 1), (220, 1), (220, 220), (700, 50)] {
            // Results go to disk at 60 %, as they do by default.
            let room = Room { spill_above: 614 * MIB, memory_max: u64::MAX, disk_rate: 1 << 30 };
            let offer = Offer { memory_bytes: 1_024 * MIB, room, ..Offer::of_slots(4, Duration(200)) };
            let (most, _) = run(heavy(60, peak * MIB, bytes * MIB), &offer, workers);
            assert!(most <= 1_024 * MIB, "{workers} workers, {peak} and {bytes} MiB: {} MiB at once", most / MIB);
        }
    }
}

#[test]
fn a_task_that_needs_more_than_there_is_runs_when_nothing_else_does() {
    let offer = Offer { memory_bytes: 256 * MIB, ..Offer::of_slots(4, Duration(200)) };
    let (most, _) = run(heavy(6, 400 * MIB, MIB), &offer, 1);
    assert!(most < 500 * MIB, "{} MiB at once", most / MIB);
}

#[test]
fn memory_that_is_there_is_used() {
    let offer = Offer { memory_bytes: 4_096 * MIB, ..Offer::of_slots(4, Duration(200)) };
    let (_, with_little) = run(heavy(60, 400 * MIB, MIB), &offer, 1);
    let (_, with_much) = run(heavy(60, 400 * MIB, MIB), &Offer { memory_bytes: 1 << 40, ..offer }, 1);
    assert!(with_little.0 * 100 <= with_much.0 * 101, "{with_little:?} with 4 GiB, {with_much:?} with 1 TiB");
}
