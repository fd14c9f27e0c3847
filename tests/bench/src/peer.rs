//! dask.distributed in a process of its own, which answers requests line by line (`python/peer.py`).

use crate::error::BenchError;
use serde_json::Value as Json;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const SCRIPT: &str = include_str!("../python/peer.py");

/// A warm cluster of two workers of one thread.
pub(crate) struct Peer {
    child: Child,
    /// Closing it ends the process.
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
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
            .spawn()
            .map_err(failed)?;
        let missing = || BenchError::Failed { what: "starting dask", reason: "it has no pipes".to_owned() };
        let requests = Some(child.stdin.take().ok_or_else(missing)?);
        let answers = BufReader::new(child.stdout.take().ok_or_else(missing)?);
        let mut peer = Peer { child, requests, answers };
        let hello = peer.answer()?;
        let versions = ["dask", "python"].map(|name| (name.to_owned(), hello[name].as_str().unwrap_or_default().to_owned()));
        Ok((peer, versions.into()))
    }

    /// Runs a shape; seconds and the value.
    pub(crate) fn run(&mut self, shape: &str, size: usize, round: usize) -> Result<(f64, i64), BenchError> {
        let requests = self.requests.as_mut().expect("it is open until this is dropped");
        writeln!(requests, "{shape} {size} {round}").and_then(|()| requests.flush()).map_err(BenchError::at("asking dask"))?;
        let answer = self.answer()?;
        match (answer["seconds"].as_f64(), answer["value"].as_i64()) {
            (Some(seconds), Some(value)) => Ok((seconds, value)),
            _ => Err(BenchError::Failed { what: "asking dask", reason: answer.to_string() }),
        }
    }

    fn answer(&mut self) -> Result<Json, BenchError> {
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(BenchError::at("asking dask"))?;
        serde_json::from_str(&line).map_err(BenchError::at("asking dask, which ended"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.requests = None;
        // It closes its cluster at the end of its input.
        drop(self.child.wait());
    }
}
