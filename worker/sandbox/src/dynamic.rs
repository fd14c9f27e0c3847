//! Dynamic functions: values of any type in one MessagePack `list<u8>`, and one back.
//!
//! Owns putting references in place where no type is known. Knows no engine.

use crate::budget::{Bounded, Watch};
use crate::call::{Arguments, Call, Outcome};
use crate::canonical;
use crate::failure;
use crate::fault::{Fault, Part};
use crate::function::Function;
use crate::reading::is_reference;
use crate::resolve::{Resolve, Resolved, resolve_next};
use crate::run;
use crate::shape::Shape;
use std::time::Instant;
use wasm_tasks_protocol::limits::VALUE_DEPTH_MAX;
use wasm_tasks_protocol::msgpack::{Kind, Reader, Writer, validate};
use wasm_tasks_protocol::{ErrorCode, TaskError, Type};

/// Calls a dynamic function.
pub(crate) fn call(function: &Function, call: &Call<'_>, declared: Option<&Type>) -> Outcome {
    let start = Instant::now();
    let watch = Watch::new(call, start);
    let message = match message(&call.args, call.limits.memory_bytes, &watch) {
        Ok(message) => message,
        Err(fault) => return run::refused(TaskError::new(fault.code(), fault.to_string()), start),
    };
    let args = Arguments { bound: call.args.bound, bytes: &message, resolve: call.args.resolve };
    let mut outcome = run::run(function, &Call { args, ..*call });
    if let Ok(bytes) = &outcome.result
        && !outcome.is_delegation
    {
        let out = Bounded::new(call.limits.result_bytes_max, Some(&watch));
        outcome.result = unwrap(bytes, declared, out).map_err(|fault| {
            let error = TaskError::new(fault.code(), fault.to_string());
            failure::complete(error, function, None, &outcome.stderr, outcome.memory_peak_bytes, outcome.fuel_used)
        });
    }
    outcome
}

/// The arguments with their references replaced, as the one argument after the bound ones.
fn message(arguments: &Arguments<'_>, bytes_max: u64, watch: &Watch<'_>) -> Result<Vec<u8>, Fault> {
    let mut reader = Reader::new(arguments.bytes);
    if reader.kind()? != Kind::Array {
        return Err(Fault::new(ErrorCode::WrongArity, "a dynamic function takes its arguments as an array, not by name"));
    }
    let mut out = Replaced { writer: Writer::new(), bytes_max, watch };
    replace(&mut reader, arguments.resolve, &mut out, 0).map_err(|fault| fault.in_place("arguments".to_owned()))?;
    canonical::ended(&reader)?;
    let mut array = Writer::new();
    array.array(1);
    array.bin(out.writer.as_bytes());
    Ok(array.into_bytes())
}

/// Bytes under construction, which may not become more than the guest's memory holds.
struct Replaced<'a> {
    writer: Writer,
    bytes_max: u64,
    watch: &'a Watch<'a>,
}

impl Replaced<'_> {
    fn raw(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if (self.writer.as_bytes().len() + bytes.len()) as u64 > self.bytes_max {
            let message =
                format!("the arguments together are larger than {} bytes, the limit on the task's memory", self.bytes_max);
            return Err(Fault::new(ErrorCode::OutOfMemory, message));
        }
        self.writer.raw(bytes);
        Ok(())
    }
}

/// Copies a value and puts what references lead to in their place.
fn replace(reader: &mut Reader<'_>, resolve: &dyn Resolve, out: &mut Replaced<'_>, depth: usize) -> Result<(), Fault> {
    out.watch.step()?;
    if depth > VALUE_DEPTH_MAX {
        return Err(Fault::new(ErrorCode::LimitExceeded, format!("the value nests more than {VALUE_DEPTH_MAX} deep")));
    }
    if is_reference(reader) {
        return match resolve_next(reader, resolve)? {
            Resolved::Value(bytes) => {
                let mut inner = Reader::new(bytes);
                validate(&mut inner, &mut ()).map_err(|error| Fault::new(error.code(), error.to_string()))?;
                canonical::ended(&inner)?;
                out.raw(bytes)
            }
            Resolved::Element(element) => out.raw(element.as_bytes()),
            Resolved::Raw(bytes) => {
                let mut header = Writer::new();
                bin_header(bytes.len(), &mut header);
                out.raw(header.as_bytes())?;
                out.raw(bytes)
            }
        };
    }
    match reader.kind()? {
        Kind::Array => {
            let len = reader.array()?;
            out.writer.array(len);
            for index in 0..len {
                replace(reader, resolve, out, depth + 1).map_err(|fault| fault.at(Part::Index(index)))?;
            }
            out.raw(&[])
        }
        Kind::Map => {
            let len = reader.map()?;
            out.writer.map(len);
            for _ in 0..len {
                let key = reader.str()?;
                out.writer.str(key);
                replace(reader, resolve, out, depth + 1).map_err(|fault| fault.at(Part::Field(key.to_owned())))?;
            }
            out.raw(&[])
        }
        Kind::Nil | Kind::Bool | Kind::Int | Kind::Float | Kind::Str | Kind::Bin | Kind::Ext => out.raw(reader.skip()?),
    }
}

/// The header of a bin whose bytes follow.
fn bin_header(len: usize, out: &mut Writer) {
    match len {
        0..=0xff => out.raw(&[0xc4, len as u8]),
        0x100..=0xffff => {
            out.raw(&[0xc5]);
            out.raw(&(len as u16).to_be_bytes());
        }
        _ => {
            out.raw(&[0xc6]);
            out.raw(&(len as u32).to_be_bytes());
        }
    }
}

/// The value inside the `list<u8>` that the function returned: exactly one, of the declared type where there is one.
fn unwrap(result: &[u8], declared: Option<&Type>, out: Bounded<'_>) -> Result<Vec<u8>, Fault> {
    let bad = |message: String| Fault::new(ErrorCode::BadResult, format!("result: {message}"));
    let bytes = Reader::new(result).bin().map_err(|error| bad(error.to_string()))?;
    let mut reader = Reader::new(bytes);
    validate(&mut reader, &mut ()).map_err(|error| bad(error.to_string()))?;
    canonical::ended(&reader).map_err(|fault| bad(fault.to_string()))?;
    match declared {
        None | Some(Type::Any) => Ok(bytes.to_owned()),
        Some(ty) => typed(ty, bytes, out).map_err(|fault| match fault.code() {
            ErrorCode::ResultTooLarge | ErrorCode::Cancelled | ErrorCode::Timeout => fault,
            _ => bad(fault.to_string()),
        }),
    }
}

/// A value of any accepted encoding in the typed encoding of its type.
fn typed(ty: &Type, bytes: &[u8], mut out: Bounded<'_>) -> Result<Vec<u8>, Fault> {
    let shape = Shape::new(ty).map_err(|unsupported| Fault::new(ErrorCode::UnsupportedExport, unsupported.0))?;
    canonical::write(&shape, &mut Reader::new(bytes), Some(&()), &mut out)?;
    out.finish()
}
