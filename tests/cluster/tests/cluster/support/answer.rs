//! A process of the command: what it says and how it ends.

use super::wait::{PATIENCE, until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;

/// How a process ended, and all that it wrote.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The words it was started with, for messages.
    pub(crate) command: String,
    /// Its exit code; none when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Answer {
    /// It ended with this code.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32) -> &Answer {
        assert_eq!(self.code, Some(code), "exit code of {self}");
        // What guests write is indented.
        let has_panicked = self.stderr.lines().any(|line| line.starts_with("thread '") && line.contains("panicked at"));
        assert!(!has_panicked, "a panic in {self}");
        self
    }

    /// Standard error has all of these in it.
    #[track_caller]
    pub(crate) fn says(&self, words: &[&str]) -> &Answer {
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` is not on standard error of {self}");
        }
        self
    }

    /// Standard error has this nowhere.
    #[track_caller]
    pub(crate) fn does_not_say(&self, word: &str) -> &Answer {
        assert!(!self.stderr.contains(word), "`{word}` is on standard error of {self}");
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("standard output is no JSON ({error}) of {self}"))
    }

    /// It refused the input with this code and nothing on standard output.
    #[track_caller]
    pub(crate) fn refuses(&self, code: &str, words: &[&str]) -> &Answer {
        self.expect(2);
        assert_eq!(self.stdout, "", "a refusal writes nothing to standard output: {self}");
        self.says(&[&format!("error[{code}]: "), &format!("`wasm-tasks explain-error {code}`")]).says(words)
    }

    /// A task failed with this code.
    #[track_caller]
    pub(crate) fn fails(&self, code: &str, words: &[&str]) -> &Answer {
        self.expect(1).says(&[&format!("failed [{code}]: ")]).says(words)
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Answer { command, code, stdout, stderr } = self;
        write!(f, "`{command}`: {code:?}\n--- standard output\n{stdout}--- standard error\n{stderr}---")
    }
}

/// A process that was started. It is killed when it is dropped before it ended.
pub(crate) struct Running {
    command: String,
    child: Option<Child>,
    /// Says when standard error ends, which is when the process does.
    ended: Receiver<String>,
    stdout: Option<JoinHandle<String>>,
}

impl Running {
    /// Starts a command and reads all that it writes.
    pub(crate) fn start(command: &mut Command) -> Running {
        Running::with_stdout(command, |stdout| Some(std::thread::spawn(move || read_all(stdout))))
    }

    /// Starts a command whose reader goes away before it writes.
    pub(crate) fn start_without_reader(command: &mut Command) -> Running {
        Running::with_stdout(command, |_| None)
    }

    /// Starts a command whose standard output is a file.
    pub(crate) fn start_writing_to(command: &mut Command, file: File) -> Running {
        Running::spawn(command.stdout(file))
    }

    /// Starts a command and waits for its first line, which says that it is ready. The rest is not read.
    pub(crate) fn start_until_line(command: &mut Command) -> (Running, String) {
        let (line, first) = channel();
        let running = Running::with_stdout(command, |stdout| {
            Some(std::thread::spawn(move || {
                let mut stdout = BufReader::new(stdout);
                let mut text = String::new();
                // A process that ends at once leaves an empty line, and whoever waits says so.
                drop(stdout.read_line(&mut text));
                drop(line.send(text.clone()));
                drop(stdout.read_to_string(&mut text));
                text
            }))
        });
        let line = first.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("`{}` says nothing", running.command));
        if line.is_empty() {
            panic!("it ended before it was ready: {}", running.end());
        }
        (running, line.trim().to_owned())
    }

    fn with_stdout(command: &mut Command, read: impl FnOnce(ChildStdout) -> Option<JoinHandle<String>>) -> Running {
        let mut running = Running::spawn(command.stdout(Stdio::piped()));
        let stdout = running.child.as_mut().and_then(|child| child.stdout.take()).expect("it is piped");
        running.stdout = read(stdout);
        running
    }

    fn spawn(command: &mut Command) -> Running {
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let mut stderr = child.stderr.take().expect("it is piped");
        let (said, ended) = channel();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // What was read before an error is what there was.
            let _ = stderr.read_to_end(&mut bytes);
            // Nobody waits for a process that was given up.
            let _ = said.send(String::from_utf8_lossy(&bytes).into_owned());
        });
        Running { command: format!("wasm-tasks {}", words.join(" ")), child: Some(child), ended, stdout: None }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal);
    }

    /// Waits until the process has a handler for a signal, which would end it before.
    pub(crate) fn until_it_catches(&self, signal: Signal) {
        let status = format!("/proc/{}/status", self.pid());
        until("the process listens for signals", || {
            let status = std::fs::read_to_string(&status).ok()?;
            let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?.trim().to_owned();
            let caught = u64::from_str_radix(&mask, 16).ok()?;
            (caught >> (signal.as_raw() - 1) & 1 == 1).then_some(())
        });
    }

    /// Waits until the process has computed for so long.
    pub(crate) fn until_cpu_seconds(&self, seconds: f64) {
        let stat = format!("/proc/{}/stat", self.pid());
        until("the process computes", || {
            let stat = std::fs::read_to_string(&stat).ok()?;
            // The 14th field is the user time in ticks of 10 ms; fields are counted after the name. See proc_pid_stat(5).
            let ticks: f64 = stat.rsplit_once(')')?.1.split_whitespace().nth(11)?.parse().ok()?;
            (ticks / 100.0 >= seconds).then_some(())
        });
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("it has not ended").id()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it takes longer than [`PATIENCE`]; it is killed then.
    pub(crate) fn end(mut self) -> Answer {
        let stderr = match self.ended.recv_timeout(PATIENCE) {
            Ok(stderr) => stderr,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                panic!("`{}` has not ended after {} s", self.command, PATIENCE.as_secs())
            }
        };
        let mut child = self.child.take().expect("it has not ended before");
        let status: ExitStatus = child.wait().expect("a child can be waited for");
        let stdout = self.stdout.take().map_or_else(String::new, |reader| reader.join().expect("a reader does not panic"));
        Answer { command: std::mem::take(&mut self.command), code: status.code(), stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Sends a signal to a process, which may have ended.
pub(crate) fn kill(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid as i32).expect("processes have numbers above 0");
    let _ = kill_process(pid, signal);
}

fn read_all(mut stdout: ChildStdout) -> String {
    let mut bytes = Vec::new();
    // What was read before an error is what there was.
    let _ = stdout.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
