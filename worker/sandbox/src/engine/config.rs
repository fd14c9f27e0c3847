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
/// What is kept is a multiple of this, which pages of all machines divide.
const PAGE_BYTES: usize = 64 << 10;
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
        let pool = pooling(settings, keep_resident);
        let pooled = wasmtime::Engine::new(&config(profile, Some(pool)).map_err(engine_error)?);
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

/// The configuration, with a pool of instances or without.
fn config(profile: Profile, pool: Option<PoolingAllocationConfig>) -> wasmtime::Result<Config> {
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
    if let Some(pool) = pool {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    Ok(config)
}

fn pooling(settings: &EngineSettings, keep_resident: bool) -> PoolingAllocationConfig {
    let slots = slots(settings);
    let mut pool = PoolingAllocationConfig::new();
    // Each slot may run a component with as many of each as a component may have: a task never takes
    // the room of another. The pool reserves address space, not memory.
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(CORE_INSTANCES_MAX))
        .total_memories(slots.saturating_mul(MEMORIES_MAX))
        .total_tables(slots.saturating_mul(TABLES_MAX))
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
        let kept = Kept::of(settings);
        pool.linear_memory_keep_resident(kept.memory).table_keep_resident(kept.table).pagemap_scan(Enabled::Yes);
    } else {
        pool.linear_memory_keep_resident(0).table_keep_resident(0).pagemap_scan(Enabled::No);
    }
    pool
}

/// Bytes that stay resident when a task has ended.
pub(super) struct Kept {
    /// Of each memory of the pool.
    memory: usize,
    /// Of each table.
    table: usize,
}

impl Kept {
    /// All pools together keep a quarter of the worker's memory at most, of which tables have a quarter.
    fn of(settings: &EngineSettings) -> Kept {
        let share = settings.memory_bytes / 4 / Profile::ALL.len() as u64 / u64::from(slots(settings));
        let part = |bytes: u64, count: u32, most: usize| {
            usize::try_from(bytes / u64::from(count)).unwrap_or(usize::MAX).min(most) & !(PAGE_BYTES - 1)
        };
        let (of_tables, of_memories) = (share / 4, share - share / 4);
        Kept { memory: part(of_memories, MEMORIES_MAX, KEEP_MEMORY_BYTES), table: part(of_tables, TABLES_MAX, KEEP_TABLE_BYTES) }
    }

    /// What all pools of an engine keep at most.
    pub(super) fn total(settings: &EngineSettings) -> u64 {
        let kept = Kept::of(settings);
        let of_slot = kept.memory as u64 * u64::from(MEMORIES_MAX) + kept.table as u64 * u64::from(TABLES_MAX);
        of_slot * u64::from(slots(settings)) * Profile::ALL.len() as u64
    }
}

fn slots(settings: &EngineSettings) -> u32 {
    u32::try_from(settings.slots.clamp(1, 4_096)).unwrap_or(4_096)
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
