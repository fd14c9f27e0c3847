//! A graph that grows while it runs: fragments are appended to it, and what becomes of its outputs is told one by one.
//!
//! One writer: positions of tasks and outputs are those of the order in which they were appended here. Knows no types
//! and no arguments; whoever writes the tables does.

use super::Client;
use super::random_id;
use crate::error::ClientError;
use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;
use wasm_tasks_protocol::graph::{Append, Extent, GraphBuilder, Options};
use wasm_tasks_protocol::message::{FromClient, OutputResult, ReplyHead, Request, TaskFailure, ToClient};
use wasm_tasks_protocol::{ComponentDigest, GraphId, TaskIndex};

/// The writing side. Cheap to clone. The cluster lets go of the graph when the client leaves, unless it is published.
#[derive(Clone)]
pub struct Growing {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    graph: GraphId,
    extent: Mutex<Extent>,
}

/// The listening side.
pub struct Growth {
    messages: mpsc::UnboundedReceiver<Result<ToClient, ClientError>>,
    outputs: std::vec::IntoIter<(u32, OutputResult)>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Grown {
    /// What became of the output at a position.
    Output(u32, OutputResult),
    /// A task failed for a reason of its own. Told after what became of the outputs that failed with it.
    Failed(Box<TaskFailure>),
    /// Nothing is open for now: what became of everything that was appended has been told.
    Quiet,
}

impl Client {
    /// Begins a graph that is written piece by piece. Only the graph's own options are taken.
    ///
    /// # Errors
    /// As [`Client::submit`].
    pub async fn grow(&self, options: Options) -> Result<(Growing, Growth), ClientError> {
        let graph = random_id()?;
        let messages = self.inner.connection.listen(graph);
        let mut empty = GraphBuilder::new();
        empty.options(options);
        self.request(Request::SubmitGraph { graph }, empty.to_bytes().into()).await?;
        self.inner.connection.send(FromClient::Bind(graph)).await?;
        let inner = Inner { client: self.clone(), graph, extent: Mutex::new(Extent::default()) };
        Ok((Growing { inner: Arc::new(inner) }, Growth { messages, outputs: Vec::new().into_iter() }))
    }
}

impl Growing {
    /// The graph's id.
    pub fn id(&self) -> GraphId {
        self.inner.graph
    }

    /// How far its tables go.
    pub fn extent(&self) -> Extent {
        *self.inner.extent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over a component, unless the cluster has it.
    ///
    /// # Errors
    /// [`ClientError::Refused`] when it is none, or cannot run here.
    pub async fn upload(&self, component: Bytes) -> Result<ComponentDigest, ClientError> {
        let digest = ComponentDigest::of(&component);
        let client = &self.inner.client;
        let missing = client.request(Request::MissingComponents { digests: vec![digest] }, Bytes::new()).await?;
        if super::positions(&missing).is_none_or(|missing| !missing.is_empty()) {
            client.request(Request::UploadComponent { digest }, component).await?;
        }
        Ok(digest)
    }

    /// Appends tables: a graph file whose positions begin where the graph ends ([`Growing::extent`]). Components are
    /// those that were [uploaded](Growing::upload). One call at a time.
    ///
    /// # Errors
    /// [`ClientError::Refused`] when it does not pass the checks; the graph is as it was then.
    pub async fn append(&self, tables: &[u8]) -> Result<Extent, ClientError> {
        let Inner { client, graph, .. } = &*self.inner;
        let append = Append { graph: *graph, base: self.extent() };
        let file = append.to_fragment(tables).map_err(|_| ClientError::Answer("the tables to append are no MessagePack map"))?;
        let body = match client.inner.connection.request(Request::ExtendGraph { graph: *graph }, file.into()).await? {
            (ReplyHead::Ok { .. }, body) => body,
            (ReplyHead::Refused(refusal), _) => return Err(ClientError::Refused(refusal)),
            (ReplyHead::NotFound, _) => return Err(ClientError::UnknownGraph(*graph)),
        };
        let extent = Extent::from_msgpack(&body).map_err(|_| ClientError::Answer("how far the graph goes is not said"))?;
        *self.inner.extent.lock().unwrap_or_else(PoisonError::into_inner) = extent;
        Ok(extent)
    }

    /// Says that outputs are no longer needed.
    ///
    /// # Errors
    /// [`ClientError::Lost`].
    pub async fn release(&self, outputs: Vec<u32>) -> Result<(), ClientError> {
        self.inner.client.inner.connection.send(FromClient::ReleaseOutputs { graph: self.inner.graph, outputs }).await
    }

    /// Stops what runs and says that nothing of the graph is needed here any more.
    ///
    /// # Errors
    /// [`ClientError::Lost`].
    pub async fn release_all(&self) -> Result<(), ClientError> {
        self.inner.client.release(self.inner.graph).await
    }

    /// Stops tasks, and what needs them.
    ///
    /// # Errors
    /// [`ClientError::Lost`].
    pub async fn cancel(&self, tasks: Vec<TaskIndex>) -> Result<(), ClientError> {
        self.inner.client.inner.connection.send(FromClient::CancelTasks { graph: self.inner.graph, tasks }).await
    }

    /// Copies the results of tasks that are done to so many workers, for what will need them everywhere; none: to all that
    /// are there now. Whoever got one gives it on, so that many have it in the time of a few transfers. Small results are with
    /// the scheduler, which sends them along, and are not copied.
    ///
    /// # Errors
    /// [`ClientError::Lost`].
    pub async fn replicate(&self, tasks: Vec<TaskIndex>, copies: Option<u32>) -> Result<(), ClientError> {
        let copies = copies.unwrap_or(u32::MAX);
        self.inner.client.inner.connection.send(FromClient::Replicate { graph: self.inner.graph, tasks, copies }).await
    }

    /// Has all workers that are there now fetch data entries, by their positions, before tasks need them.
    ///
    /// # Errors
    /// [`ClientError::Lost`].
    pub async fn broadcast(&self, data: Vec<u32>) -> Result<(), ClientError> {
        self.inner.client.inner.connection.send(FromClient::Broadcast { graph: self.inner.graph, data }).await
    }

    /// The value of an output that is [stored](OutputResult::Stored).
    ///
    /// # Errors
    /// [`ClientError::OutputGone`] when it is not there any more.
    pub async fn fetch(&self, output: u32) -> Result<Bytes, ClientError> {
        self.inner.client.fetch_output(self.inner.graph, output).await
    }
}

impl Growth {
    /// The next thing that happens.
    ///
    /// # Errors
    /// [`ClientError::Lost`] when the connection broke.
    pub async fn next(&mut self) -> Result<Grown, ClientError> {
        loop {
            if let Some((position, result)) = self.outputs.next() {
                return Ok(Grown::Output(position, result));
            }
            match self.messages.recv().await {
                Some(Ok(ToClient::Outputs { outputs, .. })) => self.outputs = outputs.into_iter(),
                Some(Ok(ToClient::TaskFailed { failure, .. })) => return Ok(Grown::Failed(Box::new(failure))),
                Some(Ok(ToClient::UnknownGraph(graph))) => return Err(ClientError::UnknownGraph(graph)),
                Some(Ok(ToClient::Finished { .. })) => return Ok(Grown::Quiet),
                Some(Ok(ToClient::Progress { .. } | ToClient::Welcome { .. } | ToClient::Answer { .. })) => {}
                Some(Err(error)) => return Err(error),
                None => return Err(ClientError::Answer("the graph was given up")),
            }
        }
    }
}
