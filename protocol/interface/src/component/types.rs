//! Turns the validator's types into ours. A type that is used often is converted once.

use std::collections::BTreeMap;
use std::sync::Arc;
use wasm_tasks_protocol::Type;
use wasm_tasks_protocol::limits::{TYPE_PARTS_MAX, VALUE_DEPTH_MAX};
use wasmparser::PrimitiveValType;
use wasmparser::component_types::{ComponentDefinedType, ComponentDefinedTypeId, ComponentValType};
use wasmparser::types::Types;

/// A type with its size.
#[derive(Clone, Debug)]
struct Sized {
    ty: Type,
    parts: usize,
    depth: usize,
}

/// Why a type has no values: "uses a resource".
type Reason = &'static str;

pub(super) struct TypeReader<'a> {
    types: &'a Types,
    known: BTreeMap<ComponentDefinedTypeId, Result<Sized, Reason>>,
    /// How many types the one that is being converted is nested in.
    level: usize,
}

const TOO_DEEP: Reason = "has a type that nests more than 64 deep";

/// Adds up the sizes of the parts of a type.
struct Size {
    parts: usize,
    depth: usize,
}

impl<'a> TypeReader<'a> {
    pub(super) fn new(types: &'a Types) -> TypeReader<'a> {
        TypeReader { types, known: BTreeMap::new(), level: 0 }
    }

    pub(super) fn read(&mut self, ty: ComponentValType) -> Result<Type, Reason> {
        self.sized(ty).map(|sized| sized.ty)
    }

    /// Adds up the parts of all types of a signature.
    pub(super) fn read_counted(&mut self, ty: ComponentValType, parts: &mut usize) -> Result<Type, Reason> {
        let sized = self.sized(ty)?;
        *parts += sized.parts;
        Ok(sized.ty)
    }

    fn sized(&mut self, ty: ComponentValType) -> Result<Sized, Reason> {
        let id = match ty {
            ComponentValType::Primitive(primitive) => {
                return primitive_type(primitive).map(|ty| Sized { ty, parts: 1, depth: 0 });
            }
            ComponentValType::Type(id) => id,
        };
        if let Some(known) = self.known.get(&id) {
            return known.clone();
        }
        if self.level > VALUE_DEPTH_MAX {
            return Err(TOO_DEEP);
        }
        self.level += 1;
        let converted = self.defined(id);
        self.level -= 1;
        // "Too deep" depends on where the conversion began; failing again costs no more than one way down.
        if !matches!(converted, Err(TOO_DEEP)) {
            self.known.insert(id, converted.clone());
        }
        converted
    }

    fn defined(&mut self, id: ComponentDefinedTypeId) -> Result<Sized, Reason> {
        let types = self.types;
        let mut size = Size { parts: 1, depth: 0 };
        let ty = match &types[id] {
            ComponentDefinedType::Primitive(primitive) => primitive_type(*primitive)?,
            ComponentDefinedType::List { element, .. } => Type::List(self.inner(*element, &mut size)?),
            ComponentDefinedType::Option { ty, .. } => Type::Option(self.inner(*ty, &mut size)?),
            ComponentDefinedType::Result { ok, err, .. } => {
                let ok = ok.map(|ty| self.inner(ty, &mut size)).transpose()?;
                Type::Result(ok, err.map(|ty| self.inner(ty, &mut size)).transpose()?)
            }
            ComponentDefinedType::Tuple(tuple) => {
                Type::Tuple(tuple.types.iter().map(|ty| self.part(*ty, &mut size)).collect::<Result<_, _>>()?)
            }
            ComponentDefinedType::Record(record) => {
                let mut fields = Vec::with_capacity(record.fields.len());
                for (name, ty) in &record.fields {
                    fields.push((name.to_string(), self.part(*ty, &mut size)?));
                }
                Type::Record(fields.into())
            }
            ComponentDefinedType::Variant(variant) => {
                let mut cases = Vec::with_capacity(variant.cases.len());
                for (name, case) in &variant.cases {
                    size.add(1, 0)?;
                    cases.push((name.to_string(), case.ty.map(|ty| self.part(ty, &mut size)).transpose()?));
                }
                Type::Variant(cases.into())
            }
            ComponentDefinedType::Enum(names) => {
                size.add(names.len(), 0)?;
                Type::Enum(names.iter().map(ToString::to_string).collect())
            }
            ComponentDefinedType::Flags(names) => {
                size.add(names.len(), 0)?;
                if names.len() > 32 {
                    return Err("has more than 32 flags");
                }
                Type::Flags(names.iter().map(ToString::to_string).collect())
            }
            ComponentDefinedType::Own(_) | ComponentDefinedType::Borrow(_) => return Err("uses a resource"),
            ComponentDefinedType::Future { .. } => return Err("uses a future"),
            ComponentDefinedType::Stream { .. } => return Err("uses a stream"),
            ComponentDefinedType::Map { .. } => return Err("uses a map"),
            ComponentDefinedType::FixedLengthList { .. } => return Err("uses a fixed-length list"),
        };
        Ok(Sized { ty, parts: size.parts, depth: size.depth })
    }

    fn part(&mut self, ty: ComponentValType, size: &mut Size) -> Result<Type, Reason> {
        let part = self.sized(ty)?;
        size.add(part.parts, part.depth + 1)?;
        Ok(part.ty)
    }

    fn inner(&mut self, ty: ComponentValType, size: &mut Size) -> Result<Arc<Type>, Reason> {
        self.part(ty, size).map(Arc::new)
    }
}

impl Size {
    fn add(&mut self, parts: usize, depth: usize) -> Result<(), Reason> {
        self.parts += parts;
        self.depth = self.depth.max(depth);
        if self.parts > TYPE_PARTS_MAX {
            return Err("has a type of more than 4096 parts");
        }
        if self.depth > VALUE_DEPTH_MAX { Err(TOO_DEEP) } else { Ok(()) }
    }
}

fn primitive_type(primitive: PrimitiveValType) -> Result<Type, Reason> {
    Ok(match primitive {
        PrimitiveValType::Bool => Type::Bool,
        PrimitiveValType::U8 => Type::U8,
        PrimitiveValType::U16 => Type::U16,
        PrimitiveValType::U32 => Type::U32,
        PrimitiveValType::U64 => Type::U64,
        PrimitiveValType::S8 => Type::S8,
        PrimitiveValType::S16 => Type::S16,
        PrimitiveValType::S32 => Type::S32,
        PrimitiveValType::S64 => Type::S64,
        PrimitiveValType::F32 => Type::F32,
        PrimitiveValType::F64 => Type::F64,
        PrimitiveValType::Char => Type::Char,
        PrimitiveValType::String => Type::String,
        PrimitiveValType::ErrorContext => return Err("uses an error context"),
    })
}
