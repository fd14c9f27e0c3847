//! Reads a graph from hostile bytes. The first thing that is wrong is reported with its place.

pub(super) mod fields;
mod gangs;
pub(super) mod options;
pub(super) mod tables;

use self::fields::Fields;
use self::options::Level;
use self::tables::FieldTable;
use super::{
    Append, Component, DataEncoding, DataEntry, Dynamic, Extent, Function, Graph, NO_OPTIONS, Options, Reference, Source,
    TaskEntry, order,
};
use crate::ErrorCode;
use crate::ids::TaskIndex;
use crate::limits::{
    COMPONENT_BYTES_MAX, DYNAMIC_PARAMS_MAX, GRAPH_BYTES_MAX, GRAPH_COMPONENTS_MAX, GRAPH_DATA_MAX, GRAPH_FUNCTIONS_MAX,
    GRAPH_OUTPUTS_MAX, GRAPH_TASKS_MAX, KEY_BYTES_MAX, NAME_BYTES_MAX, TASK_ARGS_BYTES_MAX, TASK_REFERENCES_MAX,
};
use crate::msgpack::{EXT_TASK, InvalidValue, Kind, ReadError, Reader, References, validate};
use crate::value_type::Type;
use bytes::Bytes;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// Why a file is not a graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct GraphError {
    /// The code.
    pub code: ErrorCode,
    /// Where.
    pub place: Place,
    /// What is wrong there.
    pub message: String,
}

/// A place in a graph file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(String);

impl Place {
    /// The graph itself.
    pub fn graph() -> Place {
        Place("graph".to_owned())
    }

    /// A place with a name, such as `functions[3]`.
    pub fn named(name: impl Into<String>) -> Place {
        Place(name.into())
    }

    /// An entry of a table.
    pub fn entry(table: &str, position: usize) -> Place {
        Place(format!("{table}[{position}]"))
    }

    /// A task.
    pub fn task(position: usize, key: &str) -> Place {
        Place(format!("tasks[{position}] `{}`", shorten(key)))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// At most 80 characters of what a stranger wrote.
pub(super) fn shorten(text: &str) -> String {
    if text.chars().count() <= 80 { text.to_owned() } else { text.chars().take(77).chain("...".chars()).collect() }
}

impl GraphError {
    pub(super) fn new(code: ErrorCode, place: Place, message: impl Into<String>) -> GraphError {
        GraphError { code, place, message: message.into() }
    }

    fn invalid(place: Place, error: &InvalidValue) -> GraphError {
        GraphError::new(error.code(), place, error.to_string())
    }

    /// An error of reading where a field of a kind was expected.
    pub(super) fn read(place: Place, error: ReadError) -> GraphError {
        let code = match error {
            ReadError::Kind { .. } => ErrorCode::BadField,
            ReadError::End | ReadError::Reserved | ReadError::Utf8 => ErrorCode::BadMsgpack,
        };
        GraphError::new(code, place, error.to_string())
    }
}

/// How many of something there are, against its limit.
fn limited(len: usize, max: usize, place: Place, what: &str) -> Result<usize, GraphError> {
    if len <= max {
        return Ok(len);
    }
    Err(GraphError::new(ErrorCode::LimitExceeded, place, format!("{len} {what}; at most {max} are allowed")))
}

/// Bytes of the shortest task: the array, a key of one byte, the function, no arguments.
const TASK_BYTES_MIN: usize = 5;

impl Graph {
    /// Reads and checks a graph file.
    ///
    /// # Errors
    /// [`GraphError`] with the code of `docs/graph-format.md` for the first thing that is wrong.
    pub fn read(file: Bytes) -> Result<Graph, GraphError> {
        match Graph::read_either(file)? {
            (graph, None) => Ok(graph),
            (_, Some(append)) => {
                let message = format!(
                    "this is a fragment, which continues the graph `{}` and is no graph of its own; append it with `submit --append-to`",
                    append.graph
                );
                Err(GraphError::new(ErrorCode::BadField, Place::named("append-to"), message))
            }
        }
    }

    /// Reads and checks a graph or a fragment: the latter says what it continues.
    pub(super) fn read_either(file: Bytes) -> Result<(Graph, Option<Append>), GraphError> {
        limited(file.len(), GRAPH_BYTES_MAX, Place::graph(), "bytes")?;
        let bytes = file.clone();
        let fields = Fields::whole(&bytes, FieldTable::Graph)?;
        match fields.required("wasm-tasks")?.uint()? {
            1 => {}
            version => {
                let message = format!("the file has version {version} of the format; this program reads version 1");
                return Err(GraphError::new(ErrorCode::UnsupportedVersion, Place::graph(), message));
            }
        }
        let append = Append::read(&fields)?;
        let base = append.map_or_else(Extent::default, |append| append.base);
        let left = |max: usize, base: u32| max - base as usize;
        let components_max = left(GRAPH_COMPONENTS_MAX, base.components);
        let components = fields.table("components", components_max, |at, entry| component(&bytes, at, entry))?;
        let data = fields.optional_table("data", left(GRAPH_DATA_MAX, base.data), |at, entry| data_entry(&bytes, at, entry))?;
        let known = (base.components as usize + components.len(), base.data as usize + data.len());
        let functions_max = left(GRAPH_FUNCTIONS_MAX, base.functions);
        let functions = fields.table("functions", functions_max, |at, entry| function(&bytes, at, entry, known.0, known.1))?;
        let options = match fields.optional("options") {
            Some(field) => options::read(&field, if append.is_none() { Level::Graph } else { Level::Fragment })?,
            None => Options::default(),
        };
        let mut graph = Graph {
            file,
            base,
            components,
            functions,
            data,
            tasks: Vec::new(),
            task_options: Vec::new(),
            dependency_starts: vec![0],
            dependencies: Vec::new(),
            outputs: Vec::new(),
            options,
            gangs: Vec::new(),
        };
        graph.read_tasks(&fields.required("tasks")?.reader(), &bytes)?;
        graph.read_outputs(&fields.required("outputs")?.reader(), append.is_some())?;
        graph.refuse_duplicate_keys()?;
        graph.refuse_circles()?;
        graph.find_gangs()?;
        Ok((graph, append))
    }

    fn read_tasks(&mut self, reader: &Reader<'_>, file: &[u8]) -> Result<(), GraphError> {
        let mut reader = *reader;
        let place = || Place::named("tasks");
        let count = reader.array().map_err(|error| GraphError::read(place(), error))?;
        limited(count, GRAPH_TASKS_MAX - self.base.tasks as usize, place(), "tasks")?;
        // A header may promise more tasks than its file has bytes for.
        let at_most = count.min(reader.rest().len() / TASK_BYTES_MIN + 1);
        self.tasks.reserve_exact(at_most);
        self.dependency_starts.reserve_exact(at_most);
        let mut known_options: Vec<(Range<usize>, u32)> = Vec::new();
        for position in 0..count {
            let entry = self.read_task(&mut reader, file, position, count, &mut known_options)?;
            self.tasks.push(entry);
            let end = u32::try_from(self.dependencies.len())
                .map_err(|_| GraphError::new(ErrorCode::LimitExceeded, place(), "more than 4,294,967,295 edges"))?;
            self.dependency_starts.push(end);
        }
        Ok(())
    }

    fn read_task(
        &mut self,
        reader: &mut Reader<'_>,
        file: &[u8],
        position: usize,
        count: usize,
        known_options: &mut Vec<(Range<usize>, u32)>,
    ) -> Result<TaskEntry, GraphError> {
        let unnamed = || Place::entry("tasks", position);
        let fields = reader.array().map_err(|error| GraphError::read(unnamed(), error))?;
        if !(3..=4).contains(&fields) {
            let message = format!("a task is an array of 3 or 4, [key, function, args, options], not of {fields}");
            return Err(GraphError::new(ErrorCode::BadField, unnamed(), message));
        }
        let key = reader.str().map_err(|error| GraphError::read(unnamed(), error))?;
        if key.is_empty() {
            return Err(GraphError::new(ErrorCode::BadField, unnamed(), "the key is empty"));
        }
        limited(key.len(), KEY_BYTES_MAX, unnamed(), "bytes in the key")?;
        let place = || Place::task(position, key);
        let function = reader.int().map_err(|error| GraphError::read(place(), error))?;
        let functions = self.base.functions as usize + self.functions.len();
        if !(0..functions as i128).contains(&function) {
            let message = format!("function {function} is not in the graph; it has {functions}");
            return Err(GraphError::new(ErrorCode::BadField, place(), message));
        }
        match reader.kind() {
            Ok(Kind::Array | Kind::Map) => {}
            Ok(kind) => {
                let message = format!("the arguments are {}; they must be an array or a map", kind.as_str());
                return Err(GraphError::new(ErrorCode::BadField, place(), message));
            }
            Err(error) => return Err(GraphError::read(place(), error)),
        }
        let first = self.dependencies.len();
        let (tasks, data) = (self.base.tasks as usize + count, self.base.data as usize + self.data.len());
        let mut found = Found { tasks, data, dependencies: &mut self.dependencies, references: 0 };
        let args = match validate(reader, &mut found) {
            Ok(args) => args,
            Err(error) => {
                let code = match &error {
                    InvalidValue::Reference(what) if what.starts_with("a task") => ErrorCode::UnknownTask,
                    InvalidValue::Reference(what) if what.starts_with("a data") => ErrorCode::UnknownData,
                    InvalidValue::Reference(_) => ErrorCode::LimitExceeded,
                    error => error.code(),
                };
                return Err(GraphError::new(code, place(), error.to_string()));
            }
        };
        limited(args.len(), TASK_ARGS_BYTES_MAX, place(), "bytes of arguments")?;
        keep_first(&mut self.dependencies, first);
        let options = match fields {
            4 => self.read_task_options(reader, file, &place, known_options)?,
            _ => NO_OPTIONS,
        };
        let key_at = offset_in(file, key.as_bytes());
        let args_at = offset_in(file, args);
        Ok(TaskEntry {
            key_at: key_at as u32,
            args_at: args_at as u32,
            args_len: args.len() as u32,
            function: function as u32,
            options,
            key_len: key.len() as u16,
        })
    }

    /// Options of tasks repeat: the same bytes are kept once, as long as they stand close to each other.
    fn read_task_options(
        &mut self,
        reader: &mut Reader<'_>,
        file: &[u8],
        place: &dyn Fn() -> Place,
        known: &mut Vec<(Range<usize>, u32)>,
    ) -> Result<u32, GraphError> {
        const REMEMBERED: usize = 8;
        let start = offset_in(file, reader.rest());
        let bytes = validate(reader, &mut ()).map_err(|error| GraphError::invalid(place(), &error))?;
        if let Some((_, options)) = known.iter().find(|(range, _)| &file[range.clone()] == bytes) {
            return Ok(*options);
        }
        let field = fields::Field::new(Reader::new(bytes), place(), "options");
        let options = options::read(&field, Level::Task)?;
        let position = self.task_options.len() as u32;
        self.task_options.push(options);
        if known.len() == REMEMBERED {
            known.remove(0);
        }
        known.push((start..start + bytes.len(), position));
        Ok(position)
    }

    fn read_outputs(&mut self, reader: &Reader<'_>, may_be_none: bool) -> Result<(), GraphError> {
        let mut reader = *reader;
        let place = || Place::named("outputs");
        let count = reader.array().map_err(|error| GraphError::read(place(), error))?;
        limited(count, GRAPH_OUTPUTS_MAX - self.base.outputs as usize, place(), "outputs")?;
        if count == 0 && !self.tasks.is_empty() && !may_be_none {
            return Err(GraphError::new(ErrorCode::BadField, place(), "there are tasks but no outputs"));
        }
        for position in 0..count {
            let place = || Place::entry("outputs", position);
            let start = reader;
            let tasks = self.base.tasks as usize + self.tasks.len();
            let mut found = Found { tasks, data: 0, dependencies: &mut Vec::new(), references: 0 };
            validate(&mut reader, &mut found).map_err(|error| match &error {
                InvalidValue::Reference(what) if what.starts_with("a task") => {
                    GraphError::new(ErrorCode::UnknownTask, place(), error.to_string())
                }
                error => GraphError::invalid(place(), error),
            })?;
            let reference = match { start }.ext() {
                Ok((EXT_TASK, payload)) => Reference::from_payload(payload),
                Ok(_) | Err(_) => None,
            };
            let Some(reference) = reference else {
                return Err(GraphError::new(
                    ErrorCode::BadField,
                    place(),
                    "an output is a reference to a task (extension code 1)",
                ));
            };
            self.outputs.push(reference);
        }
        Ok(())
    }

    fn refuse_duplicate_keys(&self) -> Result<(), GraphError> {
        let mut sorted: Vec<(u64, u32)> = self.tasks().map(|task| (spread(task.key().as_bytes()), task.index().0)).collect();
        let key = |task: u32| self.task(TaskIndex(task)).key();
        sorted.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| key(a.1).cmp(key(b.1))).then(a.1.cmp(&b.1)));
        match sorted.windows(2).find(|pair| pair[0].0 == pair[1].0 && key(pair[0].1) == key(pair[1].1)) {
            None => Ok(()),
            Some(pair) => {
                let [first, second] = [pair[0].1, pair[1].1].map(|task| self.task(TaskIndex(task)));
                let message = format!("tasks[{}] has the same key", first.file_position());
                Err(GraphError::new(ErrorCode::DuplicateKey, second.place(), message))
            }
        }
    }

    fn refuse_circles(&self) -> Result<(), GraphError> {
        let Err(circle) = order::topological(self) else { return Ok(()) };
        let shown: Vec<String> = circle.iter().take(8).map(|task| format!("`{}`", shorten(self.task(*task).key()))).collect();
        let more = if circle.len() > 8 { format!(" and {} more", circle.len() - 8) } else { String::new() };
        let first = self.task(circle[0]);
        let message =
            format!("tasks wait for each other: {}{more}; each needs the next and the last the first", shown.join(", "));
        Err(GraphError::new(ErrorCode::Cycle, first.place(), message))
    }
}

impl super::Task<'_> {
    /// Where it stands in its file.
    pub fn place(&self) -> Place {
        Place::task(self.file_position(), self.key())
    }
}

/// FNV-1a: only spreads keys for sorting, equal hashes are compared by key.
fn spread(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// Where a slice of the file stands in it.
fn offset_in(file: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize) - (file.as_ptr() as usize)
}

/// Collects the references of a task's arguments.
struct Found<'a> {
    tasks: usize,
    data: usize,
    dependencies: &'a mut Vec<TaskIndex>,
    references: usize,
}

impl References for Found<'_> {
    fn task(&mut self, position: u64, _: usize) -> Result<(), InvalidValue> {
        self.references += 1;
        if self.references > TASK_REFERENCES_MAX {
            return Err(InvalidValue::Reference("more than 1,048,576 results"));
        }
        if position >= self.tasks as u64 {
            return Err(InvalidValue::Reference("a task that the graph does not have"));
        }
        self.dependencies.push(TaskIndex(position as u32));
        Ok(())
    }

    fn data(&mut self, position: u64) -> Result<(), InvalidValue> {
        if position >= self.data as u64 {
            return Err(InvalidValue::Reference("a data entry that the graph does not have"));
        }
        Ok(())
    }
}

/// Removes repetitions from `list[first..]`, keeping the first of each.
fn keep_first(list: &mut Vec<TaskIndex>, first: usize) {
    let count = list.len() - first;
    if count <= 16 {
        let mut kept = first;
        for at in first..list.len() {
            let task = list[at];
            if !list[first..kept].contains(&task) {
                list[kept] = task;
                kept += 1;
            }
        }
        list.truncate(kept);
        return;
    }
    let mut sorted: Vec<(TaskIndex, usize)> = list[first..].iter().copied().zip(0..).collect();
    sorted.sort_unstable();
    sorted.dedup_by_key(|(task, _)| *task);
    if sorted.len() < count {
        sorted.sort_unstable_by_key(|(_, at)| *at);
        list.truncate(first);
        list.extend(sorted.into_iter().map(|(task, _)| task));
    }
}

fn source(fields: &Fields<'_>, oci: bool) -> Result<Option<Source>, GraphError> {
    let Some(field) = fields.optional("source") else { return Ok(None) };
    let one = || field.bad("a source is a map with one entry: `path`, `url` or `oci`");
    if matches!({ field.reader() }.map(), Ok(count) if count != 1) {
        return Err(one());
    }
    let pairs = field.map(1, "entries")?;
    let [(kind, value)] = &pairs[..] else { return Err(one()) };
    let text = value.name(NAME_BYTES_MAX)?.to_owned();
    Ok(Some(match *kind {
        "path" => Source::Path(text),
        "url" => Source::Url(text),
        "oci" if oci => Source::Oci(text),
        _ => return Err(field.bad("a source is a `path`, a `url` or, for components, an `oci` reference")),
    }))
}

fn component(file: &[u8], _at: usize, field: fields::Field<'_>) -> Result<Component, GraphError> {
    let fields = Fields::read(&field, FieldTable::Component)?;
    let digest = fields.required("digest")?;
    let component = Component {
        digest: digest
            .str()?
            .parse()
            .map_err(|_| digest.bad("a component's digest is `sha256:` and 64 lower-case hexadecimal digits"))?,
        name: fields.name("name")?,
        bytes: fields.optional("bytes").map(|field| field.bin()).transpose()?.map(|bytes| range_in(file, bytes)),
        source: source(&fields, true)?,
    };
    if let Some(bytes) = &component.bytes {
        limited(bytes.len(), COMPONENT_BYTES_MAX, field.place(), "bytes of a component")?;
    }
    if component.bytes.is_some() && component.source.is_some() {
        return Err(field.bad("a component has `bytes` or a `source`, not both"));
    }
    Ok(component)
}

fn range_in(file: &[u8], part: &[u8]) -> Range<usize> {
    let start = offset_in(file, part);
    start..start + part.len()
}

fn function(file: &[u8], _at: usize, field: fields::Field<'_>, components: usize, data: usize) -> Result<Function, GraphError> {
    let fields = Fields::read(&field, FieldTable::Function)?;
    let component = fields.required("component")?;
    let position = component.uint()?;
    if position >= components as u64 {
        return Err(component.bad(format!("component {position} is not in the graph; it has {components}")));
    }
    let bind = match fields.optional("bind") {
        None => None,
        Some(bind) => {
            let mut reader = bind.reader();
            reader.array().map_err(|error| GraphError::read(bind.place(), error))?;
            let mut found = Found { tasks: 0, data, dependencies: &mut Vec::new(), references: 0 };
            let bytes = validate(&mut bind.reader(), &mut found).map_err(|error| match &error {
                InvalidValue::Reference(what) if what.starts_with("a task") => {
                    bind.bad("bound arguments may refer to data, not to tasks")
                }
                InvalidValue::Reference(_) => GraphError::new(ErrorCode::UnknownData, bind.place(), error.to_string()),
                error => GraphError::invalid(bind.place(), error),
            })?;
            limited(bytes.len(), TASK_ARGS_BYTES_MAX, bind.place(), "bytes of bound arguments")?;
            Some(range_in(file, bytes))
        }
    };
    Ok(Function {
        component: position as u32,
        export: fields.required("export")?.name(NAME_BYTES_MAX)?.to_owned(),
        bind,
        dynamic: fields.optional("dynamic").map(|field| dynamic(&field)).transpose()?,
        group: fields.name("group")?,
        options: fields.optional("options").map(|field| options::read(&field, Level::Function)).transpose()?.unwrap_or_default(),
    })
}

fn dynamic(field: &fields::Field<'_>) -> Result<Dynamic, GraphError> {
    let fields = Fields::read(field, FieldTable::Dynamic)?;
    let params = match fields.optional("params") {
        None => None,
        Some(params) => {
            let params = params.list(DYNAMIC_PARAMS_MAX, "parameters")?;
            Some(params.map(|param| ty(&param?)).collect::<Result<_, _>>()?)
        }
    };
    Ok(Dynamic { params, result: fields.optional("result").as_ref().map(ty).transpose()? })
}

fn ty(field: &fields::Field<'_>) -> Result<Type, GraphError> {
    Type::from_str(field.str()?).map_err(|error| {
        let code = if error.is_limit { ErrorCode::LimitExceeded } else { ErrorCode::BadField };
        GraphError::new(code, field.place(), error.to_string())
    })
}

fn data_entry(file: &[u8], _at: usize, field: fields::Field<'_>) -> Result<DataEntry, GraphError> {
    let fields = Fields::read(&field, FieldTable::Data)?;
    let encoding = fields.required("encoding")?;
    let entry = DataEntry {
        digest: match fields.optional("digest") {
            None => None,
            Some(digest) => Some(
                digest
                    .str()?
                    .parse()
                    .map_err(|_| digest.bad("a data entry's digest is `blake3:` and 64 lower-case hexadecimal digits"))?,
            ),
        },
        bytes: fields.optional("bytes").map(|field| field.bin()).transpose()?.map(|bytes| range_in(file, bytes)),
        source: source(&fields, false)?,
        offset: fields.optional("offset").map(|field| field.uint()).transpose()?.unwrap_or(0),
        len: fields.optional("len").map(|field| field.uint()).transpose()?,
        encoding: match encoding.str()? {
            "raw" => DataEncoding::Raw,
            "value" => DataEncoding::Value,
            _ => return Err(encoding.bad("an encoding is `raw` or `value`")),
        },
        ty: fields.optional("type").as_ref().map(ty).transpose()?,
    };
    match (&entry.bytes, &entry.source) {
        (Some(bytes), None) => {
            let range = fields.optional("offset").filter(|_| entry.offset > 0).or_else(|| fields.optional("len"));
            if let Some(range) = range {
                return Err(range.bad("it belongs to a `source`; `bytes` are taken whole"));
            }
            if entry.encoding == DataEncoding::Value {
                let mut reader = Reader::new(&file[bytes.clone()]);
                validate(&mut reader, &mut ()).map_err(|error| GraphError::invalid(field.place(), &error))?;
                if !reader.is_empty() {
                    return Err(GraphError::new(ErrorCode::TrailingBytes, field.place(), "bytes after the value"));
                }
            }
        }
        (None, Some(_)) => {}
        _ => return Err(field.bad("a data entry has either `bytes` or a `source`")),
    }
    if entry.encoding == DataEncoding::Raw && entry.ty.as_ref().is_some_and(|ty| *ty != Type::bytes()) {
        return Err(field.bad("raw data has the type `list<u8>`; leave `type` out"));
    }
    Ok(entry)
}
