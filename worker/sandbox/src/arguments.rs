//! Finds a call's arguments: bound ones first, then an array or a map by parameter name.

use crate::budget::Bounded;
use crate::call::Arguments;
use crate::canonical::{self, ended};
use crate::fault::Fault;
use crate::reading;
use crate::shape::{Field, Fields};
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::msgpack::{Kind, Reader};

/// Calls `each` for every parameter in order, with a reader at its argument, or none for an absent `option` in a map.
pub(crate) fn each<E: From<Fault>>(
    params: &Fields,
    arguments: &Arguments<'_>,
    mut each: impl FnMut(usize, &Field, Option<&mut Reader<'_>>) -> Result<(), E>,
) -> Result<(), E> {
    let fields = &params.fields;
    let mut next = 0;
    if !arguments.bound.is_empty() {
        let mut bound = Reader::new(arguments.bound);
        next = bound.array().map_err(Fault::from)?;
        if next > fields.len() {
            return Err(arity(fields.len(), next).into());
        }
        for (index, field) in fields[..next].iter().enumerate() {
            each(index, field, Some(&mut bound))?;
        }
        ended(&bound)?;
    }
    let mut rest = Reader::new(arguments.bytes);
    if rest.kind().map_err(Fault::from)? == Kind::Map {
        let len = rest.map().map_err(Fault::from)?;
        let values = reading::by_name(params, next, &mut rest, 0, len)?;
        for (index, value) in (next..).zip(values) {
            match value {
                Some(mut value) => each(index, &fields[index], Some(&mut value))?,
                None if fields[index].shape.is_option() => each(index, &fields[index], None)?,
                None => {
                    return Err(Fault::new(ErrorCode::WrongArity, format!("{} is missing", place(index, &fields[index]))).into());
                }
            }
        }
    } else {
        let len = rest.array().map_err(Fault::from)?;
        if next + len != fields.len() {
            return Err(arity(fields.len(), next + len).into());
        }
        for (index, field) in fields.iter().enumerate().skip(next) {
            each(index, field, Some(&mut rest))?;
        }
    }
    Ok(ended(&rest)?)
}

/// What an argument is called in messages.
pub(crate) fn place(index: usize, field: &Field) -> String {
    format!("argument {} ({})", index + 1, field.name)
}

/// Writes all arguments as one array in the typed encoding.
pub(crate) fn canonical_array(params: &Fields, arguments: &Arguments<'_>, mut out: Bounded<'_>) -> Result<Vec<u8>, Fault> {
    out.array(params.fields.len());
    each(params, arguments, |index, field, value| match value {
        Some(value) => canonical::write(&field.shape, value, Some(arguments.resolve), &mut out)
            .map_err(|fault: Fault| fault.in_place(place(index, field))),
        None => {
            out.nil();
            out.step()
        }
    })?;
    out.finish()
}

fn arity(expected: usize, found: usize) -> Fault {
    Fault::new(ErrorCode::WrongArity, format!("the function takes {expected} argument(s), found {found}"))
}
