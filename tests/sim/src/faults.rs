//! What goes wrong in a random run, and how it is done.

use crate::core_shell::CoreShell;
use crate::coverage::FaultKind;
use crate::draw;
use crate::random::Random;
use crate::scheduler::Scheduler;
use crate::world::World;
use wasm_tasks_protocol::ids::{Attempt, ContentDigest, GraphId, TaskIndex, WorkerId};
use wasm_tasks_protocol::message::{AttemptFailed, AttemptFinished, FromWorker};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_protocol::{ErrorCode, TaskError};
use wasm_tasks_scheduler_core::{StateName, TaskId};

/// What happens besides the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Something goes wrong.
    Kind(FaultKind),
    /// The next piece of a graph is submitted.
    Extend(GraphId),
    /// A client lets go of one of a graph's outputs.
    LetGo(GraphId),
    /// The only worker that the scheduler knows to have a result ends, when another has it too and the word of that is on its way.
    CrashHolder,
    /// A client wants copies of a graph's results.
    WantCopies(GraphId),
    /// From now on nothing goes wrong any more.
    Heal,
}

/// A world in which things go wrong.
pub type ScenarioWorld = World<CoreShell, Fault>;

/// Does what the fault is.
pub(crate) fn strike(world: &mut ScenarioWorld, fault: Fault) {
    let kind = match fault {
        Fault::Kind(kind) => kind,
        Fault::Extend(graph) => {
            world.scheduler.on_extended(world.now, graph);
            return world.wake_scheduler();
        }
        Fault::WantCopies(graph) => {
            let pick = world.random.bits();
            world.scheduler.want_copies(world.now, graph, pick);
            return world.wake_scheduler();
        }
        Fault::LetGo(graph) => {
            let pick = world.random.bits();
            world.scheduler.let_go(world.now, graph, pick);
            return world.wake_scheduler();
        }
        Fault::CrashHolder => {
            if let Some(holder) = only_known_holder(world) {
                world.scheduler.coverage.fault(FaultKind::Crash, world.now, Duration::ZERO);
                world.crash_in_sight(holder);
            }
            return;
        }
        Fault::Heal => {
            for _ in 0..crate::gangs::MEMBERS_MAX {
                world.join(&draw::large_offer(), 1.0);
            }
            for worker in world.workers.values_mut() {
                worker.faults_to_come = 0;
                worker.store.set_disk_full(false);
            }
            return;
        }
    };
    let mut random = Random::new(world.random.bits());
    let now = world.now;
    let length = match kind {
        FaultKind::Delay | FaultKind::Partition | FaultKind::Duplicate | FaultKind::Reorder | FaultKind::FullDisk => {
            Duration(random.below(300_000))
        }
        FaultKind::Straggler => Duration(500_000),
        FaultKind::None
        | FaultKind::Crash
        | FaultKind::LinkLost
        | FaultKind::LostReplica
        | FaultKind::Join
        | FaultKind::Leave
        | FaultKind::TaskFault
        | FaultKind::StaleReport
        | FaultKind::Cancel
        | FaultKind::Release => Duration::ZERO,
    };
    world.scheduler.coverage.fault(kind, now, length);
    let ids: Vec<WorkerId> = world.workers.keys().copied().collect();
    let victim = random.pick(&ids).copied();
    let graphs: Vec<GraphId> = world.graphs.keys().copied().collect();
    match (kind, victim) {
        (FaultKind::Join, _) => {
            let offer = draw::offer(&mut random);
            world.join(&offer, 1.0);
        }
        (FaultKind::Cancel, _) => {
            if let Some(graph) = random.pick(&graphs) {
                if random.chance(500) {
                    world.scheduler.on_cancelled(world.now, *graph);
                } else {
                    let n = world.graphs[graph].tasks.len() as u64;
                    let tasks = (0..random.between(1, 4)).map(|_| TaskIndex(random.below(n) as u32)).collect();
                    world.scheduler.on_tasks_cancelled(world.now, *graph, tasks);
                }
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
        (FaultKind::Delay, Some(victim)) => world.stall(victim, length),
        (FaultKind::Partition, Some(victim)) => {
            if let Some(other) = random.pick(&ids).copied() {
                world.partition(victim, other, length);
            }
        }
        (FaultKind::Duplicate, Some(victim)) => world.duplicate(victim, length),
        (FaultKind::Reorder, Some(_)) => world.reorder(length),
        (FaultKind::FullDisk, Some(victim)) => {
            if let Some(process) = world.workers.get_mut(&victim) {
                process.store.set_disk_full(true);
            }
        }
        (FaultKind::Leave, Some(victim)) => {
            let within = random.chance(300).then(|| Duration(random.below(100_000)));
            if random.chance(500) {
                let gives_up = random.chance(200);
                world.scheduler.on_drain(now, victim, within, gives_up);
                world.wake_scheduler();
            } else if let Some(process) = world.workers.get_mut(&victim) {
                process.feed(now, wasm_tasks_worker_core::Event::Drain { within });
                world.wake(victim);
            }
        }
        (FaultKind::LostReplica, Some(victim)) => {
            if let Some(process) = world.workers.get_mut(&victim) {
                process.store.lose_one(random.bits());
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

/// A worker that is the only one known to have some result, which others have too.
fn only_known_holder(world: &ScenarioWorld) -> Option<WorkerId> {
    let core = &world.scheduler.core;
    let known = |(graph, task): (GraphId, TaskIndex)| {
        let why = core.explain(TaskId { graph: core.graph_index(graph)?, task })?;
        (why.state == StateName::Done && why.workers.len() == 1).then(|| why.workers[0])
    };
    let found = world.workers.iter().flat_map(|(worker, process)| {
        let holders = process.holdings().into_iter().filter_map(known);
        holders.filter(move |holder| holder != worker)
    });
    found.into_iter().next()
}

/// A report that came before comes again, or one of something that never was.
fn stale_report(world: &mut ScenarioWorld, random: &mut Random) {
    let now = world.now;
    // One that never was, one that another worker has or had, or an old one in the place of a live one.
    let recent = world.scheduler.assigned.iter().rev().nth(random.below(32) as usize).copied();
    let worker = WorkerId(random.below(8));
    let unknown = match (random.below(3), recent) {
        (0, Some((holder, attempt))) if holder != worker => attempt,
        (1, Some((_, attempt))) => Attempt(attempt.0 ^ (1 << 50)),
        _ => Attempt(random.bits()),
    };
    let message = match random.below(6) {
        0 => FromWorker::Retracted { asked: vec![unknown], returned: vec![unknown] },
        1 => FromWorker::InputMissing { attempt: unknown, task: TaskIndex(random.bits() as u32), tried: vec![worker] },
        2 => {
            let error = TaskError::new(ErrorCode::Trap, "an invention");
            FromWorker::AttemptFailed(AttemptFailed { attempt: unknown, run: Duration(1), has_logs: false, error })
        }
        3 => FromWorker::AttemptsFinished(vec![invented_report(unknown)]),
        4 => FromWorker::ReplicasAdded { graph: GraphId([200; 16]), tasks: vec![TaskIndex(random.bits() as u32)] },
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

fn invented_report(attempt: Attempt) -> AttemptFinished {
    AttemptFinished {
        attempt,
        size: u64::MAX,
        digest: ContentDigest([1; 32]),
        run: Duration(1),
        memory_peak_bytes: u64::MAX,
        fuel_used: None,
        has_logs: false,
        inline: None,
    }
}

fn is_over(world: &ScenarioWorld, worker: WorkerId, message: &FromWorker) -> bool {
    let is_over = |attempt: &Attempt| world.scheduler.core.attempt_task(worker, *attempt).is_none();
    match message {
        FromWorker::AttemptsFinished(list) => list.iter().all(|report| is_over(&report.attempt)),
        FromWorker::AttemptFailed(report) => is_over(&report.attempt),
        FromWorker::AttemptDelegated(report) => is_over(&report.attempt),
        FromWorker::Retracted { asked, .. } => asked.iter().all(is_over),
        FromWorker::InputMissing { attempt, .. } => is_over(attempt),
        FromWorker::Joined(_)
        | FromWorker::AttemptsStarted(_)
        | FromWorker::ReplicasAdded { .. }
        | FromWorker::ReplicasMissing { .. }
        | FromWorker::Draining { .. }
        | FromWorker::MemoryShort(_)
        | FromWorker::BytesFetched { .. }
        | FromWorker::ResultSpilled { .. }
        | FromWorker::ComponentLoaded { .. }
        | FromWorker::ComponentUnloaded { .. }
        | FromWorker::BytesGiven { .. }
        | FromWorker::Heartbeat { .. }
        | FromWorker::Leaving => false,
    }
}
