//! Placement where components take long to load.

use super::fragments::fragment;
use super::world::{GRAPH, World, plan};
use crate::{Event, GraphPlan};
use wasm_tasks_protocol::ids::{ComponentDigest, GraphId, WorkerId};
use wasm_tasks_protocol::time::Duration;

const OTHER: GraphId = GraphId([2; 16]);

fn component(number: u8) -> ComponentDigest {
    ComponentDigest([number; 32])
}

fn of(components: &[u8], plan: GraphPlan) -> GraphPlan {
    GraphPlan { components: components.iter().map(|number| component(*number)).collect(), ..plan }
}

fn loaded(worker: u64, number: u8, ms: u64) -> Event {
    let (worker, digest, took) = (WorkerId(worker), component(number), Duration::from_millis(ms));
    Event::ComponentLoaded { worker, digest, is_metered: false, took }
}

fn unloaded(worker: u64, number: u8) -> Event {
    Event::ComponentUnloaded { worker: WorkerId(worker), digest: component(number), is_metered: false }
}

/// Three workers of two slots of which the second has component 7, and knows what that took.
fn with_one_loaded(ms: u64) -> World {
    let mut world = World::new(&[2, 2, 2]);
    world.learn(0, Duration::from_millis(1));
    world.submit(of(&[7], plan(&[&[]], &[0])));
    world.event(loaded(2, 7, ms));
    world
}

#[test]
fn a_task_goes_where_its_component_is() {
    let mut world = with_one_loaded(500);
    world.name_graph(OTHER, "b");
    world.finish(1, 0, 8);
    let first = world.event(Event::GraphSubmitted { graph: OTHER, plan: of(&[7], plan(&[&[]], &[0])) });
    assert_eq!(first, "b0 -> w2", "its first worker never said that it has the component");
    // Nobody has the other one, nor is known to need long for it.
    let third = GraphId([3; 16]);
    world.name_graph(third, "c");
    assert_eq!(world.event(Event::GraphSubmitted { graph: third, plan: of(&[8], plan(&[&[]], &[0])) }), "c0 -> w1");
}

#[test]
fn what_is_quick_to_load_is_loaded_where_there_is_less_to_do() {
    for (load_ms, answer) in [(0, "b0 -> w1; b1 -> w2"), (500, "b0 -> w2; b1 -> w2")] {
        let mut world = with_one_loaded(load_ms);
        world.name_graph(OTHER, "b");
        world.finish(1, 0, 8);
        let placed = world.event(Event::GraphSubmitted { graph: OTHER, plan: of(&[7], plan(&[&[], &[]], &[0, 1])) });
        assert_eq!(placed, answer, "a load takes {load_ms} ms");
    }
}

#[test]
fn a_worker_that_let_go_of_a_component_is_like_the_others() {
    let mut world = with_one_loaded(500);
    world.name_graph(OTHER, "b");
    world.finish(1, 0, 8);
    world.event(unloaded(2, 7));
    let placed = world.event(Event::GraphSubmitted { graph: OTHER, plan: of(&[7], plan(&[&[]], &[0])) });
    assert_eq!(placed, "b0 -> w1", "it loads since the first task");
}

#[test]
fn a_fragment_brings_its_components() {
    let mut world = with_one_loaded(500);
    world.finish(1, 0, 8);
    let more = GraphPlan { functions: vec![1], ..fragment(&[&[]], &[1]) };
    assert_eq!(world.event(Event::GraphExtended { graph: GRAPH, plan: of(&[9], more) }), "1 -> w1");
    world.event(loaded(3, 9, 500));
    let more = GraphPlan { functions: vec![1], ..fragment(&[&[]], &[2]) };
    assert_eq!(world.event(Event::GraphExtended { graph: GRAPH, plan: of(&[], more) }), "2 -> w3");
}

#[test]
fn what_no_graph_uses_is_not_taken_in() {
    let mut world = with_one_loaded(500);
    world.event(loaded(1, 99, 500));
    world.event(unloaded(1, 7));
    world.event(unloaded(1, 7));
    world.event(loaded(77, 7, 500));
    assert_eq!(world.core.counters().stale_reports, 2, "an unknown component and an unknown worker");
    world.lose(2);
    world.event(Event::GraphReleased(GRAPH));
    world.event(loaded(1, 7, 500));
    assert_eq!(world.core.counters().stale_reports, 3, "the last graph that used it is gone");
}
