//! The components that are loaded: each once, whoever asks, and failures remembered. What must be compiled is given to the judge.

use crate::abi::compiled;
use crate::cache::{DiskCache, Entry};
use crate::component::{Component, LoadError, check_bytes, check_digest, compile_error};
use crate::engine::{Profile, Runtime};
use bytes::Bytes;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use wasm_tasks_judge::{Asker, Judge};
use wasm_tasks_protocol::{ComponentDigest, ErrorCode};

/// Where a component came from.
pub(crate) enum Origin {
    Memory,
    Disk,
    Compiled(Duration),
}

type Key = (ComponentDigest, Profile);

/// One component: whoever holds the lock loads it, and the others wait for the lock.
#[derive(Default)]
struct Slot {
    state: Mutex<Option<Result<Arc<Component>, LoadError>>>,
    used: AtomicU64,
}

/// The loaded components of an engine.
pub(crate) struct Loading {
    slots: Mutex<HashMap<Key, Arc<Slot>>>,
    disk: Option<DiskCache>,
    judge: Judge,
    components_max: usize,
    /// Counts loads; the order of use.
    clock: AtomicU64,
}

impl Loading {
    pub(crate) fn new(disk: Option<DiskCache>, judge: Judge, components_max: usize) -> Loading {
        Loading { slots: Mutex::default(), disk, judge, components_max: components_max.max(1), clock: AtomicU64::new(0) }
    }

    /// Loads a component.
    pub(crate) fn load(
        &self,
        runtime: &Arc<Runtime>,
        asker: &Asker,
        digest: ComponentDigest,
        bytes: impl FnOnce() -> Option<Bytes>,
    ) -> Result<(Arc<Component>, Origin), LoadError> {
        let slot = self.slot((digest, runtime.profile()));
        let mut state = slot.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*state {
            return known.clone().map(|component| (component, Origin::Memory));
        }
        let loaded = self.load_anew(runtime, asker, digest, bytes);
        match &loaded {
            Ok((component, _)) => *state = Some(Ok(Arc::clone(component))),
            // Another try would end the same way, perhaps after seconds of compiling.
            Err(error) if !error.is_retryable() => *state = Some(Err(error.clone())),
            Err(_) => {}
        }
        loaded
    }

    /// Finds or makes the slot of a component, and makes room for it.
    fn slot(&self, key: Key) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = Arc::clone(slots.entry(key).or_default());
        slot.used.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        while slots.len() > self.components_max {
            // Whoever still holds the component keeps it; it is only forgotten here.
            let idle = slots.iter().filter(|(_, slot)| Arc::strong_count(slot) == 1);
            let Some(oldest) = idle.min_by_key(|(_, slot)| slot.used.load(Ordering::Relaxed)).map(|(key, _)| *key) else { break };
            slots.remove(&oldest);
        }
        slot
    }

    fn load_anew(
        &self,
        runtime: &Arc<Runtime>,
        asker: &Asker,
        digest: ComponentDigest,
        bytes: impl FnOnce() -> Option<Bytes>,
    ) -> Result<(Arc<Component>, Origin), LoadError> {
        let Some(disk) = &self.disk else {
            let (code, time) = self.compile(runtime, asker, digest, bytes)?;
            let loaded = compiled::from_bytes(runtime.engine(), &code).map_err(engine_error)?;
            return linked(runtime, digest, loaded, Origin::Compiled(time));
        };
        let entry = disk.entry(runtime, digest);
        if let Some(loaded) = entry.load(runtime.engine()) {
            return linked(runtime, digest, loaded, Origin::Disk);
        }
        // Another process may be compiling it: after waiting for its lock, look again.
        let _lock = entry.lock();
        if let Some(loaded) = entry.load(runtime.engine()) {
            return linked(runtime, digest, loaded, Origin::Disk);
        }
        let (code, time) = self.compile(runtime, asker, digest, bytes)?;
        let loaded = store(&entry, runtime, &code)?;
        disk.make_room(&entry, code.len() as u64);
        linked(runtime, digest, loaded, Origin::Compiled(time))
    }

    fn compile(
        &self,
        runtime: &Runtime,
        asker: &Asker,
        digest: ComponentDigest,
        bytes: impl FnOnce() -> Option<Bytes>,
    ) -> Result<(Bytes, Duration), LoadError> {
        let bytes = bytes().ok_or(LoadError::NotAvailable(digest))?;
        check_digest(digest, &bytes)?;
        let start = Instant::now();
        let code = match self.judge.code_blocking(asker, digest, runtime.profile() == Profile::Metered, bytes.clone()) {
            Some(Ok(code)) => code,
            Some(Err(failure)) if failure.is_lasting() => return Err(LoadError::component(failure.code(), failure.to_string())),
            Some(Err(failure)) => return Err(LoadError::Engine(failure.to_string())),
            None => {
                // wasmtime does not promise that its compiler never panics on hostile input.
                let compiled = catch_unwind(AssertUnwindSafe(|| compile_with(runtime.engine(), &bytes)))
                    .map_err(|_| LoadError::component(ErrorCode::CompileFailed, "the compiler failed on this component"))?;
                compiled?.into()
            }
        };
        tracing::info!(%digest, profile = runtime.profile().as_str(), seconds = start.elapsed().as_secs_f64(), "compiled a component");
        Ok((code, start.elapsed()))
    }
}

/// Writes compiled code to the disk cache and maps it from there; a full disk costs the cache, not the task.
fn store(entry: &Entry<'_>, runtime: &Runtime, code: &[u8]) -> Result<wasmtime::component::Component, LoadError> {
    match entry.store(code) {
        Ok(()) => {
            if let Some(loaded) = entry.load(runtime.engine()) {
                return Ok(loaded);
            }
        }
        Err(error) => tracing::warn!(%error, "compiled code could not be written to the cache"),
    }
    compiled::from_bytes(runtime.engine(), code).map_err(engine_error)
}

fn linked(
    runtime: &Arc<Runtime>,
    digest: ComponentDigest,
    loaded: wasmtime::component::Component,
    origin: Origin,
) -> Result<(Arc<Component>, Origin), LoadError> {
    let time = match origin {
        Origin::Compiled(time) => Some(time),
        Origin::Memory | Origin::Disk => None,
    };
    Ok((Arc::new(Component::link(runtime, digest, loaded, time)?), origin))
}

/// Compiles a component in this process, with nothing but the compiler: for a process that judges, which has given up the rest.
///
/// # Errors
/// The code and the message under which people see why it has no code.
pub fn compile_here(component: &[u8], profile: Profile) -> Result<Vec<u8>, (ErrorCode, String)> {
    let engine = Runtime::compiler(profile).map_err(|error| (ErrorCode::WorkerFault, error.to_string()))?;
    compile_with(&engine, component).map_err(|error| (error.code(), error.to_string()))
}

fn compile_with(engine: &wasmtime::Engine, component: &[u8]) -> Result<Vec<u8>, LoadError> {
    check_bytes(component)?;
    engine.precompile_component(component).map_err(|error| compile_error(&error))
}

fn engine_error(error: wasmtime::Error) -> LoadError {
    let text = format!("{error:#}");
    if text.contains("pooling allocator requirements") {
        return LoadError::component(ErrorCode::UnsupportedComponent, format!("the component is too large for a slot: {text}"));
    }
    LoadError::Engine(format!("compiled code cannot be loaded: {text}"))
}
