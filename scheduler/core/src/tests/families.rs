//! Siblings wait for the worker of their family, and no longer than it can go on with it.

use super::world::{World, plan};
use crate::StateName;
use wasm_tasks_protocol::ids::{Attempt, TaskIndex, WorkerId};
use wasm_tasks_protocol::time::Duration;

/// Two sums of so many tasks each: the first of a row is a multiple of `len` plus one.
fn rows(len: u32) -> (Vec<Vec<u32>>, Vec<u32>) {
    let row = |first: u32| (0..len).map(|_| Vec::new()).chain([(first..first + len).collect::<Vec<u32>>()]);
    (row(0).chain(row(len + 1)).collect(), vec![len, 2 * len + 1])
}

fn submit_rows(world: &mut World, len: u32) -> String {
    let (edges, outputs) = rows(len);
    let lists: Vec<&[u32]> = edges.iter().map(Vec::as_slice).collect();
    world.submit(plan(&lists, &outputs))
}

#[test]
fn others_begin_another_family() {
    let mut world = World::new(&[1, 1]);
    world.run = Duration(1_000);
    let placed = submit_rows(&mut world, 8);
    assert_eq!(placed, "0 -> w1; 9 -> w2; 10 -> w2; 1 -> w1", "of unknown length two go to each slot");
    // A task takes a millisecond, so some are sent ahead: each worker goes on with its own row, although the first row is not
    // all begun.
    assert_eq!(world.finish(2, 9, 100), "2 -> w1; 3 -> w1; 11 -> w2; 12 -> w2; 13 -> w2");
    let mut ran = vec![0; 18];
    while let Some((worker, task)) = next(&world) {
        ran[task as usize] = worker;
        let _ = world.finish(worker, task, 100);
    }
    assert!((0..8).all(|task| ran[task] <= 1) && (9..17).all(|task| ran[task] != 1), "{ran:?}");
}

/// Of the attempts that run next, the one that is the first in its row: its worker and its task.
fn next(world: &World) -> Option<(u64, u32)> {
    let running = |(worker, list): (&WorkerId, &Vec<(TaskIndex, Attempt)>)| list.first().map(|(task, _)| (worker.0, task.0));
    world.assigned.iter().filter_map(running).min_by_key(|(_, task)| task % 9)
}

#[test]
fn who_idles_takes_half_of_what_another_keeps() {
    let mut world = World::new(&[1]);
    world.run = Duration(1_000);
    submit_rows(&mut world, 8);
    let _ = world.finish(1, 0, 100);
    world.join(2, 1);
    let placed = world.settle();
    assert_eq!(placed, "9 -> w2; 10 -> w2; 11 -> w2; 12 -> w2", "nobody began the second row");
    world.join(3, 1);
    let placed = world.settle();
    let taken: Vec<&str> = placed.split("; ").collect();
    assert!(taken.len() >= 2 && taken.iter().all(|task| task.ends_with(" -> w3")), "half of what one of them keeps: {placed}");
}

#[test]
fn what_was_kept_goes_elsewhere_when_its_worker_is_lost() {
    let mut world = World::new(&[1, 1]);
    world.run = Duration(1_000);
    submit_rows(&mut world, 8);
    let _ = world.finish(2, 9, 100);
    let _ = world.finish(1, 0, 100);
    let _ = world.lose(1);
    while let Some((worker, task)) = next(&world) {
        let _ = world.finish(worker, task, 100);
    }
    assert_eq!([8, 17].map(|sum| world.state(sum)), [StateName::Done; 2], "the other worker did both rows");
}

#[test]
fn a_worker_that_was_given_a_sibling_keeps_it() {
    let mut world = World::new(&[1, 1]);
    world.run = Duration(1_000);
    submit_rows(&mut world, 8);
    let _ = world.finish(2, 9, 100);
    let kept: u64 = world.core.queues.kept;
    (3..23).for_each(|worker| world.join(worker, 1));
    let placed = world.settle();
    let taken: Vec<u64> = (3..23).filter(|worker| !world.assigned_at(*worker).is_empty()).collect();
    assert!(kept < 20 && taken == (3..3 + taken.len() as u64).collect::<Vec<_>>(), "of {kept}: {placed}");
}
