//! Pure packages name nothing that sees the machine: not in their sources, and `clippy.toml` says the same to editors.
//!
//! What they reach through other packages is looked at in `edges` and `purity`.

use super::generated::check;
use std::fmt::Write;
use wasm_tasks_tidy::{Repository, code_lines};

const PURE: [&str; 4] = ["protocol", "protocol/interface", "scheduler/core", "worker/core"];

const HASH: &str = "its order differs from run to run: use a BTreeMap, a slab or a dense index";
const CLOCK: &str = "time comes with the event, as wasm_tasks_protocol::Time";
const THREAD: &str = "a shell runs the core, on a thread of its choice";
const FILE: &str = "files belong to shells";
const ENVIRONMENT: &str = "settings are passed in";

/// Types that pure packages must not name.
const TYPES: [(&str, &str); 7] = [
    ("std::collections::HashMap", HASH),
    ("std::collections::HashSet", HASH),
    ("std::hash::RandomState", HASH),
    ("std::time::Instant", CLOCK),
    ("std::time::SystemTime", CLOCK),
    ("std::fs::File", FILE),
    ("std::net::UdpSocket", FILE),
];

/// Functions that pure packages must not call.
const METHODS: [(&str, &str); 10] = [
    ("std::time::Instant::now", CLOCK),
    ("std::time::SystemTime::now", CLOCK),
    ("std::thread::spawn", THREAD),
    ("std::thread::sleep", THREAD),
    ("std::fs::read", FILE),
    ("std::fs::read_to_string", FILE),
    ("std::fs::write", FILE),
    ("std::env::var", ENVIRONMENT),
    ("std::env::var_os", ENVIRONMENT),
    ("std::env::args", ENVIRONMENT),
];

/// Words that no line of code of a pure package has, whatever it imported under which name.
const WORDS: [&str; 17] = [
    "HashMap",
    "HashSet",
    "RandomState",
    "Instant",
    "SystemTime",
    "std::fs",
    "std::env",
    "std::thread",
    "std::process",
    "std::io",
    "UdpSocket",
    "TcpStream",
    "getrandom",
    "thread_local!",
    "static mut",
    "println!",
    "async fn",
];

#[test]
fn sources_name_nothing_that_sees_the_machine() {
    let repository = Repository::open();
    let mut looked_at = 0;
    for file in repository.texts(".rs") {
        let is_pure = PURE.iter().any(|folder| file.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with("/src/")));
        if !is_pure || file.path.ends_with("/tests.rs") || file.path.contains("/tests/") {
            continue;
        }
        looked_at += 1;
        for (number, line) in code_lines(&file.text) {
            let found = WORDS.into_iter().find(|word| has_word(line, word));
            assert!(found.is_none(), "{}:{number} names `{}`: this package is pure", file.path, found.unwrap_or_default());
        }
    }
    assert!(looked_at > 50, "only {looked_at} files of pure packages were found");
}

/// Whether a word stands in a line by itself, and not as a part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let is_inside = |character: Option<char>| character.is_some_and(|character| character.is_alphanumeric() || character == '_');
    line.match_indices(word)
        .any(|(at, _)| !is_inside(line[..at].chars().next_back()) && !is_inside(line[at + word.len()..].chars().next()))
}

#[test]
fn clippy_is_told_the_same() {
    let mut text = String::from(
        "# What a pure package must not name. Written by `UPDATE_DOCS=1 cargo test -p wasm-tasks-tidy`, the same for each of them,\n# because a package's file replaces that of the workspace.\n",
    );
    for (list, entries) in [("disallowed-types", &TYPES[..]), ("disallowed-methods", &METHODS[..])] {
        writeln!(text, "{list} = [").unwrap();
        for (path, reason) in entries {
            writeln!(text, "    {{ path = \"{path}\", reason = \"{reason}\" }},").unwrap();
        }
        text.push_str("]\n");
    }
    text.push_str(
        "# A task's error is data, moved once when a task fails: its size does not matter.\nlarge-error-threshold = 256\nallow-unwrap-in-tests = true\n",
    );
    for folder in PURE {
        check(&format!("{folder}/clippy.toml"), &text);
    }
}
