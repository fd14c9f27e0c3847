//! Checks a graph on this machine with the judgement that a scheduler has, on the very bytes that would be sent.

use crate::upload::{Upload, UploadError};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use wasm_tasks_interface::admission::{Admission, Components, admit, component_place, judge_component, refusal_at};
use wasm_tasks_interface::{CheckedGraph, Interface};
use wasm_tasks_protocol::graph::{Component, Graph};
use wasm_tasks_protocol::message::Refusal;
use wasm_tasks_protocol::{ComponentDigest, ErrorCode};

/// Why a graph does not pass.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CheckFailure {
    /// The file is no graph, or a file that it names cannot be used.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// A scheduler refuses it.
    #[error("{}", .0.messages.join("\n"))]
    Refused(Refusal),
}

impl From<Refusal> for CheckFailure {
    fn from(refusal: Refusal) -> CheckFailure {
        CheckFailure::Refused(refusal)
    }
}

impl CheckFailure {
    /// The code under which people see it: that of the first error.
    pub fn code(&self) -> ErrorCode {
        match self {
            CheckFailure::Upload(error) => error.code(),
            CheckFailure::Refused(refusal) => refusal.code,
        }
    }

    /// What to do next, where there is advice that the message does not hold.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            CheckFailure::Upload(error) => error.hint(),
            CheckFailure::Refused(refusal) => crate::error::hint_of(refusal.code),
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

/// What people call a component: its name, or the beginning of its digest.
pub(crate) fn name_of(component: &Component) -> String {
    component.name.clone().unwrap_or_else(|| component.digest.to_string().chars().take(19).collect())
}

/// The refusal of a component that was given to a scheduler apart from its graph, with its place in the graph.
pub(crate) fn refused_upload(refusal: Refusal, graph: &Graph, digest: ComponentDigest) -> Refusal {
    let found = graph.components().iter().enumerate().find(|(_, component)| component.digest == digest);
    found.map_or(refusal.clone(), |(position, component)| refusal_at(&component_place(position, component), refusal))
}

/// The components that an upload brings along, judged.
struct Brought(BTreeMap<ComponentDigest, Arc<Interface>>);

impl Brought {
    /// In the order in which a client uploads them, so that the first one that is refused is the same.
    fn judge(upload: &Upload) -> Result<Brought, Refusal> {
        let mut judged = BTreeMap::new();
        for (digest, bytes) in &upload.components {
            let Some(bytes) = bytes else { continue };
            let interface = judge_component(digest, bytes).map_err(|refusal| refused_upload(refusal, &upload.graph, *digest))?;
            judged.insert(*digest, Arc::new(interface));
        }
        Ok(Brought(judged))
    }
}

impl Components for Brought {
    fn interface(&self, digest: &ComponentDigest, bytes: Option<Bytes>) -> Result<Option<Arc<Interface>>, Refusal> {
        match (self.0.get(digest), bytes) {
            (Some(known), _) => Ok(Some(Arc::clone(known))),
            (None, Some(bytes)) => judge_component(digest, &bytes).map(|interface| Some(Arc::new(interface))),
            (None, None) => Ok(None),
        }
    }
}

/// Checks a graph whose files were read: what a scheduler would refuse, it refuses with the same code and places. Whether a
/// cluster has room for its tasks is the cluster's to say.
///
/// # Errors
/// The refusal.
pub fn check_upload(upload: &Upload) -> Result<Checked, Refusal> {
    let brought = Brought::judge(upload)?;
    Ok(match admit(upload.file.clone(), &brought)? {
        Admission::Whole(admitted) => Checked::Whole(admitted.types),
        Admission::Without(graph, missing) => {
            Checked::Without(missing.iter().map(|position| name_of(&graph.components()[*position as usize])).collect())
        }
    })
}
