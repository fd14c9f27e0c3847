//! Gangs: members start together, each on a worker of its own, and share what becomes of them.

use super::world::{GRAPH, World, plan_of};
use crate::{Event, GangStanding, TaskId};
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::graph::{Alternative, LabelRule, Options, Settings};
use wasm_tasks_protocol::ids::{GraphId, TaskIndex, WorkerId};
use wasm_tasks_protocol::time::{Duration, Time};

const SECOND: u64 = 1_000_000;

fn gang(members: u32) -> Settings {
    Settings { gang: members, ..Settings::default() }
}

/// A gang of so many tasks without inputs, and a task that needs all of them.
fn gathered(members: u32, settings: Settings) -> crate::GraphPlan {
    let needs: Vec<u32> = (0..members).collect();
    let mut tasks: Vec<(&[u32], u32, u32)> = vec![(&[], 0, 1); members as usize];
    tasks.push((&needs, 1, 0));
    plan_of(&tasks, &[members], &[Settings::default(), settings])
}

fn standing(world: &World, task: u32) -> GangStanding {
    let graph = world.core.graph_index(GRAPH).expect("submitted");
    let explanation = world.core.explain(TaskId { graph, task: TaskIndex(task) }).expect("a task");
    explanation.gang.expect("a member")
}

#[test]
fn members_start_together_on_workers_of_their_own() {
    let mut world = World::new(&[4, 4, 4]);
    assert_eq!(world.submit(gathered(3, gang(3))), "0 -> w1; 1 -> w2; 2 -> w3");
    // Who has ended keeps its slot, and nobody hears of it, until all have.
    assert_eq!(world.finish(2, 1, 100_000), "");
    assert_eq!(world.finish(1, 0, 8), "");
    assert!(standing(&world, 0).has_ended);
    assert_eq!(standing(&world, 0).awaited, [TaskIndex(2)]);
    assert_eq!(world.finish(3, 2, 8), "3 -> w2 (0 inline, 1 at 2, 2 inline)");
    assert_eq!(
        world.finish(2, 3, 8),
        "output 3 ready; release 0 at w1; release 0 inline; release 1 at w2; release 2 at w3; release 2 inline; finished 4/4 failed 0+0"
    );
}

#[test]
fn nothing_starts_before_there_is_room_for_all() {
    let mut world = World::new(&[1, 1]);
    world.run = Duration(10 * SECOND);
    assert_eq!(world.submit(gathered(3, gang(3))), "", "three workers are needed");
    let three = standing(&world, 0);
    assert_eq!((three.len, three.open, three.fitting), (3, 3, 2));
    let graph = world.core.graph_index(GRAPH).expect("submitted");
    assert_eq!(world.core.unrunnable(graph).len(), 1, "it is said at once");
    assert!(world.core.explain(TaskId { graph, task: TaskIndex(2) }).expect("a task").is_unrunnable);
    world.join(3, 1);
    assert_eq!(world.settle(), "0 -> w1; 1 -> w2; 2 -> w3");
    assert!(world.core.unrunnable(graph).is_empty());
}

#[test]
fn members_wait_for_the_inputs_of_all() {
    let mut world = World::new(&[1, 1, 1]);
    // Only the second member needs an input.
    let tasks: Vec<(&[u32], u32, u32)> = vec![(&[], 0, 0), (&[], 0, 1), (&[0], 0, 1)];
    let placed = world.submit(plan_of(&tasks, &[1, 2], &[Settings::default(), gang(2)]));
    assert_eq!(placed, "0 -> w1");
    assert_eq!(standing(&world, 1).awaited, [TaskIndex(2)]);
    assert_eq!(world.finish(1, 0, 100_000), "1 -> w2; 2 -> w1 (0 at 1)", "each where its input is, if it has one");
}

#[test]
fn what_is_wanted_of_one_member_runs_all_of_them() {
    let mut world = World::new(&[1, 1]);
    let tasks: Vec<(&[u32], u32, u32)> = vec![(&[], 0, 1), (&[], 0, 1)];
    assert_eq!(world.submit(plan_of(&tasks, &[1], &[Settings::default(), gang(2)])), "0 -> w1; 1 -> w2");
    world.finish(2, 1, 8);
    // What nobody wants is let go at once.
    assert_eq!(world.finish(1, 0, 8), "release 0 at w1; release 0 inline; output 1 ready; finished 2/2 failed 0+0");
}

#[test]
fn a_failure_stops_the_others_at_once() {
    let mut world = World::new(&[1, 1, 1]);
    world.submit(gathered(3, gang(3)));
    world.finish(3, 2, 8);
    let text = world.fail(1, 0, ErrorCode::Trap);
    assert_eq!(
        text,
        "release 2 inline; release 2 at w3; cancel 1 at w2; output 3 failed; 0 failed: trap after 1, 3 dependents; finished 0/4 failed 1+3"
    );
}

#[test]
fn a_retry_is_of_all_members() {
    let mut world = World::new(&[1, 1, 1]);
    world.submit(gathered(3, Settings { retries: 1, ..gang(3) }));
    world.finish(3, 2, 8);
    assert_eq!(world.fail(1, 0, ErrorCode::GuestError), "cancel 1 at w2; release 2 inline; release 2 at w3");
    let (at, _) = world.core.next_timeout().expect("they rest");
    world.now = at;
    assert_eq!(world.event(Event::Tick), "0 -> w1; 1 -> w2; 2 -> w3");
    let text = world.fail(2, 1, ErrorCode::GuestError);
    assert!(text.starts_with("cancel 0 at w1; cancel 2 at w3"), "another member has its own retry: {text}");
}

#[test]
fn the_death_of_a_worker_restarts_the_gang_and_is_counted_once() {
    let mut world = World::new(&[1, 1, 1]);
    world.submit(gathered(2, gang(2)));
    assert_eq!(world.lose(1), "cancel 1 at w2; 0 -> w2; 1 -> w3");
    world.join(4, 1);
    assert_eq!(world.lose(2), "cancel 1 at w3; 0 -> w4; 1 -> w3");
    world.join(5, 1);
    let text = world.lose(4);
    assert!(text.starts_with("cancel 1 at w3"), "{text}");
    let text = text.replace("cancel 1 at w3; ", "");
    assert!(text.starts_with("output 2 failed"), "the third death of one member: {text}");
    assert!(text.contains("0 failed: worker-died after 3, 2 dependents"), "{text}");
}

#[test]
fn who_has_ended_is_not_blamed_for_the_death_of_its_worker() {
    let mut world = World::new(&[1, 1]);
    world.submit(gathered(2, gang(2)));
    for round in 0..5u64 {
        let worker = if round == 0 { 1 } else { round + 2 };
        world.finish(worker, 0, 8);
        assert!(world.lose(worker).starts_with("release 0 inline; cancel 1 at w2"), "round {round}");
        world.join(round + 3, 1);
        let placed = world.settle();
        assert_eq!(placed, format!("0 -> w{}; 1 -> w2", round + 3), "round {round}");
    }
}

#[test]
fn small_tasks_do_not_starve_a_gang() {
    let mut world = World::new(&[1, 1]);
    world.run = Duration(10 * SECOND);
    world.learn(0, world.run);
    let tasks: Vec<(&[u32], u32, u32)> = vec![(&[], 0, 0); 8];
    let small = world.submit(plan_of(&tasks, &(0..8).collect::<Vec<_>>(), &[Settings::default()]));
    assert_eq!(small, "0 -> w1; 1 -> w2");
    let two = GraphId([2; 16]);
    world.name_graph(two, "gang-");
    world.learn(0, Duration(SECOND));
    let urgent = Settings { priority: 5, ..gang(2) };
    let members: Vec<(&[u32], u32, u32)> = vec![(&[], 0, 0); 2];
    let placed = world.event(Event::GraphSubmitted { graph: two, plan: plan_of(&members, &[0, 1], &[urgent]) });
    assert_eq!(placed, "");
    assert_eq!(world.reserved(), ["gang-0 at w1+2 from 10.0 s"]);
    world.now = Time(SECOND);
    assert_eq!(world.finish(1, 0, 8), "output 0 ready", "the first slot that is free is held");
    assert_eq!(world.finish(2, 1, 8), "output 1 ready; gang-0 -> w1; gang-1 -> w2");
    assert_eq!(world.reserved(), [""; 0]);
}

#[test]
fn only_what_ends_before_the_gang_starts_fills_its_gaps() {
    let mut world = World::new(&[1, 1]);
    for (function, seconds) in [(0, 1), (1, 10), (2, 5), (3, 20)] {
        world.learn(function, Duration(seconds * SECOND));
    }
    // One worker is busy for ten seconds, so the gang starts then.
    let settings = [Settings { priority: 9, ..Settings::default() }, Settings { priority: 5, ..gang(2) }, Settings::default()];
    let settings = [settings.as_slice(), &[Settings { priority: 1, ..Settings::default() }]].concat();
    let tasks: Vec<(&[u32], u32, u32)> = vec![(&[], 1, 0), (&[], 0, 1), (&[], 0, 1), (&[], 3, 2), (&[], 2, 3)];
    let placed = world.submit(plan_of(&tasks, &[0, 1, 2, 3, 4], &settings));
    assert_eq!(placed, "0 -> w1; 4 -> w2", "five seconds fit, twenty do not");
    assert_eq!(world.reserved(), ["1 at w2+1 from 10.0 s"]);
}

#[test]
fn a_gang_goes_one_way() {
    let mut world = World::new(&[]);
    for (worker, zone) in [(1, "a"), (2, "a"), (3, "b"), (4, "b"), (5, "b")] {
        world.join_with(worker, 1, &[("zone", zone)], &[], None);
    }
    let rule = |text: &str| Some(vec![LabelRule::parse(text).expect("a rule")]);
    let any_of = ["zone=a", "zone=b"].map(|text| Alternative { labels: rule(text), ..Alternative::default() }).to_vec();
    let options = Options { any_of: Some(any_of), gang: Some(3), ..Options::default() };
    let settings = Settings::merge([Some(&options), None, None]);
    let placed = world.submit(gathered(3, settings));
    assert_eq!(placed, "0 -> w3 way 1; 1 -> w4 way 1; 2 -> w5 way 1");
}

#[test]
fn what_is_lost_runs_again_without_those_that_are_there() {
    let mut world = World::new(&[1, 1, 1]);
    let tasks: Vec<(&[u32], u32, u32)> = vec![(&[], 0, 1), (&[], 0, 1), (&[], 0, 1)];
    world.submit(plan_of(&tasks, &[0, 1, 2], &[Settings::default(), gang(3)]));
    for (worker, task) in [(1, 0), (2, 1), (3, 2)] {
        world.finish(worker, task, 100_000);
    }
    assert_eq!(world.lose(2), "1 -> w1", "two are left, and one is enough");
    assert_eq!(standing(&world, 1).open, 1);
    // Another loss while it runs: both start together.
    assert_eq!(world.lose(3), "cancel 1 at w1", "there is no worker for the second");
    world.join(4, 1);
    assert_eq!(world.settle(), "1 -> w1; 2 -> w4");
    world.finish(1, 1, 8);
    assert_eq!(world.finish(4, 2, 8), "output 1 ready; output 2 ready; finished 3/3 failed 0+0");
}

#[test]
fn a_member_that_is_given_back_brings_the_others_back() {
    let mut world = World::new(&[1, 1]);
    world.submit(gathered(2, gang(2)));
    world.event(Event::WorkerPaused { worker: WorkerId(1), is_paused: true });
    let attempt = world.take(1, 0);
    let returned = Event::Retracted { worker: WorkerId(1), asked: vec![attempt], returned: vec![attempt] };
    assert_eq!(world.event(returned), "cancel 1 at w2; 0 -> w1; 1 -> w2");
}

#[test]
fn reports_that_come_twice_are_stale() {
    let mut world = World::new(&[1, 1]);
    world.submit(gathered(2, gang(2)));
    let finished = world.finished(1, 0, 8);
    assert_eq!(world.event(finished.clone()), "");
    assert_eq!(world.event(finished.clone()), "", "it ends once");
    let Event::AttemptFinished { worker, attempt, .. } = finished else { panic!("it is that event") };
    assert_eq!(world.event(Event::AttemptFailed { worker, attempt, code: ErrorCode::Trap, run: Duration(1) }), "");
    assert_eq!(world.event(Event::Retracted { worker, asked: vec![], returned: vec![attempt] }), "");
    assert_eq!(world.core.counters().stale_reports, 2);
    assert!(world.finish(2, 1, 8).starts_with("2 -> w"));
}

#[test]
fn cancelling_a_member_cancels_all_and_a_drain_waits_for_all() {
    let mut world = World::new(&[1, 1]);
    world.submit(gathered(2, gang(2)));
    world.finish(1, 0, 8);
    let text = world.event(Event::DrainWorker { worker: WorkerId(1), within: None, gives_up: false });
    assert_eq!(text, "drain w1", "its member has ended, and counts only with the other");
    let text = world.event(Event::TasksCancelled { graph: GRAPH, tasks: vec![TaskIndex(1)] });
    assert!(text.starts_with("cancel 1 at w2") && text.contains("release 0 at w1"), "{text}");
    assert!(text.ends_with("w1 may go: moved 0, left 0, stopped 0"), "{text}");
}

#[test]
fn members_come_with_fragments() {
    let mut world = World::new(&[1, 1]);
    world.submit(plan_of(&[(&[], 0, 0)], &[0], &[Settings::default()]));
    world.finish(1, 0, 100_000);
    let mut plan = plan_of(&[(&[0], 0, 0), (&[0], 0, 0)], &[1, 2], &[gang(2)]);
    plan.task_settings = vec![1, 1];
    let placed = world.event(Event::GraphExtended { graph: GRAPH, plan });
    assert_eq!(placed, "1 -> w1 (0 at 1); 2 -> w2 (0 at 1)");
}
