//! Tests of the command's parts that need no engine. Takes the modules in by path, so that this program does not
//! link it.

#![allow(dead_code, unreachable_pub, reason = "modules of the command, seen from a test")]

#[path = "../src"]
mod command {
    pub(crate) mod componentize;
    pub(crate) mod escape;
    pub(crate) mod failed;
    pub(crate) mod format;
    pub(crate) mod pages;
}

use self::command::escape;
use self::command::failed::{failure_text, quoted};
use self::command::format::{bytes, count, counted, parse_bytes, seconds, table, tree};
use self::command::pages::page;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use wasm_tasks_protocol::message::TaskFailure;
use wasm_tasks_protocol::{ErrorCode, TaskError, TaskIndex, Value};

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors");
    let names = fs::read_dir(folder).expect("the pages are there");
    let names: BTreeSet<String> =
        names.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect();
    let codes: BTreeSet<String> = ErrorCode::ALL.iter().map(|code| format!("{}.md", code.as_str())).collect();
    assert_eq!(names, codes);
    for code in ErrorCode::ALL {
        let text = page(*code);
        assert_eq!(text.lines().next(), Some(format!("# {code}").as_str()));
        for part in ["\n    ", "\n## Why\n", "\n## What to do\n"] {
            assert!(text.contains(part), "{code} lacks {part:?}");
        }
    }
}

#[test]
fn numbers_for_people() {
    assert_eq!([bytes(0), bytes(1023), bytes(1024), bytes(1 << 30)], ["0 B", "1023 B", "1.0 KiB", "1.0 GiB"]);
    assert_eq!([seconds(0.00035), seconds(0.0123), seconds(4.25), seconds(192.0)], ["350 µs", "12.3 ms", "4.2 s", "3 min 12 s"]);
    assert_eq!([count(7), count(1234), count(1234567)], ["7", "1,234", "1,234,567"]);
    assert_eq!([counted(1, "task"), counted(1000, "task")], ["1 task", "1,000 tasks"]);
}

#[test]
fn bytes_as_people_write_them() {
    for (text, expected) in [("1000", 1000), ("512 MiB", 512 << 20), ("2GiB", 2 << 30), ("1.5k", 1536), ("2GB", 2_000_000_000)] {
        assert_eq!(parse_bytes(text), Ok(expected), "{text}");
    }
    for text in ["", "MiB", "-1", "0", "5 parsecs", "1e3", "99999999 TiB"] {
        assert!(parse_bytes(text).is_err(), "{text}");
    }
}

#[test]
fn answers_as_tables_and_trees() {
    let rows = [
        json!({"name": "a", "stored_bytes": 2048, "elapsed_ms": 1500}),
        json!({"name": "long", "stored_bytes": null, "elapsed_ms": 2}),
    ];
    assert_eq!(table(&rows), "NAME  STORED   ELAPSED\na     2.0 KiB  1.5 s\nlong  -        2.0 ms\n");
    assert_eq!(table(&[]), "");
    let answer = json!({"key": "a", "missing": ["b", "c"], "fits": [], "inner": {"x": 1}});
    assert_eq!(tree(&answer), "key: a\nmissing: b, c\ninner:\n  x: 1\n");
}

/// Every character that a terminal may obey or that reorders text, each between letters, and some in a row.
fn hostile_texts() -> Vec<String> {
    let unsafe_characters = (0..=0xffffu32).filter_map(char::from_u32).filter(|c| escape::is_unsafe(*c));
    let mut texts: Vec<String> = unsafe_characters.map(|c| format!("a{c}b")).collect();
    assert!(texts.len() > 70, "C0, DEL, C1 and the bidirectional controls are among them");
    texts.extend(
        ["\x1b]0;owned\x07\x1b[2Jkey", "x\nerror: a line that the program did not write", "\u{202e}txt.exe\u{2066}"]
            .map(str::to_owned),
    );
    texts
}

fn has_control(text: &str) -> bool {
    text.chars().any(|c| escape::is_unsafe(c) && c != '\n' && c != '\t')
}

#[test]
fn no_report_has_a_control_character_whatever_its_strings_are() {
    for bad in hostile_texts() {
        let error = TaskError {
            value: Some(Value::Str(bad.clone()).to_msgpack()),
            stderr_tail: bad.clone(),
            backtrace: vec![bad.clone(), bad.clone()],
            ..TaskError::new(ErrorCode::GuestError, bad.clone())
        };
        let (key, function, worker) = (bad.clone(), bad.clone(), Some(bad.clone()));
        let failure = TaskFailure { task: TaskIndex(0), key, function, worker, attempts: 2, dependents: 1, error };
        let text = failure_text(&failure);
        assert!(!has_control(&text), "{text:?}");
        assert!(text.lines().skip(1).all(|line| line.starts_with("  ")), "a line of the guest begins at the left: {text:?}");
        let row = json!({"name": bad.as_str(), bad.as_str(): [bad.as_str(), {bad.as_str(): bad.as_str()}]});
        assert!(!has_control(&table(&[row.clone()])));
        assert_eq!(table(&[row.clone()]).lines().count(), 2, "a table has a line for each row: {bad:?}");
        let tree_text = tree(&json!({"rows": [row.clone()], "text": bad.as_str(), bad.as_str(): {"x": bad.as_str()}}));
        assert!(!has_control(&tree_text), "{tree_text:?}");
        for text in [escape::text(&bad).into_owned(), escape::message(&bad), escape::bytes(bad.as_bytes()), quoted(&bad)] {
            assert!(!has_control(&text), "{text:?}");
        }
        assert!(!escape::message(&bad).contains("\nerror"), "a message begins a line at the left");
        let text = row.to_string();
        let escaped = escape::json(&text);
        assert!(!has_control(&escaped), "{escaped:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).expect("still JSON"), row);
    }
}

#[test]
fn results_on_a_terminal_show_their_bytes() {
    assert_eq!(escape::bytes(b"ok\n\x1b[2J\xff\xc3\xa9"), "ok\n\\u{1b}[2J\\xff\u{e9}");
    assert_eq!(escape::field("tab\tline\n"), "tab\\tline\\n");
}
