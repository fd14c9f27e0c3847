//! What a fragment can name of the graph that it continues.

use super::FunctionSignature;
use wasm_tasks_protocol::Type;
use wasm_tasks_protocol::graph::{DataEncoding, Graph};
use wasm_tasks_protocol::ids::TaskIndex;

/// The graph that a fragment continues, checked before. Positions are below those of the fragment's base.
pub trait Earlier {
    /// The signature of a function.
    fn signature(&self, function: u32) -> &FunctionSignature;

    /// A task's key, and its function.
    fn task(&self, task: TaskIndex) -> (&str, u32);

    /// A data entry.
    fn data(&self, position: u32) -> EarlierData<'_>;
}

/// A data entry of an earlier part of a graph.
#[derive(Clone, Copy, Debug)]
pub struct EarlierData<'a> {
    /// How its bytes are a value.
    pub encoding: DataEncoding,
    /// Whether its type was declared.
    pub is_declared: bool,
    /// Its bytes, when they are here.
    pub bytes: Option<&'a [u8]>,
    /// The types that it is used as so far.
    pub types: &'a [Type],
}

/// Before a graph of its own there is nothing.
pub(super) struct Nothing;

impl Earlier for Nothing {
    fn signature(&self, _: u32) -> &FunctionSignature {
        unreachable!("the positions of a graph of its own start at zero")
    }

    fn task(&self, _: TaskIndex) -> (&str, u32) {
        unreachable!("the positions of a graph of its own start at zero")
    }

    fn data(&self, _: u32) -> EarlierData<'_> {
        unreachable!("the positions of a graph of its own start at zero")
    }
}

/// The signatures of functions, those of earlier parts included; none where there is an error.
#[derive(Clone, Copy)]
pub(super) struct Signatures<'a> {
    own: &'a [Option<FunctionSignature>],
    first: u32,
    earlier: &'a dyn Earlier,
}

impl<'a> Signatures<'a> {
    pub(super) fn new(graph: &Graph, own: &'a [Option<FunctionSignature>], earlier: &'a dyn Earlier) -> Signatures<'a> {
        Signatures { own, first: graph.base().functions, earlier }
    }

    pub(super) fn of(&self, function: u32) -> Option<&'a FunctionSignature> {
        match function.checked_sub(self.first) {
            Some(own) => self.own[own as usize].as_ref(),
            None => Some(self.earlier.signature(function)),
        }
    }

    /// The key and the signature of a task.
    pub(super) fn of_task(&self, graph: &'a Graph, task: TaskIndex) -> (&'a str, Option<&'a FunctionSignature>) {
        if graph.has_task(task) {
            let task = graph.task(task);
            return (task.key(), self.of(task.function_index()));
        }
        let (key, function) = self.earlier.task(task);
        (key, self.of(function))
    }

    pub(super) fn earlier(&self) -> &'a dyn Earlier {
        self.earlier
    }
}
