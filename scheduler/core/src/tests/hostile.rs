//! Workers that lie, clocks that jump, requests that nothing can meet: whatever is said the invariants hold, nothing panics,
//! and when honest workers come everything that can end does.

use super::world::{GRAPH, World, plan_with};
use crate::core::TimerName;
use crate::{Action, Actions, Event, Expected, GraphPlan, SchedulerCore, WorkerPlan};
use proptest::prelude::*;
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::graph::{Resource, Settings};
use wasm_tasks_protocol::ids::{Attempt, GraphId, TaskIndex, WorkerId};
use wasm_tasks_protocol::time::{Duration, Time};

/// Numbers at which sums and products break.
fn extreme() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0u64),
        Just(1),
        Just(999),
        Just(u64::from(u32::MAX)),
        Just(1 << 40),
        Just(i64::MAX as u64),
        Just(u64::MAX - 1),
        Just(u64::MAX),
        any::<u64>(),
    ]
}

/// An attempt's number: of a live one, or made up.
#[derive(Clone, Debug)]
enum Pick {
    Live(usize),
    Invented(u64),
}

fn pick() -> impl Strategy<Value = Pick> {
    prop_oneof![5 => any::<usize>().prop_map(Pick::Live), 1 => extreme().prop_map(Pick::Invented)]
}

#[derive(Clone, Debug)]
enum Lie {
    Finished(u64, Pick, [u64; 3], bool),
    Failed(u64, Pick, u64),
    Returned(u64, Vec<Pick>, Vec<Pick>),
    Missing(u64, Pick, u32, Vec<u64>),
    Replicas(u64, bool, Vec<u32>),
    Joined(u64, [u64; 4]),
    Lost(u64),
    Leaving(u64),
    Measured(u64, u64),
    Clock(u64),
}

fn lie() -> impl Strategy<Value = Lie> {
    let worker = || 1u64..6;
    let picks = || proptest::collection::vec(pick(), 0..5);
    let task = || prop_oneof![0u32..12, Just(u32::MAX)];
    prop_oneof![
        8 => (worker(), pick(), [extreme(), extreme(), extreme()], any::<bool>()).prop_map(|(w, p, n, i)| Lie::Finished(w, p, n, i)),
        2 => (worker(), pick(), extreme()).prop_map(|(w, p, n)| Lie::Failed(w, p, n)),
        1 => (worker(), picks(), picks()).prop_map(|(w, a, r)| Lie::Returned(w, a, r)),
        2 => (worker(), pick(), task(), proptest::collection::vec(0u64..8, 0..4)).prop_map(|(w, p, t, h)| Lie::Missing(w, p, t, h)),
        2 => (worker(), any::<bool>(), proptest::collection::vec(task(), 0..6)).prop_map(|(w, g, t)| Lie::Replicas(w, g, t)),
        2 => (worker(), [extreme(), extreme(), extreme(), extreme()]).prop_map(|(w, n)| Lie::Joined(w, n)),
        1 => worker().prop_map(Lie::Lost),
        1 => worker().prop_map(Lie::Leaving),
        1 => (worker(), extreme()).prop_map(|(w, n)| Lie::Measured(w, n)),
        2 => extreme().prop_map(Lie::Clock),
    ]
}

fn pool(milli: u64) -> Resource {
    Resource { name: "gpu".into(), milli }
}

fn offer(numbers: [u64; 4]) -> WorkerPlan {
    let [slots_milli, memory_bytes, milli, round_trip] = numbers;
    WorkerPlan {
        slots_milli,
        memory_bytes,
        labels: Vec::new(),
        // Named twice: a sum of both would overflow.
        pools: vec![pool(milli), pool(u64::MAX)],
        round_trip: Duration(round_trip),
        leaves_at: None,
    }
}

impl World {
    fn number(&self, pick: &Pick) -> Attempt {
        let live: Vec<Attempt> = self.assigned.values().flatten().map(|(_, attempt)| *attempt).collect();
        match pick {
            Pick::Live(at) if !live.is_empty() => live[at % live.len()],
            Pick::Live(at) => Attempt(*at as u64),
            Pick::Invented(number) => Attempt(*number),
        }
    }

    fn tell(&mut self, lie: Lie) {
        let numbers = |world: &World, picks: &[Pick]| picks.iter().map(|pick| world.number(pick)).collect::<Vec<_>>();
        let event = match lie {
            Lie::Finished(worker, pick, [size, run, memory_peak_bytes], is_inline) => Event::AttemptFinished {
                worker: WorkerId(worker),
                attempt: self.number(&pick),
                size,
                run: Duration(run),
                memory_peak_bytes,
                is_inline,
            },
            Lie::Failed(worker, pick, run) => Event::AttemptFailed {
                worker: WorkerId(worker),
                attempt: self.number(&pick),
                code: ErrorCode::WorkerFault,
                run: Duration(run),
            },
            Lie::Returned(worker, asked, returned) => {
                Event::Retracted { worker: WorkerId(worker), asked: numbers(self, &asked), returned: numbers(self, &returned) }
            }
            Lie::Missing(worker, pick, task, tried) => Event::InputMissing {
                worker: WorkerId(worker),
                attempt: self.number(&pick),
                task: TaskIndex(task),
                tried: tried.into_iter().map(WorkerId).collect(),
            },
            Lie::Replicas(worker, is_known, tasks) => Event::ReplicasAdded {
                worker: WorkerId(worker),
                graph: if is_known { GRAPH } else { GraphId([9; 16]) },
                tasks: tasks.into_iter().map(TaskIndex).collect(),
            },
            Lie::Joined(worker, numbers) => Event::WorkerJoined { worker: WorkerId(worker), plan: offer(numbers) },
            Lie::Lost(worker) => Event::WorkerLost(WorkerId(worker)),
            Lie::Leaving(worker) => Event::WorkerLeaving(WorkerId(worker)),
            Lie::Measured(worker, us) => Event::WorkerMeasured { worker: WorkerId(worker), round_trip: Duration(us) },
            Lie::Clock(now) => {
                self.now = Time(now);
                Event::Tick
            }
        };
        self.event(event);
        // What the world lists is what is live; this is no world of honest reports.
        let core = &self.core;
        for (worker, list) in &mut self.assigned {
            list.retain(|(_, attempt)| core.attempt_task(*worker, *attempt).is_some());
        }
    }
}

/// Tasks in a ladder; those of some kinds ask for what hardly anybody has.
fn ladder(requests: &[[u64; 3]]) -> GraphPlan {
    let edges: Vec<Vec<u32>> = (0..12u32).map(|task| (task.saturating_sub(2)..task).collect()).collect();
    let lists: Vec<&[u32]> = edges.iter().map(Vec::as_slice).collect();
    let ordinary = Settings { retries: 1, backoff: Duration(1_000), ..Settings::default() };
    let mut plan = plan_with(&lists, &[11, 5], ordinary.clone());
    for (at, [slots_milli, memory_bytes, milli]) in requests.iter().enumerate() {
        let pools = if *milli == 0 { Vec::new() } else { vec![pool(*milli)] };
        let settings =
            Settings { slots_milli: *slots_milli, memory_bytes: *memory_bytes, memory_declared: true, pools, ..ordinary.clone() };
        plan.settings.push(settings);
        plan.task_settings[at * 3] = at as u32 + 1;
    }
    plan
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn lies_break_nothing(
        requests in proptest::collection::vec([extreme(), extreme(), extreme()], 0..4),
        hints in proptest::collection::vec([extreme(), extreme()], 12),
        has_hints in any::<bool>(),
        lies in proptest::collection::vec(lie(), 0..80),
    ) {
        let mut world = World::new(&[1, 2]);
        let mut plan = ladder(&requests);
        if has_hints {
            // Of no time, of days, of ages; of nothing, of more than there is.
            plan.expected = hints.into_iter().map(|[run_us, result_bytes]| Expected { run_us, result_bytes }).collect();
        }
        world.submit(plan);
        lies.into_iter().for_each(|lie| world.tell(lie));
        // The liars go, honest workers come.
        (1..6).for_each(|worker| drop(world.lose(worker)));
        world.join(10, 2);
        world.settle();
        for _ in 0..500 {
            let next = world.assigned.iter().find_map(|(worker, list)| list.first().map(|(task, _)| (worker.0, task.0)));
            match (next, world.core.next_timeout()) {
                (Some((worker, task)), _) => drop(world.finish(worker, task, 8)),
                (None, Some((at, _))) => {
                    world.now = world.now.max(at);
                    world.event(Event::Tick);
                }
                (None, None) => break,
            }
        }
        let graph = world.core.graph_index(GRAPH).expect("held");
        let counts = world.core.graph_counts(graph).expect("held").clone();
        prop_assert_eq!(counts.assigned, 0, "what can run has run");
        world.event(Event::GraphReleased(GRAPH));
        prop_assert!(world.core.attempts.len() == 0);
    }
}

#[test]
fn whoever_gives_back_unasked_gets_nothing_more() {
    let mut world = World::new(&[1]);
    world.submit(plan_with(&[&[], &[]], &[0, 1], Settings::default()));
    let attempt = world.take(1, 0);
    let text = world.event(Event::Retracted { worker: WorkerId(1), asked: vec![attempt], returned: vec![attempt] });
    assert_eq!(text, "", "the same worker would return it for ever");
    world.join(2, 1);
    assert_eq!(world.settle(), "0 -> w2");
}

/// Feeds a large graph without looking at everything after every event; the number of assignments that it took.
fn run_through(plan: GraphPlan) -> u64 {
    let mut core = SchedulerCore::new(&crate::Settings { first_serial: 1 });
    let mut actions = Actions::new();
    let mut now = Time(0);
    let worker = WorkerPlan {
        slots_milli: 1_000,
        memory_bytes: 1 << 30,
        labels: Vec::new(),
        pools: Vec::new(),
        round_trip: Duration(100),
        leaves_at: None,
    };
    core.handle(now, Event::WorkerJoined { worker: WorkerId(1), plan: worker }, &mut actions);
    core.handle(now, Event::GraphSubmitted { graph: GRAPH, plan }, &mut actions);
    core.handle(now, Event::Settle, &mut actions);
    let (mut assigned, mut is_finished) = (0, false);
    loop {
        let mut attempts = Vec::new();
        for action in actions.drain() {
            if let Action::Assign { attempt, .. } = &action {
                attempts.push(*attempt);
            }
            is_finished |= matches!(action, Action::GraphFinished { .. });
        }
        assigned += attempts.len() as u64;
        if attempts.is_empty() {
            break;
        }
        now = now + Duration(1_000);
        for attempt in attempts {
            let event = Event::AttemptFinished {
                worker: WorkerId(1),
                attempt,
                size: 8,
                run: Duration(1),
                memory_peak_bytes: 0,
                is_inline: true,
            };
            core.handle(now, event, &mut actions);
        }
        core.handle(now, Event::Settle, &mut actions);
    }
    assert!(is_finished, "it ended");
    core.check_invariants();
    core.handle(now, Event::GraphReleased(GRAPH), &mut actions);
    core.check_invariants();
    assigned
}

fn large(tasks: u32, inputs: impl Fn(u32) -> std::ops::Range<u32>) -> GraphPlan {
    let mut plan = GraphPlan { dependency_starts: vec![0], settings: vec![Settings::default()], ..GraphPlan::default() };
    for task in 0..tasks {
        plan.dependencies.extend(inputs(task).map(TaskIndex));
        plan.dependency_starts.push(plan.dependencies.len() as u32);
    }
    plan.functions = vec![0; tasks as usize];
    plan.task_settings = vec![0; tasks as usize];
    plan.outputs = vec![TaskIndex(tasks - 1)];
    plan
}

#[test]
fn a_chain_of_a_million_tasks_runs_to_its_end() {
    assert_eq!(run_through(large(1_000_000, |task| task.saturating_sub(1)..task)), 1_000_000);
}

#[test]
fn a_task_with_a_million_inputs_runs() {
    assert_eq!(run_through(large(1_000_001, |task| if task == 1_000_000 { 0..task } else { 0..0 })), 1_000_001);
}

#[test]
fn a_result_with_a_million_dependents_is_let_go_after_the_last() {
    let inputs = |task: u32| match task {
        0 => 0..0,
        1_000_001 => 1..task,
        _ => 0..1,
    };
    assert_eq!(run_through(large(1_000_002, inputs)), 1_000_002);
}

/// Every task asks for an amount of memory of its own, and the last needs them all.
fn of_many_shapes(tasks: u32) -> GraphPlan {
    let mut plan = large(tasks + 1, |task| if task == tasks { 0..task } else { 0..0 });
    for task in 0..tasks {
        let settings = Settings { memory_bytes: (1 << 20) + u64::from(task), memory_declared: true, ..Settings::default() };
        plan.settings.push(settings);
        plan.task_settings[task as usize] = task + 1;
    }
    plan
}

#[test]
fn a_hundred_thousand_tasks_may_all_ask_for_something_else() {
    assert_eq!(run_through(of_many_shapes(100_000)), 100_001);
}

#[test]
fn what_fits_runs_however_many_others_do_not() {
    let mut world = World::new(&[1]);
    let mut plan = of_many_shapes(2_000);
    // All but one ask for more than is free beside what runs, and that one is the least urgent.
    for settings in &mut plan.settings[1..2_000] {
        (settings.memory_bytes, settings.slots_milli) = (settings.memory_bytes + (1 << 29), 500);
    }
    plan.settings[2_000].slots_milli = 500;
    let text = world.submit(plan);
    assert_eq!(text, "0 -> w1", "half of a slot and more than half of the memory");
    // It comes to those who were passed over in rounds that nothing but their number asks for.
    let mut rounds = 0;
    while let Some((at, TimerName::Placement)) = world.core.next_timeout() {
        world.now = at;
        rounds += 1;
        assert!(rounds < 100, "it goes round in circles");
        world.event(Event::Tick);
    }
    assert_eq!(world.assigned_at(1), [0, 1_999]);
}

#[test]
fn a_chain_of_a_million_tasks_fails_and_is_cancelled_as_a_whole() {
    for is_cancelled in [false, true] {
        let mut core = SchedulerCore::new(&crate::Settings { first_serial: 1 });
        let mut actions = Actions::new();
        core.handle(Time(0), Event::WorkerJoined { worker: WorkerId(1), plan: offer([1_000, 1, 1, 1]) }, &mut actions);
        let plan = large(1_000_000, |task| task.saturating_sub(1)..task);
        core.handle(Time(0), Event::GraphSubmitted { graph: GRAPH, plan }, &mut actions);
        core.handle(Time(0), Event::Settle, &mut actions);
        let first =
            actions.drain().find_map(|action| if let Action::Assign { attempt, .. } = action { Some(attempt) } else { None });
        let failed = Event::AttemptFailed {
            worker: WorkerId(1),
            attempt: first.expect("assigned"),
            code: ErrorCode::Trap,
            run: Duration(1),
        };
        core.handle(Time(1), if is_cancelled { Event::GraphCancelled(GRAPH) } else { failed }, &mut actions);
        assert!(actions.drain().any(|action| matches!(action, Action::GraphFinished { .. })));
        core.check_invariants();
    }
}
