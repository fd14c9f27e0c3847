//! Tasks that do not end well, here and on a fleet: each has its code, and what happened is said.

use super::support::{Answer, Fleet, GraphFile, Home, everything, guest, int, result, text};
use serde_json::json;
use wasm_tasks_protocol::graph::{Argument, Options};

const MIB: u64 = 1 << 20;

struct Attack {
    function: &'static str,
    arguments: Vec<Argument>,
    options: Options,
    code: &'static str,
    says: &'static [&'static str],
}

fn attack(function: &'static str, arguments: Vec<Argument>, code: &'static str, says: &'static [&'static str]) -> Attack {
    Attack { function, arguments, options: Options::default(), code, says }
}

fn timeout(function: &'static str) -> Attack {
    let options = Options { timeout_ms: Some(300), ..Options::default() };
    Attack { options, ..attack(function, vec![], "timeout", &["300"]) }
}

fn attacks() -> Vec<Attack> {
    let memory = Options { memory_bytes: Some(48 * MIB), ..Options::default() };
    let small = Options { result_bytes_max: Some(MIB), ..Options::default() };
    let fuel = Options { fuel: Some(1_000_000), ..Options::default() };
    vec![
        attack("trap", vec![], "trap", &["unreachable"]),
        attack("panic", vec![text("what a pity")], "trap", &["stderr:", "what a pity"]),
        attack("out-of-bounds", vec![], "trap", &["out of bounds"]),
        attack("stack-overflow", vec![], "stack-overflow", &[]),
        attack("fail", vec![text("I do not want to")], "guest-error", &["err: \"I do not want to\""]),
        attack("exit-with", vec![int(3)], "exit", &[]),
        attack("lying-result", vec![], "bad-result", &[]),
        Attack { options: memory, ..attack("memory-bomb", vec![], "out-of-memory", &["48 MiB"]) },
        Attack { options: small, ..attack("giant-result", vec![int(2 << 20)], "result-too-large", &["1048576 bytes"]) },
        Attack { options: fuel, ..attack("spin", vec![], "out-of-fuel", &["1000000"]) },
        timeout("spin"),
        timeout("sleep-forever"),
        timeout("print-forever"),
        timeout("complain-forever"),
    ]
}

/// One graph with every attack, a task that needs each of them, and one that needs none.
fn attacked(attacks: &[Attack]) -> GraphFile {
    let hostile = guest("hostile");
    let mut graph = GraphFile::new();
    for (position, attack) in attacks.iter().enumerate() {
        let key = format!("{}-{position}", attack.function);
        let task = graph.task_with(&key, &hostile, attack.function, attack.arguments.clone(), &attack.options);
        graph.output(task);
    }
    graph.output_task("survivor", &guest("calc"), "add", vec![int(1), int(2)]);
    graph
}

/// What is said of one task: from its line to that of the next.
fn section<'a>(answer: &'a Answer, key: &str) -> &'a str {
    let start =
        answer.stderr.find(&format!("task `{key}` failed ")).unwrap_or_else(|| panic!("nothing is said of `{key}` in {answer}"));
    let rest = &answer.stderr[start..];
    rest[1..].find("task `").map_or(rest, |end| &rest[..=end])
}

fn expect_attacked(answer: &Answer, attacks: &[Attack], offset: usize) {
    assert_eq!(answer.expect(1).json(), json!({"survivor": 3}), "the finished output is handed over all the same: {answer}");
    for (position, attack) in attacks.iter().enumerate() {
        let section = section(answer, &format!("{}-{}", attack.function, position + offset));
        assert!(section.contains(&format!("failed [{}]: ", attack.code)), "{section}");
        for word in attack.says {
            assert!(section.contains(word), "`{word}` is not said of `{}`:\n{section}", attack.function);
        }
    }
}

#[test]
fn every_attack_fails_with_its_code_and_the_rest_goes_on() {
    let fleet = Fleet::shared();
    // Ten failures are shown at once.
    let all = attacks();
    for half in all.chunks(all.len().div_ceil(2)) {
        let graph = attacked(half).save(&fleet.home, &format!("attacks-{}.msgpack", half[0].function));
        expect_attacked(&fleet.home.run_on("submit", &graph, &[]), half, 0);
        expect_attacked(&fleet.run_on("submit", &graph, &[]), half, 0);
    }
    // Nothing of it has ended a worker.
    let answer = fleet.run(&["workers", "--json"]);
    let workers: Vec<u64> =
        answer.json().as_array().expect("workers").iter().filter_map(|worker| worker["pid"].as_u64()).collect();
    let mut started: Vec<u64> = fleet.processes[1..].iter().map(|(_, pid)| u64::from(*pid)).collect();
    let mut still = workers;
    still.sort_unstable();
    started.sort_unstable();
    assert_eq!(still, started, "{answer}");
}

/// `bad` fails; `after` and `last` need it, `fine` does not.
fn with_dependents() -> GraphFile {
    let calc = guest("calc");
    let mut graph = GraphFile::new();
    let bad = graph.task("bad", &calc, "div", vec![int(1), int(0)]);
    let after = graph.task("after", &calc, "neg", vec![result(bad)]);
    graph.output_task("last", &calc, "neg", vec![result(after)]);
    graph.output_task("fine", &calc, "neg", vec![int(4)]);
    graph
}

#[test]
fn dependents_fail_with_a_task_and_finished_outputs_are_printed() {
    let fleet = Fleet::shared();
    let path = with_dependents().save(&fleet.home, "dependents.msgpack");
    for answer in [fleet.home.run_on("submit", &path, &[]), fleet.run_on("submit", &path, &[])] {
        assert_eq!(answer.expect(1).json(), json!({"fine": -4}), "{answer}");
        answer.says(&[
            "task `bad` failed [guest-error]",
            "err: \"cannot divide 1 by zero\"",
            "in `calc div`",
            "2 dependent tasks failed",
        ]);
        answer.says(&["4 tasks, 1 failed, 2 failed with them", "`wasm-tasks explain-error guest-error`"]);
    }
}

#[test]
fn an_embedded_run_is_kept_with_what_went_wrong() {
    let home = Home::new();
    let (calc, all) = (guest("calc"), guest("everything"));
    let mut graph = GraphFile::new();
    graph.output_task("printed", &all, &everything("print"), vec![text("to stdout\n"), text("to stderr\n")]);
    let bad = graph.output_task("bad", &calc, "div", vec![int(1), int(0)]);
    graph.output_task("after", &calc, "neg", vec![result(bad)]);
    graph.output_task("fine", &calc, "neg", vec![int(4)]);
    home.run_on("submit", &graph.save(&home, "kept.msgpack"), &[]).expect(1);

    let runs = home.run(&["status", "--json"]).expect(0).json();
    let run = &runs["runs"][0];
    assert_eq!((&run["state"], &run["tasks"], &run["failed"]), (&json!("failed"), &json!(4), &json!(1)), "{runs}");
    let id = run["graph"].as_str().or(run["id"].as_str()).expect("an id").to_owned();
    let logs = home.run(&["logs", &id, "printed"]);
    assert_eq!(logs.expect(0).stdout, "to stdout\nto stderr\n");
    home.run(&["logs", &id, "bad"]).refuses("not-found", &["`bad`"]);
    for (key, cause) in [("bad", "bad"), ("after", "bad")] {
        let explained = home.run(&["explain", &id, key, "--json"]).expect(0).json();
        assert_eq!((&explained["state"], &explained["cause"]), (&json!("failed"), &json!(cause)), "{explained}");
    }
    let results = home.run(&["results", &id]);
    assert_eq!(results.expect(1).json(), json!({"printed": null, "fine": -4}), "{results}");
    results.says(&["`bad`, `after`"]);
    assert_eq!(home.run(&["results", &id, "--output-name", "fine"]).expect(0).json(), json!({"fine": -4}));
}

#[test]
fn the_value_of_an_error_is_shown_and_errors_inside_values_are_no_failures() {
    let home = Home::new();
    let all = guest("everything");
    home.run_on("run", &all, &["check", "true"]).fails("guest-error", &["err: {\"id\":", "\"label\":"]);
    assert_eq!(home.run_on("run", &all, &["check", "false"]).expect(0).stdout, "null\n");
    let given = r#"[{"ok": 1}, {"err": "no"}]"#;
    assert_eq!(home.run_on("run", &all, &["echo-results", given]).expect(0).json(), json!([{"ok": 1}, {"err": "no"}]));
}

#[test]
fn a_failed_graph_of_a_fleet_is_kept_for_questions() {
    let fleet = Fleet::shared();
    let (hostile, all) = (guest("hostile"), guest("everything"));
    let mut graph = GraphFile::new();
    graph.output_task("printed", &all, &everything("print"), vec![text("to stdout\n"), text("to stderr\n")]);
    let options = Options { retries: Some(2), backoff_ms: Some(1), ..Options::default() };
    let bad = graph.task_with("bad", &hostile, "panic", vec![text("what a pity")], &options);
    graph.output(bad);
    let answer = fleet.run_on("submit", &graph.save(&fleet.home, "questions.msgpack"), &[]);
    answer.fails("trap", &["after 3 attempts", "    what a pity"]);
    // The hint can be followed as it stands.
    let hint = answer.stderr.lines().find_map(|line| line.strip_prefix("hint: `wasm-tasks logs ")).expect("a hint about logs");
    let id = hint.split([' ', '`']).next().expect("an id");
    assert!(fleet.run(&["logs", id, "bad"]).expect(0).stdout.contains("what a pity"));
    assert_eq!(fleet.run(&["logs", id, "printed"]).expect(0).stdout, "to stdout\nto stderr\n");
    assert!(fleet.run(&["logs", id]).expect(0).stdout.contains("printed stderr: to stderr\n"));
    let explained = fleet.explain(id, "bad");
    assert_eq!((&explained["state"], &explained["attempts"]), (&json!("failed"), &json!(3)), "{explained}");
    let graph = fleet.run(&["explain", id, "--json"]).expect(0).json();
    assert_eq!((&graph["state"], &graph["failures"][0]["key"]), (&json!("failed"), &json!("bad")), "{graph}");
}
