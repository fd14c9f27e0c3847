//! From the file encoding to the typed encoding, and whether bytes are the typed encoding of a type.

use crate::fits::{Mismatch, NoReferences, Resolver};
use crate::walk::{Mode, Walk};
use wasm_tasks_protocol::msgpack::Reader;
use wasm_tasks_protocol::{ErrorCode, Type};

/// The typed encoding of a value that fits a type. Takes everything that `docs/values.md` lets be read, except
/// references: whoever calls has put their values in place.
///
/// # Errors
/// The first place that does not fit.
pub fn encode_typed(ty: &Type, value: &[u8]) -> Result<Vec<u8>, Box<Mismatch>> {
    let mut resolver = NoReferences;
    let mut walk = Walk::new(Mode::Encode, &mut resolver);
    whole(ty, value, &mut walk)?;
    Ok(walk.into_bytes())
}

/// Checks that bytes are *the* typed encoding of a value of a type: canonical, nothing left out, nothing after it.
/// Copies nothing.
///
/// # Errors
/// The first place that is not.
pub fn validate_typed(ty: &Type, value: &[u8]) -> Result<(), Box<Mismatch>> {
    let mut resolver = NoReferences;
    whole(ty, value, &mut Walk::new(Mode::Strict, &mut resolver))
}

/// Checks that bytes are one value that fits a type and nothing after it.
pub(crate) fn fits_whole(ty: &Type, value: &[u8], resolver: &mut impl Resolver) -> Result<(), Box<Mismatch>> {
    whole(ty, value, &mut Walk::new(Mode::Check, resolver))
}

fn whole(ty: &Type, value: &[u8], walk: &mut Walk<'_, impl Resolver>) -> Result<(), Box<Mismatch>> {
    let mut reader = Reader::new(value);
    walk.root(ty, &mut reader)?;
    if reader.is_empty() {
        return Ok(());
    }
    Err(Mismatch::new(ErrorCode::TrailingBytes, "the end of the value", format!("{} bytes after it", reader.rest().len())))
}

#[cfg(test)]
mod tests;
