//! One export of a component, prepared for calls.

use crate::abi::Signature;
use crate::arguments;
use crate::budget::Bounded;
use crate::call::{Arguments, Call, Outcome};
use crate::component::{BindError, Linked, exports};
use crate::component_types::Translation;
use crate::fault::Fault;
use crate::shape::{Fields, Shape};
use crate::{dynamic, run};
use std::sync::Arc;
use wasm_tasks_protocol::{ErrorCode, TaskError, Type};
use wasmtime::component::ComponentExportIndex;
use wasmtime::component::types::{ComponentFunc, ComponentItem};

/// An export that can be called. Cloning is cheap; calls from several threads run at once.
#[derive(Clone)]
pub struct Function(Arc<Inner>);

struct Inner {
    linked: Arc<Linked>,
    /// The full name.
    export: String,
    index: ComponentExportIndex,
    params: Vec<(String, Type)>,
    result: Type,
    error: Option<Type>,
    signature: Arc<Signature>,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Function").field("export", &self.0.export).finish_non_exhaustive()
    }
}

impl Function {
    /// Finds an export and prepares it.
    pub(crate) fn bind(linked: &Arc<Linked>, export: &str) -> Result<Function, BindError> {
        let (full_name, ty, index) = find(linked, export)?;
        let unsupported = |what: String| {
            BindError::new(
                ErrorCode::UnsupportedExport,
                format!("`{full_name}` cannot be a task: it has {what} in its signature"),
            )
        };
        if ty.async_() {
            let message = format!("`{full_name}` cannot be a task: it is an async function (WASI 0.3)");
            return Err(BindError::new(ErrorCode::UnsupportedExport, message));
        }
        let mut types = Translation::new();
        let params = ty
            .params()
            .map(|(name, ty)| Ok((name.to_owned(), types.translate(&ty)?)))
            .collect::<Result<Vec<_>, String>>()
            .map_err(unsupported)?;
        let declared = ty.results().next().map(|ty| types.translate(&ty)).transpose().map_err(unsupported)?;
        let signature = signature(&params, declared.as_ref()).map_err(unsupported)?;
        let unit = |ty: &Option<Arc<Type>>| ty.as_deref().cloned().unwrap_or(Type::Unit);
        let (result, error) = match &declared {
            None => (Type::Unit, None),
            Some(Type::Result(ok, err)) => (unit(ok), Some(unit(err))),
            Some(ty) => (ty.clone(), None),
        };
        let inner = Inner { linked: Arc::clone(linked), export: full_name, index, params, result, error, signature };
        Ok(Function(Arc::new(inner)))
    }

    /// The export's full name, with its version.
    pub fn export(&self) -> &str {
        &self.0.export
    }

    /// Names and types of the parameters.
    pub fn params(&self) -> &[(String, Type)] {
        &self.0.params
    }

    /// The type of a task's result: what `ok` has when the export returns a `result`, `unit` when there is nothing.
    pub fn result(&self) -> &Type {
        &self.0.result
    }

    /// The type of `err`, when the export returns a `result`.
    pub fn error(&self) -> Option<&Type> {
        self.0.error.as_ref()
    }

    /// Calls the export in a fresh instance. Blocks; needs a stack of 2 MiB.
    pub fn call(&self, call: &Call<'_>) -> Outcome {
        run::run(self, call)
    }

    /// Calls the export as a dynamic function: the references in the arguments are replaced, all of them are handed over as
    /// one MessagePack array in the last parameter, and the result is one MessagePack value, checked against `declared`
    /// where there is such a type.
    pub fn call_dynamic(&self, call: &Call<'_>, declared: Option<&Type>) -> Outcome {
        dynamic::call(self, call, declared)
    }

    /// Whether the export can be a dynamic function with that many bound arguments.
    ///
    /// # Errors
    /// [`BindError`] that says what the signature should be.
    pub fn check_dynamic(&self, bound: usize) -> Result<(), BindError> {
        let fits = self.0.params.len() == bound + 1 && self.0.params[bound].1 == Type::bytes() && self.0.result == Type::bytes();
        if fits {
            return Ok(());
        }
        let message = format!(
            "`{}` cannot be dynamic: after {bound} bound argument(s) it must take one list<u8>, and return list<u8>",
            self.0.export
        );
        Err(BindError::new(ErrorCode::UnsupportedExport, message))
    }

    /// All arguments as one array in the typed encoding, references replaced: with component and export, this is what
    /// a deterministic task's result depends on.
    ///
    /// # Errors
    /// A [`TaskError`] that names the argument and what is wrong with it.
    pub fn canonical_arguments(&self, arguments: &Arguments<'_>) -> Result<Vec<u8>, TaskError> {
        let out = Bounded::new(u64::MAX, None);
        self.canonical_arguments_inner(arguments, out).map_err(|fault| TaskError::new(fault.code(), fault.to_string()))
    }

    pub(crate) fn canonical_arguments_inner(&self, arguments: &Arguments<'_>, out: Bounded<'_>) -> Result<Vec<u8>, Fault> {
        arguments::canonical_array(&self.0.signature.params, arguments, out)
    }

    pub(crate) fn component(&self) -> &Arc<Linked> {
        &self.0.linked
    }

    pub(crate) fn index(&self) -> &ComponentExportIndex {
        &self.0.index
    }

    pub(crate) fn signature(&self) -> &Arc<Signature> {
        &self.0.signature
    }
}

/// Lays out parameters and result.
fn signature(params: &[(String, Type)], result: Option<&Type>) -> Result<Arc<Signature>, String> {
    let params = Fields::parameters(params).map_err(|unsupported| unsupported.0)?;
    let named: Vec<(String, Type)> = result.iter().map(|ty| (String::new(), (*ty).clone())).collect();
    let results = Fields::parameters(&named).map_err(|unsupported| unsupported.0)?;
    let result = result.map(Shape::new).transpose().map_err(|unsupported| unsupported.0)?;
    Ok(Arc::new(Signature::new(params, result, results)))
}

/// Finds an export by its name, with or without the version of its interface.
fn find(linked: &Linked, export: &str) -> Result<(String, ComponentFunc, ComponentExportIndex), BindError> {
    let compiled = linked.compiled();
    let full_name = match export.split_once('#') {
        None => export.to_owned(),
        Some((interface, function)) => format!("{}#{function}", full_interface(linked, interface)?),
    };
    let found = match full_name.split_once('#') {
        None => compiled.get_export(None, full_name.as_str()),
        Some((interface, function)) => {
            let instance = compiled.get_export_index(None, interface);
            instance.and_then(|instance| compiled.get_export(Some(&instance), function))
        }
    };
    match found {
        Some((ComponentItem::ComponentFunc(ty), index)) => Ok((full_name, ty, index)),
        _ => Err(unknown(linked, export)),
    }
}

/// The interface's name with its version.
fn full_interface(linked: &Linked, interface: &str) -> Result<String, BindError> {
    let engine = linked.runtime().engine();
    let ty = linked.compiled().component_type();
    let fits = |name: &str| name == interface || name.split_once('@').is_some_and(|(base, _)| base == interface);
    let names: Vec<&str> = ty.exports(engine).map(|(name, _)| name).filter(|name| fits(name)).collect();
    match names[..] {
        [name] => Ok(name.to_owned()),
        [] => Err(unknown(linked, interface)),
        _ if names.contains(&interface) => Ok(interface.to_owned()),
        _ => {
            let message = format!("`{interface}` is exported in several versions: {}; name one of them", names.join(", "));
            Err(BindError::new(ErrorCode::UnknownExport, message))
        }
    }
}

fn unknown(linked: &Linked, export: &str) -> BindError {
    let names = exports(linked);
    let nearest = names.iter().min_by_key(|name| distance(export, name));
    let message = match nearest {
        Some(nearest) => format!("the component has no export `{export}`; did you mean `{nearest}`?"),
        None => format!("the component has no export `{export}`; it exports no functions at all"),
    };
    BindError::new(ErrorCode::UnknownExport, message)
}

/// How far two names are apart: Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(200).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(200).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
