//! A graph as it was read from its file: tables that point into the file's bytes.
//!
//! Owns the format of `docs/graph-format.md`. Knows no types of components: what fits what is the
//! interface crate's, who runs what is the scheduler's.

mod delegation;
pub mod edges;
mod exchange;
mod fragment;
mod options;
mod order;
mod read;
mod redirect;
mod reference;
mod renumber;
mod replay;
#[cfg(test)]
mod tests;
mod write;

pub use delegation::{DELEGATE_INTERFACE, Delegated, Delegator};
pub use exchange::join;
pub use fragment::{Append, Extent, Fragment, GraphFile, readdress};
pub use options::{Alternative, Grant, LabelRule, Options, Resource, Settings};
pub use read::tables::FieldTable;
pub use read::{GraphError, Place};
pub use redirect::redirect;
pub use reference::{PathStep, Reference};
pub use renumber::Positions;
pub use replay::ReplayError;
pub use write::{Argument, Arguments, GraphBuilder};

use crate::ids::{ComponentDigest, ContentDigest, TaskIndex};
use crate::value_type::Type;
use bytes::Bytes;
use std::ops::Range;

/// A checked graph: references lead to tasks, keys are unique, nothing waits for itself.
///
/// The tables of a [`Fragment`] are one too. There positions of tasks start at those of its base, and a function, a data
/// entry or a task of the base can be named without being here.
#[derive(Clone, Debug)]
pub struct Graph {
    file: Bytes,
    /// Where positions start: nothing for a graph of its own.
    base: Extent,
    components: Vec<Component>,
    functions: Vec<Function>,
    data: Vec<DataEntry>,
    tasks: Vec<TaskEntry>,
    /// Different options of tasks; `TaskEntry::options` points here.
    task_options: Vec<Options>,
    /// `dependencies[dependency_starts[t]..dependency_starts[t + 1]]` are those of task `t`.
    dependency_starts: Vec<u32>,
    dependencies: Vec<TaskIndex>,
    outputs: Vec<Reference>,
    options: Options,
    /// In the order of their members.
    gangs: Vec<Gang>,
}

/// Tasks that run at the same time, each on a worker of its own: those from `first` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gang {
    /// The member of rank 0.
    pub first: TaskIndex,
    /// How many members it has, at least one.
    pub len: u32,
}

/// Where bytes that are not in the file come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file of the client, relative to the graph file.
    Path(String),
    /// A URL.
    Url(String),
    /// An OCI reference.
    Oci(String),
}

/// A component that functions of the graph are exports of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// What pins it.
    pub digest: ComponentDigest,
    /// For people.
    pub name: Option<String>,
    /// Where its bytes stand in the file, when they do.
    pub bytes: Option<Range<usize>>,
    /// Where its bytes are otherwise.
    pub source: Option<Source>,
}

/// A function that tasks call.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Position in the graph's components.
    pub component: u32,
    /// `ns:pkg/interface@1.2.0#func`, or `func`.
    pub export: String,
    /// Where the array of bound arguments stands in the file.
    pub bind: Option<Range<usize>>,
    /// Set for dynamic functions.
    pub dynamic: Option<Dynamic>,
    /// A label for people and statistics.
    pub group: Option<String>,
    /// Options of all its tasks.
    pub options: Options,
}

/// What a dynamic function says of its types.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dynamic {
    /// Types of the arguments after the bound ones, where declared.
    pub params: Option<Vec<Type>>,
    /// Type of the result, where declared.
    pub result: Option<Type>,
}

/// How the bytes of a data entry are a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataEncoding {
    /// They are a `list<u8>`.
    Raw,
    /// They are one value in the file encoding.
    Value,
}

/// A shared literal.
#[derive(Clone, Debug, PartialEq)]
pub struct DataEntry {
    /// Digest of the bytes, where given.
    pub digest: Option<ContentDigest>,
    /// Where the bytes stand in the file, when they do.
    pub bytes: Option<Range<usize>>,
    /// Where they are otherwise.
    pub source: Option<Source>,
    /// First byte of the source.
    pub offset: u64,
    /// Number of bytes; to the end of the source when absent.
    pub len: Option<u64>,
    /// How the bytes are a value.
    pub encoding: DataEncoding,
    /// The value's type, where declared.
    pub ty: Option<Type>,
}

#[derive(Clone, Copy, Debug)]
struct TaskEntry {
    key_at: u32,
    args_at: u32,
    args_len: u32,
    function: u32,
    /// `u32::MAX`: none.
    options: u32,
    key_len: u16,
}

const NO_OPTIONS: u32 = u32::MAX;

/// One task, seen in its graph.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    graph: &'a Graph,
    index: TaskIndex,
}

impl Graph {
    /// The file's bytes.
    pub fn file(&self) -> &Bytes {
        &self.file
    }

    /// The components.
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// The functions.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// The data entries.
    pub fn data(&self) -> &[DataEntry] {
        &self.data
    }

    /// The outputs.
    pub fn outputs(&self) -> &[Reference] {
        &self.outputs
    }

    /// Options for every task.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// How many tasks there are.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there are no tasks.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Where positions start: all zero but for tables of a [`Fragment`].
    pub fn base(&self) -> Extent {
        self.base
    }

    /// How many entries the tables have here, those of a base not counted.
    pub fn extent(&self) -> Extent {
        Extent {
            components: self.components.len() as u32,
            functions: self.functions.len() as u32,
            data: self.data.len() as u32,
            tasks: self.tasks.len() as u32,
            outputs: self.outputs.len() as u32,
        }
    }

    /// Whether a task is one of these; it may also be one of the base.
    pub fn has_task(&self, index: TaskIndex) -> bool {
        index.0.checked_sub(self.base.tasks).is_some_and(|at| (at as usize) < self.tasks.len())
    }

    /// A task.
    ///
    /// # Panics
    /// When there is no such task; positions are checked where they come in.
    pub fn task(&self, index: TaskIndex) -> Task<'_> {
        assert!(self.has_task(index), "task {} of {} after {}", index.0, self.tasks.len(), self.base.tasks);
        Task { graph: self, index }
    }

    /// All tasks in the order of the file.
    pub fn tasks(&self) -> impl ExactSizeIterator<Item = Task<'_>> {
        (0..self.tasks.len() as u32).map(|at| Task { graph: self, index: TaskIndex(self.base.tasks + at) })
    }

    /// The function at a position, unless it is one of the base.
    pub fn function(&self, position: u32) -> Option<&Function> {
        self.functions.get(position.checked_sub(self.base.functions)? as usize)
    }

    /// The gangs, in the order of their members.
    pub fn gangs(&self) -> &[Gang] {
        &self.gangs
    }

    /// How many edges there are: pairs of tasks, one of which needs the other.
    pub fn edge_count(&self) -> usize {
        self.dependencies.len()
    }

    /// Tasks in an order in which each comes after what it needs.
    pub fn topological_order(&self) -> Vec<TaskIndex> {
        order::topological(self).expect("a checked graph has no circle")
    }

    /// The name of an output: the task's key, followed by its path as `.field` and `[index]`.
    pub fn output_name(&self, output: &Reference) -> String {
        let mut name = self.task(output.task).key().to_owned();
        output.path.iter().for_each(|step| name.push_str(&step.to_string()));
        name
    }
}

impl<'a> Task<'a> {
    fn entry(&self) -> &'a TaskEntry {
        &self.graph.tasks[self.file_position()]
    }

    /// Its position.
    pub fn index(&self) -> TaskIndex {
        self.index
    }

    /// Where it stands in `tasks` of its file: in a fragment another number than its position in the graph.
    pub fn file_position(&self) -> usize {
        (self.index.0 - self.graph.base.tasks) as usize
    }

    /// Its key.
    pub fn key(&self) -> &'a str {
        let entry = self.entry();
        let bytes = &self.graph.file[entry.key_at as usize..][..entry.key_len as usize];
        std::str::from_utf8(bytes).expect("keys were checked when the graph was read")
    }

    /// The position of its function.
    pub fn function_index(&self) -> u32 {
        self.entry().function
    }

    /// Its function.
    ///
    /// # Panics
    /// When the task is one of a fragment and the function one of its base: see [`Graph::function`].
    pub fn function(&self) -> &'a Function {
        self.graph.function(self.entry().function).expect("a graph of its own has the functions of its tasks")
    }

    /// Its arguments after the bound ones: an array, or a map by parameter, in the file encoding.
    pub fn args(&self) -> &'a [u8] {
        &self.graph.file[self.args_range()]
    }

    /// Where its arguments stand in the file.
    pub fn args_range(&self) -> Range<usize> {
        let entry = self.entry();
        entry.args_at as usize..entry.args_at as usize + entry.args_len as usize
    }

    /// The tasks whose results it needs, each once, in the order of their first reference.
    pub fn dependencies(&self) -> &'a [TaskIndex] {
        let starts = &self.graph.dependency_starts[self.file_position()..][..2];
        &self.graph.dependencies[starts[0] as usize..starts[1] as usize]
    }

    /// The gang that it is a member of, and its rank there.
    pub fn gang(&self) -> Option<(Gang, u32)> {
        let gangs = self.graph.gangs();
        let at = gangs.partition_point(|gang| gang.first <= self.index).checked_sub(1)?;
        let rank = self.index.0 - gangs[at].first.0;
        (rank < gangs[at].len).then_some((gangs[at], rank))
    }

    /// Its own options, where it has any.
    pub fn own_options(&self) -> Option<&'a Options> {
        match self.entry().options {
            NO_OPTIONS => None,
            options => Some(&self.graph.task_options[options as usize]),
        }
    }

    /// Microseconds that it is expected to run, and bytes that its result is expected to have: the most specific option,
    /// of its own and those of `levels`, which are of its function and its graph.
    pub fn expected(&self, levels: &[Option<&Options>]) -> (Option<u64>, Option<u64>) {
        let own = self.own_options();
        let first = |field: fn(&Options) -> Option<u64>| {
            own.and_then(field).or_else(|| levels.iter().flatten().find_map(|options| field(options)))
        };
        (first(|options| options.expected_us), first(|options| options.expected_result_bytes))
    }

    /// A number that two tasks share when function and own options are the same, for caching [`Task::settings`].
    pub fn settings_key(&self) -> (u32, u32) {
        (self.entry().function, self.entry().options)
    }

    /// Its options merged with those of its function and graph, and defaults. In a fragment, what a base says is not known.
    pub fn settings(&self) -> Settings {
        let function = self.graph.function(self.entry().function).map(|function| &function.options);
        Settings::merge([self.own_options(), function, Some(&self.graph.options)])
    }
}
