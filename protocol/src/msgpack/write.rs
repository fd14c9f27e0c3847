//! Writes canonical MessagePack: the shortest form of every header and integer.

use super::{NAN_F32, NAN_F64, Packed};

/// Bytes under construction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Nothing yet.
    pub const fn new() -> Writer {
        Writer { bytes: Vec::new() }
    }

    /// Continues after bytes that are already there.
    pub const fn after(bytes: Vec<u8>) -> Writer {
        Writer { bytes }
    }

    /// What has been written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// What has been written, so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Makes room.
    pub fn reserve(&mut self, additional: usize) {
        self.bytes.reserve(additional);
    }

    /// Appends a value, or part of one, that is already encoded.
    #[inline]
    pub fn raw(&mut self, encoded: &[u8]) {
        self.bytes.extend_from_slice(encoded);
    }

    /// nil
    pub fn nil(&mut self) {
        self.bytes.push(0xc0);
    }

    /// true or false
    pub fn bool(&mut self, value: bool) {
        self.bytes.push(0xc2 + u8::from(value));
    }

    /// A number ≥ 0.
    #[inline]
    pub fn uint(&mut self, value: u64) {
        match value {
            0..=0x7f => self.bytes.push(value as u8),
            0x80..=0xff => self.bytes.extend([0xcc, value as u8]),
            0x100..=0xffff => self.marked(0xcd, &(value as u16).to_be_bytes()),
            0x1_0000..=0xffff_ffff => self.marked(0xce, &(value as u32).to_be_bytes()),
            _ => self.marked(0xcf, &value.to_be_bytes()),
        }
    }

    /// Any signed number; one ≥ 0 is written as by [`uint`](Writer::uint).
    #[inline]
    pub fn int(&mut self, value: i64) {
        match value {
            0.. => self.uint(value as u64),
            -0x20..=-1 => self.bytes.push(value as u8),
            -0x80..=-0x21 => self.bytes.extend([0xd0, value as u8]),
            -0x8000..=-0x81 => self.marked(0xd1, &(value as i16).to_be_bytes()),
            -0x8000_0000..=-0x8001 => self.marked(0xd2, &(value as i32).to_be_bytes()),
            _ => self.marked(0xd3, &value.to_be_bytes()),
        }
    }

    /// float 32; NaNs become the canonical one.
    pub fn f32(&mut self, value: f32) {
        let bits = if value.is_nan() { NAN_F32 } else { value.to_bits() };
        self.marked(0xca, &bits.to_be_bytes());
    }

    /// float 64; NaNs become the canonical one.
    pub fn f64(&mut self, value: f64) {
        let bits = if value.is_nan() { NAN_F64 } else { value.to_bits() };
        self.marked(0xcb, &bits.to_be_bytes());
    }

    #[inline]
    fn marked(&mut self, marker: u8, bytes: &[u8]) {
        self.bytes.push(marker);
        self.bytes.extend_from_slice(bytes);
    }

    /// A length with 8-, 16- and 32-bit markers (0: none).
    ///
    /// # Panics
    /// When the length needs more than 32 bits; callers hold limits far below that.
    #[inline]
    fn header(&mut self, len: usize, markers: [u8; 3]) {
        match len {
            0..=0xff if markers[0] != 0 => self.bytes.extend([markers[0], len as u8]),
            0..=0xffff => self.marked(markers[1], &(len as u16).to_be_bytes()),
            _ => {
                let len = u32::try_from(len).expect("limits keep lengths within 32 bits");
                self.marked(markers[2], &len.to_be_bytes());
            }
        }
    }

    /// str
    #[inline]
    pub fn str(&mut self, value: &str) {
        self.str_header(value.len());
        self.bytes.extend_from_slice(value.as_bytes());
    }

    /// The header of a str whose bytes the caller appends.
    pub fn str_header(&mut self, len: usize) {
        match len {
            0..=31 => self.bytes.push(0xa0 + len as u8),
            _ => self.header(len, [0xd9, 0xda, 0xdb]),
        }
    }

    /// bin
    pub fn bin(&mut self, value: &[u8]) {
        self.header(value.len(), [0xc4, 0xc5, 0xc6]);
        self.bytes.extend_from_slice(value);
    }

    /// The header of an array; its values follow.
    #[inline]
    pub fn array(&mut self, len: usize) {
        match len {
            0..=15 => self.bytes.push(0x90 + len as u8),
            _ => self.header(len, [0, 0xdc, 0xdd]),
        }
    }

    /// The header of a map; its keys and values follow in turn.
    #[inline]
    pub fn map(&mut self, len: usize) {
        match len {
            0..=15 => self.bytes.push(0x80 + len as u8),
            _ => self.header(len, [0, 0xde, 0xdf]),
        }
    }

    /// ext
    pub fn ext(&mut self, code: i8, payload: &[u8]) {
        match payload.len() {
            len @ (1 | 2 | 4 | 8 | 16) => self.bytes.extend([0xd4 + len.trailing_zeros() as u8, code as u8]),
            len => {
                self.header(len, [0xc7, 0xc8, 0xc9]);
                self.bytes.push(code as u8);
            }
        }
        self.bytes.extend_from_slice(payload);
    }

    /// A packed list; NaNs in it become canonical.
    ///
    /// # Panics
    /// When the payload is not a multiple of the element's width.
    pub fn packed(&mut self, packed: Packed, payload: &[u8]) {
        assert!(payload.len().is_multiple_of(packed.width()), "a packed list is a multiple of its elements");
        self.ext(packed.code(), payload);
        let start = self.bytes.len() - payload.len();
        canonical_nans(packed, &mut self.bytes[start..]);
    }
}

/// Makes every NaN of a packed list the canonical one. A scan without a write when there are none.
fn canonical_nans(packed: Packed, payload: &mut [u8]) {
    match packed {
        Packed::F32 => {
            for element in payload.as_chunks_mut::<4>().0 {
                if f32::from_le_bytes(*element).is_nan() {
                    *element = NAN_F32.to_le_bytes();
                }
            }
        }
        Packed::F64 => {
            for element in payload.as_chunks_mut::<8>().0 {
                if f64::from_le_bytes(*element).is_nan() {
                    *element = NAN_F64.to_le_bytes();
                }
            }
        }
        Packed::S8 | Packed::U16 | Packed::S16 | Packed::U32 | Packed::S32 | Packed::U64 | Packed::S64 => {}
    }
}
