use super::world::{GRAPH, World, plan};
use crate::{Event, GraphPlan, TaskId};
use proptest::prelude::*;
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::ids::TaskIndex;
use wasm_tasks_protocol::time::Duration;

/// A fragment of one task a list in `edges`; settings are those that the graph has.
pub(super) fn fragment(edges: &[&[u32]], outputs: &[u32]) -> GraphPlan {
    GraphPlan { settings: Vec::new(), ..plan(edges, outputs) }
}

fn extend(world: &mut World, edges: &[&[u32]], outputs: &[u32]) -> String {
    world.event(Event::GraphExtended { graph: GRAPH, plan: fragment(edges, outputs) })
}

fn release(world: &mut World, tasks: &[u32]) -> String {
    world.event(Event::OutputsReleased { graph: GRAPH, tasks: tasks.iter().copied().map(TaskIndex).collect() })
}

/// One worker, and tasks that take no time to speak of.
fn short() -> World {
    let mut world = World::new(&[1]);
    world.run = Duration(10);
    world
}

#[test]
fn a_fragment_goes_on_from_results_that_are_there() {
    let mut world = short();
    world.submit(plan(&[&[]], &[0]));
    assert_eq!(world.finish(1, 0, 100), "output 0 ready; finished 1/1 failed 0+0");
    assert_eq!(extend(&mut world, &[&[0], &[1]], &[2]), "1 -> w1 (0 at 1); 2 -> w1 (1 pending)");
    world.finish(1, 1, 100);
    assert_eq!(world.finish(1, 2, 100), "output 2 ready; release 1 at w1; finished 3/3 failed 0+0");
}

#[test]
fn results_that_were_let_go_are_made_again() {
    let mut world = short();
    world.submit(plan(&[&[], &[0]], &[1]));
    world.finish(1, 0, 100);
    assert_eq!(world.finish(1, 1, 100), "output 1 ready; release 0 at w1; finished 2/2 failed 0+0");
    assert_eq!(extend(&mut world, &[&[0]], &[2]), "0 -> w1; 2 -> w1 (0 pending)");
    world.finish(1, 0, 100);
    assert_eq!(world.finish(1, 2, 100), "output 2 ready; release 0 at w1; finished 3/3 failed 0+0");
}

#[test]
fn what_needs_a_failed_task_fails_with_it() {
    let mut world = World::new(&[1]);
    world.submit(plan(&[&[]], &[0]));
    world.fail(1, 0, ErrorCode::Trap);
    assert_eq!(extend(&mut world, &[&[0], &[1]], &[2]), "output 2 failed; finished 0/3 failed 1+2");
    assert_eq!(extend(&mut world, &[], &[0]), "output 0 failed; finished 0/3 failed 1+2", "an output that is wanted again");
}

#[test]
fn earlier_tasks_become_outputs() {
    let mut world = World::new(&[2]);
    world.submit(plan(&[&[], &[0], &[]], &[1]));
    world.finish(1, 0, 100);
    assert_eq!(extend(&mut world, &[], &[0]), "output 0 ready", "it is there because another task needs it");
    assert_eq!(world.finish(1, 1, 100), "output 1 ready; finished 2/2 failed 0+0", "and it stays");
    assert_eq!(extend(&mut world, &[], &[0, 1]), "output 0 ready; output 1 ready; finished 2/2 failed 0+0");
    assert_eq!(extend(&mut world, &[], &[2]), "2 -> w1", "nothing needed it before");
}

#[test]
fn outputs_are_let_go_one_by_one() {
    let mut world = World::new(&[4]);
    world.run = Duration(10);
    world.submit(plan(&[&[], &[0], &[], &[]], &[0, 1, 2, 3]));
    assert_eq!(world.finish(1, 0, 100), "output 0 ready");
    assert_eq!(release(&mut world, &[0]), "", "another task needs it");
    assert_eq!(world.finish(1, 1, 100), "output 1 ready; release 0 at w1");
    assert_eq!(release(&mut world, &[1, 1, 77]), "release 1 at w1");
    assert_eq!(release(&mut world, &[2]), "cancel 2 at w1", "what runs for nobody is stopped");
    assert_eq!(release(&mut world, &[3]), "cancel 3 at w1; finished 2/4 failed 0+0");
    assert_eq!(extend(&mut world, &[&[1]], &[4]), "0 -> w1; 1 -> w1 (0 pending); 4 -> w1 (1 pending)");
}

#[test]
fn fragments_run_in_the_order_they_came() {
    let mut world = World::new(&[1]);
    world.submit(plan(&[&[], &[], &[]], &[0, 1, 2]));
    extend(&mut world, &[&[], &[]], &[3, 4]);
    extend(&mut world, &[&[]], &[5]);
    let mut order = Vec::new();
    while let Some((task, _)) = world.assigned.values().flatten().next().copied() {
        order.push(task.0);
        world.finish(1, task.0, 100);
    }
    assert_eq!(order, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_cancelled_graph_does_not_grow() {
    let mut world = World::new(&[1]);
    world.submit(plan(&[&[]], &[0]));
    world.event(Event::GraphCancelled(GRAPH));
    assert_eq!(extend(&mut world, &[&[]], &[1]), "");
    assert_eq!(world.event(Event::GraphReleased(GRAPH)), "forgotten at 1 workers");
    assert_eq!(extend(&mut world, &[&[]], &[1]), "");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// A graph that is submitted in pieces, while it runs, ends with the same outputs as one that came whole.
    #[test]
    fn pieces_end_as_the_whole_does(
        edges in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..4), 1..30),
        fails in prop::collection::btree_set(0u32..30, 0..3),
        cuts in prop::collection::btree_set(1usize..30, 0..8),
        wanted in prop::collection::btree_set(0u32..30, 1..8),
    ) {
        let n = edges.len();
        let edges: Vec<Vec<u32>> = edges.iter().enumerate().map(|(task, set)| {
            let mut needs: Vec<u32> = set.iter().filter(|_| task > 0).map(|index| index.index(task.max(1)) as u32).collect();
            needs.sort_unstable();
            needs.dedup();
            needs
        }).collect();
        let lists: Vec<&[u32]> = edges.iter().map(Vec::as_slice).collect();
        let wanted: Vec<u32> = wanted.into_iter().filter(|task| (*task as usize) < n).collect();
        let play = |cuts: &[usize]| {
            let mut world = World::new(&[1, 2]);
            let mut from = 0;
            let mut told: Vec<String> = Vec::new();
            for (piece, to) in cuts.iter().copied().chain([n]).enumerate() {
                let outputs: Vec<u32> = wanted.iter().copied().filter(|task| (from..to).contains(&(*task as usize))).collect();
                let text = match piece {
                    0 => world.submit(plan(&lists[..to], &outputs)),
                    _ => extend(&mut world, &lists[from..to], &outputs),
                };
                told.push(text);
                from = to;
                // Some of it runs before the next piece comes, but for the last: that one runs to the end.
                for _ in 0..if to == n { usize::MAX } else { to % 4 } {
                    let next = world.assigned.iter().find_map(|(worker, list)| Some((worker.0, list.first()?.0.0)));
                    let Some((worker, task)) = next else { break };
                    told.push(match fails.contains(&task) {
                        true => world.fail(worker, task, ErrorCode::Trap),
                        false => world.finish(worker, task, 100),
                    });
                }
            }
            let graph = world.core.graph_index(GRAPH).expect("it is held");
            let states: Vec<_> = wanted.iter().map(|task| world.core.explain(TaskId { graph, task: TaskIndex(*task) }).expect("known").state).collect();
            let mut outputs: Vec<String> =
                told.join("; ").split("; ").filter(|text| text.starts_with("output")).map(str::to_owned).collect();
            outputs.sort();
            (states, outputs, told.join("; ").split("; ").last().map(str::to_owned))
        };
        let cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < n).collect();
        let (whole, pieces) = (play(&[]), play(&cuts));
        prop_assert_eq!(&whole.0, &pieces.0);
        prop_assert_eq!(&whole.1, &pieces.1);
    }
}
