//! Interfaces as bytes: what the process that judges a component hands over, and what is cached.
//!
//! A MessagePack array: version, table of types, exports, exports that cannot be tasks, imports, named types. A type is
//! a number: a primitive's, or a position in the table, which names only earlier positions. So a type that is used often
//! is written once and shared again when it is read, and reading takes time and memory linear in the bytes.
//!
//! The writer is a process that a component may have taken over: the reader bounds all of it.

use crate::interface::{Export, Interface, NamedType, UnsupportedExport};
use std::collections::BTreeMap;
use std::sync::Arc;
use wasm_tasks_protocol::Type;
use wasm_tasks_protocol::limits::{COMPONENT_EXPORTS_MAX, INTERFACE_BYTES_MAX, TYPE_PARTS_MAX, VALUE_DEPTH_MAX};
use wasm_tasks_protocol::msgpack::{ReadError, Reader, Writer};

/// The form of the bytes. Another one is refused, so that a cache of an older program is not read.
const VERSION: u64 = 1;

/// Types without parts, by their numbers.
const PRIMITIVES: [Type; 13] = [
    Type::Bool,
    Type::U8,
    Type::U16,
    Type::U32,
    Type::U64,
    Type::S8,
    Type::S16,
    Type::S32,
    Type::S64,
    Type::F32,
    Type::F64,
    Type::Char,
    Type::String,
];

const LIST: u64 = 0;
const TUPLE: u64 = 1;
const RECORD: u64 = 2;
const VARIANT: u64 = 3;
const ENUM: u64 = 4;
const FLAGS: u64 = 5;
const OPTION: u64 = 6;
const RESULT: u64 = 7;

/// Why bytes are no interface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an interface: {0}")]
pub struct BadInterface(String);

impl From<ReadError> for BadInterface {
    fn from(error: ReadError) -> BadInterface {
        BadInterface(error.to_string())
    }
}

fn bad(reason: impl Into<String>) -> BadInterface {
    BadInterface(reason.into())
}

impl Interface {
    /// The interface as bytes.
    ///
    /// # Errors
    /// [`BadInterface`] when it has more than [`INTERFACE_BYTES_MAX`] bytes, or a type that no component has.
    pub fn encode(&self) -> Result<Vec<u8>, BadInterface> {
        let mut types = TypeWriter::default();
        let mut rest = Writer::new();
        rest.array(self.exports().len());
        for export in self.exports() {
            rest.array(3);
            rest.str(&export.name);
            rest.array(2 * export.params.len());
            for (name, ty) in &export.params {
                rest.str(name);
                rest.uint(types.number(ty)?);
            }
            types.optional(export.returns.as_ref(), &mut rest)?;
            within(rest.as_bytes().len())?;
        }
        rest.array(2 * self.unsupported().len());
        for export in self.unsupported() {
            rest.str(&export.name);
            rest.str(&export.reason);
        }
        rest.array(self.imports().len());
        self.imports().iter().for_each(|import| rest.str(import));
        rest.array(3 * self.named_types().len());
        for named in self.named_types() {
            rest.str(&named.interface);
            rest.str(&named.name);
            rest.uint(types.number(&named.ty)?);
        }
        let mut out = Writer::new();
        out.array(6);
        out.uint(VERSION);
        out.array(types.nodes.len());
        types.nodes.iter().for_each(|node| out.raw(node));
        out.raw(rest.as_bytes());
        within(out.as_bytes().len())?;
        Ok(out.into_bytes())
    }

    /// Reads what [`Interface::encode`] wrote, believing nothing of it.
    ///
    /// # Errors
    /// [`BadInterface`].
    pub fn decode(bytes: &[u8]) -> Result<Interface, BadInterface> {
        within(bytes.len())?;
        let mut reader = Reader::new(bytes);
        if reader.array()? != 6 || reader.int()? != i128::from(VERSION) {
            return Err(bad("another version of its form"));
        }
        let types = TypeTable::read(&mut reader)?;
        let mut exports = Vec::new();
        for _ in 0..counted(&mut reader, COMPONENT_EXPORTS_MAX)? {
            fields(&mut reader, 3)?;
            let name = reader.str()?.to_owned();
            let mut params = Vec::new();
            for _ in 0..pairs(&mut reader, 2)? {
                params.push((reader.str()?.to_owned(), types.next(&mut reader)?));
            }
            exports.push(Export::new(name, params, types.next_optional(&mut reader)?));
        }
        let mut unsupported = Vec::new();
        for _ in 0..pairs(&mut reader, 2)? {
            unsupported.push(UnsupportedExport { name: reader.str()?.to_owned(), reason: reader.str()?.to_owned() });
        }
        if exports.len() + unsupported.len() > COMPONENT_EXPORTS_MAX {
            return Err(bad("more exports than a component may have"));
        }
        let mut imports = Vec::new();
        for _ in 0..reader.array()? {
            imports.push(reader.str()?.to_owned());
        }
        let mut named = Vec::new();
        for _ in 0..pairs(&mut reader, 3)? {
            let (interface, name) = (reader.str()?.to_owned(), reader.str()?.to_owned());
            named.push(NamedType { interface, name, ty: types.next(&mut reader)? });
        }
        if !reader.is_empty() {
            return Err(bad("bytes after its end"));
        }
        Ok(Interface::new(exports, unsupported, imports).with_named_types(named))
    }
}

fn within(len: usize) -> Result<(), BadInterface> {
    if len > INTERFACE_BYTES_MAX {
        return Err(bad(format!("more than {INTERFACE_BYTES_MAX} bytes of names and types")));
    }
    Ok(())
}

fn fields(reader: &mut Reader<'_>, wanted: usize) -> Result<(), BadInterface> {
    if reader.array()? == wanted { Ok(()) } else { Err(bad("an array of another length")) }
}

/// The length of an array of groups of `size`.
fn pairs(reader: &mut Reader<'_>, size: usize) -> Result<usize, BadInterface> {
    let len = reader.array()?;
    if len.is_multiple_of(size) { Ok(len / size) } else { Err(bad("an array that ends in the middle of a group")) }
}

fn counted(reader: &mut Reader<'_>, max: usize) -> Result<usize, BadInterface> {
    let len = reader.array()?;
    if len <= max { Ok(len) } else { Err(bad(format!("{len} entries; at most {max} are allowed"))) }
}

/// Numbers types. Shared parts are found by their address first, so that a type which is written out a million times
/// over is walked once.
#[derive(Default)]
struct TypeWriter {
    nodes: Vec<Vec<u8>>,
    by_content: BTreeMap<Vec<u8>, u64>,
    by_address: BTreeMap<usize, u64>,
}

impl TypeWriter {
    fn number(&mut self, ty: &Type) -> Result<u64, BadInterface> {
        let mut node = Writer::new();
        let address = match ty {
            Type::Bool
            | Type::U8
            | Type::U16
            | Type::U32
            | Type::U64
            | Type::S8
            | Type::S16
            | Type::S32
            | Type::S64
            | Type::F32
            | Type::F64
            | Type::Char
            | Type::String => {
                let at = PRIMITIVES.iter().position(|primitive| primitive == ty);
                return at.map(|at| at as u64).ok_or_else(|| bad("a type without a number"));
            }
            Type::Any | Type::Unit => return Err(bad("a type that no component has")),
            Type::List(element) => {
                let element = self.shared(element)?;
                node.array(2);
                node.uint(LIST);
                node.uint(element);
                None
            }
            Type::Option(some) => {
                let some = self.shared(some)?;
                node.array(2);
                node.uint(OPTION);
                node.uint(some);
                None
            }
            Type::Result(ok, err) => {
                let sides = [ok, err].map(|side| side.as_ref().map(|ty| self.shared(ty)).transpose());
                node.array(3);
                node.uint(RESULT);
                for side in sides {
                    optional(side?, &mut node);
                }
                None
            }
            Type::Tuple(types) => Some(types.as_ptr() as usize),
            Type::Record(fields) => Some(fields.as_ptr() as usize),
            Type::Variant(cases) => Some(cases.as_ptr() as usize),
            Type::Enum(names) | Type::Flags(names) => Some(names.as_ptr() as usize),
        };
        if let Some(known) = address.and_then(|address| self.by_address.get(&address)) {
            return Ok(*known);
        }
        if let Type::Tuple(types) = ty {
            let types = types.iter().map(|ty| self.number(ty)).collect::<Result<Vec<_>, _>>()?;
            node.array(1 + types.len());
            node.uint(TUPLE);
            types.into_iter().for_each(|ty| node.uint(ty));
        } else if let Type::Record(fields) = ty {
            let types = fields.iter().map(|(_, ty)| self.number(ty)).collect::<Result<Vec<_>, _>>()?;
            node.array(1 + 2 * types.len());
            node.uint(RECORD);
            for ((name, _), ty) in fields.iter().zip(types) {
                node.str(name);
                node.uint(ty);
            }
        } else if let Type::Variant(cases) = ty {
            let types = cases.iter().map(|(_, ty)| ty.as_ref().map(|ty| self.number(ty)).transpose());
            let types = types.collect::<Result<Vec<_>, _>>()?;
            node.array(1 + 2 * types.len());
            node.uint(VARIANT);
            for ((name, _), ty) in cases.iter().zip(types) {
                node.str(name);
                optional(ty, &mut node);
            }
        } else if let Type::Enum(names) | Type::Flags(names) = ty {
            node.array(1 + names.len());
            node.uint(if matches!(ty, Type::Enum(_)) { ENUM } else { FLAGS });
            names.iter().for_each(|name| node.str(name));
        }
        let number = self.intern(node.into_bytes())?;
        if let Some(address) = address {
            self.by_address.insert(address, number);
        }
        Ok(number)
    }

    fn shared(&mut self, ty: &Arc<Type>) -> Result<u64, BadInterface> {
        let address = Arc::as_ptr(ty) as usize;
        if let Some(known) = self.by_address.get(&address) {
            return Ok(*known);
        }
        let number = self.number(ty)?;
        self.by_address.insert(address, number);
        Ok(number)
    }

    fn optional(&mut self, ty: Option<&Type>, out: &mut Writer) -> Result<(), BadInterface> {
        let number = ty.map(|ty| self.number(ty)).transpose()?;
        optional(number, out);
        Ok(())
    }

    fn intern(&mut self, node: Vec<u8>) -> Result<u64, BadInterface> {
        if let Some(known) = self.by_content.get(&node) {
            return Ok(*known);
        }
        within(self.nodes.len())?;
        let number = (PRIMITIVES.len() + self.nodes.len()) as u64;
        self.by_content.insert(node.clone(), number);
        self.nodes.push(node);
        Ok(number)
    }
}

fn optional(number: Option<u64>, out: &mut Writer) {
    match number {
        Some(number) => out.uint(number),
        None => out.nil(),
    }
}

/// A type that was read, and how large it is written out.
struct Sized {
    ty: Type,
    parts: usize,
    depth: usize,
}

/// The types that were read, by number.
struct TypeTable(Vec<Sized>);

/// Adds up the sizes of a type's parts.
struct Parts<'t> {
    table: &'t TypeTable,
    parts: usize,
    depth: usize,
}

impl TypeTable {
    fn read(reader: &mut Reader<'_>) -> Result<TypeTable, BadInterface> {
        let mut table = TypeTable(PRIMITIVES.iter().map(|ty| Sized { ty: ty.clone(), parts: 1, depth: 0 }).collect());
        for _ in 0..reader.array()? {
            let node = table.node(reader)?;
            table.0.push(node);
        }
        Ok(table)
    }

    fn node(&self, reader: &mut Reader<'_>) -> Result<Sized, BadInterface> {
        let len = reader.array()?;
        let kind = u64::try_from(reader.int()?).map_err(|_| bad("a type of an unknown kind"))?;
        let mut parts = Parts { table: self, parts: 1, depth: 0 };
        let ty = match (kind, len) {
            (LIST, 2) => Type::List(parts.next(reader)?.into()),
            (OPTION, 2) => Type::Option(parts.next(reader)?.into()),
            (RESULT, 3) => {
                let ok = parts.next_optional(reader)?.map(Arc::new);
                Type::Result(ok, parts.next_optional(reader)?.map(Arc::new))
            }
            (TUPLE, 2..) => Type::Tuple((1..len).map(|_| parts.next(reader)).collect::<Result<_, _>>()?),
            (RECORD, 3..) if !len.is_multiple_of(2) => {
                let field = |_| Ok((reader.str()?.to_owned(), parts.next(reader)?));
                Type::Record((0..len / 2).map(field).collect::<Result<_, BadInterface>>()?)
            }
            (VARIANT, 3..) if !len.is_multiple_of(2) => {
                let case = |_| {
                    parts.add(1, 0)?;
                    Ok((reader.str()?.to_owned(), parts.next_optional(reader)?))
                };
                Type::Variant((0..len / 2).map(case).collect::<Result<_, BadInterface>>()?)
            }
            (ENUM, 2..) => Type::Enum(parts.names(reader, len - 1)?),
            (FLAGS, 2..=33) => Type::Flags(parts.names(reader, len - 1)?),
            (LIST | OPTION | RESULT | TUPLE | RECORD | VARIANT | ENUM | FLAGS | 8.., _) => {
                return Err(bad("a type of an unknown kind or length"));
            }
        };
        Ok(Sized { ty, parts: parts.parts, depth: parts.depth })
    }

    fn numbered(&self, number: i128) -> Result<&Sized, BadInterface> {
        let at = usize::try_from(number).ok();
        at.and_then(|at| self.0.get(at)).ok_or_else(|| bad(format!("type {number} is not defined before it is used")))
    }

    fn next(&self, reader: &mut Reader<'_>) -> Result<Type, BadInterface> {
        Ok(self.numbered(reader.int()?)?.ty.clone())
    }

    fn next_optional(&self, reader: &mut Reader<'_>) -> Result<Option<Type>, BadInterface> {
        if reader.try_nil() { Ok(None) } else { self.next(reader).map(Some) }
    }
}

impl Parts<'_> {
    fn add(&mut self, parts: usize, depth: usize) -> Result<(), BadInterface> {
        self.parts += parts;
        self.depth = self.depth.max(depth);
        if self.parts > TYPE_PARTS_MAX || self.depth > VALUE_DEPTH_MAX {
            return Err(bad("a type that is larger or deeper than a component's may be"));
        }
        Ok(())
    }

    fn next(&mut self, reader: &mut Reader<'_>) -> Result<Type, BadInterface> {
        let part = self.table.numbered(reader.int()?)?;
        self.add(part.parts, part.depth + 1)?;
        Ok(part.ty.clone())
    }

    fn next_optional(&mut self, reader: &mut Reader<'_>) -> Result<Option<Type>, BadInterface> {
        if reader.try_nil() { Ok(None) } else { self.next(reader).map(Some) }
    }

    fn names(&mut self, reader: &mut Reader<'_>, len: usize) -> Result<Arc<[String]>, BadInterface> {
        self.add(len, 0)?;
        (0..len).map(|_| Ok(reader.str()?.to_owned())).collect()
    }
}

#[cfg(test)]
mod tests;
