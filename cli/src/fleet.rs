//! The local fleet of `wasm-tasks up`: its processes, and the file that remembers them.

use crate::failure::Failure;
use crate::lifeline::{self, Hold};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use wasm_tasks::{Home, create_private};

/// How long a process may take to say that it is ready.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// How long a process may take to leave before it is killed.
const LEAVE_WITHIN: Duration = Duration::from_secs(10);

/// A fleet that runs, or did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Fleet {
    /// The scheduler's.
    pub(crate) address: String,
    /// The scheduler first, then the workers.
    pub(crate) processes: Vec<Process>,
}

/// One process of a fleet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Process {
    /// `scheduler`, or the worker's name.
    pub(crate) name: String,
    /// Its number.
    pub(crate) pid: i32,
    /// When it started, in the system's own unit: numbers of processes come again.
    started: Option<u64>,
}

/// A process that is ready.
pub(crate) struct Started {
    /// The process.
    pub(crate) process: Process,
    /// What it said.
    pub(crate) line: String,
    /// Keeps it alive until it is let go.
    pub(crate) hold: Hold,
}

/// Held while a fleet is started or stopped, so that two commands do not do so at once.
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock.
    pub(crate) fn take(home: &Home) -> Result<Lock, Failure> {
        let path = home.fleet().join("lock");
        let locked = create_private(&home.fleet()).and_then(|()| File::create(&path)).and_then(|file| {
            rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
            Ok(file)
        });
        locked
            .map(|file| Lock { _file: file })
            .map_err(|error| Failure::system(format!("cannot lock `{}`: {error}", path.display())))
            .map_err(|failure| failure.hint(Some("set `WASM_TASKS_HOME` to a folder of your own")))
    }
}

impl Fleet {
    fn file(home: &Home) -> PathBuf {
        home.fleet().join("fleet.json")
    }

    /// What was written down.
    pub(crate) fn known(home: &Home) -> Option<Fleet> {
        serde_json::from_slice(&fs::read(Fleet::file(home)).ok()?).ok()
    }

    /// The fleet whose scheduler runs now.
    pub(crate) fn running(home: &Home) -> Option<Fleet> {
        Fleet::known(home).filter(|fleet| fleet.processes.first().is_some_and(Process::is_running))
    }

    /// Writes it down.
    pub(crate) fn save(&self, home: &Home) -> Result<(), Failure> {
        let path = Fleet::file(home);
        let text = serde_json::to_vec(self).map_err(|error| Failure::system(format!("cannot write down the fleet: {error}")))?;
        crate::output::write_file(&path, &text)
    }

    /// Forgets it.
    pub(crate) fn forget(home: &Home) {
        drop(fs::remove_file(Fleet::file(home)));
    }

    /// Ends all processes: asks, waits, and then kills. Returns how many had to be killed.
    pub(crate) async fn stop(&self) -> usize {
        // The scheduler tells its workers to leave; workers that have lost it are asked themselves.
        let running = || self.processes.iter().filter(|process| process.is_running());
        running().for_each(|process| process.signal(Signal::TERM));
        let until = Instant::now() + LEAVE_WITHIN;
        while running().next().is_some() && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        running().inspect(|process| process.signal(Signal::KILL)).count()
    }
}

impl Process {
    /// Starts `wasm-tasks WORDS…` in the background and waits for the line that says that it is ready.
    /// Its other words go to a log file. It ends when the hold on it is dropped.
    pub(crate) fn start(name: &str, words: &[OsString], log: &Path) -> Result<Started, Failure> {
        let failed = |error: std::io::Error| Failure::system(format!("cannot start {name}: {error}"));
        let program = std::env::current_exe().map_err(failed)?;
        let log_file = File::create(log).map_err(failed)?;
        let mut command = Command::new(program);
        command.args(words).arg(lifeline::OPTION);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log_file).process_group(0);
        let mut child = command.spawn().map_err(failed)?;
        let pid = child.id() as i32;
        let process = Process { name: name.to_owned(), pid, started: started(pid) };
        let broken = || failed(std::io::ErrorKind::BrokenPipe.into());
        let (hold, stdout) = (Hold(child.stdin.take().ok_or_else(broken)?), child.stdout.take().ok_or_else(broken)?);
        let (ready, wait) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(stdout).read_line(&mut line);
            // The one who waits may have given up.
            drop(ready.send(read.map(|_| line)));
            // Reaps it if it ends while this command still runs, so that it is seen to have ended.
            drop(child.wait());
        });
        match wait.recv_timeout(READY_WITHIN) {
            Ok(Ok(line)) if !line.trim().is_empty() => Ok(Started { process, line: line.trim().to_owned(), hold }),
            Ok(_) => Err(Failure::system(format!("{name} ended at once:\n{}", tail(log)))),
            Err(_) => {
                process.signal(Signal::KILL);
                Err(Failure::system(format!(
                    "{name} was not ready within {} s; its log is `{}`",
                    READY_WITHIN.as_secs(),
                    log.display()
                )))
            }
        }
    }

    fn id(&self) -> Option<Pid> {
        Pid::from_raw(self.pid)
    }

    /// Whether this very process runs.
    pub(crate) fn is_running(&self) -> bool {
        let exists = self.id().is_some_and(|pid| test_kill_process(pid).is_ok());
        exists && (self.started.is_none() || started(self.pid) == self.started)
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.id().filter(|_| self.is_running()) {
            // It may have ended in between.
            let _ = kill_process(pid, signal);
        }
    }
}

/// When a process that runs started, in clock ticks since the machine did; nothing where the system does not tell,
/// and nothing for one that has ended and only waits to be noticed.
fn started(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; fields are counted after it. See proc_pid_stat(5).
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    if fields.first() == Some(&"Z") { Some(0) } else { fields.get(19)?.parse().ok() }
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
