//! Loads guests into an engine of this process, with its own cache of compiled code.

use crate::context::Context;
use crate::error::BenchError;
use bytes::Bytes;
use std::sync::Arc;
use wasm_tasks_protocol::ComponentDigest;
use wasm_tasks_sandbox::{Arguments, Call, CancelFlag, Component, Engine, EngineSettings, Grants, Limits, Profile};

/// An engine with one guest.
pub(crate) struct Sandbox {
    pub(crate) engine: Engine,
    pub(crate) component: Arc<Component>,
}

impl Sandbox {
    /// Loads a guest, such as `calc`.
    pub(crate) fn load(context: &Context, guest: &str) -> Result<Sandbox, BenchError> {
        let engine = Engine::new(EngineSettings { cache_dir: Some(context.modules()), ..EngineSettings::default() })
            .map_err(BenchError::at("starting the engine"))?;
        let bytes = context.guest(guest)?;
        let component = engine
            .load(ComponentDigest::of(&bytes), || Some(Bytes::from(bytes)), Profile::Plain)
            .map_err(BenchError::at("loading a guest"))?;
        Ok(Sandbox { engine, component })
    }

    /// Instances made so far.
    pub(crate) fn instantiations(&self) -> u64 {
        self.engine.stats().instantiations
    }
}

/// A call with default limits and these arguments, one MessagePack array.
pub(crate) fn call<'a>(args: &'a [u8], cancel: &'a CancelFlag) -> Call<'a> {
    Call {
        args: Arguments { bound: &[], bytes: args, resolve: &() },
        limits: Limits::default(),
        seed: 0,
        grants: Grants::default(),
        cancel,
    }
}
