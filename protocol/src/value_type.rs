//! The types of values: WIT's, structural, without names of types. Printed and parsed as in `docs/values.md`.

mod parse;
#[cfg(test)]
mod tests;

pub use parse::BadType;

use crate::msgpack::Packed;
use std::fmt;
use std::sync::Arc;

/// A type. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// `bool`
    Bool,
    /// `u8`
    U8,
    /// `u16`
    U16,
    /// `u32`
    U32,
    /// `u64`
    U64,
    /// `s8`
    S8,
    /// `s16`
    S16,
    /// `s32`
    S32,
    /// `s64`
    S64,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `char`
    Char,
    /// `string`
    String,
    /// `list<T>`
    List(Arc<Type>),
    /// `tuple<A, B>`
    Tuple(Arc<[Type]>),
    /// `record { a: T }`
    Record(Arc<[(String, Type)]>),
    /// `variant { a, b(T) }`
    Variant(Arc<[(String, Option<Type>)]>),
    /// `enum { a, b }`
    Enum(Arc<[String]>),
    /// `flags { a, b }`
    Flags(Arc<[String]>),
    /// `option<T>`
    Option(Arc<Type>),
    /// `result<T, E>`, each side may have no payload
    Result(Option<Arc<Type>>, Option<Arc<Type>>),
    /// `any`: values of dynamic functions
    Any,
    /// No value: the result of a function that returns nothing. Travels as nil.
    Unit,
}

impl Type {
    /// `list<u8>`
    pub fn bytes() -> Type {
        Type::List(Arc::new(Type::U8))
    }

    /// How a list of this element type is packed, where it is.
    pub const fn packed(&self) -> Option<Packed> {
        Some(match self {
            Type::S8 => Packed::S8,
            Type::U16 => Packed::U16,
            Type::S16 => Packed::S16,
            Type::U32 => Packed::U32,
            Type::S32 => Packed::S32,
            Type::U64 => Packed::U64,
            Type::S64 => Packed::S64,
            Type::F32 => Packed::F32,
            Type::F64 => Packed::F64,
            _ => return None,
        })
    }

    /// The type of what a step of a path leads to: a field of a record, a position of a tuple, an element of a list.
    pub fn step(&self, step: &Step<'_>) -> Option<Type> {
        match (self, step) {
            (Type::Record(fields), Step::Field(name)) => fields.iter().find(|(field, _)| field == name).map(|(_, ty)| ty.clone()),
            (Type::Tuple(types), Step::Index(index)) => types.get(*index as usize).cloned(),
            (Type::List(element), Step::Index(_)) => Some((**element).clone()),
            (Type::Any, _) => Some(Type::Any),
            _ => None,
        }
    }
}

/// One step of a path into a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step<'a> {
    /// A tuple position or list index.
    Index(u32),
    /// A record field.
    Field(&'a str),
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Field(name) => write!(f, ".{name}"),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn braces<T>(
            f: &mut fmt::Formatter<'_>,
            word: &str,
            items: &[T],
            mut each: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
        ) -> fmt::Result {
            write!(f, "{word} {{ ")?;
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    f.write_str(", ")?;
                }
                each(f, item)?;
            }
            f.write_str(if items.is_empty() { "}" } else { " }" })
        }
        match self {
            Type::Bool => f.write_str("bool"),
            Type::U8 => f.write_str("u8"),
            Type::U16 => f.write_str("u16"),
            Type::U32 => f.write_str("u32"),
            Type::U64 => f.write_str("u64"),
            Type::S8 => f.write_str("s8"),
            Type::S16 => f.write_str("s16"),
            Type::S32 => f.write_str("s32"),
            Type::S64 => f.write_str("s64"),
            Type::F32 => f.write_str("f32"),
            Type::F64 => f.write_str("f64"),
            Type::Char => f.write_str("char"),
            Type::String => f.write_str("string"),
            Type::Any => f.write_str("any"),
            Type::Unit => f.write_str("unit"),
            Type::List(element) => write!(f, "list<{element}>"),
            Type::Option(some) => write!(f, "option<{some}>"),
            Type::Tuple(types) => {
                f.write_str("tuple<")?;
                for (position, ty) in types.iter().enumerate() {
                    write!(f, "{}{ty}", if position > 0 { ", " } else { "" })?;
                }
                f.write_str(">")
            }
            Type::Result(None, None) => f.write_str("result"),
            Type::Result(Some(ok), None) => write!(f, "result<{ok}>"),
            Type::Result(None, Some(err)) => write!(f, "result<_, {err}>"),
            Type::Result(Some(ok), Some(err)) => write!(f, "result<{ok}, {err}>"),
            Type::Record(fields) => braces(f, "record", fields, |f, (name, ty)| write!(f, "{name}: {ty}")),
            Type::Variant(cases) => braces(f, "variant", cases, |f, (name, payload)| match payload {
                Some(ty) => write!(f, "{name}({ty})"),
                None => f.write_str(name),
            }),
            Type::Enum(names) => braces(f, "enum", names, |f, name| f.write_str(name)),
            Type::Flags(names) => braces(f, "flags", names, |f, name| f.write_str(name)),
        }
    }
}
