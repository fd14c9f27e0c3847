//! Tests of the command's parts that need no engine. Takes the modules in by path, so that this program does not
//! link it.

#![allow(dead_code, unreachable_pub, reason = "modules of the command, seen from a test")]

#[path = "../src"]
mod command {
    pub(crate) mod componentize;
    pub(crate) mod format;
    pub(crate) mod pages;
}

use self::command::format::{bytes, count, counted, parse_bytes, seconds, table, tree};
use self::command::pages::page;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use wasm_tasks_protocol::ErrorCode;

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
