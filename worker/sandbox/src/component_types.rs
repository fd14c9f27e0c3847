//! Translates wasmtime's types of a component's function into ours.

use wasm_tasks_protocol::Type;
use wasmtime::component::types;

/// Translates a type; says what cannot be a value.
pub(crate) fn translate(ty: &types::Type) -> Result<Type, String> {
    use types::Type as Theirs;
    let optional = |ty: Option<types::Type>| ty.map(|ty| translate(&ty)).transpose();
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
        Theirs::List(list) => Type::List(translate(&list.ty())?.into()),
        Theirs::Record(record) => Type::Record(
            record.fields().map(|field| Ok((field.name.to_owned(), translate(&field.ty)?))).collect::<Result<Vec<_>, String>>()?.into(),
        ),
        Theirs::Tuple(tuple) => Type::Tuple(tuple.types().map(|ty| translate(&ty)).collect::<Result<Vec<_>, String>>()?.into()),
        Theirs::Variant(variant) => Type::Variant(
            variant.cases().map(|case| Ok((case.name.to_owned(), optional(case.ty)?))).collect::<Result<Vec<_>, String>>()?.into(),
        ),
        Theirs::Enum(names) => Type::Enum(names.names().map(str::to_owned).collect()),
        Theirs::Flags(names) => Type::Flags(names.names().map(str::to_owned).collect()),
        Theirs::Option(some) => Type::Option(translate(&some.ty())?.into()),
        Theirs::Result(result) => Type::Result(optional(result.ok())?.map(Into::into), optional(result.err())?.map(Into::into)),
        Theirs::Own(_) | Theirs::Borrow(_) => return Err("a resource".to_owned()),
        Theirs::Future(_) => return Err("a future".to_owned()),
        Theirs::Stream(_) => return Err("a stream".to_owned()),
        Theirs::ErrorContext => return Err("an error context".to_owned()),
        Theirs::Map(_) => return Err("a map".to_owned()),
        Theirs::FixedLengthList(_) => return Err("a list of fixed length".to_owned()),
    })
}
