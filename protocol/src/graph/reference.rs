//! A reference to a task's result, with a path into it.

use crate::ids::TaskIndex;
use crate::msgpack::{EXT_TASK, Kind, Reader, Writer};
use crate::value_type::Step;
use std::fmt;

/// One step of a path, owned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum PathStep {
    /// A tuple position or list index.
    Index(u32),
    /// A record field.
    Field(String),
}

impl PathStep {
    /// The step, borrowed.
    pub fn as_step(&self) -> Step<'_> {
        match self {
            PathStep::Index(index) => Step::Index(*index),
            PathStep::Field(name) => Step::Field(name),
        }
    }
}

impl fmt::Display for PathStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_step().fmt(f)
    }
}

/// The result of a task, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// The task.
    pub task: TaskIndex,
    /// The steps into its result.
    pub path: Vec<PathStep>,
}

impl fmt::Display for Reference {
    /// `#4.field[2]`, for those who do not know the task's key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.task.0)?;
        self.path.iter().try_for_each(|step| step.fmt(f))
    }
}

impl Reference {
    /// The whole result of a task.
    pub const fn whole(task: TaskIndex) -> Reference {
        Reference { task, path: Vec::new() }
    }

    /// Reads the payload of an ext of code 1.
    pub fn from_payload(payload: &[u8]) -> Option<Reference> {
        let mut reader = Reader::new(payload);
        let steps = match reader.kind().ok()? {
            Kind::Array => reader.array().ok()?.checked_sub(1)?,
            _ => 0,
        };
        let task = TaskIndex(u32::try_from(reader.int().ok()?).ok()?);
        let mut path = Vec::with_capacity(steps);
        for _ in 0..steps {
            path.push(match reader.kind().ok()? {
                Kind::Str => PathStep::Field(reader.str().ok()?.to_owned()),
                _ => PathStep::Index(u32::try_from(reader.int().ok()?).ok()?),
            });
        }
        reader.is_empty().then_some(Reference { task, path })
    }

    /// The payload of its ext.
    pub fn to_payload(&self) -> Vec<u8> {
        let mut out = Writer::new();
        if !self.path.is_empty() {
            out.array(1 + self.path.len());
        }
        out.uint(u64::from(self.task.0));
        for step in &self.path {
            match step {
                PathStep::Index(index) => out.uint(u64::from(*index)),
                PathStep::Field(name) => out.str(name),
            }
        }
        out.into_bytes()
    }

    /// Writes it as a value.
    pub fn write(&self, out: &mut Writer) {
        out.ext(EXT_TASK, &self.to_payload());
    }
}
