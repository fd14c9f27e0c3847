//! One task cut out of its graph: the same call, with data in the place of the results that it needs.
//!
//! Knows how a graph of one task is written so that the task is given the very same bytes. Where those bytes come from
//! is the caller's.

use super::{DataEncoding, Graph, GraphBuilder, Options, Reference, Task};
use crate::ids::TaskIndex;
use crate::msgpack::{EXT_DATA, EXT_TASK, Kind, ReadError, Reader, Writer};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// Why a task cannot be written as a graph of its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The value of an input was not given.
    #[error("the result of task `{0}`, which it needs, is not there")]
    NoInput(String),
    /// A data entry has no bytes in the file.
    #[error("data[{0}], which it needs, is not in the graph file")]
    NoData(u32),
}

/// Where the arguments of the one task lead, as new data entries.
struct Entries<'a, F> {
    graph: &'a Graph,
    builder: GraphBuilder,
    input: F,
    /// New position by code and payload of what stood there.
    known: BTreeMap<(i8, Vec<u8>), u32>,
}

impl Graph {
    /// A graph with one task, its only output, that computes what `task` does here: the same component, whose bytes go into
    /// the file, the same arguments and the options that its result may depend on. `others` are components that the task may
    /// delegate to, by position, with their bytes. `input` gives the value of each part of a result that the arguments refer to
    /// (one encoded value, the path followed), each once.
    ///
    /// Literals and inputs keep their bytes, so that the task's seed is the same too.
    ///
    /// # Errors
    /// [`ReplayError`] when something that the arguments refer to is not there.
    pub fn replay_of(
        &self,
        task: TaskIndex,
        component: &[u8],
        others: &[(u32, Bytes)],
        input: impl FnMut(&Reference) -> Option<Bytes>,
    ) -> Result<Vec<u8>, ReplayError> {
        let task = self.task(task);
        let function = task.function();
        let entry = &self.components[function.component as usize];
        let mut entries = Entries { graph: self, builder: GraphBuilder::new(), input, known: BTreeMap::new() };
        entries.builder.component(entry.digest, entry.name.as_deref(), Some(component), None);
        for (position, bytes) in others {
            let other = &self.components[*position as usize];
            entries.builder.component(other.digest, other.name.as_deref(), Some(bytes), None);
        }
        let bind = function.bind.clone().map(|range| entries.rewritten(&self.file[range])).transpose()?;
        let args = entries.rewritten(task.args())?;
        let Entries { mut builder, .. } = entries;
        let (dynamic, group) = (function.dynamic.as_ref(), function.group.as_deref());
        builder.function_encoded(0, &function.export, bind.as_deref(), dynamic, group, &Options::default());
        let alone = builder.task_with(task.key(), 0, &kept_options(&task), |out| out.raw(&args));
        builder.output(Reference::whole(alone));
        builder.options(Options { name: Some(format!("replay of {}", task.key())), ..Options::default() });
        Ok(builder.to_bytes())
    }
}

impl Task<'_> {
    /// The results, and parts of results, that its arguments refer to: each once, in the order in which they stand there.
    pub fn references(&self) -> Vec<Reference> {
        let mut found = Vec::new();
        let mut known = BTreeSet::new();
        let mut each = |reference: Reference| {
            if known.insert(reference.clone()) {
                found.push(reference);
            }
        };
        each_reference(&mut Reader::new(self.args()), &mut each).expect("arguments were checked when the graph was read");
        found
    }
}

fn each_reference(reader: &mut Reader<'_>, each: &mut impl FnMut(Reference)) -> Result<(), ReadError> {
    match reader.kind()? {
        Kind::Array => (0..reader.array()?).try_for_each(|_| each_reference(reader, each)),
        Kind::Map => (0..reader.map()?).try_for_each(|_| {
            reader.str()?;
            each_reference(reader, each)
        }),
        Kind::Ext => {
            let (code, payload) = reader.ext()?;
            if code == EXT_TASK
                && let Some(reference) = Reference::from_payload(payload)
            {
                each(reference);
            }
            Ok(())
        }
        Kind::Nil | Kind::Bool | Kind::Int | Kind::Float | Kind::Str | Kind::Bin => reader.skip().map(drop),
    }
}

/// The options on which it depends what a task gives, or how it fails. Where it may run, and how often it is tried, do not.
fn kept_options(task: &Task<'_>) -> Options {
    let levels = [task.own_options(), Some(&task.function().options), Some(&task.graph.options)];
    fn first<T: Clone>(levels: &[Option<&Options>; 3], field: impl Fn(&Options) -> &Option<T>) -> Option<T> {
        levels.iter().flatten().find_map(|options| field(options).clone())
    }
    Options {
        fuel: first(&levels, |options| &options.fuel),
        grants: first(&levels, |options| &options.grants).filter(|grants| !grants.is_empty()),
        memory_bytes: Some(task.settings()).filter(|settings| settings.memory_declared).map(|settings| settings.memory_bytes),
        result_bytes_max: first(&levels, |options| &options.result_bytes_max),
        seed: first(&levels, |options| &options.seed),
        timeout_ms: first(&levels, |options| &options.timeout_ms),
        ..Options::default()
    }
}

impl<F: FnMut(&Reference) -> Option<Bytes>> Entries<'_, F> {
    /// A checked value with its references leading to new entries.
    fn rewritten(&mut self, value: &[u8]) -> Result<Vec<u8>, ReplayError> {
        let mut out = Writer::new();
        self.copy(&mut Reader::new(value), &mut out)?;
        Ok(out.into_bytes())
    }

    fn copy(&mut self, reader: &mut Reader<'_>, out: &mut Writer) -> Result<(), ReplayError> {
        const CHECKED: &str = "values were checked when the graph was read";
        match reader.kind().expect(CHECKED) {
            Kind::Array => {
                let len = reader.array().expect(CHECKED);
                out.array(len);
                (0..len).try_for_each(|_| self.copy(reader, out))
            }
            Kind::Map => {
                let len = reader.map().expect(CHECKED);
                out.map(len);
                (0..len).try_for_each(|_| {
                    out.str(reader.str().expect(CHECKED));
                    self.copy(reader, out)
                })
            }
            Kind::Ext => {
                let mut ahead = *reader;
                let (code, payload) = ahead.ext().expect(CHECKED);
                if code != EXT_TASK && code != EXT_DATA {
                    out.raw(reader.skip().expect(CHECKED));
                    return Ok(());
                }
                *reader = ahead;
                let mut position = Writer::new();
                position.uint(u64::from(self.position(code, payload)?));
                out.ext(EXT_DATA, position.as_bytes());
                Ok(())
            }
            Kind::Nil | Kind::Bool | Kind::Int | Kind::Float | Kind::Str | Kind::Bin => {
                out.raw(reader.skip().expect(CHECKED));
                Ok(())
            }
        }
    }

    /// The new entry for what a reference leads to.
    fn position(&mut self, code: i8, payload: &[u8]) -> Result<u32, ReplayError> {
        const CHECKED: &str = "references were checked when the graph was read";
        if let Some(known) = self.known.get(&(code, payload.to_vec())) {
            return Ok(*known);
        }
        let position = if code == EXT_TASK {
            let reference = Reference::from_payload(payload).expect(CHECKED);
            let Some(value) = (self.input)(&reference) else {
                return Err(ReplayError::NoInput(self.graph.task(reference.task).key().to_owned()));
            };
            // Not typed: it fits wherever the reference did, and is handed over as it is.
            self.builder.data_bytes(&value, None, DataEncoding::Value, None)
        } else {
            let position = Reader::new(payload).int().expect(CHECKED) as u32;
            let entry = &self.graph.data[position as usize];
            let range = entry.bytes.clone().ok_or(ReplayError::NoData(position))?;
            self.builder.data_bytes(&self.graph.file[range], entry.digest, entry.encoding, entry.ty.as_ref())
        };
        self.known.insert((code, payload.to_vec()), position);
        Ok(position)
    }
}

#[cfg(test)]
mod tests {
    use super::ReplayError;
    use crate::graph::{Argument, Arguments, DataEncoding, Graph, GraphBuilder, Options, PathStep, Reference};
    use crate::ids::{ComponentDigest, TaskIndex};
    use crate::msgpack::Writer;
    use crate::value::Value;
    use bytes::Bytes;

    const COMPONENT: &[u8] = b"a component";

    fn encoded(value: u64) -> Bytes {
        let mut out = Writer::new();
        out.uint(value);
        out.into_bytes().into()
    }

    /// `b` refers to `a` as a whole twice, to a part of it, and to data; its function binds data.
    fn graph() -> Graph {
        let mut builder = GraphBuilder::new();
        builder.component(ComponentDigest::of(b"another"), Some("other"), None, None);
        builder.component(ComponentDigest::of(COMPONENT), Some("it"), None, None);
        builder.data_bytes(b"unused", None, DataEncoding::Raw, None);
        builder.data_bytes(b"raw", None, DataEncoding::Raw, None);
        let options = Options { fuel: Some(7), retries: Some(3), ..Options::default() };
        builder.function(0, "first", &[], None, None, &Options::default());
        builder.function(1, "second", &[Argument::Data(1)], None, None, &options);
        builder.task("a", 0, &Arguments::Positional(vec![]), &Options::default());
        let whole = || Argument::Task(Reference::whole(TaskIndex(0)));
        let part = Argument::Task(Reference { task: TaskIndex(0), path: vec![PathStep::Field("x".into())] });
        let literal = Argument::Value(Value::Str("literal".into()));
        let list = Argument::Array(vec![whole(), part, Argument::Data(1)]);
        let pairs = vec![("k".to_owned(), list), ("l".to_owned(), literal)];
        let own = Options { priority: Some(5), seed: Some(9), ..Options::default() };
        builder.task("b", 1, &Arguments::Positional(vec![whole(), Argument::Map(pairs)]), &own);
        builder.output(Reference::whole(TaskIndex(1)));
        builder.options(Options { timeout_ms: Some(11), seed: Some(1), ..Options::default() });
        Graph::read(builder.to_bytes().into()).expect("a graph")
    }

    #[test]
    fn references_are_found_once_each() {
        let graph = graph();
        let path = vec![PathStep::Field("x".into())];
        let expected = [Reference::whole(TaskIndex(0)), Reference { task: TaskIndex(0), path }];
        assert_eq!(graph.task(TaskIndex(1)).references(), expected);
        assert_eq!(graph.task(TaskIndex(0)).references(), []);
    }

    #[test]
    fn a_replay_has_one_task_with_data_in_the_place_of_results() {
        let input = |reference: &Reference| Some(encoded(if reference.path.is_empty() { 40 } else { 2 }));
        let file = graph().replay_of(TaskIndex(1), COMPONENT, &[], input).expect("inputs are there");
        let alone = Graph::read(file.into()).expect("a graph");
        assert_eq!((alone.len(), alone.components().len(), alone.data().len()), (1, 1, 3));
        assert_eq!(&alone.file()[alone.components()[0].bytes.clone().expect("bytes")], COMPONENT);
        let task = alone.task(TaskIndex(0));
        assert_eq!((task.key(), task.dependencies().len(), task.function().export.as_str()), ("b", 0, "second"));
        // The bound entry comes first, then the whole, then the part; `literal` keeps its bytes.
        let bytes = |data: usize| alone.file()[alone.data()[data].bytes.clone().expect("bytes")].to_vec();
        assert_eq!([bytes(0), bytes(1), bytes(2)], [b"raw".to_vec(), vec![40], vec![2]]);
        let data = |position: u8| Value::Ext(2, vec![position]);
        let list = Value::Array(vec![data(1), data(2), data(0)]);
        let map = Value::Map(vec![("k".into(), list), ("l".into(), Value::Str("literal".into()))]);
        assert_eq!(Value::from_msgpack(task.args()), Ok(Value::Array(vec![data(1), map])));
        let settings = task.settings();
        assert_eq!((settings.fuel, settings.seed, settings.timeout.0, settings.retries), (Some(7), 9, 11_000, 0));
        assert_eq!(settings.priority, 0, "what does not change the result is left out");
        let others = [(0, Bytes::from_static(b"another"))];
        let file = graph().replay_of(TaskIndex(1), COMPONENT, &others, input).expect("inputs are there");
        let alone = Graph::read(file.into()).expect("a graph");
        let names: Vec<Option<&str>> = alone.components().iter().map(|component| component.name.as_deref()).collect();
        assert_eq!((names, alone.task(TaskIndex(0)).function().component), (vec![Some("it"), Some("other")], 0));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = graph().replay_of(TaskIndex(1), COMPONENT, &[], |_| None).expect_err("no inputs");
        assert_eq!(error, ReplayError::NoInput("a".into()));
    }
}
