//! Builds the cargo workspace, and sees to it that the engine is compiled once: it takes most of a cold build.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::exec::{echo, follow};
use crate::failure::Failure;
use crate::tools::cargo;

/// The package that must not be compiled twice.
const ENGINE: &str = "wasmtime";

/// Builds some programs, with the features that the whole workspace gives their dependencies.
pub(crate) fn build_programs(names: &[&str]) -> Result<(), Failure> {
    let mut command = cargo();
    command.args(["build", "--workspace"]);
    for name in names {
        command.args(["--bin", name]);
    }
    check(&build(&mut command)?)
}

/// Builds an example, like [`build_programs`].
pub(crate) fn build_example(name: &str) -> Result<(), Failure> {
    build(cargo().args(["build", "--workspace", "--example", name])).map(drop)
}

/// Builds the command, every library, test and benchmark.
pub(crate) fn build_everything() -> Result<(), Failure> {
    let mut engines = build(cargo().args(["build", "--workspace", "--all-targets"]))?;
    // What the tests themselves will ask for, and the command alone as `demo` does: both must find it built.
    engines.append(&mut build(cargo().args(["test", "--workspace", "--no-run"]))?);
    engines.append(&mut build(cargo().args(["build", "--workspace", "--bin", "wasm-tasks"]))?);
    check(&engines)
}

/// Runs a build and returns the files that hold the compiled engine.
fn build(command: &mut Command) -> Result<BTreeSet<String>, Failure> {
    let mut engines = BTreeSet::new();
    let mut odd = None;
    command.arg("--message-format=json-render-diagnostics");
    let succeeded = follow(command, |line| match serde_json::from_str::<Value>(line) {
        Ok(message) => engines.extend(engine_file(&message)),
        Err(_) => {
            echo(line);
            odd = Some(line.to_owned());
        }
    })?;
    match (succeeded, odd) {
        (true, None) => Ok(engines),
        (true, Some(line)) => Err(Failure::step(format!("cargo printed a line that is no JSON: {line}"))),
        (false, _) => Err(Failure::step("the workspace does not build; cargo says why above")),
    }
}

/// The compiled engine that a message of cargo announces, if it does.
fn engine_file(message: &Value) -> Option<String> {
    let target = &message["target"];
    if message["reason"] != "compiler-artifact" || target["name"] != ENGINE {
        return None;
    }
    if target["kind"].as_array()?.iter().all(|kind| kind != "lib") {
        return None;
    }
    let files = message["filenames"].as_array()?;
    files.iter().filter_map(Value::as_str).find(|file| file.ends_with(".rlib")).map(str::to_owned)
}

fn check(engines: &BTreeSet<String>) -> Result<(), Failure> {
    let hint = "some selection of packages gives what it is built from other features; \
                worker/sandbox/Cargo.toml lists the dependencies that hold them level \
                (compare `cargo tree -e features -p wasmtime` of both)";
    match engines.len() {
        0 => Err(Failure::step(format!("cargo's messages name no `{ENGINE}`: it cannot be checked that it is compiled once"))),
        1 => Ok(()),
        more => {
            let files: Vec<&str> = engines.iter().map(String::as_str).collect();
            Err(Failure::step(format!("{ENGINE} is compiled {more} times: {}", files.join(", "))).with_hint(hint))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(name: &str, kind: &str, file: &str) -> Value {
        serde_json::json!({
            "reason": "compiler-artifact",
            "target": {"name": name, "kind": [kind]},
            "filenames": [file, "other.rmeta"],
        })
    }

    #[test]
    fn the_engine_is_found_among_artifacts() {
        assert_eq!(engine_file(&artifact("wasmtime", "lib", "a.rlib")), Some("a.rlib".to_owned()));
        assert_eq!(engine_file(&artifact("wasmtime", "custom-build", "a.rlib")), None);
        assert_eq!(engine_file(&artifact("serde", "lib", "a.rlib")), None);
        assert_eq!(engine_file(&serde_json::json!({"reason": "build-finished"})), None);
    }

    #[test]
    fn one_engine_is_right_and_two_or_none_are_not() {
        let engines = |files: &[&str]| files.iter().map(|file| (*file).to_owned()).collect();
        assert!(check(&engines(&["a.rlib"])).is_ok());
        assert!(check(&engines(&[])).is_err());
        let failure = check(&engines(&["a.rlib", "b.rlib"])).expect_err("two are refused");
        assert!(failure.to_string().contains("2 times: a.rlib, b.rlib"), "{failure}");
    }
}
