//! A loaded component: checked, compiled, linked, ready to hand out functions.

use crate::engine::{Profile, Runtime};
use crate::function::Function;
use crate::state::TaskState;
use crate::wasi;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wasm_tasks_interface::Interface;
use wasm_tasks_protocol::limits::COMPONENT_BYTES_MAX;
use wasm_tasks_protocol::{ComponentDigest, ErrorCode};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component as Compiled, InstancePre};

/// Why a component cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The component itself is at fault: it is no component, imports what nobody provides, or cannot be compiled.
    #[error("{message}")]
    Component {
        /// The code under which people see it.
        code: ErrorCode,
        /// What is wrong and what to do.
        message: String,
    },
    /// The component must be compiled and its bytes are not here.
    #[error("the component {0} is not here; upload it again")]
    NotAvailable(ComponentDigest),
    /// The engine failed, not the component.
    #[error("{0}")]
    Engine(String),
}

impl LoadError {
    /// The code under which people see it.
    pub const fn code(&self) -> ErrorCode {
        match self {
            LoadError::Component { code, .. } => *code,
            LoadError::NotAvailable(_) => ErrorCode::NotUploaded,
            LoadError::Engine(_) => ErrorCode::WorkerFault,
        }
    }

    /// Whether loading again may end differently.
    pub const fn is_retryable(&self) -> bool {
        match self {
            LoadError::Component { .. } => false,
            LoadError::NotAvailable(_) | LoadError::Engine(_) => true,
        }
    }

    pub(crate) fn component(code: ErrorCode, message: impl Into<String>) -> LoadError {
        LoadError::Component { code, message: message.into() }
    }
}

/// Why an export cannot be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BindError {
    /// The code under which people see it.
    pub code: ErrorCode,
    /// What is wrong and what to do.
    pub message: String,
}

impl BindError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> BindError {
        BindError { code, message: message.into() }
    }
}

/// What functions share of their component.
pub(crate) struct Linked {
    digest: ComponentDigest,
    runtime: Arc<Runtime>,
    compiled: Compiled,
    pre: InstancePre<TaskState>,
}

impl Linked {
    pub(crate) fn digest(&self) -> ComponentDigest {
        self.digest
    }

    pub(crate) fn runtime(&self) -> &Arc<Runtime> {
        &self.runtime
    }

    pub(crate) fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    pub(crate) fn pre(&self) -> &InstancePre<TaskState> {
        &self.pre
    }
}

/// A loaded component.
pub struct Component {
    linked: Arc<Linked>,
    compile_time: Option<Duration>,
    functions: Mutex<HashMap<String, Function>>,
}

impl std::fmt::Debug for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Component").field("digest", &self.linked.digest).field("profile", &self.profile()).finish_non_exhaustive()
    }
}

impl Component {
    /// Links a compiled component.
    pub(crate) fn link(
        runtime: &Arc<Runtime>,
        digest: ComponentDigest,
        compiled: Compiled,
        compile_time: Option<Duration>,
    ) -> Result<Component, LoadError> {
        let linker = wasi::link(runtime.engine(), &compiled).map_err(|error| LoadError::component(error.code, error.message))?;
        let pre = linker.instantiate_pre(&compiled).map_err(|error| {
            LoadError::component(ErrorCode::UnsupportedComponent, format!("the component cannot be linked: {error:#}"))
        })?;
        let linked = Arc::new(Linked { digest, runtime: Arc::clone(runtime), compiled, pre });
        Ok(Component { linked, compile_time, functions: Mutex::default() })
    }

    /// The SHA-256 of the component's bytes.
    pub fn digest(&self) -> ComponentDigest {
        self.linked.digest
    }

    /// The profile that it was compiled for.
    pub fn profile(&self) -> Profile {
        self.linked.runtime.profile()
    }

    /// How long it took to compile, where this process did.
    pub fn compile_time(&self) -> Option<Duration> {
        self.compile_time
    }

    /// An export that can be called: `ns:pkg/interface@1.2.0#func`, where the version may be left out when only one fits, or
    /// `func` for a function of the world itself. Prepared once; asking again is cheap.
    ///
    /// # Errors
    /// [`BindError`]: `unknown-export` with the nearest name, `unsupported-export` when a type cannot be a value.
    pub fn function(&self, export: &str) -> Result<Function, BindError> {
        let mut functions = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(function) = functions.get(export) {
            return Ok(function.clone());
        }
        let function = Function::bind(&self.linked, export)?;
        functions.insert(export.to_owned(), function.clone());
        Ok(function)
    }

    /// All exported functions by their full names, whether they can be tasks or not.
    pub fn exports(&self) -> Vec<String> {
        exports(&self.linked)
    }
}

/// All exported functions by their full names.
pub(crate) fn exports(linked: &Linked) -> Vec<String> {
    let engine = linked.runtime.engine();
    let ty = linked.compiled.component_type();
    let mut names = Vec::new();
    for (name, export) in ty.exports(engine) {
        match export.ty {
            ComponentItem::ComponentFunc(_) => names.push(name.to_owned()),
            ComponentItem::ComponentInstance(instance) => names.extend(
                instance
                    .exports(engine)
                    .filter(|(_, export)| matches!(export.ty, ComponentItem::ComponentFunc(_)))
                    .map(|(function, _)| format!("{name}#{function}")),
            ),
            ComponentItem::CoreFunc(_)
            | ComponentItem::Module(_)
            | ComponentItem::Component(_)
            | ComponentItem::Type(_)
            | ComponentItem::Resource(_) => {}
        }
    }
    names
}

/// Checks that bytes are those of a digest, before they are given to a compiler.
pub(crate) fn check_digest(digest: ComponentDigest, bytes: &[u8]) -> Result<(), LoadError> {
    if bytes.len() <= COMPONENT_BYTES_MAX && ComponentDigest::of(bytes) != digest {
        return Err(LoadError::component(
            ErrorCode::DigestMismatch,
            format!("the component's bytes do not have the digest {digest}"),
        ));
    }
    Ok(())
}

/// Judges a component's bytes before they are compiled, as the scheduler and `check` do.
pub(crate) fn check_bytes(bytes: &[u8]) -> Result<(), LoadError> {
    Interface::judge(bytes).map(drop).map_err(|error| {
        let hint = error.hint().map_or_else(String::new, |hint| format!("\n  hint: {hint}"));
        LoadError::component(error.code(), format!("{error}{hint}"))
    })
}

/// What a failure to compile means.
pub(crate) fn compile_error(error: &wasmtime::Error) -> LoadError {
    let text = format!("{error:#}");
    let invalid =
        error.chain().any(|cause| cause.is::<wasmparser::BinaryReaderError>()) || text.contains("Invalid input WebAssembly");
    if !invalid {
        return LoadError::component(ErrorCode::CompileFailed, format!("the component cannot be compiled: {text}"));
    }
    if ["feature", "not enabled", "be enabled", "disabled", "not supported", "require"].iter().any(|word| text.contains(word)) {
        return LoadError::component(
            ErrorCode::UnsupportedComponent,
            format!("the component needs what tasks do not have: {text}"),
        );
    }
    LoadError::component(ErrorCode::NotAComponent, format!("the component is not valid: {text}"))
}
