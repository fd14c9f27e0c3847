//! How a command ends: its exit code, and the message when it did not end well.

use crate::output::{complain, note};
use std::fmt;
use std::io;
use std::path::Path;
use wasm_tasks::{ClientError, ErrorCode, OutputError};

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

    /// An output without a value, however it came to it; none where a failed task says why.
    pub(crate) fn of_output(name: &str, error: &OutputError) -> Option<Failure> {
        let place = |what: &dyn fmt::Display| format!("output `{name}`: {what}");
        match error {
            OutputError::Failed => None,
            OutputError::NoPart(refusal) => {
                let failure = Failure::new(Exit::TaskFailed, refusal.code, place(error));
                Some(failure.hint(Some("the path of an output must lead into the result; check it in a task where it may not")))
            }
            OutputError::Client(error) => {
                let exit = if error.is_connection() { Exit::NoConnection } else { Exit::TaskFailed };
                Some(Failure::new(exit, error.code(), place(error)).hint(error.hint()))
            }
        }
    }

    /// A file that cannot be read.
    pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Failure {
        if error.kind() == io::ErrorKind::IsADirectory {
            let failure =
                Failure::bad_input(ErrorCode::SourceUnreadable, format!("`{}` is a folder, not a file", path.display()));
            return failure.hint(Some("name the file that is in it"));
        }
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
        let code = self.code.map_or_else(String::new, |code| format!("[{code}]"));
        complain(&format!("error{code}"), &self.message);
        if let Some(hint) = &self.hint {
            note(format!("hint: {hint}"));
        }
        if let Some(code) = self.code {
            note(format!("hint: `wasm-tasks explain-error {code}` says more"));
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

#[cfg(test)]
mod tests {
    use super::{Exit, Failure};
    use wasm_tasks::{ClientError, ErrorCode, GraphId, OutputError, Refusal};

    /// What each way for an output to have no value ends a command with.
    #[test]
    fn outputs_without_a_value_have_exit_codes() {
        let refusal = || Refusal::new(ErrorCode::TypeMismatch, "the output's path: index 9 is beyond the end of a list of 3");
        let start = ClientError::Start("the scheduler stopped".to_owned());
        for (error, exit) in [
            (OutputError::Failed, None),
            (OutputError::NoPart(refusal()), Some(Exit::TaskFailed)),
            (OutputError::Client(ClientError::OutputGone(3)), Some(Exit::TaskFailed)),
            (OutputError::Client(ClientError::UnknownGraph(GraphId([1; 16]))), Some(Exit::TaskFailed)),
            (OutputError::Client(start), Some(Exit::TaskFailed)),
            (OutputError::Client(ClientError::Answer("it is no list")), Some(Exit::NoConnection)),
        ] {
            assert_eq!(Failure::of_output("rows[9]", &error).map(|failure| failure.exit), exit, "{error}");
        }
        let failure = Failure::of_output("rows[9]", &OutputError::NoPart(refusal())).expect("a failure");
        assert!(failure.message.starts_with("output `rows[9]`: the output's path"), "{}", failure.message);
    }
}
