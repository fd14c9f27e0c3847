//! Starts a judging process, hands it a component, and waits for the answer, its death or the end of patience.

use crate::budget::{Budget, Work};
use crate::failure::{Cost, Failure};
use crate::wire::{Answer, Head, TooLong};
use bytes::Bytes;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of standard error that are kept: enough for a panic's first line.
const STDERR_BYTES_MAX: u64 = 4 << 10;
/// How long a process that closed its output may take to end before it is killed.
const END_WITHIN: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A program whose `main` calls [`child::serve`](crate::child::serve) when it is started with these words.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program's file.
    pub path: PathBuf,
    /// Its words.
    pub words: Vec<OsString>,
}

/// What the one who waits for a process hears.
pub(crate) enum Note {
    /// The process said something, or its output ended.
    Said(Result<Option<Answer>, TooLong>),
    /// Nobody wants the answer any more.
    Stop,
}

/// Runs one process to its end on this thread. `notes` is where `Stop` may come from; `note` leads there.
///
/// # Errors
/// [`Failure`]; `None` when it was stopped.
pub(crate) fn run(
    program: &Program,
    work: Work,
    budget: Budget,
    component: &Bytes,
    note: &Sender<Note>,
    notes: &Receiver<Note>,
) -> Result<Vec<u8>, Option<Failure>> {
    let started = Instant::now();
    let host = |error: std::io::Error| Some(Failure::Host(format!("cannot start `{}`: {error}", program.path.display())));
    let mut child = command(program).spawn().map_err(host)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
        return Err(Some(Failure::Host("a process has no pipes".to_owned())));
    };
    let said = note.clone();
    let reading = spawn(move || drop(said.send(Note::Said(Answer::read(stdout, work.answer_bytes_max())))));
    let words = spawn(move || {
        let mut text = Vec::new();
        // What does not fit is not read: the process may wait for ever, and is killed then.
        let _ = stderr.take(STDERR_BYTES_MAX).read_to_end(&mut text);
        text
    });
    let head = Head { work, budget, len: component.len() };
    let component = component.clone();
    let writing = spawn(move || write(stdin, head, &component));
    let (Ok(_), Ok(words), Ok(writing)) = (reading, words, writing) else {
        end(&mut child);
        return Err(Some(Failure::Host("no thread can be started".to_owned())));
    };
    let heard = notes.recv_timeout(budget.wall);
    let status = match heard {
        // It said all that it had to say, or is not wanted: however it ends now, it ends.
        Ok(Note::Said(Ok(Some(_)) | Err(TooLong)) | Note::Stop) | Err(_) => end(&mut child),
        Ok(Note::Said(Ok(None))) => ended(&mut child),
    };
    // The pipe is open until here: the process ends when it is closed.
    drop(writing.join());
    let words = words.join().unwrap_or_default();
    tracing::debug!(?work, seconds = started.elapsed().as_secs_f64(), "a judging process ended");
    let too_costly = |cost| Err(Some(Failure::TooCostly { work, cost }));
    match heard {
        Ok(Note::Said(Ok(Some(Answer::Done(bytes))))) => Ok(bytes),
        Ok(Note::Said(Ok(Some(Answer::Refused(code, message))))) => Err(Some(Failure::Component { code, message })),
        Ok(Note::Said(Ok(Some(Answer::OutOfMemory)))) => too_costly(Cost::Memory(budget.memory_bytes)),
        Ok(Note::Said(Err(TooLong))) => too_costly(Cost::Answer(work.answer_bytes_max())),
        Ok(Note::Said(Ok(None))) => Err(Some(how_it_died(work, budget, status, &String::from_utf8_lossy(&words)))),
        Ok(Note::Stop) => Err(None),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => too_costly(Cost::Wall(budget.wall)),
    }
}

fn command(program: &Program) -> Command {
    let mut command = Command::new(&program.path);
    command.args(&program.words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Nothing of this process's environment is the component's business. The allocator takes a GiB of address space at a time
    // unless it is told not to, and a limit would be full at once.
    command.env_clear().env("MIMALLOC_ARENA_RESERVE", "32768").current_dir("/");
    command
}

fn spawn<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> std::io::Result<thread::JoinHandle<T>> {
    thread::Builder::new().name("judge".to_owned()).stack_size(128 << 10).spawn(body)
}

/// Hands over the component, and the open pipe.
fn write(mut stdin: ChildStdin, head: Head, component: &[u8]) -> ChildStdin {
    // A process that ended reads nothing; that is told by its output.
    let _ = stdin.write_all(&head.to_bytes()).and_then(|()| stdin.write_all(component)).and_then(|()| stdin.flush());
    stdin
}

fn end(child: &mut Child) -> Option<ExitStatus> {
    // It may have ended by itself.
    let _ = child.kill();
    child.wait().ok()
}

/// How a process ended that has closed its output.
fn ended(child: &mut Child) -> Option<ExitStatus> {
    let until = Instant::now() + END_WITHIN;
    while Instant::now() < until {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) => thread::sleep(LOOK_EVERY),
            Err(_) => break,
        }
    }
    end(child);
    None
}

fn how_it_died(work: Work, budget: Budget, status: Option<ExitStatus>, words: &str) -> Failure {
    // The standard library's words when an allocation fails, before it aborts.
    if words.contains("memory allocation of") {
        return Failure::TooCostly { work, cost: Cost::Memory(budget.memory_bytes) };
    }
    let first = words.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it said nothing");
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt as _;
        match status.and_then(|status| status.signal()) {
            Some(signal) if signal == rustix::process::Signal::XCPU.as_raw() => {
                return Failure::TooCostly { work, cost: Cost::Cpu(budget.cpu) };
            }
            // Nobody here sent it: the system does when the machine has no memory left.
            Some(signal) if signal == rustix::process::Signal::KILL.as_raw() => {
                return Failure::Host(format!("{} was killed by the system", work.as_str()));
            }
            Some(signal) => return Failure::Crashed { work, how: format!("signal {signal}: {first}") },
            None => {}
        }
    }
    match status {
        Some(status) if words.contains("cannot begin") => Failure::Host(format!("{first} ({status})")),
        Some(status) => Failure::Crashed { work, how: format!("{status}: {first}") },
        None => Failure::Crashed { work, how: first.to_owned() },
    }
}
