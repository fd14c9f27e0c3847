//! What is wrong with an argument or a result, and where in it.
//!
//! Knows values and their places, no engine.

use std::fmt;
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::msgpack::{Kind, ReadError, Reader};

/// One step to a place inside a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Index(usize),
    Field(String),
    /// The payload of a case.
    Case(String),
}

/// A value that does not fit its type. Boxed, because it is the rare side of a result that is returned for every field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    code: ErrorCode,
    /// Which argument, once that is known.
    place: Option<String>,
    /// The way to the value, outermost last.
    path: Vec<Part>,
    message: String,
}

impl std::error::Error for Fault {}

impl Fault {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Fault {
        Fault(Box::new(Inner { code, place: None, path: Vec::new(), message: message.into() }))
    }

    /// Something else was expected than what comes next.
    pub(crate) fn expected(expected: impl fmt::Display, reader: &Reader<'_>) -> Fault {
        match reader.kind() {
            Ok(found) => {
                let found = found_text(found, reader);
                Fault::new(ErrorCode::TypeMismatch, format!("expected {}, found {found}", shorten(&expected)))
            }
            Err(error) => Fault::from(error),
        }
    }

    /// Another type was expected than `found` says.
    pub(crate) fn mismatch(expected: impl fmt::Display, found: impl fmt::Display) -> Fault {
        Fault::new(ErrorCode::TypeMismatch, format!("expected {}, found {found}", shorten(&expected)))
    }

    pub(crate) fn code(&self) -> ErrorCode {
        self.0.code
    }

    pub(crate) fn at(mut self, part: Part) -> Fault {
        self.0.path.push(part);
        self
    }

    pub(crate) fn in_place(mut self, place: String) -> Fault {
        self.0.place.get_or_insert(place);
        self
    }
}

/// The first characters: types can be long.
fn shorten(text: &impl fmt::Display) -> String {
    const CHARS: usize = 200;
    let text = text.to_string();
    match text.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// What is there, with the value where that is short.
fn found_text(kind: Kind, reader: &Reader<'_>) -> String {
    let mut reader = *reader;
    match kind {
        Kind::Int => reader.int().map_or_else(|_| kind.as_str().to_owned(), |value| format!("the integer {value}")),
        Kind::Float => reader.float().map_or_else(|_| kind.as_str().to_owned(), |value| format!("the float {value}")),
        Kind::Str => reader.str().map_or_else(
            |_| kind.as_str().to_owned(),
            |text| match text.chars().count() {
                0..=40 => format!("the string {text:?}"),
                _ => format!("the string {:?}…", text.chars().take(40).collect::<String>()),
            },
        ),
        Kind::Ext => match reader.peek_ext().and_then(wasm_tasks_protocol::msgpack::Packed::from_code) {
            Some(packed) => format!("a packed list ({packed:?})").to_lowercase(),
            None => kind.as_str().to_owned(),
        },
        Kind::Nil | Kind::Bool | Kind::Bin | Kind::Array | Kind::Map => kind.as_str().to_owned(),
    }
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Fault {
        let code = match error {
            ReadError::End | ReadError::Reserved | ReadError::Utf8 => ErrorCode::BadMsgpack,
            ReadError::Kind { .. } => ErrorCode::TypeMismatch,
        };
        Fault::new(code, error.to_string())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        if let Some(place) = &inner.place {
            f.write_str(place)?;
        }
        for part in inner.path.iter().rev() {
            match part {
                Part::Index(index) => write!(f, "[{index}]")?,
                Part::Field(name) => write!(f, ".{name}")?,
                Part::Case(name) => write!(f, "({name})")?,
            }
        }
        if inner.place.is_some() || !inner.path.is_empty() {
            f.write_str(": ")?;
        }
        f.write_str(&inner.message)
    }
}
