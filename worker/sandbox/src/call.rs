//! What a call is given and what comes of it.
//!
//! Owns the words of the interface; knows no engine.

use crate::resolve::Resolve;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use wasm_tasks_protocol::TaskError;
use wasm_tasks_protocol::graph::{Grant, Settings};
use wasm_tasks_protocol::limits::{RESULT_BYTES_MAX_DEFAULT, TASK_MEMORY_BYTES_DEFAULT, TIMEOUT_MS_DEFAULT};

/// One call of an export.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The arguments.
    pub args: Arguments<'a>,
    /// What the call may use.
    pub limits: Limits,
    /// The `seed` option: together with component, export and arguments it seeds the task's randomness.
    pub seed: u64,
    /// What the call may do beyond computing.
    pub grants: Grants,
    /// Stops the call from another thread.
    pub cancel: &'a CancelFlag,
}

/// Arguments as they stand in a graph file.
#[derive(Clone, Copy)]
pub struct Arguments<'a> {
    /// One MessagePack array of leading arguments, or nothing at all.
    pub bound: &'a [u8],
    /// One MessagePack array of the arguments after the bound ones, or a map from parameter names to arguments, in the file
    /// or the typed encoding. References (ext 1 and 2) may stand for any value in it, however nested.
    pub bytes: &'a [u8],
    /// Where references lead.
    pub resolve: &'a dyn Resolve,
}

/// What a call may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all linear memories and tables together.
    pub memory_bytes: u64,
    /// Units of fuel; needs a component that was loaded with [`Profile::Metered`](crate::Profile).
    pub fuel: Option<u64>,
    /// Wall time.
    pub wall: Duration,
    /// Bytes of the result in the typed encoding.
    pub result_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            memory_bytes: TASK_MEMORY_BYTES_DEFAULT,
            fuel: None,
            wall: Duration::from_millis(TIMEOUT_MS_DEFAULT),
            result_bytes_max: RESULT_BYTES_MAX_DEFAULT,
        }
    }
}

impl From<&Settings> for Limits {
    fn from(settings: &Settings) -> Limits {
        Limits {
            memory_bytes: settings.memory_bytes,
            fuel: settings.fuel,
            wall: settings.timeout.to_std(),
            result_bytes_max: settings.result_bytes_max,
        }
    }
}

/// What a call may do beyond computing. Nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// The real clock instead of a virtual one; sleeping then really waits.
    pub clock: bool,
    /// Real randomness instead of a seeded one.
    pub entropy: bool,
}

impl From<&[Grant]> for Grants {
    fn from(grants: &[Grant]) -> Grants {
        Grants { clock: grants.contains(&Grant::Clock), entropy: grants.contains(&Grant::Entropy) }
    }
}

/// Stops a call from another thread. A call that has not begun ends at once, a running one within milliseconds.
#[derive(Debug, Default)]
pub struct CancelFlag(AtomicBool);

impl CancelFlag {
    /// Not cancelled.
    pub const fn new() -> CancelFlag {
        CancelFlag(AtomicBool::new(false))
    }

    /// Stops the call.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`cancel`](CancelFlag::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What came of a call.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The result in the typed encoding (nil where there is none), or why there is none. Tasks, as the guest wrote them, when
    /// `is_delegation`.
    pub result: Result<Vec<u8>, TaskError>,
    /// Whether the call ended in tasks, of which one takes its place, instead of with a result.
    pub is_delegation: bool,
    /// The last bytes of standard output, after a note of how many were dropped where some were.
    pub stdout: Vec<u8>,
    /// The same of standard error.
    pub stderr: Vec<u8>,
    /// Whether bytes of either were dropped.
    pub logs_truncated: bool,
    /// Peak of linear memories and tables together.
    pub memory_peak_bytes: u64,
    /// Fuel used, in the metered profile.
    pub fuel_used: Option<u64>,
    /// How long the call took. It never waits without the grant `clock`, so this is its processor time as well,
    /// but for what other threads of the machine took away.
    pub wall: Duration,
}
