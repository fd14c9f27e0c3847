//! A type prepared for calls: its layout in the canonical ABI and its names as encoded keys.
//!
//! Owns layout and names, computed once per function. Knows no engine: `abi::agreement` compares
//! every shape with what wasmtime computed for the component before a call trusts it.
//! The rules are those of the component model's canonical ABI, "Despecialization", "Alignment",
//! "Element Size" and "Flattening" (`CanonicalABI.md`), for 32-bit memories.

use wasm_tasks_interface::NameOrder;
use wasm_tasks_protocol::Type;
use wasm_tasks_protocol::limits::VALUE_DEPTH_MAX;
use wasm_tasks_protocol::msgpack::{Packed, Writer};

/// Parameters or results that need more slots than this travel through memory.
pub(crate) const FLAT_MAX: u32 = 16;

/// A type with everything that a call needs to know of it.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) ty: Type,
    /// Bytes in a list or a field.
    pub(crate) size: u32,
    pub(crate) align: u32,
    /// Slots when passed flat; more than [`FLAT_MAX`] is never passed flat.
    pub(crate) flat: u32,
    pub(crate) form: Form,
}

#[derive(Debug)]
pub(crate) enum Form {
    Scalar(Scalar),
    String,
    /// `list<u8>`
    Bytes(Box<Shape>),
    /// A list of numbers that travels packed; the shape is its element's.
    Numbers(Packed, Box<Shape>),
    /// Every other list.
    List(Box<Shape>),
    Record(Fields),
    Tuple(Fields),
    Cases(Cases),
    Flags(Flags),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    Bool,
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
    F32,
    F64,
    Char,
}

/// Fields of a record, positions of a tuple, or parameters, with their common layout.
#[derive(Debug)]
pub(crate) struct Fields {
    pub(crate) fields: Box<[Field]>,
    order: NameOrder,
    pub(crate) size: u32,
    pub(crate) align: u32,
    pub(crate) flat: u32,
}

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// The name as encoded key.
    pub(crate) key: Box<[u8]>,
    pub(crate) offset: u32,
    /// The first of its slots when passed flat.
    pub(crate) slot: u32,
    pub(crate) shape: Shape,
}

/// A variant, enum, option or result.
#[derive(Debug)]
pub(crate) struct Cases {
    pub(crate) style: Style,
    /// Bytes of the discriminant: 1, 2 or 4.
    pub(crate) tag_bytes: u32,
    pub(crate) payload_offset: u32,
    pub(crate) cases: Box<[Case]>,
    order: NameOrder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Variant,
    Enum,
    /// An option of a type that cannot itself be nil.
    Option,
    /// An option of an option: some is `{some: v}`.
    NestedOption,
    Result,
}

#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) key: Box<[u8]>,
    pub(crate) payload: Option<Shape>,
}

#[derive(Debug)]
pub(crate) struct Flags {
    pub(crate) names: Box<[String]>,
    pub(crate) keys: Box<[Box<[u8]>]>,
}

/// A type that cannot be a value of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unsupported(pub(crate) String);

impl Shape {
    /// Prepares a type.
    pub(crate) fn new(ty: &Type) -> Result<Shape, Unsupported> {
        Shape::at_depth(ty, 0)
    }

    fn at_depth(ty: &Type, depth: usize) -> Result<Shape, Unsupported> {
        if depth > VALUE_DEPTH_MAX {
            return Err(Unsupported(format!("a type that nests more than {VALUE_DEPTH_MAX} deep")));
        }
        let inner = |ty: &Type| Shape::at_depth(ty, depth + 1);
        let named = |fields: &[(String, Type)]| Fields::new(fields.iter().map(|(name, ty)| (name.as_str(), ty)), depth);
        let form = match ty {
            Type::Bool => Form::Scalar(Scalar::Bool),
            Type::U8 => Form::Scalar(Scalar::U8),
            Type::U16 => Form::Scalar(Scalar::U16),
            Type::U32 => Form::Scalar(Scalar::U32),
            Type::U64 => Form::Scalar(Scalar::U64),
            Type::S8 => Form::Scalar(Scalar::S8),
            Type::S16 => Form::Scalar(Scalar::S16),
            Type::S32 => Form::Scalar(Scalar::S32),
            Type::S64 => Form::Scalar(Scalar::S64),
            Type::F32 => Form::Scalar(Scalar::F32),
            Type::F64 => Form::Scalar(Scalar::F64),
            Type::Char => Form::Scalar(Scalar::Char),
            Type::String => Form::String,
            Type::List(element) if **element == Type::U8 => Form::Bytes(Box::new(inner(element)?)),
            Type::List(element) => match element.packed() {
                Some(packed) => Form::Numbers(packed, Box::new(inner(element)?)),
                None => Form::List(Box::new(inner(element)?)),
            },
            Type::Record(fields) => Form::Record(named(fields)?),
            Type::Tuple(types) => Form::Tuple(Fields::new(types.iter().map(|ty| ("", ty)), depth)?),
            Type::Variant(cases) => Form::Cases(Cases::new(
                Style::Variant,
                cases.iter().map(|(name, payload)| (name.as_str(), payload.as_ref())),
                depth,
            )?),
            Type::Enum(names) => Form::Cases(Cases::new(Style::Enum, names.iter().map(|name| (name.as_str(), None)), depth)?),
            Type::Option(some) => {
                let style = if matches!(**some, Type::Option(_)) { Style::NestedOption } else { Style::Option };
                Form::Cases(Cases::new(style, [("none", None), ("some", Some(&**some))].into_iter(), depth)?)
            }
            Type::Result(ok, err) => {
                Form::Cases(Cases::new(Style::Result, [("ok", ok.as_deref()), ("err", err.as_deref())].into_iter(), depth)?)
            }
            Type::Flags(names) if names.len() <= 32 => Form::Flags(Flags {
                names: names.iter().cloned().collect(),
                keys: names.iter().map(|name| encoded(name)).collect(),
            }),
            Type::Flags(_) => return Err(Unsupported("flags with more than 32 names".to_owned())),
            Type::Any | Type::Unit => return Err(Unsupported(format!("`{ty}` inside a typed function"))),
        };
        let (size, align, flat) = form.layout();
        Ok(Shape { ty: ty.clone(), size, align, flat, form })
    }

    /// Whether an absent record field of this type reads as none.
    pub(crate) fn is_option(&self) -> bool {
        matches!(&self.form, Form::Cases(Cases { style: Style::Option | Style::NestedOption, .. }))
    }
}

impl Form {
    /// Size, alignment and number of slots.
    fn layout(&self) -> (u32, u32, u32) {
        match self {
            Form::Scalar(scalar) => (scalar.size(), scalar.size(), 1),
            Form::String | Form::Bytes(_) | Form::Numbers(..) | Form::List(_) => (8, 4, 2),
            Form::Record(fields) | Form::Tuple(fields) => (fields.size, fields.align, fields.flat),
            Form::Flags(flags) => {
                let size = match flags.names.len() {
                    0..=8 => 1,
                    9..=16 => 2,
                    _ => 4,
                };
                (size, size, 1)
            }
            Form::Cases(cases) => {
                let payloads = || cases.cases.iter().filter_map(|case| case.payload.as_ref());
                let align = payloads().map(|payload| payload.align).max().unwrap_or(1).max(cases.tag_bytes);
                let payload = payloads().map(|payload| payload.size).max().unwrap_or(0);
                let flat = payloads().map(|payload| payload.flat).max().unwrap_or(0);
                let size = cases.payload_offset.checked_add(payload).and_then(|size| size.checked_next_multiple_of(align));
                // No type is that large: `agreement` then finds another size than wasmtime's.
                (size.unwrap_or(u32::MAX), align, 1 + flat)
            }
        }
    }
}

impl Scalar {
    /// Bytes in memory; also the alignment.
    pub(crate) const fn size(self) -> u32 {
        match self {
            Scalar::Bool | Scalar::U8 | Scalar::S8 => 1,
            Scalar::U16 | Scalar::S16 => 2,
            Scalar::U32 | Scalar::S32 | Scalar::F32 | Scalar::Char => 4,
            Scalar::U64 | Scalar::S64 | Scalar::F64 => 8,
        }
    }
}

impl Fields {
    /// Lays out parameters, which are like the fields of a record.
    pub(crate) fn parameters(params: &[(String, Type)]) -> Result<Fields, Unsupported> {
        Fields::new(params.iter().map(|(name, ty)| (name.as_str(), ty)), 0)
    }

    /// The position of a field.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.order.find(&self.fields, |field| &field.name, name)
    }

    fn new<'a>(types: impl Iterator<Item = (&'a str, &'a Type)>, depth: usize) -> Result<Fields, Unsupported> {
        const TOO_LARGE: &str = "a type of more than 4 GiB";
        let (mut offset, mut align, mut slot) = (0u32, 1, 0u32);
        let mut fields = Vec::new();
        for (name, ty) in types {
            let shape = Shape::at_depth(ty, depth + 1)?;
            offset = offset.checked_next_multiple_of(shape.align).ok_or_else(|| Unsupported(TOO_LARGE.to_owned()))?;
            align = align.max(shape.align);
            let field = Field { name: name.to_owned(), key: encoded(name), offset, slot, shape };
            offset = offset.checked_add(field.shape.size).ok_or_else(|| Unsupported(TOO_LARGE.to_owned()))?;
            slot = slot.saturating_add(field.shape.flat);
            fields.push(field);
        }
        let size = offset.checked_next_multiple_of(align).ok_or_else(|| Unsupported(TOO_LARGE.to_owned()))?;
        let order = NameOrder::new(&fields, |field| &field.name);
        Ok(Fields { fields: fields.into(), order, size, align, flat: slot })
    }
}

impl Cases {
    fn new<'a>(
        style: Style,
        cases: impl Iterator<Item = (&'a str, Option<&'a Type>)>,
        depth: usize,
    ) -> Result<Cases, Unsupported> {
        let cases = cases
            .map(|(name, payload)| {
                let payload = payload.map(|ty| Shape::at_depth(ty, depth + 1)).transpose()?;
                Ok(Case { name: name.to_owned(), key: encoded(name), payload })
            })
            .collect::<Result<Box<[Case]>, Unsupported>>()?;
        let tag_bytes: u32 = match cases.len() {
            0..=0x100 => 1,
            0x101..=0x1_0000 => 2,
            _ => 4,
        };
        let payload_align = cases.iter().filter_map(|case| case.payload.as_ref()).map(|payload| payload.align).max();
        let payload_offset = tag_bytes.next_multiple_of(payload_align.unwrap_or(1));
        let order = NameOrder::new(&cases, |case| &case.name);
        Ok(Cases { style, tag_bytes, payload_offset, cases, order })
    }

    /// The position of a case.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.order.find(&self.cases, |case| &case.name, name)
    }
}

fn encoded(name: &str) -> Box<[u8]> {
    let mut out = Writer::new();
    out.str(name);
    out.into_bytes().into()
}
