//! Checks a graph on this machine, as a scheduler does on its own: reads the components that are here and
//! asks what fits what.

use crate::upload::{UploadError, component_bytes};
use std::path::Path;
use wasm_tasks_interface::{CheckErrors, CheckedGraph, Interface, InterfaceError, check};
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::graph::{Component, Graph};

/// Why a graph does not pass.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CheckFailure {
    /// A file that it names cannot be used.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// A component is none, or cannot run here.
    #[error("{place}: {error}")]
    Interface {
        /// Which component.
        place: String,
        /// What is wrong with it.
        #[source]
        error: InterfaceError,
    },
    /// Types do not fit, exports do not exist.
    #[error(transparent)]
    Types(#[from] CheckErrors),
}

impl CheckFailure {
    /// The code under which people see it: that of the first error.
    pub fn code(&self) -> ErrorCode {
        match self {
            CheckFailure::Upload(error) => error.code(),
            CheckFailure::Interface { error, .. } => error.code(),
            CheckFailure::Types(errors) => errors.code(),
        }
    }

    /// What to do next, where there is advice that the message does not hold.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            CheckFailure::Upload(error) => error.hint(),
            CheckFailure::Interface { error, .. } => error.hint(),
            CheckFailure::Types(_) => None,
        }
    }
}

/// What is known of a graph after a check.
#[derive(Clone, Debug)]
pub enum Checked {
    /// Everything was checked.
    Whole(CheckedGraph),
    /// These components are not on this machine, so that types were not checked.
    Without(Vec<String>),
}

/// Reads the components that this machine has, by their position in the graph.
///
/// # Errors
/// [`CheckFailure::Upload`] and [`CheckFailure::Interface`] for the first that cannot be used.
pub fn read_interfaces(graph: &Graph, folder: &Path) -> Result<Vec<Option<Interface>>, CheckFailure> {
    let read = |(position, component): (usize, &Component)| {
        let Some(bytes) = component_bytes(graph, position, component, folder)? else { return Ok(None) };
        let place = || format!("components[{position}] `{}`", name_of(component));
        Interface::read(&bytes).map(Some).map_err(|error| CheckFailure::Interface { place: place(), error })
    };
    graph.components().iter().enumerate().map(read).collect()
}

/// What people call a component: its name, or the beginning of its digest.
pub(crate) fn name_of(component: &Component) -> String {
    component.name.clone().unwrap_or_else(|| component.digest.to_string().chars().take(19).collect())
}

/// Checks functions, arguments, edges and outputs against the components.
///
/// # Errors
/// [`CheckFailure`].
pub fn check_graph(graph: &Graph, folder: &Path) -> Result<Checked, CheckFailure> {
    let interfaces = read_interfaces(graph, folder)?;
    let missing: Vec<String> = graph
        .components()
        .iter()
        .zip(&interfaces)
        .filter(|(_, found)| found.is_none())
        .map(|(component, _)| name_of(component))
        .collect();
    if !missing.is_empty() {
        return Ok(Checked::Without(missing));
    }
    let interfaces: Vec<Interface> = interfaces.into_iter().flatten().collect();
    Ok(Checked::Whole(check(graph, |component| &interfaces[component as usize])?))
}
