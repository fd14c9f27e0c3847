//! A random run with faults: graphs, workers, what goes wrong and when, all from one seed.

use crate::checks::{self, Violation};
use crate::core_shell::CoreShell;
use crate::coverage::{Coverage, FaultKind};
use crate::network::NetModel;
use crate::random::Random;
use crate::scheduler::{Offer, Scheduler};
use crate::work::{Fate, Work, WorkTask};
use crate::world::{World, WorldSettings};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use wasm_tasks_protocol::graph::Resource;
use wasm_tasks_protocol::ids::{Attempt, GraphId, TaskIndex, WorkerId};
use wasm_tasks_protocol::message::{AttemptFailed, FromWorker};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_protocol::{ErrorCode, TaskError, Time};

/// Moments of a run at most; a run that has more does not converge.
const STEPS_MAX: u64 = 50_000;

/// What happens besides the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Something goes wrong.
    Kind(FaultKind),
    /// From now on nothing goes wrong any more.
    Heal,
}

/// A run that broke something.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What was broken.
    pub violation: Violation,
    /// What happened, when it was asked for.
    pub trace: Vec<String>,
}

type ScenarioWorld = World<CoreShell, Fault>;

/// Runs one seed.
///
/// # Errors
/// What was broken.
pub fn run(seed: u64, is_traced: bool) -> Result<Coverage, Box<Failure>> {
    let mut random = Random::new(seed);
    let mut world = build(&mut random, is_traced);
    let outcome = catch_unwind(AssertUnwindSafe(|| play(&mut world)));
    let violation = match outcome {
        Ok(Ok(())) => {
            let mut coverage = world.scheduler.coverage.clone();
            coverage.worker_events = world.close().happenings;
            return Ok(coverage);
        }
        Ok(Err(violation)) => violation,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Violation::Panic(text.unwrap_or_else(|| "a panic without words".to_owned()))
        }
    };
    let trace = world.scheduler.trace.take().unwrap_or_default();
    Err(Box::new(Failure { seed, violation, trace }))
}

fn build(random: &mut Random, is_traced: bool) -> ScenarioWorld {
    let settings = WorldSettings {
        model: if random.chance(300) { NetModel::MaxMin } else { NetModel::Simple },
        bandwidth: 1 << random.between(20, 28),
        latency: Duration(random.between(20, 2_000)),
        jitter: Duration(random.below(3_000)),
        load: Duration(random.between(1, 5_000)),
        notice: Duration(random.between(1, 50_000)),
        is_checked: true,
    };
    let mut scheduler = CoreShell::new(1);
    scheduler.trace = is_traced.then(Vec::new);
    let mut world = World::new(settings, scheduler, random.bits());
    for _ in 0..random.between(1, 4) {
        let offer = offer(random);
        let speed = if random.chance(200) { 0.3 } else { 1.0 };
        world.join(&offer, speed);
    }
    let mut window = 0;
    for graph in 1..=random.between(1, 3) {
        let work = random_work(random, graph);
        let at = Time(random.below(100_000));
        window = window.max(at.0 + work.slot_micros() as u64 / 2);
        world.submit(at, GraphId([graph as u8; 16]), Arc::new(work));
    }
    let kinds: Vec<FaultKind> =
        FaultKind::ALL.into_iter().filter(|kind| *kind != FaultKind::None && random.chance(350)).collect();
    let window = window.clamp(20_000, 2_000_000);
    for _ in 0..random.below(16) {
        if let Some(kind) = random.pick(&kinds) {
            world.plan_fault(Time(random.below(window)), Fault::Kind(*kind));
        }
    }
    world.plan_fault(Time(window + 1), Fault::Heal);
    world
}

fn offer(random: &mut Random) -> Offer {
    let gpus = random.below(3) * 1_000;
    Offer {
        slots: random.between(1, 4) as u32,
        pools: if gpus == 0 { Vec::new() } else { vec![Resource { name: "gpu".to_owned(), milli: gpus }] },
        labels: vec![("zone".to_owned(), format!("z{}", random.below(2)))],
        round_trip: Duration(random.between(50, 5_000)),
    }
}

/// A graph of up to 60 tasks.
fn random_work(random: &mut Random, graph: u64) -> Work {
    let n = random.between(1, 60);
    let lengths = [random.between(5, 500), random.between(500, 20_000), random.between(20_000, 200_000)];
    let reach = random.between(1, n);
    let mut tasks = Vec::new();
    for position in 0..n {
        let function = random.below(lengths.len() as u64);
        let length = lengths[function as usize] * random.between(50, 150) / 100;
        let size = *random.pick(&[16, 3_000, 100_000, 5_000_000]).expect("it has elements");
        let mut task = WorkTask::new(length as f64 / 1e6, length as f64 / 1e6, size);
        task.function = function as u32;
        for _ in 0..random.below(4).min(position) {
            task.needs.push((TaskIndex((position - 1 - random.below(reach.min(position))) as u32), 0));
        }
        task.settings.retries = random.below(4) as u32;
        task.settings.backoff = Duration(random.between(1, 20_000));
        task.fate = match random.below(100) {
            0..=2 => Fate::Fails(ErrorCode::Trap),
            3..=9 => Fate::FailsFirst(random.between(1, 3) as u32, ErrorCode::GuestError),
            _ => Fate::Fine,
        };
        match random.below(20) {
            0 => task.settings.slots_milli = 500,
            1 => task.settings.slots_milli = 2_000,
            2 => task.settings.pools = vec![Resource { name: "gpu".to_owned(), milli: 1_000 }],
            3 => task.settings.priority = random.below(5) as i32 - 2,
            _ => {}
        }
        tasks.push(task);
    }
    let outputs = random.chance(600).then(|| (0..random.between(1, 4)).map(|_| TaskIndex(random.below(n) as u32)).collect());
    Work::new(format!("random-{graph}"), tasks, outputs, random.bits()).expect("tasks need earlier ones only")
}

fn play(world: &mut ScenarioWorld) -> Result<(), Violation> {
    let mut steps = 0;
    while let Some(faults) = world.step() {
        for fault in faults {
            strike(world, fault);
        }
        steps += 1;
        if steps > STEPS_MAX {
            return Err(Violation::NoEnd { steps });
        }
    }
    checks::after_heal(world)?;
    for graph in world.graphs.keys().copied().collect::<Vec<_>>() {
        world.scheduler.on_released(world.now, graph);
    }
    world.wake_scheduler();
    while world.step().is_some() {}
    checks::after_release(world)
}

fn strike(world: &mut ScenarioWorld, fault: Fault) {
    let kind = match fault {
        Fault::Kind(kind) => kind,
        Fault::Heal => {
            for _ in 0..2 {
                let pools = vec![Resource { name: "gpu".to_owned(), milli: 2_000 }];
                let offer = Offer { slots: 4, pools, labels: Vec::new(), round_trip: Duration(1_000) };
                world.join(&offer, 1.0);
            }
            world.workers.values_mut().for_each(|worker| worker.faults_to_come = 0);
            return;
        }
    };
    world.scheduler.coverage.fault(kind);
    let mut random = Random::new(world.random.bits());
    let ids: Vec<WorkerId> = world.workers.keys().copied().collect();
    let victim = random.pick(&ids).copied();
    let graphs: Vec<GraphId> = world.graphs.keys().copied().collect();
    match (kind, victim) {
        (FaultKind::Join, _) => {
            let offer = offer(&mut random);
            world.join(&offer, 1.0);
        }
        (FaultKind::Cancel, _) => {
            if let Some(graph) = random.pick(&graphs) {
                world.scheduler.on_cancelled(world.now, *graph);
                world.wake_scheduler();
            }
        }
        (FaultKind::Release, _) => {
            if let Some(graph) = random.pick(&graphs) {
                world.scheduler.on_released(world.now, *graph);
                world.wake_scheduler();
            }
        }
        (FaultKind::StaleReport, _) => stale_report(world, &mut random),
        (FaultKind::None, _) | (_, None) => {}
        (FaultKind::Crash, Some(victim)) => world.crash(victim),
        (FaultKind::LinkLost, Some(victim)) => world.lose_link(victim),
        (FaultKind::Delay, Some(victim)) => world.stall(victim, Duration(random.below(200_000))),
        (FaultKind::Partition, Some(victim)) => {
            if let Some(other) = random.pick(&ids).copied() {
                world.partition(victim, other, Duration(random.below(300_000)));
            }
        }
        (FaultKind::Leave, Some(victim)) => {
            let now = world.now;
            if let Some(process) = world.workers.get_mut(&victim) {
                process.feed(now, wasm_tasks_worker_core::Event::Drain);
                world.wake(victim);
            }
        }
        (FaultKind::LostReplica, Some(victim)) => {
            if let Some(process) = world.workers.get_mut(&victim) {
                process.lose_one(random.bits());
            }
        }
        (FaultKind::TaskFault, Some(victim)) => {
            if let Some(process) = world.workers.get_mut(&victim) {
                process.faults_to_come += random.between(1, 3) as u32;
            }
        }
        (FaultKind::Straggler, Some(victim)) => {
            if let Some(process) = world.workers.get_mut(&victim) {
                process.speed = 0.05;
            }
        }
    }
}

/// A report that came before comes again, or one of something that never was.
fn stale_report(world: &mut ScenarioWorld, random: &mut Random) {
    let now = world.now;
    let unknown = Attempt(random.bits());
    let worker = WorkerId(random.below(8));
    let message = match random.below(4) {
        0 => FromWorker::Retracted { asked: vec![unknown], returned: vec![unknown] },
        1 => FromWorker::InputMissing { attempt: unknown, task: TaskIndex(random.bits() as u32), tried: vec![worker] },
        2 => {
            let error = TaskError::new(ErrorCode::Trap, "an invention");
            FromWorker::AttemptFailed(AttemptFailed { attempt: unknown, run: Duration(1), has_logs: false, error })
        }
        _ => {
            let old = random.below(world.scheduler.reports.len() as u64) as usize;
            let Some((from, message)) = world.scheduler.reports.get(old).cloned() else { return };
            if is_over(world, from, &message) {
                world.scheduler.on_said(now, from, message);
                world.wake_scheduler();
            }
            return;
        }
    };
    world.scheduler.on_said(now, worker, message);
    world.wake_scheduler();
}

fn is_over(world: &ScenarioWorld, worker: WorkerId, message: &FromWorker) -> bool {
    let is_over = |attempt: &Attempt| world.scheduler.core.attempt_task(worker, *attempt).is_none();
    match message {
        FromWorker::AttemptsFinished(list) => list.iter().all(|report| is_over(&report.attempt)),
        FromWorker::AttemptFailed(report) => is_over(&report.attempt),
        FromWorker::Retracted { asked, .. } => asked.iter().all(is_over),
        FromWorker::InputMissing { attempt, .. } => is_over(attempt),
        FromWorker::Joined(_)
        | FromWorker::AttemptsStarted(_)
        | FromWorker::ReplicasAdded { .. }
        | FromWorker::Heartbeat { .. }
        | FromWorker::Leaving => false,
    }
}
