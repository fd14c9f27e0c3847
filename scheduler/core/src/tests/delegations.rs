//! Tasks that end in tasks which they write.

use super::fragments::fragment;
use super::world::{GRAPH, World, plan};
use crate::{Event, StateName, TaskId};
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::ids::{TaskIndex, WorkerId};
use wasm_tasks_protocol::time::Duration;

impl World {
    /// A task ends in tasks, of which one takes its place; their numbers follow those that are there.
    pub(super) fn delegate(&mut self, worker: u64, task: u32, edges: &[&[u32]], output: u32) -> String {
        let attempt = self.take(worker, task);
        let worker = WorkerId(worker);
        let (run, plan, output) = (self.run, fragment(edges, &[]), TaskIndex(output));
        self.event(Event::AttemptDelegated { worker, attempt, run, memory_peak_bytes: 5, plan, output })
    }

    pub(super) fn state(&self, task: u32) -> StateName {
        let graph = self.core.graph_index(GRAPH).expect("it is held");
        self.core.state_of(TaskId { graph, task: TaskIndex(task) }).expect("it is known")
    }
}

#[test]
fn what_took_its_place_is_what_others_get() {
    let mut world = World::new(&[1]);
    world.submit(plan(&[&[], &[0]], &[1]));
    let sent_ahead = "cancel 1 at w1; ";
    assert_eq!(world.delegate(1, 0, &[&[], &[2]], 3), format!("{sent_ahead}2 -> w1"));
    assert_eq!(world.state(0), StateName::Delegated);
    assert_eq!(world.finish(1, 2, 100), "3 -> w1 (2 at 1)");
    assert_eq!(world.finish(1, 3, 100), "release 2 at w1; 1 -> w1 (3 at 1)");
    assert_eq!(world.finish(1, 1, 100), "output 1 ready; release 3 at w1; finished 4/4 failed 0+0");
}

#[test]
fn an_output_that_delegates_is_the_output_of_what_took_its_place() {
    let mut world = World::new(&[1]);
    world.submit(plan(&[&[]], &[0]));
    assert_eq!(world.delegate(1, 0, &[&[]], 1), "1 -> w1");
    assert_eq!(world.delegate(1, 1, &[&[]], 2), "2 -> w1", "and so on");
    assert_eq!(world.finish(1, 2, 100), "output 2 ready; finished 3/3 failed 0+0");
    let release = Event::OutputsReleased { graph: GRAPH, tasks: vec![TaskIndex(0)] };
    assert_eq!(world.event(release), "release 2 at w1", "by whatever name it was asked for");
    let more = Event::GraphExtended { graph: GRAPH, plan: fragment(&[&[1]], &[0, 3]) };
    assert_eq!(world.event(more), "2 -> w1", "it is made again, and nothing else");
    assert_eq!(world.finish(1, 2, 100), "output 2 ready; 3 -> w1 (2 at 1)");
}

#[test]
fn inputs_stay_while_what_was_written_needs_them() {
    let mut world = World::new(&[1]);
    world.submit(plan(&[&[], &[], &[0, 1]], &[2]));
    world.finish(1, 0, 100);
    world.finish(1, 1, 100);
    assert_eq!(world.delegate(1, 2, &[&[1]], 3), "release 0 at w1; 3 -> w1 (1 at 1)");
    assert_eq!(world.finish(1, 3, 100), "output 3 ready; release 1 at w1; finished 4/4 failed 0+0");
}

#[test]
fn what_delegations_take_is_learnt() {
    let mut world = World::new(&[1]);
    world.run = Duration::from_millis(7);
    world.submit(plan(&[&[], &[]], &[0, 1]));
    world.delegate(1, 0, &[&[]], 2);
    let graph = world.core.graph_index(GRAPH).expect("it is held");
    let learnt = &world.core.function_statistics(graph)[0];
    assert_eq!((learnt.count, learnt.delegated, learnt.total), (0, 1, world.run));
    assert_eq!((learnt.mean_us, learnt.memory_peak_bytes), (Some(7_000.0), 5));
    let graph_counts = world.core.graph_counts(graph).expect("it is held");
    assert_eq!((graph_counts.run, graph_counts.memory_peak_bytes), (world.run, 5));
    assert_eq!(world.core.length_us(TaskId { graph, task: TaskIndex(2) }), Some(7_000), "what it wrote is taken to last as long");
}

#[test]
fn what_was_sent_ahead_comes_back_and_goes_on_from_the_new_task() {
    let mut world = World::new(&[1]);
    world.run = Duration(10);
    world.submit(plan(&[&[], &[], &[1]], &[0, 2]));
    assert_eq!(world.finish(1, 0, 100), "output 0 ready; 2 -> w1 (1 pending)");
    assert_eq!(world.delegate(1, 1, &[&[]], 3), "cancel 2 at w1; 3 -> w1; 2 -> w1 (3 pending)");
}

#[test]
fn a_failure_goes_up_to_who_needs_it() {
    let mut world = World::new(&[1]);
    world.submit(plan(&[&[], &[0]], &[0, 1]));
    world.delegate(1, 0, &[&[], &[2]], 3);
    let text = world.fail(1, 2, ErrorCode::Trap);
    assert_eq!(text, "output 3 failed; output 1 failed; 2 failed: trap after 1, 2 dependents; finished 1/4 failed 1+2");
}

#[test]
fn a_lost_result_is_made_again_by_what_took_its_place() {
    let mut world = World::new(&[1, 1]);
    world.submit(plan(&[&[], &[0]], &[1]));
    world.delegate(1, 0, &[&[]], 2);
    assert_eq!(world.finish(1, 2, 100), "1 -> w1 (2 at 1)");
    assert_eq!(world.lose(1), "2 -> w2");
}

#[test]
fn what_was_stopped_writes_nothing() {
    let mut world = World::new(&[1]);
    world.submit(plan(&[&[], &[]], &[0, 1]));
    let attempt = world.assigned[&WorkerId(1)][0].1;
    world.event(Event::TasksCancelled { graph: GRAPH, tasks: vec![TaskIndex(0)] });
    let late = Event::AttemptDelegated {
        worker: WorkerId(1),
        attempt,
        run: Duration(1),
        memory_peak_bytes: 0,
        plan: fragment(&[&[]], &[]),
        output: TaskIndex(2),
    };
    assert_eq!(world.event(late), "");
    assert_eq!(world.core.counters().stale_reports, 1);
}

#[test]
fn who_is_cancelled_takes_what_it_wrote_along() {
    let mut world = World::new(&[2]);
    world.submit(plan(&[&[]], &[0]));
    world.delegate(1, 0, &[&[], &[], &[1, 2]], 3);
    let text = world.event(Event::TasksCancelled { graph: GRAPH, tasks: vec![TaskIndex(0)] });
    assert_eq!(
        text,
        "output 3 failed; cancel 1 at w1; cancel 2 at w1; 3 failed: cancelled after 0, 0 dependents; finished 1/4 failed 1+0"
    );
}

const DEPTH: u32 = 8;

/// Each task of a tree ends in two others and their sum: with one slot at most one path of it is open.
#[test]
fn what_was_begun_is_finished_first() {
    let mut world = World::new(&[1]);
    world.submit(plan(&[&[]], &[0]));
    let (mut depth, mut tasks, mut living_max) = (vec![DEPTH], 1u32, 0);
    let mut sums = vec![false];
    while let Some((task, _)) = world.assigned.values().flatten().next().copied() {
        let at = task.0 as usize;
        if sums[at] || depth[at] == 0 {
            world.finish(1, task.0, 100);
        } else {
            world.delegate(1, task.0, &[&[], &[], &[tasks, tasks + 1]], tasks + 2);
            depth.extend([depth[at] - 1, depth[at] - 1, 0]);
            sums.extend([false, false, true]);
            tasks += 3;
        }
        let open = (0..tasks).filter(|task| matches!(world.state(*task), StateName::Waiting | StateName::Queued)).count();
        living_max = living_max.max(open);
    }
    assert_eq!(tasks, 1 + 3 * ((1 << DEPTH) - 1), "all of the tree was written");
    assert!(living_max <= 4 * DEPTH as usize, "{living_max} tasks were open at once");
}
