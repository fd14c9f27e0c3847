//! The one place that builds a wasmtime `Config`, and the engine made of it.
//!
//! **Invariant:** compiled code is shared between processes by the hash of this configuration, so nothing else may build one.

use super::ticker::{Running, Ticker};
use super::{EngineError, EngineSettings, Profile, probe};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wasm_tasks_protocol::limits::{COMPONENT_MEMORIES_MAX, COMPONENT_TABLES_MAX, STACK_BYTES, TABLE_ELEMENTS_MAX};
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Strategy, WasmBacktraceDetails};

/// Frames of a backtrace.
pub(crate) const FRAMES_MAX: usize = 20;
/// Memory of a slot that stays resident between tasks, where the machine can find the pages that were used. With it 127,900
/// isolated Rust tasks a second run on 2 cores, without it 24,700 (measured 2026-11-22).
const KEEP_MEMORY_BYTES: usize = 64 << 20;
const KEEP_TABLE_BYTES: usize = 1 << 20;
/// What one component may have. CPython has about 30 core instances and tables of 10,000 elements.
const CORE_INSTANCES_MAX: u32 = 100;
const MEMORIES_MAX: u32 = COMPONENT_MEMORIES_MAX;
const TABLES_MAX: u32 = COMPONENT_TABLES_MAX;

/// An engine of one profile.
pub(crate) struct Runtime {
    engine: wasmtime::Engine,
    profile: Profile,
    ticker: Arc<Ticker>,
    instantiations: AtomicU64,
    description: String,
}

impl Runtime {
    /// Makes an engine: pooling where the address space allows it, otherwise on demand.
    pub(super) fn new(settings: &EngineSettings, profile: Profile, ticker: &Arc<Ticker>) -> Result<Runtime, EngineError> {
        let keep_resident = probe::can_keep_resident();
        let pooled = wasmtime::Engine::new(&config(profile, Some((settings.slots, keep_resident))).map_err(engine_error)?);
        let (engine, description) = match pooled {
            Ok(engine) => {
                (engine, format!("pooling, {} slots, keep-resident {}", settings.slots, if keep_resident { "on" } else { "off" }))
            }
            Err(error) => {
                tracing::warn!(%error, "no address space for a pool; instances are allocated on demand");
                let engine = wasmtime::Engine::new(&config(profile, None).map_err(engine_error)?).map_err(engine_error)?;
                (engine, "on demand".to_owned())
            }
        };
        ticker.add(engine.weak());
        Ok(Runtime { engine, profile, ticker: Arc::clone(ticker), instantiations: AtomicU64::new(0), description })
    }

    /// An engine that only compiles: its code is loaded by the others, so its configuration is theirs but for the pool.
    pub(crate) fn compiler(profile: Profile) -> Result<wasmtime::Engine, EngineError> {
        wasmtime::Engine::new(&config(profile, None).map_err(engine_error)?).map_err(engine_error)
    }

    pub(crate) fn engine(&self) -> &wasmtime::Engine {
        &self.engine
    }

    pub(crate) fn profile(&self) -> Profile {
        self.profile
    }

    /// Keeps the clock ticking until it is dropped.
    pub(crate) fn enter(&self) -> Running<'_> {
        self.ticker.enter()
    }

    /// Counts a fresh instance.
    pub(crate) fn count_instance(&self) {
        self.instantiations.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn instantiations(&self) -> u64 {
        self.instantiations.load(Ordering::Relaxed)
    }

    pub(super) fn description(&self) -> &str {
        &self.description
    }
}

fn engine_error(error: wasmtime::Error) -> EngineError {
    EngineError::Engine(format!("{error:#}"))
}

/// The configuration. `pool` has the number of slots and whether they may keep memory resident.
fn config(profile: Profile, pool: Option<(usize, bool)>) -> wasmtime::Result<Config> {
    let mut config = Config::new();
    config.strategy(Strategy::Cranelift).cranelift_opt_level(OptLevel::Speed);
    // Results must not depend on the machine: canonical NaNs, and no instruction beyond the target's baseline.
    config.cranelift_nan_canonicalization(true).target(TARGET)?;
    // What tasks do not need: 27 of wasmtime's 44 advisories of autumn 2026 are in these.
    config.wasm_component_model(true).concurrency_support(false);
    config.wasm_gc(false).wasm_function_references(false).wasm_exceptions(false);
    config.wasm_threads(false).wasm_memory64(false).wasm_relaxed_simd(false);
    config.epoch_interruption(true).consume_fuel(profile == Profile::Metered);
    config.max_wasm_stack(STACK_BYTES);
    config.memory_init_cow(true);
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable).wasm_backtrace_max_frames(NonZeroUsize::new(FRAMES_MAX));
    config.native_unwind_info(false).debug_info(false);
    if let Some((slots, keep_resident)) = pool {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling(slots, keep_resident)));
    }
    Ok(config)
}

fn pooling(slots: usize, keep_resident: bool) -> PoolingAllocationConfig {
    let slots = u32::try_from(slots.clamp(1, 4_096)).unwrap_or(4_096);
    let mut pool = PoolingAllocationConfig::new();
    // Most components have one memory; the few with more are rarely all at work at once.
    pool.total_component_instances(slots)
        .total_core_instances(40 * slots + CORE_INSTANCES_MAX)
        .total_memories(2 * slots + MEMORIES_MAX)
        .total_tables(4 * slots + TABLES_MAX)
        .total_gc_heaps(0)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_memories_per_module(MEMORIES_MAX)
        .max_tables_per_module(TABLES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX as usize)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(2 << 20)
        .max_unused_warm_slots(slots.saturating_mul(2));
    if keep_resident {
        pool.linear_memory_keep_resident(KEEP_MEMORY_BYTES).table_keep_resident(KEEP_TABLE_BYTES).pagemap_scan(Enabled::Yes);
    } else {
        pool.linear_memory_keep_resident(0).table_keep_resident(0).pagemap_scan(Enabled::No);
    }
    pool
}

/// The machine's target without its extensions: compiled code then runs on every machine of the kind.
const TARGET: &str = if cfg!(all(target_arch = "x86_64", target_os = "linux", target_env = "musl")) {
    "x86_64-unknown-linux-musl"
} else if cfg!(all(target_arch = "x86_64", target_os = "linux")) {
    "x86_64-unknown-linux-gnu"
} else if cfg!(all(target_arch = "aarch64", target_os = "linux", target_env = "musl")) {
    "aarch64-unknown-linux-musl"
} else if cfg!(all(target_arch = "aarch64", target_os = "linux")) {
    "aarch64-unknown-linux-gnu"
} else if cfg!(all(target_arch = "x86_64", target_os = "macos")) {
    "x86_64-apple-darwin"
} else if cfg!(all(target_arch = "aarch64", target_os = "macos")) {
    "aarch64-apple-darwin"
} else if cfg!(all(target_arch = "x86_64", windows)) {
    "x86_64-pc-windows-msvc"
} else {
    panic!("this target is not supported yet: add it here after running the sandbox's tests on it")
};
