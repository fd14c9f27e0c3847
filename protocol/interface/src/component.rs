//! Reads the interface of a component from hostile bytes.
//!
//! wasmparser's validator checks everything but the bodies of functions (compilation does that) and knows the types
//! of imports and exports, so nothing here depends on how a tool laid the bytes out.

mod looks;
mod types;

use self::types::TypeReader;
use crate::interface::{Export, Interface, InterfaceError, NamedType, UnsupportedExport};
use wasm_tasks_protocol::Type;
use wasm_tasks_protocol::graph::DELEGATE_INTERFACE;
use wasm_tasks_protocol::limits::{COMPONENT_BYTES_MAX, COMPONENT_EXPORTS_MAX};
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentEntityType, ComponentFuncTypeId, ComponentInstanceTypeId, ComponentValType,
};
use wasmparser::types::Types;
use wasmparser::{BinaryReaderError, Parser, Payload, ValidPayload, Validator, WasmFeatures};

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

fn validate(component: &[u8], features: WasmFeatures) -> Result<Validated, BinaryReaderError> {
    let mut validator = Validator::new_with_features(features);
    let (mut imports, mut exports, mut depth) = (Vec::new(), Vec::new(), 0_usize);
    let mut types = None;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload?;
        match validator.payload(&payload)? {
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
    /// Reads the interface of a component.
    ///
    /// # Errors
    /// [`InterfaceError`] when the bytes are no component, or one that cannot run here.
    pub fn read(component: &[u8]) -> Result<Interface, InterfaceError> {
        if component.len() > COMPONENT_BYTES_MAX {
            return Err(InterfaceError::TooLarge { bytes: component.len(), max: COMPONENT_BYTES_MAX });
        }
        looks::refuse_what_is_no_component(component)?;
        let validated = match validate(component, sandbox_features()) {
            Ok(validated) => validated,
            Err(error) => return Err(why_invalid(component, &error)),
        };
        validated.refuse_unsupported_imports()?;
        validated.into_interface()
    }
}

/// A component that is valid with more features needs what is switched off; others are broken.
fn why_invalid(component: &[u8], error: &BinaryReaderError) -> InterfaceError {
    match validate(component, WasmFeatures::all()) {
        Err(_) => InterfaceError::Invalid(error.to_string()),
        Ok(validated) => match validated.refuse_unsupported_imports() {
            Err(error @ InterfaceError::Unsupported(_)) => error,
            Ok(()) | Err(_) => InterfaceError::Unsupported(format!("a feature of WebAssembly that is switched off: {error}")),
        },
    }
}

impl Validated {
    fn refuse_unsupported_imports(&self) -> Result<(), InterfaceError> {
        let newer: Vec<&str> =
            self.imports.iter().map(String::as_str).filter(|name| name.starts_with("wasi:") && name.contains("@0.3.")).collect();
        if !newer.is_empty() {
            let names = crate::nearest::listed(newer.into_iter(), 3);
            return Err(InterfaceError::Unsupported(format!("WASI 0.3 ({names}); this program has WASI 0.2")));
        }
        let unknown: Vec<String> = self.imports.iter().filter(|name| !self.is_known_import(name)).cloned().collect();
        if unknown.is_empty() { Ok(()) } else { Err(InterfaceError::UnknownImports(unknown)) }
    }

    fn is_known_import(&self, name: &str) -> bool {
        let Some(item) = self.types.component_item_for_import(name) else { return false };
        match item.ty {
            ComponentEntityType::Instance(id) => is_wasi_02(name) || name == DELEGATE_INTERFACE || self.has_only_types(id),
            ComponentEntityType::Type { referenced, .. } => !is_resource(referenced),
            ComponentEntityType::Func(_)
            | ComponentEntityType::Module(_)
            | ComponentEntityType::Value(_)
            | ComponentEntityType::Component(_) => false,
        }
    }

    fn has_only_types(&self, instance: ComponentInstanceTypeId) -> bool {
        self.types[instance].exports.values().all(|item| match item.ty {
            ComponentEntityType::Type { referenced, .. } => !is_resource(referenced),
            ComponentEntityType::Instance(_)
            | ComponentEntityType::Func(_)
            | ComponentEntityType::Module(_)
            | ComponentEntityType::Value(_)
            | ComponentEntityType::Component(_) => false,
        })
    }

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

/// `wasi:…@0.2.n`, which the sandbox links always.
fn is_wasi_02(name: &str) -> bool {
    let version = name.strip_prefix("wasi:").and_then(|rest| rest.split_once('@')).map(|(_, version)| version);
    version.and_then(|version| version.strip_prefix("0.2.")).is_some_and(|patch| patch.parse::<u32>().is_ok())
}

fn is_resource(ty: ComponentAnyTypeId) -> bool {
    matches!(ty, ComponentAnyTypeId::Resource(_))
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
        for (name, ty) in &function.params {
            let ty = self.values.read(*ty).map_err(|reason| format!("parameter `{name}` {reason}"))?;
            params.push((name.to_string(), ty));
        }
        let returns =
            function.result.map(|ty| self.values.read(ty)).transpose().map_err(|reason| format!("its result {reason}"))?;
        Ok(Export::new(name, params, returns))
    }
}

#[cfg(test)]
mod tests;
