//! Handles of what a graph holds. Cheap to clone; they know positions, never contents.

use std::sync::Arc;
use wasm_tasks_protocol::TaskIndex;
use wasm_tasks_protocol::graph::{PathStep, Reference};

/// A component of a graph.
#[derive(Clone, Debug)]
pub struct Component {
    pub(super) position: u32,
}

/// A function of a graph.
#[derive(Clone, Debug)]
pub struct Function {
    pub(super) position: u32,
    pub(super) label: String,
}

impl Component {
    pub(crate) fn at_position(position: u32) -> Component {
        Component { position }
    }

    pub(crate) fn position(&self) -> u32 {
        self.position
    }
}

impl Function {
    /// The label is what keys are made of.
    pub(crate) fn at_position(position: u32, export: &str) -> Function {
        Function { position, label: export.rsplit('#').next().unwrap_or(export).to_owned() }
    }

    pub(crate) fn position(&self) -> u32 {
        self.position
    }

    pub(crate) fn label(&self) -> &str {
        &self.label
    }
}

impl Data {
    pub(crate) fn at_position(position: u32) -> Data {
        Data { position }
    }
}

/// A shared literal of a graph; may stand anywhere in arguments.
#[derive(Clone, Debug)]
pub struct Data {
    pub(super) position: u32,
}

/// A task of a graph; as an argument it stands for its result.
#[derive(Clone, Debug)]
pub struct Task {
    pub(super) index: TaskIndex,
    pub(super) key: Arc<str>,
}

impl Task {
    pub(crate) fn new(index: TaskIndex, key: Arc<str>) -> Task {
        Task { index, key }
    }

    /// Its key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Its position.
    pub fn index(&self) -> TaskIndex {
        self.index
    }

    /// A field of its result, which is a record.
    pub fn field(&self, name: &str) -> Part {
        Part::from(self).field(name)
    }

    /// An element of its result, which is a tuple or a list.
    pub fn at(&self, index: u32) -> Part {
        Part::from(self).at(index)
    }
}

/// A part of a task's result; reading it costs no task.
#[derive(Clone, Debug)]
pub struct Part {
    pub(super) reference: Reference,
}

impl Part {
    /// A field of it.
    #[must_use]
    pub fn field(mut self, name: &str) -> Part {
        self.reference.path.push(PathStep::Field(name.to_owned()));
        self
    }

    /// An element of it.
    #[must_use]
    pub fn at(mut self, index: u32) -> Part {
        self.reference.path.push(PathStep::Index(index));
        self
    }
}

impl From<&Task> for Part {
    fn from(task: &Task) -> Part {
        Part { reference: Reference::whole(task.index) }
    }
}

impl From<Task> for Part {
    fn from(task: Task) -> Part {
        Part::from(&task)
    }
}

impl From<&Part> for Part {
    fn from(part: &Part) -> Part {
        part.clone()
    }
}

impl From<Reference> for Part {
    fn from(reference: Reference) -> Part {
        Part { reference }
    }
}
