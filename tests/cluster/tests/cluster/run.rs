//! `wasm-tasks run`: one call, with arguments as JSON and as WAVE, here and on a fleet.

use super::support::{Fleet, Home, everything, guest};
use serde_json::json;

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
