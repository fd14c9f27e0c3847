use super::world::{GRAPH, World, plan, plan_with};
use crate::Event;
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::graph::Settings;
use wasm_tasks_protocol::ids::{TaskIndex, WorkerId};
use wasm_tasks_protocol::time::{Duration, Time};

#[test]
fn a_failure_takes_its_dependents_and_nothing_else() {
    let mut world = World::new(&[4]);
    world.submit(plan(&[&[], &[0], &[1], &[]], &[2, 3]));
    let failed = world.fail(1, 0, ErrorCode::Trap);
    assert_eq!(failed, "cancel 1 at w1; cancel 2 at w1; output 2 failed; 0 failed: trap after 1, 2 dependents");
    assert_eq!(world.finish(1, 3, 1), "output 3 ready; finished 1/4 failed 1+2");
}

#[test]
fn retries_rest_and_return() {
    let mut world = World::new(&[1]);
    let settings = Settings { retries: 1, backoff: Duration::from_millis(100), ..Settings::default() };
    world.submit(plan_with(&[&[]], &[0], settings));
    assert_eq!(world.fail(1, 0, ErrorCode::Trap), "");
    let (at, _) = world.core.next_timeout().expect("a timer");
    assert!(at > Time(74_000) && at <= Time(100_000), "{at:?}");
    world.now = at;
    assert_eq!(world.event(Event::Tick), "0 -> w1");
    assert_eq!(
        world.fail(1, 0, ErrorCode::Trap),
        "output 0 failed; 0 failed: trap after 2, 0 dependents; finished 0/1 failed 1+0"
    );
}

#[test]
fn lost_results_are_made_again_and_no_others() {
    let mut world = World::new(&[1]);
    // 0 -> 1 -> 2 -> 3, and 4 (at worker 2) joins 3 and 2.
    world.submit(plan(&[&[], &[0], &[1], &[2]], &[3]));
    world.finish(1, 0, 100);
    world.finish(1, 1, 100);
    world.join(2, 1);
    // The worker dies with result 1 and task 2; result 0 was released, so it is made again too.
    let lost = world.lose(1);
    assert_eq!(lost, "0 -> w2");
    assert_eq!(world.finish(2, 0, 100), "1 -> w2 (0 at 2)");
    assert_eq!(world.finish(2, 1, 100), "release 0 at w2; 2 -> w2 (1 at 2)");
    assert_eq!(world.finish(2, 2, 100), "release 1 at w2; 3 -> w2 (2 at 2)");
    assert_eq!(world.finish(2, 3, 100), "output 3 ready; release 2 at w2; finished 4/4 failed 0+0");
    assert_eq!(world.core.counters().recomputed, 1);
}

#[test]
fn a_task_that_was_sent_ahead_is_blamed_for_deaths_once_it_could_run() {
    let mut world = World::new(&[1]);
    world.submit(plan(&[&[], &[0]], &[1]));
    for worker in 1..=3 {
        // 1 was sent ahead, got its input from the same worker, and kills it; the input is lost with it.
        world.finish(worker, 0, 100);
        world.join(worker + 1, 1);
        let lost = world.lose(worker);
        let is_last = worker == 3;
        assert_eq!(lost.contains("1 failed: worker-died after 3"), is_last, "{lost}");
    }
}

#[test]
fn a_copy_that_comes_late_is_not_released_where_the_result_is_being_made() {
    // 0 is done at worker 1 and needed at worker 2, which fetches it; then it is lost, and made again at worker 2.
    let copied = |world: &mut World| {
        world.submit(plan(&[&[], &[0]], &[1]));
        world.finish(1, 0, 100);
        world.join(2, 1);
        assert_eq!(world.lose(1), "0 -> w2");
        world.event(Event::ReplicasAdded { worker: WorkerId(2), graph: GRAPH, tasks: vec![TaskIndex(0)] })
    };
    // A word to let the copy go could arrive after the new result was made, and take that instead.
    let mut world = World::new(&[1]);
    assert_eq!(copied(&mut world), "");
    assert_eq!(world.finish(2, 0, 100), "1 -> w2 (0 at 2)");
    // If the result is not made there after all, the copy is let go.
    let mut world = World::new(&[1]);
    assert_eq!(copied(&mut world), "");
    let failed = world.fail(2, 0, ErrorCode::WorkerFault);
    assert_eq!(failed, "release 0 at w2");
}

#[test]
fn inline_results_survive_their_worker() {
    let mut world = World::new(&[1]);
    world.submit(plan(&[&[], &[0], &[1]], &[2]));
    world.finish(1, 0, 8);
    world.join(2, 1);
    assert_eq!(world.lose(1), "1 -> w2 (0 inline)");
}

#[test]
fn stale_reports_change_nothing() {
    let mut world = World::new(&[1, 1]);
    world.submit(plan(&[&[]], &[0]));
    let worker = *world.assigned.keys().next().expect("assigned");
    let attempt = world.take(worker.0, 0);
    let other = WorkerId(3 - worker.0);
    let finished = |worker, attempt| Event::AttemptFinished {
        worker,
        attempt,
        size: 1,
        run: Duration(1),
        memory_peak_bytes: 0,
        is_inline: true,
    };
    // Another worker's claim, then an invented number, then the real one, then the same again.
    assert_eq!(world.event(finished(other, attempt)), "");
    assert_eq!(world.event(finished(worker, wasm_tasks_protocol::Attempt(attempt.0 + (1 << 20)))), "");
    assert_eq!(world.event(finished(worker, attempt)), "output 0 ready; finished 1/1 failed 0+0");
    assert_eq!(world.event(finished(worker, attempt)), "");
    assert_eq!(world.core.counters().stale_reports, 3);
}

#[test]
fn a_task_that_kills_workers_is_stopped_and_others_are_not() {
    let mut world = World::new(&[2]);
    world.submit(plan(&[&[], &[]], &[0, 1]));
    // Both were at the first worker that died: from now on they run alone.
    world.join(2, 2);
    let placed = world.lose(1);
    assert_eq!(placed, "0 -> w2", "one suspect at a time");
    world.join(3, 2);
    let placed = world.settle();
    assert_eq!(placed, "1 -> w3");
    assert_eq!(world.finish(3, 1, 1), "output 1 ready");
    assert_eq!(world.lose(2), "0 -> w3");
    assert_eq!(world.lose(3), "output 0 failed; 0 failed: worker-died after 3, 0 dependents; finished 1/2 failed 1+0");
}

#[test]
fn a_missing_input_is_found_elsewhere_or_made_again() {
    let mut world = World::new(&[1, 1]);
    world.submit(plan(&[&[], &[], &[0, 1]], &[2]));
    // Put the two inputs on different workers, whatever placement said.
    let at = |world: &World, task: u32| {
        world.assigned.iter().find(|(_, list)| list.iter().any(|(t, _)| t.0 == task)).map(|(w, _)| w.0)
    };
    let (first, second) = (at(&world, 0).expect("0"), at(&world, 1).expect("1"));
    world.finish(first, 0, 1_000);
    world.finish(second, 1, 1_000);
    let reader = at(&world, 2).expect("2");
    let attempt = world.assigned[&WorkerId(reader)].iter().find(|(task, _)| task.0 == 2).expect("2").1;
    let missing = Event::InputMissing { worker: WorkerId(reader), attempt, task: TaskIndex(0), tried: vec![WorkerId(first)] };
    let text = world.event(missing);
    assert!(text.contains("cancel 2") && text.contains("0 -> w"), "{text}");
    // Whoever could not give it must not keep it for nobody, nor keep what cannot be read where it is made again.
    assert!(text.contains(&format!("release 0 at w{first}")), "{text}");
}

#[test]
fn cancelling_stops_everything_and_keeps_what_is_done() {
    let mut world = World::new(&[2]);
    world.submit(plan(&[&[], &[], &[1]], &[0, 2]));
    world.finish(1, 0, 100);
    assert_eq!(
        world.event(Event::GraphCancelled(GRAPH)),
        "cancel 1 at w1; cancel 2 at w1; output 2 failed; finished 1/3 failed 0+0"
    );
    assert_eq!(world.event(Event::GraphReleased(GRAPH)), "forgotten at 1 workers");
}
