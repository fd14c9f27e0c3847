//! What must be true when the trouble is over: the reference model against which runs are judged.

use crate::core_shell::CoreShell;
use crate::coverage::FaultKind;
use crate::faults::Fault;
use crate::scheduler::Scheduler;
use crate::work::{Fate, Work, decode};
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::ids::{GraphId, TaskIndex, WorkerId};
use wasm_tasks_protocol::limits::WORKER_DEATHS_MAX;
use wasm_tasks_scheduler_core::{Event, OutputOutcome, StateName, TaskId};

/// What a run broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// An invariant of a core, or of the simulator about a core.
    #[error("panic: {0}")]
    Panic(String),
    /// Something that the scheduler promises on the way.
    #[error("{0}")]
    Promise(String),
    /// Something goes on for ever.
    #[error("no end after {steps} moments")]
    NoEnd {
        /// How many there were.
        steps: u64,
    },
    /// Nothing happens any more and a graph has not ended.
    #[error("graph {graph} is stuck: {why}")]
    Stuck {
        /// Which.
        graph: GraphId,
        /// Its tasks that are open.
        why: String,
    },
    /// An output was promised and is not there.
    #[error("output {task} of graph {graph} {what}")]
    Output {
        /// The graph.
        graph: GraphId,
        /// The task.
        task: u32,
        /// What is wrong with it.
        what: String,
    },
    /// A task was failed for no reason.
    #[error("task {task} of graph {graph} failed as `{code}` after {attempts} attempts without a reason for that")]
    Failed {
        /// The graph.
        graph: GraphId,
        /// The task.
        task: u32,
        /// The code.
        code: ErrorCode,
        /// How often it was tried.
        attempts: u32,
    },
    /// A task is given to one worker after the other although they die of it.
    #[error("task {task} of graph {graph} did not fail although {deaths} workers died that ran it")]
    Unblamed {
        /// The graph.
        graph: GraphId,
        /// The task.
        task: u32,
        /// How many workers.
        deaths: u32,
    },
    /// What workers hold is not what the scheduler believes.
    #[error("task {task} of graph {graph} is {state}: the scheduler believes it at {believed:?}, it is at {found:?}")]
    Replicas {
        /// The graph.
        graph: GraphId,
        /// The task.
        task: u32,
        /// Its state.
        state: &'static str,
        /// Where the scheduler believes it.
        believed: Vec<WorkerId>,
        /// Where it is.
        found: Vec<WorkerId>,
    },
    /// A worker that was to leave stays for ever.
    #[error("worker {} was to leave and is still there: {state}", worker.0)]
    Stays {
        /// Who.
        worker: WorkerId,
        /// How its drain stands.
        state: String,
    },
    /// Workers left without need of anything that they had, and yet something was made again.
    #[error("{count} results were made again although workers only left in order")]
    Recomputed {
        /// How many.
        count: u64,
    },
    /// A worker keeps something of a graph that was released.
    #[error("worker {} keeps {what} after all graphs were released", worker.0)]
    Leak {
        /// Who.
        worker: WorkerId,
        /// What.
        what: String,
    },
}

/// Lets clients fetch every output that they were promised. Returns whether some holder could not give one, which the
/// scheduler knows now.
pub fn gather(world: &mut World<CoreShell, Fault>) -> bool {
    let mut unreadable = Vec::new();
    for ((graph, task), outcome) in &world.scheduler.told.outputs {
        let shell = &world.scheduler;
        let is_wanted = matches!(outcome, OutputOutcome::Ready { .. }) && !shell.told.let_go.contains(&(*graph, *task));
        let id = shell.core.graph_index(*graph).map(|graph| TaskId { graph, task: *task });
        // What took the place of an output has its result.
        let Some(id) = id.filter(|_| is_wanted).and_then(|id| shell.core.stand_in(id)) else { continue };
        let holder = shell.core.result_of(id).and_then(|(_, holder)| holder);
        if let Some((holder, process)) = holder.and_then(|holder| Some((holder, world.workers.get(&holder)?)))
            && shell.inline(*graph, id.task).is_none()
            && process.serve(*graph, id.task).is_none()
        {
            unreadable.push((holder, *graph, id.task));
        }
    }
    for (worker, graph, task) in &unreadable {
        world.scheduler.event(world.now, Event::ResultUnreadable { worker: *worker, graph: *graph, task: *task });
        world.wake_scheduler();
    }
    !unreadable.is_empty()
}

/// Checks that every graph ended, and ended right. Returns how many outputs were promised and are there.
///
/// # Errors
/// The first thing that is wrong.
pub fn after_heal(world: &World<CoreShell, Fault>) -> Result<usize, Violation> {
    let mut promised = 0;
    let shell = &world.scheduler;
    shell.core.check_invariants();
    for (graph, work) in &world.graphs {
        // It may have been released by the run.
        let Some(index) = shell.core.graph_index(*graph) else { continue };
        let state = |task: u32| shell.core.explain(TaskId { graph: index, task: TaskIndex(task) }).map(|why| why.state);
        let ends = [StateName::Idle, StateName::Done, StateName::Failed, StateName::Delegated].map(Some);
        let open: Vec<u32> = (0..shell.submitted(*graph) as u32).filter(|task| !ends.contains(&state(*task))).collect();
        if let Some(first) = open.first() {
            let why = shell.core.explain(TaskId { graph: index, task: TaskIndex(*first) });
            return Err(Violation::Stuck { graph: *graph, why: format!("open: {open:?}; {first}: {why:?}") });
        }
        let Some(is_cancelled) = shell.told.finished.get(graph) else {
            return Err(Violation::Stuck { graph: *graph, why: "its end was not told".to_owned() });
        };
        failures(world, *graph, work)?;
        delegations(world, *graph, work)?;
        if !is_cancelled && shell.submitted(*graph) < work.tasks.len() && work.delegations.is_empty() {
            return Err(Violation::Stuck { graph: *graph, why: "a piece of it did not come".to_owned() });
        }
        if !is_cancelled {
            promised += outputs(world, *graph, work)?;
        }
        replicas(world, *graph)?;
    }
    drains(world)?;
    Ok(promised)
}

/// Workers that leave in order, with the time that it takes, cost no result.
fn drains(world: &World<CoreShell, Fault>) -> Result<(), Violation> {
    const LOSES_RESULTS: [FaultKind; 5] =
        [FaultKind::Crash, FaultKind::LinkLost, FaultKind::LostReplica, FaultKind::FullDisk, FaultKind::Partition];
    let shell = &world.scheduler;
    if let Some(worker) = shell.promises.staying().next() {
        return Err(Violation::Stays { worker, state: format!("{:?}", shell.core.drain_state(worker)) });
    }
    let is_orderly = !shell.coverage.faults.keys().any(|kind| LOSES_RESULTS.contains(kind));
    let has_left_results = shell.told.drains.iter().any(|(_, summary)| summary.left > 0);
    match shell.core.counters().recomputed {
        count if count > 0 && is_orderly && !has_left_results => Err(Violation::Recomputed { count }),
        _ => Ok(()),
    }
}

/// The pieces that tasks wrote are there, and no others.
fn delegations(world: &World<CoreShell, Fault>, graph: GraphId, work: &Work) -> Result<(), Violation> {
    let index = world.scheduler.core.graph_index(graph).expect("the caller has it");
    for (delegation, cut) in work.delegations.iter().zip(&work.cuts) {
        let is_there = world.scheduler.submitted(graph) > *cut as usize;
        let why = world.scheduler.core.explain(TaskId { graph: index, task: delegation.by });
        if why.is_some_and(|why| why.delegated_to == Some(delegation.output)) != is_there {
            return Err(Violation::Stuck { graph, why: format!("task {} and what it writes do not agree", delegation.by.0) });
        }
    }
    Ok(())
}

/// Every failure has a reason, and what has reason enough failed.
fn failures(world: &World<CoreShell, Fault>, graph: GraphId, work: &Work) -> Result<(), Violation> {
    let told = &world.scheduler.told;
    let had = |kind: FaultKind| world.scheduler.coverage.faults.contains_key(&kind);
    for ((_, task), (code, attempts)) in told.failures.range((graph, TaskIndex(0))..=(graph, TaskIndex(u32::MAX))) {
        let count = |map: &BTreeMap<(GraphId, TaskIndex), u32>| map.get(&(graph, *task)).copied().unwrap_or(0);
        let has_reason = match code {
            ErrorCode::Cancelled => told.cancelled.contains(&(graph, *task)),
            ErrorCode::WorkerDied => count(&told.deaths) >= WORKER_DEATHS_MAX,
            ErrorCode::WorkerFault => count(&told.faults) >= 6 && (had(FaultKind::TaskFault) || had(FaultKind::LostReplica)),
            ErrorCode::CompileFailed => work.broken == Some(work.task(*task).function),
            code => match work.task(*task).fate {
                Fate::Fine => false,
                Fate::Fails(own) => own == *code,
                Fate::FailsFirst(times, own) => own == *code && times > work.task(*task).settings.retries,
            },
        };
        if !has_reason {
            return Err(Violation::Failed { graph, task: task.0, code: *code, attempts: *attempts });
        }
    }
    for ((_, task), deaths) in told.blamed.range((graph, TaskIndex(0))..=(graph, TaskIndex(u32::MAX))) {
        if *deaths >= WORKER_DEATHS_MAX && !told.failures.contains_key(&(graph, *task)) {
            return Err(Violation::Unblamed { graph, task: task.0, deaths: *deaths });
        }
    }
    Ok(())
}

/// Every output is there with the right value, unless something that it needs failed.
fn outputs(world: &World<CoreShell, Fault>, graph: GraphId, work: &Work) -> Result<usize, Violation> {
    let mut promised = 0;
    let shell = &world.scheduler;
    let doomed = spread(work, |task| shell.told.failures.contains_key(&(graph, task)));
    let must_fail =
        spread(work, |task| matches!(work.task(task).fate, Fate::Fails(_)) || work.broken == Some(work.task(task).function));
    for output in work.outputs.iter().filter(|output| !shell.told.let_go.contains(&(graph, **output))) {
        let wrong = |what: &str| Err(Violation::Output { graph, task: output.0, what: what.to_owned() });
        match shell.told.outputs.get(&(graph, *output)) {
            None => return wrong("was never spoken of"),
            Some(OutputOutcome::Failed) if !doomed.contains(output) => return wrong("failed, but nothing that it needs did"),
            Some(OutputOutcome::Failed) => {}
            Some(OutputOutcome::Ready { .. }) if must_fail.contains(output) => return wrong("is there, but it cannot be"),
            Some(OutputOutcome::Ready { .. }) => {
                let index = shell.core.graph_index(graph).expect("the caller has it");
                let id = TaskId { graph: index, task: *output };
                let holder = shell.core.result_of(id).and_then(|(_, holder)| holder);
                let kept = holder
                    .and_then(|holder| world.workers.get(&holder))
                    .and_then(|holder| holder.serve(graph, work.stand_in(*output)));
                let value = shell.inline(graph, work.stand_in(*output)).cloned().or(kept);
                let Some(value) = value else { return wrong("was promised and is nowhere") };
                if decode(&value).0 != work.value(*output) {
                    return wrong("has a wrong value");
                }
                promised += 1;
            }
        }
    }
    Ok(promised)
}

/// The tasks of which something is said, all that need them, and all that start together with any of these.
fn spread(work: &Work, is_first: impl Fn(TaskIndex) -> bool) -> BTreeSet<TaskIndex> {
    let mut found: BTreeSet<TaskIndex> = BTreeSet::new();
    let mut stack: Vec<TaskIndex> = work.topological().into_iter().filter(|task| is_first(*task)).collect();
    while let Some(task) = stack.pop() {
        if found.insert(task) {
            let at = task.0 as usize;
            stack.extend(&work.dependents[at]);
            let mates = work.gangs.iter().filter(|gang| gang.contains(&at)).flat_map(|gang| gang.clone());
            stack.extend(mates.map(|mate| TaskIndex(mate as u32)));
            // Whose place it took shares its fate.
            stack.extend(work.delegations.iter().filter(|delegation| delegation.output == task).map(|delegation| delegation.by));
        }
    }
    found
}

/// What holders are known for they have, of every graph that is there.
///
/// # Errors
/// The first that is not so.
pub fn holders(world: &World<CoreShell, Fault>) -> Result<(), Violation> {
    let graphs = world.graphs.keys().filter(|graph| world.scheduler.core.graph_index(**graph).is_some());
    graphs.copied().try_for_each(|graph| replicas(world, graph))
}

/// The scheduler knows who holds what, and nobody holds what is not needed.
fn replicas(world: &World<CoreShell, Fault>, graph: GraphId) -> Result<(), Violation> {
    let index = world.scheduler.core.graph_index(graph).expect("the caller has it");
    let mut found: BTreeMap<TaskIndex, BTreeSet<WorkerId>> = BTreeMap::new();
    for (worker, process) in &world.workers {
        for (_, task) in process.holdings().into_iter().filter(|(of, _)| *of == graph) {
            found.entry(task).or_default().insert(*worker);
        }
    }
    for task in (0..world.scheduler.submitted(graph) as u32).map(TaskIndex) {
        let why = world.scheduler.core.explain(TaskId { graph: index, task }).expect("the graph has the task");
        let believed: BTreeSet<WorkerId> =
            if why.state == StateName::Done { why.workers.into_iter().collect() } else { BTreeSet::new() };
        let found = found.remove(&task).unwrap_or_default();
        if believed != found {
            let (believed, found) = (believed.into_iter().collect(), found.into_iter().collect());
            return Err(Violation::Replicas { graph, task: task.0, state: why.state.as_str(), believed, found });
        }
    }
    Ok(())
}

/// Checks that nothing is left of graphs that were released.
///
/// # Errors
/// The first thing that is.
pub fn after_release(world: &World<CoreShell, Fault>) -> Result<(), Violation> {
    world.scheduler.core.check_invariants();
    assert!(world.scheduler.is_finished(), "no graph is left");
    for (worker, process) in &world.workers {
        let kept = process.holdings();
        let what = if process.core.attempt_count() > 0 {
            format!("{} attempts", process.core.attempt_count())
        } else if !kept.is_empty() {
            format!("{} results", kept.len())
        } else if world.graphs.keys().any(|graph| process.core.graph_key(*graph).is_some()) {
            "a graph's definition".to_owned()
        } else {
            continue;
        };
        return Err(Violation::Leak { worker: *worker, what });
    }
    Ok(())
}
