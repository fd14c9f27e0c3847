//! Documents name what exists: links, paths, tests and commands.

use std::collections::BTreeSet;
use wasm_tasks_tidy::{Repository, SourceFile};

/// Top folders; what begins with one of them in backticks is a path.
const FOLDERS: [&str; 10] =
    ["protocol/", "scheduler/", "worker/", "cli/", "sdk/", "tests/", "docs/", "xtask/", "guest-examples/", "wit/"];

/// What stands in backticks on lines of text, code blocks left out.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    let lines = text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.flat_map(|line| line.split('`').skip(1).step_by(2))
}

#[test]
fn links_between_documents_lead_somewhere() {
    let repository = Repository::open();
    let mut broken = Vec::new();
    for file in repository.texts(".md").filter(|file| !file.path.contains("node_modules")) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for target in file.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            let is_elsewhere = path.is_empty() || path.contains("://") || path.contains(' ') || path.starts_with('`');
            if !is_elsewhere && !repository.root().join(folder).join(path).exists() {
                broken.push(format!("{}: `{target}`", file.path));
            }
        }
    }
    assert!(broken.is_empty(), "links to nothing:\n{}", broken.join("\n"));
}

#[test]
fn paths_in_documents_exist() {
    let repository = Repository::open();
    let mut missing = Vec::new();
    for file in repository.texts(".md").filter(|file| file.path.starts_with("docs/") || !file.path.contains('/')) {
        for path in quoted(&file.text).filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder))) {
            let is_plain = path.chars().all(|character| character.is_alphanumeric() || "/._-".contains(character));
            if is_plain && !repository.root().join(path).exists() {
                missing.push(format!("{}: `{path}`", file.path));
            }
        }
    }
    assert!(missing.is_empty(), "documents name what is not there:\n{}", missing.join("\n"));
}

/// Functions of a file, each as `module::function`.
fn functions_of(file: &SourceFile) -> Vec<String> {
    let module = file.path.rsplit('/').next().and_then(|name| name.strip_suffix(".rs")).unwrap_or_default();
    let declared = file.text.lines().filter_map(|line| {
        let line = line.trim_start();
        line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?.split('(').next()
    });
    declared.map(|function| format!("{module}::{function}")).collect()
}

#[test]
fn every_invariant_names_a_test_that_exists() {
    let repository = Repository::open();
    let text = repository.text("docs/architecture.md");
    let tests: BTreeSet<String> = repository.texts(".rs").flat_map(|file| functions_of(&file)).collect();
    let invariants: Vec<&str> = text.lines().filter(|line| line.starts_with("**Invariant:**")).collect();
    assert!(invariants.len() > 10, "docs/architecture.md is read wrongly");
    for invariant in invariants {
        let Some((_, named)) = invariant.split_once("Test") else { panic!("this invariant names no test: {invariant}") };
        let mut words = 0;
        for word in quoted(named) {
            words += 1;
            assert!(!word.contains("::") || tests.contains(word), "there is no test `{word}`, named by: {invariant}");
        }
        assert!(words > 0, "this invariant names no test: {invariant}");
    }
}

#[test]
fn tasks_of_the_project_in_documents_exist() {
    let repository = Repository::open();
    let help = repository.text("xtask/src/main.rs");
    for file in repository.texts(".md").filter(|file| !file.path.contains("node_modules")) {
        for rest in file.text.split("cargo xtask ").skip(1) {
            let task = rest.split(|character: char| !character.is_alphanumeric() && character != '-').next().unwrap_or_default();
            let is_known = task == "--help" || help.contains(&format!("\"{task}\" => "));
            assert!(is_known, "{} names `cargo xtask {task}`, which there is not", file.path);
        }
    }
}

/// Calls of the command: in code blocks where a line begins with it, and in backticks.
fn calls(text: &str) -> Vec<&str> {
    let mut is_code = false;
    let mut calls: Vec<&str> = quoted(text).filter_map(|word| word.strip_prefix("wasm-tasks ")).collect();
    for line in text.lines().map(str::trim_start) {
        is_code ^= line.starts_with("```");
        let starts = line.strip_prefix("wasm-tasks ").or_else(|| Some(line.split_once("$(wasm-tasks ")?.1));
        calls.extend(starts.filter(|_| is_code));
    }
    let without_the_rest = calls.into_iter().map(|call| call.split(['#', ')', '|', ';']).next().unwrap_or_default());
    without_the_rest.filter(|call| call.starts_with(|first: char| first.is_ascii_lowercase())).collect()
}

#[test]
fn commands_and_options_in_documents_exist() {
    let repository = Repository::open();
    let commands = repository.text("cli/src/commands.rs");
    let modules = commands.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    let commands: BTreeSet<String> = modules.map(|module| module.replace('_', "-")).collect();
    let sources: String =
        repository.texts(".rs").filter(|file| file.path.starts_with("cli/src/")).map(|file| file.text).collect();
    let is_option = |option: &str| {
        let name = option.split('=').next().unwrap_or_default();
        ["help", "version"].contains(&name) || sources.contains(&format!("    {}: ", name.replace('-', "_")))
    };
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for file in repository.texts(".md").filter(|file| !file.path.contains("node_modules")) {
        for call in calls(&file.text) {
            seen += 1;
            let command = call.split_whitespace().next().unwrap_or_default();
            let mut options = call.split_whitespace().filter_map(|word| word.strip_prefix("--"));
            if !(commands.contains(command) || command == "help") || !options.all(is_option) {
                wrong.push(format!("{}: `wasm-tasks {call}`", file.path));
            }
        }
    }
    assert!(seen > 50, "only {seen} calls were found");
    assert!(wrong.is_empty(), "documents call what the command does not have:\n{}", wrong.join("\n"));
}

#[test]
fn the_protocol_is_described_in_the_version_that_is_spoken() {
    let text = Repository::open().text("docs/protocol.md");
    let version = wasm_tasks_protocol::message::PROTOCOL_VERSION;
    for said in [format!(" Version {version}. "), format!("ALPN is `wasm-tasks/{version}`.")] {
        assert!(text.contains(&said), "docs/protocol.md does not say `{said}`");
    }
}
