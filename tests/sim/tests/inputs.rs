//! Graphs that others wrote are read in every form that there is, and what is wrong with one is said.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::io::{Cursor, Write};
use wasm_tasks_protocol::graph::{Argument, Arguments, GraphBuilder, Options, Reference};
use wasm_tasks_protocol::ids::TaskIndex;
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_sim::read::{self, Defaults, ReadError, Reason};
use wasm_tasks_sim::work::Work;
use zip::write::SimpleFileOptions;

const MIB: u64 = 1 << 20;

/// As `estee/serialization/dask_json.py` writes it.
const TASKS: &str = r#"[{"d": 2, "e_d": 3, "cpus": 1, "outputs": [{"s": 1, "e_s": 1}, {"s": 2.5, "e_s": 2}], "inputs": []},
    {"d": 1, "e_d": 1, "cpus": 2, "outputs": [], "inputs": [[0, 1]]}]"#;
/// As the published data set has it.
const PLAIN: &str = r#"[{"d": 200, "e_d": 180, "cpus": 1, "outputs": [100], "inputs": []},
    {"d": 50, "e_d": 60, "cpus": 2, "outputs": [], "inputs": [[0, 0]]}]"#;

fn graphs(json: &str) -> Vec<Work> {
    read::estee("file", json.as_bytes()).into_iter().map(|work| work.unwrap_or_else(|error| panic!("{json}: {error}"))).collect()
}

fn names(json: &str) -> Vec<String> {
    graphs(json).into_iter().map(|work| work.name).collect()
}

#[test]
fn tasks_of_estee_have_durations_cores_and_parts() {
    let work = &graphs(TASKS)[0];
    assert_eq!(
        (work.tasks[0].parts.as_slice(), work.tasks[1].needs.as_slice()),
        ([MIB, MIB * 5 / 2].as_slice(), [(TaskIndex(0), 1)].as_slice())
    );
    assert_eq!((work.tasks[1].settings.slots_milli, work.tasks[0].expected), (2_000, Duration(3_000_000)));
    let plain = &graphs(PLAIN)[0];
    assert_eq!((plain.tasks[0].parts.as_slice(), plain.critical_path()), ([100 * MIB].as_slice(), Duration(250_000_000)));
    // Nothing but a duration is demanded; other spellings are known.
    let short =
        &graphs(r#"{"tasks": [{"duration": 0.5, "expected_duration": 1, "outputs": [{"size": 3}]}, {"d": 1, "inputs": [0]}]}"#)
            [0];
    assert_eq!((short.tasks[0].size(), short.tasks[1].needs.as_slice()), (3 * MIB, [(TaskIndex(0), 0)].as_slice()));
    assert_eq!((short.tasks[0].duration, short.tasks[0].expected), (Duration(500_000), Duration(1_000_000)));
}

#[test]
fn a_file_has_one_graph_or_many() {
    assert_eq!(names(TASKS), ["file"]);
    assert_eq!(names(&format!("[{TASKS}, {PLAIN}]")), ["file 0", "file 1"]);
    assert_eq!(names(&format!(r#"{{"name": "x", "tasks": {TASKS}}}"#)), ["x"]);
    assert_eq!(names(&format!(r#"{{"graphs": [{TASKS}, {{"tasks": {PLAIN}}}]}}"#)), ["file 0", "file 1"]);
    assert_eq!(names(&format!(r#"{{"a": {TASKS}, "b": {PLAIN}}}"#)), ["a", "b"]);
    let records = format!(r#"[{{"graph_name": "a", "graph_id": "a1", "graph": {TASKS}}}, {{"graph_name": "b", "graph": []}}]"#);
    assert_eq!(names(&records), ["a", "b"]);
    let columns = format!(r#"{{"graph_name": {{"0": "a", "1": "b"}}, "graph": {{"0": {TASKS}, "1": {PLAIN}}}}}"#);
    assert_eq!(names(&columns), ["a", "b"]);
    let text = serde_json::to_string(TASKS).unwrap();
    assert_eq!(names(&format!(r#"[{{"graph_name": "a", "graph": {text}}}]"#)), ["a"]);
    let lines = format!("{{\"graph_name\": \"a\", \"graph\": {text}}}\n{{\"graph_name\": \"b\", \"graph\": {text}}}\n");
    assert_eq!(names(&lines), ["a", "b"]);
}

#[test]
fn what_is_wrong_is_said_and_the_others_go_on() {
    let bad = [
        ("{", "it is not JSON"),
        ("", "expected a graph"),
        ("7", "graph `file`: expected an array of tasks"),
        ("[7]", "graph `file`: task 0: expected an object"),
        (r#"[{"e_d": 1}]"#, "graph `file`: task 0: `d`: expected seconds"),
        (r#"[{"d": -1}]"#, "graph `file`: task 0: `d`: expected seconds"),
        (r#"[{"d": 1e300}]"#, "graph `file`: task 0: `d`: expected seconds"),
        (r#"[{"d": "1"}]"#, "graph `file`: task 0: `d`: expected seconds"),
        (r#"[{"d": 1, "cpus": 1e9}]"#, "graph `file`: task 0: `cpus`: expected cores"),
        (r#"[{"d": 1}, {"d": 1, "outputs": 3}]"#, "graph `file`: task 1: `outputs`: expected an array"),
        (r#"[{"d": 1, "outputs": [-3]}]"#, "graph `file`: task 0: `outputs`: expected sizes"),
        (
            r#"[{"d": 1, "outputs": [], "inputs": [[5, 0]]}]"#,
            "graph `file`: task 0: `inputs`: expected a task that the graph has",
        ),
        (r#"[{"d": 1, "outputs": [1]}, {"d": 1, "inputs": [[0, 1]]}]"#, "graph `file`: task 1: `inputs`: expected an output"),
        (r#"[{"d": 1, "outputs": [1], "inputs": [[0]]}]"#, "graph `file`: task 0: `inputs`: expected pairs"),
        (r#"[{"d": 1, "outputs": [1], "inputs": [[0, 0]]}]"#, "graph `file`: tasks need each other in a circle"),
        (r#"{"x": 1}"#, "graph `file`: expected tasks, or graphs"),
    ];
    for (json, expected) in bad {
        let mut outcomes = read::estee("file", json.as_bytes());
        let error = outcomes.pop().unwrap().map(|work| work.name).expect_err(json).to_string();
        assert!(error.starts_with(expected) && outcomes.is_empty(), "{json}: {error}");
    }
    let outcomes = read::estee("file", format!(r#"{{"a": {TASKS}, "b": [{{"d": null}}], "c": {PLAIN}}}"#).as_bytes());
    assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
}

fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn archives_are_unpacked_and_what_is_no_json_is_named() {
    let bytes = zipped(&[("set/a.json", TASKS.as_bytes()), ("b.pickle", b"\x80\x04"), ("c.txt", b"?"), ("__MACOSX/d", b"")]);
    assert!(read::is_archive(&bytes) && !read::is_archive(TASKS.as_bytes()));
    let entries = read::entries(&bytes).unwrap();
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["set/a.json", "b.pickle", "c.txt"]);
    assert_eq!(entries[0].bytes.as_ref().unwrap(), TASKS.as_bytes());
    let reason = |at: usize| entries[at].bytes.as_ref().err().map(|error: &ReadError| &error.reason);
    assert!(matches!(reason(1), Some(Reason::Pickle)) && matches!(reason(2), Some(Reason::OtherFile)));
    assert!(matches!(read::entries(b"PK\x03\x04 and no more").unwrap_err().reason, Reason::Archive(_)));
    // An archive that says other sizes than it has, or is cut short, fails without a panic.
    for cut in 0..bytes.len() {
        drop(read::entries(&bytes[..cut]));
    }
}

const INSTANCE: &str = r#"{"name": "w", "schemaVersion": "1.5", "workflow": {"specification": {
    "tasks": [{"id": "a", "name": "p", "parents": [], "children": ["b"], "inputFiles": ["in"], "outputFiles": ["x", "y"]},
              {"id": "b", "name": "p", "parents": ["a"], "children": [], "inputFiles": ["y"], "outputFiles": []}],
    "files": [{"id": "x", "sizeInBytes": 10}, {"id": "y", "sizeInBytes": 20}, {"id": "in", "sizeInBytes": 5}]},
    "execution": {"makespanInSeconds": 3, "executedAt": "20240101T000000Z",
    "tasks": [{"id": "a", "runtimeInSeconds": 1.5, "coreCount": 2, "machines": ["m1"]}, {"id": "b", "runtimeInSeconds": 0.5, "machines": ["m2"]}],
    "machines": [{"nodeName": "m1", "cpu": {"coreCount": 48, "speedInMHz": 2400}}, {"nodeName": "m2"}]}}}"#;

#[test]
fn instances_of_wfformat_are_read() {
    let work = read::wfformat("file", INSTANCE.as_bytes()).unwrap();
    assert_eq!((work.tasks[0].size(), work.critical_path(), work.outputs.clone()), (30, Duration(2_000_000), vec![TaskIndex(1)]));
    assert_eq!((work.tasks[0].settings.slots_milli, work.tasks[1].settings.slots_milli), (2_000, 1_000));
    // `b` is after `a`, and needs its second file.
    assert_eq!(work.tasks[1].needs, [(TaskIndex(0), 2), (TaskIndex(0), 1)]);
    assert_eq!(work.tasks[0].function, work.tasks[1].function);
    let bad = [
        ("{".to_owned(), "it is not JSON"),
        ("{}".to_owned(), "graph `file`: `workflow.specification.tasks`: expected"),
        (INSTANCE.replace("execution", "exec"), "graph `w`: `workflow.execution.tasks`: expected"),
        (INSTANCE.replace("1.5,", "-1,"), "graph `w`: task `a`: `runtimeInSeconds`: expected seconds"),
        (INSTANCE.replace(r#""parents": ["a"]"#, r#""parents": ["z"]"#), "graph `w`: task 1: `parents`: expected ids"),
        (INSTANCE.replace(r#""parents": ["a"]"#, r#""parents": "a""#), "graph `w`: task 1: `parents`: expected an array"),
        (INSTANCE.replace(r#"{"id": "b", "r"#, r#"{"id": "c", "r"#), "graph `w`: task `b`: `execution`: expected a measured run"),
        (INSTANCE.replace(r#""sizeInBytes": 20"#, r#""sizeInBytes": -20"#), "graph `w`: `files.sizeInBytes`: expected bytes"),
        (
            INSTANCE.replace(r#"{"id": "b", "name""#, r#"{"id": "a", "name""#),
            "graph `w`: task `a`: `id`: expected an id that no other",
        ),
    ];
    for (json, expected) in bad {
        let error = read::wfformat("file", json.as_bytes()).map(|work| work.name).expect_err(expected).to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn graph_files_of_ours_are_read() {
    let mut graph = GraphBuilder::new();
    let (none, no_arguments) = (Options::default(), Arguments::Positional(Vec::new()));
    let component = graph.component(wasm_tasks_protocol::ComponentDigest::of(b"x"), None, None, None);
    let function = graph.function(component, "run", &[], None, None, &none);
    let first = graph.task("a", function, &no_arguments, &none);
    let hints = (Some(3_000), Some(77));
    let half = Options { slots_milli: Some(500), expected_us: hints.0, expected_result_bytes: hints.1, ..Options::default() };
    let second = graph.task(
        "b",
        function,
        &Arguments::Positional(vec![Argument::Task(Reference { task: first, path: Vec::new() })]),
        &half,
    );
    graph.output(Reference { task: second, path: Vec::new() });
    let defaults = Defaults { duration: Duration(7_000), bytes: 9 };
    let work = read::graph_file("mine", graph.to_bytes().into(), defaults).unwrap();
    assert_eq!((work.name.as_str(), work.tasks[0].duration, work.tasks[0].size()), ("mine", Duration(7_000), 9));
    assert_eq!((work.tasks[1].needs.as_slice(), work.outputs.as_slice()), ([(first, 0)].as_slice(), [second].as_slice()));
    assert_eq!(work.tasks[1].settings.slots_milli, 500);
    assert_eq!((work.tasks[1].duration, work.tasks[1].size()), (Duration(3_000), 77));
    let error = read::graph_file("mine", b"no graph".as_slice().into(), defaults).map(|work| work.name).unwrap_err().to_string();
    assert!(error.starts_with("graph `mine`: "), "{error}");
}
