//! Graphs of a fleet that are extended after they were submitted.

use super::support::{Fleet, GraphFile, guest, int, result};
use serde_json::json;
use std::path::PathBuf;
use wasm_tasks_protocol::GraphId;
use wasm_tasks_protocol::graph::{Append, Arguments, Extent, GraphBuilder, Options, Reference};
use wasm_tasks_protocol::ids::TaskIndex;

/// `sum` = 20 + 1, detached; its id.
fn sum(fleet: &Fleet, name: &str) -> String {
    let mut graph = GraphFile::new();
    graph.output_task("sum", &guest("calc"), "add", vec![int(20), int(1)]);
    fleet.detach(&graph.save(&fleet.home, name))
}

/// `double` = sum + sum, by the function that the graph has.
fn double(fleet: &Fleet, graph: GraphId, name: &str) -> PathBuf {
    let base = Extent { components: 1, functions: 1, data: 0, tasks: 1, outputs: 1 };
    let mut fragment = GraphBuilder::fragment(Append { graph, base });
    let sum = || result(TaskIndex(0));
    let double = fragment.task("double", 0, &Arguments::Positional(vec![sum(), sum()]), &Options::default());
    fragment.output(Reference::whole(double));
    fleet.home.write(name, fragment.to_bytes())
}

#[test]
fn a_graph_that_has_finished_goes_on_with_a_fragment() {
    let fleet = Fleet::shared();
    let id = sum(&fleet, "grows.msgpack");
    assert_eq!(fleet.run(&["attach", &id]).expect(0).json(), json!({"sum": 21}));
    // Written for no graph in particular: the command says for which.
    let more = double(&fleet, GraphId([0; 16]), "more.msgpack");
    let more = more.to_str().expect("UTF-8");
    assert_eq!(fleet.run(&["submit", more, "--append-to", &id]).expect(0).json(), json!({"double": 42}));
    assert_eq!(fleet.run(&["results", &id]).expect(0).json(), json!({"sum": 21, "double": 42}));
    fleet.run(&["submit", more, "--append-to", &id]).expect(2).says(&["base-moved", "2 tasks, not 1"]);
}

#[test]
fn a_fragment_is_no_graph_of_its_own() {
    let fleet = Fleet::shared();
    let more = double(&fleet, GraphId([7; 16]), "alone.msgpack");
    let more = more.to_str().expect("UTF-8");
    fleet.run(&["submit", more]).expect(2).says(&["bad-field", "fragment"]);
    fleet.run(&["submit", more, "--append-to", "07070707070707070707070707070707"]).expect(2).says(&["not-found"]);
}
