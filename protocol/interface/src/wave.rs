//! Values as [WAVE](https://github.com/bytecodealliance/wasm-tools/tree/main/crates/wasm-wave) literals, which look
//! like WIT: `{id: 1, label: "a"}`, `some(3)`, `circle(1.5)`.

use crate::fits::{At, Mismatch, shown};
use crate::literal;
use crate::typed::encode_typed;
use std::collections::BTreeMap;
use wasm_tasks_protocol::{ErrorCode, Type, Value};
use wasm_wave::ast::{Node, NodeType};
use wasm_wave::parser::ParserError;
use wasm_wave::untyped::UntypedValue;

/// Text that is not a WAVE literal of a type.
#[derive(Debug, thiserror::Error)]
pub enum WaveError {
    /// It is no WAVE, or another kind of literal than the type needs.
    #[error("{0}")]
    Parse(#[from] ParserError),
    /// It is a literal that does not fit.
    #[error("{0}")]
    Mismatch(#[from] Box<Mismatch>),
}

/// A value of a type from a WAVE literal, in the canonical file encoding.
///
/// # Errors
/// [`WaveError`] with the place in the text or in the value.
pub fn from_wave(ty: &Type, text: &str) -> Result<Vec<u8>, WaveError> {
    let parsed = UntypedValue::parse(text)?;
    let value = value_of(ty, parsed.node(), text)?.to_file_encoding().to_msgpack();
    encode_typed(ty, &value)?;
    Ok(value)
}

/// A literal as a value of a type. The parser bounds how deep literals nest.
fn value_of(ty: &Type, node: &Node, text: &str) -> Result<Value, WaveError> {
    Ok(match ty {
        Type::Bool => Value::Bool(node.as_bool()?),
        Type::U8 => Value::Uint(node.as_number::<u8>(text)?.into()),
        Type::U16 => Value::Uint(node.as_number::<u16>(text)?.into()),
        Type::U32 => Value::Uint(node.as_number::<u32>(text)?.into()),
        Type::U64 => Value::Uint(node.as_number(text)?),
        Type::S8 => Value::int(node.as_number::<i8>(text)?.into()),
        Type::S16 => Value::int(node.as_number::<i16>(text)?.into()),
        Type::S32 => Value::int(node.as_number::<i32>(text)?.into()),
        Type::S64 => Value::int(node.as_number(text)?),
        Type::F32 | Type::F64 => number(ty, node, text)?,
        Type::Char => Value::Str(node.as_char(text)?.into()),
        Type::String => Value::Str(node.as_str(text)?.into_owned()),
        Type::List(element) => Value::Array(
            node.as_list()?
                .enumerate()
                .map(|(index, node)| within(value_of(element, node, text), index))
                .collect::<Result<_, _>>()?,
        ),
        Type::Tuple(types) => {
            // One that is too long or too short is left for the check.
            let any = Type::Any;
            let types = types.iter().chain(std::iter::repeat(&any));
            Value::Array(node.as_tuple()?.zip(types).map(|(node, ty)| value_of(ty, node, text)).collect::<Result<_, _>>()?)
        }
        Type::Record(fields) => {
            let types: BTreeMap<&str, &Type> = fields.iter().map(|(field, ty)| (field.as_str(), ty)).collect();
            let mut pairs = Vec::new();
            for (name, node) in node.as_record(text)? {
                let field = types.get(name).copied().unwrap_or(&Type::Any);
                pairs.push((name.to_owned(), value_of(field, node, text)?));
            }
            Value::Map(pairs)
        }
        Type::Variant(cases) => {
            let (name, payload) = node.as_variant(text)?;
            match payload {
                None => Value::Str(name.to_owned()),
                Some(node) => {
                    let ty = cases.iter().find(|(case, _)| case == name).and_then(|(_, ty)| ty.as_ref()).unwrap_or(&Type::Any);
                    Value::Map(vec![(name.to_owned(), value_of(ty, node, text)?)])
                }
            }
        }
        Type::Enum(_) => Value::Str(node.as_enum(text)?.to_owned()),
        Type::Flags(_) => {
            Value::Array(node.as_flags(text)?.map(|name| Value::Str(name.trim_start_matches('%').to_owned())).collect())
        }
        Type::Option(some) => option(some, node, text)?,
        Type::Result(ok, err) => {
            let payload = |ty: &Option<std::sync::Arc<Type>>, node: Option<&Node>| match node {
                None => Ok(Value::Nil),
                Some(node) => value_of(ty.as_deref().unwrap_or(&Type::Any), node, text),
            };
            let (name, value) = match node.as_result()? {
                Ok(node) => ("ok", payload(ok, node)?),
                Err(node) => ("err", payload(err, node)?),
            };
            Value::Map(vec![(name.to_owned(), value)])
        }
        Type::Any | Type::Unit => untyped(node, text)?,
    })
}

fn within(value: Result<Value, WaveError>, index: usize) -> Result<Value, WaveError> {
    match value {
        Err(WaveError::Mismatch(mismatch)) => Err::<Value, _>(mismatch).at(index).map_err(WaveError::Mismatch),
        other => other,
    }
}

/// A number, in the words that it was written in.
fn number(ty: &Type, node: &Node, text: &str) -> Result<Value, WaveError> {
    node.as_number::<f64>(text)?;
    let what = |what| Mismatch::new(ErrorCode::TypeMismatch, shown(ty), format!("the number {what}"));
    literal::number(ty, &text[node.span()]).map_err(|error| WaveError::Mismatch(what(error)))
}

/// `none`, `some(value)`, or the value itself.
fn option(some: &Type, node: &Node, text: &str) -> Result<Value, WaveError> {
    let value = if matches!(node.ty(), NodeType::OptionNone | NodeType::OptionSome) {
        match node.as_option()? {
            Some(node) => value_of(some, node, text)?,
            None => return Ok(Value::Nil),
        }
    } else {
        value_of(some, node, text)?
    };
    Ok(if matches!(some, Type::Option(_)) { Value::Map(vec![("some".to_owned(), value)]) } else { value })
}

/// A literal where any value is taken.
fn untyped(node: &Node, text: &str) -> Result<Value, WaveError> {
    let all = |nodes: &mut dyn Iterator<Item = &Node>| nodes.map(|node| untyped(node, text)).collect::<Result<Vec<_>, _>>();
    Ok(match node.ty() {
        NodeType::BoolTrue | NodeType::BoolFalse => Value::Bool(node.as_bool()?),
        NodeType::Number => number(&Type::Any, node, text)?,
        NodeType::Char => Value::Str(node.as_char(text)?.into()),
        NodeType::String | NodeType::MultilineString => Value::Str(node.as_str(text)?.into_owned()),
        NodeType::List => Value::Array(all(&mut node.as_list()?)?),
        NodeType::Tuple => Value::Array(all(&mut node.as_tuple()?)?),
        NodeType::Record => Value::Map(
            node.as_record(text)?
                .map(|(name, node)| Ok((name.to_owned(), untyped(node, text)?)))
                .collect::<Result<_, WaveError>>()?,
        ),
        NodeType::Label | NodeType::VariantWithPayload => match node.as_variant(text)? {
            (name, None) => Value::Str(name.to_owned()),
            (name, Some(node)) => Value::Map(vec![(name.to_owned(), untyped(node, text)?)]),
        },
        NodeType::OptionNone => Value::Nil,
        NodeType::OptionSome => node.as_option()?.map_or(Ok(Value::Nil), |node| untyped(node, text))?,
        NodeType::ResultOk | NodeType::ResultErr => {
            let (name, payload) = match node.as_result()? {
                Ok(payload) => ("ok", payload),
                Err(payload) => ("err", payload),
            };
            Value::Map(vec![(name.to_owned(), payload.map_or(Ok(Value::Nil), |node| untyped(node, text))?)])
        }
        NodeType::Flags => Value::Array(node.as_flags(text)?.map(|name| Value::Str(name.to_owned())).collect()),
    })
}

#[cfg(test)]
mod tests;
