use super::world::{GRAPH, World, plan_of};
use crate::Event;
use proptest::prelude::*;
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::graph::Settings;
use wasm_tasks_protocol::ids::{TaskIndex, WorkerId};
use wasm_tasks_protocol::time::Duration;

#[derive(Clone, Debug)]
enum Step {
    Finish(usize, bool),
    Fail(usize, bool),
    Lose(usize),
    Join(u64),
    Missing(usize),
    Return(usize),
    Leave(usize),
    Drain(usize, bool, Option<u64>),
    Moved(usize, bool),
    Pass(u64),
    Cancel,
    CancelTask(u32),
    /// Ends in so many tasks, each of which needs the one before it or one that the task needed.
    Delegate(usize, u32, u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (any::<usize>(), any::<bool>()).prop_map(|(n, inline)| Step::Finish(n, inline)),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(n, fault)| Step::Fail(n, fault)),
        1 => any::<usize>().prop_map(Step::Lose),
        1 => (1u64..4).prop_map(Step::Join),
        1 => any::<usize>().prop_map(Step::Missing),
        1 => any::<usize>().prop_map(Step::Return),
        1 => any::<usize>().prop_map(Step::Leave),
        1 => (any::<usize>(), any::<bool>(), proptest::option::of(0u64..300_000)).prop_map(|(n, gives_up, within)| Step::Drain(n, gives_up, within)),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(n, is_there)| Step::Moved(n, is_there)),
        2 => (0u64..200_000).prop_map(Step::Pass),
        1 => Just(Step::Cancel).prop_filter("rarely", |_| true),
        1 => any::<u32>().prop_map(Step::CancelTask),
        3 => (any::<usize>(), 1u32..5, any::<u32>()).prop_map(|(n, tasks, choice)| Step::Delegate(n, tasks, choice)),
    ];
    proptest::collection::vec(step, 0..120)
}

/// Makes gangs of tasks that follow each other, where sizes say so; what members would need of each other they do not need.
fn gangs(edges: &mut [Vec<u32>], sizes: &[usize]) -> Vec<u32> {
    let mut members = vec![0; edges.len()];
    let mut at = 0;
    for size in sizes {
        let end = at + (*size).max(1);
        if *size > 0 && end <= edges.len() {
            members[at..end].fill(*size as u32);
            edges[at..end].iter_mut().for_each(|needs| needs.retain(|need| (*need as usize) < at));
        }
        at = end;
    }
    members
}

fn edges() -> impl Strategy<Value = Vec<Vec<u32>>> {
    (1usize..25).prop_flat_map(|n| {
        (0..n)
            .map(|task| {
                proptest::collection::btree_set(0..task.max(1) as u32, 0..=task.min(3))
                    .prop_map(move |set| set.into_iter().filter(|need| (*need as usize) < task).collect::<Vec<u32>>())
            })
            .collect::<Vec<_>>()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever happens the invariants hold, and when the trouble is over the graph ends.
    #[test]
    fn random_runs_hold_and_converge(
        edges in edges(),
        sizes in proptest::collection::vec(prop_oneof![3 => Just(0usize), 2 => 1usize..5], 0..12),
        outputs in proptest::collection::vec(any::<u32>(), 1..4),
        steps in steps(),
        cancels in 0u8..4,
    ) {
        let mut edges = edges;
        let members = gangs(&mut edges, &sizes);
        let n = edges.len() as u32;
        let tasks: Vec<(&[u32], u32, u32)> = edges.iter().zip(&members).map(|(needs, members)| (needs.as_slice(), 0, *members)).collect();
        let mut inputs = edges.clone();
        let outputs: Vec<u32> = outputs.iter().map(|output| output % n).collect();
        let settings = Settings { retries: 2, backoff: Duration::from_millis(10), ..Settings::default() };
        let mut world = World::new(&[1, 2]);
        let mut next_worker = 3;
        let settings: Vec<Settings> = (0..5).map(|gang| Settings { gang, ..settings.clone() }).collect();
        world.submit(plan_of(&tasks, &outputs, &settings));
        for step in steps {
            let all: Vec<(u64, u32)> = world.assigned.iter().flat_map(|(worker, list)| list.iter().map(|(task, _)| (worker.0, task.0))).collect();
            let pick = |n: usize| (!all.is_empty()).then(|| all[n % all.len()]);
            let workers: Vec<u64> = (1..next_worker).filter(|worker| world.core.worker_load(WorkerId(*worker)).is_some()).collect();
            let text = match step {
                Step::Finish(n, inline) => pick(n).map(|(worker, task)| world.finish(worker, task, if inline { 8 } else { 10_000 })),
                Step::Fail(n, fault) => pick(n).map(|(worker, task)| world.fail(worker, task, if fault { ErrorCode::WorkerFault } else { ErrorCode::Trap })),
                Step::Lose(n) => (!workers.is_empty()).then(|| world.lose(workers[n % workers.len()])),
                Step::Join(slots) => {
                    world.join(next_worker, slots);
                    next_worker += 1;
                    Some(world.settle())
                }
                Step::Missing(n) => pick(n).and_then(|(worker, task)| {
                    let attempt = world.assigned[&WorkerId(worker)].iter().find(|(t, _)| t.0 == task)?.1;
                    let input = *inputs[task as usize].first()?;
                    Some(world.event(Event::InputMissing { worker: WorkerId(worker), attempt, task: TaskIndex(input), tried: workers.iter().copied().map(WorkerId).collect() }))
                }),
                Step::Return(n) => pick(n).map(|(worker, task)| {
                    let attempt = world.take(worker, task);
                    world.event(Event::Retracted { worker: WorkerId(worker), asked: vec![attempt], returned: vec![attempt] })
                }),
                Step::Leave(n) => (!workers.is_empty()).then(|| world.event(Event::WorkerLeaving(WorkerId(workers[n % workers.len()])))),
                Step::Drain(n, gives_up, within) => (!workers.is_empty()).then(|| {
                    let worker = WorkerId(workers[n % workers.len()]);
                    world.event(Event::DrainWorker { worker, within: within.map(Duration), gives_up })
                }),
                Step::Moved(at, is_there) => (!world.orders.is_empty()).then(|| {
                    let (worker, task) = world.orders.swap_remove(at % world.orders.len());
                    let (graph, tasks) = (GRAPH, vec![task]);
                    world.event(match is_there {
                        true => Event::ReplicasAdded { worker, graph, tasks },
                        false => Event::ReplicasMissing { worker, graph, tasks },
                    })
                }),
                Step::Pass(us) => {
                    world.now = world.now + Duration(us);
                    Some(world.event(Event::Tick))
                }
                Step::Cancel if cancels == 0 => Some(world.event(Event::GraphCancelled(GRAPH))),
                Step::Cancel => None,
                Step::Delegate(at, tasks, choice) => pick(at).filter(|(_, task)| members.get(*task as usize).is_none_or(|gang| *gang == 0)).map(|(worker, task)| {
                    let base = inputs.len() as u32;
                    let own = inputs[task as usize].clone();
                    for written in 0..tasks {
                        let before = (written > 0 && choice >> written & 1 == 0).then(|| base + written - 1);
                        let known = own.get((choice >> 8) as usize % own.len().max(1)).copied();
                        inputs.push(before.into_iter().chain(known).collect());
                    }
                    let lists: Vec<&[u32]> = inputs[base as usize..].iter().map(Vec::as_slice).collect();
                    world.delegate(worker, task, &lists, base + (choice >> 16) % tasks)
                }),
                Step::CancelTask(task) => Some(world.event(Event::TasksCancelled { graph: GRAPH, tasks: vec![TaskIndex(task % n)] })),
            };
            drop(text);
        }
        // Heal: fresh workers, every attempt ends well, time passes.
        (0..4).for_each(|more| world.join(next_worker + more, 2));
        world.settle();
        for _ in 0..2_000 {
            let Some((worker, task)) = world.assigned.iter().find_map(|(worker, list)| list.first().map(|(task, _)| (worker.0, task.0))) else {
                match world.core.next_timeout() {
                    Some((at, _)) => {
                        world.now = at;
                        world.event(Event::Tick);
                        continue;
                    }
                    None => break,
                }
            };
            world.finish(worker, task, 8);
        }
        let graph = world.core.graph_index(GRAPH).expect("held");
        let counts = world.core.graph_counts(graph).expect("held").clone();
        prop_assert_eq!(counts.assigned, 0);
        let open = world.core.graph(graph).open;
        prop_assert_eq!(open, 0, "everything has ended");
        world.event(Event::GraphReleased(GRAPH));
        prop_assert!(world.core.attempts.len() == 0);
    }
}
