//! Placement of what takes long or moves much.

use super::world::{World, plan};
use crate::fan::FAN_BYTES_MIN;
use crate::{Event, Expected, GraphPlan};
use wasm_tasks_protocol::ids::WorkerId;
use wasm_tasks_protocol::time::Duration;

const MIB: u64 = 1 << 20;

/// A plan whose tasks are expected to take so many milliseconds and to make so many MiB.
fn expecting(mut plan: GraphPlan, tasks: &[(u64, u64)]) -> GraphPlan {
    let expected = |(ms, mib): &(u64, u64)| Expected { run_us: ms * 1_000, result_bytes: mib * MIB };
    plan.expected = tasks.iter().map(expected).collect();
    plan
}

#[test]
fn the_holder_whose_way_up_is_free_is_asked_first() {
    let mut world = World::new(&[1, 1, 1, 1]);
    world.run = Duration::from_millis(100);
    // A result that is large enough to be booked on the links, and too small to be given on in turns.
    let size = FAN_BYTES_MIN - 1;
    let edges: &[&[u32]] = &[&[], &[0], &[0], &[0], &[0]];
    let lengths = [(100, 0), (60_000, 0), (60_000, 0), (60_000, 0), (60_000, 0)];
    assert_eq!(world.submit(expecting(plan(edges, &[1, 2, 3, 4]), &lengths)), "0 -> w1");
    let first = world.finish(1, 0, size);
    assert!(first.contains("-> w2 (0 at 1)"), "the first copy can only come from where it was made: {first}");
    let graph = super::world::GRAPH;
    let second = world.event(Event::ReplicasAdded { worker: WorkerId(2), graph, tasks: vec![wasm_tasks_protocol::TaskIndex(0)] });
    assert!(second.contains("(0 at 2+1)"), "worker 1 sends already: {first} and then {second}");
}

#[test]
fn a_task_waits_for_its_input_s_worker_where_links_are_slow() {
    // 100 MiB that two tasks of 5 s need, on two workers of one slot: over a link of a gigabit a second the second task has its
    // input sooner than a slot, over one of 10 MiB a second it does not.
    let edges: &[&[u32]] = &[&[], &[0], &[0]];
    let lengths = [(100, 100), (5_000, 0), (5_000, 0)];
    for (bytes, answer) in [(None, "1 -> w1 (0 at 1); 2 -> w2 (0 at 1)"), (Some(10 * MIB), "1 -> w1 (0 at 1)")] {
        let mut world = World::new(&[1, 1]);
        world.run = Duration::from_millis(100);
        world.submit(expecting(plan(edges, &[1, 2]), &lengths));
        if let Some(bytes) = bytes {
            world.event(Event::BytesFetched { worker: WorkerId(2), bytes, took: Duration::from_millis(1_000) });
        }
        let placed = world.finish(1, 0, 100 * MIB);
        assert_eq!(placed, answer, "{bytes:?} bytes a second");
    }
}

#[test]
fn a_task_is_expected_to_take_what_tasks_that_are_given_as_much_take() {
    // Two tasks make little and much, then one that is given little takes 1 ms and one that is given much 1 s.
    let mut world = World::new(&[1]);
    let mut plan = plan(&[&[], &[], &[0], &[1], &[0], &[1], &[0, 1]], &[2, 3, 4, 5, 6]);
    plan.functions = vec![0, 0, 1, 1, 1, 1, 1];
    world.submit(plan);
    let what = [(2 << 10, 1), (2 * MIB, 1), (100, 1), (100, 1_000)];
    while let Some(next) = (0..4).find(|task| world.assigned_at(1).contains(task)) {
        let (size, ms) = what[next as usize];
        world.run = Duration::from_millis(ms);
        world.finish(1, next, size);
    }
    let graph = world.core.graph_index(super::world::GRAPH).expect("the graph is there");
    let known = [4, 5, 6].map(|task| world.core.length_us(crate::TaskId { graph, task: wasm_tasks_protocol::TaskIndex(task) }));
    assert_eq!(known, [Some(1_000), Some(1_000_000), Some(1_000_000)]);
}

#[test]
fn links_are_what_was_measured_last_and_best_within_reason() {
    let mut world = World::new(&[1, 1, 1]);
    let mut measure = |worker: u64, bytes: u64, ms: u64| {
        world.event(Event::BytesFetched { worker: WorkerId(worker), bytes, took: Duration::from_millis(ms) });
        [0, 1, 2].map(|index| world.core.bandwidth_down(crate::worker::WorkerIndex(index)) / MIB)
    };
    // What is known of one link is what the others are taken for.
    assert_eq!(measure(1, 40 * MIB, 1_000), [40, 40, 40]);
    // Less may have come because others got from the same holder.
    assert_eq!(measure(1, 10 * MIB, 1_000), [40, 40, 40]);
    assert_eq!((0..15).map(|_| measure(1, 10 * MIB, 1_000)).last(), Some([10, 40, 40]), "sixteen times less is less");
    // Lies are cut, and links of which enough was measured are what was measured.
    assert_eq!(measure(2, u64::MAX, 0), [10, 16 << 10, 16 << 10]);
    (0..64).for_each(|_| {
        measure(3, 20 * MIB, 1_000);
    });
    assert_eq!(measure(2, 0, u64::MAX / 1_000), [10, 20, 20], "what was said long ago is forgotten");
    measure(77, MIB, 1);
    assert_eq!(world.core.counters().stale_reports, 1);
}

#[test]
fn a_holder_that_gives_to_several_at_once_makes_no_link_slow() {
    let mut world = World::new(&[1, 1, 1]);
    let of = |world: &World, at: u32| {
        let index = crate::worker::WorkerIndex(at);
        (world.core.bandwidth_down(index) / MIB, world.core.bandwidth_up(index) / MIB)
    };
    let second = Duration::from_millis(1_000);
    for _ in 0..16 {
        // Two workers get 50 MiB each of what the third gives, which is 100 MiB in all.
        for worker in [1, 2] {
            world.event(Event::BytesFetched { worker: WorkerId(worker), bytes: 50 * MIB, took: second });
        }
        world.event(Event::BytesGiven { worker: WorkerId(3), bytes: 100 * MIB, took: second });
    }
    assert_eq!((of(&world, 2), of(&world, 0)), ((100, 100), (50, 100)), "nobody saw more than 50 MiB come");
    (0..16).for_each(|_| {
        world.event(Event::BytesGiven { worker: WorkerId(1), bytes: 90 * MIB, took: second });
    });
    assert_eq!(of(&world, 0), (90, 90), "what goes up goes down");
    // Lies are cut.
    world.event(Event::BytesGiven { worker: WorkerId(1), bytes: u64::MAX, took: Duration::ZERO });
    assert_eq!(of(&world, 0), (16 << 10, 16 << 10));
    world.event(Event::BytesGiven { worker: WorkerId(77), bytes: MIB, took: second });
    assert_eq!(world.core.counters().stale_reports, 1);
}

#[test]
fn what_many_need_has_no_home() {
    // Six results of 100 MiB that meet each other in pairs: each is needed five times.
    let pairs: Vec<Vec<u32>> = (0..6).flat_map(|one| (one + 1..6).map(move |other| vec![one, other])).collect();
    let mut edges: Vec<&[u32]> = vec![&[]; 6];
    edges.extend(pairs.iter().map(Vec::as_slice));
    let outputs: Vec<u32> = (6..edges.len() as u32).collect();
    let lengths: Vec<(u64, u64)> = edges.iter().map(|needs| if needs.is_empty() { (20, 100) } else { (1_000, 0) }).collect();
    let mut world = World::new(&[6, 6, 6]);
    let placed = world.submit(expecting(plan(&edges, &outputs), &lengths));
    for worker in 1..=3 {
        assert_eq!(world.assigned_at(worker).len(), 2, "one worker alone would have to send them all: {placed}");
    }
}

/// Worker 1 wrote the first task's result to disk.
fn spilled(took_ms: u64) -> Event {
    let task = wasm_tasks_protocol::TaskIndex(0);
    Event::ResultSpilled { worker: WorkerId(1), graph: super::world::GRAPH, task, took: Duration::from_millis(took_ms) }
}

#[test]
fn a_copy_in_memory_is_nearer_than_one_on_disk() {
    for (spilled_ms, answer) in [(None, "1 -> w1"), (Some(20), "1 -> w2")] {
        let mut world = World::new(&[1, 1]);
        world.submit(expecting(plan(&[&[], &[0]], &[1]), &[(100, 10), (100, 0)]));
        finish_first(&mut world);
        let tasks = vec![wasm_tasks_protocol::TaskIndex(0)];
        world.handle(Event::ReplicasAdded { worker: WorkerId(2), graph: super::world::GRAPH, tasks });
        if let Some(ms) = spilled_ms {
            world.handle(spilled(ms));
        }
        let placed = world.settle();
        assert!(placed.starts_with(answer), "written in {spilled_ms:?} ms: {placed}");
    }
}

/// The first task ends at worker 1 with 10 MiB, and nothing is placed yet.
fn finish_first(world: &mut World) {
    let attempt = world.take(1, 0);
    let (worker, run) = (WorkerId(1), Duration::from_millis(100));
    world.handle(Event::AttemptFinished { worker, attempt, size: 10 * MIB, run, memory_peak_bytes: 0, is_inline: false });
}

#[test]
fn a_task_goes_where_its_input_is_even_when_reading_it_takes_a_while() {
    // From elsewhere it would be read too, and then it would have to move.
    let mut world = World::new(&[1, 1]);
    world.submit(expecting(plan(&[&[], &[0]], &[1]), &[(100, 10), (100, 0)]));
    finish_first(&mut world);
    world.handle(spilled(2_000));
    assert_eq!(world.settle(), "1 -> w1 (0 at 1)");
    world.finish(1, 1, 8);
    world.event(spilled(1));
    assert_eq!(world.core.counters().stale_reports, 1, "the result was released");
}
