//! Workers that die, and tasks that no worker can run.

use super::support::{Fleet, GraphFile, everything, guest, int, kill, list, result};
use rustix::process::Signal;
use serde_json::json;
use wasm_tasks_protocol::graph::{Grant, LabelRule, Options};

/// Options of a task that really sleeps.
fn sleeps() -> Options {
    Options { grants: Some(vec![Grant::Clock]), ..Options::default() }
}

#[test]
fn a_worker_killed_mid_task_loses_no_graph() {
    let fleet = Fleet::up(&["--workers", "2", "--slots", "1"]);
    let (hostile, all) = (guest("hostile"), guest("everything"));
    let mut graph = GraphFile::new();
    graph.builder.options(Options { name: Some("killed".to_owned()), ..Options::default() });
    // Results that only the worker that made them has; they are made again when it dies.
    let made: Vec<_> =
        (0..4).map(|i| graph.task(&format!("made-{i}"), &all, &everything("make-bytes"), vec![int(100_000 + i)])).collect();
    let slept: Vec<_> =
        (0..4).map(|i| graph.task_with(&format!("slept-{i}"), &hostile, "sleep-ms", vec![int(700 + i)], &sleeps())).collect();
    for (i, task) in made.into_iter().enumerate() {
        graph.output_task(&format!("count-{i}"), &all, &everything("count-bytes"), vec![result(task)]);
        graph.output(task);
    }
    for task in slept {
        graph.output(task);
    }
    let id = fleet.detach(&graph.save(&fleet.home, "killed.msgpack"));
    let attach = fleet.start(&["attach", &id]);
    super::support::until("a task sleeps on the first worker", || {
        let tasks = (0..4).map(|i| fleet.explain(&id, &format!("slept-{i}")));
        tasks.into_iter().find(|task| task["state"] == "assigned" && task["workers"] == json!(["worker-1"]))
    });
    let is_lost = |key: &String| fleet.explain(&id, key)["workers"] == json!(["worker-1"]);
    let lost: Vec<String> = (0..4).map(|i| format!("made-{i}")).filter(is_lost).collect();
    kill(fleet.pid("worker-1"), Signal::KILL);
    let answer = attach.end();
    let outputs = answer.expect(0).json();
    for i in 0..4_u64 {
        assert_eq!(outputs[format!("count-{i}")], 100_000 + i, "{answer}");
        let base64 = outputs[format!("made-{i}")].as_str().expect("bytes");
        assert_eq!(base64.len() as u64, (100_000 + i).div_ceil(3) * 4, "{answer}");
        assert!(outputs[format!("slept-{i}")].as_u64().is_some_and(|ms| ms >= 700 + i), "{answer}");
    }
    let graph = fleet.graph(&id);
    let attempts = graph["attempts"].as_u64().expect("a number");
    assert!(attempts > 12 + lost.len() as u64, "the attempt that was lost, and the results {lost:?}, were made again: {graph}");
    let left: Vec<_> = fleet.workers().into_iter().map(|worker| worker["name"].clone()).collect();
    assert_eq!(left, ["worker-2"]);
}

#[test]
fn a_fleet_without_workers_waits_and_takes_the_first_that_comes() {
    let fleet = Fleet::up(&["--workers", "1", "--slots", "1"]);
    kill(fleet.pid("worker-1"), Signal::TERM);
    super::support::until("the worker has left", || fleet.workers().is_empty().then_some(()));
    let mut graph = GraphFile::new();
    graph.output_task("sum", &guest("calc"), "sum", vec![list((1..=4).map(int))]);
    let id = fleet.detach(&graph.save(&fleet.home, "patient.msgpack"));
    let explained = fleet.explain(&id, "sum");
    assert_eq!(
        (&explained["state"], &explained["text"]),
        (&json!("queued"), &json!("it is ready, but there are no workers")),
        "{explained}"
    );
    let words = ["worker", &fleet.address, "--name", "late", "--label", "zone=a", "--slots", "1"];
    let (late, line) = super::support::Running::start_until_line(&mut fleet.command(&words));
    assert_eq!(line, "worker late");
    assert_eq!(fleet.run(&["attach", &id]).expect(0).json(), json!({"sum": 10}));
    assert_eq!(fleet.workers()[0]["labels"]["zone"], "a");
    late.signal(Signal::TERM);
    late.end().expect(0);
}

#[test]
fn explain_names_the_nearest_worker_of_a_task_that_nobody_can_run() {
    let fleet = Fleet::shared();
    let mut graph = GraphFile::new();
    let labels = Some(vec![LabelRule::parse("gpu=yes").expect("a rule")]);
    let options = Options { labels, ..Options::default() };
    let picky = graph.task_with("picky", &guest("calc"), "neg", vec![int(1)], &options);
    graph.output_task("after", &guest("calc"), "neg", vec![result(picky)]);
    let id = fleet.detach(&graph.save(&fleet.home, "picky.msgpack"));
    let text = fleet.run(&["explain", &id, "picky"]);
    let said = &text.expect(0).stdout;
    assert!(said.starts_with("`picky`: no worker can run it; the nearest is `worker-"), "{text}");
    assert!(said.contains("gpu"), "{text}");
    assert_eq!(fleet.explain(&id, "after")["text"], "it waits for `picky`");
    assert_eq!(fleet.run(&["explain", &id, "--json"]).expect(0).json()["unrunnable"], json!(["picky"]));
    fleet.run(&["cancel", &id]).expect(0).says(&["is cancelled"]);
    // Nobody joins the cluster of one process, so there is nothing to wait for.
    let path = fleet.home.file("picky.msgpack");
    fleet.home.run_on("submit", &path, &[]).refuses("unrunnable", &["tasks[0] `picky`", "`gpu=yes`", "hint: "]);
    fleet.run(&["explain", &id, "nobody"]).refuses("not-found", &["no task `nobody`"]);
}

#[test]
fn a_label_that_one_worker_has_decides_where_a_task_runs() {
    let fleet = Fleet::up(&["--workers", "1"]);
    let words = ["worker", &fleet.address, "--name", "gifted", "--label", "gpu=yes", "--slots", "1"];
    let (gifted, _) = super::support::Running::start_until_line(&mut fleet.command(&words));
    let mut graph = GraphFile::new();
    let labels = Some(vec![LabelRule::parse("gpu=yes").expect("a rule")]);
    let options = Options { labels, ..Options::default() };
    for i in 0..8 {
        let task = graph.task_with(&format!("t{i}"), &guest("calc"), "neg", vec![int(i)], &options);
        graph.output(task);
    }
    let id = fleet.detach(&graph.save(&fleet.home, "labelled.msgpack"));
    fleet.run(&["attach", &id]).expect(0);
    for i in 0..8 {
        assert_eq!(fleet.explain(&id, &format!("t{i}"))["workers"], json!(["gifted"]));
    }
    drop(gifted);
}

#[test]
fn results_move_between_workers_in_whole() {
    let fleet = Fleet::up(&["--workers", "1"]);
    let join = |name: &str| {
        let label = format!("place={name}");
        let words = ["worker", &fleet.address, "--name", name, "--label", &label, "--slots", "1"];
        super::support::Running::start_until_line(&mut fleet.command(&words)).0
    };
    let _workers = [join("here"), join("there")];
    let at = |name: &str| {
        let rule = LabelRule::parse(&format!("place={name}")).expect("a rule");
        Options { labels: Some(vec![rule]), ..Options::default() }
    };
    // More than one message holds, made here, and copied and counted there.
    let len = 80 << 20;
    let all = guest("everything");
    let mut graph = GraphFile::new();
    let large = Options { result_bytes_max: Some(200 << 20), ..at("here") };
    let made = graph.task_with("made", &all, &everything("make-bytes"), vec![int(len)], &large);
    let count = graph.task_with("count", &all, &everything("count-bytes"), vec![result(made)], &at("there"));
    graph.output(count);
    let id = fleet.detach(&graph.save(&fleet.home, "moved.msgpack"));
    assert_eq!(fleet.run(&["attach", &id]).expect(0).json(), json!({"count": len}));
    assert!(fleet.graph(&id)["bytes_moved"].as_i64() >= Some(len), "{}", fleet.graph(&id));
    assert_eq!(fleet.explain(&id, "count")["workers"], json!(["there"]));
}

#[test]
fn two_thousand_tasks_and_their_sum_on_two_workers() {
    let fleet = Fleet::shared();
    let calc = guest("calc");
    let mut graph = GraphFile::new();
    let sums: Vec<_> = (0..20)
        .map(|i| {
            let parts: Vec<_> =
                (0..100).map(|j| graph.task(&format!("add-{i}-{j}"), &calc, "add", vec![int(i * 100), int(j)])).collect();
            graph.task(&format!("sum-{i}"), &calc, "sum", vec![list(parts.into_iter().map(result))])
        })
        .collect();
    graph.output_task("total", &calc, "sum", vec![list(sums.into_iter().map(result))]);
    let path = graph.save(&fleet.home, "merge.msgpack");
    let total = json!({"total": (0..2_000).sum::<u64>()});
    assert_eq!(fleet.run_on("submit", &path, &[]).expect(0).says(&["2,021 tasks"]).json(), total);
    assert_eq!(fleet.home.run_on("submit", &path, &[]).expect(0).json(), total);
}

#[test]
fn a_task_that_was_running_on_three_workers_when_they_died_is_stopped() {
    let fleet = Fleet::up(&["--workers", "4", "--slots", "1"]);
    let mut graph = GraphFile::new();
    graph.output_task("spin", &guest("hostile"), "spin", vec![]);
    graph.output_task("fine", &guest("calc"), "neg", vec![int(1)]);
    let id = fleet.detach(&graph.save(&fleet.home, "deadly.msgpack"));
    let mut killed = Vec::new();
    for _ in 0..3 {
        let worker = super::support::until("the task runs on a worker that lives", || {
            let task = fleet.explain(&id, "spin");
            let worker = task["workers"][0].as_str().filter(|_| task["state"] == "assigned")?.to_owned();
            (!killed.contains(&worker)).then_some(worker)
        });
        kill(fleet.pid(&worker), Signal::KILL);
        killed.push(worker);
    }
    let answer = fleet.run(&["attach", &id]);
    answer.fails("worker-died", &["task `spin`", "3"]);
    assert_eq!(answer.json(), json!({"fine": -1}), "{answer}");
    assert_eq!(fleet.workers().len(), 1, "the last worker is spared");
}

#[test]
fn workers_come_back_to_a_scheduler_that_was_killed_and_started_again() {
    let home = super::support::Home::new();
    let start = |listen: &str| super::support::Running::start_until_line(&mut home.command(&["scheduler", "--listen", listen]));
    let (first, line) = start("127.0.0.1:0");
    let address = line.strip_prefix("scheduler ").expect("an address").to_owned();
    let words = ["worker", &address, "--name", "loyal", "--slots", "1"];
    let (worker, _) = super::support::Running::start_until_line(&mut home.command(&words));
    first.signal(Signal::KILL);
    assert_eq!(first.end().code, None, "it was killed");
    let (second, line) = start(&address);
    assert_eq!(line, format!("scheduler {address}"));
    let call = ["run", guest("calc").to_str().expect("UTF-8"), "add", "1", "2", "--scheduler", &address].map(str::to_owned);
    let call: Vec<&str> = call.iter().map(String::as_str).collect();
    // It waits for a worker, so there is nothing to wait for here.
    assert_eq!(home.run(&call).expect(0).stdout, "3\n");
    second.signal(Signal::TERM);
    second.end().expect(0);
    worker.end().expect(0);
}
