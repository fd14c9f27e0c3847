//! Work conservation: no ready task waits for a busy slot while a free one is nearer than that slot's end.

use super::world::{World, plan_of};
use crate::{Expected, GraphPlan};
use wasm_tasks_protocol::graph::Settings;
use wasm_tasks_protocol::time::Duration;

const WORKERS: u64 = 8;
const SLOTS: u64 = 4;

/// A task, `width` tasks that need its result, and one that needs theirs. Every level is a function of its own.
fn fork_join(width: u32) -> GraphPlan {
    let branches: Vec<u32> = (1..=width).collect();
    let mut tasks: Vec<(&[u32], u32, u32)> = vec![(&[], 0, 0)];
    tasks.extend(branches.iter().map(|_| (&[0u32][..], 1, 0)));
    tasks.push((&branches, 2, 0));
    plan_of(&tasks, &[width + 1], &[Settings::default()])
}

/// How many branches of a fork run at once after its first task made so many bytes.
fn running(width: u32, bytes: u64, length: Option<Duration>, result_bytes: Option<u64>) -> u64 {
    let mut world = World::new(&[SLOTS; WORKERS as usize]);
    world.run = Duration::from_millis(20);
    let mut plan = fork_join(width);
    if let Some(length) = length {
        let expected = |task: usize| Expected {
            run_us: if task == 0 { 20_000 } else { length.0 },
            result_bytes: if task == 0 { bytes } else { result_bytes.unwrap_or(Expected::NOT_SAID) },
        };
        plan.expected = (0..width as usize + 2).map(expected).collect();
    }
    world.submit(plan);
    world.finish(1, 0, bytes);
    // The last task may be sent ahead, behind the branches.
    let branches = |worker: u64| world.assigned_at(worker).into_iter().filter(|task| *task <= width).count() as u64;
    (1..=WORKERS).map(|worker| SLOTS.min(branches(worker))).sum()
}

#[test]
fn a_fork_uses_every_slot_that_is_nearer_than_the_end_of_a_task() {
    let mut wrong = Vec::new();
    let lengths =
        [None, Some(Duration::from_millis(100)), Some(Duration::from_millis(1_000)), Some(Duration::from_millis(3_600_000))];
    // Around each threshold of bytes on the way; all of them move in less than a tenth of the shortest task.
    for bytes in [1, 17, 4 << 10, (64 << 10) - 1, 64 << 10, (64 << 10) + 1, 100 << 10] {
        for width in [2, 3, 5, 8, 12, 15, 16, 17, 32, 33, 64, 65, 100] {
            for length in lengths {
                for result_bytes in [None, Some(8), Some(100 << 10)] {
                    let count = running(width, bytes, length, result_bytes);
                    if count != u64::from(width).min(WORKERS * SLOTS) {
                        wrong.push(format!("{count} of {width} after {bytes} bytes, {length:?}, making {result_bytes:?}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong: {:#?}", wrong.len(), &wrong[..wrong.len().min(20)]);
}
