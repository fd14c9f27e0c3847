//! Checks every function, argument, edge and output of a graph against the interfaces of its components.
//!
//! Walks the bytes of arguments once and copies nothing; grants, digests and quotas are checked elsewhere.

mod error;
mod functions;
mod references;

pub use error::{CheckError, CheckErrors};
pub use functions::FunctionSignature;

use crate::interface::Interface;
use crate::nearest::{listed, nearest, shorten};
use crate::walk::{Mode, Walk};
use error::Errors;
use references::{Results, follow};
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::Type;
use wasm_tasks_protocol::graph::{Graph, Place, Reference, Task};
use wasm_tasks_protocol::msgpack::{Kind, Reader};

/// What the check found out: the types of everything.
#[derive(Clone, Debug, Default)]
pub struct CheckedGraph {
    functions: Vec<FunctionSignature>,
    data_types: Vec<Vec<Type>>,
}

impl CheckedGraph {
    /// The signatures of the graph's functions, by their position.
    pub fn functions(&self) -> &[FunctionSignature] {
        &self.functions
    }

    /// The type of a task's result.
    pub fn result_of(&self, task: &Task<'_>) -> &Type {
        &self.functions[task.function_index() as usize].result
    }

    /// The type of an output: its task's result type with the path followed.
    pub fn output_type(&self, graph: &Graph, output: &Reference) -> Type {
        let whole = self.result_of(&graph.task(output.task));
        let part = output.path.iter().try_fold(whole, |ty, step| follow(ty, step.as_step()));
        part.cloned().unwrap_or(Type::Any)
    }

    /// The types that a data entry is used as: its declared one, or one for each type of parameter that it feeds.
    /// Bytes that were not in the file are checked against these when they are there, with [`fits`](crate::fits()).
    pub fn data_types(&self, data: usize) -> &[Type] {
        &self.data_types[data]
    }
}

/// Checks a graph. `interface_of` gives the interface of the component at a position.
///
/// # Errors
/// Everything that is wrong, up to 20 places.
pub fn check<'i>(graph: &Graph, interface_of: impl Fn(u32) -> &'i Interface) -> Result<CheckedGraph, CheckErrors> {
    let mut errors = Errors::default();
    let signatures = functions::signatures(graph, interface_of, &mut errors);
    let mut results = Results::new(graph, &signatures);
    results.check_declared_data(&mut errors);
    let mut walk = Walk::new(Mode::Check, &mut results);
    functions::check_bound(graph, &signatures, &mut walk, &mut errors);
    for task in graph.tasks() {
        if errors.is_enough() {
            break;
        }
        if let Some(signature) = &signatures[task.function_index() as usize] {
            check_task(&task, signature, &mut walk, &mut errors);
        }
    }
    drop(walk);
    check_outputs(graph, &signatures, &mut errors);
    let data_types = results.into_data_types();
    errors.finish()?;
    let functions = signatures.into_iter().map(|signature| signature.expect("without errors each function has one")).collect();
    Ok(CheckedGraph { functions, data_types })
}

fn place_of(task: &Task<'_>) -> Place {
    Place::task(task.index().0 as usize, task.key())
}

fn check_task(task: &Task<'_>, signature: &FunctionSignature, walk: &mut Walk<'_, Results<'_>>, errors: &mut Errors) {
    let mut reader = Reader::new(task.args());
    if reader.kind() == Ok(Kind::Array) {
        check_positional(task, signature, &mut reader, walk, errors);
    } else {
        check_named(task, signature, &mut reader, walk, errors);
    }
}

fn check_positional(
    task: &Task<'_>,
    signature: &FunctionSignature,
    reader: &mut Reader<'_>,
    walk: &mut Walk<'_, Results<'_>>,
    errors: &mut Errors,
) {
    let len = reader.array().expect("arguments were checked when the graph was read");
    if let Some(wanted) = signature.argument_count()
        && len != wanted
    {
        let given: Vec<usize> = (0..len).collect();
        return errors.push(wrong_arity(task, signature, len, &given));
    }
    for position in 0..len {
        let mut argument = *reader;
        let ty = signature.argument_type(position);
        if let Err(mismatch) = walk.root(ty, &mut argument) {
            errors.mismatch(place_of(task), functions::argument_name(signature, position), *mismatch);
        }
        reader.skip().expect("arguments were checked when the graph was read");
    }
}

fn check_named(
    task: &Task<'_>,
    signature: &FunctionSignature,
    reader: &mut Reader<'_>,
    walk: &mut Walk<'_, Results<'_>>,
    errors: &mut Errors,
) {
    if signature.is_dynamic {
        let message = "the arguments of a dynamic function have no names; give them as an array";
        return errors.push(CheckError::new(ErrorCode::WrongArity, place_of(task), message));
    }
    let len = reader.map().expect("arguments were checked when the graph was read");
    let params = &signature.params[signature.bound..];
    let mut given: Vec<usize> = Vec::new();
    for _ in 0..len {
        let name = reader.str().expect("arguments were checked when the graph was read");
        let mut argument = *reader;
        reader.skip().expect("arguments were checked when the graph was read");
        let Some(position) = params.iter().position(|(known, _)| known == name) else {
            errors.push(unknown_parameter(task, signature, name));
            return;
        };
        given.push(position);
        if let Err(mismatch) = walk.root(&params[position].1, &mut argument) {
            errors.mismatch(place_of(task), functions::argument_name(signature, position), *mismatch);
        }
    }
    if len != params.len() {
        errors.push(wrong_arity(task, signature, len, &given));
    }
}

fn unknown_parameter(task: &Task<'_>, signature: &FunctionSignature, name: &str) -> CheckError {
    let names = || signature.params[signature.bound..].iter().map(|(name, _)| name.as_str());
    let is_bound = signature.params[..signature.bound].iter().any(|(known, _)| known == name);
    let what = if is_bound { "is bound by the function already" } else { "is no parameter" };
    let message = format!("`{}` {what} of `{}`", shorten(name), signature.export);
    let hint = match nearest(name, names(), 1).first() {
        Some(near) if !is_bound => format!("did you mean `{near}`?"),
        _ => format!("the parameters are {}", listed(names(), 10)),
    };
    CheckError { hint: Some(hint), ..CheckError::new(ErrorCode::WrongArity, place_of(task), message) }
}

fn wrong_arity(task: &Task<'_>, signature: &FunctionSignature, len: usize, given: &[usize]) -> CheckError {
    let wanted = signature.argument_count().unwrap_or(len);
    let bound = if signature.bound > 0 { format!(" after {} bound ones", signature.bound) } else { String::new() };
    let message = format!("`{}` takes {wanted} arguments{bound}, found {len}", signature.export);
    let params = signature.params.iter().skip(signature.bound);
    let missing: Vec<String> =
        params.enumerate().filter(|(at, _)| !given.contains(at)).map(|(_, (name, ty))| format!("{name}: {ty}")).collect();
    let hint = if signature.is_dynamic || missing.is_empty() {
        format!("its signature is `{}`", shorten(&signature.text()))
    } else {
        format!("missing: {}", listed(missing.iter().map(String::as_str), 10))
    };
    CheckError { hint: Some(hint), ..CheckError::new(ErrorCode::WrongArity, place_of(task), message) }
}

fn check_outputs(graph: &Graph, signatures: &[Option<FunctionSignature>], errors: &mut Errors) {
    for (position, output) in graph.outputs().iter().enumerate() {
        if errors.is_enough() {
            break;
        }
        let Some(signature) = &signatures[graph.task(output.task).function_index() as usize] else { continue };
        let steps = output.path.iter().map(|step| step.as_step());
        if let Err(mismatch) = references::follow_all(&signature.result, steps) {
            errors.mismatch(Place::entry("outputs", position), String::new(), *mismatch);
        }
    }
}

#[cfg(test)]
mod tests;
