//! Gangs on a real fleet: members that start together, each on a worker of its own, and what people hear while there are too few.

use super::support::{Fleet, GraphFile, Running, guest, int, kill, list, result, until};
use rustix::process::Signal;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use wasm_tasks_protocol::TaskIndex;
use wasm_tasks_protocol::graph::{Grant, Options};

const MEMBERS: u32 = 3;

fn key(rank: u32) -> String {
    format!("part-{rank}")
}

/// Adds a gang; `argument` gives what each member is called with, by rank.
fn gang(graph: &mut GraphFile, export: (&str, &str), options: &Options, argument: impl Fn(u32) -> Vec<i64>) -> Vec<TaskIndex> {
    let options = Options { gang: Some(MEMBERS), ..options.clone() };
    let (component, export) = (guest(export.0), export.1);
    let member = |rank: u32| {
        let arguments = argument(rank).into_iter().map(int).collect();
        graph.task_with(&key(rank), &component, export, arguments, &options)
    };
    (0..MEMBERS).map(member).collect()
}

fn join(fleet: &Fleet, name: &str) -> Running {
    let words = ["worker", &fleet.address, "--slots", "1", "--name", name];
    Running::start_until_line(&mut fleet.command(&words)).0
}

/// What is said of each member, once all are in a state.
fn members(fleet: &Fleet, id: &str, state: &str) -> Vec<Json> {
    until("all members are in the state", || {
        let all: Vec<Json> = (0..MEMBERS).map(|rank| fleet.explain(id, &key(rank))).collect();
        all.iter().all(|member| member["state"] == state).then_some(all)
    })
}

/// The workers that have members, each of which has one.
fn places(members: &[Json]) -> BTreeSet<String> {
    let place = |member: &Json| match member["workers"].as_array().map(Vec::as_slice) {
        Some([worker]) => worker.as_str().expect("a name").to_owned(),
        _ => panic!("a member is at one worker: {member}"),
    };
    members.iter().map(place).collect()
}

#[test]
fn a_gang_waits_for_as_many_workers_as_it_has_members() {
    let fleet = Fleet::up(&["--workers", "2", "--slots", "2"]);
    let mut graph = GraphFile::new();
    let parts = gang(&mut graph, ("calc", "mul"), &Options::default(), |rank| vec![i64::from(rank), i64::from(MEMBERS)]);
    parts.iter().for_each(|part| graph.output(*part));
    graph.output_task("sum", &guest("calc"), "sum", vec![list(parts.iter().map(|part| result(*part)))]);
    let path = graph.save(&fleet.home, "gang.msgpack");
    fleet.home.run_on("submit", &path, &[]).refuses("unrunnable", &["tasks[0] `part-0`", "a gang of 3"]);

    let id = fleet.detach(&path);
    for member in members(&fleet, &id, "queued") {
        assert_eq!((&member["is_unrunnable"], &member["attempts"]), (&json!(true), &json!(0)), "{member}");
        let text = member["text"].as_str().unwrap_or_default();
        assert!(text.contains("a gang of 3") && text.contains("2 could run one"), "{text}");
        assert_eq!(member["gang"]["first"], "part-0", "{member}");
    }
    let third = join(&fleet, "third");
    let outputs = fleet.run(&["attach", &id]).expect(0).json();
    assert_eq!(outputs, json!({"part-0": 0, "part-1": 3, "part-2": 6, "sum": 9}));
    let done = members(&fleet, &id, "done");
    assert_eq!(places(&done).len(), 3, "{done:?}");
    drop(third);
}

#[test]
fn the_death_of_a_worker_restarts_all_members() {
    let fleet = Fleet::up(&["--workers", "3", "--slots", "1"]);
    let mut graph = GraphFile::new();
    // The real clock is a grant; so what a member says that it slept is what it took.
    let sleeps = Options { grants: Some(vec![Grant::Clock]), ..Options::default() };
    let parts = gang(&mut graph, ("hostile", "sleep-ms"), &sleeps, |rank| vec![3_000 + i64::from(rank)]);
    parts.iter().for_each(|part| graph.output(*part));
    let id = fleet.detach(&graph.save(&fleet.home, "gang.msgpack"));
    let first = places(&members(&fleet, &id, "assigned"));
    assert_eq!(first.len(), 3, "each has a worker of its own: {first:?}");
    let standing = fleet.explain(&id, &key(0));
    assert!(!standing["text"].as_str().expect("a text").contains("expected"), "nothing is known of its function: {standing}");

    kill(fleet.pid("worker-1"), Signal::KILL);
    let stopped = members(&fleet, &id, "queued");
    assert!(stopped.iter().all(|member| member["attempts"] == 1), "{stopped:?}");
    let fourth = join(&fleet, "fourth");
    let second = places(&members(&fleet, &id, "assigned"));
    assert_eq!(second, BTreeSet::from(["worker-2", "worker-3", "fourth"].map(str::to_owned)));

    let outputs = fleet.run(&["attach", &id]).expect(0).json();
    for rank in 0..MEMBERS {
        assert!(outputs[key(rank)].as_u64().is_some_and(|ms| ms >= 3_000 + u64::from(rank)), "{outputs}");
        assert_eq!(fleet.explain(&id, &key(rank))["attempts"], 2, "all of them began again, once");
    }
    drop(fourth);
}

#[test]
fn a_member_that_fails_stops_the_others() {
    let fleet = Fleet::up(&["--workers", "3", "--slots", "1"]);
    let mut graph = GraphFile::new();
    // Divides by what is left of its rank: the last one fails, the others are stopped or had ended.
    let parts = gang(&mut graph, ("calc", "div"), &Options::default(), |rank| vec![1, i64::from(MEMBERS - 1 - rank)]);
    graph.output_task("sum", &guest("calc"), "sum", vec![list(parts.iter().map(|part| result(*part)))]);
    let path = graph.save(&fleet.home, "gang.msgpack");
    fleet.run_on("submit", &path, &[]).expect(1).says(&["`part-2`"]);
}
