//! Reads the interface of a component from hostile bytes.
//!
//! wasmparser's validator checks everything and knows the types of imports and exports, so nothing here depends on how a tool
//! laid the bytes out. [`Interface::judge`] is the one judgement of a component for all: `check`, the scheduler and the sandbox
//! refuse for it, with its words, or not at all.

mod host;
mod imports;
mod looks;
mod size;
mod types;

pub use self::host::host_functions;
use self::types::TypeReader;
use crate::interface::{Export, Interface, InterfaceError, NamedType, UnsupportedExport};
use wasm_tasks_protocol::Type;
use wasm_tasks_protocol::limits::{COMPONENT_BYTES_MAX, COMPONENT_EXPORTS_MAX, SIGNATURE_PARTS_MAX};
use wasmparser::component_types::{ComponentAnyTypeId, ComponentEntityType, ComponentFuncTypeId, ComponentValType};
use wasmparser::types::Types;
use wasmparser::{BinaryReaderError, FuncValidatorAllocations, Parser, Payload, ValidPayload, Validator, WasmFeatures};

/// What the sandbox has switched on (`docs/security.md`): wasmparser's defaults without what is off there.
fn sandbox_features() -> WasmFeatures {
    WasmFeatures::default()
        - WasmFeatures::CM_ASYNC
        - WasmFeatures::GC
        - WasmFeatures::FUNCTION_REFERENCES
        - WasmFeatures::EXCEPTIONS
        - WasmFeatures::THREADS
        - WasmFeatures::MEMORY64
        - WasmFeatures::RELAXED_SIMD
}

/// A valid component: its types, and the names of what it imports and exports.
struct Validated {
    types: Types,
    imports: Vec<String>,
    exports: Vec<String>,
}

/// Whether the bodies of functions are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bodies {
    Checked,
    Skipped,
}

fn validate(component: &[u8], features: WasmFeatures, bodies: Bodies) -> Result<Validated, BinaryReaderError> {
    let mut validator = Validator::new_with_features(features);
    let (mut imports, mut exports, mut depth) = (Vec::new(), Vec::new(), 0_usize);
    let mut types = None;
    let mut allocations = FuncValidatorAllocations::default();
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload?;
        match validator.payload(&payload)? {
            ValidPayload::Func(function, body) if bodies == Bodies::Checked => {
                let mut validator = function.into_validator(allocations);
                validator.validate(&body)?;
                allocations = validator.into_allocations();
            }
            ValidPayload::Parser(_) => depth += 1,
            ValidPayload::End(_) if depth > 0 => depth -= 1,
            ValidPayload::End(end) => types = Some(end),
            ValidPayload::Ok | ValidPayload::Func(..) => {}
        }
        if depth > 0 {
            continue;
        }
        if let Payload::ComponentImportSection(section) = payload {
            for import in section {
                imports.push(import?.name.name.to_owned());
            }
        } else if let Payload::ComponentExportSection(section) = payload {
            for export in section {
                exports.push(export?.name.name.to_owned());
            }
        }
    }
    let types = types.expect("the parser gives an end, or an error before it");
    Ok(Validated { types, imports, exports })
}

impl Interface {
    /// Reads the interface of a component, leaving the bodies of its functions aside: for those who only want its types.
    ///
    /// # Errors
    /// [`InterfaceError`] when the bytes are no component, or one that cannot run here.
    pub fn read(component: &[u8]) -> Result<Interface, InterfaceError> {
        interface(component, Bodies::Skipped)
    }

    /// Reads the interface of a component that is to run: everything that can be wrong with it is said here, but for what
    /// compiling alone can tell. Takes about a second for 100 MB.
    ///
    /// # Errors
    /// As for [`Interface::read`], and `not-a-component` when the body of a function is not valid.
    pub fn judge(component: &[u8]) -> Result<Interface, InterfaceError> {
        interface(component, Bodies::Checked)
    }
}

fn interface(component: &[u8], bodies: Bodies) -> Result<Interface, InterfaceError> {
    if component.len() > COMPONENT_BYTES_MAX {
        return Err(InterfaceError::TooLarge { bytes: component.len(), max: COMPONENT_BYTES_MAX });
    }
    looks::refuse_what_is_no_component(component)?;
    size::refuse_too_large(component)?;
    let validated = match validate(component, sandbox_features(), bodies) {
        Ok(validated) => validated,
        Err(error) => return Err(why_invalid(component, bodies, &error)),
    };
    validated.refuse_unsupported_imports()?;
    validated.into_interface()
}

/// A component that is valid with more features needs what is switched off; others are broken.
fn why_invalid(component: &[u8], bodies: Bodies, error: &BinaryReaderError) -> InterfaceError {
    match validate(component, WasmFeatures::all(), bodies) {
        Err(_) => InterfaceError::Invalid(error.to_string()),
        Ok(validated) => match validated.refuse_unsupported_imports() {
            Err(error @ InterfaceError::Unsupported(_)) => error,
            Ok(()) | Err(_) => InterfaceError::Unsupported(format!("a feature of WebAssembly that is switched off: {error}")),
        },
    }
}

impl Validated {
    fn into_interface(self) -> Result<Interface, InterfaceError> {
        let mut reader = ExportReader {
            types: &self.types,
            values: TypeReader::new(&self.types),
            exports: Vec::new(),
            unsupported: Vec::new(),
            named: Vec::new(),
        };
        for name in &self.imports {
            if let Some(ComponentEntityType::Type { created, .. }) =
                self.types.component_item_for_import(name).map(|item| item.ty)
            {
                reader.named_type("", name, created);
            }
        }
        let mut holds_wit = false;
        for name in &self.exports {
            let Some(item) = self.types.component_item_for_export(name) else { continue };
            match item.ty {
                ComponentEntityType::Func(id) => reader.function(name.clone(), id)?,
                ComponentEntityType::Instance(id) => {
                    for (item_name, item) in &self.types[id].exports {
                        if let ComponentEntityType::Func(id) = item.ty {
                            reader.function(format!("{name}#{item_name}"), id)?;
                        } else if let ComponentEntityType::Type { created, .. } = item.ty {
                            reader.named_type(name, item_name, created);
                        }
                    }
                }
                ComponentEntityType::Type { created, .. } => {
                    holds_wit |= matches!(created, ComponentAnyTypeId::Component(_));
                    reader.named_type("", name, created);
                }
                ComponentEntityType::Module(_) | ComponentEntityType::Value(_) | ComponentEntityType::Component(_) => {}
            }
        }
        let (exports, unsupported, named) = (reader.exports, reader.unsupported, reader.named);
        if holds_wit && exports.is_empty() && unsupported.is_empty() {
            return Err(InterfaceError::NotAComponent("it is a WIT package in binary form, which has no code"));
        }
        Ok(Interface::new(exports, unsupported, self.imports).with_named_types(named))
    }
}

/// Collects exports, and the names of types for those who print them.
struct ExportReader<'a> {
    types: &'a Types,
    values: TypeReader<'a>,
    exports: Vec<Export>,
    unsupported: Vec<UnsupportedExport>,
    named: Vec<NamedType>,
}

impl ExportReader<'_> {
    /// Remembers the name of a type that WIT must name: a record, variant, enum or flags.
    fn named_type(&mut self, interface: &str, name: &str, ty: ComponentAnyTypeId) {
        let ComponentAnyTypeId::Defined(id) = ty else { return };
        if let Ok(ty @ (Type::Record(_) | Type::Variant(_) | Type::Enum(_) | Type::Flags(_))) =
            self.values.read(ComponentValType::Type(id))
            && self.named.len() < COMPONENT_EXPORTS_MAX
        {
            self.named.push(NamedType { interface: interface.to_owned(), name: name.to_owned(), ty });
        }
    }

    fn function(&mut self, name: String, id: ComponentFuncTypeId) -> Result<(), InterfaceError> {
        if self.exports.len() + self.unsupported.len() >= COMPONENT_EXPORTS_MAX {
            return Err(InterfaceError::TooManyExports);
        }
        match self.signature(&name, id) {
            Ok(export) => self.exports.push(export),
            Err(reason) => self.unsupported.push(UnsupportedExport { name, reason }),
        }
        Ok(())
    }

    fn signature(&mut self, name: &str, id: ComponentFuncTypeId) -> Result<Export, String> {
        let function = &self.types[id];
        if name.contains('[') {
            return Err("it belongs to a resource".to_owned());
        }
        if function.async_ {
            return Err("it is an async function".to_owned());
        }
        let mut params = Vec::with_capacity(function.params.len());
        let mut parts = 0;
        for (name, ty) in &function.params {
            let ty = self.values.read_counted(*ty, &mut parts).map_err(|reason| format!("parameter `{name}` {reason}"))?;
            params.push((name.to_string(), ty));
        }
        let result = function.result.map(|ty| self.values.read_counted(ty, &mut parts)).transpose();
        let returns = result.map_err(|reason| format!("its result {reason}"))?;
        if parts > SIGNATURE_PARTS_MAX {
            return Err(format!("its types have {parts} parts altogether; at most {SIGNATURE_PARTS_MAX} are allowed"));
        }
        Ok(Export::new(name, params, returns))
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::component as component_of;
