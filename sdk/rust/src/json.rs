//! Values as JSON, for people and for tools that know nothing else, and back.

use serde_json::Value as Json;
use wasm_tasks_protocol::Value;
use wasm_tasks_protocol::msgpack::{InvalidValue, Packed, Writer};

/// A value as JSON: bytes as base64, packed lists as arrays, numbers that JSON lacks as the strings
/// `NaN`, `Infinity` and `-Infinity`.
pub fn to_json(value: &Value) -> Json {
    wasm_tasks_interface::json::json_of(value)
}

/// The JSON of one encoded value.
///
/// # Errors
/// [`InvalidValue`] when the bytes are no value.
pub fn msgpack_to_json(bytes: &[u8]) -> Result<Json, InvalidValue> {
    Value::from_msgpack(bytes).map(|value| to_json(&value))
}

/// The numbers of a packed list.
pub(crate) fn unpack(packed: Packed, payload: &[u8]) -> Vec<Value> {
    let element = |index| {
        let mut out = Writer::new();
        packed.write_element(payload, index, &mut out).then(|| Value::from_msgpack(out.as_bytes()).ok()).flatten()
    };
    (0..payload.len() / packed.width()).filter_map(element).collect()
}

/// JSON as a value: objects become maps, strings str. JSON has no bytes, so none come out of it.
pub fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(value), _) => Value::Uint(value),
            (None, Some(value)) => Value::Int(value),
            (None, None) => Value::F64(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::Str(text.clone()),
        Json::Array(items) => Value::Array(items.iter().map(from_json).collect()),
        Json::Object(fields) => Value::Map(fields.iter().map(|(key, value)| (key.clone(), from_json(value))).collect()),
    }
}
