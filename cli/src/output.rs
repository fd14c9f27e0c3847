//! Standard output and output files. Knows bytes; what they say is the commands'.

use crate::failure::Failure;
use serde_json::Value as Json;
use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

/// Writes to standard output. A reader that has gone away is no error: `wasm-tasks … | head` ends quietly.
pub(crate) fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::system(format!("cannot write to standard output: {error}"))),
    }
}

/// Writes a line to standard output.
pub(crate) fn print_line(line: impl std::fmt::Display) -> Result<(), Failure> {
    print(format!("{line}\n").as_bytes())
}

/// Writes JSON to standard output: on one line for programs, indented for people.
pub(crate) fn print_json(json: &Json) -> Result<(), Failure> {
    print_line(if io::stdout().is_terminal() { format!("{json:#}") } else { json.to_string() })
}

/// Says something to people, on standard error.
pub(crate) fn note(line: impl std::fmt::Display) {
    // Nobody is left to tell when standard error is gone.
    drop(writeln!(io::stderr().lock(), "{line}"));
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

/// Writes to a file where one is named, else to standard output.
pub(crate) fn write_to(path: Option<&Path>, bytes: &[u8]) -> Result<(), Failure> {
    path.map_or_else(|| print(bytes), |path| write_file(path, bytes))
}
