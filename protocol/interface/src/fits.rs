//! Whether a value fits a type, and what a message says when it does not.

use crate::walk::{Mode, Walk};
use std::fmt;
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::Type;
use wasm_tasks_protocol::graph::PathStep;
use wasm_tasks_protocol::msgpack::Reader;

/// A value that does not fit its type: where in it, what was expected and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The code: mostly [`ErrorCode::TypeMismatch`].
    pub code: ErrorCode,
    /// Steps from the value's root to the place, innermost first.
    pub(crate) steps: Vec<PathStep>,
    /// The type or form that was expected.
    pub expected: String,
    /// What is there instead.
    pub found: String,
    /// What to do, where there is advice.
    pub hint: Option<String>,
}

impl Mismatch {
    /// A mismatch at the root of a value.
    pub fn new(code: ErrorCode, expected: impl Into<String>, found: impl Into<String>) -> Box<Mismatch> {
        Box::new(Mismatch { code, steps: Vec::new(), expected: expected.into(), found: found.into(), hint: None })
    }

    pub(crate) fn with_hint(mut self: Box<Mismatch>, hint: impl Into<String>) -> Box<Mismatch> {
        self.hint = Some(hint.into());
        self
    }

    /// The steps from the value's root to the place, such as `[17].label`; empty for the root.
    pub fn path(&self) -> String {
        self.steps.iter().rev().map(ToString::to_string).collect()
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path();
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

impl std::error::Error for Mismatch {}

/// Puts a place before the path of a mismatch.
pub(crate) trait At {
    /// Adds an element of a list or tuple.
    fn at(self, index: usize) -> Self;
    /// Adds a field or case.
    fn within(self, name: &str) -> Self;
}

impl<T> At for Result<T, Box<Mismatch>> {
    fn at(self, index: usize) -> Self {
        self.map_err(|mut mismatch| {
            mismatch.steps.push(PathStep::Index(index as u32));
            mismatch
        })
    }

    fn within(self, name: &str) -> Self {
        self.map_err(|mut mismatch| {
            mismatch.steps.push(PathStep::Field(name.to_owned()));
            mismatch
        })
    }
}

/// Says whether what references name has the type that is expected where they stand.
pub trait Resolver {
    /// A reference to a task's result: the payload of an ext of code 1.
    ///
    /// # Errors
    /// When it has another type.
    fn task(&mut self, payload: &[u8], expected: &Type) -> Result<(), Box<Mismatch>>;
    /// A reference to a data entry.
    ///
    /// # Errors
    /// When it has another type.
    fn data(&mut self, position: u64, expected: &Type) -> Result<(), Box<Mismatch>>;
}

/// For values that may not refer to anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoReferences;

impl Resolver for NoReferences {
    fn task(&mut self, _: &[u8], expected: &Type) -> Result<(), Box<Mismatch>> {
        Err(Mismatch::new(ErrorCode::BadValue, shown(expected), "a reference to a task, which may not stand here"))
    }
    fn data(&mut self, _: u64, expected: &Type) -> Result<(), Box<Mismatch>> {
        Err(Mismatch::new(ErrorCode::BadValue, shown(expected), "a reference to data, which may not stand here"))
    }
}

/// Checks one value of the reader against a type, reading everything that `docs/values.md` lets be read there.
/// `any` takes every value; [`Type::Unit`] is nil. No tree is built and nothing is copied.
///
/// # Errors
/// The first place that does not fit.
pub fn fits(ty: &Type, reader: &mut Reader<'_>, resolver: &mut impl Resolver) -> Result<(), Box<Mismatch>> {
    Walk::new(Mode::Check, resolver).root(ty, reader)
}

/// A type as text, cut where it is long.
pub(crate) fn shown(ty: &Type) -> String {
    const SHOWN: usize = 240;
    let text = ty.to_string();
    if text.chars().count() <= SHOWN {
        format!("`{text}`")
    } else {
        format!("`{}…`", text.chars().take(SHOWN).collect::<String>())
    }
}
