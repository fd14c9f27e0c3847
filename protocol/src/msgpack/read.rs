//! A cursor over MessagePack bytes. Every length is checked against what is there before it is believed.

/// What a value is, seen from its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// nil
    Nil,
    /// true or false
    Bool,
    /// any integer
    Int,
    /// float 32 or 64
    Float,
    /// str
    Str,
    /// bin
    Bin,
    /// array
    Array,
    /// map
    Map,
    /// ext
    Ext,
}

impl Kind {
    /// The kind as it is named in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Nil => "nil",
            Kind::Bool => "a bool",
            Kind::Int => "an integer",
            Kind::Float => "a float",
            Kind::Str => "a string",
            Kind::Bin => "bytes",
            Kind::Array => "an array",
            Kind::Map => "a map",
            Kind::Ext => "an extension value",
        }
    }
}

/// Why bytes could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The bytes end inside a value.
    #[error("the bytes end inside a value")]
    End,
    /// 0xc1, which MessagePack never uses.
    #[error("byte 0xc1 is not MessagePack")]
    Reserved,
    /// A str that is not UTF-8.
    #[error("a string is not UTF-8")]
    Utf8,
    /// Another kind of value than was asked for.
    #[error("expected {}, found {}", .expected.as_str(), .found.as_str())]
    Kind {
        /// What was asked for.
        expected: Kind,
        /// What is there.
        found: Kind,
    },
}

/// A cursor over bytes that hold values one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub const fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// The bytes that have not been read.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything has been read.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What the next value is.
    ///
    /// # Errors
    /// [`ReadError::End`] when there is none, [`ReadError::Reserved`].
    #[inline]
    pub fn kind(&self) -> Result<Kind, ReadError> {
        Ok(match *self.rest.first().ok_or(ReadError::End)? {
            0x00..=0x7f | 0xcc..=0xd3 | 0xe0..=0xff => Kind::Int,
            0x80..=0x8f | 0xde | 0xdf => Kind::Map,
            0x90..=0x9f | 0xdc | 0xdd => Kind::Array,
            0xa0..=0xbf | 0xd9..=0xdb => Kind::Str,
            0xc0 => Kind::Nil,
            0xc1 => return Err(ReadError::Reserved),
            0xc2 | 0xc3 => Kind::Bool,
            0xc4..=0xc6 => Kind::Bin,
            0xc7..=0xc9 | 0xd4..=0xd8 => Kind::Ext,
            0xca | 0xcb => Kind::Float,
        })
    }

    fn wrong<T>(&self, expected: Kind) -> Result<T, ReadError> {
        Err(ReadError::Kind { expected, found: self.kind()? })
    }

    #[inline]
    fn take(&mut self, n: usize) -> Result<&'a [u8], ReadError> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(ReadError::End)?;
        self.rest = rest;
        Ok(taken)
    }

    /// `n` ≤ 8 bytes after the marker, big-endian.
    #[inline]
    fn after_marker(&mut self, n: usize) -> Result<u64, ReadError> {
        let bytes = self.take(n + 1)?;
        Ok(bytes[1..].iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// Takes these very bytes when they come next; the fast path for known keys.
    #[inline]
    pub fn try_literal(&mut self, literal: &[u8]) -> bool {
        match self.rest.strip_prefix(literal) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes nil when it comes next.
    pub fn try_nil(&mut self) -> bool {
        self.try_literal(&[0xc0])
    }

    /// Reads nil.
    ///
    /// # Errors
    /// When something else comes next; so for all of these methods.
    pub fn nil(&mut self) -> Result<(), ReadError> {
        if self.try_nil() { Ok(()) } else { self.wrong(Kind::Nil) }
    }

    /// Reads a bool.
    #[expect(clippy::missing_errors_doc, reason = "see `nil`")]
    pub fn bool(&mut self) -> Result<bool, ReadError> {
        match self.rest.first() {
            Some(0xc2) => self.take(1).map(|_| false),
            Some(0xc3) => self.take(1).map(|_| true),
            _ => self.wrong(Kind::Bool),
        }
    }

    /// Reads an integer; every MessagePack integer fits.
    #[inline]
    #[expect(clippy::missing_errors_doc, reason = "see `nil`")]
    pub fn int(&mut self) -> Result<i128, ReadError> {
        Ok(match self.rest.first().copied() {
            Some(n @ 0x00..=0x7f) => {
                self.take(1)?;
                i128::from(n)
            }
            Some(n @ 0xe0..=0xff) => {
                self.take(1)?;
                i128::from(n as i8)
            }
            Some(marker @ 0xcc..=0xcf) => i128::from(self.after_marker(1 << (marker - 0xcc))?),
            Some(0xd0) => i128::from(self.after_marker(1)? as i8),
            Some(0xd1) => i128::from(self.after_marker(2)? as i16),
            Some(0xd2) => i128::from(self.after_marker(4)? as i32),
            Some(0xd3) => i128::from(self.after_marker(8)? as i64),
            _ => return self.wrong(Kind::Int),
        })
    }

    /// Reads a float 32 or 64.
    #[expect(clippy::missing_errors_doc, reason = "see `nil`")]
    pub fn float(&mut self) -> Result<f64, ReadError> {
        match self.rest.first() {
            Some(0xca) => Ok(f64::from(f32::from_bits(self.after_marker(4)? as u32))),
            Some(0xcb) => Ok(f64::from_bits(self.after_marker(8)?)),
            _ => self.wrong(Kind::Float),
        }
    }

    /// Length of a fixed or 8/16/32-bit header; `markers[0]` may be 0 for "none".
    #[inline]
    fn header(&mut self, kind: Kind, fixed: Option<(u8, u8)>, markers: [u8; 3]) -> Result<usize, ReadError> {
        let Some(&marker) = self.rest.first() else { return Err(ReadError::End) };
        if let Some((base, count)) = fixed
            && marker.wrapping_sub(base) < count
        {
            self.take(1)?;
            return Ok(usize::from(marker - base));
        }
        let width = match markers.iter().position(|m| *m != 0 && *m == marker) {
            Some(position) => 1 << position,
            None => return self.wrong(kind),
        };
        let mut ahead = *self;
        let len = ahead.after_marker(width)? as usize;
        *self = ahead;
        Ok(len)
    }

    /// Reads a str.
    #[inline]
    #[expect(clippy::missing_errors_doc, reason = "see `nil`")]
    pub fn str(&mut self) -> Result<&'a str, ReadError> {
        let len = self.header(Kind::Str, Some((0xa0, 32)), [0xd9, 0xda, 0xdb])?;
        std::str::from_utf8(self.take(len)?).map_err(|_| ReadError::Utf8)
    }

    /// Reads a bin.
    #[inline]
    #[expect(clippy::missing_errors_doc, reason = "see `nil`")]
    pub fn bin(&mut self) -> Result<&'a [u8], ReadError> {
        let len = self.header(Kind::Bin, None, [0xc4, 0xc5, 0xc6])?;
        self.take(len)
    }

    /// Reads the header of an array: how many values follow. Not more than there are bytes left.
    #[inline]
    #[expect(clippy::missing_errors_doc, reason = "see `nil`")]
    pub fn array(&mut self) -> Result<usize, ReadError> {
        let len = self.header(Kind::Array, Some((0x90, 16)), [0, 0xdc, 0xdd])?;
        if len > self.rest.len() { Err(ReadError::End) } else { Ok(len) }
    }

    /// Reads the header of a map: how many pairs follow. Not more than half the bytes left.
    #[inline]
    #[expect(clippy::missing_errors_doc, reason = "see `nil`")]
    pub fn map(&mut self) -> Result<usize, ReadError> {
        let len = self.header(Kind::Map, Some((0x80, 16)), [0, 0xde, 0xdf])?;
        if len > self.rest.len() / 2 { Err(ReadError::End) } else { Ok(len) }
    }

    /// Reads an ext: its code and payload.
    #[inline]
    #[expect(clippy::missing_errors_doc, reason = "see `nil`")]
    pub fn ext(&mut self) -> Result<(i8, &'a [u8]), ReadError> {
        let len = match self.rest.first() {
            Some(marker @ 0xd4..=0xd8) => {
                let len = 1 << (marker - 0xd4);
                self.take(1)?;
                len
            }
            _ => self.header(Kind::Ext, None, [0xc7, 0xc8, 0xc9])?,
        };
        let code = self.take(1)?[0] as i8;
        Ok((code, self.take(len)?))
    }

    /// The code of an ext that comes next, without reading it.
    #[inline]
    pub fn peek_ext(&self) -> Option<i8> {
        let at = match self.rest.first()? {
            0xd4..=0xd8 => 1,
            0xc7 => 2,
            0xc8 => 3,
            0xc9 => 5,
            _ => return None,
        };
        self.rest.get(at).map(|code| *code as i8)
    }

    /// Passes over one value, however nested, without recursion; returns its bytes.
    /// Lengths and markers are checked, UTF-8 and keys are not.
    ///
    /// # Errors
    /// [`ReadError::End`] and [`ReadError::Reserved`].
    pub fn skip(&mut self) -> Result<&'a [u8], ReadError> {
        let start = self.rest;
        let mut left = 1u64;
        while left > 0 {
            left -= 1;
            match self.kind()? {
                Kind::Nil | Kind::Bool => drop(self.take(1)?),
                Kind::Int => drop(self.int()?),
                Kind::Float => drop(self.float()?),
                Kind::Str => {
                    let len = self.header(Kind::Str, Some((0xa0, 32)), [0xd9, 0xda, 0xdb])?;
                    self.take(len)?;
                }
                Kind::Bin => drop(self.bin()?),
                Kind::Ext => drop(self.ext()?),
                Kind::Array => left += self.array()? as u64,
                Kind::Map => left += 2 * self.map()? as u64,
            }
        }
        Ok(&start[..start.len() - self.rest.len()])
    }
}
