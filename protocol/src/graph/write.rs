//! Writes graphs in canonical form.

mod options;

pub(super) use self::options::write_options;
use super::{Append, Component, DataEncoding, DataEntry, Dynamic, Extent, Graph, Options, Reference, Source};
use crate::ids::{ComponentDigest, ContentDigest, TaskIndex};
use crate::msgpack::{EXT_DATA, Writer};
use crate::value::Value;
use crate::value_type::Type;
use bytes::Bytes;

/// A graph under construction. Writes what it is told; [`Graph::read`] checks it.
#[derive(Clone, Debug, Default)]
pub struct GraphBuilder {
    append: Option<Append>,
    components: Vec<Vec<u8>>,
    functions: Vec<Vec<u8>>,
    data: Vec<Vec<u8>>,
    tasks: Writer,
    task_count: u32,
    outputs: Vec<Reference>,
    options: Options,
}

/// An argument, or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// A literal without references in it.
    Value(Value),
    /// A list or tuple.
    Array(Vec<Argument>),
    /// A record, variant or result.
    Map(Vec<(String, Argument)>),
    /// A task's result.
    Task(Reference),
    /// A data entry.
    Data(u32),
}

impl From<Value> for Argument {
    fn from(value: Value) -> Argument {
        Argument::Value(value)
    }
}

impl Argument {
    fn write(&self, out: &mut Writer) {
        match self {
            Argument::Value(value) => value.clone().to_file_encoding().write(out),
            Argument::Array(items) => {
                out.array(items.len());
                items.iter().for_each(|item| item.write(out));
            }
            Argument::Map(pairs) => write_map(out, pairs),
            Argument::Task(reference) => reference.write(out),
            Argument::Data(position) => {
                let mut payload = Writer::new();
                payload.uint(u64::from(*position));
                out.ext(EXT_DATA, payload.as_bytes());
            }
        }
    }
}

fn write_map(out: &mut Writer, pairs: &[(String, Argument)]) {
    let mut sorted: Vec<_> = pairs.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    out.map(sorted.len());
    for (key, argument) in sorted {
        out.str(key);
        argument.write(out);
    }
}

/// The arguments of a task: by position, or by parameter name.
#[derive(Clone, Debug, PartialEq)]
pub enum Arguments {
    /// In the order of the parameters.
    Positional(Vec<Argument>),
    /// By the WIT names of the parameters.
    Named(Vec<(String, Argument)>),
}

impl From<Vec<Argument>> for Arguments {
    fn from(arguments: Vec<Argument>) -> Arguments {
        Arguments::Positional(arguments)
    }
}

/// A map whose absent fields are left out.
#[derive(Default)]
struct MapWriter {
    count: usize,
    body: Writer,
}

impl MapWriter {
    fn field(&mut self, name: &str, write: impl FnOnce(&mut Writer)) {
        self.count += 1;
        self.body.str(name);
        write(&mut self.body);
    }

    fn some<T>(&mut self, name: &str, value: Option<T>, write: impl FnOnce(&mut Writer, T)) {
        if let Some(value) = value {
            self.field(name, |out| write(out, value));
        }
    }

    fn finish(self) -> Vec<u8> {
        let mut out = Writer::new();
        out.map(self.count);
        out.raw(self.body.as_bytes());
        out.into_bytes()
    }
}

impl GraphBuilder {
    /// An empty graph.
    pub fn new() -> GraphBuilder {
        GraphBuilder::default()
    }

    /// An empty fragment. Positions that are given back continue those of the base.
    pub fn fragment(append: Append) -> GraphBuilder {
        GraphBuilder { append: Some(append), ..GraphBuilder::default() }
    }

    fn base(&self) -> Extent {
        self.append.map_or_else(Extent::default, |append| append.base)
    }

    /// Sets the options of the graph.
    pub fn options(&mut self, options: Options) {
        self.options = options;
    }

    /// Adds a component; returns its position.
    pub fn component(
        &mut self,
        digest: ComponentDigest,
        name: Option<&str>,
        bytes: Option<&[u8]>,
        source: Option<&Source>,
    ) -> u32 {
        let mut map = MapWriter::default();
        map.field("digest", |out| out.str(&digest.to_string()));
        map.some("name", name, Writer::str);
        map.some("bytes", bytes, Writer::bin);
        map.some("source", source, write_source);
        self.base().components + push(&mut self.components, map)
    }

    /// Adds a function; returns its position. `bind` may hold data, not tasks.
    pub fn function(
        &mut self,
        component: u32,
        export: &str,
        bind: &[Argument],
        dynamic: Option<&Dynamic>,
        group: Option<&str>,
        options: &Options,
    ) -> u32 {
        let mut encoded = Writer::new();
        encoded.array(bind.len());
        bind.iter().for_each(|argument| argument.write(&mut encoded));
        let encoded = (!bind.is_empty()).then_some(encoded.as_bytes());
        self.function_encoded(component, export, encoded, dynamic, group, options)
    }

    /// Adds a function whose array of bound arguments is encoded; returns its position.
    pub(super) fn function_encoded(
        &mut self,
        component: u32,
        export: &str,
        bind: Option<&[u8]>,
        dynamic: Option<&Dynamic>,
        group: Option<&str>,
        options: &Options,
    ) -> u32 {
        let mut map = MapWriter::default();
        map.field("component", |out| out.uint(u64::from(component)));
        map.field("export", |out| out.str(export));
        map.some("bind", bind, Writer::raw);
        map.some("dynamic", dynamic, write_dynamic);
        map.some("group", group, Writer::str);
        map.some("options", write_options(options), |out, bytes| out.raw(&bytes));
        self.base().functions + push(&mut self.functions, map)
    }

    /// Adds a function that is written already; returns its position.
    pub(super) fn function_raw(&mut self, encoded: Vec<u8>) -> u32 {
        self.functions.push(encoded);
        self.base().functions + self.functions.len() as u32 - 1
    }

    /// Adds a data entry that is written already.
    pub(super) fn data_raw(&mut self, encoded: &[u8]) {
        self.data.push(encoded.to_owned());
    }

    /// Adds a data entry with its bytes; returns its position.
    pub fn data_bytes(&mut self, bytes: &[u8], digest: Option<ContentDigest>, encoding: DataEncoding, ty: Option<&Type>) -> u32 {
        self.data_entry(digest, Some(bytes), None, 0, None, encoding, ty)
    }

    /// Adds a range of a source; returns its position.
    pub fn data_source(
        &mut self,
        source: &Source,
        offset: u64,
        len: Option<u64>,
        encoding: DataEncoding,
        ty: Option<&Type>,
    ) -> u32 {
        self.data_entry(None, None, Some(source), offset, len, encoding, ty)
    }

    /// Adds a data entry with everything that the format can say of one; returns its position.
    /// It has either bytes or a source.
    #[expect(clippy::too_many_arguments, reason = "one for each field of the format")]
    pub fn data_entry(
        &mut self,
        digest: Option<ContentDigest>,
        bytes: Option<&[u8]>,
        source: Option<&Source>,
        offset: u64,
        len: Option<u64>,
        encoding: DataEncoding,
        ty: Option<&Type>,
    ) -> u32 {
        let mut map = MapWriter::default();
        map.some("digest", digest, |out, digest| out.str(&digest.to_string()));
        map.some("bytes", bytes, Writer::bin);
        map.some("source", source, write_source);
        map.some("offset", (offset > 0).then_some(offset), Writer::uint);
        map.some("len", len, Writer::uint);
        map.field("encoding", |out| {
            out.str(match encoding {
                DataEncoding::Raw => "raw",
                DataEncoding::Value => "value",
            });
        });
        map.some("type", ty, |out, ty| out.str(&ty.to_string()));
        self.base().data + push(&mut self.data, map)
    }

    /// Adds a task; returns its position.
    pub fn task(&mut self, key: &str, function: u32, arguments: &Arguments, options: &Options) -> TaskIndex {
        self.task_with(key, function, options, |out| match arguments {
            Arguments::Positional(list) => {
                out.array(list.len());
                list.iter().for_each(|argument| argument.write(out));
            }
            Arguments::Named(pairs) => write_map(out, pairs),
        })
    }

    /// Adds a task whose arguments are written by the caller; returns its position.
    pub(super) fn task_with(&mut self, key: &str, function: u32, options: &Options, args: impl FnOnce(&mut Writer)) -> TaskIndex {
        let options = write_options(options);
        let out = &mut self.tasks;
        out.array(3 + usize::from(options.is_some()));
        out.str(key);
        out.uint(u64::from(function));
        args(out);
        if let Some(options) = options {
            out.raw(&options);
        }
        self.task_count += 1;
        TaskIndex(self.base().tasks + self.task_count - 1)
    }

    /// Adds an output.
    pub fn output(&mut self, output: Reference) {
        self.outputs.push(output);
    }

    /// How many tasks were added.
    pub fn task_count(&self) -> u32 {
        self.task_count
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut map = MapWriter::default();
        let table = |out: &mut Writer, entries: &[Vec<u8>]| {
            out.array(entries.len());
            entries.iter().for_each(|entry| out.raw(entry));
        };
        map.field("wasm-tasks", |out| out.uint(1));
        map.some("append-to", self.append, |out, append| out.bin(&append.graph.0));
        map.some("base", self.append, |out, append| append.base.write(out));
        map.field("components", |out| table(out, &self.components));
        map.field("functions", |out| table(out, &self.functions));
        if !self.data.is_empty() {
            map.field("data", |out| table(out, &self.data));
        }
        map.field("tasks", |out| {
            out.array(self.task_count as usize);
            out.raw(self.tasks.as_bytes());
        });
        map.field("outputs", |out| {
            out.array(self.outputs.len());
            self.outputs.iter().for_each(|output| output.write(out));
        });
        map.some("options", write_options(&self.options), |out, bytes| out.raw(&bytes));
        map.finish()
    }
}

fn push(table: &mut Vec<Vec<u8>>, map: MapWriter) -> u32 {
    table.push(map.finish());
    table.len() as u32 - 1
}

fn write_source(out: &mut Writer, source: &Source) {
    let (kind, text) = match source {
        Source::Path(text) => ("path", text),
        Source::Url(text) => ("url", text),
        Source::Oci(text) => ("oci", text),
    };
    out.map(1);
    out.str(kind);
    out.str(text);
}

fn write_dynamic(out: &mut Writer, dynamic: &Dynamic) {
    let mut map = MapWriter::default();
    map.some("params", dynamic.params.as_ref(), |out, params| {
        out.array(params.len());
        params.iter().for_each(|ty| out.str(&ty.to_string()));
    });
    map.some("result", dynamic.result.as_ref(), |out, ty| out.str(&ty.to_string()));
    out.raw(&map.finish());
}

impl Graph {
    /// The canonical file of this graph. `component` and `data` may change entries on the way, which is how a client
    /// replaces paths by what it uploaded; a data entry's new bytes go into the file.
    pub fn rewrite(&self, component: impl FnMut(&mut Component), data: impl FnMut(&mut DataEntry) -> Option<Bytes>) -> Vec<u8> {
        self.rewrite_into(GraphBuilder::new(), component, data)
    }

    pub(super) fn rewrite_into(
        &self,
        mut builder: GraphBuilder,
        mut component: impl FnMut(&mut Component),
        mut data: impl FnMut(&mut DataEntry) -> Option<Bytes>,
    ) -> Vec<u8> {
        let canonical = |bytes: &[u8]| Value::from_msgpack(bytes).expect("a checked graph's values are valid").to_file_encoding();
        for entry in &self.components {
            let mut entry = entry.clone();
            component(&mut entry);
            let bytes = entry.bytes.as_ref().map(|range| &self.file[range.clone()]);
            builder.component(entry.digest, entry.name.as_deref(), bytes, entry.source.as_ref());
        }
        for entry in &self.functions {
            let bind = match entry.bind.as_ref().map(|range| canonical(&self.file[range.clone()])) {
                Some(Value::Array(list)) => list.into_iter().map(Argument::Value).collect(),
                _ => Vec::new(),
            };
            let (dynamic, group) = (entry.dynamic.as_ref(), entry.group.as_deref());
            builder.function(entry.component, &entry.export, &bind, dynamic, group, &entry.options);
        }
        for entry in &self.data {
            let mut entry = entry.clone();
            let replaced = data(&mut entry);
            let bytes = replaced.as_deref().or(entry.bytes.as_ref().map(|range| &self.file[range.clone()]));
            builder.data_entry(
                entry.digest,
                bytes,
                entry.source.as_ref(),
                entry.offset,
                entry.len,
                entry.encoding,
                entry.ty.as_ref(),
            );
        }
        for task in self.tasks() {
            let arguments = match canonical(task.args()) {
                Value::Array(list) => Arguments::Positional(list.into_iter().map(Argument::Value).collect()),
                Value::Map(pairs) => Arguments::Named(pairs.into_iter().map(|(name, value)| (name, value.into())).collect()),
                _ => unreachable!("arguments are an array or a map"),
            };
            let none = Options::default();
            builder.task(task.key(), task.function_index(), &arguments, task.own_options().unwrap_or(&none));
        }
        self.outputs.iter().for_each(|output| builder.output(output.clone()));
        builder.options(self.options.clone());
        builder.to_bytes()
    }
}
