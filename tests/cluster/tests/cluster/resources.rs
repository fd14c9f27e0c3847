//! What tasks ask of workers: alternatives, preferences, time; and what people hear when nobody has it.

use super::support::{Fleet, GraphFile, Running, guest, int, until};
use rustix::process::Signal;
use serde_json::json;
use std::fs::File;
use std::process::Stdio;
use wasm_tasks_protocol::graph::{Alternative, LabelRule, Options, Resource};

fn rules(rule: &str) -> Option<Vec<LabelRule>> {
    Some(vec![LabelRule::parse(rule).expect("a rule")])
}

#[test]
fn tasks_go_where_what_they_ask_for_is() {
    let fleet = Fleet::up(&["--workers", "1", "--slots", "2"]);
    let join = |words: &[&str]| {
        let words = [&["worker", &fleet.address, "--slots", "1"], words].concat();
        Running::start_until_line(&mut fleet.command(&words)).0
    };
    let gpu = Alternative { pools: Some(vec![Resource { name: "gpu".to_owned(), milli: 500 }]), ..Alternative::default() };
    let two = Alternative { slots_milli: Some(2_000), ..Alternative::default() };
    let either = Options { any_of: Some(vec![gpu, two]), ..Options::default() };
    let mut graph = GraphFile::new();
    let task = graph.task_with("either", &guest("calc"), "neg", vec![int(1)], &either);
    graph.output(task);
    let id = fleet.detach(&graph.save(&fleet.home, "two-slots.msgpack"));
    assert_eq!(fleet.run(&["attach", &id]).expect(0).json(), json!({"either": -1}));
    assert_eq!(fleet.explain(&id, "either")["workers"], json!(["worker-1"]), "nobody has the first alternative");

    let gifted = join(&["--name", "gifted", "--resource", "gpu=1", "--label", "zone=a", "--lifetime", "1h"]);
    let ends = fleet.workers().into_iter().find(|worker| worker["name"] == "gifted").expect("it joined");
    assert!(ends["leaves_in_ms"].as_u64().is_some_and(|ms| ms <= 3_600_000), "{ends}");
    let mut graph = GraphFile::new();
    let likes = Options { prefer: rules("zone=a"), ..Options::default() };
    let hours = |hours: u64| Options { time_request_ms: Some(hours * 3_600_000), ..Options::default() };
    let long = Options { labels: rules("zone=a"), ..hours(2) };
    let wants = [("either", &either), ("likes", &likes), ("stays", &hours(2)), ("long", &long)];
    for (key, options) in wants {
        let task = graph.task_with(key, &guest("calc"), "neg", vec![int(2)], options);
        graph.output(task);
    }
    let id = fleet.detach(&graph.save(&fleet.home, "ways.msgpack"));
    let at = |key: &str| {
        until("it is done", || Some(fleet.explain(&id, key)).filter(|task| task["state"] == "done"))["workers"].clone()
    };
    assert_eq!([at("either"), at("likes"), at("stays")], [json!(["gifted"]), json!(["gifted"]), json!(["worker-1"])]);
    let long = fleet.explain(&id, "long");
    assert_eq!(long["is_unrunnable"], true, "{long}");
    let fit = long["fits"].as_array().into_iter().flatten().find(|fit| fit["worker"] == "gifted").expect("it is named").clone();
    assert!(fit["lacks"].to_string().contains("7200 s are needed"), "{fit}");
    fleet.run(&["cancel", &id]).expect(0);
    gifted.signal(Signal::TERM);
    gifted.end().expect(0);
    // A worker whose time is over leaves by itself.
    join(&["--name", "brief", "--lifetime", "100ms"]).end().expect(0);
}

#[test]
fn submit_and_attach_say_which_task_no_worker_can_run_and_why() {
    let fleet = Fleet::up(&["--workers", "1", "--slots", "1"]);
    let mut graph = GraphFile::new();
    let options = Options { labels: rules("kind=rare"), ..Options::default() };
    let task = graph.task_with("picky", &guest("calc"), "neg", vec![int(1)], &options);
    graph.output(task);
    let path = graph.save(&fleet.home, "picky.msgpack");
    let said = fleet.home.file("said.txt");
    let mut command = fleet.command(&["submit", path.to_str().expect("a path in UTF-8")]);
    command.args(["--format", "json"]);
    let child =
        command.stdout(File::create(fleet.home.file("out.json")).expect("a file")).stderr(File::create(&said).expect("a file"));
    let mut child = child.spawn().expect("it starts");
    until("it says what waits", || {
        let text = std::fs::read_to_string(&said).ok()?;
        text.contains("waiting: `picky`: no worker can run it; the nearest is `worker-1`").then_some(())
    });
    let graph = fleet.graphs().remove(0);
    let attached = fleet.home.file("attached.txt");
    let mut command = fleet.command(&["attach", graph["id"].as_str().expect("an id")]);
    let mut attach = command.stdout(Stdio::null()).stderr(File::create(&attached).expect("a file")).spawn().expect("it starts");
    until("who attaches is told too", || {
        std::fs::read_to_string(&attached).ok()?.contains("waiting: `picky`: no worker can run it").then_some(())
    });
    let words = ["worker", &fleet.address, "--name", "rare", "--label", "kind=rare", "--slots", "1"];
    let (rare, _) = Running::start_until_line(&mut fleet.command(&words));
    assert!(child.wait().expect("it ends").success(), "{}", std::fs::read_to_string(&said).unwrap_or_default());
    assert!(attach.wait().expect("it ends").success());
    drop(rare);
}
