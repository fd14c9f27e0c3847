//! Values that do not fit: arguments of tasks, and edges between components of different languages.

use super::support::{Fleet, GraphFile, everything, guest, int, is_built, list, result, skip, text};
use wasm_tasks_protocol::Value;
use wasm_tasks_protocol::graph::{Argument, Reference};

const PARSE: &str = "wasm-tasks:examples/flights-parse@0.1.0#parse";
const COMBINE: &str = "wasm-tasks:examples/flights-combine@0.1.0#combine";
const DESCRIBE: &str = "wasm-tasks:examples/flights-stats@0.1.0#describe";
const MAKE: &str = "wasm-tasks:examples/flights-report@0.1.0#make";

/// Refused here and by a scheduler, in the same words, and nothing runs.
fn refused(graph: &GraphFile, name: &str, code: &str, says: &[&str]) {
    let fleet = Fleet::shared();
    let path = graph.save(&fleet.home, name);
    fleet.home.run_on("check", &path, &[]).refuses(code, says);
    fleet.home.run_on("submit", &path, &[]).refuses(code, says);
    fleet.run_on("submit", &path, &[]).refuses(code, says);
}

#[test]
fn arguments_are_checked_with_the_path_to_the_value() {
    let (calc, all) = (guest("calc"), guest("everything"));
    let mut one_missing = GraphFile::new();
    one_missing.output_task("a", &calc, "add", vec![int(1)]);
    refused(&one_missing, "misfit-arity", "wrong-arity", &["`a`", "takes 2", "found 1"]);

    let mut deep = GraphFile::new();
    let rows = list([row(1, "fine"), Argument::Map(vec![("id".into(), int(2)), ("x".into(), int(0)), ("label".into(), int(7))])]);
    deep.output_task("rows", &all, &everything("echo-rows"), vec![rows]);
    refused(&deep, "misfit-deep", "type-mismatch", &["`rows`", "[1].label", "string"]);

    let mut negative = GraphFile::new();
    negative.output_task("small", &all, &everything("echo-list-u16"), vec![list([int(1), int(65_536)])]);
    refused(&negative, "misfit-range", "type-mismatch", &["`small`", "[1]", "u16"]);

    // All that is wrong is said at once.
    let mut several = GraphFile::new();
    several.output_task("first", &calc, "add", vec![int(1), text("x")]);
    several.output_task("second", &calc, "sum", vec![text("y")]);
    refused(&several, "misfit-several", "type-mismatch", &["`first`", "`second`"]);
}

fn row(id: i64, label: &str) -> Argument {
    Argument::Map(vec![("id".into(), int(id)), ("x".into(), Argument::Value(Value::F64(0.5))), ("label".into(), text(label))])
}

#[test]
fn edges_need_the_very_type_of_the_parameter() {
    let (calc, all) = (guest("calc"), guest("everything"));
    let mut list_into_number = GraphFile::new();
    let range = list_into_number.task("range", &calc, "range", vec![int(0), int(3)]);
    list_into_number.output_task("neg", &calc, "neg", vec![result(range)]);
    refused(&list_into_number, "misfit-edge", "type-mismatch", &["`neg`", "`range`", "list<s64>", "s64"]);

    // A literal 3 would fit an f64; a result of type s64 does not.
    let mut widening = GraphFile::new();
    let sum = widening.task("sum", &calc, "sum", vec![list([int(1), int(2)])]);
    widening.output_task("float", &all, &everything("echo-list-f64"), vec![list([result(sum)])]);
    refused(&widening, "misfit-widening", "type-mismatch", &["`float`", "[0]", "f64", "s64", "`sum`"]);

    let mut no_such_part = GraphFile::new();
    let pair = no_such_part.task("pair", &calc, "div-rem", vec![int(7), int(2)]);
    no_such_part.output_task(
        "neg",
        &calc,
        "neg",
        vec![super::support::part(pair, vec![wasm_tasks_protocol::graph::PathStep::Index(2)])],
    );
    refused(&no_such_part, "misfit-part", "type-mismatch", &["`neg`", "argument 1 (a)", "`[2]`", "tuple<s64, s64>"]);

    let mut output = GraphFile::new();
    let whole = output.task("whole", &calc, "neg", vec![int(1)]);
    let path = vec![wasm_tasks_protocol::graph::PathStep::Field("x".into())];
    output.builder.output(Reference { task: whole, path });
    refused(&output, "misfit-output", "type-mismatch", &["outputs[0]", "s64"]);
}

#[test]
fn edges_between_languages_are_checked_too() {
    let missing: Vec<&str> = ["combine", "stats", "report"].into_iter().filter(|name| !is_built(name)).collect();
    if !missing.is_empty() {
        return skip("types of edges between languages", &missing);
    }
    // The C component's summary where the Python component wants lists of sums.
    let mut graph = GraphFile::new();
    let parse =
        graph.task("parse", &guest("flights"), PARSE, vec![text("hour,dep_delay"), Argument::Value(Value::Bin(Vec::new()))]);
    let describe = graph.task("describe", &guest("stats"), DESCRIBE, vec![result(parse)]);
    let combine = graph.task("combine", &guest("combine"), COMBINE, vec![list([result(parse), result(describe)])]);
    // The Python component's sums where the JavaScript component wants a summary.
    graph.output_task("report", &guest("report"), MAKE, vec![result(combine), result(combine)]);
    let says = ["`combine`", "[1]", "`describe`", "best-hour", "`report`", "argument 2 (all)", "list<record { hour: u32"];
    refused(&graph, "misfit-languages", "type-mismatch", &says);
}
