//! Checks one value of hostile bytes against the profile, and lists the references in it.

use super::{EXT_ARGUMENT, EXT_DATA, EXT_GRAPH, EXT_TASK, Kind, Packed, ReadError, Reader};
use crate::ErrorCode;
use crate::limits::{PATH_STEPS_MAX, VALUE_DEPTH_MAX};

/// Why a value is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidValue {
    /// It cannot be read at all.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A map has a key twice.
    #[error("the key `{0}` stands twice in a map")]
    DuplicateKey(String),
    /// A map's key is not a string.
    #[error("a map's key is {}; keys are strings", .0.as_str())]
    KeyKind(Kind),
    /// It nests too deep.
    #[error("the value nests more than {VALUE_DEPTH_MAX} deep")]
    TooDeep,
    /// A path into a result has too many steps.
    #[error("a path of {0} steps; at most {PATH_STEPS_MAX} are allowed")]
    PathTooLong(usize),
    /// An ext code that values do not have.
    #[error("extension code {0} is not a value")]
    ExtCode(i8),
    /// The payload of an ext is not what its code says.
    #[error("{0}")]
    ExtPayload(&'static str),
    /// A reference where none may stand.
    #[error("a reference to {0} may not stand here")]
    Reference(&'static str),
}

impl InvalidValue {
    /// The code under which people see it.
    pub const fn code(&self) -> ErrorCode {
        match self {
            InvalidValue::Read(_) => ErrorCode::BadMsgpack,
            InvalidValue::DuplicateKey(_) => ErrorCode::DuplicateMapKey,
            InvalidValue::TooDeep | InvalidValue::PathTooLong(_) => ErrorCode::LimitExceeded,
            InvalidValue::KeyKind(_) | InvalidValue::ExtCode(_) | InvalidValue::ExtPayload(_) | InvalidValue::Reference(_) => {
                ErrorCode::BadValue
            }
        }
    }
}

/// Takes the references of a value as they are found.
pub trait References {
    /// A reference to a task, with the number of steps of its path.
    ///
    /// # Errors
    /// When it may not stand here.
    fn task(&mut self, position: u64, steps: usize) -> Result<(), InvalidValue>;
    /// A reference to a data entry.
    ///
    /// # Errors
    /// When it may not stand here.
    fn data(&mut self, position: u64) -> Result<(), InvalidValue>;
}

/// For values that may not refer to anything.
impl References for () {
    fn task(&mut self, _: u64, _: usize) -> Result<(), InvalidValue> {
        Err(InvalidValue::Reference("a task"))
    }
    fn data(&mut self, _: u64) -> Result<(), InvalidValue> {
        Err(InvalidValue::Reference("data"))
    }
}

/// Reads one value, checks it, and reports its references. Returns its bytes.
///
/// # Errors
/// [`InvalidValue`] on the first thing that the profile of `docs/values.md` does not have.
pub fn validate<'a>(reader: &mut Reader<'a>, references: &mut impl References) -> Result<&'a [u8], InvalidValue> {
    let start = reader.rest();
    value(reader, references, 0)?;
    Ok(&start[..start.len() - reader.rest().len()])
}

fn value(reader: &mut Reader<'_>, references: &mut impl References, depth: usize) -> Result<(), InvalidValue> {
    if depth > VALUE_DEPTH_MAX {
        return Err(InvalidValue::TooDeep);
    }
    match reader.kind()? {
        Kind::Nil => reader.nil()?,
        Kind::Bool => drop(reader.bool()?),
        Kind::Int => drop(reader.int()?),
        Kind::Float => drop(reader.float()?),
        Kind::Str => drop(reader.str()?),
        Kind::Bin => drop(reader.bin()?),
        Kind::Array => {
            for _ in 0..reader.array()? {
                value(reader, references, depth + 1)?;
            }
        }
        Kind::Map => map(reader, references, depth)?,
        Kind::Ext => ext(reader, references)?,
    }
    Ok(())
}

fn map(reader: &mut Reader<'_>, references: &mut impl References, depth: usize) -> Result<(), InvalidValue> {
    let len = reader.map()?;
    let mut keys: Vec<&str> = Vec::with_capacity(len.min(64));
    let mut sorted = true;
    for _ in 0..len {
        match reader.kind()? {
            Kind::Str => {}
            kind => return Err(InvalidValue::KeyKind(kind)),
        }
        let key = reader.str()?;
        sorted &= keys.last().is_none_or(|last| *last < key);
        keys.push(key);
        value(reader, references, depth + 1)?;
    }
    if !sorted {
        keys.sort_unstable();
        if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(InvalidValue::DuplicateKey(pair[0].chars().take(80).collect()));
        }
    }
    Ok(())
}

fn ext(reader: &mut Reader<'_>, references: &mut impl References) -> Result<(), InvalidValue> {
    const BAD_TASK: InvalidValue =
        InvalidValue::ExtPayload("a reference to a task is its position, or an array of its position and the steps of a path");
    let (code, payload) = reader.ext()?;
    match code {
        EXT_TASK => {
            let (position, steps) = task_reference(payload).ok_or(BAD_TASK)?;
            if steps > PATH_STEPS_MAX {
                return Err(InvalidValue::PathTooLong(steps));
            }
            references.task(position, steps)
        }
        EXT_DATA => {
            const BAD: InvalidValue = InvalidValue::ExtPayload("a reference to data is its position");
            let mut inner = Reader::new(payload);
            let position = inner.int().ok().and_then(|n| u64::try_from(n).ok()).ok_or(BAD)?;
            if inner.is_empty() { references.data(position) } else { Err(BAD) }
        }
        EXT_ARGUMENT => {
            Err(InvalidValue::ExtPayload("arguments of another task (extension code 4) stand only in what a task delegates"))
        }
        EXT_GRAPH => Err(InvalidValue::ExtPayload("references to other graphs (extension code 3) are reserved")),
        code => match Packed::from_code(code) {
            Some(packed) if payload.len().is_multiple_of(packed.width()) => Ok(()),
            Some(_) => Err(InvalidValue::ExtPayload("a packed list is not a multiple of its elements' width")),
            None => Err(InvalidValue::ExtCode(code)),
        },
    }
}

/// Position and number of steps of a reference's payload, fully checked.
fn task_reference(payload: &[u8]) -> Option<(u64, usize)> {
    let mut reader = Reader::new(payload);
    let mut steps = 0;
    if reader.kind().ok()? == Kind::Array {
        steps = reader.array().ok()?.checked_sub(1).filter(|steps| *steps >= 1)?;
    }
    let position = u64::try_from(reader.int().ok()?).ok()?;
    for _ in 0..steps {
        match reader.kind().ok()? {
            Kind::Str => drop(reader.str().ok()?),
            _ => drop(u32::try_from(reader.int().ok()?).ok()?),
        }
    }
    reader.is_empty().then_some((position, steps))
}
