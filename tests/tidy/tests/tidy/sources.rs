//! What every source file has: a first comment that says what it owns, and a length that fits a head.

use wasm_tasks_tidy::{Repository, code_lines};

/// Lines of the longest Rust file. Most have fewer than 400.
const LINES_MAX: usize = 600;

/// Modules of tests say in their names what they are.
fn is_tests_module(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/src/tests/")
}

#[test]
fn every_file_says_what_it_owns() {
    let mut missing = Vec::new();
    for file in Repository::open().texts(".rs").filter(|file| !is_tests_module(&file.path)) {
        let first = file.text.lines().next().unwrap_or_default();
        // Three words say next to nothing.
        if !first.starts_with("//! ") || first.split_whitespace().count() < 4 {
            missing.push(file.path);
        }
    }
    assert!(missing.is_empty(), "these files do not begin with `//!` and what they own:\n{}", missing.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    for file in Repository::open().texts(".rs") {
        let lines = file.text.lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines, more than {LINES_MAX}: split it by its nouns", file.path);
    }
}

#[test]
fn every_package_keeps_the_lints_of_the_workspace() {
    for file in
        Repository::open().texts("Cargo.toml").filter(|file| !file.path.starts_with("guest-examples/") && file.path.contains('/'))
    {
        // The sandbox repeats them, because one module of it may be unsafe.
        let keeps = file.text.contains("[lints]\nworkspace = true") || file.path == "worker/sandbox/Cargo.toml";
        assert!(keeps || file.text.contains("[workspace]"), "{} needs `[lints] workspace = true`", file.path);
    }
}

#[test]
fn unsafe_code_is_in_one_private_module() {
    for file in Repository::open().texts(".rs").filter(|file| !file.path.starts_with("guest-examples/")) {
        let is_there = file.path == "worker/sandbox/src/abi.rs";
        let allows = code_lines(&file.text).any(|(_, line)| {
            let line = line.trim_start();
            line.starts_with("#") && line.contains("allow(unsafe_code")
        });
        assert_eq!(allows, is_there, "{}: unsafe code is allowed in worker/sandbox/src/abi.rs and nowhere else", file.path);
    }
}

#[test]
fn only_denials_use_dynamic_values() {
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    let mut named = Vec::new();
    for file in Repository::open().texts(".rs").filter(|file| file.path.starts_with("worker/sandbox/src/")) {
        if code_lines(&file.text).any(|(_, line)| line.split(|character| !is_name(character)).any(|word| word == "Val")) {
            named.push(file.path);
        }
    }
    assert_eq!(named, ["worker/sandbox/src/wasi/deny.rs"], "`component::Val` is a thousand times slower than typed calls");
}

#[test]
fn no_module_is_called_nothing_in_particular() {
    for path in Repository::open().files().filter(|path| path.ends_with(".rs")) {
        let vague =
            path.trim_end_matches(".rs").split('/').find(|part| ["utils", "util", "common", "helpers", "misc"].contains(part));
        assert!(vague.is_none(), "{path}: call it by its noun");
    }
}

#[test]
fn no_test_sleeps() {
    let repository = Repository::open();
    let is_test = |path: &str| path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs");
    for file in repository.texts(".rs").filter(|file| is_test(&file.path)) {
        for (number, line) in code_lines(&file.text) {
            let sleeps = ["thread::sleep(", "time::sleep("].into_iter().any(|call| line.contains(call));
            // This file, which has to name them.
            let is_here = file.path.ends_with("tidy/sources.rs") || file.path.ends_with("tidy/pure.rs");
            assert!(!sleeps || is_here, "{}:{number} sleeps: wait for what is to happen instead", file.path);
        }
    }
}

#[test]
fn no_test_takes_the_target_folder_for_granted() {
    for ending in [".rs", ".py", ".js", ".mjs"] {
        for file in Repository::open().texts(ending).filter(|file| !file.path.ends_with("tidy/sources.rs")) {
            for (number, line) in code_lines(&file.text) {
                let is_fixed = line.contains("../target") || line.contains("parents[3] / \"target\"");
                assert!(
                    !is_fixed,
                    "{}:{number} finds built files beside the sources: `CARGO_TARGET_DIR` may be elsewhere",
                    file.path
                );
            }
        }
    }
}

#[test]
fn the_command_prints_in_one_place() {
    let mut found = Vec::new();
    for file in Repository::open().texts(".rs").filter(|file| file.path.starts_with("cli/src/")) {
        for (number, line) in code_lines(&file.text) {
            let line = line.replace("stdout().is_terminal()", "").replace("stderr().is_terminal()", "");
            let prints = ["print!(", "println!(", "stdout()", "stderr()", "io::stdout", "io::stderr", "dbg!("]
                .iter()
                .any(|way| line.contains(way));
            if prints && file.path != "cli/src/output.rs" {
                found.push(format!("{}:{number}", file.path));
            }
        }
    }
    assert!(found.is_empty(), "cli/src/output.rs escapes what others chose; print by its functions:\n{}", found.join("\n"));
}
