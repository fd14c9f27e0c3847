//! Runs other programs, and says what is being done and how long it took.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::failure::Failure;

/// Says what is being done, runs it, and says how long it took.
pub(crate) fn phase<T>(name: &str, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    println!("== {name}");
    let start = Instant::now();
    let done = work();
    let outcome = if done.is_ok() { "done" } else { "failed" };
    println!("== {name}: {outcome} in {}", seconds(start.elapsed()));
    done
}

pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// Runs a command whose output goes where ours goes.
pub(crate) fn execute(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|error| not_started(command, &error))?;
    if status.success() { Ok(()) } else { Err(ended_with(command, &status.to_string())) }
}

/// Runs a command and shows what it printed only when it fails.
pub(crate) fn execute_quietly(command: &mut Command) -> Result<(), Failure> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| not_started(command, &error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let said = String::from_utf8_lossy(&said);
    Err(Failure::step(format!("{}\n{}", ended_with(command, &output.status.to_string()), said.trim_end())))
}

/// Runs a command and returns its standard output; standard error goes where ours goes.
pub(crate) fn capture(command: &mut Command) -> Result<String, Failure> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(|error| not_started(command, &error))?;
    if !output.status.success() {
        return Err(ended_with(command, &output.status.to_string()));
    }
    String::from_utf8(output.stdout).map_err(|_| Failure::step(format!("{} printed no UTF-8", line(command))))
}

/// Runs a command, hands each line of its standard output to `each`, and says whether it succeeded.
pub(crate) fn follow(command: &mut Command, mut each: impl FnMut(&str)) -> Result<bool, Failure> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(|error| not_started(command, &error))?;
    let stdout = child.stdout.take().expect("standard output was piped above");
    for read in BufReader::new(stdout).split(b'\n') {
        let bytes = read.map_err(|error| Failure::step(format!("cannot read from {}: {error}", line(command))))?;
        each(&String::from_utf8_lossy(&bytes));
    }
    let status = child.wait().map_err(|error| not_started(command, &error))?;
    Ok(status.success())
}

/// Prints a line at once, also when standard output is a pipe.
pub(crate) fn echo(line: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody is left to read when this fails.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Whether a program can be started at all.
pub(crate) fn is_present(program: &str) -> bool {
    let asked = Command::new(program).arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

fn not_started(command: &Command, error: &std::io::Error) -> Failure {
    Failure::step(format!("cannot run {}: {error}", line(command)))
}

fn ended_with(command: &Command, status: &str) -> Failure {
    Failure::step(format!("{} ended with {status}", line(command)))
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    format!("`{}`", words.join(" "))
}
