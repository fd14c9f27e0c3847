//! Results that this worker holds, in memory or on disk, by the core's ids.
//!
//! Knows nothing of tasks. Writing to disk happens on threads of the runtime; see `spill`.

use crate::spill::SpillFile;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use wasm_tasks_protocol::TaskError;
use wasm_tasks_worker_core::ResultId;

/// A result's typed encoding. Cloning is cheap.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Memory(Bytes),
    Spilled(Arc<SpillFile>),
}

impl Value {
    /// The bytes; blocks when they are on disk.
    ///
    /// # Errors
    /// The worker's fault: the file cannot be read, or does not hold what was written.
    pub(crate) fn load(self) -> Result<Bytes, TaskError> {
        match self {
            Value::Memory(bytes) => Ok(bytes),
            Value::Spilled(file) => file.read(),
        }
    }
}

/// Results smaller than this stay in memory: a file each would cost more than it frees.
const SPILL_BYTES_MIN: usize = 64 << 10;

#[derive(Debug, Default)]
pub(crate) struct Store {
    values: Vec<Option<(ResultId, Value)>>,
    memory_bytes: u64,
    spilled_bytes: u64,
    /// Those in memory that are worth spilling, the oldest first; some may be gone.
    spillable: VecDeque<ResultId>,
}

impl Store {
    pub(crate) fn get(&self, id: ResultId) -> Option<&Value> {
        self.values.get(id.index())?.as_ref().filter(|(at, _)| *at == id).map(|(_, value)| value)
    }

    pub(crate) fn insert(&mut self, id: ResultId, bytes: Bytes) {
        if self.values.len() <= id.index() {
            self.values.resize_with(id.index() + 1, || None);
        }
        self.memory_bytes += bytes.len() as u64;
        if bytes.len() >= SPILL_BYTES_MIN {
            self.spillable.push_back(id);
        }
        let old = self.values[id.index()].replace((id, Value::Memory(bytes)));
        assert!(old.is_none(), "a result is dropped before its place is used again");
    }

    pub(crate) fn remove(&mut self, id: ResultId) -> Option<Value> {
        self.get(id)?;
        let (_, value) = self.values[id.index()].take()?;
        match &value {
            Value::Memory(bytes) => self.memory_bytes -= bytes.len() as u64,
            Value::Spilled(file) => self.spilled_bytes -= file.len(),
        }
        Some(value)
    }

    /// Bytes in memory.
    pub(crate) const fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// Bytes on disk.
    pub(crate) const fn spilled_bytes(&self) -> u64 {
        self.spilled_bytes
    }

    /// The next result to spill.
    pub(crate) fn next_to_spill(&mut self) -> Option<(ResultId, Bytes)> {
        while let Some(id) = self.spillable.pop_front() {
            if let Some(Value::Memory(bytes)) = self.get(id) {
                return Some((id, bytes.clone()));
            }
        }
        None
    }

    /// A result is on disk now; if it is still needed, its memory is freed.
    pub(crate) fn spilled(&mut self, id: ResultId, file: SpillFile) {
        if let Some(Value::Memory(bytes)) = self.get(id) {
            self.memory_bytes -= bytes.len() as u64;
            self.spilled_bytes += file.len();
            self.values[id.index()] = Some((id, Value::Spilled(Arc::new(file))));
        }
    }
}
