//! Large results that several workers need at once.

use super::world::{GRAPH, World, plan_of};
use crate::Event;
use wasm_tasks_protocol::graph::{LabelRule, Settings};
use wasm_tasks_protocol::ids::{TaskIndex, WorkerId};

const MIB: u64 = 1 << 20;

/// Task 0 at the first worker makes a large result, which each of the others needs, task `k` at worker `k + 1`.
fn fan(workers: u64, outputs: &[u32]) -> World {
    let mut world = World::new(&vec![1; workers as usize]);
    let at = |worker: u64| {
        let rule = LabelRule::parse(&format!("zone=z{worker}")).expect("a rule");
        Settings { labels: vec![rule], ..Settings::default() }
    };
    let settings: Vec<Settings> = (1..=workers).map(at).collect();
    let tasks: Vec<(&[u32], u32, u32)> =
        (0..workers as u32).map(|task| (if task == 0 { &[] as &[u32] } else { &[0] }, task, task)).collect();
    world.submit(plan_of(&tasks, outputs, &settings));
    world
}

fn added(world: &mut World, worker: u64) -> String {
    world.event(Event::ReplicasAdded { worker: WorkerId(worker), graph: GRAPH, tasks: vec![TaskIndex(0)] })
}

fn missing(world: &mut World, worker: u64) -> String {
    world.event(Event::ReplicasMissing { worker: WorkerId(worker), graph: GRAPH, tasks: vec![TaskIndex(0)] })
}

#[test]
fn whoever_got_a_result_gives_it_on() {
    let mut world = fan(9, &[1, 2, 3, 4, 5, 6, 7, 8]);
    let text = world.finish(1, 0, MIB);
    let waits: Vec<String> = (3..9).map(|task| format!("{task} -> w{} (0 later)", task + 1)).collect();
    assert_eq!(text, format!("1 -> w2 (0 at 1); 2 -> w3 (0 at 1); {}", waits.join("; ")));
    assert_eq!(added(&mut world, 2), "w4 fetches 0 from 2; w5 fetches 0 from 1; w6 fetches 0 from 2");
    assert_eq!(added(&mut world, 3), "w7 fetches 0 from 3; w8 fetches 0 from 1; w9 fetches 0 from 3");
    for worker in 4..=9 {
        assert_eq!(added(&mut world, worker), "");
    }
}

#[test]
fn small_results_are_fetched_at_once() {
    let mut world = fan(9, &[1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(world.finish(1, 0, MIB - 1).matches("(0 at 1)").count(), 8);
}

#[test]
fn who_does_not_need_it_any_more_gets_no_turn() {
    let mut world = fan(6, &[1, 2, 3, 4, 5]);
    world.finish(1, 0, MIB);
    let cancelled = Event::TasksCancelled { graph: GRAPH, tasks: vec![TaskIndex(3)] };
    assert!(world.event(cancelled).starts_with("cancel 3 at w4"));
    // One that was told to ask ends without a word, and leaves its turn to the next.
    let text = world.event(Event::TasksCancelled { graph: GRAPH, tasks: vec![TaskIndex(1)] });
    assert!(text.starts_with("cancel 1 at w2") && text.ends_with("w5 fetches 0 from 1"), "{text}");
    assert_eq!(added(&mut world, 3), "w6 fetches 0 from 3");
}

#[test]
fn an_order_that_fails_is_given_again() {
    let mut world = fan(5, &[1, 2, 3, 4]);
    world.finish(1, 0, MIB);
    assert_eq!(added(&mut world, 2), "w4 fetches 0 from 2; w5 fetches 0 from 1");
    let attempt = world.assigned[&WorkerId(4)][0].1;
    let tried = vec![WorkerId(2)];
    let event = Event::InputMissing { worker: WorkerId(4), attempt, task: TaskIndex(0), tried };
    assert_eq!(world.event(event), "release 0 at w2", "what it cannot give it does not have");
    assert_eq!(missing(&mut world, 4), "", "both turns of the first are taken");
    assert_eq!(added(&mut world, 3), "w4 fetches 0 from 3");
    let stale = world.core.counters().stale_reports;
    assert_eq!(missing(&mut world, 2), "");
    assert_eq!(world.core.counters().stale_reports, stale + 1, "nothing was ordered there");
}

#[test]
fn who_waits_for_a_turn_goes_back_when_the_result_is_lost() {
    let mut world = fan(5, &[1, 2, 3, 4]);
    world.finish(1, 0, MIB);
    let text = world.lose(1);
    assert_eq!(text, "cancel 3 at w4; cancel 4 at w5");
    // Those that were told to ask report that they could not.
    let attempt = world.assigned[&WorkerId(2)][0].1;
    let event = Event::InputMissing { worker: WorkerId(2), attempt, task: TaskIndex(0), tried: vec![WorkerId(1)] };
    assert_eq!(world.event(event), "cancel 1 at w2");
}

/// What waits for an order learns of its failure only if it was there then; so nothing is left waiting for one.
#[test]
fn who_waits_for_an_order_goes_back_when_the_result_is_lost() {
    let mut world = fan(5, &[1, 2, 3, 4]);
    world.finish(1, 0, MIB);
    assert_eq!(added(&mut world, 2), "w4 fetches 0 from 2; w5 fetches 0 from 1");
    assert_eq!(world.lose(1).matches("cancel").count(), 0, "there is another copy");
    let text = world.lose(2);
    assert!(text.contains("cancel 3 at w4") && text.contains("cancel 4 at w5"), "{text}");
    assert_eq!(missing(&mut world, 4), "");
}

#[test]
fn a_holder_that_goes_is_asked_no_more() {
    let mut world = fan(6, &[1, 2, 3, 4, 5]);
    world.finish(1, 0, MIB);
    assert_eq!(added(&mut world, 2), "w4 fetches 0 from 2; w5 fetches 0 from 1; w6 fetches 0 from 2");
    assert!(!world.lose(2).contains("fetches"));
    assert_eq!(missing(&mut world, 4), "", "the first gives it to two");
    assert_eq!(missing(&mut world, 6), "");
    assert_eq!(added(&mut world, 3), "w4 fetches 0 from 3; w6 fetches 0 from 1");
}

#[test]
fn copies_beyond_need_are_let_go() {
    let mut world = fan(4, &[0, 1, 2, 3]);
    world.finish(1, 0, MIB);
    (2..=4).for_each(|worker| drop(added(&mut world, worker)));
    assert_eq!(world.finish(2, 1, 8), "output 1 ready; release 0 at w2", "two tasks need it, and it is an output");
    assert_eq!(world.finish(3, 2, 8), "output 2 ready; release 0 at w3");
    assert_eq!(world.finish(4, 3, 8), "output 3 ready; finished 4/4 failed 0+0; release 0 at w4");
    assert_eq!(world.core.counters().copies_dropped, 3);
}

#[test]
fn a_copy_that_something_uses_or_fetches_is_kept() {
    let mut world = fan(5, &[0, 1, 2, 3, 4]);
    world.finish(1, 0, MIB);
    assert_eq!(added(&mut world, 2), "w4 fetches 0 from 2; w5 fetches 0 from 1");
    added(&mut world, 3);
    let cancelled = Event::TasksCancelled { graph: GRAPH, tasks: [2, 3, 4].map(TaskIndex).to_vec() };
    let text = world.event(cancelled);
    assert!(text.contains("release 0 at w3") && !text.contains("release 0 at w2"), "{text}");
    // What was ordered comes all the same, and is not needed.
    let text = added(&mut world, 4);
    assert!(text.contains("release 0 at w4"), "{text}");
}

#[test]
fn copies_that_a_client_wants_are_made_and_kept() {
    let mut world = fan(5, &[0, 1]);
    world.finish(1, 0, MIB);
    let wanted = |copies| Event::ReplicasWanted { graph: GRAPH, tasks: vec![TaskIndex(0), TaskIndex(1), TaskIndex(77)], copies };
    // One is on its way already, for task 1.
    assert_eq!(world.event(wanted(4)), "w3 fetches 0 from 1");
    assert_eq!(world.event(wanted(4)), "", "they are on their way");
    assert_eq!(added(&mut world, 2), "w4 fetches 0 from 2");
    added(&mut world, 3);
    let again = missing(&mut world, 4);
    assert!(again.starts_with("w4 fetches 0 from "), "{again}");
    added(&mut world, 4);
    assert_eq!(world.finish(2, 1, 8), "output 1 ready; finished 2/2 failed 0+0", "four are wanted");
    let more = world.event(wanted(u32::MAX));
    assert!(more.starts_with("w5 fetches 0 from ") && !more.contains(';'), "{more}");
    added(&mut world, 5);
    assert_eq!(world.event(wanted(1)).matches("release 0").count(), 4, "and then one is enough");
    assert_eq!(world.event(Event::GraphReleased(GRAPH)), "forgotten at 5 workers");
}

#[test]
fn a_worker_that_cannot_fetch_what_only_a_client_wants_is_left_alone_in_the_end() {
    let mut world = fan(2, &[0]);
    world.finish(1, 0, MIB);
    let wanted = Event::ReplicasWanted { graph: GRAPH, tasks: vec![TaskIndex(0)], copies: 2 };
    assert_eq!(world.event(wanted), "w2 fetches 0 from 1");
    for _ in 0..3 {
        assert_eq!(missing(&mut world, 2), "w2 fetches 0 from 1");
    }
    assert_eq!(missing(&mut world, 2), "");
}
