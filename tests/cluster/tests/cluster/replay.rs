//! `wasm-tasks replay`: a task with its inputs, run again alone.

use super::support::{Answer, Fleet, GraphFile, Home, everything, guest, int, list, part, result, text};
use serde_json::json;
use std::path::{Path, PathBuf};
use wasm_tasks_protocol::graph::{Argument, DataEncoding, Graph, Options, PathStep};
use wasm_tasks_protocol::{ComponentDigest, TaskIndex, Value};

/// A graph in which two tasks draw random numbers: one is told how many by a task, one by a literal.
fn drawing(home: &Home) -> PathBuf {
    let mut graph = GraphFile::new();
    let (all, hostile) = (guest("everything"), guest("hostile"));
    let seed = Options { seed: Some(7), ..Options::default() };
    let count = graph.task("count", &all, &everything("echo-u32"), vec![int(16)]);
    let by_result = graph.task_with("by-result", &hostile, "random-bytes", vec![result(count)], &seed);
    let by_literal = graph.task_with("by-literal", &hostile, "random-bytes", vec![int(16)], &seed);
    let unseeded = graph.task("unseeded", &hostile, "random-bytes", vec![int(16)]);
    [by_result, by_literal, unseeded].into_iter().for_each(|task| graph.output(task));
    graph.save(home, "drawing.msgpack")
}

/// A task that fails because of parts of a result, a bound argument, data and a literal.
fn failing(home: &Home) -> PathBuf {
    let mut graph = GraphFile::new();
    let (all, calc, hostile) = (guest("everything"), guest("calc"), guest("hostile"));
    let point = Argument::Map(vec![("x".into(), float(2.5)), ("y".into(), float(0.0))]);
    let point = graph.task("point", &all, &everything("echo-record"), vec![point]);
    let x = part(point, vec![PathStep::Field("x".into())]);
    let half = graph.builder.data_bytes(&[0xcb, 0x3f, 0xe0, 0, 0, 0, 0, 0, 0], None, DataEncoding::Value, None);
    graph.output_task("sum", &all, &everything("sum"), vec![list([x, Argument::Data(half), float(1.0)])]);
    let zero = graph.task("zero", &calc, "add", vec![int(-1), int(1)]);
    let component = graph.component(&calc);
    let bound = graph.builder.function(component, "div", &[int(7)], None, None, &Options::default());
    let broken = graph.builder.task("it's 7 / zero", bound, &vec![result(zero)].into(), &Options::default());
    graph.output(broken);
    let message = graph.task("message", &all, &everything("echo-string"), vec![text("on purpose")]);
    graph.output_task("says why", &hostile, "fail", vec![result(message)]);
    graph.output_task("after", &calc, "neg", vec![result(broken)]);
    graph.save(home, "failing.msgpack")
}

fn replayed(answer: &Answer, home: &Home) -> PathBuf {
    home.file(answer.expect(0).stdout.trim())
}

fn only_task(path: &Path) -> Graph {
    let graph = Graph::read(std::fs::read(path).expect("the replay").into()).expect("a graph");
    assert_eq!((graph.len(), graph.edge_count()), (1, 0));
    assert!(graph.components().iter().all(|component| component.bytes.is_some()), "it needs no other file");
    graph
}

#[test]
fn a_replay_draws_the_same_random_numbers() {
    let home = Home::new();
    let path = drawing(&home);
    let all = home.run_on("submit", &path, &[]);
    let drawn = all.expect(0).json();
    assert_eq!(drawn["by-result"], drawn["by-literal"], "only the value of an argument counts");
    assert_ne!(drawn["by-result"], drawn["unseeded"]);
    for key in ["by-result", "by-literal", "unseeded"] {
        let file = replayed(&home.run_on("replay", &path, &[key]), &home);
        only_task(&file);
        // Elsewhere: another folder for everything, and no file but this one.
        let elsewhere = Home::new();
        let copy = elsewhere.write("copy.msgpack", std::fs::read(&file).expect("the replay"));
        assert_eq!(elsewhere.run_on("submit", &copy, &[]).expect(0).json(), json!({key: drawn[key]}));
    }
}

#[test]
fn a_failed_task_fails_the_same_way_alone() {
    let home = Home::new();
    let path = failing(&home);
    let all = home.run_on("submit", &path, &[]);
    all.fails("guest-error", &["cannot divide 7 by zero", "failing.msgpack"]);
    let hint = all.stderr.lines().find(|line| line.starts_with("hint: `wasm-tasks replay ")).expect("a hint");
    assert!([r" 'it'\''s 7 / zero'`", " 'says why'`"].iter().any(|key| hint.contains(key)), "{hint}");
    let file = replayed(&home.run_on("replay", &path, &["it's 7 / zero"]), &home);
    assert_eq!(file.file_name().and_then(|name| name.to_str()), Some("replay-it_s_7___zero.msgpack"));
    home.run_on("submit", &only_file(&file), &[]).fails("guest-error", &["cannot divide 7 by zero", "1 task"]);
    let named = home.file("why.msgpack");
    home.run_on("replay", &path, &["says why", "-o", named.to_str().expect("UTF-8")]).expect(0);
    home.run_on("submit", &named, &[]).fails("guest-error", &["on purpose"]);
    // One that went well can be had too: parts of results, data and literals are all there.
    let file = replayed(&home.run_on("replay", &path, &["sum"]), &home);
    assert_eq!(only_task(&file).data().len(), 2);
    assert_eq!(home.run_on("submit", &file, &[]).expect(0).json(), json!({"sum": 4.0}));
}

fn float(value: f64) -> Argument {
    Argument::Value(Value::F64(value))
}

fn only_file(path: &Path) -> PathBuf {
    only_task(path);
    path.to_owned()
}

#[test]
fn a_replay_of_a_fleet_needs_neither_the_graph_file_nor_its_components() {
    let fleet = Fleet::shared();
    let path = failing(&fleet.home);
    let submitted = fleet.run_on("submit", &path, &[]);
    let id = fleet.graphs().into_iter().rfind(|graph| graph["state"] == "failed" && graph["tasks"] == 7).expect("the graph");
    let id = id["id"].as_str().expect("an id");
    submitted.fails("guest-error", &[&format!("wasm-tasks replay {id} ")]);
    std::fs::remove_file(&path).expect("the graph file");
    let file = replayed(&fleet.run(&["replay", id, "it's 7 / zero"]), &fleet.home);
    let here = Home::new();
    here.run_on("submit", &only_file(&file), &[]).fails("guest-error", &["cannot divide 7 by zero"]);
    // What cannot be had says why.
    fleet.run(&["replay", id, "after"]).expect(2).says(&[
        "error[dependency-failed]",
        "`it's 7 / zero`",
        "cannot divide",
        "hint:",
    ]);
    fleet.run(&["replay", id, "nobody"]).refuses("not-found", &["`nobody`"]);
    fleet.run(&["replay", "0123456789abcdef0123456789abcdef", "a"]).refuses("not-found", &["0123456789abcdef"]);
    here.run(&["replay", "0123456789abcdef0123456789abcdef", "a"]).refuses("not-found", &["embedded run"]);
    here.run(&["replay", "missing.msgpack", "a"]).refuses("source-unreadable", &["missing.msgpack"]);
}

/// A graph whose tasks end in tasks: of `sort` one fails for what it has from who wrote it, and `write` goes on in another component.
fn delegating(home: &Home) -> PathBuf {
    let mut graph = GraphFile::new();
    let (recursion, all) = (guest("recursion"), guest("everything"));
    // The smallest of all is in the middle, so everything else goes to `more`, which costs more fuel to sort than to part.
    let mut numbers: Vec<Value> = (1..=4_000).map(|n| Value::int(n * 7_919 % 100_003)).collect();
    numbers[2_000] = Value::int(0);
    let options = Options { fuel: Some(800_000), seed: Some(3), ..Options::default() };
    let sort = graph.task_with("f", &recursion, "sort", vec![Value::Array(numbers).into(), int(3_999)], &options);
    graph.output(sort);
    graph.component(&all);
    let digest = ComponentDigest::of(&std::fs::read(&all).expect("a component")).to_string();
    let map =
        |fields: &[(&str, Value)]| Value::Map(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect());
    let text = |text: &str| Value::Str(text.to_owned());
    let tasks = map(&[
        ("wasm-tasks", Value::int(1)),
        ("components", Value::Array(vec![map(&[("digest", text(&digest))])])),
        ("functions", Value::Array(vec![map(&[("component", Value::int(1)), ("export", text(&everything("echo-u64")))])])),
        ("tasks", Value::Array(vec![Value::Array(vec![text("there"), Value::int(1), Value::Array(vec![Value::int(11)])])])),
        ("outputs", Value::Array(vec![Value::Ext(1, vec![0])])),
    ]);
    let written = Argument::Value(Value::Bin(tasks.to_msgpack()));
    graph.output_task("w", &recursion, "write", vec![written]);
    graph.save(home, "delegating.msgpack")
}

#[test]
fn what_a_task_wrote_fails_the_same_way_alone() {
    let fleet = Fleet::shared();
    let path = delegating(&fleet.home);
    let id = fleet.detach(&path);
    let attached = fleet.run(&["attach", &id]);
    attached.fails("out-of-fuel", &["`f/more`", "800000 units", &format!("wasm-tasks replay {id} f/more")]);
    assert_eq!(attached.json(), json!({"w": 11}));
    let of_fleet = replayed(&fleet.run(&["replay", &id, "f/more"]), &fleet.home);
    let other = fleet.home.file("of-file.msgpack");
    let name = other.to_str().expect("UTF-8");
    fleet.home.run_on("replay", &path, &["f/more", "-o", name]).expect(0);
    for file in [of_fleet, other] {
        let settings = only_task(&file).task(TaskIndex(0)).settings().clone();
        assert_eq!((settings.fuel, settings.seed), (Some(800_000), 3), "as who wrote it has them");
        Home::new().run_on("submit", &file, &[]).fails("out-of-fuel", &["800000 units", "1 task"]);
    }
    // Who delegates has the components at hand that it may delegate to.
    let file = replayed(&fleet.run(&["replay", &id, "w"]), &fleet.home);
    assert_eq!(Home::new().run_on("submit", &file, &[]).expect(0).json(), json!({"w": 11}));
    fleet.home.run_on("replay", &path, &["f/nobody"]).refuses("not-found", &["`f/nobody`"]);
    fleet.home.run_on("replay", &path, &["nobody/more"]).refuses("not-found", &["`nobody/more`"]);
}
