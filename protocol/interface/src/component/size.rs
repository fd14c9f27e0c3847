//! What one component may have of what a slot has room for, counted where the bytes say it.
//!
//! The sandbox's pool has the same limits; it also counts what instances of instances add up to, which only compiling tells.

use crate::interface::InterfaceError;
use wasm_tasks_protocol::limits::{COMPONENT_MEMORIES_MAX, COMPONENT_TABLES_MAX, TABLE_ELEMENTS_MAX};
use wasmparser::{BinaryReaderError, Payload};

/// Counts memories and tables module by module.
#[derive(Default)]
pub(super) struct Size {
    too_large: Option<String>,
}

impl Size {
    /// Takes in a part of the component.
    pub(super) fn count(&mut self, payload: &Payload<'_>) -> Result<(), BinaryReaderError> {
        if let Payload::MemorySection(section) = payload {
            self.limit(section.count(), COMPONENT_MEMORIES_MAX, "memories in one module");
        } else if let Payload::TableSection(section) = payload {
            self.limit(section.count(), COMPONENT_TABLES_MAX, "tables in one module");
            for table in section.clone() {
                let elements = table?.ty.initial;
                self.limit(u32::try_from(elements).unwrap_or(u32::MAX), TABLE_ELEMENTS_MAX, "elements in one table");
            }
        }
        Ok(())
    }

    fn limit(&mut self, found: u32, max: u32, what: &str) {
        if found > max && self.too_large.is_none() {
            self.too_large = Some(format!("{found} {what}; a task has room for {max}"));
        }
    }

    /// Refuses what no slot has room for.
    pub(super) fn finish(self) -> Result<(), InterfaceError> {
        self.too_large.map_or(Ok(()), |what| Err(InterfaceError::Unsupported(what)))
    }
}
