//! Answers to questions of people, as JSON.

use crate::actor::Actor;
use crate::graphs::ShellGraph;
use bytes::Bytes;
use serde_json::{Value as Json, json};
use wasm_tasks_protocol::error::ErrorCode;
use wasm_tasks_protocol::ids::{GraphId, TaskIndex, WorkerId};
use wasm_tasks_protocol::message::{Refusal, ReplyHead, Request};
use wasm_tasks_protocol::msgpack::Reader;
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_scheduler_core::{Explanation, GangStanding, StateName, TaskId, WorkerFit};
use wasm_tasks_transport::Peer;

/// Tasks whose logs one answer has at most.
const LOGS_MAX: usize = 200;

/// `{"graphs": [{id, name, state, tasks, finished, failed, assigned, elapsed_ms}], "workers", "slots"}`
pub(crate) fn status(actor: &Actor) -> Json {
    let graphs: Vec<Json> = actor.graphs.iter().flatten().map(|graph| graph_json(actor, graph)).collect();
    let offers = actor.workers.values().filter_map(|worker| worker.offer.as_ref());
    json!({
        "graphs": graphs,
        "workers": offers.clone().count(),
        "slots": offers.map(|offer| u64::from(offer.slots)).sum::<u64>(),
    })
}

fn graph_json(actor: &Actor, graph: &ShellGraph) -> Json {
    let counts = actor.core.graph_counts(graph.index).cloned().unwrap_or_default();
    let state = match &graph.summary {
        None => "running",
        Some(summary) if summary.is_cancelled => "cancelled",
        Some(summary) if summary.failed > 0 => "failed",
        Some(_) => "finished",
    };
    let elapsed = graph.summary.as_ref().map_or_else(|| graph.submitted.elapsed().into(), |summary| summary.elapsed);
    json!({
        "id": graph.id.to_string(),
        "name": graph.parts.options().name,
        "state": state,
        "tasks": counts.tasks,
        "finished": counts.finished,
        "failed": counts.failed,
        "dependents_failed": counts.dependents_failed,
        "assigned": counts.assigned,
        "attempts": counts.attempts,
        "copies": counts.copies,
        "delegated": counts.delegated,
        "bytes_moved": counts.bytes_moved,
        "memory_peak_bytes": counts.memory_peak_bytes,
        "elapsed_ms": elapsed.0 / 1_000,
        "overdue_ms": graph.overdue().map(|deadline| deadline.0 / 1_000),
    })
}

/// `[{id, name, slots, memory_bytes, labels, pools, leaves_in_ms, assigned, is_leaving, is_paused, drain: {assigned, unmoved, is_stuck, moved, moved_bytes}, stored_bytes, spilled_bytes, resident_bytes, instantiations,
/// round_trip_us, addresses, pid}]`
pub(crate) fn workers(actor: &Actor) -> Json {
    let joined = actor.workers.iter().filter_map(|(id, link)| link.offer.as_ref().map(|offer| (id, link, offer)));
    joined
        .map(|(id, link, offer)| {
            let (assigned, takes_new) = actor.core.worker_load(*id).unwrap_or((0, false));
            let drain = actor.core.drain_state(*id).map(|drain| {
                json!({
                    "assigned": drain.attempts,
                    "unmoved": drain.unmoved,
                    "is_stuck": drain.is_stuck,
                    "moved": drain.summary.moved,
                    "moved_bytes": drain.summary.moved_bytes,
                })
            });
            let labels: serde_json::Map<String, Json> =
                offer.labels.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
            let pools: serde_json::Map<String, Json> =
                offer.pools.iter().map(|pool| (pool.name.clone(), json!(pool.milli as f64 / 1_000.0))).collect();
            json!({
                "id": id.0,
                "name": offer.name,
                "slots": offer.slots,
                "memory_bytes": offer.memory_bytes,
                "labels": labels,
                "pools": pools,
                "leaves_in_ms": actor.core.worker_leaves_at(*id).map(|at| at.since(actor.now()).0 / 1_000),
                "assigned": assigned,
                "is_leaving": !takes_new,
                "drain": drain,
                "is_paused": actor.core.is_paused(*id),
                "stored_bytes": link.stored_bytes,
                "spilled_bytes": link.spilled_bytes,
                "resident_bytes": link.resident_bytes,
                "instantiations": link.instantiations,
                "round_trip_us": link.outbox.peer().round_trip().as_micros() as u64,
                "addresses": offer.addresses,
                "pid": offer.pid,
            })
        })
        .collect()
}

/// The names of a graph's outputs, in their order.
pub(crate) fn outputs(actor: &Actor, graph: GraphId) -> Result<Json, Refusal> {
    let graph = find(actor, graph)?;
    let parts = &graph.parts;
    Ok(parts.outputs().map(|output| Json::from(parts.output_name(output))).collect())
}

/// How far a graph's tables go, as clients count: `{components, functions, data, tasks, outputs}`.
pub(crate) fn extent(actor: &Actor, graph: GraphId) -> Result<Json, Refusal> {
    let extent = find(actor, graph)?.parts.numbering().extent();
    Ok(Json::Object(extent.named().into_iter().map(|(name, count)| (name.to_owned(), json!(count))).collect()))
}

/// `[{name, graph, state, tasks, finished, outputs}]`, by name.
pub(crate) fn published(actor: &Actor, only: Option<&str>) -> Json {
    let wanted = |name: &str| only.is_none_or(|only| only == name);
    let published = actor.published.iter().filter(|(name, _)| wanted(name));
    let row = |(name, id): (&str, GraphId)| {
        let graph = actor.graph_by_id(id)?;
        let state = graph_json(actor, graph);
        Some(json!({
            "name": name,
            "graph": id.to_string(),
            "state": state["state"],
            "tasks": state["tasks"],
            "finished": state["finished"],
            "outputs": graph.parts.extent().outputs,
        }))
    };
    published.filter_map(row).collect()
}

/// A task: `{key, state, function, attempts, needed_by, missing, workers, cause, error, fits, is_unrunnable, text}`.
/// Without a key the graph: as in the status, with `failures` and `unrunnable` (tasks that no worker can run).
pub(crate) fn explain(actor: &Actor, id: GraphId, key: Option<&str>) -> Result<Json, Refusal> {
    let graph = find(actor, id)?;
    if let Some(key) = key {
        let task = find_task(graph, key)?;
        let explanation = actor.core.explain(TaskId { graph: graph.index, task });
        return explanation.map(|explanation| task_json(actor, graph, task, &explanation)).ok_or_else(|| unknown_graph(id));
    }
    let mut json = graph_json(actor, graph);
    json["failures"] = graph
        .failures
        .iter()
        .map(|failure| {
            json!({
                "key": failure.key,
                "function": failure.function,
                "worker": failure.worker,
                "attempts": failure.attempts,
                "dependents": failure.dependents,
                "code": failure.error.code.as_str(),
                "message": failure.error.message,
            })
        })
        .collect();
    json["failures_dropped"] = json!(graph.failures_dropped);
    let mut by_state = serde_json::Map::new();
    for task in graph.parts.tasks() {
        let Some(state) = actor.core.state_of(TaskId { graph: graph.index, task: task.index() }) else { continue };
        let count = by_state.entry(state.as_str()).or_insert(json!(0));
        *count = json!(count.as_u64().unwrap_or(0) + 1);
    }
    json["by_state"] = Json::Object(by_state);
    json["unrunnable"] = unrunnable(actor, graph).map(|task| json!(graph.key(task))).collect();
    Ok(json)
}

fn unrunnable(actor: &Actor, graph: &ShellGraph) -> impl Iterator<Item = TaskIndex> + use<> {
    actor.core.unrunnable(graph.index).into_iter().map(|id| id.task)
}

/// What a client should hear when nothing of its graph moves: `[{key, text}]` of tasks that no worker can run, the first few.
pub(crate) fn stuck(actor: &Actor, id: GraphId) -> Result<Json, Refusal> {
    let graph = find(actor, id)?;
    let explain = |task: TaskIndex| {
        let explanation = actor.core.explain(TaskId { graph: graph.index, task })?;
        let json = task_json(actor, graph, task, &explanation);
        Some(json!({"key": json["key"], "text": json["text"]}))
    };
    Ok(unrunnable(actor, graph).filter_map(explain).collect())
}

fn task_json(actor: &Actor, graph: &ShellGraph, task: TaskIndex, explanation: &Explanation) -> Json {
    let function = graph.parts.task(task).function_index();
    let error =
        graph.failures.iter().find(|failure| failure.task == task).map(|failure| &failure.error).or(graph.errors.get(&task));
    let key = |task: &TaskIndex| graph.key(*task).to_owned();
    let workers: Vec<String> = explanation.workers.iter().map(|worker| actor.worker_name(*worker)).collect();
    let missing: Vec<String> = explanation.missing.iter().map(key).collect();
    let fits: Vec<Json> = explanation
        .fits
        .iter()
        .map(|fit| {
            let held_for = fit.held_for.map(|held| any_key(actor, held));
            json!({"worker": actor.worker_name(fit.worker), "lacks": fit.lacks, "held_for": held_for})
        })
        .collect();
    let name = |worker: &WorkerId| actor.worker_name(*worker);
    let reserved = explanation.reserved.as_ref().map(|(workers, wait)| (workers.iter().map(name).collect::<Vec<_>>(), wait));
    let gang = explanation.gang.as_ref();
    let awaited = gang.map_or_else(String::new, |gang| list(&gang.awaited.iter().map(key).collect::<Vec<_>>()));
    let held = explanation.fits.iter().find_map(|fit| Some((fit.worker, fit.held_for?)));
    let wait = explanation.until.map(|until| until.since(actor.now()));
    let text = match explanation.state {
        StateName::Idle => "no output needs it now, so it does not run and no result is kept".to_owned(),
        StateName::Waiting => format!("it waits for {}", list(&missing)),
        StateName::Queued if explanation.fits.is_empty() => "it is ready, but there are no workers".to_owned(),
        StateName::Queued if let Some(gang) = gang.filter(|gang| explanation.is_unrunnable && gang.open > 1) => {
            too_few(actor, gang, &explanation.fits)
        }
        StateName::Queued if gang.is_some_and(|gang| !gang.awaited.is_empty()) => {
            format!("it is ready, and starts together with {awaited}, which is not")
        }
        StateName::Queued if explanation.is_unrunnable => {
            let nearest = &explanation.fits[0];
            format!("no worker can run it; the nearest is `{}`: {}", actor.worker_name(nearest.worker), nearest.lacks.join("; "))
        }
        StateName::Queued => match (&reserved, held) {
            (Some((workers, wait)), _) => {
                let (verb, whom) = if workers.len() == 1 { ("is", "it") } else { ("are", "its gang") };
                let (workers, wait) = (list(workers), wait.as_secs_f64());
                format!("it is ready; {workers} {verb} held for {whom}, and {verb} expected to have room in {wait:.1} s")
            }
            (None, Some((worker, task))) => format!(
                "it is ready and waits for a worker that has room; `{}` is held for the more urgent `{}`",
                actor.worker_name(worker),
                any_key(actor, task)
            ),
            (None, None) => "it is ready and waits for a worker that has room".to_owned(),
        },
        StateName::Assigned if gang.is_some_and(|gang| gang.has_ended) => {
            format!("it has ended at {}, and counts when {awaited}, which started with it, has ended too", list(&workers))
        }
        StateName::Assigned => {
            let runs = explanation.running.map_or_else(String::new, |(ran, expected)| {
                let of = expected.map_or_else(String::new, |expected| format!(" of {} expected", text_of(expected)));
                format!(", and runs for {}{of}", text_of(ran))
            });
            let copy = explanation.copy.map_or_else(String::new, |worker| {
                let worker = actor.worker_name(worker);
                format!("; that is long, so a second attempt was begun at `{worker}`: whichever ends first counts")
            });
            format!("it is at {}{runs}{copy}", list(&workers))
        }
        StateName::Resting if gang.is_some() && error.is_none() => {
            let wait = wait.map_or(0.0, |wait| wait.as_secs_f64());
            format!("one that started with it failed, and all of them run again in {wait:.1} s")
        }
        StateName::Resting => format!("it failed and runs again in {:.1} s", wait.map_or(0.0, |wait| wait.as_secs_f64())),
        StateName::Done => format!("its result is at {}", list(&workers)),
        StateName::Delegated => {
            let to = explanation.delegated_to.map_or_else(String::new, |to| format!("; `{}` took its place", graph.key(to)));
            format!("it ended in tasks that it wrote{to}")
        }
        StateName::Failed => match &explanation.cause {
            Some(cause) if *cause != task => format!("it failed because `{}` failed", graph.key(*cause)),
            _ if let Some(deadline) = graph.overdue()
                && error.is_none() =>
            {
                format!("the graph was stopped: its deadline of {} s had passed", deadline.as_secs_f64())
            }
            _ if graph.is_cancelled && error.is_none() => "the graph was cancelled".to_owned(),
            _ => "it failed".to_owned(),
        },
    };
    json!({
        "key": graph.key(task),
        "state": explanation.state.as_str(),
        "text": text,
        "function": graph.function_name(function),
        "attempts": explanation.attempts,
        "needed_by": explanation.needed_by,
        "missing": missing,
        "workers": workers,
        "copy": explanation.copy.map(|worker| actor.worker_name(worker)),
        "cause": explanation.cause.as_ref().map(key),
        "delegated_to": explanation.delegated_to.as_ref().map(key),
        "error": error.map(|error| json!({"code": error.code.as_str(), "message": error.message, "stderr_tail": error.stderr_tail, "backtrace": error.backtrace})),
        "retry_in_ms": wait.map(|wait| wait.0 / 1_000),
        "fits": fits,
        "reserved": reserved.map(|(workers, wait)| json!({"worker": workers.first(), "workers": workers, "in_ms": wait.0 / 1_000})),
        "gang": gang.map(|gang| json!({"first": key(&gang.first), "rank": task.0 - gang.first.0, "size": gang.len})),
        "is_unrunnable": explanation.is_unrunnable,
    })
}

/// A time for people.
fn text_of(time: Duration) -> String {
    match time.0 {
        0..100_000 => format!("{:.1} ms", time.0 as f64 / 1_000.0),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

/// Why a gang can never start as the fleet is.
fn too_few(actor: &Actor, gang: &GangStanding, fits: &[WorkerFit]) -> String {
    let GangStanding { open, fitting, .. } = gang;
    let needs = format!("it is one of a gang of {open}, each of which needs a worker of its own, and {fitting} could run one");
    match fits.iter().find(|fit| !fit.lacks.is_empty()) {
        Some(nearest) => {
            format!("{needs}; the nearest of the others is `{}`: {}", actor.worker_name(nearest.worker), nearest.lacks.join("; "))
        }
        None => needs,
    }
}

/// The key of a task of any graph.
fn any_key(actor: &Actor, task: TaskId) -> String {
    let graph = actor.graphs.get(task.graph.slot()).and_then(Option::as_ref).filter(|graph| graph.index == task.graph);
    graph.map_or_else(|| "a task of another graph".to_owned(), |graph| graph.key(task.task).to_owned())
}

fn list(names: &[String]) -> String {
    match names {
        [] => "nothing that is known".to_owned(),
        names => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}

fn find(actor: &Actor, id: GraphId) -> Result<&ShellGraph, Refusal> {
    actor.graph_by_id(id).ok_or_else(|| unknown_graph(id))
}

pub(crate) fn unknown_graph(id: GraphId) -> Refusal {
    Refusal::new(ErrorCode::NotFound, format!("there is no graph `{id}` here; finished graphs are kept for a while only"))
}

fn find_task(graph: &ShellGraph, key: &str) -> Result<TaskIndex, Refusal> {
    graph.find(key).ok_or_else(|| Refusal::new(ErrorCode::NotFound, format!("the graph has no task `{key}`")))
}

/// Where the logs of a task, or of all tasks that wrote something, are to be had.
pub(crate) fn log_places(actor: &Actor, id: GraphId, key: Option<&str>) -> Result<Vec<(String, TaskIndex, Peer)>, Refusal> {
    let graph = find(actor, id)?;
    let mut tasks: Vec<TaskIndex> = match key {
        Some(key) => vec![find_task(graph, key)?],
        None => graph.logged.keys().copied().collect(),
    };
    tasks.sort_unstable();
    let place = |task: TaskIndex| {
        let worker = actor.workers.get(graph.logged.get(&task)?)?;
        Some((graph.key(task).to_owned(), task, worker.outbox.peer().clone()))
    };
    Ok(tasks.into_iter().filter_map(place).take(LOGS_MAX).collect())
}

/// `[{key, stdout, stderr}]`, text; what is not UTF-8 is replaced.
pub(crate) async fn collect_logs(graph: GraphId, places: Vec<(String, TaskIndex, Peer)>) -> Json {
    let mut logs = Vec::new();
    for (key, task, peer) in places {
        let Ok((ReplyHead::Ok { .. }, body)) = peer.request(Request::FetchLogs { graph, task }, Bytes::new()).await else {
            continue;
        };
        let mut reader = Reader::new(&body);
        let both = reader.array().and_then(|_| Ok((reader.bin()?, reader.bin()?)));
        if let Ok((stdout, stderr)) = both {
            logs.push(json!({"key": key, "stdout": String::from_utf8_lossy(stdout), "stderr": String::from_utf8_lossy(stderr)}));
        }
    }
    Json::Array(logs)
}
