//! The components that are loaded: each once, whoever asks, and failures remembered.

use crate::abi::compiled;
use crate::cache::{DiskCache, Entry};
use crate::component::{Component, LoadError, check_bytes, compile_error};
use crate::engine::{Profile, Runtime};
use bytes::Bytes;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
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
    components_max: usize,
    /// Counts loads; the order of use.
    clock: AtomicU64,
}

impl Loading {
    pub(crate) fn new(disk: Option<DiskCache>, components_max: usize) -> Loading {
        Loading { slots: Mutex::default(), disk, components_max: components_max.max(1), clock: AtomicU64::new(0) }
    }

    /// Loads a component.
    pub(crate) fn load(
        &self,
        runtime: &Arc<Runtime>,
        digest: ComponentDigest,
        profile: Profile,
        bytes: impl FnOnce() -> Option<Bytes>,
    ) -> Result<(Arc<Component>, Origin), LoadError> {
        let slot = self.slot((digest, profile));
        let mut state = slot.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*state {
            return known.clone().map(|component| (component, Origin::Memory));
        }
        let loaded = self.load_anew(runtime, digest, bytes);
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
        digest: ComponentDigest,
        bytes: impl FnOnce() -> Option<Bytes>,
    ) -> Result<(Arc<Component>, Origin), LoadError> {
        let Some(disk) = &self.disk else {
            let (code, time) = compile(runtime, digest, bytes)?;
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
        let (code, time) = compile(runtime, digest, bytes)?;
        let loaded = store(&entry, runtime, &code)?;
        disk.make_room(&entry);
        linked(runtime, digest, loaded, Origin::Compiled(time))
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

fn compile(
    runtime: &Runtime,
    digest: ComponentDigest,
    bytes: impl FnOnce() -> Option<Bytes>,
) -> Result<(Vec<u8>, Duration), LoadError> {
    let bytes = bytes().ok_or(LoadError::NotAvailable(digest))?;
    check_bytes(digest, &bytes)?;
    let start = Instant::now();
    // wasmtime does not promise that its compiler never panics on hostile input.
    let compiled = catch_unwind(AssertUnwindSafe(|| runtime.engine().precompile_component(&bytes)))
        .map_err(|_| LoadError::component(ErrorCode::CompileFailed, "the compiler failed on this component"))?;
    let code = compiled.map_err(|error| compile_error(&error))?;
    tracing::info!(%digest, profile = runtime.profile().as_str(), seconds = start.elapsed().as_secs_f64(), "compiled a component");
    Ok((code, start.elapsed()))
}

fn engine_error(error: wasmtime::Error) -> LoadError {
    let text = format!("{error:#}");
    if text.contains("pooling allocator requirements") {
        return LoadError::component(ErrorCode::UnsupportedComponent, format!("the component is too large for a slot: {text}"));
    }
    LoadError::Engine(format!("compiled code cannot be loaded: {text}"))
}
