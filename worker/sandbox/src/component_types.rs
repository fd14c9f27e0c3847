//! Translates wasmtime's types of a component's function into ours.

use wasm_tasks_protocol::Type;
use wasm_tasks_protocol::limits::SIGNATURE_PARTS_MAX;
use wasmtime::component::types;

/// Parts that the types of one function may have. A component can name a type in few bytes and use it many times over, so
/// written out it may be a million times as large. Both sides of a result count here and not in the limit of an interface.
const PARTS_MAX: usize = 3 * SIGNATURE_PARTS_MAX;

/// Translates the types of one function.
pub(crate) struct Translation {
    parts_left: usize,
}

impl Translation {
    pub(crate) fn new() -> Translation {
        Translation { parts_left: PARTS_MAX }
    }

    /// Translates a type; says what cannot be a value.
    pub(crate) fn translate(&mut self, ty: &types::Type) -> Result<Type, String> {
        use types::Type as Theirs;
        self.parts_left = self.parts_left.checked_sub(1).ok_or_else(|| format!("more than {PARTS_MAX} parts of types"))?;
        Ok(match ty {
            Theirs::Bool => Type::Bool,
            Theirs::S8 => Type::S8,
            Theirs::U8 => Type::U8,
            Theirs::S16 => Type::S16,
            Theirs::U16 => Type::U16,
            Theirs::S32 => Type::S32,
            Theirs::U32 => Type::U32,
            Theirs::S64 => Type::S64,
            Theirs::U64 => Type::U64,
            Theirs::Float32 => Type::F32,
            Theirs::Float64 => Type::F64,
            Theirs::Char => Type::Char,
            Theirs::String => Type::String,
            Theirs::List(list) => Type::List(self.translate(&list.ty())?.into()),
            Theirs::Record(record) => {
                let fields = record.fields().map(|field| Ok((field.name.to_owned(), self.translate(&field.ty)?)));
                Type::Record(fields.collect::<Result<Vec<_>, String>>()?.into())
            }
            Theirs::Tuple(tuple) => {
                let types = tuple.types().map(|ty| self.translate(&ty));
                Type::Tuple(types.collect::<Result<Vec<_>, String>>()?.into())
            }
            Theirs::Variant(variant) => {
                let cases = variant.cases().map(|case| Ok((case.name.to_owned(), self.optional(case.ty)?)));
                Type::Variant(cases.collect::<Result<Vec<_>, String>>()?.into())
            }
            Theirs::Enum(names) => Type::Enum(self.names(names.names())?.into()),
            Theirs::Flags(names) => Type::Flags(self.names(names.names())?.into()),
            Theirs::Option(some) => Type::Option(self.translate(&some.ty())?.into()),
            Theirs::Result(result) => {
                Type::Result(self.optional(result.ok())?.map(Into::into), self.optional(result.err())?.map(Into::into))
            }
            Theirs::Own(_) | Theirs::Borrow(_) => return Err("a resource".to_owned()),
            Theirs::Future(_) => return Err("a future".to_owned()),
            Theirs::Stream(_) => return Err("a stream".to_owned()),
            Theirs::ErrorContext => return Err("an error context".to_owned()),
            Theirs::Map(_) => return Err("a map".to_owned()),
            Theirs::FixedLengthList(_) => return Err("a list of fixed length".to_owned()),
        })
    }

    fn optional(&mut self, ty: Option<types::Type>) -> Result<Option<Type>, String> {
        self.parts_left = self.parts_left.saturating_sub(1);
        ty.map(|ty| self.translate(&ty)).transpose()
    }

    fn names<'a>(&mut self, names: impl Iterator<Item = &'a str>) -> Result<Vec<String>, String> {
        let names: Vec<String> = names.map(str::to_owned).collect();
        self.parts_left =
            self.parts_left.checked_sub(names.len()).ok_or_else(|| format!("more than {PARTS_MAX} parts of types"))?;
        Ok(names)
    }
}
