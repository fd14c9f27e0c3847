//! What clients share: graphs that are published under a name, and tasks that are stopped by their keys.

use super::{Client, Submission};
use crate::error::ClientError;
use bytes::Bytes;
use serde_json::Value as Json;
use wasm_tasks_protocol::message::{Query, Refusal, Request};
use wasm_tasks_protocol::{ErrorCode, GraphId};

impl Client {
    /// Gives a graph a name for everybody. It is kept with its outputs until the name is withdrawn, whoever leaves or
    /// releases it.
    ///
    /// # Errors
    /// [`ClientError::Refused`] when the graph is not known, or another one has the name.
    pub async fn publish(&self, graph: GraphId, name: &str) -> Result<(), ClientError> {
        self.request(Request::Publish { graph, name: name.to_owned() }, Bytes::new()).await.map(drop)
    }

    /// Withdraws a name. What nobody follows is forgotten after that like any other graph.
    ///
    /// # Errors
    /// [`ClientError::Refused`] when nothing has the name.
    pub async fn unpublish(&self, name: &str) -> Result<(), ClientError> {
        self.request(Request::Unpublish { name: name.to_owned() }, Bytes::new()).await.map(drop)
    }

    /// All that is published: a list of `{name, graph, state, tasks, finished, outputs}`.
    ///
    /// # Errors
    /// [`ClientError::Lost`].
    pub async fn published(&self) -> Result<Json, ClientError> {
        self.ask(Query::Published { name: None }).await
    }

    /// The graph that has a name.
    ///
    /// # Errors
    /// [`ClientError::Refused`] when none has.
    pub async fn find_published(&self, name: &str) -> Result<GraphId, ClientError> {
        let found = self.ask(Query::Published { name: Some(name.to_owned()) }).await?;
        match found.get(0).map(|row| row["graph"].as_str().and_then(|id| id.parse().ok())) {
            Some(Some(graph)) => Ok(graph),
            Some(None) => Err(ClientError::Answer("a published graph without an id")),
            None => {
                let message = format!("nothing is published as `{name}`; `wasm-tasks published` lists what is");
                Err(ClientError::Refused(Refusal::new(ErrorCode::NotFound, message)))
            }
        }
    }

    /// Follows the graph that has a name, as [`Client::attach`].
    ///
    /// # Errors
    /// As [`Client::find_published`].
    pub async fn attach_published(&self, name: &str) -> Result<Submission, ClientError> {
        self.attach(self.find_published(name).await?).await
    }

    /// Stops tasks of a graph, at once where they run, and with them what needs them. Those that have ended are left alone.
    ///
    /// # Errors
    /// [`ClientError::Refused`] when the graph does not have one of the keys; nothing is stopped then.
    pub async fn cancel_tasks(&self, graph: GraphId, keys: &[String]) -> Result<(), ClientError> {
        self.request(Request::CancelTasks { graph, keys: keys.to_vec() }, Bytes::new()).await.map(drop)
    }
}
