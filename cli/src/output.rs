//! The only place that writes to standard output and standard error. Everything that is not a result is escaped here
//! (`escape`), because names, keys and messages come from graphs, guests and peers. Knows nothing of what is said.

use crate::escape;
use crate::failure::Failure;
use serde_json::Value as Json;
use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Write};
use std::path::Path;

/// A reader that has gone away is no error: `wasm-tasks … | head` ends quietly.
fn write_out(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::system(format!("cannot write to standard output: {error}"))),
    }
}

/// Writes text of several lines to standard output. Parts of lines that others chose went through [`escape::field`].
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    write_out(escape::text(text).as_bytes())
}

/// Writes a line to standard output.
pub(crate) fn print_line(line: impl std::fmt::Display) -> Result<(), Failure> {
    write_out(format!("{}\n", escape::field(&line.to_string())).as_bytes())
}

/// Writes JSON to standard output: on one line for programs, indented for people.
pub(crate) fn print_json(json: &Json) -> Result<(), Failure> {
    let text = if io::stdout().is_terminal() { format!("{json:#}\n") } else { format!("{json}\n") };
    write_out(escape::json(&text).as_bytes())
}

/// Writes a result to standard output: byte for byte to a program, with controls escaped to a terminal.
fn print_result(bytes: &[u8]) -> Result<(), Failure> {
    if io::stdout().is_terminal() { write_out(escape::bytes(bytes).as_bytes()) } else { write_out(bytes) }
}

/// Standard output as a stream of frames for a program, without escapes.
pub(crate) fn frames() -> impl Write {
    io::BufWriter::with_capacity(1 << 16, io::stdout().lock())
}

/// Says something to people, on standard error.
pub(crate) fn note(line: impl std::fmt::Display) {
    // Nobody is left to tell when standard error is gone.
    drop(writeln!(io::stderr().lock(), "{}", escape::message(&line.to_string())));
}

/// Says that a command failed, on standard error; the label is red on a terminal.
pub(crate) fn complain(label: &str, message: &str) {
    let (red, plain) = if io::stderr().is_terminal() { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
    // Nobody is left to tell when standard error is gone.
    drop(writeln!(io::stderr().lock(), "{red}{label}{plain}: {}", escape::message(message)));
}

/// Standard error for log lines, which quote what peers said.
pub(crate) struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stderr().lock().write_all(escape::bytes(bytes).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

/// Writes a file, whole or not at all; devices and pipes are written directly.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::system(format!("cannot write `{}`: {error}", path.display()));
    let is_special = fs::metadata(path).is_ok_and(|metadata| !metadata.is_file());
    if is_special {
        return File::options().write(true).open(path).and_then(|mut file| file.write_all(bytes)).map_err(failed);
    }
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().ok_or_else(|| failed(io::ErrorKind::IsADirectory.into()))?);
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path));
    written.map_err(|error| {
        drop(fs::remove_file(&temporary));
        failed(error)
    })
}

/// Writes a result to a file where one is named, else to standard output.
pub(crate) fn write_to(path: Option<&Path>, bytes: &[u8]) -> Result<(), Failure> {
    path.map_or_else(|| print_result(bytes), |path| write_file(path, bytes))
}
