//! What clients share: published graphs, deadlines that hold whoever watches, and single tasks that are cancelled.

use super::support::{Fleet, GraphFile, guest, int, result};
use serde_json::json;
use std::path::PathBuf;
use wasm_tasks_protocol::graph::Options;

/// One task that ends at once, one that never does, and one that needs the latter.
fn endless(fleet: &Fleet, name: &str, options: Options) -> PathBuf {
    let mut graph = GraphFile::new();
    let (calc, hostile) = (guest("calc"), guest("hostile"));
    graph.builder.options(Options { name: Some(name.to_owned()), ..options });
    graph.output_task("quick", &calc, "neg", vec![int(1)]);
    let count = graph.task("count", &hostile, "sleep-ms", vec![int(1)]);
    graph.output_task("spin", &hostile, "spin", vec![]);
    graph.output_task("slow", &hostile, "sleep-ms", vec![result(count)]);
    graph.save(&fleet.home, &format!("{name}.msgpack"))
}

fn is_spinning(graph: &serde_json::Value) -> bool {
    graph["finished"] == 3 && graph["assigned"] == 1
}

#[test]
fn a_deadline_stops_a_graph_and_hands_over_what_is_done() {
    let fleet = Fleet::shared();
    let path = endless(&fleet, "late", Options { deadline_ms: Some(3_600_000), ..Options::default() });
    // The command line overrides the file. Until everything but the endless task is done it may take a while.
    let late = fleet.run_on("submit", &path, &["--deadline", "5s"]);
    late.expect(1).says(&["graph stopped [deadline-exceeded]: its deadline of 5.0 s had passed", "cancelled after"]);
    assert_eq!(late.json()["quick"], -1, "{late}");
    let graph = fleet.until_graph("late", "is stopped", |graph| graph["state"] == "cancelled");
    let why = fleet.explain(graph["id"].as_str().expect("an id"), "spin");
    assert!(why["text"].as_str().is_some_and(|text| text.contains("deadline of 5 s")), "{why}");
    assert_eq!(graph["overdue_ms"], 5_000, "{graph}");
    // The same without a fleet.
    let here = fleet.home.run_on("submit", &path, &["--deadline", "4 s"]);
    here.expect(1).says(&["[deadline-exceeded]"]);
    for wrong in ["5", "5 years", "0s", "-1s"] {
        fleet.home.run_on("submit", &path, &[&format!("--deadline={wrong}")]).expect(2);
    }
}

#[test]
fn single_tasks_are_cancelled_and_the_rest_goes_on() {
    let fleet = Fleet::shared();
    let path = endless(&fleet, "parts", Options::default());
    let submit = fleet.start(&["submit", path.to_str().expect("UTF-8")]);
    let graph = fleet.until_graph("parts", "spins", is_spinning);
    let id = graph["id"].as_str().expect("an id");
    fleet.run(&["cancel", id, "spin", "nobody"]).refuses("not-found", &["no task `nobody`"]);
    assert_eq!(fleet.graph(id)["assigned"], 1, "nothing was stopped");
    fleet.run(&["cancel", id, "spin"]).expect(0);
    let ended = submit.end();
    ended.fails("cancelled", &["task `spin` failed", "a client cancelled it"]);
    assert_eq!(ended.json()["quick"], -1, "{ended}");
    assert_eq!(fleet.graph(id)["state"], "failed");
}

#[test]
fn published_results_outlive_everybody_until_they_are_withdrawn() {
    let fleet = Fleet::shared();
    let calc = guest("calc");
    let mut graph = GraphFile::new();
    graph.output_task("sum", &calc, "add", vec![int(40), int(2)]);
    let id = fleet.detach(&graph.save(&fleet.home, "published.msgpack"));
    fleet.run(&["publish", &id, "the answer"]).expect(0);
    fleet.run(&["publish", &id, "the answer"]).expect(0);
    assert_eq!(fleet.run(&["attach", "the answer"]).expect(0).json(), json!({"sum": 42}));
    let listed = fleet.run(&["published", "--json"]).expect(0).json();
    let row = listed.as_array().and_then(|rows| rows.iter().find(|row| row["name"] == "the answer")).expect("it is listed");
    assert_eq!((&row["graph"], &row["state"], &row["outputs"]), (&json!(id), &json!("finished"), &json!(1)));
    // A second graph cannot take the name, and ids are no names.
    let other = fleet.detach(&graph.save(&fleet.home, "other.msgpack"));
    fleet.run(&["publish", &other, "the answer"]).refuses("bad-arguments", &[&id]);
    fleet.run(&["publish", &other, &id]).refuses("bad-arguments", &["looks like the id"]);
    fleet.run(&["publish", "0123456789abcdef0123456789abcdef", "x"]).refuses("not-found", &[]);
    for _ in 0..2 {
        assert_eq!(fleet.run(&["results", "the answer"]).expect(0).json(), json!({"sum": 42}));
    }
    fleet.run(&["unpublish", "the answer"]).expect(0);
    fleet.run(&["unpublish", "the answer"]).refuses("not-found", &["the answer"]);
    fleet.run(&["results", "the answer"]).refuses("not-found", &["the answer", "wasm-tasks published"]);
}
