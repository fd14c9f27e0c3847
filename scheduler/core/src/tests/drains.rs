use super::world::{GRAPH, World, plan};
use crate::Event;
use wasm_tasks_protocol::ids::{TaskIndex, WorkerId};
use wasm_tasks_protocol::time::{Duration, Time};

fn drain(world: &mut World, worker: u64, within: Option<u64>, gives_up: bool) -> String {
    world.event(Event::DrainWorker { worker: WorkerId(worker), within: within.map(Duration::from_millis), gives_up })
}

fn added(world: &mut World, worker: u64, tasks: &[u32]) -> String {
    let tasks = tasks.iter().copied().map(TaskIndex).collect();
    world.event(Event::ReplicasAdded { worker: WorkerId(worker), graph: GRAPH, tasks })
}

fn missing(world: &mut World, worker: u64, tasks: &[u32]) -> String {
    let tasks = tasks.iter().copied().map(TaskIndex).collect();
    world.event(Event::ReplicasMissing { worker: WorkerId(worker), graph: GRAPH, tasks })
}

/// Two results at worker 1, needed by a third task that waits for a fourth, and nobody else.
fn two_results(world: &mut World) {
    world.submit(plan(&[&[], &[], &[0, 1, 3], &[]], &[2]));
    for task in [0, 1] {
        world.finish(1, task, 1_000);
    }
}

#[test]
fn what_only_it_has_is_moved_and_then_it_may_go() {
    let mut world = World::new(&[3]);
    two_results(&mut world);
    world.join(2, 1);
    assert_eq!(drain(&mut world, 1, None, false), "drain w1; w2 fetches 0 from 1; w2 fetches 1 from 1");
    assert_eq!(added(&mut world, 2, &[0]), "");
    // What runs there finishes, and its result is moved too.
    assert_eq!(added(&mut world, 2, &[1]), "");
    assert_eq!(world.core.drain_state(WorkerId(1)).map(|state| (state.attempts, state.unmoved)), Some((2, 0)));
    let attempt = world.take(1, 2);
    let back = Event::Retracted { worker: WorkerId(1), asked: vec![attempt], returned: vec![attempt] };
    assert_eq!(world.event(back), "");
    assert_eq!(world.finish(1, 3, 1_000), "2 -> w2 (0 at 2, 1 at 2, 3 at 1); w2 fetches 3 from 1");
    assert_eq!(added(&mut world, 2, &[3]), "w1 may go: moved 3, left 0, stopped 0");
    assert_eq!(world.lose(1), "");
    assert_eq!(world.core.counters().recomputed, 0);
    assert!(world.finish(2, 2, 1).ends_with("finished 4/4 failed 0+0"));
}

#[test]
fn small_results_and_copies_hold_nobody_back() {
    let mut world = World::new(&[1]);
    world.submit(plan(&[&[]], &[0]));
    world.finish(1, 0, 8);
    assert_eq!(drain(&mut world, 1, None, false), "drain w1; w1 may go: moved 0, left 0, stopped 0");
}

#[test]
fn with_nobody_to_take_results_it_waits_for_somebody() {
    let mut world = World::new(&[3]);
    two_results(&mut world);
    assert_eq!(drain(&mut world, 1, None, false), "drain w1");
    assert!(world.core.drain_state(WorkerId(1)).is_some_and(|state| state.is_stuck && state.unmoved == 2));
    world.join(2, 1);
    assert_eq!(world.settle(), "w2 fetches 0 from 1; w2 fetches 1 from 1");
}

#[test]
fn results_are_left_at_the_end_of_the_time_or_when_asked() {
    let mut world = World::new(&[1]);
    world.submit(plan(&[&[], &[0]], &[0, 1]));
    world.finish(1, 0, 1_000);
    drain(&mut world, 1, Some(100), false);
    assert_eq!(world.core.next_timeout().map(|(at, _)| at), Some(Time(100_000)));
    world.now = Time(100_000);
    let late = "cancel 1 at w1; w1 may go: moved 0, left 1, stopped 1, late";
    assert_eq!(world.event(Event::Tick), late);
    world.join(2, 1);
    assert_eq!(world.lose(1), "0 -> w2");

    let mut world = World::new(&[1]);
    world.submit(plan(&[&[]], &[0]));
    world.finish(1, 0, 1_000);
    assert_eq!(drain(&mut world, 1, None, false), "drain w1");
    assert_eq!(drain(&mut world, 1, None, true), "w1 may go: moved 0, left 1, stopped 0");
}

#[test]
fn receivers_that_die_leave_or_fail_are_replaced() {
    let mut world = World::new(&[2]);
    world.submit(plan(&[&[], &[]], &[0, 1]));
    world.finish(1, 0, 1_000);
    world.finish(1, 1, 1_000);
    world.join(2, 1);
    assert_eq!(drain(&mut world, 1, None, false), "drain w1; w2 fetches 0 from 1; w2 fetches 1 from 1");
    world.join(3, 1);
    assert_eq!(world.lose(2), "w3 fetches 0 from 1; w3 fetches 1 from 1");
    assert_eq!(added(&mut world, 3, &[0]), "");
    world.join(4, 1);
    // Worker 3 leaves too: what it took moves on, and what it was to take goes elsewhere at once.
    assert_eq!(drain(&mut world, 3, None, false), "drain w3; w4 fetches 0 from 1+3; w4 fetches 1 from 1");
    assert_eq!(missing(&mut world, 4, &[1]), "w4 fetches 1 from 1");
    assert_eq!(added(&mut world, 4, &[0, 1]), "w1 may go: moved 3, left 0, stopped 0; w3 may go: moved 1, left 0, stopped 0");
}

#[test]
fn a_result_that_nobody_gets_is_left() {
    let mut world = World::new(&[1]);
    world.submit(plan(&[&[]], &[0]));
    world.finish(1, 0, 1_000);
    world.join(2, 1);
    assert_eq!(drain(&mut world, 1, None, false), "drain w1; w2 fetches 0 from 1");
    for _ in 0..3 {
        assert_eq!(missing(&mut world, 2, &[0]), "w2 fetches 0 from 1");
    }
    assert_eq!(missing(&mut world, 2, &[0]), "w1 may go: moved 0, left 1, stopped 0");
    assert_eq!(missing(&mut world, 2, &[0]), "", "nobody asked it any more");
}

#[test]
fn graphs_that_go_hold_nobody_back() {
    let mut world = World::new(&[1]);
    world.submit(plan(&[&[]], &[0]));
    world.finish(1, 0, 1_000);
    drain(&mut world, 1, None, false);
    let text = world.event(Event::GraphReleased(GRAPH));
    assert_eq!(text, "forgotten at 1 workers; w1 may go: moved 0, left 0, stopped 0");
}
