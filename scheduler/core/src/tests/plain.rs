use super::world::{GRAPH, World, plan, plan_with};
use crate::Event;
use wasm_tasks_protocol::graph::{LabelRule, Settings};

#[test]
fn a_chain_is_sent_ahead_and_intermediates_are_released() {
    let mut world = World::new(&[1]);
    world.run = wasm_tasks_protocol::Duration(10);
    assert_eq!(world.submit(plan(&[&[], &[0], &[1], &[2]], &[3])), "0 -> w1; 1 -> w1 (0 pending)");
    // Now it is known how long a task takes: there is room for more, long before the worker would wait for it.
    assert_eq!(world.finish(1, 0, 100), "2 -> w1 (1 pending); 3 -> w1 (2 pending)");
    assert_eq!(world.finish(1, 1, 100), "release 0 at w1");
    assert_eq!(world.finish(1, 2, 100), "release 1 at w1");
    assert_eq!(world.finish(1, 3, 100), "output 3 ready; release 2 at w1; finished 4/4 failed 0+0");
    assert_eq!(world.event(Event::GraphReleased(GRAPH)), "forgotten at 1 workers");
}

#[test]
fn sending_a_chain_goes_on_when_half_of_it_is_done() {
    let mut world = World::new(&[1]);
    world.run = wasm_tasks_protocol::Duration(10);
    let edges: Vec<Vec<u32>> = (0..1_000u32).map(|task| task.checked_sub(1).into_iter().collect()).collect();
    let lists: Vec<&[u32]> = edges.iter().map(Vec::as_slice).collect();
    world.submit(plan(&lists, &[999]));
    let (mut sent, mut rounds) = (2, 0);
    for task in 0..1_000 {
        let text = world.finish(1, task, 100);
        let count = text.matches(" pending)").count();
        assert!(!text.contains(" -> w1 (") || count > 0, "what is sent does not wait for a result: {text}");
        rounds += u32::from(count > 0);
        sent += count as u32;
        assert!(sent > task + 1 || sent == 1_000, "after {task} the worker has something left to do");
    }
    assert!((sent, rounds <= 12) == (1_000, true), "{sent} tasks in {rounds} rounds: half a prefill at a time");
}

#[test]
fn what_no_output_needs_is_not_run() {
    let mut world = World::new(&[2]);
    assert_eq!(world.submit(plan(&[&[], &[], &[0, 1]], &[0])), "0 -> w1");
    assert_eq!(world.finish(1, 0, 100), "output 0 ready; finished 1/1 failed 0+0");
}

#[test]
fn siblings_that_meet_go_to_one_worker() {
    let mut world = World::new(&[2, 2]);
    let placed = world.submit(plan(&[&[], &[], &[], &[], &[0, 1], &[2, 3], &[4, 5]], &[6]));
    let worker_of = |task: u32| {
        placed
            .split("; ")
            .find(|text| text.starts_with(&format!("{task} -> ")))
            .map(|text| text.split(' ').nth(2).expect("a worker").to_owned())
    };
    assert!(worker_of(0).is_some());
    assert_eq!(worker_of(0), worker_of(1), "{placed}");
    assert_eq!(worker_of(2), worker_of(3), "{placed}");
}

#[test]
fn roots_are_withheld() {
    let mut world = World::new(&[1]);
    let edges: Vec<&[u32]> = vec![&[]; 100];
    let outputs: Vec<u32> = (0..100).collect();
    let placed = world.submit(plan(&edges, &outputs));
    assert_eq!(placed, "0 -> w1; 1 -> w1", "unknown length: one runs and one waits");
    // Each takes a second, which is much longer than a round trip.
    assert_eq!(world.finish(1, 0, 100), "output 0 ready", "what was sent before the length was known is as long");
    assert_eq!(world.finish(1, 1, 100), "output 1 ready; 2 -> w1", "long tasks are not sent before a slot is free");
    assert_eq!(world.finish(1, 2, 100), "output 2 ready; 3 -> w1");
}

#[test]
fn a_task_goes_where_its_bytes_are() {
    let mut world = World::new(&[1, 1]);
    // Two inputs that also feed others, so that nothing is sent ahead of them.
    world.submit(plan(&[&[], &[], &[0, 1]], &[0, 1, 2]));
    let holder = |world: &World, task: u32| {
        world.assigned.iter().find(|(_, list)| list.iter().any(|(assigned, _)| assigned.0 == task)).map(|(worker, _)| worker.0)
    };
    // Whoever has task 0 gives both back; the fresh worker then takes one of them.
    let first = holder(&world, 0).expect("placed");
    world.finish(first, 0, 500_000_000);
    let second = holder(&world, 1).expect("placed");
    let placed = if holder(&world, 2).is_none() { world.finish(second, 1, 1_000) } else { "2 was sent ahead".to_owned() };
    assert!(placed.contains(&format!("2 -> w{first}")) || placed == "2 was sent ahead", "{placed}");
    assert_eq!(holder(&world, 2), Some(first));
}

#[test]
fn labels_are_respected_and_explained() {
    let mut world = World::new(&[1, 1]);
    let rule = LabelRule::parse("zone=z2").expect("a rule");
    let settings = Settings { labels: vec![rule], ..Settings::default() };
    assert_eq!(world.submit(plan_with(&[&[], &[], &[]], &[0, 1, 2], settings)), "0 -> w2; 1 -> w2");
    let graph = world.core.graph_index(GRAPH).expect("submitted");
    let explanation = world.core.explain(crate::TaskId { graph, task: wasm_tasks_protocol::TaskIndex(2) }).expect("known");
    assert!(!explanation.is_unrunnable);
    assert_eq!(explanation.fits[1].lacks, ["its labels do not satisfy `zone=z2`"]);
}

#[test]
fn higher_priority_goes_first() {
    let mut world = World::new(&[1]);
    world.submit(plan(&[&[], &[], &[]], &[0, 1, 2]));
    let urgent = Settings { priority: 5, ..Settings::default() };
    let graph = wasm_tasks_protocol::GraphId([2; 16]);
    world.event(Event::GraphSubmitted { graph, plan: plan_with(&[&[]], &[0], urgent) });
    let placed = world.finish(1, 0, 1);
    assert_eq!(placed, "output 0 ready; 0 -> w1", "the urgent graph's task goes before task 2");
}

#[test]
fn an_idle_worker_steals_what_waits_and_never_a_chain() {
    // A chain sent ahead to one worker stays there while the other idles.
    let mut world = World::new(&[1, 1]);
    world.run = wasm_tasks_protocol::Duration(10);
    let placed = world.submit(plan(&[&[], &[0], &[1], &[2], &[3]], &[4]));
    assert!(!placed.contains("retract"), "{placed}");
    let at = world.assigned.keys().next().expect("placed").0;
    for task in 0..4 {
        let text = world.finish(at, task, 100);
        assert!(!text.contains("retract") && !text.contains("cancel"), "{text}");
    }
    // Independent tasks that turn out to be long are asked back for a worker that joins.
    let mut world = asked_back();
    assert_eq!(world.settle(), "", "asked once");
}

/// A worker with tasks that turned out to be long, just asked for some of them because another joined.
fn asked_back() -> World {
    let mut world = World::new(&[1]);
    world.run = wasm_tasks_protocol::Duration(10);
    let edges: Vec<&[u32]> = vec![&[]; 20];
    world.submit(plan(&edges, &(0..20).collect::<Vec<_>>()));
    world.finish(1, 0, 8);
    world.run = wasm_tasks_protocol::Duration(10_000_000);
    world.finish(1, 1, 8);
    world.join(2, 1);
    let text = world.finish(1, 2, 8);
    assert!(text.contains("retract"), "{text}");
    world
}

#[test]
fn a_worker_that_keeps_what_it_was_asked_for_is_not_asked_again_at_once() {
    let mut world = asked_back();
    let worker = wasm_tasks_protocol::ids::WorkerId(1);
    let all: Vec<_> = world.assigned[&worker].iter().map(|(_, attempt)| *attempt).collect();
    for _ in 0..3 {
        world.now.0 += 500;
        let refused = Event::Retracted { worker, asked: all.clone(), returned: Vec::new() };
        assert_eq!(world.event(refused), "", "what it was just asked for is left to it for a while");
    }
}
