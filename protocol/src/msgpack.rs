//! MessagePack as bytes: a zero-copy reader, a canonical writer, and validation of hostile bytes.
//!
//! Knows the profile of `docs/values.md` and no types. The layout is that of the
//! [MessagePack specification](https://github.com/msgpack/msgpack/blob/master/spec.md).

mod follow;
mod read;
#[cfg(test)]
mod tests;
mod validate;
mod write;

pub use follow::{BadPath, follow};
pub use read::{Kind, ReadError, Reader};
pub use validate::{InvalidValue, References, validate};
pub use write::Writer;

/// Ext code of a reference to a task's result.
pub const EXT_TASK: i8 = 1;
/// Ext code of a reference to an entry of `data`.
pub const EXT_DATA: i8 = 2;
/// Ext code of a reference to another graph's result; reserved.
pub const EXT_GRAPH: i8 = 3;
/// Ext code of an argument of the task that delegates: only in what a task delegates.
pub const EXT_ARGUMENT: i8 = 4;

/// The canonical NaN of `f64`.
pub const NAN_F64: u64 = 0x7ff8_0000_0000_0000;
/// The canonical NaN of `f32`.
pub const NAN_F32: u32 = 0x7fc0_0000;

/// Numbers that travel as packed lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packed {
    /// `list<s8>`
    S8,
    /// `list<u16>`
    U16,
    /// `list<s16>`
    S16,
    /// `list<u32>`
    U32,
    /// `list<s32>`
    S32,
    /// `list<u64>`
    U64,
    /// `list<s64>`
    S64,
    /// `list<f32>`
    F32,
    /// `list<f64>`
    F64,
}

impl Packed {
    /// All of them, in the order of their codes.
    pub const ALL: [Packed; 9] =
        [Packed::S8, Packed::U16, Packed::S16, Packed::U32, Packed::S32, Packed::U64, Packed::S64, Packed::F32, Packed::F64];

    /// The ext code.
    pub const fn code(self) -> i8 {
        16 + self as i8
    }

    /// The packed list with an ext code.
    pub fn from_code(code: i8) -> Option<Packed> {
        Packed::ALL.get(usize::try_from(code).ok()?.checked_sub(16)?).copied()
    }

    /// Bytes of an element.
    pub const fn width(self) -> usize {
        match self {
            Packed::S8 => 1,
            Packed::U16 | Packed::S16 => 2,
            Packed::U32 | Packed::S32 | Packed::F32 => 4,
            Packed::U64 | Packed::S64 | Packed::F64 => 8,
        }
    }

    /// Writes element `index` of a packed payload as a value of its own.
    ///
    /// Returns false when there is no such element.
    pub fn write_element(self, payload: &[u8], index: usize, out: &mut Writer) -> bool {
        let width = self.width();
        let Some(bytes) = index.checked_mul(width).and_then(|at| payload.get(at..)?.get(..width)) else {
            return false;
        };
        let mut wide = [0; 8];
        wide[..width].copy_from_slice(bytes);
        let bits = u64::from_le_bytes(wide);
        match self {
            Packed::S8 => out.int(i64::from(bits as i8)),
            Packed::S16 => out.int(i64::from(bits as i16)),
            Packed::S32 => out.int(i64::from(bits as i32)),
            Packed::S64 => out.int(bits as i64),
            Packed::U16 | Packed::U32 | Packed::U64 => out.uint(bits),
            Packed::F32 => out.f32(f32::from_bits(bits as u32)),
            Packed::F64 => out.f64(f64::from_bits(bits)),
        }
        true
    }
}
