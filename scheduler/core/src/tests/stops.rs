//! Graphs with a deadline, and single tasks that are cancelled.

use super::world::{GRAPH, World, plan};
use crate::{Event, GraphPlan, TimerName};
use wasm_tasks_protocol::ids::{GraphId, TaskIndex};
use wasm_tasks_protocol::time::{Duration, Time};

fn cancel(world: &mut World, tasks: &[u32]) -> String {
    let tasks = tasks.iter().copied().map(TaskIndex).collect();
    world.event(Event::TasksCancelled { graph: GRAPH, tasks })
}

#[test]
fn a_deadline_stops_what_is_open_and_keeps_what_is_done() {
    let mut world = World::new(&[2]);
    world.now = Time(5);
    world.submit(GraphPlan { deadline: Some(Duration(100)), ..plan(&[&[], &[], &[1]], &[0, 2]) });
    world.finish(1, 0, 100);
    assert_eq!(world.core.next_timeout(), Some((Time(105), TimerName::Deadline)));
    world.now = Time(104);
    assert_eq!(world.event(Event::Tick), "");
    world.now = Time(105);
    assert_eq!(world.event(Event::Tick), "cancel 1 at w1; cancel 2 at w1; output 2 failed; finished 1/3 failed 0+0 overdue");
    assert_eq!(world.core.next_timeout(), None);
}

#[test]
fn a_deadline_means_nothing_to_a_graph_that_has_ended() {
    let mut world = World::new(&[1]);
    world.submit(GraphPlan { deadline: Some(Duration(100)), ..plan(&[&[]], &[0]) });
    assert_eq!(world.finish(1, 0, 1), "output 0 ready; finished 1/1 failed 0+0");
    world.now = Time(100);
    assert_eq!(world.event(Event::Tick), "");
    // One that is released before takes its timer along.
    let other = GraphId([2; 16]);
    let with_deadline = GraphPlan { deadline: Some(Duration(100)), ..plan(&[&[]], &[0]) };
    world.event(Event::GraphSubmitted { graph: other, plan: with_deadline });
    world.event(Event::GraphReleased(other));
    assert_eq!(world.core.next_timeout(), None);
}

#[test]
fn a_cancelled_task_takes_its_dependents_and_what_only_it_needs() {
    let mut world = World::new(&[4]);
    // 0 -> 1 -> 2, and 3 -> 4 with 0 -> 4.
    world.submit(plan(&[&[], &[0], &[1], &[], &[0, 3]], &[2, 4]));
    let stopped = cancel(&mut world, &[1]);
    assert_eq!(stopped, "cancel 1 at w1; cancel 2 at w1; output 2 failed; 1 failed: cancelled after 1, 1 dependents");
    // 0 goes on for 4; without 4 nobody needs 0 and 3 any more. One that the graph does not have is nobody's.
    let stopped = "cancel 4 at w1; output 4 failed; cancel 0 at w1; cancel 3 at w1; 4 failed: cancelled after 1, 0 dependents";
    assert_eq!(cancel(&mut world, &[4, 4, 99]), format!("{stopped}; finished 0/5 failed 2+1"));
    assert_eq!(cancel(&mut world, &[0, 1, 2, 3, 4]), "", "nothing is left to cancel");
}

#[test]
fn a_task_that_ended_is_not_cancelled() {
    let mut world = World::new(&[1]);
    world.submit(plan(&[&[], &[]], &[0, 1]));
    world.finish(1, 0, 1);
    assert_eq!(cancel(&mut world, &[0]), "");
    assert_eq!(world.finish(1, 1, 1), "output 1 ready; finished 2/2 failed 0+0");
    let unknown = Event::TasksCancelled { graph: GraphId([9; 16]), tasks: vec![TaskIndex(0)] };
    assert_eq!(world.event(unknown), "");
}
