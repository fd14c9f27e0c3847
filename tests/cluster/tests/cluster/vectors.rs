//! The graphs of `sdk/conformance/run` give the same outputs in this process and on a fleet.

use super::support::{Answer, Fleet};
use serde_json::Value as Json;
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/conformance/run")
}

fn expect(name: &str, answer: &Answer, expected: &Json) {
    let exit = expected["exit"].as_i64().expect("an exit code");
    answer.expect(exit as i32);
    match expected.get("outputs") {
        Some(outputs) => assert_eq!(&answer.json(), outputs, "{name}: {answer}"),
        None => drop(answer.refuses(expected["error"].as_str().expect("a code"), &[])),
    }
    let failures = expected["failures"].as_object();
    let failed = answer.stderr.lines().filter(|line| line.starts_with("task `")).count();
    assert_eq!(failed, failures.map_or(0, serde_json::Map::len), "{name}: {answer}");
    for (key, code) in failures.into_iter().flatten() {
        answer.says(&[&format!("task `{key}` failed [{}]: ", code.as_str().expect("a code"))]);
    }
}

#[test]
fn vectors_end_as_expected_embedded_and_on_a_fleet() {
    let fleet = Fleet::shared();
    let mut names = Vec::new();
    for entry in fs::read_dir(folder().join("expected")).expect("the expectations") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        let expected: Json = serde_json::from_str(&fs::read_to_string(&path).expect("a file")).expect("JSON");
        let graph = folder().join(&name).with_extension("msgpack");
        expect(&name, &fleet.home.run_on("submit", &graph, &[]), &expected);
        expect(&name, &fleet.run_on("submit", &graph, &[]), &expected);
        names.push(name);
    }
    let graphs = fs::read_dir(folder()).expect("the vectors").map(|entry| entry.expect("an entry").path());
    let graphs = graphs.filter(|path| path.extension().is_some_and(|extension| extension == "msgpack")).count();
    assert!(graphs == names.len() && graphs >= 6, "{graphs} graphs, expectations for {names:?}");
}

#[test]
fn the_component_of_the_vectors_is_what_its_text_says() {
    let assembled = wat::parse_file(folder().join("numbers.wat")).expect("the text can be assembled");
    let component = fs::read(folder().join("numbers.wasm")).expect("the component");
    assert!(assembled == component, "assemble numbers.wat again, and make the vectors again");
}
