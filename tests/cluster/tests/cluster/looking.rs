//! Commands that run nothing: `inspect`, `check`, `show`, `explain-error`, `completions`, `--help`.

use super::support::{GraphFile, Home, guest, int, list, result};
use serde_json::json;

/// `sum([add(1, 2), neg(add(1, 2))])` in three tasks.
fn small_graph(home: &Home) -> std::path::PathBuf {
    let calc = guest("calc");
    let mut graph = GraphFile::new();
    let add = graph.task("first", &calc, "add", vec![int(1), int(2)]);
    let neg = graph.task("second", &calc, "neg", vec![result(add)]);
    graph.output_task("third", &calc, "sum", vec![list([result(add), result(neg)])]);
    graph.save(home, "graph.msgpack")
}

#[test]
fn inspect_shows_exports_as_wit_and_as_json() {
    let home = Home::new();
    let calc = guest("calc");
    let answer = home.run_on("inspect", &calc, &[]);
    let text = &answer.expect(0).stdout;
    assert!(text.contains("export div: func(a: s64, b: s64) -> result<s64, string>;"), "{answer}");
    // The example below the exports can be run as it stands, but for the shell's quotes.
    let example = text.lines().find_map(|line| line.strip_prefix("// wasm-tasks ")).expect("an example of a call");
    let words: Vec<&str> = example.split(' ').map(|word| word.trim_matches('\'')).collect();
    home.run(&words).expect(0);

    let json = home.run_on("inspect", &calc, &["--json"]).expect(0).json();
    assert!(json["digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:") && digest.len() == 71), "{json}");
    let exports = json["exports"].as_array().expect("exports");
    let sum = exports.iter().find(|export| export["name"] == "sum").expect("an export `sum`");
    assert_eq!(sum["params"][0]["type"], "list<s64>", "{sum}");
    assert_eq!(exports.len(), 9, "the world `calc` has nine functions: {json}");
}

#[test]
fn check_and_show_tell_what_is_in_a_graph() {
    let home = Home::new();
    let graph = small_graph(&home);
    assert_eq!(
        home.run_on("check", &graph, &[]).expect(0).stdout,
        "ok: 3 tasks, 1 output\n".replace("tasks, ", "tasks, 3 functions, ")
    );
    let json = home.run_on("check", &graph, &["--json"]).expect(0).json();
    let counts = json!({"ok": true, "tasks": 3, "functions": 3, "components": 1, "outputs": 1, "unchecked": []});
    assert_eq!(json, counts);

    let text = home.run_on("show", &graph, &[]);
    let text = &text.expect(0).stdout;
    for line in ["3 tasks, 3 edges, longest chain 3", "first = add(1, 2)", "third = sum([<first>, <second>])"] {
        assert!(text.contains(line), "`{line}` is not in:\n{text}");
    }
    let json = home.run_on("show", &graph, &["--json"]).expect(0).json();
    assert_eq!(json["tasks"][2], json!({"key": "third", "function": 2, "needs": ["first", "second"], "gang": null}));
    assert_eq!((&json["edges"], &json["depth"], &json["outputs"]), (&json!(3), &json!(3), &json!(["third"])));

    let dot = home.run_on("show", &graph, &["--dot"]);
    let dot = &dot.expect(0).stdout;
    assert!(dot.starts_with("digraph tasks {\n") && dot.ends_with("}\n"), "{dot}");
    for line in ["t0 -> t1;", "t0 -> t2;", "t1 -> t2;", "first\\nadd"] {
        assert!(dot.contains(line), "`{line}` is not in:\n{dot}");
    }
}

#[test]
fn every_error_code_has_a_page_and_a_near_one_is_suggested() {
    let home = Home::new();
    let list = home.run(&["explain-error"]);
    let codes: Vec<&str> = list.expect(0).stdout.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(codes.len() > 30 && codes.contains(&"type-mismatch"), "{list}");
    let page = home.run(&["explain-error", "type-mismatch"]);
    assert!(page.expect(0).stdout.starts_with("# type-mismatch\n"), "{page}");
    // As messages show it.
    home.run(&["explain-error", "error[cycle]"]).expect(0);
    home.run(&["explain-error", "mismatch"]).refuses("bad-arguments", &["no error code `mismatch`", "hint: did you mean `"]);
}

#[test]
fn shells_get_completions_and_every_command_has_examples() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = home.run(&["completions", shell]);
        assert!(script.expect(0).stdout.contains("explain-error"), "{shell} does not know all commands");
    }
    let help = home.run(&["--help"]);
    let commands: Vec<&str> = help
        .expect(0)
        .stdout
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next().filter(|word| *word != "help"))
        .collect();
    assert!(commands.len() >= 18, "{help}");
    for command in commands {
        let help = home.run(&[command, "--help"]);
        let examples = help.expect(0).stdout.split_once("Examples:\n").map_or("", |(_, examples)| examples);
        assert!(examples.contains(&format!("wasm-tasks {command}")), "`{command} --help` has no example");
    }
}

#[test]
fn words_that_make_no_sense_are_bad_input() {
    let home = Home::new();
    let graph = small_graph(&home);
    for words in [&["sumbit"][..], &["submit"], &["submit", "--colour", "red"], &["run", "calc.wasm"], &["up", "--workers", "0"]]
    {
        let answer = home.run(words);
        assert!(answer.expect(2).stderr.starts_with("error: "), "{answer}");
    }
    home.run(&["sumbit"]).expect(2).says(&["submit"]);
    home.run(&["results", "12"]).expect(2).says(&["32 hexadecimal digits"]);
    home.run(&["status"]).expect(0).says(&["no embedded runs"]);
    let nobody = "00000000000000000000000000000000";
    for command in ["results", "explain", "logs", "attach"] {
        home.run(&[command, nobody]).refuses("not-found", &[nobody, "hint: "]);
    }
    // These need a fleet, and say how to get one.
    for words in [&["workers"][..], &["cancel", nobody], &["submit", graph.to_str().expect("UTF-8"), "--detach"]] {
        home.run(words).refuses("bad-arguments", &["needs the scheduler of a fleet", "WASM_TASKS_SCHEDULER", "`wasm-tasks up`"]);
    }
}
