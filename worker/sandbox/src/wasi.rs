//! WASI 0.2 for tasks that may do nothing but compute, print and draw seeded numbers.
//!
//! Owns the host functions and the rules of linking: every `wasi:*@0.2` import links, to our own function or to one that
//! denies; any other import is refused. Nothing here blocks without the grant `clock`, and nothing here knows files,
//! sockets or the environment of the host.

mod cli;
pub(crate) mod clocks;
mod deny;
pub(crate) mod poll;
pub(crate) mod random;
mod streams;

pub(crate) use streams::IoError;

use crate::delegate;
use crate::state::TaskState;
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::graph::DELEGATE_INTERFACE;
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, LinkerInstance, ResourceType};

/// Resources that exist only to be denied: descriptors, sockets, terminals.
pub(super) struct Denied;

/// Why a component cannot be linked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct LinkError {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
}

impl LinkError {
    fn new(code: ErrorCode, message: impl Into<String>) -> LinkError {
        LinkError { code, message: message.into() }
    }
}

/// The interface that an import names, such as `wasi:io/streams`, and its version.
pub(crate) fn split_version(import: &str) -> (&str, Option<&str>) {
    import.split_once('@').map_or((import, None), |(name, version)| (name, Some(version)))
}

/// Says why an import of this name cannot be satisfied, going by the name alone.
pub(crate) fn check_import(import: &str) -> Result<(), LinkError> {
    let (interface, version) = split_version(import);
    if import == DELEGATE_INTERFACE {
        return Ok(());
    }
    if !interface.starts_with("wasi:") {
        let message = format!("nobody provides the import `{import}`; a task may import WASI 0.2 and `{DELEGATE_INTERFACE}`");
        return Err(LinkError::new(ErrorCode::UnknownImport, message));
    }
    match version {
        Some(version) if version.starts_with("0.2.") => Ok(()),
        _ => {
            let message = format!("the import `{import}` is not of WASI 0.2; build the component for `wasm32-wasip2`");
            Err(LinkError::new(ErrorCode::UnsupportedComponent, message))
        }
    }
}

/// Links everything that a component imports.
pub(crate) fn link(engine: &Engine, component: &Component) -> Result<Linker<TaskState>, LinkError> {
    let mut linker = Linker::new(engine);
    let ty = component.component_type();
    for (name, import) in ty.imports(engine) {
        match import.ty {
            ComponentItem::ComponentInstance(instance) => {
                let provided = |item: &ComponentItem| !matches!(item, ComponentItem::Type(_));
                if !instance.exports(engine).any(|(_, export)| provided(&export.ty)) {
                    continue; // Only names for types.
                }
                check_import(name)?;
                let linked = linker.instance(name).map_err(|error| broken(name, &error))?;
                link_instance(engine, linked, name, &instance)?;
            }
            ComponentItem::Type(_) => {}
            ComponentItem::ComponentFunc(_)
            | ComponentItem::CoreFunc(_)
            | ComponentItem::Module(_)
            | ComponentItem::Component(_)
            | ComponentItem::Resource(_) => {
                let message =
                    format!("nobody provides the import `{name}`; a task may import WASI 0.2 and `{DELEGATE_INTERFACE}`");
                return Err(LinkError::new(ErrorCode::UnknownImport, message));
            }
        }
    }
    Ok(linker)
}

fn link_instance(
    engine: &Engine,
    mut linker: LinkerInstance<'_, TaskState>,
    import: &str,
    instance: &wasmtime::component::types::ComponentInstance,
) -> Result<(), LinkError> {
    let (interface, _) = split_version(import);
    for (name, export) in instance.exports(engine) {
        let linked = match export.ty {
            ComponentItem::ComponentFunc(_) if import == DELEGATE_INTERFACE => delegate::define(&mut linker, import, name),
            ComponentItem::ComponentFunc(_) => match define(&mut linker, interface, name) {
                Ok(true) => Ok(()),
                Ok(false) => deny::define(&mut linker, import, name),
                Err(error) => Err(error),
            },
            ComponentItem::Resource(_) => define_resource(&mut linker, name),
            ComponentItem::Type(_) => Ok(()),
            ComponentItem::CoreFunc(_)
            | ComponentItem::Module(_)
            | ComponentItem::Component(_)
            | ComponentItem::ComponentInstance(_) => {
                let message = format!("the import `{import}` has `{name}`, which is no function or type");
                return Err(LinkError::new(ErrorCode::UnsupportedComponent, message));
            }
        };
        linked.map_err(|error| broken(import, &error))?;
    }
    Ok(())
}

fn broken(import: &str, error: &wasmtime::Error) -> LinkError {
    LinkError::new(ErrorCode::UnsupportedComponent, format!("the import `{import}` cannot be linked: {error:#}"))
}

/// Defines a function that we have; false when we have none of that name.
fn define(linker: &mut LinkerInstance<'_, TaskState>, interface: &str, name: &str) -> wasmtime::Result<bool> {
    match interface.strip_prefix("wasi:").unwrap_or_default() {
        "io/streams" | "io/error" => streams::define(linker, name),
        "io/poll" => poll::define(linker, name),
        "clocks/monotonic-clock" => clocks::define_monotonic(linker, name),
        "clocks/wall-clock" => clocks::define_wall(linker, name),
        interface @ ("random/random" | "random/insecure" | "random/insecure-seed") => random::define(linker, interface, name),
        interface => cli::define(linker, interface, name),
    }
}

/// Resources are told apart by name: interfaces that use another's resource export it under the same one.
fn define_resource(linker: &mut LinkerInstance<'_, TaskState>, name: &str) -> wasmtime::Result<()> {
    match name {
        "pollable" => linker.resource(name, ResourceType::host::<poll::Pollable>(), |mut store, rep| {
            store.data_mut().pollables.remove(rep);
            Ok(())
        }),
        "input-stream" => linker.resource(name, ResourceType::host::<streams::InputStream>(), |_, _| Ok(())),
        "output-stream" => linker.resource(name, ResourceType::host::<streams::OutputStream>(), |_, _| Ok(())),
        "error" => linker.resource(name, ResourceType::host::<streams::IoError>(), |_, _| Ok(())),
        _ => linker.resource(name, ResourceType::host::<Denied>(), |_, _| Ok(())),
    }
}
