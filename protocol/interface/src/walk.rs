//! Walks MessagePack bytes along a type: to check them, to write their typed encoding, or to check that they are it.
//!
//! One walk for the three, so that they cannot disagree. Bytes may be hostile: recursion is bounded by the type
//! (and for `any` by the limit on nesting), and the work by the number of bytes.

mod any;
mod message;
mod names;
mod number;
mod record;

use self::message::{mismatch, not_canonical, unknown_name, unreadable, wrong};
use self::names::{Names, Seen};
use self::number::Number;
use crate::fits::{At, Mismatch, Resolver, shown};
use wasm_tasks_protocol::msgpack::{EXT_DATA, EXT_TASK, Kind, Packed, Reader, Writer};
use wasm_tasks_protocol::{ErrorCode, Type};

pub(crate) type Walked<T = ()> = Result<T, Box<Mismatch>>;

/// Absent fields that are read as none, for each byte of the value and altogether: they cost work and, when
/// encoded, bytes that nobody sent.
const ABSENT_PER_BYTE: usize = 32;
const ABSENT_FREE: usize = 65_536;

/// What a walk is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// To say whether the value fits.
    Check,
    /// To write the typed encoding.
    Encode,
    /// To say whether the bytes are the typed encoding.
    Strict,
}

pub(crate) struct Walk<'r, R> {
    mode: Mode,
    resolver: &'r mut R,
    out: Writer,
    scratch: Vec<u8>,
    names: Names,
    absent_left: usize,
}

/// What a reader has read since `start`.
fn consumed<'a>(start: &Reader<'a>, reader: &Reader<'a>) -> &'a [u8] {
    &start.rest()[..start.rest().len() - reader.rest().len()]
}

impl<'r, R: Resolver> Walk<'r, R> {
    pub(crate) fn new(mode: Mode, resolver: &'r mut R) -> Walk<'r, R> {
        Walk { mode, resolver, out: Writer::new(), scratch: Vec::new(), names: Names::default(), absent_left: ABSENT_FREE }
    }

    /// What an encoding walk has written.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out.into_bytes()
    }

    /// One argument or result, with a new allowance of absent fields.
    pub(crate) fn root(&mut self, ty: &Type, reader: &mut Reader<'_>) -> Walked {
        self.absent_left = ABSENT_FREE + reader.rest().len().saturating_mul(ABSENT_PER_BYTE);
        self.value(ty, reader)
    }

    pub(crate) fn value(&mut self, ty: &Type, reader: &mut Reader<'_>) -> Walked {
        if let Some(EXT_TASK | EXT_DATA) = reader.peek_ext() {
            return self.reference(ty, reader);
        }
        let start = *reader;
        match ty {
            Type::Bool => {
                let value = reader.bool().map_err(|error| wrong(ty, &start, error))?;
                self.leaf(&start, reader, |out| out.bool(value))
            }
            Type::U8
            | Type::U16
            | Type::U32
            | Type::U64
            | Type::S8
            | Type::S16
            | Type::S32
            | Type::S64
            | Type::F32
            | Type::F64 => {
                let number = Number::read(ty, reader)?;
                self.leaf(&start, reader, |out| number.write(out))
            }
            Type::Char => {
                let text = reader.str().map_err(|error| wrong(ty, &start, error))?;
                let mut chars = text.chars();
                if chars.next().is_none() || chars.next().is_some() {
                    return Err(mismatch(ty, &start).with_hint("a `char` is a string of exactly one character"));
                }
                self.leaf(&start, reader, |out| out.str(text))
            }
            Type::String => {
                let text = reader.str().map_err(|error| wrong(ty, &start, error))?;
                self.leaf(&start, reader, |out| out.str(text))
            }
            Type::List(element) => self.list(ty, element, reader),
            Type::Tuple(types) => self.tuple(ty, types, reader),
            Type::Record(fields) => self.record(ty, fields, reader),
            Type::Variant(cases) => self.variant(ty, cases, reader),
            Type::Enum(names) => {
                let name = reader.str().map_err(|error| wrong(ty, &start, error))?;
                if self.names.find(names, |name| name, name).is_none() {
                    return Err(unknown_name(ty, &start, name, names.iter().map(String::as_str)));
                }
                self.leaf(&start, reader, |out| out.str(name))
            }
            Type::Flags(names) => self.flags(ty, names, reader),
            Type::Option(some) => self.option(ty, some, reader),
            Type::Result(ok, err) => {
                let name = self.one_entry(ty, reader)?;
                let payload = match name {
                    "ok" => ok.as_deref(),
                    "err" => err.as_deref(),
                    _ => return Err(mismatch(ty, &start).with_hint("a result is `{ok: value}` or `{err: value}`")),
                };
                self.value(payload.unwrap_or(&Type::Unit), reader).within(name)
            }
            Type::Any => self.any(reader),
            Type::Unit => {
                reader.nil().map_err(|error| wrong(ty, &start, error))?;
                self.leaf(&start, reader, Writer::nil)
            }
        }
    }

    /// A part that is written as it should be read.
    #[inline]
    fn leaf(&mut self, start: &Reader<'_>, reader: &Reader<'_>, write: impl FnOnce(&mut Writer)) -> Walked {
        match self.mode {
            Mode::Check => Ok(()),
            Mode::Encode => {
                write(&mut self.out);
                Ok(())
            }
            Mode::Strict => {
                let mut scratch = std::mem::take(&mut self.scratch);
                scratch.clear();
                let mut out = Writer::after(scratch);
                write(&mut out);
                self.scratch = out.into_bytes();
                if self.scratch == consumed(start, reader) { Ok(()) } else { Err(not_canonical(start)) }
            }
        }
    }

    fn reference(&mut self, ty: &Type, reader: &mut Reader<'_>) -> Walked {
        let start = *reader;
        let (code, payload) = reader.ext().map_err(|error| wrong(ty, &start, error))?;
        if self.mode != Mode::Check {
            return Err(Mismatch::new(ErrorCode::BadValue, shown(ty), "a reference, which may not stand here"));
        }
        if code == EXT_TASK {
            return self.resolver.task(payload, ty);
        }
        let position = Reader::new(payload).int().ok().and_then(|position| u64::try_from(position).ok());
        match position {
            Some(position) => self.resolver.data(position, ty),
            None => Err(Mismatch::new(ErrorCode::BadValue, shown(ty), "a reference to data without a position")),
        }
    }

    fn list(&mut self, ty: &Type, element: &Type, reader: &mut Reader<'_>) -> Walked {
        let start = *reader;
        let packed = element.packed();
        match (reader.kind().map_err(|error| unreadable(error, ty))?, packed) {
            (Kind::Bin, None) if *element == Type::U8 => {
                let bytes = reader.bin().map_err(|error| wrong(ty, &start, error))?;
                self.payload(
                    &start,
                    reader,
                    bytes.len(),
                    |len| {
                        if len <= 0xff {
                            2
                        } else if len <= 0xffff {
                            3
                        } else {
                            5
                        }
                    },
                    |out| out.bin(bytes),
                )
            }
            (Kind::Ext, Some(packed)) => {
                let (code, payload) = reader.ext().map_err(|error| wrong(ty, &start, error))?;
                if code != packed.code() || !payload.len().is_multiple_of(packed.width()) {
                    return Err(mismatch(ty, &start));
                }
                if self.mode == Mode::Strict && !number::nans_are_canonical(packed, payload) {
                    return Err(not_canonical(&start));
                }
                let header = |len| match len {
                    1 | 2 | 4 | 8 | 16 => 2,
                    0..=0xff => 3,
                    0x100..=0xffff => 4,
                    _ => 6,
                };
                self.payload(&start, reader, payload.len(), header, |out| out.packed(packed, payload))
            }
            (Kind::Array, _) if packed.is_some() || *element == Type::U8 => self.numbers(ty, element, packed, reader),
            (Kind::Array, _) => {
                let len = reader.array().map_err(|error| wrong(ty, &start, error))?;
                self.leaf(&start, reader, |out| out.array(len))?;
                (0..len).try_for_each(|index| self.value(element, reader).at(index))
            }
            _ => Err(mismatch(ty, &start)),
        }
    }

    /// A payload that is copied as it is; in strict mode only its header can be longer than it should be.
    fn payload(
        &mut self,
        start: &Reader<'_>,
        reader: &Reader<'_>,
        len: usize,
        header: impl Fn(usize) -> usize,
        write: impl FnOnce(&mut Writer),
    ) -> Walked {
        match self.mode {
            Mode::Check => Ok(()),
            Mode::Encode => {
                write(&mut self.out);
                Ok(())
            }
            Mode::Strict if consumed(start, reader).len() == header(len) + len => Ok(()),
            Mode::Strict => Err(not_canonical(start)),
        }
    }

    /// Numbers one by one, where they should be packed.
    fn numbers(&mut self, ty: &Type, element: &Type, packed: Option<Packed>, reader: &mut Reader<'_>) -> Walked {
        let start = *reader;
        let len = reader.array().map_err(|error| wrong(ty, &start, error))?;
        match self.mode {
            Mode::Check => (0..len).try_for_each(|index| self.value(element, reader).at(index)),
            Mode::Strict => Err(not_canonical(&start)),
            Mode::Encode => {
                let mut payload = Vec::with_capacity(len * packed.map_or(1, Packed::width));
                for index in 0..len {
                    Number::read(element, reader).at(index)?.write_packed(packed, &mut payload);
                }
                match packed {
                    None => self.out.bin(&payload),
                    Some(packed) => self.out.packed(packed, &payload),
                }
                Ok(())
            }
        }
    }

    fn tuple(&mut self, ty: &Type, types: &[Type], reader: &mut Reader<'_>) -> Walked {
        let start = *reader;
        let len = reader.array().map_err(|error| wrong(ty, &start, error))?;
        if len != types.len() {
            return Err(mismatch(ty, &start));
        }
        self.leaf(&start, reader, |out| out.array(len))?;
        types.iter().enumerate().try_for_each(|(index, ty)| self.value(ty, reader).at(index))
    }

    fn variant(&mut self, ty: &Type, cases: &[(String, Option<Type>)], reader: &mut Reader<'_>) -> Walked {
        let start = *reader;
        let is_bare = reader.kind().map_err(|error| unreadable(error, ty))? == Kind::Str;
        let name = if is_bare { reader.str().map_err(|error| wrong(ty, &start, error))? } else { peek_entry(ty, reader)? };
        let case = self
            .names
            .find(cases, |(known, _)| known, name)
            .ok_or_else(|| unknown_name(ty, &start, name, cases.iter().map(|(name, _)| name.as_str())))?;
        match (&cases[case].1, is_bare) {
            (None, true) => self.leaf(&start, reader, |out| out.str(name)),
            (None, false) => {
                let at = *reader;
                reader.nil().map_err(|error| wrong(&Type::Unit, &at, error)).within(name)?;
                self.leaf(&start, reader, |out| out.str(name))
            }
            (Some(payload), false) => {
                self.leaf(&start, reader, |out| {
                    out.map(1);
                    out.str(name);
                })?;
                self.value(payload, reader).within(name)
            }
            (Some(payload), true) => {
                let hint = format!("the case `{name}` has a payload: `{{\"{name}\": {}}}`", crate::argument::example(payload));
                Err(mismatch(ty, &start).with_hint(hint))
            }
        }
    }

    fn flags(&mut self, ty: &Type, names: &[String], reader: &mut Reader<'_>) -> Walked {
        let start = *reader;
        let len = reader.array().map_err(|error| wrong(ty, &start, error))?;
        let mut set = Seen::new(names.len());
        for _ in 0..len {
            let at = *reader;
            let name = reader.str().map_err(|error| wrong(ty, &at, error))?;
            let flag = self
                .names
                .find(names, |name| name, name)
                .ok_or_else(|| unknown_name(ty, &at, name, names.iter().map(String::as_str)))?;
            if !set.insert(flag) {
                return Err(Mismatch::new(ErrorCode::BadValue, shown(ty), format!("the flag `{name}` twice")));
            }
        }
        self.leaf(&start, reader, |out| {
            out.array(len);
            names.iter().enumerate().filter(|(flag, _)| set.has(*flag)).for_each(|(_, name)| out.str(name));
        })
    }

    fn option(&mut self, ty: &Type, some: &Type, reader: &mut Reader<'_>) -> Walked {
        let start = *reader;
        if reader.try_nil() {
            return self.leaf(&start, reader, Writer::nil);
        }
        if !matches!(some, Type::Option(_)) {
            return self.value(some, reader);
        }
        match self.one_entry(ty, reader)? {
            "some" => self.value(some, reader).within("some"),
            _ => Err(mismatch(ty, &start).with_hint("an option of an option is nil or `{some: value}`")),
        }
    }

    /// The header and key of a map of one entry.
    fn one_entry<'a>(&mut self, ty: &Type, reader: &mut Reader<'a>) -> Walked<&'a str> {
        let start = *reader;
        let name = peek_entry(ty, reader)?;
        self.leaf(&start, reader, |out| {
            out.map(1);
            out.str(name);
        })?;
        Ok(name)
    }
}

/// Reads the header and key of a map of one entry.
fn peek_entry<'a>(ty: &Type, reader: &mut Reader<'a>) -> Walked<&'a str> {
    let start = *reader;
    let len = reader.map().map_err(|error| wrong(ty, &start, error))?;
    if len != 1 {
        return Err(mismatch(ty, &start));
    }
    reader.str().map_err(|error| wrong(ty, &start, error))
}

#[cfg(test)]
pub(crate) mod tests;
