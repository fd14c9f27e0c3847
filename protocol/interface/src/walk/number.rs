//! Numbers: which literals fit which numeric type, and how they are written.

use super::{Walked, mismatch, wrong};
use wasm_tasks_protocol::Type;
use wasm_tasks_protocol::msgpack::{Kind, NAN_F32, NAN_F64, Packed, Reader, Writer};

/// A number that fits its type.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Int(i128),
    F32(f32),
    F64(f64),
}

impl Number {
    /// Reads a number of a numeric type.
    pub(super) fn read(ty: &Type, reader: &mut Reader<'_>) -> Walked<Number> {
        let start = *reader;
        let Some((min, max)) = range_of(ty) else { return Number::read_float(ty, reader) };
        let value = reader.int().map_err(|error| {
            let refused = wrong(ty, &start, error);
            if start.kind() == Ok(Kind::Float) {
                return refused.with_hint("a float is never taken for an integer; write it without a fraction");
            }
            refused
        })?;
        if (min..=max).contains(&value) {
            return Ok(Number::Int(value));
        }
        Err(mismatch(ty, &start).with_hint(format!("a `{ty}` is {min} to {max}")))
    }

    fn read_float(ty: &Type, reader: &mut Reader<'_>) -> Walked<Number> {
        let start = *reader;
        let is_single = *ty == Type::F32;
        if start.kind() == Ok(Kind::Int) {
            let value = reader.int().map_err(|error| wrong(ty, &start, error))?;
            let exact = if is_single { value as f32 as i128 == value } else { value as f64 as i128 == value };
            return match (exact, is_single) {
                (true, true) => Ok(Number::F32(value as f32)),
                (true, false) => Ok(Number::F64(value as f64)),
                (false, _) => {
                    Err(mismatch(ty, &start).with_hint(format!("no `{ty}` has exactly this value; write it as a float that has")))
                }
            };
        }
        let value = reader.float().map_err(|error| wrong(ty, &start, error))?;
        if !is_single {
            return Ok(Number::F64(value));
        }
        if value.is_nan() || f64::from(value as f32) == value {
            return Ok(Number::F32(value as f32));
        }
        Err(mismatch(ty, &start).with_hint("no `f32` has exactly this value; round it first"))
    }

    pub(super) fn write(self, out: &mut Writer) {
        match self {
            Number::Int(value) => match u64::try_from(value) {
                Ok(value) => out.uint(value),
                Err(_) => out.int(value as i64),
            },
            Number::F32(value) => out.f32(value),
            Number::F64(value) => out.f64(value),
        }
    }

    /// Appends it as an element of a packed list, or of bytes where there is no packing.
    pub(super) fn write_packed(self, packed: Option<Packed>, payload: &mut Vec<u8>) {
        let width = packed.map_or(1, Packed::width);
        match self {
            Number::Int(value) => payload.extend_from_slice(&value.to_le_bytes()[..width]),
            Number::F32(value) => payload.extend_from_slice(&value.to_le_bytes()),
            Number::F64(value) => payload.extend_from_slice(&value.to_le_bytes()),
        }
    }
}

/// The smallest and greatest value of an integer type.
fn range_of(ty: &Type) -> Option<(i128, i128)> {
    Some(match ty {
        Type::U8 => (0, u8::MAX.into()),
        Type::U16 => (0, u16::MAX.into()),
        Type::U32 => (0, u32::MAX.into()),
        Type::U64 => (0, u64::MAX.into()),
        Type::S8 => (i8::MIN.into(), i8::MAX.into()),
        Type::S16 => (i16::MIN.into(), i16::MAX.into()),
        Type::S32 => (i32::MIN.into(), i32::MAX.into()),
        Type::S64 => (i64::MIN.into(), i64::MAX.into()),
        Type::F32
        | Type::F64
        | Type::Bool
        | Type::Char
        | Type::String
        | Type::List(_)
        | Type::Tuple(_)
        | Type::Record(_)
        | Type::Variant(_)
        | Type::Enum(_)
        | Type::Flags(_)
        | Type::Option(_)
        | Type::Result(..)
        | Type::Any
        | Type::Unit => return None,
    })
}

/// Whether every NaN of a packed payload is the canonical one.
pub(super) fn nans_are_canonical(packed: Packed, payload: &[u8]) -> bool {
    match packed {
        Packed::F32 => payload
            .as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .all(|x| !x.is_nan() || x.to_bits() == NAN_F32),
        Packed::F64 => payload
            .as_chunks::<8>()
            .0
            .iter()
            .map(|bytes| f64::from_le_bytes(*bytes))
            .all(|x| !x.is_nan() || x.to_bits() == NAN_F64),
        Packed::S8 | Packed::U16 | Packed::S16 | Packed::U32 | Packed::S32 | Packed::U64 | Packed::S64 => true,
    }
}

pub(crate) const fn name_of(packed: Packed) -> &'static str {
    match packed {
        Packed::S8 => "s8",
        Packed::U16 => "u16",
        Packed::S16 => "s16",
        Packed::U32 => "u32",
        Packed::S32 => "s32",
        Packed::U64 => "u64",
        Packed::S64 => "s64",
        Packed::F32 => "f32",
        Packed::F64 => "f64",
    }
}
