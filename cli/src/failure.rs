//! How a command ends: its exit code, and the message when it did not end well.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use wasm_tasks::{ClientError, ErrorCode};

/// Exit codes, as the README lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything went well.
    Done = 0,
    /// A task failed.
    TaskFailed = 1,
    /// The input or the command is wrong, or a file cannot be read or written.
    BadInput = 2,
    /// No connection to the scheduler.
    NoConnection = 3,
    /// Interrupted.
    Interrupted = 130,
}

/// A command that did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What the process ends with.
    pub(crate) exit: Exit,
    code: Option<ErrorCode>,
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// A failure with a code of docs/errors.
    pub(crate) fn new(exit: Exit, code: ErrorCode, message: impl fmt::Display) -> Failure {
        Failure { exit, code: Some(code), message: message.to_string(), hint: None }
    }

    /// Bad input.
    pub(crate) fn bad_input(code: ErrorCode, message: impl fmt::Display) -> Failure {
        Failure::new(Exit::BadInput, code, message)
    }

    /// Words of a command that cannot be understood.
    pub(crate) fn bad_arguments(message: impl fmt::Display) -> Failure {
        Failure::bad_input(ErrorCode::BadArguments, message)
    }

    /// A file that cannot be read.
    pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Failure {
        Failure::bad_input(ErrorCode::SourceUnreadable, format!("cannot read `{}`: {error}", path.display()))
    }

    /// Something of this machine that is not as it must be, such as a full disk.
    pub(crate) fn system(message: impl fmt::Display) -> Failure {
        Failure { exit: Exit::BadInput, code: None, message: message.to_string(), hint: None }
    }

    /// Ended by Ctrl-C.
    pub(crate) fn interrupted(message: impl fmt::Display) -> Failure {
        Failure { exit: Exit::Interrupted, code: None, message: message.to_string(), hint: None }
    }

    /// With advice, unless the message has some already.
    pub(crate) fn hint(mut self, hint: Option<impl fmt::Display>) -> Failure {
        if !self.message.contains("hint:") {
            self.hint = hint.map(|hint| hint.to_string());
        }
        self
    }

    /// Tells people, on standard error.
    pub(crate) fn print(&self) {
        let mut err = io::stderr().lock();
        let (red, plain) = if io::stderr().is_terminal() { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
        let code = self.code.map_or_else(String::new, |code| format!("[{code}]"));
        // Nobody is left to tell when standard error is gone.
        drop(writeln!(err, "{red}error{code}{plain}: {}", self.message));
        if let Some(hint) = &self.hint {
            drop(writeln!(err, "hint: {hint}"));
        }
        if let Some(code) = self.code {
            drop(writeln!(err, "hint: `wasm-tasks explain-error {code}` says more"));
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        let exit = if error.is_connection() { Exit::NoConnection } else { Exit::BadInput };
        Failure::new(exit, error.code(), &error).hint(error.hint())
    }
}

impl From<wasm_tasks::UploadError> for Failure {
    fn from(error: wasm_tasks::UploadError) -> Failure {
        ClientError::from(error).into()
    }
}

impl From<wasm_tasks::NoHome> for Failure {
    fn from(error: wasm_tasks::NoHome) -> Failure {
        Failure::bad_arguments(error)
    }
}
