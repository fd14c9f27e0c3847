//! How a command is told which graph: by its id, or by the name under which it is published.

use crate::failure::Failure;
use std::fmt;
use wasm_tasks::{Client, ErrorCode, GraphId};

/// A word of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GraphName {
    /// 32 hexadecimal digits.
    Id(GraphId),
    /// Anything else.
    Published(String),
}

/// The id of a graph as it is printed.
pub(crate) fn parse_id(text: &str) -> Result<GraphId, String> {
    text.trim().parse().map_err(|_| "a graph's id has 32 hexadecimal digits; `wasm-tasks status` lists them".to_owned())
}

impl GraphName {
    /// Takes any word.
    pub(crate) fn parse(text: &str) -> Result<GraphName, String> {
        match text.trim().parse() {
            Ok(id) => Ok(GraphName::Id(id)),
            Err(_) if text.is_empty() => Err("a graph has an id, or a published name".to_owned()),
            Err(_) => Ok(GraphName::Published(text.to_owned())),
        }
    }

    /// Asks the scheduler where it is a name.
    pub(crate) async fn find(&self, client: &Client) -> Result<GraphId, Failure> {
        match self {
            GraphName::Id(id) => Ok(*id),
            GraphName::Published(name) => Ok(client.find_published(name).await?),
        }
    }

    /// The id, where there is nobody to ask.
    pub(crate) fn id(&self) -> Result<GraphId, Failure> {
        match self {
            GraphName::Id(id) => Ok(*id),
            GraphName::Published(name) => {
                let message = format!("`{name}` is no id of a graph, and names are published by fleets only");
                let hint = "`wasm-tasks status` lists ids, 32 hexadecimal digits; name a fleet with `--scheduler HOST:PORT`";
                Err(Failure::bad_input(ErrorCode::NotFound, message).hint(Some(hint)))
            }
        }
    }
}

impl fmt::Display for GraphName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GraphName::Id(id) => id.fmt(f),
            GraphName::Published(name) => f.write_str(name),
        }
    }
}
