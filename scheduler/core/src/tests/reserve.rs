//! Requests of different shapes beside each other: who waits for whom, and who fills gaps.

use super::world::{GRAPH, World, plan, plan_of};
use crate::Event;
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::graph::Settings;
use wasm_tasks_protocol::ids::{GraphId, TaskIndex};
use wasm_tasks_protocol::time::{Duration, Time};

const SECOND: u64 = 1_000_000;

fn slots(milli: u64, priority: i32) -> Settings {
    Settings { slots_milli: milli, priority, ..Settings::default() }
}

/// Runs one task of each function, so that all lengths are known.
fn teach(world: &mut World, lengths: &[u64]) {
    for (function, length) in (0..).zip(lengths) {
        world.learn(function, Duration(*length));
    }
}

#[test]
fn a_wide_task_gets_its_slots_although_small_ones_keep_coming() {
    let mut world = World::new(&[4]);
    world.run = Duration(10 * SECOND);
    let settings = [slots(1_000, 0), slots(4_000, 5)];
    // Twenty small tasks first; then a wide one that is more urgent.
    let tasks: Vec<(&[u32], u32, u32)> = vec![(&[], 0, 0); 20];
    let first = world.submit(plan_of(&tasks, &(0..20).collect::<Vec<_>>(), &settings));
    assert!(first.starts_with("0 -> w1; 1 -> w1; 2 -> w1; 3 -> w1"), "{first}");
    let wide = GraphId([2; 16]);
    world.name_graph(wide, "wide-");
    let placed = world.event(Event::GraphSubmitted { graph: wide, plan: plan_of(&[(&[], 1, 1)], &[0], &settings) });
    assert_eq!(placed, "", "all slots are taken");
    world.now = Time(SECOND);
    let mut text = String::new();
    for task in 0..world.assigned_at(1).len() as u32 {
        assert_eq!(text, "", "nothing less urgent goes before it");
        text = world.finish(1, task, 8).replace(&format!("output {task} ready"), "").replace("; ", "");
    }
    assert!(text.starts_with("wide-0 -> w1"), "{text}");
}

#[test]
fn only_what_ends_before_fills_the_gap() {
    let mut world = World::new(&[4]);
    teach(&mut world, &[10 * SECOND, SECOND, 100 * SECOND]);
    // Three slots run for ten seconds; the wide task waits for all four of them.
    let settings = [slots(1_000, 9), slots(4_000, 5), slots(1_000, 0)];
    let tasks: Vec<(&[u32], u32, u32)> = vec![
        (&[], 0, 0),
        (&[], 0, 0),
        (&[], 0, 0),
        (&[], 0, 1), // wide
        (&[], 2, 2), // long, less urgent
        (&[], 3, 2), // of a function of which nothing is known
    ];
    let placed = world.submit(plan_of(&tasks, &(0..6).collect::<Vec<_>>(), &settings));
    assert_eq!(placed, "0 -> w1; 1 -> w1; 2 -> w1", "neither the long one nor the unknown one goes before the wide one");
    assert_eq!(world.reserved(), ["3 at w1 from 10.0 s"]);
    // One that ends before does, and the wide task is not later for it.
    let graph = GraphId([2; 16]);
    world.name_graph(graph, "short-");
    let placed = world.event(Event::GraphSubmitted { graph, plan: plan_of(&[(&[], 1, 0)], &[0], &[slots(1_000, 1)]) });
    assert_eq!(placed, "short-0 -> w1");
    assert_eq!(world.reserved(), ["3 at w1 from 10.0 s"]);
    // Nine and a half seconds later it would end too late.
    world.finish(1, 0, 8);
    world.now = Time(9 * SECOND + SECOND / 2);
    let graph = GraphId([3; 16]);
    world.name_graph(graph, "late-");
    let placed = world.event(Event::GraphSubmitted { graph, plan: plan_of(&[(&[], 1, 0)], &[0], &[slots(1_000, 1)]) });
    assert_eq!(placed, "");
}

#[test]
fn what_is_left_beside_a_reservation_is_used() {
    let mut world = World::new(&[4]);
    teach(&mut world, &[10 * SECOND, 100 * SECOND]);
    let settings = [slots(3_000, 9), slots(2_000, 5), slots(1_000, 0)];
    // Three slots run, two are wanted: when the three end, two of the four are spare, of which one is free now.
    let tasks: Vec<(&[u32], u32, u32)> = vec![(&[], 0, 0), (&[], 0, 1), (&[], 1, 2), (&[], 1, 2), (&[], 1, 2)];
    let placed = world.submit(plan_of(&tasks, &(0..5).collect::<Vec<_>>(), &settings));
    assert_eq!(placed, "0 -> w1; 2 -> w1");
    assert_eq!(world.reserved(), ["1 at w1 from 10.0 s"]);
    assert_eq!(world.finish(1, 0, 8), "output 0 ready; 1 -> w1; 3 -> w1");
    assert_eq!(world.reserved(), [""; 0]);
}

#[test]
fn halves_do_not_starve_a_whole() {
    let mut world = World::new(&[1]);
    world.run = Duration(10 * SECOND);
    let settings = [slots(500, 0), slots(1_000, 5)];
    let tasks: Vec<(&[u32], u32, u32)> = vec![(&[], 0, 0); 9];
    let placed = world.submit(plan_of(&tasks, &(0..9).collect::<Vec<_>>(), &settings));
    assert_eq!(placed, "0 -> w1; 1 -> w1", "two halves to a slot");
    assert_eq!(world.finish(1, 0, 8), "output 0 ready; 2 -> w1");
    let graph = GraphId([2; 16]);
    world.name_graph(graph, "whole-");
    let placed = world.event(Event::GraphSubmitted { graph, plan: plan_of(&[(&[], 1, 1)], &[0], &settings) });
    assert_eq!(placed, "");
    world.now = Time(SECOND);
    assert_eq!(world.finish(1, 1, 8), "output 1 ready");
    let text = world.finish(1, 2, 8);
    assert!(text.starts_with("output 2 ready; whole-0 -> w1"), "{text}");
}

#[test]
fn shapes_do_not_wait_behind_each_other() {
    let mut world = World::new(&[2, 4]);
    teach(&mut world, &[SECOND]);
    let settings = [slots(4_000, 5), slots(1_000, 0)];
    let tasks: Vec<(&[u32], u32, u32)> = vec![(&[], 0, 0), (&[], 0, 0), (&[], 0, 1), (&[], 0, 1)];
    let placed = world.submit(plan_of(&tasks, &[0, 1, 2, 3], &settings));
    assert_eq!(placed, "0 -> w2; 2 -> w1; 3 -> w1", "the second wide task waits for the only worker that can run it");
    assert_eq!(world.reserved(), ["1 at w2 from 1.0 s"]);
}

#[test]
fn a_task_that_must_run_alone_does_not_stop_the_others() {
    let mut world = World::new(&[2, 2]);
    world.run = Duration(10 * SECOND);
    let edges: Vec<&[u32]> = vec![&[]; 12];
    world.submit(plan(&edges, &(0..12).collect::<Vec<_>>()));
    let suspects = world.assigned_at(1);
    world.lose(1);
    let held = world.reserved();
    assert_eq!(held.len(), 1, "one worker is left, and is held for the first of those whose worker died: {held:?}");
    assert!(held[0].starts_with(&format!("{} at w2", suspects[0])), "{held:?}");
    world.join(3, 2);
    let placed = world.settle();
    assert!(placed.starts_with(&format!("{} -> w3", suspects[0])), "an empty worker takes it at once: {placed}");
    assert_eq!(world.assigned_at(3), [suspects[0]], "alone");
    world.now = Time(SECOND);
    let rest = world.assigned_at(2);
    let last = rest.iter().map(|task| world.finish(2, *task, 8)).last().expect("it had tasks");
    assert!(last.contains(&format!("{} -> w2", suspects[1])), "the next one gets its worker: {last}");
    // With no suspects left, the others go on.
    let placed = world.finish(3, suspects[0], 8);
    assert!(placed.contains("-> w3"), "{placed}");
}

#[test]
fn reservations_go_with_their_task_and_their_worker() {
    let mut world = World::new(&[4, 4]);
    teach(&mut world, &[10 * SECOND]);
    let settings = [slots(1_000, 0), slots(4_000, 5)];
    let tasks: Vec<(&[u32], u32, u32)> = vec![(&[], 0, 0); 40];
    world.submit(plan_of(&tasks, &(0..40).collect::<Vec<_>>(), &settings));
    let wide = GraphId([2; 16]);
    world.name_graph(wide, "wide-");
    world.event(Event::GraphSubmitted { graph: wide, plan: plan_of(&[(&[], 0, 1), (&[], 0, 1)], &[0, 1], &settings) });
    assert_eq!(world.reserved().len(), 2);
    world.now = Time(SECOND);
    world.lose(1);
    assert_eq!(world.reserved(), ["wide-0 at w2 from 9.0 s"], "one worker, one reservation");
    world.event(Event::WorkerLeaving(wasm_tasks_protocol::ids::WorkerId(2)));
    assert_eq!(world.reserved(), [""; 0]);
    world.join(3, 4);
    assert_eq!(world.settle(), "wide-0 -> w3", "an empty worker is used at once");
    assert!(world.reserved()[0].starts_with("wide-1 at w3"), "{:?}", world.reserved());
    world.event(Event::GraphCancelled(wide));
    assert!(world.reserved().iter().all(|text| !text.starts_with("wide")), "{:?}", world.reserved());
    world.event(Event::GraphReleased(GRAPH));
    world.event(Event::GraphReleased(wide));
}

#[test]
fn a_task_that_fails_while_another_waits_for_its_slot_makes_room() {
    let mut world = World::new(&[2]);
    teach(&mut world, &[10 * SECOND]);
    let settings = [slots(1_000, 0), slots(2_000, 5)];
    let tasks: Vec<(&[u32], u32, u32)> = vec![(&[], 0, 0), (&[], 0, 0), (&[], 0, 0)];
    world.submit(plan_of(&tasks, &[0, 1, 2], &settings));
    let graph = GraphId([2; 16]);
    world.name_graph(graph, "wide-");
    world.event(Event::GraphSubmitted { graph, plan: plan_of(&[(&[], 0, 1)], &[0], &settings) });
    world.now = Time(SECOND);
    let running: Vec<TaskIndex> = world.assigned_at(1).into_iter().map(TaskIndex).collect();
    let mut last = String::new();
    for task in running {
        last = world.fail(1, task.0, ErrorCode::Trap);
    }
    assert!(last.ends_with("wide-0 -> w1"), "{last}");
}
