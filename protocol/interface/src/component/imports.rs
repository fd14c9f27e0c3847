//! What a component imports, against what the sandbox links. Nothing here is executed: every answer is in the types.

use super::Validated;
use super::host::{resource_name, type_of};
use crate::interface::InterfaceError;
use crate::nearest::{listed, shorten};
use std::collections::BTreeMap;
use wasm_tasks_protocol::graph::DELEGATE_INTERFACE;
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentEntityType, ComponentFuncTypeId, ComponentInstanceTypeId,
    ComponentValType, ResourceId,
};
use wasmparser::types::Types;

/// Bytes of a type as text, after which it is cut: no function of the table comes near this, and a type may be a million
/// times as large as its bytes.
const TEXT_BYTES_MAX: usize = 512;

impl Validated {
    /// Refuses imports that nobody provides, and imports of WASI with types that it does not have.
    pub(super) fn refuse_unsupported_imports(&self) -> Result<(), InterfaceError> {
        let mut resources = Resources::default();
        let mut unknown = Vec::new();
        let mut newer = Vec::new();
        for name in &self.imports {
            match self.kind(name) {
                Import::TypesOnly => {}
                Import::Host(instance) => resources.check(&self.types, name, instance)?,
                Import::Newer => newer.push(name.as_str()),
                Import::Unknown => unknown.push(name.clone()),
            }
        }
        if !newer.is_empty() {
            let names = listed(newer.into_iter(), 3);
            return Err(InterfaceError::Unsupported(format!("WASI 0.3 ({names}); this program has WASI 0.2")));
        }
        if unknown.is_empty() { Ok(()) } else { Err(InterfaceError::UnknownImports(unknown)) }
    }

    fn kind(&self, name: &str) -> Import {
        let Some(item) = self.types.component_item_for_import(name) else { return Import::Unknown };
        match item.ty {
            ComponentEntityType::Instance(id) if self.has_only_types(id) => Import::TypesOnly,
            ComponentEntityType::Instance(id) if is_wasi_02(name) || name == DELEGATE_INTERFACE => Import::Host(id),
            ComponentEntityType::Type { referenced, .. } if !is_resource(referenced) => Import::TypesOnly,
            _ if name.starts_with("wasi:") && name.contains("@0.3.") => Import::Newer,
            ComponentEntityType::Instance(_)
            | ComponentEntityType::Type { .. }
            | ComponentEntityType::Func(_)
            | ComponentEntityType::Module(_)
            | ComponentEntityType::Value(_)
            | ComponentEntityType::Component(_) => Import::Unknown,
        }
    }

    /// Whether there is nothing in an instance that anybody would have to provide.
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
}

enum Import {
    /// Names of types, which need nobody.
    TypesOnly,
    /// An instance that the sandbox provides.
    Host(ComponentInstanceTypeId),
    /// Of a WASI that is not here yet.
    Newer,
    /// Of nobody that we know.
    Unknown,
}

/// `wasi:…@0.2.n`, which the sandbox links always.
fn is_wasi_02(name: &str) -> bool {
    let version = name.strip_prefix("wasi:").and_then(|rest| rest.split_once('@')).map(|(_, version)| version);
    version.and_then(|version| version.strip_prefix("0.2.")).is_some_and(|patch| patch.parse::<u32>().is_ok())
}

fn is_resource(ty: ComponentAnyTypeId) -> bool {
    matches!(ty, ComponentAnyTypeId::Resource(_))
}

/// The resources of all imports, by what the sandbox takes them for.
#[derive(Default)]
struct Resources(BTreeMap<ResourceId, &'static str>);

impl Resources {
    /// Checks the items of one instance, in their order: resources stand before the functions that use them.
    fn check(&mut self, types: &Types, import: &str, instance: ComponentInstanceTypeId) -> Result<(), InterfaceError> {
        let interface = import.split_once('@').map_or(import, |(interface, _)| interface);
        let wrong =
            |name: &str, what: String| InterfaceError::WrongImport { name: format!("{import}#{}", shorten(name)), reason: what };
        for (name, item) in &types[instance].exports {
            match item.ty {
                ComponentEntityType::Type { referenced: ComponentAnyTypeId::Resource(id), .. } => {
                    let (found, expected) = (*self.0.entry(id.resource()).or_insert(resource_name(name)), resource_name(name));
                    if found != expected {
                        return Err(wrong(name, format!("it is the resource `{found}` under another name")));
                    }
                }
                ComponentEntityType::Type { .. } => {}
                ComponentEntityType::Func(id) => {
                    let Some(expected) = type_of(interface, name) else { continue };
                    let found = self.function(types, id);
                    if found != expected {
                        return Err(wrong(name, format!("its type is `{found}`; it must be `{expected}`")));
                    }
                }
                ComponentEntityType::Instance(_)
                | ComponentEntityType::Module(_)
                | ComponentEntityType::Value(_)
                | ComponentEntityType::Component(_) => {
                    return Err(wrong(name, "it is no function or type".to_owned()));
                }
            }
        }
        Ok(())
    }

    fn function(&self, types: &Types, id: ComponentFuncTypeId) -> String {
        let function = &types[id];
        let mut text = Text { types, resources: self, out: "func(".to_owned() };
        text.list(function.params.iter().map(|(_, ty)| *ty));
        text.out.push(')');
        if let Some(ty) = function.result {
            text.out.push_str(" -> ");
            text.value(ty);
        }
        if text.is_long() {
            text.out.truncate(text.out.floor_char_boundary(TEXT_BYTES_MAX));
            text.out.push('…');
        }
        text.out
    }
}

/// A type as the table of host functions writes it.
struct Text<'a> {
    types: &'a Types,
    resources: &'a Resources,
    out: String,
}

impl Text<'_> {
    /// What is too long for the table is not written to its end.
    fn is_long(&self) -> bool {
        self.out.len() > TEXT_BYTES_MAX
    }

    fn list(&mut self, types: impl Iterator<Item = ComponentValType>) {
        for (position, ty) in types.enumerate() {
            if self.is_long() {
                return;
            }
            self.out.push_str(if position > 0 { ", " } else { "" });
            self.value(ty);
        }
    }

    fn optional(&mut self, ty: Option<ComponentValType>) {
        match ty {
            Some(ty) => self.value(ty),
            None => self.out.push('_'),
        }
    }

    fn braces<'n>(&mut self, word: &str, items: impl Iterator<Item = (&'n str, Option<ComponentValType>)>, around: (&str, &str)) {
        self.out.push_str(word);
        self.out.push('{');
        for (position, (name, ty)) in items.enumerate() {
            if self.is_long() {
                return;
            }
            self.out.push_str(if position > 0 { ", " } else { "" });
            self.out.push_str(name);
            if let Some(ty) = ty {
                self.out.push_str(around.0);
                self.value(ty);
                self.out.push_str(around.1);
            }
        }
        self.out.push('}');
    }

    fn value(&mut self, ty: ComponentValType) {
        let types = self.types;
        let defined = match ty {
            ComponentValType::Primitive(primitive) => return self.out.push_str(&primitive.to_string()),
            ComponentValType::Type(id) => &types[id],
        };
        if self.is_long() {
            return;
        }
        match defined {
            ComponentDefinedType::Primitive(primitive) => self.out.push_str(&primitive.to_string()),
            ComponentDefinedType::List { element, .. } => self.around("list", |text| text.value(*element)),
            ComponentDefinedType::Option { ty, .. } => self.around("option", |text| text.value(*ty)),
            ComponentDefinedType::Tuple(tuple) => self.around("tuple", |text| text.list(tuple.types.iter().copied())),
            ComponentDefinedType::Result { ok, err, .. } => self.around("result", |text| {
                text.optional(*ok);
                text.out.push_str(", ");
                text.optional(*err);
            }),
            ComponentDefinedType::Record(record) => {
                self.braces("record", record.fields.iter().map(|(name, ty)| (name.as_str(), Some(*ty))), (": ", ""));
            }
            ComponentDefinedType::Variant(variant) => {
                self.braces("variant", variant.cases.iter().map(|(name, case)| (name.as_str(), case.ty)), ("(", ")"));
            }
            ComponentDefinedType::Enum(names) => self.braces("enum", names.iter().map(|name| (name.as_str(), None)), ("", "")),
            ComponentDefinedType::Flags(names) => self.braces("flags", names.iter().map(|name| (name.as_str(), None)), ("", "")),
            ComponentDefinedType::Own(id) | ComponentDefinedType::Borrow(id) => {
                let name = self.resources.0.get(&id.resource()).copied().unwrap_or("denied");
                self.around("resource", |text| text.out.push_str(name));
            }
            ComponentDefinedType::Future { .. } => self.out.push_str("future"),
            ComponentDefinedType::Stream { .. } => self.out.push_str("stream"),
            ComponentDefinedType::Map { .. } => self.out.push_str("map"),
            ComponentDefinedType::FixedLengthList { .. } => self.out.push_str("list of fixed length"),
        }
    }

    fn around(&mut self, word: &str, inner: impl FnOnce(&mut Self)) {
        self.out.push_str(word);
        self.out.push('<');
        inner(self);
        self.out.push('>');
    }
}
