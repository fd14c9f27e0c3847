//! The parts of a graph: the file that it was submitted with, and its fragments. Finds what stands at a position among all.
//!
//! Parts never change and are shared; knows nothing of what became of tasks.

use crate::numbering::Numbering;
use bytes::Bytes;
use std::sync::Arc;
use wasm_tasks_protocol::graph::{Component, DataEntry, Extent, Function, Graph, Options, Reference, Task, join};
use wasm_tasks_protocol::ids::TaskIndex;

/// All parts, in their order. Cheap to clone while there are few.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    parts: Vec<Arc<Graph>>,
    extent: Extent,
    numbering: Numbering,
}

impl Parts {
    pub(crate) fn new(first: Arc<Graph>) -> Parts {
        let extent = first.extent();
        Parts { parts: vec![first], extent, numbering: Numbering::new(extent) }
    }

    /// Adds a part whose positions follow those of the last; `writer` is the task that wrote it.
    pub(crate) fn push(&mut self, part: Arc<Graph>, writer: Option<TaskIndex>) {
        assert_eq!(part.base(), self.extent, "a part was checked to continue the others");
        self.numbering.push(self.extent, part.extent(), writer);
        self.extent = self.extent.plus(part.extent());
        self.parts.push(part);
    }

    /// One file of all parts.
    pub(crate) fn file(&self) -> Bytes {
        let (first, fragments) = self.parts.split_first().expect("there is a first part");
        match fragments {
            [] => first.file().clone(),
            fragments => join(first, fragments.iter().map(|part| &**part)).into(),
        }
    }

    /// How clients count what is in the tables.
    pub(crate) fn numbering(&self) -> &Numbering {
        &self.numbering
    }

    /// How far all tables go.
    pub(crate) fn extent(&self) -> Extent {
        self.extent
    }

    /// Options for every task of the graph.
    pub(crate) fn options(&self) -> &Options {
        self.parts[0].options()
    }

    /// The part that an entry of a table is in. `base` gives where that table starts in a part.
    fn part_at(&self, position: u32, base: impl Fn(&Extent) -> u32) -> &Arc<Graph> {
        let at = match self.parts.len() {
            1 => 1,
            _ => self.parts.partition_point(|part| base(&part.base()) <= position),
        };
        &self.parts[at - 1]
    }

    pub(crate) fn part_of(&self, task: TaskIndex) -> &Graph {
        self.part_at(task.0, |base| base.tasks)
    }

    pub(crate) fn task(&self, task: TaskIndex) -> Task<'_> {
        self.part_of(task).task(task)
    }

    pub(crate) fn tasks(&self) -> impl Iterator<Item = Task<'_>> {
        self.parts.iter().flat_map(|part| part.tasks())
    }

    pub(crate) fn function(&self, position: u32) -> &Function {
        let part = self.part_at(position, |base| base.functions);
        part.function(position).expect("positions of functions were checked")
    }

    /// A function, and the array of its bound arguments.
    pub(crate) fn function_and_bound(&self, position: u32) -> (&Function, Option<&[u8]>) {
        let part = self.part_at(position, |base| base.functions);
        let function = part.function(position).expect("positions of functions were checked");
        (function, function.bind.clone().map(|range| &part.file()[range]))
    }

    pub(crate) fn component(&self, position: u32) -> &Component {
        let graph = self.part_at(position, |base| base.components);
        &graph.components()[(position - graph.base().components) as usize]
    }

    fn entry(&self, position: u32) -> Option<(&Graph, &DataEntry)> {
        let graph = self.part_at(position, |base| base.data);
        Some((graph, graph.data().get((position - graph.base().data) as usize)?))
    }

    /// A data entry, and its bytes.
    pub(crate) fn data(&self, position: u32) -> Option<(&DataEntry, Option<&[u8]>)> {
        let (graph, entry) = self.entry(position)?;
        Some((entry, entry.bytes.as_ref().map(|range| &graph.file()[range.clone()])))
    }

    /// The bytes of a data entry, to keep.
    pub(crate) fn data_slice(&self, position: u32) -> Option<Bytes> {
        let (graph, entry) = self.entry(position)?;
        Some(graph.file().slice(entry.bytes.clone()?))
    }

    pub(crate) fn output(&self, position: u32) -> Option<&Reference> {
        let graph = self.part_at(position, |base| base.outputs);
        graph.outputs().get((position - graph.base().outputs) as usize)
    }

    pub(crate) fn outputs(&self) -> impl Iterator<Item = &Reference> {
        self.parts.iter().flat_map(|part| part.outputs())
    }

    /// What an output is called: the task's key, followed by its path.
    pub(crate) fn output_name(&self, output: &Reference) -> String {
        let mut name = self.task(output.task).key().to_owned();
        output.path.iter().for_each(|step| name.push_str(&step.to_string()));
        name
    }
}
