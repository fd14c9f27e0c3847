//! The engine of a process: wasmtime engines of two profiles, the loaded components, the ticker, statistics.
//!
//! Owns what lives as long as the process. Knows nothing of tasks.

mod config;
mod probe;
mod ticker;

pub(crate) use config::{FRAMES_MAX, Runtime};

use crate::cache::DiskCache;
use crate::component::{Component, LoadError};
use crate::loading::{Loading, Origin};
use bytes::Bytes;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use ticker::Ticker;
use wasm_tasks_judge::{Asker, Judge};
use wasm_tasks_protocol::ComponentDigest;

/// How an engine is set up.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// Where compiled code is kept between runs; none: nowhere. A folder inside it is made with mode 0700.
    pub cache_dir: Option<PathBuf>,
    /// Bytes that the cache folder may have; the code that was not used for the longest time goes first.
    pub cache_bytes_max: u64,
    /// How many calls run at once, each with as many memories, tables and core instances as a component may have. More calls
    /// than that fail with `worker-fault`.
    pub slots: usize,
    /// Bytes of memory that the worker may use; [`kept_bytes_max`](EngineSettings::kept_bytes_max) says what idle slots have of it.
    pub memory_bytes: u64,
    /// How many components stay loaded.
    pub components_max: usize,
    /// Compiles what is not in the cache.
    pub judge: Judge,
}

impl Default for EngineSettings {
    fn default() -> EngineSettings {
        let slots = std::thread::available_parallelism().map_or(1, usize::from);
        EngineSettings {
            cache_dir: None,
            cache_bytes_max: 8 << 30,
            slots,
            memory_bytes: u64::MAX,
            components_max: 256,
            judge: Judge::in_process(),
        }
    }
}

impl EngineSettings {
    /// Bytes that idle slots keep resident between tasks, at most: a quarter of the worker's memory or less.
    pub fn kept_bytes_max(&self) -> u64 {
        config::Kept::total(self)
    }
}

/// Which engine a component is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// The fast one.
    Plain,
    /// The one that counts fuel; costs 20 % in QuickJS and 53 % in CPython (measured 2026-11-22).
    Metered,
}

impl Profile {
    pub(crate) const ALL: [Profile; 2] = [Profile::Plain, Profile::Metered];

    /// The profile that a task with this fuel limit needs.
    pub const fn for_fuel(fuel: Option<u64>) -> Profile {
        match fuel {
            None => Profile::Plain,
            Some(_) => Profile::Metered,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Profile::Plain => "plain",
            Profile::Metered => "metered",
        }
    }
}

/// Why an engine could not be made.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    /// wasmtime refused the configuration, or the machine has too little address space.
    #[error("the WebAssembly engine cannot start: {0}")]
    Engine(String),
    /// The folder for compiled code cannot be used.
    #[error("the cache folder `{path}` cannot be used: {reason}")]
    Cache {
        /// The folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The thread that ends tasks in time cannot be started.
    #[error("the ticker thread cannot be started: {0}")]
    Ticker(String),
}

/// What an engine has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EngineStats {
    /// Loads that found the component in memory.
    pub hits: u64,
    /// Components loaded from the disk cache.
    pub loaded: u64,
    /// Components compiled.
    pub compiled: u64,
    /// Time spent compiling.
    pub compile_time: Duration,
    /// Instances made for calls.
    pub instantiations: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    hits: AtomicU64,
    loaded: AtomicU64,
    compiled: AtomicU64,
    compile_ns: AtomicU64,
}

/// The engine of a process. Cloning is cheap; make one and share it.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let bytes = bytes::Bytes::new();
/// use wasm_tasks_sandbox::{Arguments, Call, CancelFlag, Engine, EngineSettings, Grants, Limits, Profile};
/// let engine = Engine::new(EngineSettings::default())?;
/// let digest = wasm_tasks_protocol::ComponentDigest::of(&bytes);
/// let component = engine.load(digest, || Some(bytes), Profile::Plain)?;
/// let add = component.function("add")?;
/// let outcome = add.call(&Call {
///     args: Arguments { bound: &[], bytes: &[0x92, 1, 2], resolve: &() },
///     limits: Limits::default(),
///     seed: 0,
///     grants: Grants::default(),
///     cancel: &CancelFlag::new(),
/// });
/// assert_eq!(outcome.result?, [3]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    plain: Arc<Runtime>,
    metered: Mutex<Option<Arc<Runtime>>>,
    settings: EngineSettings,
    ticker: Arc<Ticker>,
    loading: Loading,
    counters: Counters,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

impl Engine {
    /// Starts an engine: reserves address space, checks the cache folder, starts the ticker.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn new(settings: EngineSettings) -> Result<Engine, EngineError> {
        let ticker = Arc::new(Ticker::start()?);
        let plain = Arc::new(Runtime::new(&settings, Profile::Plain, &ticker)?);
        let disk = settings.cache_dir.as_deref().map(|dir| DiskCache::open(dir, settings.cache_bytes_max)).transpose()?;
        let loading = Loading::new(disk, settings.judge.clone(), settings.components_max);
        Ok(Engine(Arc::new(Inner { plain, metered: Mutex::new(None), settings, ticker, loading, counters: Counters::default() })))
    }

    /// Loads a component: from memory, from the disk cache, or by compiling `bytes()`, which is asked for only then.
    ///
    /// A component is compiled once at a time: other threads wait for the first, other processes for its file lock. Failures
    /// that depend on the component alone are remembered.
    ///
    /// # Errors
    /// [`LoadError`]; `NotAvailable` when the component would have to be compiled and `bytes()` has none.
    pub fn load(
        &self,
        digest: ComponentDigest,
        bytes: impl FnOnce() -> Option<Bytes>,
        profile: Profile,
    ) -> Result<Arc<Component>, LoadError> {
        self.load_for(0, digest, bytes, profile)
    }

    /// Loads a component as [`Engine::load`] does, for a client: where the judge has processes, they are shared fairly between
    /// clients. Client 0 is nobody: its components are each for themselves.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn load_for(
        &self,
        client: u64,
        digest: ComponentDigest,
        bytes: impl FnOnce() -> Option<Bytes>,
        profile: Profile,
    ) -> Result<Arc<Component>, LoadError> {
        let runtime = self.runtime(profile).map_err(|error| LoadError::Engine(error.to_string()))?;
        let asker = Asker::new("tasks", if client == 0 { start_of(digest) } else { client });
        let (component, origin) = self.0.loading.load(&runtime, &asker, digest, bytes)?;
        let counters = &self.0.counters;
        match origin {
            Origin::Memory => counters.hits.fetch_add(1, Ordering::Relaxed),
            Origin::Disk => counters.loaded.fetch_add(1, Ordering::Relaxed),
            Origin::Compiled(time) => {
                counters.compile_ns.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
                counters.compiled.fetch_add(1, Ordering::Relaxed)
            }
        };
        Ok(component)
    }

    /// What the engine has done so far.
    pub fn stats(&self) -> EngineStats {
        let counters = &self.0.counters;
        let metered = self.0.metered.lock().ok().and_then(|metered| metered.as_ref().map(|runtime| runtime.instantiations()));
        EngineStats {
            hits: counters.hits.load(Ordering::Relaxed),
            loaded: counters.loaded.load(Ordering::Relaxed),
            compiled: counters.compiled.load(Ordering::Relaxed),
            compile_time: Duration::from_nanos(counters.compile_ns.load(Ordering::Relaxed)),
            instantiations: self.0.plain.instantiations() + metered.unwrap_or(0),
        }
    }

    /// Says in one line how instances are allocated, for `--verbose` and reports of problems.
    pub fn describe(&self) -> &str {
        self.0.plain.description()
    }

    fn runtime(&self, profile: Profile) -> Result<Arc<Runtime>, EngineError> {
        if profile == Profile::Plain {
            return Ok(Arc::clone(&self.0.plain));
        }
        let mut metered = self.0.metered.lock().map_err(|_| EngineError::Engine("a thread failed before".to_owned()))?;
        if let Some(runtime) = &*metered {
            return Ok(Arc::clone(runtime));
        }
        let runtime = Arc::new(Runtime::new(&self.0.settings, profile, &self.0.ticker)?);
        *metered = Some(Arc::clone(&runtime));
        Ok(runtime)
    }
}

fn start_of(digest: ComponentDigest) -> u64 {
    digest.0.iter().take(8).fold(0, |all, byte| all << 8 | u64::from(*byte))
}
