//! Values as JSON, for people: results on the command line, and arguments that are typed there.
//!
//! Bytes are base64 strings, floats that JSON does not have are the strings `NaN`, `Infinity` and `-Infinity`,
//! everything else looks as it travels (`docs/values.md`).

use crate::fits::{At, Mismatch, shown};
use crate::literal;
use crate::typed::encode_typed;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Number, Value as Json};
use std::collections::BTreeMap;
use wasm_tasks_protocol::msgpack::{InvalidValue, Packed, Reader, Writer};
use wasm_tasks_protocol::{ErrorCode, Type, Value};

/// A value as JSON. Its type is not needed: the typed encoding says enough.
///
/// # Errors
/// When the bytes are not one value.
pub fn to_json(value: &[u8]) -> Result<Json, InvalidValue> {
    Value::from_msgpack(value).map(|value| json_of(&value))
}

/// A value as JSON.
pub fn json_of(value: &Value) -> Json {
    match value {
        Value::Nil => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Uint(value) => Json::Number((*value).into()),
        Value::Int(value) => Json::Number((*value).into()),
        // Through its own shortest text: 0.1 stays 0.1 and does not become 0.10000000149011612.
        Value::F32(value) => {
            float(if value.is_finite() { value.to_string().parse().unwrap_or(f64::from(*value)) } else { f64::from(*value) })
        }
        Value::F64(value) => float(*value),
        Value::Str(value) => Json::String(value.clone()),
        Value::Bin(value) => Json::String(BASE64.encode(value)),
        Value::Array(values) => Json::Array(values.iter().map(json_of).collect()),
        Value::Map(pairs) => Json::Object(pairs.iter().map(|(key, value)| (key.clone(), json_of(value))).collect::<Map<_, _>>()),
        Value::Ext(code, payload) => match Packed::from_code(*code) {
            Some(packed) => Json::Array(elements(packed, payload)),
            None => Json::String(BASE64.encode(payload)),
        },
    }
}

fn float(value: f64) -> Json {
    match Number::from_f64(value) {
        Some(number) => Json::Number(number),
        None if value.is_nan() => "NaN".into(),
        None if value > 0.0 => "Infinity".into(),
        None => "-Infinity".into(),
    }
}

fn elements(packed: Packed, payload: &[u8]) -> Vec<Json> {
    let mut elements = Vec::with_capacity(payload.len() / packed.width());
    let mut out = Writer::new();
    for index in 0..payload.len() / packed.width() {
        packed.write_element(payload, index, &mut out);
        let mut reader = Reader::new(out.as_bytes());
        elements.push(match reader.int() {
            Ok(value) => {
                u64::try_from(value).map_or_else(|_| Json::Number((value as i64).into()), |value| Json::Number(value.into()))
            }
            Err(_) if packed == Packed::F32 => json_of(&Value::F32(reader.float().unwrap_or(f64::NAN) as f32)),
            Err(_) => float(reader.float().unwrap_or(f64::NAN)),
        });
        let mut bytes = std::mem::take(&mut out).into_bytes();
        bytes.clear();
        out = Writer::after(bytes);
    }
    elements
}

/// A value of a type from JSON, in the canonical file encoding.
///
/// # Errors
/// The first place that does not fit.
pub fn from_json(ty: &Type, json: &Json) -> Result<Vec<u8>, Box<Mismatch>> {
    let value = value_of(ty, json)?.to_file_encoding().to_msgpack();
    encode_typed(ty, &value)?;
    Ok(value)
}

/// JSON as a value, guided by a type where JSON alone does not say enough. What does not fit is left for the check.
fn value_of(ty: &Type, json: &Json) -> Result<Value, Box<Mismatch>> {
    Ok(match (ty, json) {
        (Type::List(element), Json::String(text)) if **element == Type::U8 => {
            let bytes = BASE64.decode(text).map_err(|error| {
                Mismatch::new(ErrorCode::TypeMismatch, shown(ty), format!("a string that is not base64 ({error})"))
                    .with_hint("bytes are base64, such as \"AAEC\", or an array of numbers")
            })?;
            Value::Bin(bytes)
        }
        (Type::F32 | Type::F64, Json::String(text)) => match text.as_str() {
            "NaN" => Value::F64(f64::NAN),
            "Infinity" => Value::F64(f64::INFINITY),
            "-Infinity" => Value::F64(f64::NEG_INFINITY),
            text => Value::Str(text.to_owned()),
        },
        // Nobody writes 0.1 as the f32 that is nearest to it.
        (Type::F32, Json::Number(number)) if number.is_f64() => {
            let value = literal::single(number.as_f64().unwrap_or(f64::NAN));
            Value::F64(value.map_err(|what| Mismatch::new(ErrorCode::TypeMismatch, shown(ty), format!("the number {what}")))?)
        }
        (Type::List(element), Json::Array(items)) => Value::Array(
            items.iter().enumerate().map(|(index, item)| value_of(element, item).at(index)).collect::<Result<_, _>>()?,
        ),
        (Type::Tuple(types), Json::Array(items)) if types.len() == items.len() => {
            let item = |(index, (ty, item))| value_of(ty, item).at(index);
            Value::Array(types.iter().zip(items).enumerate().map(item).collect::<Result<_, _>>()?)
        }
        (Type::Record(fields), Json::Object(map)) => {
            let types: BTreeMap<&str, &Type> = fields.iter().map(|(field, ty)| (field.as_str(), ty)).collect();
            object(map, |name| types.get(name).copied())?
        }
        (Type::Variant(cases), Json::Object(map)) => {
            object(map, |name| cases.iter().find(|(case, _)| case == name).and_then(|(_, ty)| ty.as_ref()))?
        }
        (Type::Result(ok, err), Json::Object(map)) => object(map, |name| match name {
            "ok" => ok.as_deref(),
            "err" => err.as_deref(),
            _ => None,
        })?,
        (Type::Option(some), Json::Object(map)) if matches!(**some, Type::Option(_)) => {
            object(map, |name| (name == "some").then_some(&**some))?
        }
        (Type::Option(_), Json::Null) => Value::Nil,
        (Type::Option(some), json) => value_of(some, json)?,
        (_, Json::Null) => Value::Nil,
        (_, Json::Bool(value)) => Value::Bool(*value),
        (_, Json::Number(number)) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(value), _, _) => Value::Uint(value),
            (None, Some(value), _) => Value::Int(value),
            (None, None, value) => Value::F64(value.unwrap_or(f64::NAN)),
        },
        (_, Json::String(text)) => Value::Str(text.clone()),
        (_, Json::Array(items)) => Value::Array(
            items.iter().enumerate().map(|(index, item)| value_of(&Type::Any, item).at(index)).collect::<Result<_, _>>()?,
        ),
        (_, Json::Object(map)) => object(map, |_| None)?,
    })
}

fn object<'t>(map: &Map<String, Json>, type_of: impl Fn(&str) -> Option<&'t Type>) -> Result<Value, Box<Mismatch>> {
    let pair =
        |(name, json): (&String, &Json)| Ok((name.clone(), value_of(type_of(name).unwrap_or(&Type::Any), json).within(name)?));
    Ok(Value::Map(map.iter().map(pair).collect::<Result<_, Box<Mismatch>>>()?))
}

#[cfg(test)]
mod tests;
