//! The types of what references name: results of tasks with paths into them, and data entries.

use super::earlier::{EarlierData, Signatures};
use super::error::{CheckError, Errors};
use crate::fits::{Mismatch, NoReferences, Resolver, shown};
use crate::typed::fits_whole;
use crate::walk::Walked;
use std::collections::BTreeMap;
use wasm_tasks_protocol::graph::{DataEncoding, Graph, Place};
use wasm_tasks_protocol::ids::TaskIndex;
use wasm_tasks_protocol::limits::DATA_TYPES_MAX;
use wasm_tasks_protocol::msgpack::{Kind, Reader};
use wasm_tasks_protocol::value_type::Step;
use wasm_tasks_protocol::{ErrorCode, Type};

/// How many pairs of types are remembered as equal.
const EQUAL_REMEMBERED: usize = 256;

/// Resolves references of one graph.
pub(super) struct Results<'a> {
    graph: &'a Graph,
    signatures: Signatures<'a>,
    data_types: Vec<Vec<Type>>,
    /// Types that entries of the base are used as for the first time.
    earlier_data_types: BTreeMap<u32, Vec<Type>>,
    /// Addresses of types that were found equal. Types do not move while a graph is checked.
    equal: Vec<(usize, usize)>,
}

/// The type a step leads to, without copying it.
pub(super) fn follow<'t>(ty: &'t Type, step: Step<'_>) -> Option<&'t Type> {
    match (ty, step) {
        (Type::Record(fields), Step::Field(name)) => fields.iter().find(|(field, _)| field == name).map(|(_, ty)| ty),
        (Type::Tuple(types), Step::Index(index)) => types.get(index as usize),
        (Type::List(element), Step::Index(_)) => Some(element),
        (Type::Any, _) => Some(&Type::Any),
        _ => None,
    }
}

/// Follows a path; a step that leads nowhere is a mismatch that says what there is.
pub(super) fn follow_all<'t, 's>(ty: &'t Type, steps: impl Iterator<Item = Step<'s>>) -> Walked<&'t Type> {
    let mut at = ty;
    let mut path = String::new();
    for step in steps {
        at = follow(at, step).ok_or_else(|| {
            let found = format!(
                "the step `{step}` into {} of type {}",
                if path.is_empty() { "a result".to_owned() } else { format!("`{path}`") },
                shown(at)
            );
            let mismatch = Mismatch::new(ErrorCode::TypeMismatch, "a record field, a tuple position or a list index", found);
            match (at, step) {
                (Type::Record(fields), Step::Field(name)) => {
                    match crate::nearest::nearest(name, fields.iter().map(|(name, _)| name.as_str()), 1).first() {
                        Some(near) => mismatch.with_hint(format!("did you mean `{near}`?")),
                        None => mismatch,
                    }
                }
                (Type::Option(_), _) => {
                    mismatch.with_hint("paths do not lead into options; take the whole and unwrap it in a task")
                }
                _ => mismatch,
            }
        })?;
        path.push_str(&step.to_string());
    }
    Ok(at)
}

impl<'a> Results<'a> {
    pub(super) fn new(graph: &'a Graph, signatures: Signatures<'a>) -> Results<'a> {
        let data_types = graph
            .data()
            .iter()
            .map(|entry| match (entry.encoding, &entry.ty) {
                (DataEncoding::Raw, _) => vec![Type::bytes()],
                (DataEncoding::Value, Some(ty)) => vec![ty.clone()],
                (DataEncoding::Value, None) => Vec::new(),
            })
            .collect();
        Results { graph, signatures, data_types, earlier_data_types: BTreeMap::new(), equal: Vec::new() }
    }

    /// Those of its own entries, and what is new of earlier ones.
    pub(super) fn into_data_types(self) -> (Vec<Vec<Type>>, BTreeMap<u32, Vec<Type>>) {
        (self.data_types, self.earlier_data_types)
    }

    /// A data entry, its own or one of the base.
    fn entry(&self, position: u32) -> EarlierData<'_> {
        let Some(own) = position.checked_sub(self.graph.base().data) else {
            return self.signatures.earlier().data(position);
        };
        let entry = &self.graph.data()[own as usize];
        EarlierData {
            encoding: entry.encoding,
            is_declared: entry.ty.is_some(),
            bytes: entry.bytes.as_ref().map(|range| &self.graph.file()[range.clone()]),
            types: &self.data_types[own as usize],
        }
    }

    fn note_data_type(&mut self, position: u32, ty: &Type) {
        match position.checked_sub(self.graph.base().data) {
            Some(own) => self.data_types[own as usize].push(ty.clone()),
            None => self.earlier_data_types.entry(position).or_default().push(ty.clone()),
        }
    }

    /// Checks the bytes that are in the file against the types that are declared.
    pub(super) fn check_declared_data(&self, errors: &mut Errors) {
        for (position, entry) in self.graph.data().iter().enumerate() {
            let (DataEncoding::Value, Some(ty), Some(range)) = (entry.encoding, &entry.ty, &entry.bytes) else { continue };
            if errors.is_enough() {
                break;
            }
            if let Err(mismatch) = fits_whole(ty, &self.graph.file()[range.clone()], &mut NoReferences) {
                errors.push(CheckError::mismatch(Place::entry("data", position), String::new(), *mismatch));
            }
        }
    }

    /// Whether two types are equal; pairs that come often are found without walking them.
    fn is_equal(&mut self, found: &Type, expected: &Type) -> bool {
        let addresses = (std::ptr::from_ref(found) as usize, std::ptr::from_ref(expected) as usize);
        let slot = (addresses.0 >> 3 ^ addresses.1 >> 5) % EQUAL_REMEMBERED;
        if self.equal.get(slot) == Some(&addresses) {
            return true;
        }
        let is_equal = found == expected;
        if is_equal {
            if self.equal.is_empty() {
                self.equal.resize(EQUAL_REMEMBERED, (0, 0));
            }
            self.equal[slot] = addresses;
        }
        is_equal
    }
}

impl Resolver for Results<'_> {
    fn task(&mut self, payload: &[u8], expected: &Type) -> Walked {
        let mut reader = Reader::new(payload);
        let has_path = reader.kind() == Ok(Kind::Array);
        let steps = if has_path { reader.array().expect("references were checked when the graph was read") - 1 } else { 0 };
        let position = reader.int().expect("references were checked when the graph was read");
        // A function with an error has no type; that error is reported, and nothing that follows from it.
        let (key, Some(signature)) = self.signatures.of_task(self.graph, TaskIndex(position as u32)) else { return Ok(()) };
        let found = if steps == 0 {
            &signature.result
        } else {
            let step = |_| {
                if reader.kind() == Ok(Kind::Str) {
                    Step::Field(reader.str().expect("references were checked when the graph was read"))
                } else {
                    Step::Index(reader.int().expect("references were checked when the graph was read") as u32)
                }
            };
            follow_all(&signature.result, (0..steps).map(step))?
        };
        if *expected == Type::Any || self.is_equal(found, expected) {
            return Ok(());
        }
        let key = crate::nearest::shorten(key);
        let part = if steps > 0 { "a part of the result" } else { "the result" };
        let what = if *found == Type::Unit {
            format!("the result of task `{key}`, which has no value (`{}` returns nothing)", signature.export)
        } else {
            format!("{part} of task `{key}`, which is {}", shown(found))
        };
        let mismatch = Mismatch::new(ErrorCode::TypeMismatch, shown(expected), what);
        Err(if *found == Type::Any {
            mismatch.with_hint("declare the result's type in `dynamic` of its function")
        } else if *found == Type::Unit {
            mismatch
        } else {
            mismatch.with_hint("an edge needs the very type of the parameter; nothing is converted")
        })
    }

    fn data(&mut self, position: u64, expected: &Type) -> Walked {
        let position = position as u32;
        let entry = self.entry(position);
        let more = self.earlier_data_types.get(&position).map_or(&[][..], Vec::as_slice);
        if *expected == Type::Any || entry.types.contains(expected) || more.contains(expected) {
            return Ok(());
        }
        if entry.encoding == DataEncoding::Raw || entry.is_declared {
            let found = format!("data[{position}], which is {}", shown(&entry.types[0]));
            let mismatch = Mismatch::new(ErrorCode::TypeMismatch, shown(expected), found);
            return Err(match entry.encoding {
                DataEncoding::Raw => mismatch.with_hint("raw data is a `list<u8>`; for other values use the encoding `value`"),
                DataEncoding::Value => mismatch,
            });
        }
        if entry.types.len() + more.len() >= DATA_TYPES_MAX {
            let found = format!("data[{position}], which is used as {DATA_TYPES_MAX} other types already");
            return Err(Mismatch::new(ErrorCode::LimitExceeded, shown(expected), found));
        }
        if let Some(bytes) = entry.bytes {
            fits_whole(expected, bytes, &mut NoReferences).map_err(|mut mismatch| {
                let path = mismatch.path();
                mismatch.found = format!("{} in data[{position}]{path}", mismatch.found);
                mismatch.steps.clear();
                mismatch
            })?;
        }
        self.note_data_type(position, expected);
        Ok(())
    }
}
