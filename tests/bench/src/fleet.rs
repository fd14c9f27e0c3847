//! Processes of the command: a fleet of two workers of one slot, and a scheduler alone. Both end when they are dropped.

use crate::context::Context;
use crate::error::{BenchError, check};
use crate::process::Process;
use serde_json::Value as Json;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use wasm_tasks::{Home, blocking};
use wasm_tasks_protocol::message::Query;

/// The folder of a fleet in that of a run.
const HOME: &str = "fleet";
/// Several heartbeats of the workers, which come every two seconds.
const HEARTBEATS: Duration = Duration::from_secs(20);

/// What `wasm-tasks up --workers 2 --slots 1` starts, and a client of it.
pub(crate) struct Fleet {
    program: PathBuf,
    home: PathBuf,
    pub(crate) client: blocking::Client,
    /// Name and process of the scheduler and the workers.
    pub(crate) processes: Vec<(String, Process)>,
}

impl Fleet {
    /// Starts it in a home of its own.
    pub(crate) fn start(context: &Context) -> Result<Fleet, BenchError> {
        let failed = "starting a fleet";
        let (program, home) = (context.program()?.clone(), context.home().join(HOME));
        let output = command(&program, &home)
            .args(["up", "--workers", "2", "--slots", "1", "--json"])
            .output()
            .map_err(BenchError::at(failed))?;
        if !output.status.success() {
            return Err(BenchError::Failed { what: failed, reason: String::from_utf8_lossy(&output.stderr).into_owned() });
        }
        let up: Json = serde_json::from_slice(&output.stdout).map_err(BenchError::at(failed))?;
        let processes = up["processes"].as_array().map(Vec::as_slice).unwrap_or_default();
        let processes = processes
            .iter()
            .map(|process| {
                (
                    process["name"].as_str().unwrap_or_default().to_owned(),
                    Process(process["pid"].as_u64().unwrap_or_default() as u32),
                )
            })
            .collect();
        let client = blocking::Client::connect(up["scheduler"].as_str().unwrap_or_default(), &Home::at(&home).credentials());
        match client {
            Ok(client) => Ok(Fleet { program, home, client, processes }),
            Err(error) => {
                down(&program, &home);
                Err(BenchError::at("connecting to the fleet")(error))
            }
        }
    }
}

impl Fleet {
    /// Fresh instances that the workers made so far, by their last heartbeats.
    pub(crate) fn instantiations(&self) -> Result<u64, BenchError> {
        let workers = self.client.ask(Query::Workers).map_err(BenchError::at("asking for workers"))?;
        let counts = workers.as_array().into_iter().flatten().map(|worker| worker["instantiations"].as_u64().unwrap_or(0));
        Ok(counts.sum())
    }

    /// Waits for the heartbeats that say so many instances were made, and no more.
    pub(crate) fn wait_for_instantiations(&self, expected: u64) -> Result<(), BenchError> {
        let deadline = Instant::now() + HEARTBEATS;
        let mut counted = self.instantiations()?;
        while counted < expected && Instant::now() < deadline {
            std::thread::park_timeout(HEARTBEATS / 50);
            counted = self.instantiations()?;
        }
        check("the number of fresh instances", &counted, &expected)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        down(&self.program, &self.home);
    }
}

/// Ends the fleet that was started in the folder of a run, whoever started it.
pub(crate) fn end(run: &Path) {
    let home = run.join(HOME);
    if let Ok(text) = std::fs::read(home.join("fleet/fleet.json"))
        && let Ok(fleet) = serde_json::from_slice::<Json>(&text)
    {
        let pids = fleet["processes"].as_array().into_iter().flatten().filter_map(|process| process["pid"].as_i64());
        for pid in pids.filter_map(|pid| rustix::process::Pid::from_raw(pid as i32)) {
            // It may have ended in between.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
    }
}

fn down(program: &PathBuf, home: &PathBuf) {
    // Whatever it says: there is nobody to tell.
    drop(command(program, home).arg("down").output());
}

fn command(program: &PathBuf, home: &PathBuf) -> Command {
    let mut command = Command::new(program);
    command
        .env("WASM_TASKS_HOME", home)
        .env_remove("WASM_TASKS_SCHEDULER")
        .env_remove("WASM_TASKS_CREDENTIALS")
        .stdin(Stdio::null());
    command
}

/// A scheduler without workers.
pub(crate) struct Scheduler {
    child: Child,
    pub(crate) address: String,
    pub(crate) credentials: PathBuf,
}

impl Scheduler {
    /// Starts it on a free port.
    pub(crate) fn start(context: &Context) -> Result<Scheduler, BenchError> {
        let failed = "starting a scheduler";
        let home = context.home().join("scheduler");
        std::fs::create_dir_all(&home).map_err(|source| BenchError::File { path: home.clone(), source })?;
        let log_path = home.join("scheduler.log");
        let log = std::fs::File::create(&log_path).map_err(|source| BenchError::File { path: log_path, source })?;
        let mut child = command(context.program()?, &home)
            .args(["scheduler", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(BenchError::at(failed))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(BenchError::at(failed))?;
        }
        let address = line.trim().strip_prefix("scheduler ").unwrap_or_default().to_owned();
        let scheduler = Scheduler { child, address, credentials: Home::at(&home).credentials() };
        if scheduler.address.is_empty() {
            return Err(BenchError::Failed { what: failed, reason: format!("it said `{}`", line.trim()) });
        }
        Ok(scheduler)
    }

    /// Its process.
    pub(crate) fn process(&self) -> Process {
        Process(self.child.id())
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
