//! A fragment: a file whose tables continue those of a graph that is there already.
//!
//! Owns the fields `append-to` and `base`. Everything else of the file is a graph's, read by the same code; only
//! positions begin where the graph ended.

use super::read::fields::{Field, Fields};
use super::read::tables::FieldTable;
use super::read::{GraphError, Place};
use super::{Component, DataEntry, Graph, GraphBuilder};
use crate::ErrorCode;
use crate::ids::GraphId;
use crate::limits::{GRAPH_COMPONENTS_MAX, GRAPH_DATA_MAX, GRAPH_FUNCTIONS_MAX, GRAPH_OUTPUTS_MAX, GRAPH_TASKS_MAX};
use crate::msgpack::{ReadError, Reader, Writer};
use bytes::Bytes;

/// How many entries the tables of a graph have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Components.
    pub components: u32,
    /// Functions.
    pub functions: u32,
    /// Data entries.
    pub data: u32,
    /// Tasks.
    pub tasks: u32,
    /// Outputs.
    pub outputs: u32,
}

/// What a fragment continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Append {
    /// The graph.
    pub graph: GraphId,
    /// How far its tables went when the fragment was written.
    pub base: Extent,
}

impl Append {
    /// A graph file, whose positions begin where the graph ends, as a fragment.
    ///
    /// # Errors
    /// When the file does not begin as a MessagePack map; what is in it is not looked at.
    pub fn to_fragment(&self, tables: &[u8]) -> Result<Vec<u8>, ReadError> {
        let mut reader = Reader::new(tables);
        let fields = reader.map()?;
        let mut out = Writer::new();
        out.reserve(tables.len() + 128);
        out.map(fields + 2);
        out.str("append-to");
        out.bin(&self.graph.0);
        out.str("base");
        self.base.write(&mut out);
        out.raw(reader.rest());
        Ok(out.into_bytes())
    }
}

impl Extent {
    /// The tables with those of `more` after them.
    #[must_use]
    pub fn plus(self, more: Extent) -> Extent {
        Extent {
            components: self.components + more.components,
            functions: self.functions + more.functions,
            data: self.data + more.data,
            tasks: self.tasks + more.tasks,
            outputs: self.outputs + more.outputs,
        }
    }

    /// The counts with their names, in the order of the format.
    pub fn named(self) -> [(&'static str, u32); 5] {
        [
            ("components", self.components),
            ("functions", self.functions),
            ("data", self.data),
            ("tasks", self.tasks),
            ("outputs", self.outputs),
        ]
    }

    /// Writes it as the map that `base` is.
    pub fn write(self, out: &mut Writer) {
        out.map(5);
        for (name, count) in self.named() {
            out.str(name);
            out.uint(u64::from(count));
        }
    }

    /// What [`Extent::write`] wrote, as the body of an answer has it.
    ///
    /// # Errors
    /// [`GraphError`] when it is anything else.
    pub fn from_msgpack(bytes: &[u8]) -> Result<Extent, GraphError> {
        Extent::read(&Field::new(Reader::new(bytes), Place::named("answer"), "base"))
    }

    fn read(field: &Field<'_>) -> Result<Extent, GraphError> {
        let fields = Fields::read(field, FieldTable::Base)?;
        let count = |name: &str, max: usize| {
            let field = fields.required(name)?;
            let count = field.uint()?;
            if count > max as u64 {
                let message = format!("{count} {name}; at most {max} are allowed");
                return Err(GraphError::new(ErrorCode::LimitExceeded, field.place(), message));
            }
            Ok(count as u32)
        };
        Ok(Extent {
            components: count("components", GRAPH_COMPONENTS_MAX)?,
            functions: count("functions", GRAPH_FUNCTIONS_MAX)?,
            data: count("data", GRAPH_DATA_MAX)?,
            tasks: count("tasks", GRAPH_TASKS_MAX)?,
            outputs: count("outputs", GRAPH_OUTPUTS_MAX)?,
        })
    }
}

impl Append {
    /// What `append-to` and `base` say; nothing when neither is there.
    pub(super) fn read(fields: &Fields<'_>) -> Result<Option<Append>, GraphError> {
        if fields.optional("append-to").is_none() && fields.optional("base").is_none() {
            return Ok(None);
        }
        let field = fields.required("append-to")?;
        let graph = field.bin()?.try_into().map_err(|_| field.bad("a graph's id has 16 bytes"))?;
        Ok(Some(Append { graph: GraphId(graph), base: Extent::read(&fields.required("base")?)? }))
    }
}

/// A fragment that was read: its positions are those that it will have in the graph.
#[derive(Clone, Debug)]
pub struct Fragment {
    graph: GraphId,
    pub(super) tables: Graph,
}

impl Fragment {
    /// Reads and checks a fragment by itself: everything but what only the graph that it continues can tell.
    ///
    /// # Errors
    /// [`GraphError`] as for [`Graph::read`], and `missing-field` when the file is a whole graph.
    pub fn read(file: Bytes) -> Result<Fragment, GraphError> {
        match GraphFile::read(file)? {
            GraphFile::Fragment(fragment) => Ok(fragment),
            GraphFile::Whole(_) => {
                let message = "`append-to` and `base` are missing: this is a graph of its own, not a fragment";
                Err(GraphError::new(ErrorCode::MissingField, Place::graph(), message))
            }
        }
    }

    /// The graph that it continues.
    pub fn append_to(&self) -> GraphId {
        self.graph
    }

    /// How far the tables of that graph go, as the fragment has it.
    pub fn base(&self) -> Extent {
        self.tables.base
    }

    /// Its own tables. Positions of its tasks start at those of the base; functions, data and tasks of the base are not in it.
    pub fn tables(&self) -> &Graph {
        &self.tables
    }

    /// The canonical file of this fragment; see [`Graph::rewrite`].
    pub fn rewrite(&self, component: impl FnMut(&mut Component), data: impl FnMut(&mut DataEntry) -> Option<Bytes>) -> Vec<u8> {
        let append = Append { graph: self.graph, base: self.base() };
        self.tables.rewrite_into(GraphBuilder::fragment(append), component, data)
    }

    /// Its own tables.
    pub fn into_tables(self) -> Graph {
        self.tables
    }
}

/// What a graph file can be.
#[derive(Clone, Debug)]
pub enum GraphFile {
    /// A graph of its own.
    Whole(Graph),
    /// A continuation.
    Fragment(Fragment),
}

impl GraphFile {
    /// Reads either kind.
    ///
    /// # Errors
    /// [`GraphError`] for the first thing that is wrong.
    pub fn read(file: Bytes) -> Result<GraphFile, GraphError> {
        let (tables, append) = Graph::read_either(file)?;
        Ok(match append {
            Some(append) => GraphFile::Fragment(Fragment { graph: append.graph, tables }),
            None => GraphFile::Whole(tables),
        })
    }
}

/// The same file for another graph whose tables go as far: the bytes of `append-to` are replaced.
///
/// # Errors
/// [`GraphError`] when the file is no fragment.
pub fn readdress(file: &[u8], graph: GraphId) -> Result<Bytes, GraphError> {
    let read = |error: ReadError| GraphError::read(Place::graph(), error);
    let mut reader = Reader::new(file);
    let count = reader.map().map_err(read)?;
    let mut out = Writer::new();
    out.reserve(file.len());
    out.map(count);
    let mut is_fragment = false;
    for _ in 0..count {
        let name = reader.str().map_err(read)?;
        let value = reader.skip().map_err(read)?;
        out.str(name);
        if name == "append-to" {
            is_fragment = true;
            out.bin(&graph.0);
        } else {
            out.raw(value);
        }
    }
    if !is_fragment {
        return Err(GraphError::new(ErrorCode::MissingField, Place::graph(), "`append-to` is missing: this is no fragment"));
    }
    Ok(out.into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Argument, Arguments, Options, Reference};
    use crate::ids::{ComponentDigest, TaskIndex};
    use proptest::prelude::*;

    const GRAPH: GraphId = GraphId([7; 16]);

    fn base(tasks: u32) -> Append {
        Append { graph: GRAPH, base: Extent { components: 1, functions: 2, data: 1, tasks, outputs: 1 } }
    }

    /// Tasks after `base`, where task `i` needs `edges[i]`.
    fn fragment(append: Append, function: u32, edges: &[&[u32]]) -> Result<Fragment, GraphError> {
        let mut builder = GraphBuilder::fragment(append);
        for (task, needs) in edges.iter().enumerate() {
            let list = needs.iter().map(|need| Argument::Task(Reference::whole(TaskIndex(*need)))).collect();
            builder.task(&format!("f{task}"), function, &Arguments::Positional(vec![Argument::Array(list)]), &Options::default());
        }
        Fragment::read(builder.to_bytes().into())
    }

    #[test]
    fn positions_continue_those_of_the_base() {
        let read = fragment(base(10), 1, &[&[3, 11], &[9]]).expect("a fragment");
        assert_eq!((read.append_to(), read.base().tasks), (GRAPH, 10));
        let tables = read.tables();
        assert_eq!(tables.task(TaskIndex(10)).dependencies(), [TaskIndex(3), TaskIndex(11)]);
        assert_eq!(tables.task(TaskIndex(11)).key(), "f1");
        assert_eq!(tables.topological_order(), [TaskIndex(11), TaskIndex(10)]);
        assert_eq!(tables.extent(), Extent { tasks: 2, ..Extent::default() });
        assert!(tables.function(1).is_none() && !tables.has_task(TaskIndex(9)) && !tables.has_task(TaskIndex(12)));
    }

    #[test]
    fn what_lies_beyond_base_and_fragment_is_refused() {
        let code = |result: Result<Fragment, GraphError>| result.expect_err("wrong").code;
        assert_eq!(code(fragment(base(10), 1, &[&[11]])), ErrorCode::UnknownTask);
        assert_eq!(code(fragment(base(10), 2, &[&[3]])), ErrorCode::BadField);
        assert_eq!(code(fragment(base(10), 1, &[&[11], &[10]])), ErrorCode::Cycle);
        assert_eq!(code(fragment(base(GRAPH_TASKS_MAX as u32), 1, &[&[3]])), ErrorCode::LimitExceeded);
        assert_eq!(code(fragment(base(u32::MAX - 5), 1, &[&[3]])), ErrorCode::LimitExceeded);
    }

    #[test]
    fn graphs_and_fragments_are_not_taken_for_each_other() {
        let whole = GraphBuilder::new().to_bytes();
        let fragment = GraphBuilder::fragment(base(10)).to_bytes();
        assert_eq!(Fragment::read(whole.clone().into()).expect_err("a graph").code, ErrorCode::MissingField);
        let error = Graph::read(fragment.clone().into()).expect_err("a fragment");
        assert!(error.to_string().contains(&GRAPH.to_string()), "{error}");
        let elsewhere = Fragment::read(readdress(&fragment, GraphId([1; 16])).expect("a fragment")).expect("the same");
        assert_eq!(elsewhere.append_to(), GraphId([1; 16]));
        assert!(readdress(&whole, GRAPH).is_err());
    }

    #[test]
    fn extents_travel_as_they_are() {
        let extent = Extent { components: 1, functions: 300, data: 0, tasks: 70_000, outputs: 5 };
        let mut out = Writer::new();
        extent.write(&mut out);
        assert_eq!(Extent::from_msgpack(out.as_bytes()).expect("an extent"), extent);
        assert!(Extent::from_msgpack(&[0x80]).is_err());
    }

    proptest! {
        /// Whatever a fragment's bytes are, they are read or refused; what is read is written again the same.
        #[test]
        fn damaged_fragments_are_refused_or_read(cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4)) {
            let mut builder = GraphBuilder::fragment(base(3));
            let component = builder.component(ComponentDigest::of(b"component"), Some("more"), None, None);
            let function = builder.function(component, "add", &[Argument::Data(0)], None, None, &Options::default());
            let needs = vec![Argument::Task(Reference::whole(TaskIndex(2))), Argument::Task(Reference::whole(TaskIndex(3)))];
            builder.task("first", 1, &Arguments::Positional(needs[..1].to_vec()), &Options::default());
            builder.task("second", function, &Arguments::Positional(needs), &Options::default());
            builder.output(Reference::whole(TaskIndex(1)));
            builder.output(Reference::whole(TaskIndex(4)));
            let mut bytes = builder.to_bytes();
            for (at, byte) in &cuts {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            if let Ok(read) = Fragment::read(bytes.into()) {
                let written = read.rewrite(|_| (), |_| None);
                let again = Fragment::read(written.clone().into()).expect("what was written is a fragment");
                prop_assert_eq!(again.rewrite(|_| (), |_| None), written);
                for task in read.tables().tasks() {
                    prop_assert!(task.dependencies().iter().all(|need| need.0 < read.base().tasks + read.tables().extent().tasks));
                }
            } else {
                prop_assert!(!cuts.is_empty(), "the undamaged one is read");
            }
        }
    }
}
