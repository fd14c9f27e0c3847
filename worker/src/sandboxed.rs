//! Tasks in the real sandbox.

use crate::runner::{Call, CallOutcome, ComponentWanted, Inputs, Runner};
use bytes::Bytes;
use std::sync::Arc;
use wasm_tasks_protocol::message::FunctionSpec;
use wasm_tasks_protocol::msgpack::Reader;
use wasm_tasks_protocol::value_type::Step;
use wasm_tasks_protocol::{ErrorCode, TaskError, TaskIndex, Type};
use wasm_tasks_sandbox as sandbox;

/// A [`Runner`] over the sandbox's engine.
#[derive(Debug)]
pub(crate) struct Sandboxed {
    engine: sandbox::Engine,
}

impl Sandboxed {
    pub(crate) const fn new(engine: sandbox::Engine) -> Sandboxed {
        Sandboxed { engine }
    }
}

/// An export, and how it is called.
pub(crate) struct Export {
    function: sandbox::Function,
    /// Set for dynamic functions: the declared type of the result, or nothing.
    dynamic: Option<Option<Type>>,
}

impl Runner for Sandboxed {
    type Module = Arc<sandbox::Component>;
    type Function = Export;
    type Cancel = sandbox::CancelFlag;

    fn load(&self, wanted: &ComponentWanted, bytes: &mut dyn FnMut() -> Option<Bytes>) -> Result<Self::Module, TaskError> {
        let ComponentWanted { digest, is_metered, client } = *wanted;
        let profile = if is_metered { sandbox::Profile::Metered } else { sandbox::Profile::Plain };
        self.engine.load_for(client, digest, bytes, profile).map_err(|error| TaskError::new(error.code(), error.to_string()))
    }

    fn bind(&self, module: &Self::Module, function: &FunctionSpec) -> Result<Export, TaskError> {
        let failed = |error: sandbox::BindError| TaskError::new(error.code, error.message);
        let export = module.function(&function.export).map_err(failed)?;
        let dynamic = match &function.dynamic {
            None => None,
            Some(declared) => {
                let bound = if function.bind.is_empty() { 0 } else { Reader::new(&function.bind).array().unwrap_or(0) };
                export.check_dynamic(bound).map_err(failed)?;
                Some(declared.as_deref().map(parse).transpose()?)
            }
        };
        Ok(Export { function: export, dynamic })
    }

    fn instantiations(&self) -> u64 {
        self.engine.stats().instantiations
    }

    fn run(&self, export: &Export, call: &Call<'_>, cancel: &sandbox::CancelFlag) -> CallOutcome {
        let resolve = References(call.inputs);
        let call = sandbox::Call {
            args: sandbox::Arguments { bound: call.bound, bytes: call.args, resolve: &resolve },
            limits: call.settings.into(),
            seed: call.settings.seed,
            grants: call.settings.grants.as_slice().into(),
            cancel,
        };
        let outcome = match &export.dynamic {
            None => export.function.call(&call),
            Some(declared) => export.function.call_dynamic(&call, declared.as_ref()),
        };
        let sandbox::Outcome { result, is_delegation, stdout, stderr, logs_truncated: _, memory_peak_bytes, fuel_used, wall } =
            outcome;
        CallOutcome { result, is_delegation, stdout, stderr, memory_peak_bytes, fuel_used, wall }
    }

    fn cancel(cancel: &sandbox::CancelFlag) {
        cancel.cancel();
    }
}

fn parse(text: &str) -> Result<Type, TaskError> {
    text.parse().map_err(|error| {
        TaskError::new(ErrorCode::WorkerFault, format!("the declared result type `{text}` cannot be read: {error}"))
    })
}

/// Where the references of a task lead.
struct References<'a>(&'a Inputs);

impl sandbox::Resolve for References<'_> {
    fn task(&self, position: u32, path: &[Step<'_>]) -> Result<sandbox::Resolved<'_>, sandbox::ResolveError> {
        let value = self.0.result(TaskIndex(position)).ok_or(sandbox::ResolveError::Missing)?;
        if path.is_empty() { Ok(sandbox::Resolved::Value(value)) } else { sandbox::follow(value, path) }
    }

    fn data(&self, position: u32) -> Result<sandbox::Resolved<'_>, sandbox::ResolveError> {
        let (bytes, is_raw) = self.0.data(position).ok_or(sandbox::ResolveError::Missing)?;
        Ok(if is_raw { sandbox::Resolved::Raw(bytes) } else { sandbox::Resolved::Value(bytes) })
    }
}
