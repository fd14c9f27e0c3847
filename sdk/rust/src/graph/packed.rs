//! Lists of numbers as one block of memory: what makes a million floats an argument at the speed of a copy.

use wasm_tasks_protocol::Value;
use wasm_tasks_protocol::graph::Argument;
use wasm_tasks_protocol::msgpack::Packed;

/// A number that lists of can be packed.
pub trait PackedNumber: Copy {
    /// Its packed list.
    const PACKED: Packed;
    /// Appends its bytes, little-endian.
    fn append(self, out: &mut Vec<u8>);
}

macro_rules! numbers {
    ($($ty:ident $packed:ident,)*) => {$(
        impl PackedNumber for $ty {
            const PACKED: Packed = Packed::$packed;
            fn append(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}

numbers! { i8 S8, u16 U16, i16 S16, u32 U32, i32 S32, u64 U64, i64 S64, f32 F32, f64 F64, }

/// A packed list. It fits only a parameter of exactly this type: `packed(&[1i32])` is a `list<s32>`.
///
/// A `Vec` of integers is an array of numbers instead, which fits every list that can hold them.
pub fn packed<T: PackedNumber>(numbers: &[T]) -> Argument {
    let mut payload = Vec::with_capacity(size_of_val(numbers));
    numbers.iter().for_each(|number| number.append(&mut payload));
    Argument::Value(Value::Ext(T::PACKED.code(), payload))
}
