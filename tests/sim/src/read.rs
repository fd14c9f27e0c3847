//! Graphs that others wrote: Estee's JSON, WfFormat 1.5 of WfCommons, and our own graph files.
//!
//! Owns what is accepted and what is said of the rest. It knows no files: callers hand it bytes.

mod archive;
mod estee;
mod graph_file;
mod wfformat;

pub use archive::{Entry, entries, is_archive};
pub use estee::estee;
pub use graph_file::{Defaults, graph_file};
pub use wfformat::wfformat;

use crate::work::WorkError;
use std::fmt;
use wasm_tasks_protocol::graph::GraphError;

/// Seconds that a task may take: thirty years.
pub(crate) const SECONDS_MAX: f64 = 1e9;
/// Cores that a task may ask for.
pub(crate) const CORES_MAX: f64 = 10_000.0;
/// Bytes that a result may have: a million GiB.
pub(crate) const BYTES_MAX: f64 = (1u64 << 50) as f64;

/// Why something is not a graph, and where that is.
#[derive(Debug, thiserror::Error)]
#[error("{place}{reason}")]
pub struct ReadError {
    /// Where.
    pub place: Place,
    /// Why.
    pub reason: Reason,
}

/// A place in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The graph, where the file has several or it has a name.
    pub graph: Option<String>,
    /// The task: its position or its id.
    pub task: Option<String>,
    /// The field.
    pub field: Option<&'static str>,
}

/// Why something is not a graph.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// Not JSON.
    #[error("it is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Something is missing or of the wrong kind.
    #[error("expected {0}")]
    Expected(&'static str),
    /// Edges that lead nowhere, or a circle.
    #[error("{0}")]
    Edges(#[from] WorkError),
    /// Not a graph file of ours.
    #[error("{0}")]
    GraphFile(Box<GraphError>),
    /// Not a zip archive, or a damaged one.
    #[error("the archive cannot be read: {0}")]
    Archive(#[from] zip::result::ZipError),
    /// A file of an archive is too large, or there are too many.
    #[error("the archive has more than {0}")]
    TooLarge(&'static str),
    /// A pandas table.
    #[error(
        "pickled tables are not read, because a pickle is a program; convert one that you trust: python3 -c \"import \
         pandas, sys; pandas.read_pickle(sys.argv[1]).to_json(sys.argv[2], orient='records')\" TABLE.pickle GRAPHS.json"
    )]
    Pickle,
    /// Another kind of file.
    #[error("it is neither JSON nor a zip archive of it")]
    OtherFile,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(graph) = &self.graph {
            write!(f, "graph `{graph}`: ")?;
        }
        if let Some(task) = &self.task {
            write!(f, "task {task}: ")?;
        }
        if let Some(field) = self.field {
            write!(f, "`{field}`: ")?;
        }
        Ok(())
    }
}

/// A pickled table was given.
pub fn pickled() -> ReadError {
    Place::default().wrong(Reason::Pickle)
}

impl Place {
    /// A graph.
    pub(crate) fn graph(name: &str) -> Place {
        Place { graph: Some(name.to_owned()), ..Place::default() }
    }

    /// A task of it.
    pub(crate) fn task(&self, task: impl fmt::Display) -> Place {
        Place { task: Some(task.to_string()), ..self.clone() }
    }

    /// A field of it.
    pub(crate) fn field(&self, field: &'static str) -> Place {
        Place { field: Some(field), ..self.clone() }
    }

    /// Something else was expected here.
    pub(crate) fn expected(&self, what: &'static str) -> ReadError {
        self.wrong(Reason::Expected(what))
    }

    /// Something is wrong here.
    pub(crate) fn wrong(&self, reason: impl Into<Reason>) -> ReadError {
        ReadError { place: self.clone(), reason: reason.into() }
    }
}
