//! A local fleet of `wasm-tasks up`. It is stopped when the last test that uses it ends, whatever happens.

use super::answer::{Answer, Running, kill};
use super::home::Home;
use super::wait::until;
use rustix::process::Signal;
use serde_json::Value as Json;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// A scheduler and workers on loopback.
pub(crate) struct Fleet {
    pub(crate) home: Home,
    /// `HOST:PORT` of the scheduler.
    pub(crate) address: String,
    /// Names and numbers of its processes, the scheduler first.
    pub(crate) processes: Vec<(String, u32)>,
}

impl Fleet {
    /// The fleet of two workers for tests that only need one and leave no mark on it. It has slots to spare, so that
    /// tasks that never end are not in the way of other tests.
    pub(crate) fn shared() -> Arc<Fleet> {
        static SHARED: Mutex<Weak<Fleet>> = Mutex::new(Weak::new());
        // A test that panicked while it held the lock has left nothing half-done.
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let fleet = Arc::new(Fleet::up(&["--workers", "2", "--slots", "4"]));
            *shared = Arc::downgrade(&fleet);
            fleet
        })
    }

    /// Starts a fleet of its own for a test.
    pub(crate) fn up(words: &[&str]) -> Fleet {
        let home = Home::new();
        let answer = home.run(&[&["up", "--json"], words].concat());
        let json = answer.expect(0).json();
        let process = |process: &Json| {
            let name = process["name"].as_str().expect("a process has a name");
            (name.to_owned(), process["pid"].as_u64().expect("a process has a number") as u32)
        };
        let processes = json["processes"].as_array().expect("processes").iter().map(process).collect();
        Fleet { address: json["scheduler"].as_str().expect("an address").to_owned(), processes, home }
    }

    /// The number of a process by its name.
    pub(crate) fn pid(&self, name: &str) -> u32 {
        self.processes.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no process `{name}`")).1
    }

    /// The command, told where the scheduler is.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = self.home.command(words);
        command.env("WASM_TASKS_SCHEDULER", &self.address);
        command
    }

    /// Starts the command.
    pub(crate) fn start(&self, words: &[&str]) -> Running {
        Running::start(&mut self.command(words))
    }

    /// Runs the command to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Answer {
        self.start(words).end()
    }

    /// Runs `wasm-tasks COMMAND FILE WORDS…`.
    pub(crate) fn run_on(&self, command: &str, file: &Path, words: &[&str]) -> Answer {
        self.run(&[&[command, super::home::text_of(file)], words].concat())
    }

    /// Submits a graph and leaves; returns its id.
    pub(crate) fn detach(&self, graph: &Path) -> String {
        let answer = self.run_on("submit", graph, &["--detach", "--quiet"]);
        let id = answer.expect(0).stdout.trim().to_owned();
        assert_eq!(id.len(), 32, "an id: {answer}");
        id
    }

    /// What the scheduler says of a graph.
    pub(crate) fn graph(&self, id: &str) -> Json {
        self.graphs().into_iter().find(|graph| graph["id"] == id).unwrap_or_else(|| panic!("no graph `{id}`"))
    }

    /// What the scheduler says of all graphs.
    pub(crate) fn graphs(&self) -> Vec<Json> {
        let answer = self.run(&["status", "--json"]);
        answer.expect(0).json()["graphs"].as_array().expect("a list of graphs").clone()
    }

    /// Waits until something is true of the graph with this name, and returns it.
    pub(crate) fn until_graph(&self, name: &str, what: &str, is_so: impl Fn(&Json) -> bool) -> Json {
        until(&format!("graph `{name}` {what}"), || self.graphs().into_iter().find(|graph| graph["name"] == name && is_so(graph)))
    }

    /// What the scheduler says of a task.
    pub(crate) fn explain(&self, id: &str, key: &str) -> Json {
        self.run(&["explain", id, key, "--json"]).expect(0).json()
    }

    /// What the scheduler says of its workers.
    pub(crate) fn workers(&self) -> Vec<Json> {
        let answer = self.run(&["workers", "--json"]);
        answer.expect(0).json().as_array().expect("a list of workers").clone()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // A second panic while one is under way would end all tests, so nothing here may panic.
        if let Ok(mut down) =
            self.home.command(&["down"]).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn()
        {
            let _ = down.wait();
        }
        for (_, pid) in self.processes.iter().filter(|(_, pid)| is_running(*pid)) {
            kill(*pid, Signal::KILL);
        }
    }
}

/// Whether this is a process of the command, and not one that was given its number later.
pub(crate) fn is_running(pid: u32) -> bool {
    let is_alive = std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next().map(str::to_owned));
        state.as_deref() != Some("Z")
    });
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    is_alive && String::from_utf8_lossy(&command).contains("wasm-tasks")
}
