//! Alternatives, preferences, and workers that leave.

use super::world::{GRAPH, World, plan_of};
use crate::{Event, TaskId};
use wasm_tasks_protocol::graph::{Alternative, LabelRule, Options, Resource, Settings};
use wasm_tasks_protocol::ids::{TaskIndex, WorkerId};
use wasm_tasks_protocol::time::{Duration, Time};

const SECOND: u64 = 1_000_000;

fn pool(name: &str, milli: u64) -> Resource {
    Resource { name: name.to_owned(), milli }
}

fn rules(rules: &[&str]) -> Option<Vec<LabelRule>> {
    Some(rules.iter().map(|rule| LabelRule::parse(rule).expect("a rule")).collect())
}

fn settings(options: Options) -> Settings {
    Settings::merge([Some(&options), None, None])
}

/// One GPU, or four slots.
fn gpu_or_four() -> Settings {
    let gpu = Alternative { pools: Some(vec![pool("gpu", 1_000)]), ..Alternative::default() };
    let four = Alternative { slots_milli: Some(4_000), ..Alternative::default() };
    settings(Options { any_of: Some(vec![gpu, four]), ..Options::default() })
}

fn id(world: &World, task: u32) -> TaskId {
    TaskId { graph: world.core.graph_index(GRAPH).expect("submitted"), task: TaskIndex(task) }
}

const ONE: (&[u32], u32, u32) = (&[], 0, 0);

#[test]
fn the_first_alternative_with_room_is_taken() {
    let mut world = World::new(&[]);
    world.join_with(1, 4, &[], &[pool("gpu", 1_000)], None);
    world.join_with(2, 4, &[], &[], None);
    let placed = world.submit(plan_of(&[ONE; 4], &[0, 1, 2, 3], &[gpu_or_four()]));
    assert_eq!(placed, "0 -> w1; 1 -> w2 way 1", "the GPU first, then four slots; nobody has room for more");
    world.now = Time(SECOND);
    assert_eq!(world.finish(1, 0, 8), "output 0 ready; 2 -> w1");
    assert_eq!(world.finish(2, 1, 8), "output 1 ready; 3 -> w2 way 1");
    world.lose(2);
    assert_eq!(world.core.worker(world.core.worker_ids[&WorkerId(1)]).used().slots_milli, 1_000, "what a way takes goes with it");
}

#[test]
fn an_alternative_adds_to_the_options_beside_it() {
    let small = Alternative { memory_bytes: Some(1 << 20), labels: rules(&["zone=z2"]), ..Alternative::default() };
    let merged = settings(Options {
        any_of: Some(vec![Alternative::default(), small]),
        labels: rules(&["os=linux"]),
        slots_milli: Some(2_000),
        pools: Some(vec![pool("licence", 1_000)]),
        ..Options::default()
    });
    let ways: Vec<Settings> = merged.ways().collect();
    assert_eq!(ways.len(), 2);
    assert_eq!((ways[0].slots_milli, ways[0].memory_declared, ways[0].fallbacks.len()), (2_000, false, 1));
    assert_eq!((ways[1].slots_milli, ways[1].memory_bytes, ways[1].fallbacks.len()), (2_000, 1 << 20, 0));
    assert_eq!(Some(ways[1].labels.clone()), rules(&["os=linux", "zone=z2"]));
    assert_eq!(ways[1].pools, [pool("licence", 1_000)]);
}

#[test]
fn the_alternative_that_starts_first_is_reserved() {
    let mut world = World::new(&[]);
    world.join_with(1, 4, &[], &[pool("gpu", 1_000)], None);
    world.join_with(2, 4, &[], &[], None);
    world.learn(0, Duration(100 * SECOND));
    world.learn(1, Duration(10 * SECOND));
    let gpu = settings(Options { pools: Some(vec![pool("gpu", 1_000)]), priority: Some(9), ..Options::default() });
    let small = settings(Options { priority: Some(9), ..Options::default() });
    let less = settings(Options { priority: Some(-1), ..Options::default() });
    // The GPU is taken for long; all other slots for a while. Then the one that has a choice, and a less urgent one.
    let mut tasks: Vec<(&[u32], u32, u32)> = vec![(&[], 1, 2); 10];
    tasks[0] = (&[], 0, 1);
    tasks[8] = (&[], 0, 0);
    tasks[9] = (&[], 0, 3);
    let all = [gpu_or_four(), gpu, small, less];
    world.submit(plan_of(&tasks, &(0..10).collect::<Vec<_>>(), &all));
    let held = world.reserved();
    assert_eq!(held.len(), 1, "{held:?}");
    assert!(
        held[0].starts_with("8 at w2") && held[0].ends_with("from 10.0 s"),
        "four slots are free long before the GPU: {held:?}"
    );
    let explained = world.core.explain(id(&world, 8)).expect("known");
    assert_eq!(explained.reserved.map(|(_, wait)| wait), Some(Duration(10 * SECOND)));
    let less_urgent = world.core.explain(id(&world, 9)).expect("known");
    assert!(less_urgent.fits.iter().any(|fit| fit.held_for == Some(id(&world, 8))), "{less_urgent:?}");
}

#[test]
fn explain_says_what_each_alternative_lacks() {
    let mut world = World::new(&[2]);
    assert_eq!(world.submit(plan_of(&[ONE], &[0], &[gpu_or_four()])), "");
    let explained = world.core.explain(id(&world, 0)).expect("known");
    assert!(explained.is_unrunnable);
    assert_eq!(
        explained.fits[0].lacks,
        ["alternative 1: has 0 of `gpu`, 1 are needed", "alternative 2: has 2 slots, 4 are needed"]
    );
    assert_eq!(world.core.unrunnable(id(&world, 0).graph), [id(&world, 0)]);
    world.join(2, 4);
    assert_eq!(world.core.unrunnable(id(&world, 0).graph), []);
    assert_eq!(world.settle(), "0 -> w2 way 1");
}

#[test]
fn preferred_workers_are_taken_while_they_have_room() {
    let mut world = World::new(&[]);
    for (worker, zone, disk) in [(1, "a", "slow"), (2, "b", "fast"), (3, "a", "fast"), (4, "b", "slow")] {
        world.join_with(worker, 1, &[("zone", zone), ("disk", disk)], &[], None);
    }
    world.learn(0, Duration(10 * SECOND));
    let likes = settings(Options { prefer: rules(&["zone in (a, c)", "disk!=slow"]), ..Options::default() });
    let placed = world.submit(plan_of(&[ONE; 5], &[0, 1, 2, 3, 4], &[likes]));
    assert_eq!(placed, "0 -> w3; 1 -> w1; 2 -> w2; 3 -> w4", "both rules, the first, the second, none");
}

#[test]
fn a_task_goes_only_to_workers_that_stay_long_enough() {
    let mut world = World::new(&[]);
    world.join_with(1, 2, &[], &[], Some(Time(60 * SECOND)));
    let asks = |seconds: u64| settings(Options { time_request_ms: Some(seconds * 1_000), ..Options::default() });
    let tasks: [(&[u32], u32, u32); 3] = [(&[], 0, 0), (&[], 0, 0), (&[], 0, 1)];
    let placed = world.submit(plan_of(&tasks, &[0, 1, 2], &[asks(30), asks(90)]));
    assert_eq!(placed, "0 -> w1; 1 -> w1");
    let explained = world.core.explain(id(&world, 2)).expect("known");
    assert!(explained.is_unrunnable);
    assert_eq!(explained.fits[0].lacks, ["leaves in 60.0 s, 90 s are needed"]);
    // Later even the shorter one does not fit.
    world.now = Time(40 * SECOND);
    world.fail(1, 0, wasm_tasks_protocol::ErrorCode::WorkerFault);
    world.now = Time(41 * SECOND);
    assert_eq!(world.event(Event::Tick), "");
    assert_eq!(world.core.explain(id(&world, 0)).expect("known").fits[0].lacks, ["leaves in 19.0 s, 30 s are needed"]);
    world.join(2, 2);
    assert_eq!(world.settle(), "0 -> w2; 2 -> w2");
}

/// Behind hundreds of workers that have room and cannot run them, tasks find the few that can; and one that nobody could run finds who comes.
#[test]
fn the_few_that_can_run_a_task_are_found() {
    let mut world = World::new(&[1; 300]);
    world.join_with(301, 2, &[("disk", "large")], &[], None);
    (302..400).for_each(|worker| world.join(worker, 1));
    world.join_with(400, 2, &[("disk", "large")], &[], None);
    let large = settings(Options { labels: rules(&["disk=large"]), ..Options::default() });
    let half = settings(Options { labels: rules(&["disk=large"]), slots_milli: Some(500), ..Options::default() });
    let tape = settings(Options { labels: rules(&["disk=tape"]), ..Options::default() });
    let tasks: Vec<(&[u32], u32, u32)> = (0..7).map(|task| (&[] as &[u32], 0, [0, 0, 1, 0, 1, 1, 2][task])).collect();
    let placed = world.submit(plan_of(&tasks, &[0, 1, 2, 3, 4, 5, 6], &[large, half, tape]));
    assert_eq!(placed, "0 -> w301; 1 -> w301; 2 -> w400; 3 -> w400; 4 -> w400");
    world.join_with(500, 1, &[("disk", "tape")], &[], None);
    assert_eq!(world.settle(), "6 -> w500");
}
