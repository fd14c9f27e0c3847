//! Clients of one fleet: they interrupt, leave, come back, cancel, and do not disturb each other.

use super::support::{Fleet, GraphFile, guest, int, result};
use rustix::process::Signal;
use serde_json::json;
use std::path::PathBuf;
use wasm_tasks_protocol::graph::{Grant, Options};

/// A graph with a task that never ends, one that ends at once, and one that waits for the former.
fn endless(fleet: &Fleet, name: &str) -> PathBuf {
    let mut graph = GraphFile::new();
    let (calc, hostile) = (guest("calc"), guest("hostile"));
    graph.builder.options(Options { name: Some(name.to_owned()), ..Options::default() });
    graph.output_task("quick", &calc, "neg", vec![int(1)]);
    graph.output_task("spin", &hostile, "spin", vec![]);
    graph.save(&fleet.home, &format!("{name}.msgpack"))
}

fn is_spinning(graph: &serde_json::Value) -> bool {
    graph["finished"] == 1 && graph["assigned"] == 1
}

#[test]
fn an_interrupted_submit_cancels_its_graph() {
    let fleet = Fleet::shared();
    let path = endless(&fleet, "interrupted");
    let submit = fleet.start(&["submit", path.to_str().expect("UTF-8")]);
    fleet.until_graph("interrupted", "spins", is_spinning);
    submit.signal(Signal::INT);
    let answer = submit.end();
    answer.expect(130).says(&["cancelled after 1 of 2 tasks"]);
    assert_eq!(answer.json(), json!({"quick": -1}), "what was finished is handed over: {answer}");
    let graph = fleet.until_graph("interrupted", "is cancelled", |graph| graph["state"] == "cancelled");
    assert_eq!(graph["assigned"], 0, "{graph}");
}

#[test]
fn an_interrupted_embedded_run_ends_at_once() {
    let fleet = Fleet::shared();
    let path = endless(&fleet, "embedded");
    // Nothing else takes time once both components are compiled.
    for (component, words) in [("calc", ["neg", "1"]), ("hostile", ["print", "1"])] {
        fleet.home.run_on("run", &guest(component), &words).expect(0);
    }
    let submit = fleet.home.start(&["submit", path.to_str().expect("UTF-8")]);
    submit.until_cpu_seconds(0.5);
    submit.signal(Signal::INT);
    let answer = submit.end();
    assert_eq!(answer.expect(130).json(), json!({"quick": -1}), "{answer}");
    answer.says(&["cancelled after 1 of 2 tasks"]);
}

#[test]
fn a_detached_graph_is_attached_to_and_its_results_are_taken_twice() {
    let fleet = Fleet::shared();
    let calc = guest("calc");
    let mut graph = GraphFile::new();
    let sum = graph.task("sum", &calc, "add", vec![int(20), int(1)]);
    graph.output_task("double", &calc, "add", vec![result(sum), result(sum)]);
    let id = fleet.detach(&graph.save(&fleet.home, "detached.msgpack"));
    let attached = fleet.run(&["attach", &id]);
    assert_eq!(attached.expect(0).json(), json!({"double": 42}));
    attached.says(&["2 tasks"]);
    for _ in 0..2 {
        assert_eq!(fleet.run(&["results", &id]).expect(0).json(), json!({"double": 42}));
    }
    assert_eq!(fleet.graph(&id)["state"], "finished");
    fleet.run(&["results", &id, "--output-name", "other"]).refuses("not-found", &["`other`"]);
    let nobody = "0123456789abcdef0123456789abcdef";
    for command in ["attach", "results", "cancel", "explain", "logs"] {
        fleet.run(&[command, nobody]).expect(2).says(&["error[not-found]", nobody]);
    }
}

#[test]
fn an_interrupted_attach_leaves_the_graph_running_until_it_is_cancelled() {
    let fleet = Fleet::shared();
    let id = fleet.detach(&endless(&fleet, "attached"));
    fleet.until_graph("attached", "spins", is_spinning);
    // What is finished can be had while the rest runs.
    let results = fleet.run(&["results", &id]);
    assert_eq!(results.expect(1).says(&["`spin`"]).json(), json!({"quick": -1}));

    let attach = fleet.start(&["attach", &id]);
    attach.until_it_catches(Signal::INT);
    attach.signal(Signal::INT);
    attach.end().expect(130);
    assert_eq!(fleet.graph(&id)["state"], "running");

    let cancelled = fleet.run(&["cancel", &id, "--json"]).expect(0).json();
    assert_eq!((&cancelled["state"], &cancelled["finished"]), (&json!("cancelled"), &json!(1)), "{cancelled}");
    fleet.run(&["cancel", &id]).expect(0).says(&["cancelled"]);
    let attached = fleet.run(&["attach", &id]);
    assert_eq!(attached.expect(1).json(), json!({"quick": -1}), "{attached}");
    // The worker that span is free again: the next graph runs to its end.
    fleet.until_graph("attached", "has left its worker", |graph| graph["assigned"] == 0);
}

#[test]
fn two_clients_at_once_get_their_own_results() {
    let fleet = Fleet::shared();
    let calc = guest("calc");
    let clients: Vec<_> = (0..2_i64)
        .map(|client| {
            let mut graph = GraphFile::new();
            // The same keys in both graphs.
            let tasks: Vec<_> = (0..200).map(|i| graph.task(&format!("t{i}"), &calc, "add", vec![int(i), int(client)])).collect();
            graph.output_task("sum", &calc, "sum", vec![super::support::list(tasks.into_iter().map(result))]);
            let path = graph.save(&fleet.home, &format!("client-{client}.msgpack"));
            fleet.start(&["submit", path.to_str().expect("UTF-8")])
        })
        .collect();
    for (client, running) in clients.into_iter().enumerate() {
        assert_eq!(running.end().expect(0).json(), json!({"sum": 19_900 + 200 * client}));
    }
}

#[test]
fn a_client_that_was_killed_leaves_its_graph_running() {
    let fleet = Fleet::shared();
    let mut graph = GraphFile::new();
    graph.builder.options(Options { name: Some("orphaned".to_owned()), ..Options::default() });
    // It sleeps for real.
    let options = Options { grants: Some(vec![Grant::Clock]), ..Options::default() };
    let slept = graph.task_with("slept", &guest("hostile"), "sleep-ms", vec![int(1_000)], &options);
    graph.output_task("after", &guest("calc"), "noop", vec![]);
    graph.output(slept);
    let path = graph.save(&fleet.home, "orphaned.msgpack");
    let submit = fleet.start(&["submit", path.to_str().expect("UTF-8")]);
    let id = fleet.until_graph("orphaned", "runs", |graph| graph["assigned"] == 1)["id"].as_str().expect("an id").to_owned();
    submit.signal(Signal::KILL);
    assert_eq!(submit.end().code, None, "it was killed");
    let outputs = fleet.run(&["attach", &id]).expect(0).json();
    assert!(outputs["slept"].as_u64() >= Some(1_000) && outputs["after"].is_null(), "{outputs}");
}
