//! Graphs that are kept under a name, whoever leaves.

use super::Actor;
use crate::answers::unknown_graph;
use std::collections::{BTreeMap, BTreeSet};
use wasm_tasks_protocol::error::ErrorCode;
use wasm_tasks_protocol::ids::GraphId;
use wasm_tasks_protocol::limits::{NAME_BYTES_MAX, PUBLISHED_MAX};
use wasm_tasks_protocol::message::Refusal;

/// What is published: both ways round, since every second somebody asks which graphs may go.
#[derive(Debug, Default)]
pub(crate) struct Published {
    by_name: BTreeMap<String, GraphId>,
    names: BTreeSet<(GraphId, String)>,
}

impl Published {
    pub(crate) fn find(&self, name: &str) -> Option<GraphId> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, GraphId)> {
        self.by_name.iter().map(|(name, graph)| (name.as_str(), *graph))
    }

    /// Whether the graph has a name.
    pub(crate) fn holds(&self, graph: GraphId) -> bool {
        self.names.range((graph, String::new())..).next().is_some_and(|(found, _)| *found == graph)
    }

    fn insert(&mut self, name: String, graph: GraphId) {
        self.by_name.insert(name.clone(), graph);
        self.names.insert((graph, name));
    }

    fn remove(&mut self, name: &str) -> Option<GraphId> {
        let graph = self.by_name.remove(name)?;
        self.names.remove(&(graph, name.to_owned()));
        Some(graph)
    }
}

impl Actor {
    /// Publishing what is published under that name already changes nothing.
    pub(super) fn on_publish(&mut self, graph: GraphId, name: String) -> Result<(), Refusal> {
        check_name(&name)?;
        if self.graph_by_id(graph).is_none() {
            return Err(unknown_graph(graph));
        }
        match self.published.find(&name) {
            Some(known) if known == graph => return Ok(()),
            Some(known) => {
                let message = format!("the name `{name}` is that of graph `{known}`; withdraw it first, or choose another");
                return Err(Refusal::new(ErrorCode::BadArguments, message));
            }
            None if self.published.by_name.len() >= PUBLISHED_MAX => {
                let message = format!("{PUBLISHED_MAX} names are published already; withdraw some");
                return Err(Refusal::new(ErrorCode::LimitExceeded, message));
            }
            None => self.published.insert(name, graph),
        }
        Ok(())
    }

    /// What nobody follows goes as if it had never been published.
    pub(super) fn on_unpublish(&mut self, name: &str) -> Result<(), Refusal> {
        match self.published.remove(name) {
            Some(_) => Ok(()),
            None => Err(Refusal::new(ErrorCode::NotFound, format!("nothing is published as `{name}`"))),
        }
    }
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let refuse = |why: String| Err(Refusal::new(ErrorCode::BadArguments, why));
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return refuse(format!("a published name has 1 to {NAME_BYTES_MAX} bytes"));
    }
    if name.chars().any(char::is_control) {
        return refuse("a published name has no control characters".to_owned());
    }
    if name.parse::<GraphId>().is_ok() {
        return refuse(format!("`{name}` looks like the id of a graph, so it would be taken for one"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{GraphId, Published, check_name};

    #[test]
    fn a_graph_is_held_as_long_as_it_has_a_name() {
        let (one, other) = (GraphId([1; 16]), GraphId([2; 16]));
        let mut published = Published::default();
        published.insert("a".into(), one);
        published.insert("b".into(), one);
        published.insert("c".into(), other);
        assert_eq!(published.remove("a"), Some(one));
        assert!(published.holds(one) && published.holds(other));
        assert_eq!(published.remove("b"), Some(one));
        assert!(!published.holds(one) && published.holds(other));
        assert_eq!((published.find("a"), published.find("c")), (None, Some(other)));
        assert_eq!(published.remove("a"), None);
    }

    #[test]
    fn names_are_words_of_people() {
        for bad in ["", "a\nb", "0123456789abcdef0123456789abcdef", &"x".repeat(5_000)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!(check_name("a report, 2026").is_ok());
    }
}
