//! Lifts results: a guest's slot and memory straight into the typed encoding, by shape.
//!
//! The guest is hostile: every pointer, length, discriminant and code point is checked, and the bytes written here are
//! counted against the result's limit before they are, so aliased lists cannot make the host allocate more.

use super::slots::{Lifted, Signature};
use crate::canonical::{write_case_head, write_flags, write_scalar};
use crate::fault::{Fault, Part};
use crate::numbers;
use crate::shape::{Cases, FLAT_MAX, Fields, Form, Scalar, Shape, Style};
use std::fmt;
use std::sync::Arc;
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::msgpack::Writer;
use wasmtime::ValRaw;
use wasmtime::component::__internal::wasmtime_environ::component::StringEncoding;
use wasmtime::component::__internal::{InterfaceType, LiftContext};
use wasmtime::component::Lift;

/// A result that cannot be taken, as the error of a call.
#[derive(Debug)]
pub(crate) struct ResultFault(pub(crate) Fault);

impl fmt::Display for ResultFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for ResultFault {}

/// What the call that runs must return.
pub(super) struct Lifting {
    pub(super) signature: Arc<Signature>,
    pub(super) bytes_max: u64,
}

/// Lifts the result of a call from its slot: the value, or a pointer to it.
pub(super) fn result(cx: &mut LiftContext<'_>, lifting: &Lifting, slot: ValRaw) -> wasmtime::Result<Lifted> {
    lift_result(cx, lifting, slot).map_err(|fault| wasmtime::Error::new(ResultFault(fault.in_place("result".to_owned()))))
}

type Result<T = (), E = Fault> = std::result::Result<T, E>;

fn bad(message: impl Into<String>) -> Fault {
    Fault::new(ErrorCode::BadResult, message)
}

fn lift_result(cx: &mut LiftContext<'_>, lifting: &Lifting, slot: ValRaw) -> Result<Lifted> {
    let Some(shape) = &lifting.signature.result else { return Ok(Lifted::Value(vec![0xc0])) };
    let mut small = [0; 8];
    let bytes = if lifting.signature.results.flat <= 1 {
        slot_bytes(shape, slot, &mut small)?
    } else {
        slice(cx, slot.get_u32(), shape.size as usize, shape.align)?
    };
    let mut out = Output { writer: Writer::new(), bytes_max: lifting.bytes_max };
    // An `err` fails the task, so the task's result is what `ok` has.
    if let Form::Cases(cases) = &shape.form
        && cases.style == Style::Result
    {
        let (index, payload) = discriminant(cases, bytes)?;
        match &cases.cases[index].payload {
            Some(inner) => lift(cx, inner, &payload[..inner.size as usize], &mut out)?,
            None => out.writer.nil(),
        }
        let bytes = out.finish()?;
        return Ok(if index == 0 { Lifted::Value(bytes) } else { Lifted::Err(bytes) });
    }
    lift(cx, shape, bytes, &mut out)?;
    out.finish().map(Lifted::Value)
}

/// The bytes under construction, which may not become more than the limit.
struct Output {
    writer: Writer,
    bytes_max: u64,
}

impl Output {
    /// Refuses before `more` bytes are written.
    #[inline]
    fn room(&self, more: usize) -> Result {
        if self.writer.as_bytes().len() as u64 + more as u64 > self.bytes_max {
            return Err(self.too_large());
        }
        Ok(())
    }

    #[cold]
    fn too_large(&self) -> Fault {
        let message = format!("the result is larger than {} bytes, the limit that `result-bytes-max` sets", self.bytes_max);
        Fault::new(ErrorCode::ResultTooLarge, message)
    }

    fn finish(self) -> Result<Vec<u8>> {
        self.room(0)?;
        Ok(self.writer.into_bytes())
    }
}

/// A type of one slot as it would stand in memory: its only leaf is at offset 0.
fn slot_bytes<'b>(shape: &Shape, slot: ValRaw, buffer: &'b mut [u8; 8]) -> Result<&'b [u8]> {
    let bits = match shape.size {
        8 => slot.get_u64(),
        _ => u64::from(slot.get_u32()),
    };
    let mut leaf = shape;
    while let Form::Record(fields) | Form::Tuple(fields) = &leaf.form {
        leaf = &fields.fields[0].shape;
    }
    let bits = match &leaf.form {
        // Any number but zero is true, also one whose low byte is zero.
        Form::Scalar(Scalar::Bool) => u64::from(bits != 0),
        Form::Cases(cases) if bits >= cases.cases.len() as u64 => return Err(no_case(cases, bits)),
        _ => bits,
    };
    *buffer = bits.to_le_bytes();
    Ok(&buffer[..shape.size as usize])
}

fn no_case(cases: &Cases, found: u64) -> Fault {
    bad(format!("discriminant {found} of a type with {} cases", cases.cases.len()))
}

/// A checked slice of the guest's memory.
#[inline]
fn slice<'m>(cx: &LiftContext<'m>, pointer: u32, len: usize, align: u32) -> Result<&'m [u8]> {
    if !pointer.is_multiple_of(align) {
        return Err(bad(format!("pointer {pointer:#x} is not aligned to {align} bytes")));
    }
    cx.memory()
        .get(pointer as usize..)
        .and_then(|memory| memory.get(..len))
        .ok_or_else(|| bad(format!("{len} bytes at {pointer:#x} lie outside the memory")))
}

/// Which case a value in memory has, and the bytes from its payload on.
#[inline]
fn discriminant<'b>(cases: &Cases, bytes: &'b [u8]) -> Result<(usize, &'b [u8])> {
    let tag = cases.tag_bytes as usize;
    let mut wide = [0; 4];
    wide[..tag].copy_from_slice(&bytes[..tag]);
    let index = u32::from_le_bytes(wide);
    if index as usize >= cases.cases.len() {
        return Err(no_case(cases, u64::from(index)));
    }
    Ok((index as usize, bytes.get(cases.payload_offset as usize..).unwrap_or_default()))
}

#[inline]
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |chunk| u32::from_le_bytes(*chunk))
}

/// Lifts one value; `bytes` is exactly the shape's size.
fn lift(cx: &mut LiftContext<'_>, shape: &Shape, bytes: &[u8], out: &mut Output) -> Result {
    out.room(0)?;
    match &shape.form {
        Form::Scalar(scalar) => {
            let mut wide = [0; 8];
            wide[..bytes.len()].copy_from_slice(bytes);
            let bits = u64::from_le_bytes(wide);
            if *scalar == Scalar::Char && char::from_u32(bits as u32).is_none() {
                return Err(bad(format!("{bits:#x} is not a char")));
            }
            write_scalar(*scalar, bits, &mut out.writer);
        }
        Form::Flags(flags) => {
            let mut wide = [0; 4];
            wide[..bytes.len()].copy_from_slice(bytes);
            // The ABI ignores the bits beyond the last flag; so does the writer.
            write_flags(&flags.keys, u32::from_le_bytes(wide), &mut out.writer);
        }
        Form::String => string(cx, word(bytes, 0), word(bytes, 4), out)?,
        Form::Bytes(_) => {
            let list = slice(cx, word(bytes, 0), word(bytes, 4) as usize, 1)?;
            out.room(list.len())?;
            out.writer.reserve(list.len() + 5);
            out.writer.bin(list);
        }
        Form::Numbers(packed, element) => {
            let list = elements(cx, element, bytes)?;
            out.room(list.len())?;
            out.writer.reserve(list.len() + 6);
            numbers::write(*packed, list, &mut out.writer);
        }
        Form::List(element) => {
            let list = elements(cx, element, bytes)?;
            let width = element.size as usize;
            // Every element takes a byte or more.
            let len = list.len() / width;
            out.room(len)?;
            out.writer.array(len);
            for (index, bytes) in list.chunks_exact(width).enumerate() {
                lift(cx, element, bytes, out).map_err(|fault| fault.at(Part::Index(index)))?;
            }
        }
        Form::Tuple(fields) => {
            out.writer.array(fields.fields.len());
            for (index, field) in fields.fields.iter().enumerate() {
                let bytes = &bytes[field.offset as usize..][..field.shape.size as usize];
                lift(cx, &field.shape, bytes, out).map_err(|fault| fault.at(Part::Index(index)))?;
            }
        }
        Form::Record(fields) => record(cx, fields, bytes, out)?,
        Form::Cases(cases) => {
            let (index, payload) = discriminant(cases, bytes)?;
            write_case_head(cases, index, &mut out.writer);
            if let Some(inner) = &cases.cases[index].payload {
                lift(cx, inner, &payload[..inner.size as usize], out)?;
            }
        }
    }
    Ok(())
}

fn record(cx: &mut LiftContext<'_>, fields: &Fields, bytes: &[u8], out: &mut Output) -> Result {
    out.writer.map(fields.fields.len());
    for field in &fields.fields {
        out.writer.raw(&field.key);
        let bytes = &bytes[field.offset as usize..][..field.shape.size as usize];
        lift(cx, &field.shape, bytes, out).map_err(|fault| fault.at(Part::Field(field.name.clone())))?;
    }
    Ok(())
}

/// The elements of a list as they stand in memory.
fn elements<'m>(cx: &LiftContext<'m>, element: &Shape, bytes: &[u8]) -> Result<&'m [u8]> {
    let (pointer, len) = (word(bytes, 0), word(bytes, 4) as usize);
    let size = len.checked_mul(element.size as usize).ok_or_else(|| bad("a list larger than any memory"))?;
    slice(cx, pointer, size, element.align)
}

fn string(cx: &mut LiftContext<'_>, pointer: u32, len: u32, out: &mut Output) -> Result {
    if cx.options().string_encoding == StringEncoding::Utf8 {
        let bytes = slice(cx, pointer, len as usize, 1)?;
        out.room(bytes.len())?;
        let text = std::str::from_utf8(bytes).map_err(|error| bad(format!("a string is not UTF-8: {error}")))?;
        out.writer.str(text);
        return Ok(());
    }
    // The high bit tells Latin-1 from UTF-16 in one of the encodings; a unit makes a byte or more.
    let units = (len & !(1 << 31)) as usize;
    if units > cx.memory().len() {
        return Err(bad(format!("a string of {units} units at {pointer:#x} lies outside the memory")));
    }
    out.room(units)?;
    let pair = [ValRaw::u32(pointer), ValRaw::u32(len)];
    let text = String::linear_lift_from_flat(cx, InterfaceType::String, &pair).map_err(|error| {
        match error.to_string() {
            // wasmtime counts what it decodes, which is more than the string is in the end.
            message if message.contains("fuel") => out.too_large(),
            message => bad(message),
        }
    })?;
    out.room(text.len())?;
    out.writer.str(&text);
    Ok(())
}

const _: () = assert!(FLAT_MAX == 16, "the flat way of wasmtime holds for MAX_FLAT_PARAMS slots");
