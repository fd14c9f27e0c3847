//! What a message says of a value that does not fit.

use super::number;
use crate::fits::{Mismatch, shown};
use crate::nearest::{nearest, shorten};
use wasm_tasks_protocol::msgpack::{Kind, Packed, ReadError, Reader};
use wasm_tasks_protocol::{ErrorCode, Type};

/// An error of reading: of a wrong kind, or of broken bytes.
pub(super) fn wrong(ty: &Type, start: &Reader<'_>, error: ReadError) -> Box<Mismatch> {
    match error {
        ReadError::Kind { .. } => mismatch(ty, start),
        ReadError::End | ReadError::Reserved | ReadError::Utf8 => unreadable(error, ty),
    }
}

pub(super) fn unreadable(error: ReadError, ty: &Type) -> Box<Mismatch> {
    Mismatch::new(ErrorCode::BadMsgpack, shown(ty), format!("bytes that cannot be read: {error}"))
}

pub(super) fn mismatch(ty: &Type, start: &Reader<'_>) -> Box<Mismatch> {
    Mismatch::new(ErrorCode::TypeMismatch, shown(ty), describe(start))
}

pub(super) fn not_canonical(start: &Reader<'_>) -> Box<Mismatch> {
    Mismatch::new(ErrorCode::BadValue, "the typed encoding", format!("another form of it: {}", describe(start)))
}

pub(super) fn unknown_name<'a>(
    ty: &Type,
    start: &Reader<'_>,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Box<Mismatch> {
    let what = if matches!(ty, Type::Record(_)) {
        "the field"
    } else if matches!(ty, Type::Flags(_)) {
        "the flag"
    } else {
        "the case"
    };
    let mut mismatch = mismatch(ty, start);
    mismatch.found = format!("{what} `{}`", shorten(name));
    match nearest(name, known, 1).first() {
        Some(near) => mismatch.with_hint(format!("did you mean `{near}`?")),
        None => mismatch,
    }
}

/// What the next value is, in a few words.
fn describe(reader: &Reader<'_>) -> String {
    let mut reader = *reader;
    let Ok(kind) = reader.kind() else { return "nothing".to_owned() };
    match kind {
        Kind::Nil => "nil".to_owned(),
        Kind::Bool => reader.bool().map(|value| format!("`{value}`")).unwrap_or_default(),
        Kind::Int => reader.int().map(|value| format!("the integer {value}")).unwrap_or_default(),
        Kind::Float => reader.float().map(|value| format!("the float {value:?}")).unwrap_or_default(),
        Kind::Str => match reader.str() {
            Ok(text) => format!("the string {:?}", shorten(text)),
            Err(_) => "a string".to_owned(),
        },
        Kind::Bin => reader.bin().map(|bytes| format!("{} bytes", bytes.len())).unwrap_or_default(),
        Kind::Array => reader.array().map(|len| format!("an array of {len}")).unwrap_or_else(|_| "an array".to_owned()),
        Kind::Map => match (reader.map(), reader.str()) {
            (Ok(1), Ok(key)) => format!("a map with the key `{}`", shorten(key)),
            (Ok(len), _) => format!("a map of {len}"),
            (Err(_), _) => "a map".to_owned(),
        },
        Kind::Ext => match reader.peek_ext().and_then(Packed::from_code) {
            Some(packed) => format!("a packed `list<{}>`", number::name_of(packed)),
            None => "an extension value".to_owned(),
        },
    }
}
