//! Lowers arguments: MessagePack straight into a guest's memory and slots, by shape.

use crate::arguments;
use crate::budget::Watch;
use crate::call::Arguments;
use crate::canonical::{array, ended, packed_payload, raw_mismatch};
use crate::fault::{Fault, Part};
use crate::numbers;
use crate::reading::{self, Payload};
use crate::resolve::{Resolve, Resolved, resolve_next};
use crate::shape::{Cases, FLAT_MAX, Field, Fields, Form, Shape};
use std::fmt;
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::msgpack::{Kind, Packed, Reader};
use wasmtime::component::__internal::{InterfaceType, LowerContext};
use wasmtime::component::Lower;
use wasmtime::{ValRaw, bail};

/// Elements of a list are put together on the host in pieces of at most this many bytes, then copied.
const PIECE_BYTES: usize = 32 << 10;

/// Arguments that do not fit their parameters, as the error of a call.
#[derive(Debug)]
pub(crate) struct ArgumentFault(pub(crate) Fault);

impl fmt::Display for ArgumentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for ArgumentFault {}

pub(super) struct Parameters<'a> {
    pub(super) fields: &'a Fields,
    pub(super) arguments: &'a Arguments<'a>,
    pub(super) watch: &'a Watch<'a>,
}

/// Lowers all arguments of a call. The slots are zeroed.
pub(super) fn parameters<T>(
    cx: &mut LowerContext<'_, T>,
    params: &Parameters<'_>,
    slots: &mut [ValRaw; FLAT_MAX as usize],
) -> wasmtime::Result<()> {
    let mut lowering = Lowering { cx, scratch: Vec::new(), watch: params.watch };
    lowering.parameters(params, slots).map_err(|error| match error {
        Error::Value(fault) => wasmtime::Error::new(ArgumentFault(fault)),
        Error::Engine(error) => error,
    })
}

enum Error {
    /// The arguments' fault.
    Value(Fault),
    /// The guest's, for example a trap in its `realloc`.
    Engine(wasmtime::Error),
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        Error::Value(fault)
    }
}

impl From<wasmtime::Error> for Error {
    fn from(error: wasmtime::Error) -> Error {
        Error::Engine(error)
    }
}

impl From<wasm_tasks_protocol::msgpack::ReadError> for Error {
    fn from(error: wasm_tasks_protocol::msgpack::ReadError) -> Error {
        Error::Value(error.into())
    }
}

impl Error {
    fn at(self, part: impl FnOnce() -> Part) -> Error {
        match self {
            Error::Value(fault) => Error::Value(fault.at(part())),
            Error::Engine(error) => Error::Engine(error),
        }
    }
}

type Result<T = (), E = Error> = std::result::Result<T, E>;

struct Lowering<'c, 'a, T: 'static> {
    cx: &'c mut LowerContext<'a, T>,
    /// Where values are put together before they are copied into the guest: a stack of pieces, so that nested lists
    /// allocate nothing of their own. Bounded by [`PIECE_BYTES`] or one element for every level of nesting.
    scratch: Vec<u8>,
    watch: &'c Watch<'c>,
}

/// Where a value goes: slots, or a place in the scratch.
enum Place<'s> {
    Slots(&'s mut [ValRaw]),
    Scratch(usize),
}

impl<T: 'static> Lowering<'_, '_, T> {
    fn parameters(&mut self, params: &Parameters<'_>, slots: &mut [ValRaw]) -> Result {
        let fields = params.fields;
        if fields.flat <= FLAT_MAX {
            return self.each_argument(params, |lowering, field, reader, resolve| {
                let mine = &mut slots[field.slot as usize..][..field.shape.flat as usize];
                lowering.value(&field.shape, reader, resolve, Place::Slots(mine))
            });
        }
        let size = fields.size as usize;
        let at = self.cx.realloc(0, 0, fields.align, size)?;
        self.scratch.resize(size, 0);
        self.each_argument(params, |lowering, field, reader, resolve| {
            lowering.value(&field.shape, reader, resolve, Place::Scratch(field.offset as usize))
        })?;
        self.copy_out(0, at)?;
        slots[0] = ValRaw::i64(at as i64);
        Ok(())
    }

    /// Finds every argument and lowers it; what is absent reads as none and stays zero.
    fn each_argument(
        &mut self,
        params: &Parameters<'_>,
        mut lower: impl FnMut(&mut Self, &Field, &mut Reader<'_>, Option<&dyn Resolve>) -> Result,
    ) -> Result {
        let resolve = Some(params.arguments.resolve);
        arguments::each(params.fields, params.arguments, |index, field, reader| match reader {
            None => Ok(()),
            Some(reader) => lower(self, field, reader, resolve).map_err(|error| match error {
                Error::Value(fault) => Error::Value(fault.in_place(arguments::place(index, field))),
                Error::Engine(error) => Error::Engine(error),
            }),
        })
    }

    /// Lowers one value, or what a reference leads to.
    fn value(&mut self, shape: &Shape, reader: &mut Reader<'_>, resolve: Option<&dyn Resolve>, place: Place<'_>) -> Result {
        self.watch.step()?;
        if reading::is_reference(reader) {
            let Some(resolve) = resolve else {
                return Err(Fault::new(ErrorCode::BadValue, "a reference inside a value that a reference led to").into());
            };
            let resolved = resolve_next(reader, resolve)?;
            let mut inner = match &resolved {
                Resolved::Raw(bytes) => {
                    if !matches!(shape.form, Form::Bytes(_)) {
                        return Err(raw_mismatch(shape).into());
                    }
                    let pointer = self.copy_in(1, bytes)?;
                    self.put_pair(place, pointer, bytes.len());
                    return Ok(());
                }
                Resolved::Value(bytes) => Reader::new(bytes),
                Resolved::Element(element) => Reader::new(element.as_bytes()),
            };
            // Without a resolver: what a reference leads to has no references of its own.
            self.value(shape, &mut inner, None, place)?;
            return Ok(ended(&inner)?);
        }
        self.plain(shape, reader, resolve, place)
    }

    fn plain(&mut self, shape: &Shape, reader: &mut Reader<'_>, resolve: Option<&dyn Resolve>, place: Place<'_>) -> Result {
        match &shape.form {
            Form::Scalar(scalar) => {
                let bits = reading::scalar(shape, *scalar, reader)?;
                self.put_bits(place, bits, scalar.size());
            }
            Form::Flags(flags) => {
                let bits = reading::flags(shape, flags, reader)?;
                self.put_bits(place, u64::from(bits), shape.size);
            }
            Form::String => {
                let text = reading::string(shape, reader)?;
                let (pointer, len) = self.string(text)?;
                self.put_pair(place, pointer, len);
            }
            Form::Bytes(element) => {
                let (pointer, len) = if reader.kind()? == Kind::Bin {
                    let bytes = reader.bin()?;
                    (self.copy_in(1, bytes)?, bytes.len())
                } else {
                    self.list(shape, element, reader, resolve)?
                };
                self.put_pair(place, pointer, len);
            }
            Form::Numbers(packed, element) => {
                let (pointer, len) = if reader.kind()? == Kind::Ext {
                    let payload = packed_payload(shape, *packed, reader)?;
                    (self.copy_numbers(*packed, payload)?, payload.len() / packed.width())
                } else {
                    self.list(shape, element, reader, resolve)?
                };
                self.put_pair(place, pointer, len);
            }
            Form::List(element) => {
                let (pointer, len) = self.list(shape, element, reader, resolve)?;
                self.put_pair(place, pointer, len);
            }
            Form::Record(fields) => self.record(shape, fields, reader, resolve, place)?,
            Form::Tuple(fields) => self.tuple(shape, fields, reader, resolve, place)?,
            Form::Cases(cases) => self.case(shape, cases, reader, resolve, place)?,
        }
        Ok(())
    }

    fn record(
        &mut self,
        shape: &Shape,
        fields: &Fields,
        reader: &mut Reader<'_>,
        resolve: Option<&dyn Resolve>,
        mut place: Place<'_>,
    ) -> Result {
        reading::record(shape, fields, reader, |_, field, value| match value {
            // An absent field is none, whose discriminant is zero, as the place already is.
            None => Ok(()),
            Some(value) => self
                .value(&field.shape, value, resolve, place.field(field))
                .map_err(|error| error.at(|| Part::Field(field.name.clone()))),
        })
    }

    fn tuple(
        &mut self,
        shape: &Shape,
        fields: &Fields,
        reader: &mut Reader<'_>,
        resolve: Option<&dyn Resolve>,
        mut place: Place<'_>,
    ) -> Result {
        reading::tuple(shape, fields, reader)?;
        for (index, field) in fields.fields.iter().enumerate() {
            self.value(&field.shape, reader, resolve, place.field(field)).map_err(|error| error.at(|| Part::Index(index)))?;
        }
        Ok(())
    }

    fn case(
        &mut self,
        shape: &Shape,
        cases: &Cases,
        reader: &mut Reader<'_>,
        resolve: Option<&dyn Resolve>,
        place: Place<'_>,
    ) -> Result {
        let (index, payload) = reading::case(shape, cases, reader)?;
        let inner = match payload {
            Payload::Absent => None,
            Payload::Next => cases.cases[index].payload.as_ref(),
        };
        let place = match place {
            Place::Slots(slots) => {
                slots[0] = ValRaw::u32(index as u32);
                Place::Slots(&mut slots[1..])
            }
            Place::Scratch(at) => {
                let tag = cases.tag_bytes as usize;
                self.scratch[at..at + tag].copy_from_slice(&(index as u32).to_le_bytes()[..tag]);
                Place::Scratch(at + cases.payload_offset as usize)
            }
        };
        match inner {
            Some(inner) => self.value(inner, reader, resolve, place).map_err(|error| {
                if shape.is_option() { error } else { error.at(|| Part::Case(cases.cases[index].name.clone())) }
            }),
            None => Ok(()),
        }
    }

    /// A list written as an array: allocated in the guest first, which bounds it, then put together piece by piece.
    fn list(
        &mut self,
        shape: &Shape,
        element: &Shape,
        reader: &mut Reader<'_>,
        resolve: Option<&dyn Resolve>,
    ) -> Result<(usize, usize)> {
        let len = array(shape, reader)?;
        let width = element.size as usize;
        let Some(bytes) = len.checked_mul(width).filter(|bytes| u32::try_from(*bytes).is_ok()) else {
            return Err(Fault::new(ErrorCode::LimitExceeded, "a list of 4 GiB or more").into());
        };
        let start = self.cx.realloc(0, 0, element.align, bytes)?;
        let base = self.scratch.len();
        let piece = (PIECE_BYTES / width.max(1)).max(1);
        let mut done = 0;
        while done < len {
            let take = piece.min(len - done);
            self.scratch.resize(base + take * width, 0);
            for index in 0..take {
                self.value(element, reader, resolve, Place::Scratch(base + index * width))
                    .map_err(|error| error.at(|| Part::Index(done + index)))?;
            }
            self.copy_out(base, start + done * width)?;
            self.scratch.truncate(base);
            done += take;
        }
        Ok((start, len))
    }

    /// Allocates a string in the guest's encoding; wasmtime knows how.
    fn string(&mut self, text: &str) -> Result<(usize, usize)> {
        let mut raw = std::mem::MaybeUninit::new([ValRaw::u64(0); 2]);
        text.linear_lower_to_flat(self.cx, InterfaceType::String, &mut raw)?;
        // SAFETY: initialised when it was made.
        let raw = unsafe { raw.assume_init() };
        Ok((raw[0].get_u32() as usize, raw[1].get_u32() as usize))
    }

    /// Allocates bytes in the guest and copies them there.
    fn copy_in(&mut self, align: u32, bytes: &[u8]) -> Result<usize> {
        let at = self.cx.realloc(0, 0, align, bytes.len())?;
        guest(self.cx, at, bytes.len())?.copy_from_slice(bytes);
        Ok(at)
    }

    /// Allocates packed numbers in the guest and copies them there, with every NaN made canonical.
    fn copy_numbers(&mut self, packed: Packed, payload: &[u8]) -> Result<usize> {
        let at = self.cx.realloc(0, 0, packed.width() as u32, payload.len())?;
        numbers::copy(packed, payload, guest(self.cx, at, payload.len())?);
        Ok(at)
    }

    /// Copies the scratch from `base` on into the guest.
    fn copy_out(&mut self, base: usize, at: usize) -> Result {
        let bytes = &self.scratch[base..];
        guest(self.cx, at, bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    #[inline]
    fn put_bits(&mut self, place: Place<'_>, bits: u64, size: u32) {
        match place {
            Place::Slots(slots) => slots[0] = ValRaw::u64(bits),
            Place::Scratch(at) => {
                let size = size as usize;
                self.scratch[at..at + size].copy_from_slice(&bits.to_le_bytes()[..size]);
            }
        }
    }

    /// Pointer and length, both within 32 bits: `realloc` has checked them against the memory.
    #[inline]
    fn put_pair(&mut self, place: Place<'_>, pointer: usize, len: usize) {
        match place {
            Place::Slots(slots) => {
                slots[0] = ValRaw::i64(pointer as i64);
                slots[1] = ValRaw::i64(len as i64);
            }
            Place::Scratch(at) => {
                self.scratch[at..at + 4].copy_from_slice(&(pointer as u32).to_le_bytes());
                self.scratch[at + 4..at + 8].copy_from_slice(&(len as u32).to_le_bytes());
            }
        }
    }
}

impl Place<'_> {
    /// The place of a field inside this place.
    #[inline]
    fn field(&mut self, field: &Field) -> Place<'_> {
        match self {
            Place::Slots(slots) => Place::Slots(&mut slots[field.slot as usize..][..field.shape.flat as usize]),
            Place::Scratch(at) => Place::Scratch(*at + field.offset as usize),
        }
    }
}

/// A checked slice of the guest's memory, taken anew each time because `realloc` may have moved it.
fn guest<'m, T: 'static>(cx: &'m mut LowerContext<'_, T>, at: usize, len: usize) -> wasmtime::Result<&'m mut [u8]> {
    match cx.as_slice_mut().get_mut(at..).and_then(|memory| memory.get_mut(..len)) {
        Some(memory) => Ok(memory),
        None => bail!("the guest's allocation lies outside its memory"),
    }
}
