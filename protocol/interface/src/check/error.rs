//! What is wrong with a graph, for people and for programs.

use crate::fits::Mismatch;
use std::fmt;
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::graph::Place;

/// Errors that are shown; the rest is counted.
const SHOWN_MAX: usize = 20;
/// Errors after which a check stops: it costs time to find more, and nobody reads them.
const COUNTED_MAX: usize = 100;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckError {
    /// The code.
    pub code: ErrorCode,
    /// The task, function, data entry or output.
    pub place: Place,
    /// The argument and the path in it, such as `argument 2 (rows)[17].label`; empty when it is about the whole place.
    pub path: String,
    /// What was expected there; empty when the message says it all.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// The whole of it in one sentence, without the place.
    pub message: String,
    /// What to do next, where there is advice.
    pub hint: Option<String>,
}

impl CheckError {
    /// An error about a whole place.
    pub fn new(code: ErrorCode, place: Place, message: impl Into<String>) -> CheckError {
        CheckError {
            code,
            place,
            path: String::new(),
            expected: String::new(),
            found: String::new(),
            message: message.into(),
            hint: None,
        }
    }

    /// An error about a part of a place: `part` is followed by the mismatch's own path.
    pub(crate) fn mismatch(place: Place, part: String, mismatch: Mismatch) -> CheckError {
        let path = part + &mismatch.path();
        let what = format!("expected {}, found {}", mismatch.expected, mismatch.found);
        let message = if path.is_empty() { what } else { format!("{path}: {what}") };
        CheckError {
            code: mismatch.code,
            place,
            path,
            expected: mismatch.expected,
            found: mismatch.found,
            message,
            hint: mismatch.hint,
        }
    }
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CheckError {}

/// Everything that is wrong with a graph: at least one error, at most 20, and how many there are beyond these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckErrors {
    /// The first ones.
    pub errors: Vec<CheckError>,
    /// How many more there are.
    pub more: usize,
    /// Whether the check stopped before the end, so that there may be still more.
    pub is_cut: bool,
}

impl CheckErrors {
    /// The code of the first error.
    pub fn code(&self) -> ErrorCode {
        self.errors[0].code
    }
}

impl fmt::Display for CheckErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, error) in self.errors.iter().enumerate() {
            write!(f, "{}{error}", if position > 0 { "\n" } else { "" })?;
        }
        match (self.more, self.is_cut) {
            (0, _) => Ok(()),
            (more, false) => write!(f, "\nand {more} more"),
            (more, true) => write!(f, "\nand at least {more} more"),
        }
    }
}

impl std::error::Error for CheckErrors {}

/// Errors under collection.
#[derive(Default)]
pub(super) struct Errors {
    shown: Vec<CheckError>,
    more: usize,
}

impl Errors {
    pub(super) fn push(&mut self, error: CheckError) {
        if self.shown.len() < SHOWN_MAX { self.shown.push(error) } else { self.more += 1 }
    }

    pub(super) fn mismatch(&mut self, place: Place, part: String, mismatch: Mismatch) {
        self.push(CheckError::mismatch(place, part, mismatch));
    }

    pub(super) fn is_enough(&self) -> bool {
        self.shown.len() + self.more >= COUNTED_MAX
    }

    pub(super) fn finish(self) -> Result<(), CheckErrors> {
        let is_cut = self.is_enough();
        if self.shown.is_empty() { Ok(()) } else { Err(CheckErrors { errors: self.shown, more: self.more, is_cut }) }
    }
}
