//! The boundary to whatever runs tasks: what it is given, what it gives back.
//!
//! Knows no threads and no sandbox. Everything that crosses it is plain data, a lookup of inputs, or a flag, so that it
//! can lead into another process.

use crate::graphs::DataEntry;
use crate::store::Value;
use crate::table::Table;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use wasm_tasks_protocol::graph::Settings;
use wasm_tasks_protocol::message::FunctionSpec;
use wasm_tasks_protocol::{ComponentDigest, TaskError, TaskIndex};

/// Loads components and runs their exports.
pub trait Runner: Send + Sync + 'static {
    /// A loaded component.
    type Module: Send + Sync + 'static;
    /// An export that is ready to be called.
    type Function: Send + Sync + 'static;
    /// Stops a call from another thread.
    type Cancel: Default + Send + Sync + 'static;

    /// Loads a component; `bytes` gets its bytes where they are needed, and nothing when they cannot be had. May take long.
    ///
    /// # Errors
    /// Why tasks of it cannot run.
    fn load(&self, wanted: &ComponentWanted, bytes: &mut dyn FnMut() -> Option<Bytes>) -> Result<Self::Module, TaskError>;

    /// Prepares an export.
    ///
    /// # Errors
    /// Why its tasks cannot run.
    fn bind(&self, module: &Self::Module, function: &FunctionSpec) -> Result<Self::Function, TaskError>;

    /// Runs a task on the caller's thread, which has a stack of [`STACK_BYTES`].
    fn run(&self, function: &Self::Function, call: &Call<'_>, cancel: &Self::Cancel) -> CallOutcome;

    /// Fresh instances that were made so far: one for each task that began.
    fn instantiations(&self) -> u64;

    /// Makes a call end soon, or not begin.
    fn cancel(cancel: &Self::Cancel);
}

/// A component that is to be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComponentWanted {
    /// Which.
    pub digest: ComponentDigest,
    /// Whether its tasks are metered.
    pub is_metered: bool,
    /// For whom, as the scheduler counts clients; 0 where that is not known. Loads of one do not hold up those of others.
    pub client: u64,
}

/// Bytes of stack of the threads that tasks run on: a task's own
/// ([`STACK_BYTES`](wasm_tasks_protocol::limits::STACK_BYTES)) and as much again, and more, for the host's frames.
pub const STACK_BYTES: usize = 4 * wasm_tasks_protocol::limits::STACK_BYTES;

/// One task, for a [`Runner`].
pub struct Call<'a> {
    /// The array of bound arguments, or nothing.
    pub bound: &'a [u8],
    /// The arguments in the file encoding.
    pub args: &'a [u8],
    /// Where references lead.
    pub inputs: &'a Inputs,
    /// Limits, grants and seed.
    pub settings: &'a Settings,
}

/// The results and data entries that a task may refer to.
pub struct Inputs {
    /// Sorted by task.
    results: Vec<(TaskIndex, Bytes)>,
    data: Arc<Table<Arc<DataEntry>>>,
}

impl Inputs {
    /// Gathers inputs, which are sorted by task; what was spilled is read back.
    ///
    /// # Errors
    /// When that fails: the worker's fault.
    pub(crate) fn gather(values: Vec<(TaskIndex, Value)>, data: Arc<Table<Arc<DataEntry>>>) -> Result<Inputs, TaskError> {
        let mut results = Vec::with_capacity(values.len());
        for (task, value) in values {
            results.push((task, value.load()?));
        }
        Ok(Inputs { results, data })
    }

    /// A result's typed encoding.
    pub fn result(&self, task: TaskIndex) -> Option<&[u8]> {
        let at = self.results.binary_search_by_key(&task, |(task, _)| *task).ok()?;
        Some(&self.results[at].1)
    }

    /// A data entry's bytes, and whether they are a `list<u8>` rather than a value.
    pub fn data(&self, position: u32) -> Option<(&[u8], bool)> {
        let entry = self.data.get(position as usize)?;
        Some((entry.bytes()?, entry.is_raw()))
    }
}

/// What came of a call.
#[derive(Debug)]
pub struct CallOutcome {
    /// The result in the typed encoding, or tasks when `is_delegation`.
    pub result: Result<Vec<u8>, TaskError>,
    /// Whether it ended in tasks, of which one takes its place.
    pub is_delegation: bool,
    /// The end of standard output.
    pub stdout: Vec<u8>,
    /// The end of standard error.
    pub stderr: Vec<u8>,
    /// Peak of linear memory.
    pub memory_peak_bytes: u64,
    /// Fuel used, when metered.
    pub fuel_used: Option<u64>,
    /// How long it took.
    pub wall: Duration,
}
