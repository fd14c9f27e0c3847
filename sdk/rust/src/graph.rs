//! A graph under construction, as people write one: handles instead of positions, keys made where none
//! is chosen. Knows the file format only through `wasm-tasks-protocol`; executing is the client's.

mod argument;
mod handles;
mod keys;
mod packed;
mod source;

pub(crate) use argument::without_references;
pub use argument::{Args, IntoArgument};
pub use handles::{Component, Data, Function, Part, Task};
pub(crate) use keys::Keys;
pub use packed::{PackedNumber, packed};
pub use source::GraphFileError;
pub(crate) use source::read_component;

use self::source::BytesFrom;
use bytes::Bytes;
use std::path::Path;
use std::sync::Arc;
use wasm_tasks_protocol::graph::{
    Append, Argument, Arguments, DataEncoding, Dynamic, Extent, GraphBuilder, GraphError, GraphFile, Options, Place, Reference,
};
use wasm_tasks_protocol::{ComponentDigest, ContentDigest, TaskIndex, Type};

/// Tasks, what they call, and which results are wanted.
///
/// ```
/// use wasm_tasks::{Graph, args};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut graph = Graph::new();
/// let calc = graph.component_bytes(b"\0asm\x0d\0\x01\0");
/// let add = graph.function(&calc, "add");
/// let three = graph.call(&add, args![1, 2]);
/// let ten = graph.call(&add, args![&three, 7]);
/// graph.output(&ten);
/// assert_eq!(ten.key(), "add-2");
/// # wasm_tasks::read_graph(graph.to_bytes()?)?;
/// # Ok(())
/// # }
/// ```
///
/// Handles belong to the graph that made them. A handle of another graph is a mistake that
/// [`Graph::to_bytes`] finds only when its position does not exist here.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    components: Vec<ComponentEntry>,
    functions: Vec<FunctionEntry>,
    data: Vec<DataDefinition>,
    /// Holds the tasks only; tables and outputs are added when bytes are wanted, since paths depend on where to.
    tasks: GraphBuilder,
    keys: Keys,
    /// Whether another task needs a task's result, by position.
    is_used: Vec<bool>,
    outputs: Vec<Reference>,
    options: Options,
    /// Where the tables of a fragment go on.
    base: Extent,
}

#[derive(Clone, Debug)]
struct ComponentEntry {
    digest: ComponentDigest,
    name: Option<String>,
    from: BytesFrom,
}

#[derive(Clone, Debug)]
struct FunctionEntry {
    component: u32,
    export: String,
    bind: Vec<Argument>,
    dynamic: Option<Dynamic>,
    group: Option<String>,
    options: Options,
}

#[derive(Clone, Debug)]
struct DataDefinition {
    digest: Option<ContentDigest>,
    from: BytesFrom,
    offset: u64,
    len: Option<u64>,
    encoding: DataEncoding,
    ty: Option<Type>,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Graph {
        Graph::default()
    }

    /// An empty fragment, which continues a graph that was submitted: [`Submission::extend`](crate::Submission::extend) adds it.
    ///
    /// Handles of earlier parts of the graph can be used in it, but for setting what they are made of. Keys that are made differ
    /// from those that were made in earlier parts.
    pub fn fragment(append: Append) -> Graph {
        let keys = Keys::after(append.base.tasks);
        Graph { tasks: GraphBuilder::fragment(append), base: append.base, keys, ..Graph::default() }
    }

    /// Sets options for every task, and the graph's name. A fragment's are for its own tasks, and it has no name.
    pub fn set_options(&mut self, options: Options) {
        self.options = options;
    }

    /// Adds a component by its file, which is read now for its digest and again when the graph is submitted.
    ///
    /// # Errors
    /// [`GraphFileError::Read`].
    pub fn component_file(&mut self, path: impl AsRef<Path>) -> Result<Component, GraphFileError> {
        let path = path.as_ref();
        let (name, bytes) = read_component(path)?;
        Ok(self.component(ComponentDigest::of(&bytes), name, BytesFrom::Path(source::absolute(path)?)))
    }

    /// Adds a component whose bytes travel in the graph file.
    pub fn component_bytes(&mut self, bytes: impl Into<Bytes>) -> Component {
        let bytes = bytes.into();
        self.component(ComponentDigest::of(&bytes), None, BytesFrom::File(bytes))
    }

    /// Adds a component that was, or will be, uploaded apart.
    pub fn component_digest(&mut self, digest: ComponentDigest, name: Option<&str>) -> Component {
        self.component(digest, name.map(str::to_owned), BytesFrom::Elsewhere)
    }

    fn component(&mut self, digest: ComponentDigest, name: Option<String>, from: BytesFrom) -> Component {
        self.components.push(ComponentEntry { digest, name, from });
        Component { position: self.base.components + self.components.len() as u32 - 1 }
    }

    /// Adds an export of a component: `ns:pkg/interface@1.2.0#func`, or `func` for an export of the world itself.
    pub fn function(&mut self, component: &Component, export: &str) -> Function {
        self.functions.push(FunctionEntry {
            component: component.position,
            export: export.to_owned(),
            bind: Vec::new(),
            dynamic: None,
            group: None,
            options: Options::default(),
        });
        Function::at_position(self.base.functions + self.functions.len() as u32 - 1, export)
    }

    fn function_mut(&mut self, function: &Function) -> &mut FunctionEntry {
        let own =
            function.position.checked_sub(self.base.functions).expect("the function is one of an earlier part of the graph");
        &mut self.functions[own as usize]
    }

    /// Binds leading arguments that all tasks of a function share. They may hold data, not tasks.
    ///
    /// # Panics
    /// When the function is one of an earlier part of the graph; so do the setters below.
    pub fn bind(&mut self, function: &Function, args: Args) {
        self.function_mut(function).bind = args.into_list();
    }

    /// Sets options for all tasks of a function.
    pub fn set_function_options(&mut self, function: &Function, options: Options) {
        self.function_mut(function).options = options;
    }

    /// Sets a function's label for people and statistics.
    pub fn set_group(&mut self, function: &Function, group: &str) {
        self.function_mut(function).group = Some(group.to_owned());
    }

    /// Says that a function is dynamic: it takes and returns values of any type.
    pub fn set_dynamic(&mut self, function: &Function, dynamic: Dynamic) {
        self.function_mut(function).dynamic = Some(dynamic);
    }

    /// Adds a shared literal; it is written once, however many tasks use it.
    pub fn data(&mut self, value: impl IntoArgument, ty: Option<Type>) -> Result<Data, GraphFileError> {
        let value = without_references(value.into_argument()).ok_or(GraphFileError::ReferenceInData)?;
        let bytes = value.to_file_encoding().to_msgpack();
        Ok(self.entry(None, BytesFrom::File(bytes.into()), 0, None, DataEncoding::Value, ty))
    }

    /// Adds shared bytes, a `list<u8>`.
    pub fn data_bytes(&mut self, bytes: impl Into<Bytes>) -> Data {
        self.entry(None, BytesFrom::File(bytes.into()), 0, None, DataEncoding::Raw, None)
    }

    /// Adds a range of a file as a `list<u8>`; without `len`, to its end. The file is read when the graph is submitted.
    ///
    /// # Errors
    /// [`GraphFileError::Read`] when the current folder cannot be told.
    pub fn data_file(&mut self, path: impl AsRef<Path>, offset: u64, len: Option<u64>) -> Result<Data, GraphFileError> {
        let from = BytesFrom::Path(source::absolute(path.as_ref())?);
        Ok(self.entry(None, from, offset, len, DataEncoding::Raw, None))
    }

    fn entry(
        &mut self,
        digest: Option<ContentDigest>,
        from: BytesFrom,
        offset: u64,
        len: Option<u64>,
        encoding: DataEncoding,
        ty: Option<Type>,
    ) -> Data {
        self.data.push(DataDefinition { digest, from, offset, len, encoding, ty });
        Data { position: self.base.data + self.data.len() as u32 - 1 }
    }

    /// Adds a task. Its key is made: the function's name and a number, `add-1`, `add-2`, ….
    pub fn call(&mut self, function: &Function, args: Args) -> Task {
        let key = self.keys.free(&function.label);
        self.add(key.into(), function, Arguments::Positional(args.into_list()), &Options::default())
    }

    /// Adds a task with a chosen key, which must be unique: [`Graph::to_bytes`] refuses the graph otherwise.
    pub fn call_named(&mut self, key: &str, function: &Function, args: Args) -> Task {
        self.call_with(key, function, Arguments::Positional(args.into_list()), &Options::default())
    }

    /// Adds a task with everything that a task can have.
    pub fn call_with(&mut self, key: &str, function: &Function, arguments: Arguments, options: &Options) -> Task {
        let key = self.keys.choose(key).into();
        self.add(key, function, arguments, options)
    }

    fn add(&mut self, key: Arc<str>, function: &Function, arguments: Arguments, options: &Options) -> Task {
        argument::for_each_reference(&arguments, &mut |reference| {
            let own = reference.task.0.checked_sub(self.base.tasks);
            if let Some(is_used) = own.and_then(|own| self.is_used.get_mut(own as usize)) {
                *is_used = true;
            }
        });
        let index = self.tasks.task(&key, function.position, &arguments, options);
        self.is_used.push(false);
        Task::new(index, key)
    }

    /// Adds tasks that run at the same time, each on a worker of its own; they are given back by rank.
    ///
    /// `args` gives the arguments of each from its rank and the size: what a member is to know of these stands in them. The
    /// members' keys are `key-0`, `key-1`, …; `options` are the same for all.
    ///
    /// ```
    /// use wasm_tasks::{Graph, Options, args};
    ///
    /// let mut graph = Graph::new();
    /// let solver = graph.component_bytes(b"\0asm\x0d\0\x01\0");
    /// let part = graph.function(&solver, "part");
    /// let sum = graph.function(&solver, "sum");
    /// let parts = graph.gang("part", &part, 4, |rank, size| args![rank, size], &Options::default());
    /// graph.call(&sum, args![parts]);
    /// assert_eq!(graph.len(), 5);
    /// ```
    ///
    /// A gang of none adds nothing. One of more members than a gang may have is refused by [`Graph::to_bytes`].
    pub fn gang(
        &mut self,
        key: &str,
        function: &Function,
        size: u32,
        mut args: impl FnMut(u32, u32) -> Args,
        options: &Options,
    ) -> Vec<Task> {
        let options = Options { gang: Some(size), ..options.clone() };
        let member = |rank: u32| {
            let arguments = Arguments::Positional(args(rank, size).into_list());
            self.call_with(&format!("{key}-{rank}"), function, arguments, &options)
        };
        (0..size).map(member).collect()
    }

    /// Asks for a result, or a part of one. Without any, the outputs are the tasks that no other task uses.
    pub fn output(&mut self, output: impl Into<Part>) {
        self.outputs.push(output.into().reference);
    }

    /// How many tasks there are.
    pub fn len(&self) -> usize {
        self.tasks.task_count() as usize
    }

    /// Whether there are no tasks.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The graph file, canonical. Paths in it are absolute.
    ///
    /// # Errors
    /// What [`read_graph`](crate::read_graph) finds wrong with it.
    pub fn to_bytes(&self) -> Result<Bytes, GraphError> {
        self.bytes_in(None)
    }

    /// The graph file as it should stand in a folder: paths in it are relative to that folder where they can be.
    ///
    /// # Errors
    /// What [`read_graph`](crate::read_graph) finds wrong with it.
    pub fn to_bytes_in(&self, folder: &Path) -> Result<Bytes, GraphError> {
        self.bytes_in(Some(folder))
    }

    fn bytes_in(&self, folder: Option<&Path>) -> Result<Bytes, GraphError> {
        let bytes = Bytes::from(self.write(folder)?);
        GraphFile::read(bytes.clone()).map(|_| bytes)
    }

    /// Writes the graph file, whole or not at all. Paths in it are relative to its folder.
    ///
    /// # Errors
    /// [`GraphFileError::Graph`] when the graph is wrong, [`GraphFileError::Write`] when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), GraphFileError> {
        let path = source::absolute(path.as_ref())?;
        let bytes = self.bytes_in(path.parent()).map_err(GraphFileError::Graph)?;
        source::write(&path, &bytes)
    }

    fn write(&self, folder: Option<&Path>) -> Result<Vec<u8>, GraphError> {
        let mut builder = self.tasks.clone();
        for (position, entry) in self.components.iter().enumerate() {
            let source = entry.from.source(folder, || Place::entry("components", position))?;
            builder.component(entry.digest, entry.name.as_deref(), entry.from.bytes(), source.as_ref());
        }
        for entry in &self.functions {
            let (dynamic, group) = (entry.dynamic.as_ref(), entry.group.as_deref());
            builder.function(entry.component, &entry.export, &entry.bind, dynamic, group, &entry.options);
        }
        for (position, entry) in self.data.iter().enumerate() {
            match entry.from.source(folder, || Place::entry("data", position))? {
                Some(source) => builder.data_source(&source, entry.offset, entry.len, entry.encoding, entry.ty.as_ref()),
                None => {
                    let bytes = entry.from.bytes().unwrap_or_default();
                    builder.data_bytes(bytes, entry.digest, entry.encoding, entry.ty.as_ref())
                }
            };
        }
        self.wanted().into_iter().for_each(|output| builder.output(output));
        builder.options(self.options.clone());
        Ok(builder.to_bytes())
    }

    fn wanted(&self) -> Vec<Reference> {
        if !self.outputs.is_empty() {
            return self.outputs.clone();
        }
        let unused = (self.base.tasks..).zip(&self.is_used).filter(|(_, is_used)| !**is_used);
        unused.map(|(position, _)| Reference::whole(TaskIndex(position))).collect()
    }
}
