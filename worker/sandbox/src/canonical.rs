//! Writes a value of any accepted encoding in the typed encoding of its type, with references put in place.
//!
//! Owns the way from file encoding to typed encoding. Knows no engine.

use crate::budget::Bounded;
use crate::fault::{Fault, Part};
use crate::reading::{self, Payload};
use crate::resolve::{Resolve, Resolved, resolve_next};
use crate::shape::{Cases, Fields, Form, Scalar, Shape, Style};
use wasm_tasks_protocol::msgpack::{Kind, Packed, Reader, Writer};
use wasm_tasks_protocol::{ErrorCode, TaskError, Type};

/// Writes the value that comes next as the typed encoding of `ty`. References in it are replaced by what they lead to.
///
/// # Errors
/// A [`TaskError`] that names the place in the value and what is wrong there.
pub fn canonical(ty: &Type, reader: &mut Reader<'_>, resolve: &dyn Resolve) -> Result<Vec<u8>, TaskError> {
    let shape = Shape::new(ty).map_err(|unsupported| TaskError::new(ErrorCode::UnsupportedExport, unsupported.0))?;
    let mut out = Bounded::new(u64::MAX, None);
    write(&shape, reader, Some(resolve), &mut out)
        .and_then(|()| out.finish())
        .map_err(|fault| TaskError::new(fault.code(), fault.to_string()))
}

/// As [`canonical`], for a prepared type. `resolve` is none where references may not stand.
pub(crate) fn write(
    shape: &Shape,
    reader: &mut Reader<'_>,
    resolve: Option<&dyn Resolve>,
    out: &mut Bounded<'_>,
) -> Result<(), Fault> {
    out.step()?;
    if reading::is_reference(reader) {
        let Some(resolve) = resolve else {
            return Err(Fault::new(ErrorCode::BadValue, "a reference inside a value that a reference led to"));
        };
        return write_resolved(shape, resolve_next(reader, resolve)?, out);
    }
    match &shape.form {
        Form::Scalar(scalar) => {
            let bits = reading::scalar(shape, *scalar, reader)?;
            write_scalar(*scalar, bits, out);
        }
        Form::String => out.str(reading::string(shape, reader)?),
        Form::Bytes(element) => write_bytes(shape, element, reader, resolve, out)?,
        Form::Numbers(packed, element) => write_numbers(shape, *packed, element, reader, resolve, out)?,
        Form::List(element) => {
            let len = array(shape, reader)?;
            out.array(len);
            for index in 0..len {
                write(element, reader, resolve, out).map_err(|fault| fault.at(Part::Index(index)))?;
            }
        }
        Form::Tuple(fields) => {
            reading::tuple(shape, fields, reader)?;
            out.array(fields.fields.len());
            for (index, field) in fields.fields.iter().enumerate() {
                write(&field.shape, reader, resolve, out).map_err(|fault| fault.at(Part::Index(index)))?;
            }
        }
        Form::Record(fields) => write_record(shape, fields, reader, resolve, out)?,
        Form::Cases(cases) => write_case(shape, cases, reader, resolve, out)?,
        Form::Flags(flags) => write_flags(&flags.keys, reading::flags(shape, flags, reader)?, out),
    }
    Ok(())
}

/// Writes what a reference led to.
pub(crate) fn write_resolved(shape: &Shape, resolved: Resolved<'_>, out: &mut Bounded<'_>) -> Result<(), Fault> {
    let mut inner = match &resolved {
        Resolved::Raw(bytes) => {
            return match shape.form {
                Form::Bytes(_) => {
                    out.bin(bytes);
                    Ok(())
                }
                _ => Err(raw_mismatch(shape)),
            };
        }
        Resolved::Value(bytes) => Reader::new(bytes),
        Resolved::Element(element) => Reader::new(element.as_bytes()),
    };
    write(shape, &mut inner, None, out)?;
    ended(&inner)
}

pub(crate) fn raw_mismatch(shape: &Shape) -> Fault {
    Fault::mismatch(&shape.ty, "raw bytes, which are list<u8>")
}

pub(crate) fn ended(reader: &Reader<'_>) -> Result<(), Fault> {
    if reader.is_empty() { Ok(()) } else { Err(Fault::new(ErrorCode::TrailingBytes, "bytes after the value")) }
}

/// Writes the bits of a scalar.
#[inline]
pub(crate) fn write_scalar(scalar: Scalar, bits: u64, out: &mut Writer) {
    match scalar {
        Scalar::Bool => out.bool(bits as u32 != 0),
        Scalar::U8 => out.uint(u64::from(bits as u8)),
        Scalar::U16 => out.uint(u64::from(bits as u16)),
        Scalar::U32 => out.uint(u64::from(bits as u32)),
        Scalar::U64 => out.uint(bits),
        Scalar::S8 => out.int(i64::from(bits as i8)),
        Scalar::S16 => out.int(i64::from(bits as i16)),
        Scalar::S32 => out.int(i64::from(bits as i32)),
        Scalar::S64 => out.int(bits as i64),
        Scalar::F32 => out.f32(f32::from_bits(bits as u32)),
        Scalar::F64 => out.f64(f64::from_bits(bits)),
        Scalar::Char => {
            let value = char::from_u32(bits as u32).unwrap_or(char::REPLACEMENT_CHARACTER);
            out.str(value.encode_utf8(&mut [0; 4]));
        }
    }
}

/// Writes flags, in the order of the type.
pub(crate) fn write_flags(keys: &[Box<[u8]>], bits: u32, out: &mut Writer) {
    let set = |index: &usize| bits & 1 << index != 0;
    out.array((0..keys.len()).filter(set).count());
    for index in (0..keys.len()).filter(set) {
        out.raw(&keys[index]);
    }
}

/// Reads the header of an array.
pub(crate) fn array(shape: &Shape, reader: &mut Reader<'_>) -> Result<usize, Fault> {
    match reader.kind()? {
        Kind::Array => Ok(reader.array()?),
        _ => Err(Fault::expected(&shape.ty, reader)),
    }
}

/// One number, which may be a reference too.
fn number(element: &Shape, reader: &mut Reader<'_>, resolve: Option<&dyn Resolve>) -> Result<[u8; 8], Fault> {
    let Form::Scalar(scalar) = element.form else { unreachable!("packed lists have numbers as elements") };
    if !reading::is_reference(reader) {
        return Ok(reading::scalar(element, scalar, reader)?.to_le_bytes());
    }
    let mut one = Bounded::new(u64::MAX, None);
    write(element, reader, resolve, &mut one)?;
    Ok(reading::scalar(element, scalar, &mut Reader::new(one.as_bytes()))?.to_le_bytes())
}

fn write_bytes(
    shape: &Shape,
    element: &Shape,
    reader: &mut Reader<'_>,
    resolve: Option<&dyn Resolve>,
    out: &mut Bounded<'_>,
) -> Result<(), Fault> {
    if reader.kind()? == Kind::Bin {
        out.bin(reader.bin()?);
        return Ok(());
    }
    let len = array(shape, reader)?;
    let mut bytes = Vec::with_capacity(len);
    for index in 0..len {
        out.step()?;
        bytes.push(number(element, reader, resolve).map_err(|fault| fault.at(Part::Index(index)))?[0]);
    }
    out.bin(&bytes);
    Ok(())
}

fn write_numbers(
    shape: &Shape,
    packed: Packed,
    element: &Shape,
    reader: &mut Reader<'_>,
    resolve: Option<&dyn Resolve>,
    out: &mut Bounded<'_>,
) -> Result<(), Fault> {
    if reader.kind()? == Kind::Ext {
        out.packed(packed, packed_payload(shape, packed, reader)?);
        return Ok(());
    }
    let len = array(shape, reader)?;
    let mut payload = Vec::with_capacity(len * packed.width());
    for index in 0..len {
        out.step()?;
        let bytes = number(element, reader, resolve).map_err(|fault| fault.at(Part::Index(index)))?;
        payload.extend_from_slice(&bytes[..packed.width()]);
    }
    out.packed(packed, &payload);
    Ok(())
}

/// Reads a packed list of exactly this kind.
pub(crate) fn packed_payload<'a>(shape: &Shape, packed: Packed, reader: &mut Reader<'a>) -> Result<&'a [u8], Fault> {
    let before = *reader;
    let (code, payload) = reader.ext()?;
    if code != packed.code() {
        return Err(Fault::expected(&shape.ty, &before));
    }
    if !payload.len().is_multiple_of(packed.width()) {
        return Err(Fault::new(ErrorCode::BadValue, "a packed list is not a multiple of its elements' width"));
    }
    Ok(payload)
}

fn write_record(
    shape: &Shape,
    fields: &Fields,
    reader: &mut Reader<'_>,
    resolve: Option<&dyn Resolve>,
    out: &mut Bounded<'_>,
) -> Result<(), Fault> {
    out.map(fields.fields.len());
    reading::record(shape, fields, reader, |_, field, value| {
        out.raw(&field.key);
        match value {
            Some(value) => write(&field.shape, value, resolve, out).map_err(|fault| fault.at(Part::Field(field.name.clone()))),
            None => {
                out.nil();
                out.step()
            }
        }
    })
}

fn write_case(
    shape: &Shape,
    cases: &Cases,
    reader: &mut Reader<'_>,
    resolve: Option<&dyn Resolve>,
    out: &mut Bounded<'_>,
) -> Result<(), Fault> {
    let (index, payload) = reading::case(shape, cases, reader)?;
    let case = &cases.cases[index];
    write_case_head(cases, index, out);
    match (payload, &case.payload) {
        (Payload::Next, Some(inner)) => write(inner, reader, resolve, out).map_err(|fault| match cases.style {
            Style::Option => fault,
            Style::Variant | Style::Enum | Style::NestedOption | Style::Result => fault.at(Part::Case(case.name.clone())),
        }),
        _ => Ok(()),
    }
}

/// Writes what stands before a case's payload, and the whole of a case without one.
#[inline]
pub(crate) fn write_case_head(cases: &Cases, index: usize, out: &mut Writer) {
    let case = &cases.cases[index];
    match (cases.style, &case.payload) {
        (Style::Option | Style::NestedOption, None) => out.nil(),
        (Style::Option, Some(_)) => {}
        (Style::Enum, _) | (Style::Variant, None) => out.raw(&case.key),
        (Style::Variant | Style::NestedOption, Some(_)) | (Style::Result, _) => {
            out.map(1);
            out.raw(&case.key);
            if case.payload.is_none() {
                out.nil();
            }
        }
    }
}
