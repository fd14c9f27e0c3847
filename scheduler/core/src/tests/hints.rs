//! What a graph says of its tasks' results decides their order.

use super::fragments::fragment;
use super::world::{GRAPH, World, plan};
use crate::{Event, Expected, Fleet, living_results, planned_order};
use wasm_tasks_protocol::ids::TaskIndex;

/// Two branches that meet: one makes 60 bytes and 50 of these, the other 100 and one of these.
const BRANCHES: [&[u32]; 5] = [&[], &[0], &[], &[2], &[1, 3]];
const SIZES: [u64; 5] = [60, 50, 100, 1, 8];

fn sizes(said: &[u64]) -> Vec<Expected> {
    said.iter().map(|bytes| Expected { result_bytes: *bytes, ..Expected::NOTHING }).collect()
}

/// The ranks of tasks from a first one on, as the core has them.
fn ranks(world: &World, first: usize) -> Vec<u32> {
    let index = world.core.graph_index(GRAPH).expect("it was submitted");
    world.core.graph(index).tasks[first..].iter().map(|task| task.rank).collect()
}

/// The most bytes that are alive when the branches run in this order.
fn peak(ranks: &[u32]) -> u64 {
    let plan = plan(&BRANCHES, &[4]);
    *living_results(&plan.dependency_starts, &plan.dependencies, ranks, Some(&SIZES)).iter().max().expect("there are tasks")
}

#[test]
fn sizes_that_are_said_lower_the_peak() {
    let (mut silent, mut told) = (World::new(&[1]), World::new(&[1]));
    silent.submit(plan(&BRANCHES, &[4]));
    let mut hinted = plan(&BRANCHES, &[4]);
    hinted.expected = sizes(&SIZES);
    assert_eq!(silent.assigned.values().flatten().next().map(|(task, _)| *task), Some(TaskIndex(0)), "equal by count");
    told.submit(hinted);
    assert_eq!(told.assigned.values().flatten().next().map(|(task, _)| *task), Some(TaskIndex(2)), "less is alive after it");
    assert_eq!((peak(&ranks(&silent, 0)), peak(&ranks(&told, 0))), (150, 100));
}

#[test]
fn fragments_are_ordered_by_size_too() {
    let mut world = World::new(&[1]);
    world.submit(plan(&[&[]], &[0]));
    let edges: Vec<Vec<u32>> = BRANCHES.iter().map(|needs| needs.iter().map(|need| need + 1).collect()).collect();
    let edges: Vec<&[u32]> = edges.iter().map(Vec::as_slice).collect();
    let mut more = fragment(&edges, &[5]);
    more.expected = sizes(&SIZES);
    world.event(Event::GraphExtended { graph: GRAPH, plan: more });
    assert_eq!(peak(&ranks(&world, 1)), 100);
}

#[test]
fn what_nothing_is_said_of_is_as_large_as_the_others() {
    let plan = plan(&BRANCHES, &[4]);
    let order = |said: &[u64]| planned_order(&plan.dependency_starts, &plan.dependencies, &sizes(said), Fleet::UNKNOWN);
    let unknown = Expected::NOT_SAID;
    assert_eq!(order(&[unknown; 5]), order(&[7; 5]), "sizes that are all the same decide nothing");
    assert_eq!(peak(&order(&[60, 50, unknown, 1, 8])), 150, "30 bytes, as the others have on average, are less than 60");
}

#[test]
fn durations_that_are_said_go_before_sizes_where_memory_allows() {
    let plan = plan(&BRANCHES, &[4]);
    let mut said = sizes(&SIZES);
    said.iter_mut().for_each(|said| said.run_us = 1_000);
    said[1].run_us = 1_000_000;
    let first = |memory| {
        let ranks = planned_order(&plan.dependency_starts, &plan.dependencies, &said, Fleet { memory_bytes: memory, slots: 1 });
        ranks.iter().position(|rank| *rank == 0)
    };
    assert_eq!(first(u64::MAX), Some(0), "the longest path begins there");
    assert_eq!(first(100), Some(2), "there is too little memory for that");
}
