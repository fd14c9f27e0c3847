//! The engine is compiled once, whatever is built: it takes most of a cold build.

use std::collections::BTreeMap;
use std::process::Command;
use wasm_tasks_tidy::{Packages, Repository};

const ENGINE: &str = "wasmtime";

/// Features by package, as `cargo tree` tells with some words.
fn features(words: &[&str]) -> BTreeMap<String, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["tree", "--offline", "--locked", "--prefix", "none", "--format", "{p}\t{f}"]).args(words);
    let asked = command.current_dir(Repository::open().root()).output().expect("cargo can be run");
    assert!(asked.status.success(), "cargo tree {words:?}: {}", String::from_utf8_lossy(&asked.stderr));
    let answer = String::from_utf8(asked.stdout).expect("cargo prints text");
    let lines = answer.lines().filter_map(|line| line.trim_end_matches(" (*)").split_once('\t'));
    lines.map(|(package, features)| (package.to_owned(), features.to_owned())).collect()
}

#[test]
fn every_selection_of_packages_gives_the_engine_the_same_features() {
    // What only macros and build scripts need is compiled apart, with features of its own.
    let engine = features(&["--package", ENGINE, "--edges", "normal,no-proc-macro"]);
    assert!(engine.len() > 20, "the engine needs more than {} packages", engine.len());
    let of = |selection: &[&str]| features(&[&["--edges", "normal,dev,no-proc-macro"], selection].concat());
    let whole = of(&["--workspace"]);
    let packages = Packages::read(Repository::open().root());
    let using = packages.members().iter().filter(|package| packages.closure(package).contains(ENGINE));
    let mut seen = 0;
    for package in using {
        let alone = of(&["--package", &package.name]);
        for needed in engine.keys() {
            let (alone, whole) = (alone.get(needed), whole.get(needed));
            assert_eq!(
                alone, whole,
                "`cargo build -p {}` compiles `{needed}`, and the engine, apart from `cargo build --workspace`: \
                 name it with these features among the unused dependencies in worker/sandbox/Cargo.toml",
                package.name
            );
        }
        seen += 1;
    }
    assert!(seen >= 3, "the command, the worker and the sandbox use the engine");
}
