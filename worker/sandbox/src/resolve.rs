//! Where references lead: results of tasks and entries of `data`, and paths into them.
//!
//! Knows bytes and no types. Whoever runs a task implements [`Resolve`].

use std::borrow::Cow;
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::msgpack::{self, ReadError, Reader};
use wasm_tasks_protocol::value_type::Step;

/// Gives the values that a task's arguments refer to.
pub trait Resolve: Sync {
    /// The result of the task at this position of the graph, or the part of it that a path leads to
    /// ([`follow`] walks it). `path` is empty for the whole result.
    ///
    /// # Errors
    /// [`ResolveError`] when it is not there.
    fn task(&self, position: u32, path: &[Step<'_>]) -> Result<Resolved<'_>, ResolveError>;

    /// The entry of `data` at this position.
    ///
    /// # Errors
    /// [`ResolveError`] when it is not there.
    fn data(&self, position: u32) -> Result<Resolved<'_>, ResolveError>;
}

/// What a reference leads to. Bytes are borrowed: they are copied once, into the guest.
#[derive(Clone, Copy, Debug)]
pub enum Resolved<'a> {
    /// One value, in the typed or the file encoding, without references in it.
    Value(&'a [u8]),
    /// The bytes of a `list<u8>`, without a header.
    Raw(&'a [u8]),
    /// A number taken out of a packed list.
    Element(Element),
}

/// One number as an encoded value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    bytes: [u8; 9],
    len: u8,
}

impl Element {
    /// Keeps a short encoded value.
    fn new(encoded: &[u8]) -> Option<Element> {
        let mut bytes = [0; 9];
        bytes.get_mut(..encoded.len())?.copy_from_slice(encoded);
        Some(Element { bytes, len: encoded.len() as u8 })
    }

    /// The encoded value.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// Why a reference leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The value should be here and is not: the fault of the worker, not of the task.
    #[error("the value is not on this worker")]
    Missing,
    /// The path does not fit the value, for example an index beyond the end of a list.
    #[error("{0}")]
    Path(String),
}

impl ResolveError {
    /// The code under which the task fails.
    pub const fn code(&self) -> ErrorCode {
        match self {
            ResolveError::Missing => ErrorCode::WorkerFault,
            ResolveError::Path(_) => ErrorCode::TypeMismatch,
        }
    }
}

impl From<ReadError> for ResolveError {
    fn from(error: ReadError) -> ResolveError {
        ResolveError::Path(error.to_string())
    }
}

/// Refers to nothing: for arguments without references.
impl Resolve for () {
    fn task(&self, _: u32, _: &[Step<'_>]) -> Result<Resolved<'_>, ResolveError> {
        Err(ResolveError::Missing)
    }
    fn data(&self, _: u32) -> Result<Resolved<'_>, ResolveError> {
        Err(ResolveError::Missing)
    }
}

/// Follows a path into an encoded value: tuple positions, list indices (packed lists too) and record fields.
///
/// # Errors
/// [`ResolveError::Path`], naming the step.
pub fn follow<'a>(value: &'a [u8], path: &[Step<'_>]) -> Result<Resolved<'a>, ResolveError> {
    let found = msgpack::follow(value, path.iter().copied()).map_err(|error| ResolveError::Path(error.to_string()))?;
    Ok(match found {
        Cow::Borrowed(value) => Resolved::Value(value),
        Cow::Owned(number) => Resolved::Element(Element::new(&number).expect("a number has at most nine bytes")),
    })
}

/// Reads the reference that comes next and calls back with what it leads to.
pub(crate) fn resolve_next<'r>(reader: &mut Reader<'_>, resolve: &'r dyn Resolve) -> Result<Resolved<'r>, crate::fault::Fault> {
    use crate::fault::Fault;
    use wasm_tasks_protocol::graph::{PathStep, Reference};
    use wasm_tasks_protocol::msgpack::{EXT_DATA, EXT_TASK};

    let (code, payload) = reader.ext()?;
    let bad = || Fault::new(ErrorCode::BadValue, "a reference whose payload cannot be read");
    match code {
        EXT_TASK => {
            let reference = Reference::from_payload(payload).ok_or_else(bad)?;
            let path: Vec<Step<'_>> = reference.path.iter().map(PathStep::as_step).collect();
            resolve.task(reference.task.0, &path).map_err(|error| {
                let path: String = path.iter().map(Step::to_string).collect();
                Fault::new(error.code(), format!("result of task {}{path}: {error}", reference.task.0))
            })
        }
        EXT_DATA => {
            let mut inner = Reader::new(payload);
            let position = inner.int().ok().and_then(|position| u32::try_from(position).ok()).ok_or_else(bad)?;
            if !inner.is_empty() {
                return Err(bad());
            }
            resolve.data(position).map_err(|error| Fault::new(error.code(), format!("data entry {position}: {error}")))
        }
        code => Err(Fault::new(ErrorCode::BadValue, format!("extension code {code} is not a value"))),
    }
}
