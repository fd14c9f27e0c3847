//! `wasm-tasks run`: one call, with arguments as JSON and as WAVE, here and on a fleet.

use super::support::{Fleet, GraphFile, Home, everything, guest};
use serde_json::json;
use std::fs;
use wasm_tasks_protocol::graph::{Argument, DataEncoding, Source};

#[test]
fn arguments_are_json_or_wave_and_results_are_json() {
    let home = Home::new();
    let (calc, all) = (guest("calc"), guest("everything"));
    let calls: &[(&[&str], &str)] = &[
        (&["add", "40", "2"], "42"),
        (&["add", "9223372036854775807", "-1"], "9223372036854775806"),
        (&["sum", "[1, 2, 3]"], "6"),
        (&["div-rem", "17", "5"], "[3,2]"),
        (&["noop"], "null"),
    ];
    for (words, expected) in calls {
        assert_eq!(home.run_on("run", &calc, words).expect(0).stdout, format!("{expected}\n"), "{words:?}");
    }
    let record = json!({"x": 1.5, "y": -2.0});
    for literal in [r#"{"x": 1.5, "y": -2}"#, "{x: 1.5, y: -2}", "{y: -2.0, x: 1.5}"] {
        assert_eq!(home.run_on("run", &all, &["echo-record", literal]).expect(0).json(), record, "{literal}");
    }
    let same: &[(&str, &str, &str)] = &[
        ("echo-color", "\"red\"", "red"),
        ("echo-perms", r#"["read", "exec"]"#, "{read, exec}"),
        ("echo-option", "7", "some(7)"),
        ("echo-option", "null", "none"),
        ("echo-tuple", r#"[1, "a", 2.5]"#, r#"(1, "a", 2.5)"#),
        ("echo-list-f64", "[1.5, 2]", "[1.5, 2.0]"),
        ("echo-string", "\"two words\"", "two words"),
    ];
    for (export, as_json, as_wave) in same {
        let (one, other) = (home.run_on("run", &all, &[export, as_json]), home.run_on("run", &all, &[export, as_wave]));
        assert_eq!(one.expect(0).stdout, other.expect(0).stdout, "{export}");
    }
    // Its full name, a file as bytes, and bytes as they are.
    let file = home.write("bytes", b"\x00wasm\xff");
    let argument = format!("@{}", file.display());
    let out = home.file("out");
    let words = [&everything("echo-bytes"), argument.as_str(), "--format", "raw", "-o", out.to_str().expect("UTF-8")];
    assert_eq!(home.run_on("run", &all, &words).expect(0).stdout, "");
    assert_eq!(std::fs::read(out).expect("the output"), b"\x00wasm\xff");
    assert_eq!(home.run_on("run", &all, &["echo-bytes", &argument]).expect(0).json(), json!("AHdhc23/"));
}

#[test]
fn a_call_on_a_fleet_gives_what_it_gives_here() {
    let fleet = Fleet::shared();
    let calc = guest("calc");
    assert_eq!(fleet.run_on("run", &calc, &["sum", "[40, 2]"]).expect(0).stdout, "42\n");
    fleet.run_on("run", &calc, &["div", "1", "0"]).fails("guest-error", &["cannot divide 1 by zero", "on worker `worker-"]);
}

#[test]
fn arguments_that_do_not_fit_are_refused_before_anything_runs() {
    let home = Home::new();
    let calc = guest("calc");
    let refused = |words: &[&str], code: &str, says: &[&str]| {
        home.run_on("run", &calc, words).refuses(code, says);
    };
    refused(&["add", "1"], "wrong-arity", &["`add` takes 2 arguments, found 1", "func(a: s64, b: s64) -> s64"]);
    refused(&["add", "1", "two"], "type-mismatch", &["argument `b`", "not a `s64`", "as JSON", "as WAVE"]);
    refused(&["add", "1", "2.5"], "type-mismatch", &["argument `b`"]);
    refused(&["add", "1", "9223372036854775808"], "type-mismatch", &["argument `b`"]);
    refused(&["sum", "[1, \"x\"]"], "type-mismatch", &["argument `xs`"]);
    refused(&["ad", "1", "2"], "unknown-export", &["no export `ad`", "did you mean `add`"]);
    refused(&["add", "1", "2", "-o", "/no/such/folder/file"], "bad-arguments", &["no folder `/no/such/folder`"]);
    let runs = home.run(&["status", "--json"]).expect(0).json();
    assert_eq!(runs, json!({"runs": []}), "nothing has run");
}

#[test]
fn commands_at_once_compile_a_component_once() {
    let home = Home::with_own_modules();
    let calc = guest("calc");
    let calls: Vec<_> = (0..3).map(|i| home.start(&["run", calc.to_str().expect("UTF-8"), "neg", &i.to_string()])).collect();
    for (i, call) in calls.into_iter().enumerate() {
        assert_eq!(call.end().expect(0).stdout, format!("{}\n", -(i as i64)));
    }
    let folder =
        fs::read_dir(home.path().join("cache/modules")).expect("compiled modules").next().expect("a folder of a version");
    let names =
        fs::read_dir(folder.expect("a folder").path()).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let compiled = names.filter(|name| name.to_string_lossy().ends_with(".cwasm")).count();
    assert_eq!(compiled, 1, "one component was compiled");
}

#[test]
fn data_is_read_from_ranges_of_files_and_refused_where_they_are_short() {
    let home = Home::new();
    let file = home.write("data.txt", "0123456789");
    let (all, count) = (guest("everything"), everything("echo-bytes"));
    let graph = |offset: u64, len: Option<u64>| {
        let mut graph = GraphFile::new();
        let source = Source::Path("data.txt".to_owned());
        let data = graph.builder.data_source(&source, offset, len, DataEncoding::Raw, None);
        graph.output_task("bytes", &all, &count, vec![Argument::Data(data)]);
        graph.save(&home, "data.msgpack")
    };
    let raw = |offset, len| home.run_on("submit", &graph(offset, len), &["--format", "raw"]).expect(0).stdout.clone();
    assert_eq!((raw(3, Some(4)), raw(8, None), raw(10, None)), ("3456".to_owned(), "89".to_owned(), String::new()));
    home.run_on("submit", &graph(8, Some(3)), &[]).refuses("source-unreadable", &["data[0]", "data.txt", "has 10 bytes"]);
    fs::remove_file(file).expect("a file");
    home.run_on("submit", &graph(0, None), &[]).refuses("source-unreadable", &["data[0]", "data.txt", "No such file"]);
}
