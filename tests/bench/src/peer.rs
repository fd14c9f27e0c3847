//! dask.distributed in a process of its own, which answers requests line by line (`python/peer.py`).

use crate::error::BenchError;
use serde_json::Value as Json;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

const SCRIPT: &str = include_str!("../python/peer.py");
/// How long one answer may take; a shape that takes longer is known to take at least this long.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// Where its process number is kept in the folder of a run.
const PID_FILE: &str = "peer.pid";

/// Ends the peer that was started in the folder of a run.
pub(crate) fn end(run: &Path) {
    let pid = std::fs::read_to_string(run.join(PID_FILE)).ok().and_then(|pid| pid.parse().ok());
    if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
        // It may have ended in between.
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
}

/// How long a shape took.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Took {
    /// So many seconds.
    Seconds(f64),
    /// It was stopped after so many seconds.
    AtLeast(f64),
}

impl Took {
    /// The seconds, of which there may have been more.
    pub(crate) fn seconds(self) -> f64 {
        match self {
            Took::Seconds(seconds) | Took::AtLeast(seconds) => seconds,
        }
    }
}

/// A warm cluster of two workers of one thread.
pub(crate) struct Peer {
    child: Child,
    /// Closing it ends the process.
    requests: Option<ChildStdin>,
    answers: Receiver<String>,
    is_stopped: bool,
}

impl Peer {
    /// Starts it; also says which versions it has.
    pub(crate) fn start(python: &Path, home: &Path) -> Result<(Peer, Vec<(String, String)>), BenchError> {
        let script = home.join("peer.py");
        let file = |source| BenchError::File { path: script.clone(), source };
        std::fs::write(&script, SCRIPT).map_err(file)?;
        let log = std::fs::File::create(home.join("peer.log")).map_err(file)?;
        let failed = BenchError::at("starting dask");
        let mut child = Command::new(python)
            .arg(&script)
            .current_dir(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let number = home.join(PID_FILE);
        std::fs::write(&number, child.id().to_string()).map_err(|source| BenchError::File { path: number, source })?;
        let missing = || BenchError::Failed { what: "starting dask", reason: "it has no pipes".to_owned() };
        let requests = Some(child.stdin.take().ok_or_else(missing)?);
        let stdout = BufReader::new(child.stdout.take().ok_or_else(missing)?);
        let (send, answers) = channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        let mut peer = Peer { child, requests, answers, is_stopped: false };
        let hello =
            peer.answer()?.ok_or_else(|| BenchError::Failed { what: "starting dask", reason: "it does not start".to_owned() })?;
        let versions = ["dask", "python"].map(|name| (name.to_owned(), hello[name].as_str().unwrap_or_default().to_owned()));
        Ok((peer, versions.into()))
    }

    /// Whether it took too long once, and does nothing any more.
    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// Runs a shape and checks its value.
    pub(crate) fn run(&mut self, shape: &str, size: usize, round: usize, expected: i64) -> Result<Took, BenchError> {
        let requests = self.requests.as_mut().expect("it is open until this is dropped");
        writeln!(requests, "{shape} {size} {round}").and_then(|()| requests.flush()).map_err(BenchError::at("asking dask"))?;
        let Some(answer) = self.answer()? else { return Ok(Took::AtLeast(ANSWER_WITHIN.as_secs_f64())) };
        match (answer["seconds"].as_f64(), answer["value"].as_i64()) {
            (Some(seconds), Some(value)) => {
                crate::error::check("dask's value", &value, &expected)?;
                Ok(Took::Seconds(seconds))
            }
            _ => Err(BenchError::Failed { what: "asking dask", reason: answer.to_string() }),
        }
    }

    /// The next line; none when it does not come in time, and then its processes are ended.
    fn answer(&mut self) -> Result<Option<Json>, BenchError> {
        match self.answers.recv_timeout(ANSWER_WITHIN) {
            Ok(line) => serde_json::from_str(&line).map(Some).map_err(BenchError::at("asking dask")),
            Err(RecvTimeoutError::Timeout) => {
                self.is_stopped = true;
                // Its cluster is in its process group; asked nicely it goes on for minutes.
                let pid = rustix::process::Pid::from_child(&self.child);
                rustix::process::kill_process_group(pid, rustix::process::Signal::KILL)
                    .map_err(BenchError::at("stopping dask"))?;
                Ok(None)
            }
            Err(RecvTimeoutError::Disconnected) => Err(BenchError::Failed { what: "asking dask", reason: "it ended".to_owned() }),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.requests = None;
        // It closes its cluster at the end of its input.
        drop(self.child.wait());
    }
}
