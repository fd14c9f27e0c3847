//! A value as a tree, for people and tools: SDKs, the command line, JSON. The data path works on bytes.

use crate::msgpack::{EXT_ARGUMENT, EXT_DATA, EXT_TASK, InvalidValue, Kind, Reader, Writer, validate};

/// A MessagePack value of the profile, without knowledge of its type.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// nil
    Nil,
    /// true or false
    Bool(bool),
    /// A number ≥ 0.
    Uint(u64),
    /// A number < 0.
    Int(i64),
    /// float 32
    F32(f32),
    /// float 64
    F64(f64),
    /// str
    Str(String),
    /// bin
    Bin(Vec<u8>),
    /// array
    Array(Vec<Value>),
    /// map; keys in the order they stand in
    Map(Vec<(String, Value)>),
    /// ext: code and payload
    Ext(i8, Vec<u8>),
}

impl Value {
    /// Reads one value that fills the bytes. References are kept as ext values.
    ///
    /// # Errors
    /// [`InvalidValue`] when the bytes are not one value of the profile.
    pub fn from_msgpack(bytes: &[u8]) -> Result<Value, InvalidValue> {
        struct Any;
        impl crate::msgpack::References for Any {
            fn task(&mut self, _: u64, _: usize) -> Result<(), InvalidValue> {
                Ok(())
            }
            fn data(&mut self, _: u64) -> Result<(), InvalidValue> {
                Ok(())
            }
        }
        let mut reader = Reader::new(bytes);
        validate(&mut reader, &mut Any)?;
        if !reader.is_empty() {
            return Err(InvalidValue::ExtPayload("bytes after the value"));
        }
        read(&mut Reader::new(bytes))
    }

    /// Writes the value in canonical form, maps in the order they have here.
    pub fn write(&self, out: &mut Writer) {
        match self {
            Value::Nil => out.nil(),
            Value::Bool(value) => out.bool(*value),
            Value::Uint(value) => out.uint(*value),
            Value::Int(value) => out.int(*value),
            Value::F32(value) => out.f32(*value),
            Value::F64(value) => out.f64(*value),
            Value::Str(value) => out.str(value),
            Value::Bin(value) => out.bin(value),
            Value::Array(values) => {
                out.array(values.len());
                values.iter().for_each(|value| value.write(out));
            }
            Value::Map(pairs) => {
                out.map(pairs.len());
                for (key, value) in pairs {
                    out.str(key);
                    value.write(out);
                }
            }
            Value::Ext(code, payload) => match crate::msgpack::Packed::from_code(*code) {
                Some(packed) if payload.len().is_multiple_of(packed.width()) => out.packed(packed, payload),
                _ => out.ext(*code, payload),
            },
        }
    }

    /// The value's bytes.
    pub fn to_msgpack(&self) -> Vec<u8> {
        let mut out = Writer::new();
        self.write(&mut out);
        out.into_bytes()
    }

    /// The file encoding: floats as float 64, maps sorted by key, references in their shortest form.
    #[must_use]
    pub fn to_file_encoding(self) -> Value {
        match self {
            Value::F32(value) => Value::F64(f64::from(value)),
            Value::Array(values) => Value::Array(values.into_iter().map(Value::to_file_encoding).collect()),
            Value::Map(pairs) => {
                let mut pairs: Vec<_> = pairs.into_iter().map(|(key, value)| (key, value.to_file_encoding())).collect();
                pairs.sort_by(|a, b| a.0.cmp(&b.0));
                Value::Map(pairs)
            }
            Value::Ext(code @ (EXT_TASK | EXT_DATA | EXT_ARGUMENT), payload) => {
                let shortest = read(&mut Reader::new(&payload)).map(|value| value.to_msgpack());
                Value::Ext(code, shortest.unwrap_or(payload))
            }
            other => other,
        }
    }

    /// A number of either sign.
    pub fn int(value: i64) -> Value {
        u64::try_from(value).map_or(Value::Int(value), Value::Uint)
    }

    /// The value of a key, where this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Map(pairs) => pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }
}

/// Reads validated bytes.
fn read(reader: &mut Reader<'_>) -> Result<Value, InvalidValue> {
    Ok(match reader.kind()? {
        Kind::Nil => {
            reader.nil()?;
            Value::Nil
        }
        Kind::Bool => Value::Bool(reader.bool()?),
        Kind::Int => {
            let value = reader.int()?;
            u64::try_from(value).map_or_else(|_| Value::Int(value as i64), Value::Uint)
        }
        Kind::Float if reader.rest().first() == Some(&0xca) => Value::F32(reader.float()? as f32),
        Kind::Float => Value::F64(reader.float()?),
        Kind::Str => Value::Str(reader.str()?.to_owned()),
        Kind::Bin => Value::Bin(reader.bin()?.to_owned()),
        Kind::Array => (0..reader.array()?).map(|_| read(reader)).collect::<Result<_, _>>().map(Value::Array)?,
        Kind::Map => (0..reader.map()?)
            .map(|_| Ok((reader.str()?.to_owned(), read(reader)?)))
            .collect::<Result<_, InvalidValue>>()
            .map(Value::Map)?,
        Kind::Ext => {
            let (code, payload) = reader.ext()?;
            Value::Ext(code, payload.to_owned())
        }
    })
}
