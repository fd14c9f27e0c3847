//! Whether a graph may run, as far as that can be known without running it: one answer for `check` and for the scheduler.
//!
//! Owns the order of the questions and the places in the answers. Where components come from is the caller's.

use crate::{CheckErrors, CheckedGraph, Interface, check};
pub use bytes::Bytes;
use std::sync::Arc;
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::graph::{Component, DataEntry, Graph, GraphError, Source};
use wasm_tasks_protocol::ids::{ComponentDigest, ContentDigest};
use wasm_tasks_protocol::message::Refusal;

/// Components by digest, each judged.
pub trait Components {
    /// The interface of a component, judged now when `bytes` are given and it is not known yet. None when it is not here.
    ///
    /// # Errors
    /// The refusal of [`judge_component`], or one of the keeper.
    fn interface(&self, digest: &ComponentDigest, bytes: Option<Bytes>) -> Result<Option<Arc<Interface>>, Refusal>;
}

/// The judgement of a component's bytes, as everybody who is asked to run it gives it.
///
/// # Errors
/// `digest-mismatch`, the code of [`Interface::judge`]'s error, or `limit-exceeded` for more names and types than are kept.
pub fn judge_component(digest: &ComponentDigest, bytes: &[u8]) -> Result<Interface, Refusal> {
    let found = ComponentDigest::of(bytes);
    if found != *digest {
        let message = format!("the component's digest is `{found}`, not `{digest}` as was said");
        return Err(Refusal::new(ErrorCode::DigestMismatch, message));
    }
    let interface = Interface::judge(bytes).map_err(|error| {
        let hint = error.hint().map_or_else(String::new, |hint| format!("\n  hint: {hint}"));
        Refusal::new(error.code(), format!("{error}{hint}"))
    })?;
    // A scheduler gets the interface from another process, so it has as many bytes as may be handed over.
    interface.encode().map_err(|error| Refusal::new(ErrorCode::LimitExceeded, error.to_string()))?;
    Ok(interface)
}

/// How refusals name a component: by position, and by name where it has one.
pub fn component_place(position: usize, component: &Component) -> String {
    match &component.name {
        Some(name) => format!("components[{position}] `{name}`"),
        None => format!("components[{position}]"),
    }
}

/// The refusal with a place before each message.
#[must_use]
pub fn refusal_at(place: &str, mut refusal: Refusal) -> Refusal {
    refusal.messages.iter_mut().for_each(|message| *message = format!("{place}: {message}"));
    refusal
}

/// A graph that may run.
#[derive(Debug)]
pub struct Admitted {
    /// The graph.
    pub graph: Graph,
    /// The interfaces of its components, by position.
    pub interfaces: Vec<Arc<Interface>>,
    /// The types of everything in it.
    pub types: CheckedGraph,
}

/// What is known of a graph that nothing was found wrong with.
#[derive(Debug)]
pub enum Admission {
    /// Everything was looked at.
    Whole(Box<Admitted>),
    /// These components are not here, so that types were not looked at.
    Without(Graph, Vec<u32>),
}

/// Looks at everything of a graph file in which no paths are: its form, components, data, types.
///
/// # Errors
/// The refusal for what is found first; for types with every place, up to 20.
pub fn admit(file: Bytes, components: &impl Components) -> Result<Admission, Refusal> {
    let graph = Graph::read(file).map_err(refused_graph)?;
    let found = graph_interfaces(&graph, components)?;
    check_data(&graph)?;
    let missing: Vec<u32> =
        (0..).zip(&found).filter(|(_, interface)| interface.is_none()).map(|(position, _)| position).collect();
    if !missing.is_empty() {
        return Ok(Admission::Without(graph, missing));
    }
    let interfaces: Vec<Arc<Interface>> = found.into_iter().flatten().collect();
    let types = check(&graph, |component| &interfaces[component as usize]).map_err(refused_types)?;
    Ok(Admission::Whole(Box::new(Admitted { graph, interfaces, types })))
}

impl Admission {
    /// The graph, when everything of it was looked at.
    ///
    /// # Errors
    /// `not-uploaded` for the first component that is not here.
    pub fn whole(self) -> Result<Admitted, Refusal> {
        match self {
            Admission::Whole(admitted) => Ok(*admitted),
            Admission::Without(graph, missing) => Err(not_uploaded(&graph, missing[0] as usize)),
        }
    }
}

/// The refusal of a graph, or of a fragment, one of whose components is not here.
pub fn not_uploaded(graph: &Graph, position: usize) -> Refusal {
    let component = &graph.components()[position];
    let message = format!("{}: `{}` was not uploaded", component_place(position, component), component.digest);
    Refusal::new(ErrorCode::NotUploaded, message)
}

/// The refusal of bytes that are no graph.
pub fn refused_graph(error: GraphError) -> Refusal {
    Refusal::new(error.code, error.to_string())
}

/// The refusal of a graph whose types do not fit.
pub fn refused_types(errors: CheckErrors) -> Refusal {
    Refusal { code: errors.code(), messages: errors.to_string().lines().map(str::to_owned).collect() }
}

/// The interfaces of the components of a graph or fragment, by position; none where a component is not here.
///
/// # Errors
/// `path-in-graph`, `source-not-allowed`, and those of [`Components::interface`].
pub fn graph_interfaces(graph: &Graph, components: &impl Components) -> Result<Vec<Option<Arc<Interface>>>, Refusal> {
    let read = |(position, component): (usize, &Component)| {
        let place = component_place(position, component);
        let refused = |code, message: String| Err(Refusal::new(code, format!("{place}: {message}")));
        match (&component.bytes, &component.source) {
            (None, Some(Source::Path(path))) => refused(
                ErrorCode::PathInGraph,
                format!("a scheduler cannot read the path `{path}`; clients upload what a graph names by path"),
            ),
            (None, Some(Source::Url(source) | Source::Oci(source))) => refused(
                ErrorCode::SourceNotAllowed,
                format!("`{source}` is not fetched; upload the component, or name it by path"),
            ),
            (range, _) => {
                let bytes = range.clone().map(|range| graph.file().slice(range));
                components.interface(&component.digest, bytes).map_err(|refusal| refusal_at(&place, refusal))
            }
        }
    };
    graph.components().iter().enumerate().map(read).collect()
}

/// Whether the data of a graph or fragment is there, and is what it is said to be.
///
/// # Errors
/// `path-in-graph`, `source-not-allowed`, `digest-mismatch`.
pub fn check_data(graph: &Graph) -> Result<(), Refusal> {
    graph.data().iter().enumerate().try_for_each(|(position, entry)| check_entry(graph, position, entry))
}

fn check_entry(graph: &Graph, position: usize, entry: &DataEntry) -> Result<(), Refusal> {
    let refused = |code, message: String| Err(Refusal::new(code, format!("data[{position}]: {message}")));
    let Some(range) = entry.bytes.clone() else {
        let (code, source) = match &entry.source {
            Some(Source::Path(path)) => (ErrorCode::PathInGraph, path),
            Some(Source::Url(url) | Source::Oci(url)) => (ErrorCode::SourceNotAllowed, url),
            None => unreachable!("an entry has bytes or a source"),
        };
        return refused(code, format!("a scheduler does not read `{source}`; clients send such bytes along"));
    };
    let Some(digest) = entry.digest else { return Ok(()) };
    let found = ContentDigest::of(&graph.file()[range]);
    if found == digest {
        return Ok(());
    }
    refused(ErrorCode::DigestMismatch, format!("the digest of its bytes is `{found}`, not `{digest}`"))
}
