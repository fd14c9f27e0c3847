//! Functions of a graph: their exports, bound arguments, and what dynamic ones may be.

use super::error::{CheckError, Errors};
use super::references::Results;
use crate::interface::{Export, Interface};
use crate::text::parameters_text;
use crate::walk::Walk;
use wasm_tasks_protocol::graph::{Function, Graph, Place};
use wasm_tasks_protocol::msgpack::Reader;
use wasm_tasks_protocol::{ErrorCode, Type};

/// What tasks of a function take and give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionSignature {
    /// The export's full name, with its version.
    pub export: String,
    /// The export's parameters, bound ones included.
    pub params: Vec<(String, Type)>,
    /// How many leading parameters the function binds.
    pub bound: usize,
    /// The type of a task's result; [`Type::Any`] for a dynamic function that declares none.
    pub result: Type,
    /// Whether the export returns a `result`, so that `err` fails the task.
    pub is_fallible: bool,
    /// The type of the error's value, where there is one.
    pub error: Option<Type>,
    /// Whether the function is dynamic: what follows the bound arguments is passed as one MessagePack array.
    pub is_dynamic: bool,
    /// The types of a dynamic function's arguments, where it declares them.
    pub dynamic_params: Option<Vec<Type>>,
}

impl FunctionSignature {
    /// How many arguments each task must give; none where any number will do.
    pub fn argument_count(&self) -> Option<usize> {
        match (&self.dynamic_params, self.is_dynamic) {
            (Some(params), _) => Some(params.len()),
            (None, true) => None,
            (None, false) => Some(self.params.len() - self.bound),
        }
    }

    /// The type of the task's argument at a position, counted without the bound ones.
    ///
    /// # Panics
    /// When the function has no such argument.
    pub fn argument_type(&self, position: usize) -> &Type {
        match (&self.dynamic_params, self.is_dynamic) {
            (Some(params), _) => &params[position],
            (None, true) => &Type::Any,
            (None, false) => &self.params[self.bound + position].1,
        }
    }

    /// The signature as it is for tasks: `func(b: s64) -> s64`.
    pub fn text(&self) -> String {
        let params = match (&self.dynamic_params, self.is_dynamic) {
            (Some(params), _) => params.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            (None, true) => "any, …".to_owned(),
            (None, false) => parameters_text(&self.params[self.bound..]),
        };
        if self.result == Type::Unit { format!("func({params})") } else { format!("func({params}) -> {}", self.result) }
    }
}

/// How messages name an argument: by its number among those of the task, and its parameter.
pub(super) fn argument_name(signature: &FunctionSignature, position: usize) -> String {
    let number = position + 1;
    match signature.params.get(signature.bound + position) {
        Some((name, _)) if !signature.is_dynamic => format!("argument {number} ({name})"),
        _ => format!("argument {number}"),
    }
}

/// The signatures of all functions; none where there is an error.
pub(super) fn signatures<'i>(
    graph: &Graph,
    interface_of: impl Fn(u32) -> &'i Interface,
    errors: &mut Errors,
) -> Vec<Option<FunctionSignature>> {
    let mut signatures = Vec::with_capacity(graph.functions().len());
    for (position, function) in graph.functions().iter().enumerate() {
        if errors.is_enough() {
            signatures.push(None);
            continue;
        }
        let place = || Place::entry("functions", position);
        let signature = match interface_of(function.component).export(&function.export) {
            Ok(export) => signature(graph, function, export, &place),
            Err(error) => {
                let hint = error.hint().map(str::to_owned);
                Err(Box::new(CheckError { hint, ..CheckError::new(error.code(), place(), error.to_string()) }))
            }
        };
        signatures.push(signature.map_err(|error| errors.push(*error)).ok());
    }
    signatures
}

fn signature(
    graph: &Graph,
    function: &Function,
    export: &Export,
    place: &dyn Fn() -> Place,
) -> Result<FunctionSignature, Box<CheckError>> {
    let bound = match &function.bind {
        Some(range) => {
            Reader::new(&graph.file()[range.clone()]).array().expect("bound arguments were checked when the graph was read")
        }
        None => 0,
    };
    if bound > export.params.len() {
        let message = format!("it binds {bound} arguments; `{}` takes {}", export.name, export.params.len());
        return Err(Box::new(CheckError::new(ErrorCode::WrongArity, place(), message)));
    }
    let mut signature = FunctionSignature {
        export: export.name.clone(),
        params: export.params.clone(),
        bound,
        result: export.result.clone(),
        is_fallible: export.is_fallible,
        error: export.error.clone(),
        is_dynamic: false,
        dynamic_params: None,
    };
    if let Some(dynamic) = &function.dynamic {
        let takes_bytes = matches!(&export.params[bound..], [(_, ty)] if *ty == Type::bytes());
        if !takes_bytes || export.result != Type::bytes() {
            let message = format!(
                "the export of a dynamic function takes one `list<u8>` after the bound arguments and returns `list<u8>` or \
                 `result<list<u8>, E>`; `{}` is `{}`",
                export.name,
                crate::text::signature_text(export)
            );
            return Err(Box::new(CheckError::new(ErrorCode::TypeMismatch, place(), message)));
        }
        signature.is_dynamic = true;
        signature.dynamic_params = dynamic.params.clone();
        signature.result = dynamic.result.clone().unwrap_or(Type::Any);
    }
    Ok(signature)
}

/// Checks the bound arguments of all functions.
pub(super) fn check_bound(
    graph: &Graph,
    signatures: &[Option<FunctionSignature>],
    walk: &mut Walk<'_, Results<'_>>,
    errors: &mut Errors,
) {
    for (position, (function, signature)) in graph.functions().iter().zip(signatures).enumerate() {
        let (Some(range), Some(signature)) = (&function.bind, signature) else { continue };
        if errors.is_enough() {
            break;
        }
        let mut reader = Reader::new(&graph.file()[range.clone()]);
        let len = reader.array().expect("bound arguments were checked when the graph was read");
        for (argument, (name, ty)) in signature.params[..len].iter().enumerate() {
            let mut value = reader;
            if let Err(mismatch) = walk.root(ty, &mut value) {
                let part = format!("bound argument {} ({name})", argument + 1);
                errors.mismatch(Place::entry("functions", position), part, *mismatch);
            }
            reader.skip().expect("bound arguments were checked when the graph was read");
        }
    }
}
