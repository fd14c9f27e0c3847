//! Reads values of known types from MessagePack: what `docs/values.md` accepts for each type.
//!
//! Owns the rules of reading; shared by lowering into a guest and by the canonical writer, so that
//! both accept the same. Knows neither guest memory nor where references lead.

use crate::fault::{Fault, Part};
use crate::shape::{Case, Cases, Field, Fields, Flags, Scalar, Shape, Style};
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::msgpack::{EXT_DATA, EXT_GRAPH, EXT_TASK, Kind, NAN_F32, NAN_F64, Reader};

/// A payload of a case: where to read it, or none.
pub(crate) enum Payload {
    /// The case has none.
    Absent,
    /// It comes next.
    Next,
}

/// Whether a reference stands here instead of a value.
#[inline]
pub(crate) fn is_reference(reader: &Reader<'_>) -> bool {
    match reader.rest().first() {
        Some(0xc7..=0xc9 | 0xd4..=0xd8) => matches!(reader.peek_ext(), Some(EXT_TASK | EXT_DATA | EXT_GRAPH)),
        _ => false,
    }
}

/// Reads a scalar as the bits of its canonical form, zero-extended.
#[inline]
pub(crate) fn scalar(shape: &Shape, scalar: Scalar, reader: &mut Reader<'_>) -> Result<u64, Fault> {
    macro_rules! int {
        ($type:ty) => {
            match reader.kind()? {
                Kind::Int => match <$type>::try_from(reader.clone().int()?) {
                    Ok(value) => {
                        reader.int()?;
                        value
                    }
                    Err(_) => return Err(Fault::expected(&shape.ty, reader)),
                },
                _ => return Err(Fault::expected(&shape.ty, reader)),
            }
        };
    }
    Ok(match scalar {
        Scalar::Bool => u64::from(reader.bool().map_err(|_| Fault::expected(&shape.ty, reader))?),
        Scalar::U8 => u64::from(int!(u8)),
        Scalar::U16 => u64::from(int!(u16)),
        Scalar::U32 => u64::from(int!(u32)),
        Scalar::U64 => int!(u64),
        Scalar::S8 => u64::from(i32::from(int!(i8)) as u32),
        Scalar::S16 => u64::from(i32::from(int!(i16)) as u32),
        Scalar::S32 => u64::from(int!(i32) as u32),
        Scalar::S64 => int!(i64) as u64,
        Scalar::F32 => u64::from(float32(shape, reader)?),
        Scalar::F64 => float64(shape, reader)?,
        Scalar::Char => u64::from(character(shape, reader)?),
    })
}

fn float64(shape: &Shape, reader: &mut Reader<'_>) -> Result<u64, Fault> {
    let value = match reader.kind()? {
        Kind::Float => reader.float()?,
        Kind::Int => {
            let exact = reader.clone().int()?;
            let value = exact as f64;
            if value as i128 != exact {
                return Err(Fault::expected(&shape.ty, reader));
            }
            reader.int()?;
            value
        }
        _ => return Err(Fault::expected(&shape.ty, reader)),
    };
    Ok(if value.is_nan() { NAN_F64 } else { value.to_bits() })
}

fn float32(shape: &Shape, reader: &mut Reader<'_>) -> Result<u32, Fault> {
    let before = *reader;
    let value = f64::from_bits(float64(shape, reader)?);
    if value.is_nan() {
        return Ok(NAN_F32);
    }
    let narrow = value as f32;
    if f64::from(narrow) != value {
        return Err(Fault::expected(&shape.ty, &before));
    }
    Ok(narrow.to_bits())
}

fn character(shape: &Shape, reader: &mut Reader<'_>) -> Result<u32, Fault> {
    let before = *reader;
    let text = reader.str().map_err(|_| Fault::expected(&shape.ty, &before))?;
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(value), None) => Ok(u32::from(value)),
        _ => Err(Fault::expected(&shape.ty, &before)),
    }
}

/// Reads a string.
#[inline]
pub(crate) fn string<'a>(shape: &Shape, reader: &mut Reader<'a>) -> Result<&'a str, Fault> {
    match reader.kind()? {
        Kind::Str => Ok(reader.str()?),
        _ => Err(Fault::expected(&shape.ty, reader)),
    }
}

/// Reads flags as bits.
pub(crate) fn flags(shape: &Shape, flags: &Flags, reader: &mut Reader<'_>) -> Result<u32, Fault> {
    let len = match reader.kind()? {
        Kind::Array => reader.array()?,
        _ => return Err(Fault::expected(&shape.ty, reader)),
    };
    let mut bits = 0u32;
    for index in 0..len {
        let before = *reader;
        let name = reader.str().map_err(|_| Fault::expected("the name of a flag", &before).at(Part::Index(index)))?;
        let position = flags.names.iter().position(|known| known == name).ok_or_else(|| Fault::expected(&shape.ty, &before))?;
        if bits & 1 << position != 0 {
            return Err(Fault::new(ErrorCode::BadValue, format!("the flag `{name}` stands twice")));
        }
        bits |= 1 << position;
    }
    Ok(bits)
}

/// Reads which case a value is, up to its payload.
#[inline]
pub(crate) fn case(shape: &Shape, cases: &Cases, reader: &mut Reader<'_>) -> Result<(usize, Payload), Fault> {
    match cases.style {
        Style::Option => Ok(if reader.try_nil() { (0, Payload::Absent) } else { (1, Payload::Next) }),
        Style::NestedOption => {
            if reader.try_nil() {
                return Ok((0, Payload::Absent));
            }
            let before = *reader;
            if reader.map().ok() == Some(1) && reader.try_literal(&cases.cases[1].key) {
                return Ok((1, Payload::Next));
            }
            Err(Fault::expected(format_args!("{} as nil or `{{some: …}}`", shape.ty), &before))
        }
        Style::Enum => named_case(shape, cases, reader),
        Style::Variant if reader.kind()? == Kind::Str => named_case(shape, cases, reader),
        Style::Variant | Style::Result => {
            let before = *reader;
            if reader.kind()? != Kind::Map || reader.map()? != 1 {
                return Err(Fault::expected(&shape.ty, &before));
            }
            let key = *reader;
            let index = match few(cases).position(|case| reader.try_literal(&case.key)) {
                Some(index) => index,
                None => case_by_text(shape, cases, reader, &key)?,
            };
            if cases.cases[index].payload.is_some() {
                return Ok((index, Payload::Next));
            }
            if reader.try_nil() {
                return Ok((index, Payload::Absent));
            }
            Err(Fault::expected("nil, because the case has no payload", reader).at(Part::Case(cases.cases[index].name.clone())))
        }
    }
}

/// A case written as its name alone.
fn named_case(shape: &Shape, cases: &Cases, reader: &mut Reader<'_>) -> Result<(usize, Payload), Fault> {
    let before = *reader;
    let index = match few(cases).position(|case| reader.try_literal(&case.key)) {
        Some(index) => index,
        None => case_by_text(shape, cases, reader, &before)?,
    };
    if cases.cases[index].payload.is_some() {
        return Err(Fault::expected(
            format_args!("{}, whose case `{}` has a payload", shape.ty, cases.cases[index].name),
            &before,
        ));
    }
    Ok((index, Payload::Absent))
}

/// The cases that are worth comparing one by one; of longer lists none.
fn few(cases: &Cases) -> impl Iterator<Item = &Case> {
    const FEW: usize = 16;
    let len = cases.cases.len();
    cases.cases[..if len <= FEW { len } else { 0 }].iter()
}

/// Finds a case by its text: of long lists, and for names in a longer form than the shortest.
fn case_by_text(shape: &Shape, cases: &Cases, reader: &mut Reader<'_>, before: &Reader<'_>) -> Result<usize, Fault> {
    let text = reader.str().map_err(|_| Fault::expected(&shape.ty, before))?;
    cases.find(text).ok_or_else(|| Fault::expected(&shape.ty, before))
}

/// Reads the header of a tuple and checks its length.
pub(crate) fn tuple(shape: &Shape, fields: &Fields, reader: &mut Reader<'_>) -> Result<(), Fault> {
    if reader.kind()? != Kind::Array {
        return Err(Fault::expected(&shape.ty, reader));
    }
    let len = reader.array()?;
    if len == fields.fields.len() {
        return Ok(());
    }
    Err(Fault::mismatch(&shape.ty, format_args!("an array of {len}")))
}

/// Reads a record: calls `each` for every field in the order of the type, with a reader at its value or none where it is
/// absent. Leaves the reader after the record.
#[inline]
pub(crate) fn record<'a, E: From<Fault>>(
    shape: &Shape,
    fields: &Fields,
    reader: &mut Reader<'a>,
    mut each: impl FnMut(usize, &Field, Option<&mut Reader<'a>>) -> Result<(), E>,
) -> Result<(), E> {
    let kind = reader.kind().map_err(Fault::from)?;
    if kind != Kind::Map {
        return Err(Fault::expected(&shape.ty, reader).into());
    }
    let len = reader.map().map_err(Fault::from)?;
    // Keys in the order of the type, as everything that the system writes has them.
    let mut read = 0;
    for field in &fields.fields {
        if read == len || !reader.try_literal(&field.key) {
            break;
        }
        each(read, field, Some(reader))?;
        read += 1;
    }
    if read == len && read == fields.fields.len() {
        return Ok(());
    }
    let values = by_name(fields, 0, reader, read, len)?;
    for (index, (field, value)) in fields.fields.iter().zip(values).enumerate().skip(read) {
        match value {
            Some(mut value) => each(index, field, Some(&mut value))?,
            None if field.shape.is_option() => each(index, field, None)?,
            None => {
                return Err(Fault::new(ErrorCode::TypeMismatch, format!("the field `{}` is missing", field.name)).into());
            }
        }
    }
    Ok(())
}

/// Finds the values of the fields after `skip` in the entries `from..len` of a map whose keys stand in any order, `from` of which are the
/// first fields and have been read. Leaves the reader after the map.
pub(crate) fn by_name<'a>(
    all: &Fields,
    skip: usize,
    reader: &mut Reader<'a>,
    from: usize,
    len: usize,
) -> Result<Vec<Option<Reader<'a>>>, Fault> {
    let fields = &all.fields[skip..];
    let mut values = vec![None; fields.len()];
    for _ in from..len {
        let before = *reader;
        let name = reader.str().map_err(|_| Fault::expected("a name as key", &before))?;
        let Some(index) = all.find(name).and_then(|at| at.checked_sub(skip)) else {
            let name: String = name.chars().take(80).collect();
            let known: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
            return Err(Fault::new(ErrorCode::UnknownField, format!("`{name}` is not one of `{}`", known.join("`, `"))));
        };
        if index < from || values[index].is_some() {
            return Err(Fault::new(ErrorCode::DuplicateMapKey, format!("`{name}` stands twice")));
        }
        values[index] = Some(*reader);
        reader.skip()?;
    }
    Ok(values)
}
