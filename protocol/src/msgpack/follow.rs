//! Follows a path into an encoded value.

use super::{Kind, Packed, ReadError, Reader, Writer};
use crate::value_type::Step;
use std::borrow::Cow;

/// Why a path leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// The value cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A step does not fit what it leads into.
    #[error("step `{step}` leads into {}", .kind.as_str())]
    Kind {
        /// The step.
        step: String,
        /// What is there.
        kind: Kind,
    },
    /// A step after the element of a packed list or of bytes.
    #[error("step `{0}` leads into a number")]
    Number(String),
    /// An index beyond the end.
    #[error("index {index} is beyond the end of a list of {len}")]
    Beyond {
        /// The index.
        index: u32,
        /// How many there are.
        len: usize,
    },
    /// A field that is not there.
    #[error("the value has no field `{0}`")]
    NoField(String),
}

/// Tuple positions, list indices (packed lists and bytes too) and record fields. What is found is borrowed,
/// but for an element of a packed list, which is written anew.
///
/// # Errors
/// [`BadPath`], naming the step.
pub fn follow<'a, 'p>(value: &'a [u8], path: impl IntoIterator<Item = Step<'p>>) -> Result<Cow<'a, [u8]>, BadPath> {
    let mut value = Cow::Borrowed(value);
    for step in path {
        let Cow::Borrowed(bytes) = value else {
            return Err(BadPath::Number(step.to_string()));
        };
        let mut reader = Reader::new(bytes);
        value = match (step, reader.kind()?) {
            (Step::Index(index), Kind::Array) => {
                let len = reader.array()?;
                if index as usize >= len {
                    return Err(BadPath::Beyond { index, len });
                }
                for _ in 0..index {
                    reader.skip()?;
                }
                Cow::Borrowed(reader.skip()?)
            }
            (Step::Field(name), Kind::Map) => Cow::Borrowed(field(&mut reader, name)?),
            (Step::Index(index), Kind::Bin) => {
                let bytes = reader.bin()?;
                let byte = bytes.get(index as usize).ok_or(BadPath::Beyond { index, len: bytes.len() })?;
                let mut out = Writer::new();
                out.uint(u64::from(*byte));
                Cow::Owned(out.into_bytes())
            }
            (Step::Index(index), Kind::Ext) => {
                let (code, payload) = reader.ext()?;
                let packed = Packed::from_code(code).ok_or(BadPath::Kind { step: step.to_string(), kind: Kind::Ext })?;
                let mut out = Writer::new();
                if !packed.write_element(payload, index as usize, &mut out) {
                    return Err(BadPath::Beyond { index, len: payload.len() / packed.width() });
                }
                Cow::Owned(out.into_bytes())
            }
            (step, kind) => return Err(BadPath::Kind { step: step.to_string(), kind }),
        };
    }
    Ok(value)
}

fn field<'a>(reader: &mut Reader<'a>, name: &str) -> Result<&'a [u8], BadPath> {
    for _ in 0..reader.map()? {
        if reader.str()? == name {
            return Ok(reader.skip()?);
        }
        reader.skip()?;
    }
    Err(BadPath::NoField(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{BadPath, follow};
    use crate::Value;
    use crate::value_type::Step;

    #[test]
    fn paths_lead_into_values() {
        let packed = Value::Ext(24, 2.5f64.to_le_bytes().to_vec());
        let value = Value::Map(vec![("a".into(), Value::Array(vec![Value::Nil, packed])), ("b".into(), Value::Bin(vec![7]))])
            .to_msgpack();
        let at = |path: &[Step<'static>]| {
            follow(&value, path.iter().copied()).map(|found| Value::from_msgpack(&found).expect("a value"))
        };
        assert_eq!(at(&[Step::Field("a"), Step::Index(1), Step::Index(0)]), Ok(Value::F64(2.5)));
        assert_eq!(at(&[Step::Field("b"), Step::Index(0)]), Ok(Value::Uint(7)));
        assert_eq!(at(&[Step::Field("a"), Step::Index(2)]), Err(BadPath::Beyond { index: 2, len: 2 }));
        assert_eq!(at(&[Step::Field("c")]), Err(BadPath::NoField("c".into())));
        assert!(matches!(at(&[Step::Field("b"), Step::Index(0), Step::Index(0)]), Err(BadPath::Number(_))));
        assert!(matches!(at(&[Step::Index(0)]), Err(BadPath::Kind { .. })));
    }
}
