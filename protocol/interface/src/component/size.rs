//! What one component may have of what a slot has room for, and of what would cost the validator more than its bytes: counted
//! where the bytes say it, before anything is validated.
//!
//! The sandbox's pool has the same limits; it also counts what instances of instances add up to, which only compiling tells.

use crate::interface::InterfaceError;
use wasm_tasks_protocol::limits::{
    COMPONENT_COPIES_MAX, COMPONENT_MEMORIES_MAX, COMPONENT_PARTS_MAX, COMPONENT_TABLES_MAX, TABLE_ELEMENTS_MAX,
};
use wasmparser::{ComponentType, ComponentTypeSectionReader, CoreType, Parser, Payload};

/// Refuses what no slot has room for, and instances whose exports the validator would copy over and over.
pub(super) fn refuse_too_large(component: &[u8]) -> Result<(), InterfaceError> {
    let mut counts = Counts { copies_max: COMPONENT_COPIES_MAX + component.len() / 4, ..Counts::default() };
    for payload in Parser::new(0).parse_all(component) {
        // What is no component is the validator's to say.
        let Ok(payload) = payload else { return Ok(()) };
        counts.take(&payload)?;
    }
    Ok(())
}

#[derive(Default)]
struct Counts {
    copies_max: usize,
    /// Exports of the components that are being read, the innermost last.
    exports: Vec<usize>,
    /// The most that a component or a type of one has.
    exports_max: usize,
    instances: usize,
    /// The most exports that a core module or a type of one has.
    module_exports_max: usize,
    core_instances: usize,
    /// Modules and components, itself included.
    parts: u32,
}

impl Counts {
    fn take(&mut self, payload: &Payload<'_>) -> Result<(), InterfaceError> {
        match payload {
            Payload::Version { .. } => {
                self.exports.push(0);
                self.parts += 1;
                limit(self.parts, COMPONENT_PARTS_MAX, "modules and components in one component")?;
            }
            Payload::End(_) => drop(self.exports.pop()),
            Payload::ComponentExportSection(section) => {
                if let Some(exports) = self.exports.last_mut() {
                    *exports += section.count() as usize;
                    self.exports_max = self.exports_max.max(*exports);
                }
            }
            Payload::ComponentTypeSection(section) => self.types(section.clone()),
            Payload::ComponentInstanceSection(section) => {
                self.instances += section.count() as usize;
                self.copies(self.instances, self.exports_max)?;
            }
            Payload::ExportSection(section) => {
                self.module_exports_max = self.module_exports_max.max(section.count() as usize);
            }
            Payload::CoreTypeSection(section) => {
                for ty in section.clone().into_iter().flatten() {
                    if let CoreType::Module(declarations) = ty {
                        self.module_exports_max = self.module_exports_max.max(declarations.len());
                    }
                }
            }
            Payload::InstanceSection(section) => {
                self.core_instances += section.count() as usize;
                self.copies(self.core_instances, self.module_exports_max)?;
            }
            Payload::MemorySection(section) => limit(section.count(), COMPONENT_MEMORIES_MAX, "memories in one module")?,
            Payload::TableSection(section) => {
                limit(section.count(), COMPONENT_TABLES_MAX, "tables in one module")?;
                for table in section.clone().into_iter().flatten() {
                    let elements = u32::try_from(table.ty.initial).unwrap_or(u32::MAX);
                    limit(elements, TABLE_ELEMENTS_MAX, "elements in one table")?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn copies(&self, instances: usize, exports: usize) -> Result<(), InterfaceError> {
        if instances.saturating_mul(exports) > self.copies_max {
            return Err(InterfaceError::TooManyCopies { instances, exports });
        }
        Ok(())
    }

    /// Types of components and of instances have exports too.
    fn types(&mut self, section: ComponentTypeSectionReader<'_>) {
        for ty in section.into_iter().flatten() {
            let declarations = match ty {
                ComponentType::Component(declarations) => declarations.len(),
                ComponentType::Instance(declarations) => declarations.len(),
                ComponentType::Defined(_) | ComponentType::Func(_) | ComponentType::Resource { .. } => 0,
            };
            self.exports_max = self.exports_max.max(declarations);
        }
    }
}

fn limit(found: u32, max: u32, what: &str) -> Result<(), InterfaceError> {
    if found <= max {
        return Ok(());
    }
    Err(InterfaceError::Unsupported(format!("{found} {what}; there is room for {max}")))
}
