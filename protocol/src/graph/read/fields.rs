//! Maps with known fields: what the tables of the format are made of.

use super::tables::FieldTable;
use super::{GraphError, Place, limited, shorten};
use crate::ErrorCode;
use crate::limits::NAME_BYTES_MAX;
use crate::looks::Looks;
use crate::msgpack::{InvalidValue, Kind, ReadError, Reader, References, validate};
use crate::thousandths;

/// A value of a field, and how to say where it is.
pub(in crate::graph) struct Field<'a> {
    reader: Reader<'a>,
    parent: Place,
    name: &'a str,
}

impl<'a> Field<'a> {
    pub(in crate::graph) fn new(reader: Reader<'a>, parent: Place, name: &'a str) -> Field<'a> {
        Field { reader, parent, name }
    }

    pub(in crate::graph) fn reader(&self) -> Reader<'a> {
        self.reader
    }

    pub(in crate::graph) fn place(&self) -> Place {
        if self.name.is_empty() { self.parent.clone() } else { Place::named(format!("{}.{}", self.parent, self.name)) }
    }

    pub(in crate::graph) fn bad(&self, message: impl Into<String>) -> GraphError {
        GraphError::new(ErrorCode::BadField, self.place(), message)
    }

    fn read<T>(&self, result: Result<T, ReadError>) -> Result<T, GraphError> {
        result.map_err(|error| GraphError::read(self.place(), error))
    }

    pub(in crate::graph) fn uint(&self) -> Result<u64, GraphError> {
        let value = self.read({ self.reader }.int())?;
        u64::try_from(value).map_err(|_| self.bad(format!("expected an integer of 0 or more, found {value}")))
    }

    pub(in crate::graph) fn int(&self) -> Result<i128, GraphError> {
        self.read({ self.reader }.int())
    }

    /// Any number, in thousandths.
    pub(in crate::graph) fn milli(&self) -> Result<u64, GraphError> {
        let mut reader = self.reader;
        let (milli, found) = match self.read(reader.kind())? {
            Kind::Float => {
                let number = self.read(reader.float())?;
                (thousandths::of_float(number), number.to_string())
            }
            _ => {
                let number = self.read(reader.int())?;
                let amount = u64::try_from(number).ok().filter(|amount| *amount <= thousandths::AMOUNT_MAX);
                (amount.map(|amount| amount * 1000), number.to_string())
            }
        };
        milli.ok_or_else(|| self.bad(format!("expected an amount of 0 to 1e15, found {found}")))
    }

    pub(in crate::graph) fn str(&self) -> Result<&'a str, GraphError> {
        self.read({ self.reader }.str())
    }

    pub(in crate::graph) fn name(&self, max: usize) -> Result<&'a str, GraphError> {
        let name = self.str()?;
        limited(name.len(), max, self.place(), "bytes")?;
        if name.is_empty() { Err(self.bad("it is empty")) } else { Ok(name) }
    }

    pub(in crate::graph) fn bin(&self) -> Result<&'a [u8], GraphError> {
        self.read({ self.reader }.bin())
    }

    /// The entries of an array, read one after the other. More than `max` are refused before the first is read.
    pub(in crate::graph) fn list(&self, max: usize, what: &str) -> Result<Entries<'a>, GraphError> {
        let mut reader = self.reader;
        let left = self.read(reader.array())?;
        limited(left, max, self.place(), what)?;
        Ok(Entries { reader, place: self.place(), left })
    }

    /// The entries of a map whose keys are not known before. Compares each key with all: `max` is small.
    pub(in crate::graph) fn map(&self, max: usize, what: &str) -> Result<Vec<(&'a str, Field<'a>)>, GraphError> {
        let mut reader = self.reader;
        let count = self.read(reader.map())?;
        limited(count, max, self.place(), what)?;
        let mut pairs: Vec<(&str, Field<'_>)> = Vec::with_capacity(count);
        for _ in 0..count {
            let key = self.read(reader.str())?;
            if pairs.iter().any(|(known, _)| *known == key) {
                return Err(self.duplicate(key));
            }
            pairs.push((key, Field { reader, parent: self.place(), name: key }));
            self.read(reader.skip())?;
        }
        Ok(pairs)
    }

    fn duplicate(&self, key: &str) -> GraphError {
        let message = format!("the key `{}` stands twice", shorten(key));
        GraphError::new(ErrorCode::DuplicateMapKey, self.place(), message)
    }
}

/// Entries of an array that were not read yet.
pub(in crate::graph) struct Entries<'a> {
    reader: Reader<'a>,
    place: Place,
    left: usize,
}

impl Entries<'_> {
    /// How many are left.
    pub(in crate::graph) fn len(&self) -> usize {
        self.left
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Field<'a>, GraphError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let entry = Field { reader: self.reader, parent: self.place.clone(), name: "" };
        let skipped = entry.read(self.reader.skip());
        Some(skipped.map(|_| entry))
    }
}

/// Bytes that do not begin as a map are something else: the message says what, and what to do.
fn no_graph(file: &[u8], error: ReadError) -> GraphError {
    let mut refused = GraphError::read(Place::graph(), error);
    let looks = Looks::of(file);
    if !matches!(looks, Looks::Graph | Looks::Binary) {
        refused.message = format!("this is {}, not a graph file\n  hint: {}", looks.as_str(), looks.hint_for_graphs());
    }
    refused
}

/// A later version may have other fields, so the version is looked at before any field is refused.
fn refuse_other_version(file: &[u8]) -> Result<(), GraphError> {
    let mut reader = Reader::new(file);
    let unreadable = |error| GraphError::read(Place::graph(), error);
    for _ in 0..reader.map().map_err(unreadable)? {
        let is_version = reader.kind() == Ok(Kind::Str) && { reader }.str() == Ok("wasm-tasks");
        reader.skip().map_err(unreadable)?;
        if is_version {
            return match { reader }.int() {
                Ok(1) | Err(_) => Ok(()),
                Ok(version) => {
                    let message = format!("the file has version {version} of the format; this program reads version 1");
                    Err(GraphError::new(ErrorCode::UnsupportedVersion, Place::named("wasm-tasks"), message))
                }
            };
        }
        reader.skip().map_err(unreadable)?;
    }
    Ok(())
}

/// The fields of one map, each seen once.
pub(in crate::graph) struct Fields<'a> {
    place: Place,
    pairs: Vec<(&'a str, Field<'a>)>,
}

/// References anywhere are fine when only the form is checked.
struct AnyReference;
impl References for AnyReference {
    fn task(&mut self, _: u64, _: usize) -> Result<(), InvalidValue> {
        Ok(())
    }
    fn data(&mut self, _: u64) -> Result<(), InvalidValue> {
        Ok(())
    }
}

impl<'a> Fields<'a> {
    /// The graph's own map, which must fill the file.
    pub(in crate::graph) fn whole(file: &'a [u8], table: FieldTable) -> Result<Fields<'a>, GraphError> {
        let field = Field { reader: Reader::new(file), parent: Place::graph(), name: "" };
        let mut reader = Reader::new(file);
        reader.map().map_err(|error| no_graph(file, error))?;
        let mut reader = Reader::new(file);
        reader.skip().map_err(|error| GraphError::read(Place::graph(), error))?;
        if !reader.is_empty() {
            if Looks::of(file) == Looks::Pickle {
                return Err(no_graph(file, ReadError::Kind { expected: Kind::Map, found: Kind::Ext }));
            }
            let message = format!("{} bytes after the graph", reader.rest().len());
            return Err(GraphError::new(ErrorCode::TrailingBytes, Place::graph(), message));
        }
        refuse_other_version(file)?;
        Fields::read(&field, table)
    }

    /// Reads a map with known fields. The first key that is reserved, unknown or there already ends the reading, so a map
    /// costs no more than its known fields, however many keys it has.
    pub(in crate::graph) fn read(field: &Field<'a>, table: FieldTable) -> Result<Fields<'a>, GraphError> {
        let place = field.place();
        let mut reader = field.reader;
        let count = field.read(reader.map())?;
        let mut pairs: Vec<(&str, Field<'_>)> = Vec::with_capacity(count.min(table.fields().len()));
        for _ in 0..count {
            let name = field.read(reader.str())?;
            if table.reserved().contains(&name) {
                let message = format!("the field `{name}` is reserved");
                return Err(GraphError::new(ErrorCode::ReservedField, place, message));
            }
            if !table.fields().contains(&name) {
                let message = format!("unknown field `{}`; known are {}", shorten(name), table.fields().join(", "));
                return Err(GraphError::new(ErrorCode::UnknownField, place, message));
            }
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(field.duplicate(name));
            }
            pairs.push((name, Field { reader, parent: place.clone(), name }));
            field.read(reader.skip())?;
        }
        // The small maps are checked whole; tasks, arguments and bound values are checked where they are read.
        for (_, field) in pairs.iter().filter(|(name, _)| matches!(*name, "options" | "source" | "dynamic" | "name" | "group")) {
            validate(&mut field.reader(), &mut AnyReference).map_err(|error| GraphError::invalid(field.place(), &error))?;
        }
        Ok(Fields { place, pairs })
    }

    pub(in crate::graph) fn optional(&self, name: &str) -> Option<Field<'a>> {
        let (name, field) = self.pairs.iter().find(|(known, _)| *known == name)?;
        Some(Field { reader: field.reader, parent: self.place.clone(), name })
    }

    pub(in crate::graph) fn required(&self, name: &str) -> Result<Field<'a>, GraphError> {
        self.optional(name)
            .ok_or_else(|| GraphError::new(ErrorCode::MissingField, self.place.clone(), format!("the field `{name}` is missing")))
    }

    pub(in crate::graph) fn name(&self, name: &str) -> Result<Option<String>, GraphError> {
        self.optional(name).map(|field| field.name(NAME_BYTES_MAX).map(str::to_owned)).transpose()
    }

    /// Reads a table of maps. It grows with what is read: an entry that is kept may be many times as large as its bytes.
    pub(in crate::graph) fn table<T>(
        &self,
        name: &'a str,
        max: usize,
        mut read: impl FnMut(usize, Field<'a>) -> Result<T, GraphError>,
    ) -> Result<Vec<T>, GraphError> {
        let field = self.required(name)?;
        let mut reader = field.reader();
        let count = field.read(reader.array())?;
        limited(count, max, field.place(), "entries")?;
        let mut table = Vec::new();
        for position in 0..count {
            let entry = Field { reader, parent: Place::entry(name, position), name: "" };
            field.read(reader.skip())?;
            table.push(read(position, entry)?);
        }
        Ok(table)
    }

    pub(in crate::graph) fn optional_table<T>(
        &self,
        name: &'a str,
        max: usize,
        read: impl FnMut(usize, Field<'a>) -> Result<T, GraphError>,
    ) -> Result<Vec<T>, GraphError> {
        if self.optional(name).is_some() { self.table(name, max, read) } else { Ok(Vec::new()) }
    }
}
