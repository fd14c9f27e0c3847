//! Counts a task's memory: linear memories and tables together.
//!
//! wasmtime's own limiter limits every memory for itself, so a component with four memories would get four times its limit.

use wasmtime::{ResourceLimiter, Result};

/// Bytes of a table's element.
const ELEMENT_BYTES: u64 = size_of::<usize>() as u64;
/// Core instances, memories and tables of one task. A CPython component has about thirty instances.
const INSTANCES_MAX: usize = 200;

/// The meter of one task.
#[derive(Debug)]
pub(crate) struct MemoryMeter {
    limit: u64,
    used: u64,
    peak: u64,
    refused: bool,
}

impl MemoryMeter {
    pub(crate) fn new(limit: u64) -> MemoryMeter {
        MemoryMeter { limit, used: 0, peak: 0, refused: false }
    }

    /// The most that was in use at once.
    pub(crate) fn peak(&self) -> u64 {
        self.peak
    }

    /// Whether growth was refused. A guest that fails afterwards failed for want of memory.
    pub(crate) fn is_refused(&self) -> bool {
        self.refused
    }

    fn grow(&mut self, more: u64) -> bool {
        match self.used.checked_add(more).filter(|used| *used <= self.limit) {
            Some(used) => {
                self.used = used;
                self.peak = self.peak.max(used);
                true
            }
            None => {
                self.refused = true;
                false
            }
        }
    }
}

impl ResourceLimiter for MemoryMeter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        // Beyond the memory's own maximum it will fail anyway, and must not count.
        Ok(maximum.is_none_or(|maximum| desired <= maximum) && self.grow(desired.saturating_sub(current) as u64))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        let more = desired.saturating_sub(current) as u64;
        Ok(maximum.is_none_or(|maximum| desired <= maximum) && self.grow(more.saturating_mul(ELEMENT_BYTES)))
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> Result<()> {
        self.refused = true;
        Ok(())
    }

    fn instances(&self) -> usize {
        INSTANCES_MAX
    }

    fn memories(&self) -> usize {
        INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        INSTANCES_MAX
    }
}
