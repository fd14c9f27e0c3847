//! Languages in one graph: Rust reads, Python combines, C describes, JavaScript reports; and scripts as source text.

use super::support::{Answer, Fleet, GraphFile, guest, int, is_built, list, result, skip, text};
use serde_json::{Value as Json, json};
use wasm_tasks_protocol::Value;
use wasm_tasks_protocol::graph::{Argument, Arguments, Dynamic, Options, Reference};

const PARSE: &str = "wasm-tasks:examples/flights-parse@0.1.0#parse";
const COMBINE: &str = "wasm-tasks:examples/flights-combine@0.1.0#combine";
const DESCRIBE: &str = "wasm-tasks:examples/flights-stats@0.1.0#describe";
const MAKE: &str = "wasm-tasks:examples/flights-report@0.1.0#make";

/// Hour 5: delays 10 and -4; hour 6: delay 1, once 20, and one flight that did not depart.
const PARTS: [&str; 2] = ["5,10\n6,1\n6,\n", "5,-4\n6,20\n"];

/// The four steps, each with a component of its own.
fn graph(combine: &str, describe: &str, report: &str) -> GraphFile {
    let flights = guest("flights");
    let mut graph = GraphFile::new();
    let parts: Vec<_> = PARTS
        .iter()
        .enumerate()
        .map(|(i, csv)| {
            let csv = Argument::Value(Value::Bin(csv.as_bytes().to_vec()));
            graph.task(&format!("parse-{i}"), &flights, PARSE, vec![text("hour,dep_delay"), csv])
        })
        .collect();
    let sums = graph.output_task("sums", &guest(combine), COMBINE, vec![list(parts.into_iter().map(result))]);
    let all = graph.output_task("all", &guest(describe), DESCRIBE, vec![result(sums)]);
    graph.output_task("report", &guest(report), MAKE, vec![result(sums), result(all)]);
    graph
}

fn expect(answer: &Answer) -> Json {
    let outputs = answer.expect(0).json();
    let sums = json!([{"hour": 5, "flights": 2, "delay": 6}, {"hour": 6, "flights": 2, "delay": 21}]);
    assert_eq!(outputs["sums"], sums, "{answer}");
    assert_eq!(outputs["all"], json!({"flights": 4, "mean": 6.75, "best-hour": 5, "worst-hour": 6}), "{answer}");
    assert_eq!(outputs["report"]["table"], "05      2   3.0000\n06      2  10.5000\n", "{answer}");
    assert!(outputs["report"]["svg"].as_str().is_some_and(|svg| svg.starts_with("<svg ")), "{answer}");
    outputs
}

#[test]
fn one_component_can_take_every_step() {
    let fleet = Fleet::shared();
    let path = graph("flights", "flights", "flights").save(&fleet.home, "one-language.msgpack");
    assert_eq!(expect(&fleet.home.run_on("submit", &path, &[])), expect(&fleet.run_on("submit", &path, &[])));
}

#[test]
fn four_languages_feed_each_other() {
    let missing: Vec<&str> = ["combine", "stats", "report"].into_iter().filter(|name| !is_built(name)).collect();
    if !missing.is_empty() {
        return skip("the graph of four languages", &missing);
    }
    let fleet = Fleet::shared();
    let path = graph("combine", "stats", "report").save(&fleet.home, "four-languages.msgpack");
    fleet.home.run_on("check", &path, &[]).expect(0);
    let embedded = expect(&fleet.home.run_on("submit", &path, &[]));
    assert_eq!(expect(&fleet.run_on("submit", &path, &[])), embedded);
}

/// A function of the JavaScript runner in a graph: dynamic, with a declared result or without.
fn script(graph: &mut GraphFile, source: &str, entry: &str, ty: Option<&str>) -> u32 {
    let component = graph.component(&guest("js-runner"));
    let result = ty.map(|ty| ty.parse().expect("a type"));
    let dynamic = Dynamic { params: None, result };
    graph.builder.function(component, "call", &[text(source), text(entry)], Some(&dynamic), None, &Options::default())
}

#[test]
fn a_script_takes_any_value_and_feeds_typed_tasks() {
    if !is_built("js-runner") {
        return skip("a script in a graph", &["js-runner"]);
    }
    let fleet = Fleet::shared();
    let mut graph = GraphFile::new();
    let source = "export function sizes(tree) { return tree.map((part) => part.length); }\n\
                  export function fail(why) { throw new Error(`no: ${why}`); }";
    let sizes = script(&mut graph, source, "sizes", Some("list<s64>"));
    let fail = script(&mut graph, source, "fail", None);
    let calc = guest("calc");
    let range = graph.task("range", &calc, "range", vec![int(0), int(5)]);
    let tree = Arguments::Positional(vec![list([text("four"), result(range), list([])])]);
    let counted = graph.builder.task("counted", sizes, &tree, &Options::default());
    graph.output(counted);
    graph.output_task("total", &calc, "sum", vec![result(counted)]);
    let failed = graph.builder.task("failed", fail, &Arguments::Positional(vec![result(counted)]), &Options::default());
    graph.builder.output(Reference::whole(failed));
    let path = graph.save(&fleet.home, "script.msgpack");
    for answer in [fleet.home.run_on("submit", &path, &[]), fleet.run_on("submit", &path, &[])] {
        assert_eq!(answer.expect(1).json(), json!({"counted": [4, 5, 0], "total": 9}), "{answer}");
        answer.fails("guest-error", &["task `failed` failed", "no: 4,5,0"]);
    }
}
