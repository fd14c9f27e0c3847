//! Pages that are written from the code: `UPDATE_DOCS=1 cargo test -p wasm-tasks-tidy` writes them, otherwise they are compared.

use std::collections::BTreeSet;
use std::fmt::Write;
use wasm_tasks_protocol::limits::{Limit, TABLE};
use wasm_tasks_scheduler_core as scheduler;
use wasm_tasks_tidy::Repository;
use wasm_tasks_worker_core as worker;

/// What follows the title of each page.
const NOTE: &str = "<!-- Written by `UPDATE_DOCS=1 cargo test -p wasm-tasks-tidy`; do not edit. -->\n";

/// Compares a file with what it should be, or writes it.
pub(super) fn check(path: &str, expected: &str) {
    let path_on_disk = Repository::open().root().join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path_on_disk, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path_on_disk).unwrap_or_default();
    let first = found.lines().zip(expected.lines()).position(|(found, expected)| found != expected);
    let line = first.unwrap_or_else(|| found.lines().count().min(expected.lines().count())) + 1;
    assert!(found == expected, "{path} is not up to date from line {line} on: run `UPDATE_DOCS=1 cargo test -p wasm-tasks-tidy`");
}

#[test]
fn limits() {
    let mut text = format!(
        "# Limits\n\n{NOTE}\nEvery size limit of files, messages and tasks. What breaks one is refused with a typed error that names it; nothing is cut off\nsilently, except logs, of which the last bytes are kept. The constants are in `protocol/src/limits.rs`.\n\n| limit | value | why |\n|---|---|---|\n"
    );
    for limit in TABLE {
        writeln!(text, "| `{}` | {} | {} |", limit.name, readable(limit), limit.reason).unwrap();
    }
    let names: BTreeSet<&str> = TABLE.iter().map(|limit| limit.name).collect();
    assert_eq!(names.len(), TABLE.len(), "a limit is in the table twice");
    check("docs/limits.md", &text);
}

#[test]
fn every_limit_is_in_the_table() {
    let text = Repository::open().text("protocol/src/limits.rs");
    let constants = text.lines().filter_map(|line| line.strip_prefix("pub const ")?.split(':').next());
    for constant in constants.filter(|constant| *constant != "TABLE") {
        let name = constant.to_lowercase();
        assert!(TABLE.iter().any(|limit| limit.name == name), "`{constant}` is not in limits::TABLE, so docs/limits.md lacks it");
    }
}

/// A value in the unit that its name ends with.
fn readable(limit: &Limit) -> String {
    let grouped = |value: u64| {
        let digits = value.to_string();
        let parts: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|part| std::str::from_utf8(part).unwrap()).collect();
        parts.join(",")
    };
    let value = limit.value;
    if limit.name.contains("_bytes") {
        let unit = [(30, "GiB"), (20, "MiB"), (10, "KiB")]
            .into_iter()
            .find(|(shift, _)| value >> shift > 0 && value.is_multiple_of(1 << shift));
        return unit
            .map_or_else(|| format!("{} bytes", grouped(value)), |(shift, unit)| format!("{} {unit}", grouped(value >> shift)));
    }
    if limit.name.contains("_ms") { format!("{} ms", grouped(value)) } else { grouped(value) }
}

/// Files of the scheduler's core whose constants decide where a task goes, and when.
const PLACING: [&str; 16] = [
    "fan.rs",
    "forecast.rs",
    "memory.rs",
    "placement.rs",
    "placement/ahead.rs",
    "placement/careful.rs",
    "placement/family.rs",
    "placement/gang.rs",
    "placement/link.rs",
    "placement/meeting.rs",
    "placement/reserve.rs",
    "placement/steal.rs",
    "placement/timeline.rs",
    "placement/ways.rs",
    "sizes.rs",
    "worker.rs",
];

#[test]
fn every_threshold_of_placement_has_a_reason() {
    let repository = Repository::open();
    let mut table = String::from("| file | threshold | value | what it bounds, and why |\n|---|---|---|---|\n");
    let mut without = Vec::new();
    for file in PLACING {
        let text = repository.text(&format!("scheduler/core/src/{file}"));
        let mut reason: Vec<&str> = Vec::new();
        for line in text.lines() {
            if let Some(words) = line.strip_prefix("/// ") {
                reason.push(words);
                continue;
            }
            let constant = line.strip_prefix("pub(crate) ").unwrap_or(line).strip_prefix("const ");
            if let Some((name, value)) = constant.and_then(|rest| Some((rest.split_once(':')?.0, rest.split_once(" = ")?.1))) {
                if reason.is_empty() {
                    without.push(format!("{file}: {name}"));
                }
                let (value, reason) = (value.trim_end_matches(';'), reason.join(" ").replace('|', "\\|"));
                writeln!(table, "| `{file}` | `{name}` | `{value}` | {reason} |").unwrap();
            }
            reason.clear();
        }
    }
    assert!(without.is_empty(), "thresholds without a reason in a doc comment of their own: {without:?}");
    let page = repository.text("docs/scheduling.md");
    let (before, rest) = page.split_once(TABLE_BEGINS).expect("docs/scheduling.md has a place for the table");
    let (_, after) = rest.split_once(TABLE_ENDS).expect("docs/scheduling.md has an end of the table");
    check("docs/scheduling.md", &format!("{before}{TABLE_BEGINS}\n{table}{TABLE_ENDS}{after}"));
}

const TABLE_BEGINS: &str = "<!-- thresholds, written by `UPDATE_DOCS=1 cargo test -p wasm-tasks-tidy`: -->";
const TABLE_ENDS: &str = "<!-- end of thresholds -->";

#[test]
fn states() {
    let scheduler: Vec<_> = scheduler::TRANSITIONS.iter().map(|step| (step.from.as_str(), step.to.as_str(), step.why)).collect();
    let worker: Vec<_> = worker::TRANSITIONS.iter().map(|(from, why, to)| (from.as_str(), to.as_str(), *why)).collect();
    let text = format!(
        "# States\n\n{NOTE}\nEvery change of state goes through a table, and what is not in it is an assertion that fails. There are two: of tasks in the\nscheduler, and of attempts (one assignment of a task) in a worker.\n\n## A task, in the scheduler\n\n`scheduler/core/src/transitions/table.rs`; it begins as *idle*.\n\n{}\n## An attempt, in a worker\n\n`worker/core/src/attempt.rs`; it begins as *new*.\n\n{}",
        diagram(&scheduler, "idle"),
        diagram(&worker, "new")
    );
    check("docs/states.md", &text);
}

/// A drawing and a table of the same transitions, after checking that every state can be reached.
fn diagram(steps: &[(&str, &str, &str)], first: &str) -> String {
    let mut text = format!("```mermaid\nstateDiagram-v2\n    [*] --> {first}\n");
    let mut drawn = BTreeSet::new();
    for (from, to, _) in steps {
        if drawn.insert((from, to)) {
            writeln!(text, "    {from} --> {to}").unwrap();
        }
    }
    text.push_str("```\n\n| from | to | when |\n|---|---|---|\n");
    for (from, to, why) in steps {
        writeln!(text, "| {from} | {to} | {why} |").unwrap();
    }
    let mut reached = BTreeSet::from([first]);
    for _ in steps {
        let next: Vec<&str> = steps.iter().filter(|(from, ..)| reached.contains(from)).map(|(_, to, _)| *to).collect();
        reached.extend(next);
    }
    for (from, ..) in steps {
        assert!(reached.contains(from), "nothing leads to the state `{from}`");
    }
    text
}
