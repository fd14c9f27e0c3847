//! Starting and stopping fleets, and who may talk to them.

use super::support::{Fleet, GraphFile, Home, Running, guest, is_running};
use rustix::process::Signal;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

#[test]
fn down_leaves_no_processes_and_no_state() {
    let fleet = Fleet::up(&["--workers", "2", "--slots", "1"]);
    let names: Vec<&str> = fleet.processes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["scheduler", "worker-1", "worker-2"]);
    assert!(fleet.processes.iter().all(|(_, pid)| is_running(*pid)));
    assert!(fleet.address.starts_with("127.0.0.1:"), "{}", fleet.address);
    let mut joined: Vec<String> =
        fleet.workers().iter().map(|worker| format!("{} {}", worker["name"], worker["slots"])).collect();
    joined.sort();
    assert_eq!(joined, ["\"worker-1\" 1", "\"worker-2\" 1"]);

    let again = fleet.home.run(&["up"]);
    again.refuses("bad-arguments", &["a fleet runs already", &fleet.address, "`wasm-tasks down` stops it"]);
    assert!(fleet.processes.iter().all(|(_, pid)| is_running(*pid)), "the fleet goes on");
    fleet.home.run(&["status"]).expect(0).says(&["a fleet runs on this machine", &fleet.address]);

    fleet.home.run(&["down"]).expect(0).says(&["stopped 3 processes"]).does_not_say("killed");
    assert!(fleet.processes.iter().all(|(_, pid)| !is_running(*pid)), "processes are left");
    assert!(!fleet.home.path().join("fleet/fleet.json").exists());
    let spilled = fs::read_dir(fleet.home.path().join("cache/spill")).map_or(0, |entries| entries.count());
    assert_eq!(spilled, 0, "workers leave no results behind");
    fleet.home.run(&["down"]).expect(0).says(&["no fleet runs"]);
}

#[test]
fn a_fleet_whose_scheduler_was_killed_is_cleared_away() {
    let fleet = Fleet::up(&["--workers", "1"]);
    super::support::kill(fleet.pid("scheduler"), Signal::KILL);
    super::support::until("the scheduler is gone", || (!is_running(fleet.pid("scheduler"))).then_some(()));
    let second = fleet.home.run(&["up", "--workers", "1", "--json"]);
    second.expect(0);
    assert!(!is_running(fleet.pid("worker-1")), "the worker of the old fleet is left");
    fleet.home.run(&["down"]).expect(0).says(&["stopped 2 processes"]);
}

#[test]
fn credentials_are_for_their_owner_alone() {
    let fleet = Fleet::shared();
    let folder = fleet.home.path().join("credentials");
    assert_eq!(mode(&folder), 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).expect("credentials") {
        let path = entry.expect("an entry").path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        names.push(path.file_name().expect("a name").to_string_lossy().into_owned());
    }
    for needed in ["ca.pem", "scheduler.key", "worker.key", "client.key"] {
        assert!(names.iter().any(|name| name == needed), "{names:?}");
    }
}

#[test]
fn a_key_that_others_may_read_is_not_used() {
    let fleet = Fleet::shared();
    let home = Home::new();
    let folder = home.path().join("credentials");
    fs::create_dir(&folder).expect("a folder");
    for name in ["ca.pem", "client.pem", "client.key"] {
        fs::copy(fleet.home.path().join("credentials").join(name), folder.join(name)).expect("a copy");
    }
    let status = ["status", "--scheduler", &fleet.address];
    // All that a client needs, and no more.
    home.run(&status).expect(0);
    let key = folder.join("client.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("its owner may");
    let path = key.to_str().expect("UTF-8");
    home.run(&status).expect(3).says(&[
        "error[unauthenticated]: ",
        "may be read by others (mode 644)",
        &format!("chmod 600 {path}"),
    ]);
    fs::remove_file(&key).expect("a file");
    home.run(&status).expect(3).says(&["error[unauthenticated]: ", "client.key"]);
}

#[test]
fn nobody_listens_beyond_loopback_without_credentials() {
    let home = Home::new();
    let answer = home.run(&["scheduler", "--listen", "0.0.0.0:0"]);
    answer.expect(3).says(&["error[unauthenticated]: ", "hint: "]);
    assert!(!home.path().join("credentials").exists(), "none are made for the network: {answer}");
    assert_eq!(answer.stdout, "");
    // With credentials that were made on loopback it listens.
    let fleet = Fleet::shared();
    let credentials = fleet.home.path().join("credentials");
    let words = ["scheduler", "--listen", "0.0.0.0:0", "--credentials", credentials.to_str().expect("UTF-8")];
    let (scheduler, line) = Running::start_until_line(&mut home.command(&words));
    assert!(line.starts_with("scheduler 0.0.0.0:"), "{line}");
    scheduler.signal(Signal::TERM);
    scheduler.end().expect(0);
}

#[test]
fn a_scheduler_that_is_not_there_is_no_connection() {
    let home = Home::new();
    let calc = guest("calc");
    // A socket that is bound and never read: nothing answers, and nobody else can take the port.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address").to_string();
    let answer = home.run_on("run", &calc, &["add", "1", "2", "--scheduler", &address]);
    answer.expect(3).says(&["error[unreachable]: ", &address, "hint: "]);
    drop(silent);
    let answer = home.run(&["status", "--scheduler", &address]);
    answer.expect(3).says(&["error[unreachable]: ", &address, "hint: "]);
    home.run(&["worker", &address]).expect(3).says(&["error[unreachable]: ", &address]);
    home.run(&["status", "--scheduler", "nonsense"]).refuses("bad-arguments", &["`nonsense`", "HOST:PORT"]);
}

#[test]
fn strangers_are_not_let_in() {
    let fleet = Fleet::shared();
    let stranger = Home::new();
    for words in [&["status"][..], &["worker"]] {
        let mut words = words.to_vec();
        match words[0] {
            "worker" => words.push(&fleet.address),
            _ => words.extend(["--scheduler", &fleet.address]),
        }
        stranger.run(&words).expect(3).says(&["error[unauthenticated]: ", &fleet.address, "hint: "]);
    }
    assert_eq!(fleet.workers().len(), 2, "the stranger did not join");
}

#[test]
fn down_does_not_wait_for_tasks_that_never_end() {
    let fleet = Fleet::up(&["--workers", "1", "--slots", "2"]);
    let mut graph = GraphFile::new();
    graph.output_task("spin", &guest("hostile"), "spin", vec![]);
    graph.output_task("sleep", &guest("hostile"), "sleep-forever", vec![]);
    let id = fleet.detach(&graph.save(&fleet.home, "endless.msgpack"));
    super::support::until("both run", || (fleet.graph(&id)["assigned"] == 2).then_some(()));
    fleet.home.run(&["down"]).expect(0).says(&["stopped 2 processes"]).does_not_say("killed");
    assert!(fleet.processes.iter().all(|(_, pid)| !is_running(*pid)), "processes are left");
}

#[test]
fn a_client_hears_that_its_scheduler_died() {
    let fleet = Fleet::up(&["--workers", "1"]);
    let mut graph = GraphFile::new();
    graph.output_task("spin", &guest("hostile"), "spin", vec![]);
    let id = fleet.detach(&graph.save(&fleet.home, "orphan.msgpack"));
    let attach = fleet.start(&["attach", &id]);
    super::support::until("it runs", || (fleet.graph(&id)["assigned"] == 1).then_some(()));
    super::support::kill(fleet.pid("scheduler"), Signal::TERM);
    attach.end().expect(3).says(&["error[unreachable]: "]);
}

#[test]
fn of_two_fleets_started_at_once_one_runs() {
    let home = Home::new();
    let both = [home.start(&["up", "--workers", "1"]), home.start(&["up", "--workers", "1"])].map(Running::end);
    let mut codes = both.each_ref().map(|answer| answer.code);
    codes.sort_unstable();
    assert_eq!(codes, [Some(0), Some(2)], "{} {}", both[0], both[1]);
    home.run(&["down"]).expect(0).says(&["stopped 2 processes"]);
}

#[test]
fn an_address_that_is_taken_is_bad_input() {
    let fleet = Fleet::shared();
    let taken = fleet.run(&["scheduler", "--listen", &fleet.address]);
    taken.refuses("bad-arguments", &["cannot listen on", &fleet.address, "Address already in use", "hint: choose another port"]);
}
