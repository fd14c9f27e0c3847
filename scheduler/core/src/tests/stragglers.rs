//! Second attempts for tasks that take much longer than others of their function.

use super::world::{GRAPH, World, plan_of, plan_with};
use crate::Event;
use crate::task::TaskId;
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::graph::{Grant, Settings};
use wasm_tasks_protocol::ids::{Attempt, TaskIndex, WorkerId};
use wasm_tasks_protocol::time::{Duration, Time};

const SECOND: u64 = 1_000_000;
const NONE: &[u32] = &[];

/// Two workers of two slots, and five tasks: four have ended after a second each, the last runs on at worker 1.
fn late(settings: Settings) -> World {
    let mut world = World::new(&[2, 2]);
    world.submit(plan_with(&[NONE; 5], &[0, 1, 2, 3, 4], settings));
    let last = run_all_but_one(&mut world);
    assert_eq!(last, (1, 4));
    world
}

/// Ends everything but the last task, each in a second, and starts that one. Returns where it is, and which it is.
fn run_all_but_one(world: &mut World) -> (u64, u32) {
    loop {
        let mut live: Vec<(u64, u32)> =
            (1..=2).flat_map(|worker| world.assigned_at(worker).into_iter().map(move |task| (worker, task))).collect();
        live.sort_by_key(|(_, task)| *task);
        world.now.0 += SECOND;
        match live[..] {
            [(worker, task)] => {
                start(world, worker, task);
                return (worker, task);
            }
            [(worker, task), ..] => drop(world.finish(worker, task, 100)),
            [] => panic!("nothing is left to run"),
        }
    }
}

fn attempt(world: &World, worker: u64, task: u32) -> Attempt {
    let list = &world.assigned[&WorkerId(worker)];
    list.iter().find(|(assigned, _)| assigned.0 == task).expect("the task is at that worker").1
}

fn start(world: &mut World, worker: u64, task: u32) {
    let attempts = vec![attempt(world, worker, task)];
    assert_eq!(world.event(Event::AttemptsStarted { worker: WorkerId(worker), attempts }), "");
}

/// Lets time pass, as the clock of a shell would: it ticks when the core asked for it.
fn pass(world: &mut World, length: u64) -> String {
    let end = Time(world.now.0 + length);
    let mut log = Vec::new();
    while let Some((at, _)) = world.core.next_timeout().filter(|(at, _)| *at <= end) {
        world.now = world.now.max(at);
        log.push(world.event(Event::Tick));
    }
    world.now = end;
    log.retain(|text| !text.is_empty());
    log.join("; ")
}

#[test]
fn a_late_attempt_gets_a_second_one_and_the_first_to_end_wins() {
    let mut world = late(Settings::default());
    assert_eq!(pass(&mut world, 2 * SECOND - 1), "", "up to twice as long may happen");
    let text = pass(&mut world, 2 * SECOND);
    assert_eq!(text, "4 -> w2");
    assert_eq!(pass(&mut world, 100 * SECOND), "", "there is one second attempt at most");
    let why = world.core.explain(TaskId { graph: world.core.graph_index(GRAPH).expect("it is there"), task: TaskIndex(4) });
    let why = why.expect("it is known");
    assert_eq!((why.workers, why.copy), (vec![WorkerId(1), WorkerId(2)], Some(WorkerId(2))));

    let loser = attempt(&world, 1, 4);
    assert_eq!(world.finish(2, 4, 100), "cancel 4 at w1; output 4 ready; finished 5/5 failed 0+0");
    assert_eq!((world.core.counters().copies, world.core.counters().copies_won), (1, 1));
    let late_report = Event::AttemptFinished {
        worker: WorkerId(1),
        attempt: loser,
        size: 7,
        run: Duration(1),
        memory_peak_bytes: 0,
        is_inline: false,
    };
    assert_eq!(world.event(late_report), "");
    assert_eq!(world.core.counters().stale_reports, 1);
    let id = TaskId { graph: world.core.graph_index(GRAPH).expect("it is there"), task: TaskIndex(4) };
    assert_eq!(world.core.result_of(id), Some((100, Some(WorkerId(2)))));
}

#[test]
fn the_first_attempt_may_win_too() {
    let mut world = late(Settings::default());
    assert_eq!(pass(&mut world, 4 * SECOND), "4 -> w2");
    assert_eq!(world.finish(1, 4, 100), "cancel 4 at w2; output 4 ready; finished 5/5 failed 0+0");
    assert_eq!(world.core.counters().copies_won, 0);
}

#[test]
fn only_what_may_be_repeated_is_copied() {
    let clock = || vec![Grant::Clock];
    let never = Settings { speculate: false, ..Settings::default() };
    assert_eq!(pass(&mut late(never), 100 * SECOND), "");
    let impure = Settings { grants: clock(), ..Settings::default() };
    assert_eq!(pass(&mut late(impure), 100 * SECOND), "");
    let repeatable = Settings { grants: clock(), retries: 1, ..Settings::default() };
    assert_eq!(pass(&mut late(repeatable), 100 * SECOND), "4 -> w2");
}

#[test]
fn nothing_is_called_late_before_enough_is_known() {
    let mut world = World::new(&[2, 2]);
    world.submit(plan_with(&[NONE; 4], &[0, 1, 2, 3], Settings::default()));
    assert_eq!(run_all_but_one(&mut world).1, 3);
    assert_eq!(pass(&mut world, 1_000 * SECOND), "", "two attempts were measured against what was expected: one was the first");
}

#[test]
fn durations_that_vary_are_waited_for() {
    let mut world = World::new(&[2, 2]);
    world.submit(plan_with(&[NONE; 12], &(0..12).collect::<Vec<_>>(), Settings::default()));
    for task in 0..11 {
        let worker = (1..=2).find(|worker| world.assigned_at(*worker).contains(&task)).expect("it runs");
        world.run = Duration(if task % 2 == 0 { SECOND } else { 9 * SECOND });
        world.finish(worker, task, 100);
    }
    let (worker, task) = run_all_but_one(&mut world);
    assert_eq!(task, 11);
    assert_eq!(pass(&mut world, 15 * SECOND), "", "{task} at {worker}: others took nine times as long as their neighbours");
}

#[test]
fn no_second_attempt_takes_a_slot_that_something_waits_for() {
    let mut world = late(Settings::default());
    let other = wasm_tasks_protocol::ids::GraphId([2; 16]);
    world.name_graph(other, "b");
    let wide = Settings { slots_milli: 2_000, ..Settings::default() };
    let text = world.event(Event::GraphSubmitted { graph: other, plan: plan_of(&[(&[], 0, 0), (&[], 0, 0)], &[0, 1], &[wide]) });
    assert_eq!(text, "b0 -> w2");
    assert_eq!(pass(&mut world, 10 * SECOND), "", "b1 waits for slots");
    let text = world.event(Event::GraphCancelled(other));
    assert!(text.starts_with("cancel 0 at w2"), "{text}");
    assert_eq!(pass(&mut world, 10 * SECOND), "4 -> w2");
}

#[test]
fn when_the_worker_of_one_attempt_dies_the_other_goes_on() {
    for dies in [1, 2] {
        let mut world = late(Settings::default());
        assert_eq!(pass(&mut world, 4 * SECOND), "4 -> w2");
        let text = world.lose(dies);
        assert!(!text.contains("4 -> "), "{text}");
        let text = world.finish(3 - dies, 4, 100);
        assert!(text.starts_with("output 4 ready"), "{text}");
    }
}

#[test]
fn an_attempt_that_fails_and_may_be_repeated_leaves_the_other_running() {
    let mut world = late(Settings { retries: 1, ..Settings::default() });
    assert_eq!(pass(&mut world, 4 * SECOND), "4 -> w2");
    assert_eq!(world.fail(1, 4, ErrorCode::Trap), "");
    assert_eq!(
        world.fail(2, 4, ErrorCode::Trap),
        "output 4 failed; 4 failed: trap after 2, 0 dependents; finished 4/5 failed 1+0"
    );
}

#[test]
fn a_task_that_fails_for_good_stops_its_second_attempt() {
    let mut world = late(Settings::default());
    assert_eq!(pass(&mut world, 4 * SECOND), "4 -> w2");
    let text = world.fail(2, 4, ErrorCode::Trap);
    assert_eq!(text, "cancel 4 at w1; output 4 failed; 4 failed: trap after 2, 0 dependents; finished 4/5 failed 1+0");
}

#[test]
fn second_attempts_take_a_tenth_of_the_slots_at_most() {
    let mut world = World::new(&[10, 10]);
    let edges: Vec<&[u32]> = vec![&[]; 14];
    world.submit(plan_with(&edges, &(0..14).collect::<Vec<_>>(), Settings::default()));
    for task in 0..4 {
        let worker = (1..=2).find(|worker| world.assigned_at(*worker).contains(&task)).expect("it runs");
        world.finish(worker, task, 100);
    }
    for worker in [1, 2] {
        for task in world.assigned_at(worker) {
            start(&mut world, worker, task);
        }
    }
    let copied = pass(&mut world, 100 * SECOND).matches(" -> ").count();
    assert_eq!(copied, 0, "workers that are late themselves get none");
    world.join(3, 10);
    let copied = pass(&mut world, 100 * SECOND).matches(" -> ").count();
    assert_eq!(copied, 3);
}

#[test]
fn what_was_sent_ahead_of_the_slower_attempt_learns_where_the_result_is() {
    let mut world = World::new(&[1]);
    world.run = Duration(10);
    // Chains of two, in which the second is short: it is sent ahead. Their first tasks turn out to be long only then.
    let plan = plan_of(
        &[(&[], 0, 0), (&[], 0, 0), (&[], 0, 0), (&[], 0, 0), (&[], 0, 0), (&[4], 1, 0)],
        &[0, 1, 2, 3, 5],
        &[Settings::default()],
    );
    world.submit(plan);
    for task in 0..4 {
        world.finish(1, task, 100);
    }
    assert_eq!(world.assigned_at(1), [4, 5], "5 was sent ahead");
    start(&mut world, 1, 4);
    world.join(2, 1);
    assert_eq!(pass(&mut world, 100 * SECOND), "4 -> w2");
    assert_eq!(world.finish(2, 4, 100), "update 4 for w1: Workers([WorkerId(2)]); cancel 4 at w1");
    assert_eq!(world.finish(1, 5, 100), "output 5 ready; release 4 at w2; finished 6/6 failed 0+0");
}

#[test]
fn what_was_sent_ahead_of_an_attempt_that_failed_is_taken_back() {
    let mut world = World::new(&[1]);
    world.run = Duration(10);
    let settings = Settings { retries: 1, ..Settings::default() };
    let plan =
        plan_of(&[(&[], 0, 0), (&[], 0, 0), (&[], 0, 0), (&[], 0, 0), (&[], 0, 0), (&[4], 1, 0)], &[0, 1, 2, 3, 5], &[settings]);
    world.submit(plan);
    for task in 0..4 {
        world.finish(1, task, 100);
    }
    start(&mut world, 1, 4);
    world.join(2, 1);
    assert_eq!(pass(&mut world, 100 * SECOND), "4 -> w2");
    assert_eq!(world.fail(1, 4, ErrorCode::Trap), "cancel 5 at w1");
    assert_eq!(world.finish(2, 4, 100), "5 -> w2 (4 at 2)");
}

#[test]
fn a_worker_that_says_again_and_again_that_something_runs_changes_nothing() {
    let mut world = late(Settings::default());
    for _ in 0..10 {
        start(&mut world, 1, 4);
    }
    assert_eq!(pass(&mut world, 4 * SECOND), "4 -> w2");
    start(&mut world, 1, 4);
    start(&mut world, 2, 4);
    assert_eq!(pass(&mut world, 100 * SECOND), "");
}
