//! Results as Rust types, by serde; and Rust values as arguments, the other way round.
//!
//! Names are WIT's: derive with `#[serde(rename_all = "kebab-case")]`. Records are structs, variants and enums
//! are enums, `option` is `Option`, tuples are tuples, `result` is `Result` with
//! `#[serde(rename_all = "lowercase")]`-like names `ok` and `err` (use an enum of your own), lists are vectors.

use crate::json::{from_json, unpack};
use serde::de::value::{MapDeserializer, SeqDeserializer, StringDeserializer};
use serde::de::{self, DeserializeOwned, IntoDeserializer, Visitor};
use serde::{Serialize, forward_to_deserialize_any};
use std::fmt;
use wasm_tasks_protocol::Value;
use wasm_tasks_protocol::graph::Argument;
use wasm_tasks_protocol::msgpack::{InvalidValue, Packed};

/// Why a value is not of the type that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are no value.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// The value is of another type.
    #[error("{0}")]
    Type(String),
}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> DecodeError {
        DecodeError::Type(message.to_string())
    }
}

/// A result's bytes as a type of Rust.
///
/// # Errors
/// [`DecodeError`].
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    T::deserialize(Decoder(Value::from_msgpack(bytes)?))
}

/// Whatever serde can write as an argument. Floats that are not finite become none: JSON is in between.
///
/// # Errors
/// When serde cannot: map keys that are no strings.
pub fn from_serde<T: Serialize>(value: &T) -> Result<Argument, serde_json::Error> {
    serde_json::to_value(value).map(|json| Argument::Value(from_json(&json)))
}

/// Hands a value to serde.
struct Decoder(Value);

impl<'de> IntoDeserializer<'de, DecodeError> for Decoder {
    type Deserializer = Decoder;
    fn into_deserializer(self) -> Decoder {
        self
    }
}

fn sequence<'de, V: Visitor<'de>>(values: Vec<Value>, visitor: V) -> Result<V::Value, DecodeError> {
    let mut sequence = SeqDeserializer::new(values.into_iter().map(Decoder));
    let value = visitor.visit_seq(&mut sequence)?;
    sequence.end()?;
    Ok(value)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "each method has a kind of value that it is about; all others are alike")]
impl<'de> de::Deserializer<'de> for Decoder {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Value::Nil => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Uint(value) => visitor.visit_u64(value),
            Value::Int(value) => visitor.visit_i64(value),
            Value::F32(value) => visitor.visit_f32(value),
            Value::F64(value) => visitor.visit_f64(value),
            Value::Str(value) => visitor.visit_string(value),
            Value::Bin(value) => visitor.visit_byte_buf(value),
            Value::Array(values) => sequence(values, visitor),
            Value::Map(pairs) => {
                let pairs = pairs.into_iter().map(|(key, value)| (key, Decoder(value)));
                visitor.visit_map(MapDeserializer::new(pairs))
            }
            Value::Ext(code, payload) => match Packed::from_code(code) {
                Some(packed) => sequence(unpack(packed, &payload), visitor),
                None => Err(DecodeError::Type(format!("extension code {code} is no result"))),
            },
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Value::Nil => visitor.visit_none(),
            // `{some: v}` is how an option of an option says that it has something.
            Value::Map(mut pairs) if pairs.len() == 1 && pairs[0].0 == "some" => {
                visitor.visit_some(Decoder(pairs.pop().map_or(Value::Nil, |(_, value)| value)))
            }
            value => visitor.visit_some(Decoder(value)),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Value::Bin(bytes) => visitor.visit_seq(SeqDeserializer::new(bytes.into_iter())),
            value => Decoder(value).deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        cases: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.0 {
            Value::Str(case) => StringDeserializer::new(case).deserialize_enum(name, cases, visitor),
            Value::Map(pairs) if pairs.len() == 1 => {
                let pairs = pairs.into_iter().map(|(key, value)| (key, Decoder(value)));
                de::value::MapAccessDeserializer::new(MapDeserializer::new(pairs)).deserialize_enum(name, cases, visitor)
            }
            _ => Err(DecodeError::Type(format!("expected a case of `{name}`"))),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        tuple tuple_struct map struct identifier ignored_any
    }
}
