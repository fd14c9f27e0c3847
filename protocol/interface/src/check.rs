//! Checks every function, argument, edge and output of a graph against the interfaces of its components.
//!
//! Walks the bytes of arguments once and copies nothing; grants, digests and quotas are checked elsewhere.

mod earlier;
mod error;
mod functions;
mod references;

pub use earlier::{Earlier, EarlierData};
pub use error::{CheckError, CheckErrors};
pub use functions::FunctionSignature;

use crate::interface::Interface;
use crate::nearest::{listed, nearest, shorten};
use crate::walk::{Mode, Walk};
use earlier::{Nothing, Signatures};
use error::Errors;
use references::{Results, follow};
use std::collections::BTreeMap;
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::Type;
use wasm_tasks_protocol::graph::{Graph, Place, Reference, Task};
use wasm_tasks_protocol::msgpack::{Kind, Reader};

/// What the check found out: the types of everything.
#[derive(Clone, Debug, Default)]
pub struct CheckedGraph {
    functions: Vec<FunctionSignature>,
    data_types: Vec<Vec<Type>>,
    earlier_data_types: BTreeMap<u32, Vec<Type>>,
}

impl CheckedGraph {
    /// The signatures of the graph's functions, by their position; of a fragment those of its own.
    pub fn functions(&self) -> &[FunctionSignature] {
        &self.functions
    }

    /// The type of a task's result, in a graph of its own.
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

/// What a check found out, for those who keep it to check fragments against.
#[derive(Clone, Debug, Default)]
pub struct FoundTypes {
    /// The signatures of functions, by their position in the file.
    pub functions: Vec<FunctionSignature>,
    /// The types that data entries are used as, by their position in the file.
    pub data: Vec<Vec<Type>>,
    /// Types that data entries of the base are used as for the first time, by position among all.
    pub earlier_data: BTreeMap<u32, Vec<Type>>,
}

impl CheckedGraph {
    /// The types that were found.
    pub fn into_types(self) -> FoundTypes {
        FoundTypes { functions: self.functions, data: self.data_types, earlier_data: self.earlier_data_types }
    }
}

/// Checks a graph. `interface_of` gives the interface of the component at a position.
///
/// # Errors
/// Everything that is wrong, up to 20 places.
pub fn check<'i>(graph: &Graph, interface_of: impl Fn(u32) -> &'i Interface) -> Result<CheckedGraph, CheckErrors> {
    check_while(graph, None, interface_of, &|| true)
}

/// Checks a fragment's tables against the graph that they continue. Takes time for the fragment, not for the graph.
/// `interface_of` gives the interface of the component at a position among all.
///
/// # Errors
/// As [`check`].
pub fn check_fragment<'i>(
    graph: &Graph,
    earlier: &dyn Earlier,
    interface_of: impl Fn(u32) -> &'i Interface,
) -> Result<CheckedGraph, CheckErrors> {
    check_while(graph, Some(earlier), interface_of, &|| true)
}

/// Checks a graph, or a fragment when there is an earlier graph, for as long as somebody wants to know: `is_wanted` is asked
/// before each task.
///
/// # Errors
/// As [`check`]; `cancelled` when it is not wanted any more.
pub fn check_while<'i>(
    graph: &Graph,
    earlier: Option<&dyn Earlier>,
    interface_of: impl Fn(u32) -> &'i Interface,
    is_wanted: &dyn Fn() -> bool,
) -> Result<CheckedGraph, CheckErrors> {
    let earlier = earlier.unwrap_or(&Nothing);
    let mut errors = Errors::default();
    let own = functions::signatures(graph, interface_of, &mut errors);
    let signatures = Signatures::new(graph, &own, earlier);
    let mut results = Results::new(graph, signatures);
    results.check_declared_data(&mut errors);
    let mut walk = Walk::new(Mode::Check, &mut results);
    functions::check_bound(graph, &own, &mut walk, &mut errors);
    for task in graph.tasks() {
        if errors.is_enough() {
            break;
        }
        if !is_wanted() {
            errors.push(CheckError::new(ErrorCode::Cancelled, task.place(), "nobody waits for the check any more"));
            break;
        }
        if let Some(signature) = signatures.of(task.function_index()) {
            check_task(&task, signature, &mut walk, &mut errors);
        }
    }
    drop(walk);
    check_outputs(graph, signatures, &mut errors);
    let (data_types, earlier_data_types) = results.into_data_types();
    errors.finish()?;
    let functions = own.into_iter().map(|signature| signature.expect("without errors each function has one")).collect();
    Ok(CheckedGraph { functions, data_types, earlier_data_types })
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
            errors.mismatch(task.place(), functions::argument_name(signature, position), *mismatch);
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
        return errors.push(CheckError::new(ErrorCode::WrongArity, task.place(), message));
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
            errors.mismatch(task.place(), functions::argument_name(signature, position), *mismatch);
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
    CheckError { hint: Some(hint), ..CheckError::new(ErrorCode::WrongArity, task.place(), message) }
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
    CheckError { hint: Some(hint), ..CheckError::new(ErrorCode::WrongArity, task.place(), message) }
}

fn check_outputs(graph: &Graph, signatures: Signatures<'_>, errors: &mut Errors) {
    for (position, output) in graph.outputs().iter().enumerate() {
        if errors.is_enough() {
            break;
        }
        let (_, Some(signature)) = signatures.of_task(graph, output.task) else { continue };
        let steps = output.path.iter().map(|step| step.as_step());
        if let Err(mismatch) = references::follow_all(&signature.result, steps) {
            errors.mismatch(Place::entry("outputs", position), String::new(), *mismatch);
        }
    }
}

#[cfg(test)]
mod tests;
