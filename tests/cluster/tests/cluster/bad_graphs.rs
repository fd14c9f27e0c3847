//! Files that are no graph: each is refused with its code and its place, by `check`, `show` and `submit` alike.

use super::support::{Fleet, GraphFile, Home, guest, int, result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use wasm_tasks_protocol::TaskIndex;
use wasm_tasks_protocol::limits::GRAPH_BYTES_MAX;
use wasm_tasks_protocol::msgpack::Writer;

/// Folder of the vectors that every SDK's reader must refuse.
fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/conformance/bad")
}

fn good_bytes() -> Vec<u8> {
    let mut graph = GraphFile::new();
    graph.output_task("a", &guest("calc"), "add", vec![int(1), int(2)]);
    graph.builder.to_bytes()
}

#[test]
fn every_bad_vector_is_refused_with_its_code() {
    let home = Home::new();
    let mut seen = 0;
    for entry in fs::read_dir(vectors()).expect("the vectors") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "msgpack") {
            continue;
        }
        let json = fs::read_to_string(path.with_extension("json")).expect("the refusal");
        let refusal: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        home.run_on("show", &path, &[]).refuses(refusal["error"].as_str().expect("a code"), &[]);
        seen += 1;
    }
    assert!(seen > 20, "only {seen} vectors were found");
}

#[test]
fn truncated_random_and_longer_files_are_no_graphs() {
    let home = Home::new();
    let good = good_bytes();
    // Cut anywhere, it is never a graph, and never a crash.
    for len in [0, 1, 2, good.len() / 3, good.len() / 2, good.len() - 1] {
        home.run_on("submit", &home.write("cut", &good[..len]), &[]).refuses("bad-msgpack", &[]);
    }
    let longer = home.write("longer", [&good[..], b"\xc0"].concat());
    home.run_on("submit", &longer, &[]).refuses("trailing-bytes", &[]);
    // Numbers of a linear congruential generator (Knuth, The Art of Computer Programming, 3.3.4): the same ones each time.
    let mut state = 3_u64;
    for len in [16, 4096] {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        let noise: Vec<u8> = (0..len).map(|_| next()).collect();
        let answer = home.run_on("submit", &home.write("noise", noise), &[]);
        assert!(answer.expect(2).stderr.starts_with("error["), "{answer}");
    }
    // A header that promises more than there is must not make anybody allocate it.
    home.run_on("submit", &home.write("promise", b"\xdf\xff\xff\xff\xff"), &[]).expect(2);
    home.run_on("submit", &home.write("text", "not a graph\n"), &[]).expect(2).says(&["error["]);
    home.run_on("submit", &home.file("nowhere"), &[]).refuses("source-unreadable", &["nowhere", "No such file"]);
    home.run_on("submit", Path::new("/"), &[]).refuses("source-unreadable", &[]);
}

#[test]
fn a_file_above_the_limit_is_not_even_read() {
    let home = Home::new();
    let path = home.file("huge");
    // Sparse: it takes no room on the disk.
    File::create(&path).and_then(|file| file.set_len(GRAPH_BYTES_MAX as u64 + 1)).expect("a sparse file");
    home.run_on("submit", &path, &[]).refuses("limit-exceeded", &[&GRAPH_BYTES_MAX.to_string()]);
}

#[test]
fn faults_are_named_with_their_place() {
    let home = Home::new();
    let calc = guest("calc");
    let refused = |graph: GraphFile, code: &str, says: &[&str]| {
        let path = graph.save(&home, code);
        home.run_on("check", &path, &[]).refuses(code, says);
        home.run_on("submit", &path, &[]).refuses(code, says);
    };

    let mut cycle = GraphFile::new();
    cycle.task("egg", &calc, "neg", vec![result(TaskIndex(1))]);
    cycle.output_task("hen", &calc, "neg", vec![result(TaskIndex(0))]);
    refused(cycle, "cycle", &["egg", "hen"]);

    let mut unknown = GraphFile::new();
    unknown.output_task("a", &calc, "neg", vec![result(TaskIndex(7))]);
    refused(unknown, "unknown-task", &["tasks[0]", "`a`", "a task that the graph does not have"]);

    let mut twice = GraphFile::new();
    twice.output_task("same", &calc, "neg", vec![int(1)]);
    twice.output_task("same", &calc, "neg", vec![int(2)]);
    refused(twice, "duplicate-key", &["`same`"]);

    let mut field = Writer::new();
    field.map(1);
    field.str("colour");
    field.str("red");
    home.run_on("check", &home.write("field", field.as_bytes()), &[]).refuses("unknown-field", &["colour"]);

    let mut map = Writer::new();
    map.map(2);
    map.str("tasks");
    map.array(0);
    map.str("tasks");
    map.array(0);
    home.run_on("check", &home.write("map", map.as_bytes()), &[]).refuses("duplicate-map-key", &["tasks"]);
}

#[test]
fn a_bad_graph_leaves_a_fleet_as_it_was() {
    let fleet = Fleet::shared();
    let good = good_bytes();
    let cut = fleet.home.write("bad-graphs-cut", &good[..good.len() - 1]);
    fleet.run_on("submit", &cut, &[]).refuses("bad-msgpack", &[]);
    let whole = fleet.home.write("bad-graphs-whole", &good);
    assert_eq!(fleet.run_on("submit", &whole, &[]).expect(0).stdout, "{\"a\":3}\n");
}
