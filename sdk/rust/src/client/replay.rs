//! One task of a graph as a graph of its own, to be run again anywhere.
//!
//! Owns where the inputs come from: results that the cluster still has are fetched, the others are computed again. How
//! the graph of one task is written is the protocol's.

use super::{Client, OutputError};
use crate::error::ClientError;
use crate::upload::Upload;
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::Semaphore;
use wasm_tasks_interface::Interface;
use wasm_tasks_protocol::graph::{DELEGATE_INTERFACE, Graph, PathStep, Reference, ReplayError};
use wasm_tasks_protocol::message::{ReplyHead, Request, TaskFailure};
use wasm_tasks_protocol::msgpack::follow;
use wasm_tasks_protocol::{ComponentDigest, ErrorCode, GraphId, TaskIndex};

/// Bytes of a result that are asked for at once.
const CHUNK_BYTES: u64 = 16 << 20;
/// Results that are fetched at once.
const FETCHES_MAX: usize = 8;

/// A task with its inputs.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The graph file; its one task is its output.
    pub file: Vec<u8>,
    /// Keys of the inputs that the cluster did not have any more, and that were computed again.
    pub recomputed: Vec<String>,
    /// Whether the task, or one that was run again for it, is granted what differs from run to run.
    pub is_granted: bool,
}

/// Why there is no replay.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReplayFailure {
    /// The graph cannot be read, or the cluster not be asked.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The graph has no such task.
    #[error("the graph has no task `{0}`")]
    NoTask(String),
    /// The task's component is neither on this machine nor with the cluster.
    #[error("the component of `{0}` is not on this machine; its digest is {1}")]
    NoComponent(String, ComponentDigest),
    /// An input is gone and cannot be computed again.
    #[error("`{key}` cannot run without the result of `{input}`, which cannot be computed{}", because(.cause.as_deref()))]
    NoInput {
        /// The task.
        key: String,
        /// What it needs.
        input: String,
        /// What failed when it was computed again.
        cause: Option<Box<TaskFailure>>,
    },
    /// What the arguments refer to does not fit together.
    #[error("{0}")]
    Input(String),
    /// The graph of one task cannot be written.
    #[error(transparent)]
    Write(#[from] ReplayError),
}

fn because(cause: Option<&TaskFailure>) -> String {
    cause.map_or_else(String::new, |failure| {
        let first = failure.error.message.lines().next().unwrap_or_default();
        format!(": task `{}` failed [{}]: {first}", failure.key, failure.error.code)
    })
}

impl ReplayFailure {
    /// The code under which people see it.
    pub fn code(&self) -> ErrorCode {
        match self {
            ReplayFailure::Client(error) => error.code(),
            ReplayFailure::NoTask(_) => ErrorCode::NotFound,
            ReplayFailure::NoComponent(..) => ErrorCode::NotUploaded,
            ReplayFailure::NoInput { .. } => ErrorCode::DependencyFailed,
            ReplayFailure::Input(_) => ErrorCode::TypeMismatch,
            ReplayFailure::Write(_) => ErrorCode::NotUploaded,
        }
    }

    /// What to do next, where there is advice that the message does not hold.
    pub fn hint(&self) -> Option<String> {
        match self {
            ReplayFailure::Client(error) => error.hint().map(str::to_owned),
            ReplayFailure::NoInput { cause: Some(failure), .. } => {
                Some(format!("replay `{}` instead: it is the one that failed", failure.key))
            }
            ReplayFailure::NoTask(_)
            | ReplayFailure::NoComponent(..)
            | ReplayFailure::NoInput { cause: None, .. }
            | ReplayFailure::Input(_)
            | ReplayFailure::Write(_) => None,
        }
    }
}

impl Client {
    /// The file of a graph that the cluster knows; no path is in it.
    ///
    /// # Errors
    /// [`ClientError::UnknownGraph`].
    pub async fn graph_file(&self, graph: GraphId) -> Result<Bytes, ClientError> {
        match self.inner.connection.request(Request::FetchGraph { graph }, Bytes::new()).await? {
            (ReplyHead::Ok { .. }, file) => Ok(file),
            (ReplyHead::NotFound, _) => Err(ClientError::UnknownGraph(graph)),
            (ReplyHead::Refused(refusal), _) => Err(ClientError::Refused(refusal)),
        }
    }

    /// The bytes of a component that the cluster has.
    ///
    /// # Errors
    /// [`ClientError::Lost`].
    pub async fn component(&self, digest: ComponentDigest) -> Result<Option<Bytes>, ClientError> {
        match self.inner.connection.request(Request::FetchComponent { digest }, Bytes::new()).await? {
            (ReplyHead::Ok { .. }, bytes) if ComponentDigest::of(&bytes) == digest => Ok(Some(bytes)),
            (ReplyHead::Ok { .. }, _) => Err(ClientError::Answer("a component with another digest")),
            (ReplyHead::NotFound, _) => Ok(None),
            (ReplyHead::Refused(refusal), _) => Err(ClientError::Refused(refusal)),
        }
    }

    /// Writes a task of a graph that the cluster knows as a graph of its own, with everything that it needs.
    ///
    /// Inputs that were let go are computed again by the cluster.
    ///
    /// # Errors
    /// [`ReplayFailure`].
    pub async fn replay(&self, graph: GraphId, key: &str) -> Result<Replay, ReplayFailure> {
        let file = self.graph_file(graph).await?;
        let read = Graph::read(file.clone()).map_err(ClientError::from)?;
        let task = find(&read, key)?;
        let held = self.held_results(graph, inputs_of(&read, task)).await?;
        // The scheduler has the components already.
        let upload = Upload { graph: read, file, components: Vec::new() };
        self.write_replay(upload, task, held).await
    }

    /// Writes a task of a graph file as a graph of its own. What the task needs is run, and nothing else of the graph. A task
    /// that is written by another one is had by running that.
    ///
    /// # Errors
    /// [`ReplayFailure`].
    pub async fn replay_upload(&self, upload: Upload, key: &str) -> Result<Replay, ReplayFailure> {
        let graph = Graph::read(upload.file.clone()).map_err(ClientError::from)?;
        let upload = Upload { graph, ..upload };
        match (find(&upload.graph, key), writer_of(&upload.graph, key)) {
            (Ok(task), _) => self.write_replay(upload, task, BTreeMap::new()).await,
            (Err(_), Some(writer)) => self.replay_written(upload, writer, key).await,
            (Err(unknown), None) => Err(unknown),
        }
    }

    /// Runs a task of a graph for a task that it, or one that it wrote, writes.
    async fn replay_written(&self, upload: Upload, writer: TaskIndex, key: &str) -> Result<Replay, ReplayFailure> {
        let file = Bytes::from(upload.graph.with_outputs(&[Reference::whole(writer)]));
        let graph = Graph::read(file.clone()).map_err(ClientError::from)?;
        let submission = self.submit_upload(Upload { graph, file, components: upload.components }).await?;
        submission.finished().await?;
        let written = self.replay(submission.id(), key).await;
        submission.release().await?;
        written
    }

    /// The whole results of those tasks that the cluster still has.
    async fn held_results(&self, graph: GraphId, tasks: Vec<TaskIndex>) -> Result<BTreeMap<TaskIndex, Bytes>, ClientError> {
        let permits = Arc::new(Semaphore::new(FETCHES_MAX));
        let mut fetching = tokio::task::JoinSet::new();
        for task in tasks {
            let permit = permits.clone().acquire_owned().await;
            let client = self.clone();
            fetching.spawn(async move {
                let result = client.held_result(graph, task).await;
                drop(permit);
                (task, result)
            });
        }
        let mut held = BTreeMap::new();
        while let Some(fetched) = fetching.join_next().await {
            let (task, result) = fetched.map_err(|_| ClientError::Answer("fetching a result was interrupted"))?;
            if let Some(bytes) = result? {
                held.insert(task, bytes);
            }
        }
        Ok(held)
    }

    async fn held_result(&self, graph: GraphId, task: TaskIndex) -> Result<Option<Bytes>, ClientError> {
        let mut whole = BytesMut::new();
        loop {
            let request = Request::FetchResult { graph, task, offset: whole.len() as u64, len: CHUNK_BYTES };
            let (total, chunk) = match self.inner.connection.request(request, Bytes::new()).await? {
                (ReplyHead::Ok { total }, chunk) => (total, chunk),
                (ReplyHead::NotFound | ReplyHead::Refused(_), _) => return Ok(None),
            };
            if whole.is_empty() && chunk.len() as u64 == total {
                return Ok(Some(chunk));
            }
            whole.extend_from_slice(&chunk);
            match (whole.len() as u64).cmp(&total) {
                std::cmp::Ordering::Less if !chunk.is_empty() => {}
                std::cmp::Ordering::Equal => return Ok(Some(whole.freeze())),
                std::cmp::Ordering::Less | std::cmp::Ordering::Greater => {
                    return Err(ClientError::Answer("pieces of a result that are not as long as it is"));
                }
            }
        }
    }

    async fn write_replay(
        &self,
        upload: Upload,
        task: TaskIndex,
        mut results: BTreeMap<TaskIndex, Bytes>,
    ) -> Result<Replay, ReplayFailure> {
        let graph = upload.graph.clone();
        let key = graph.task(task).key().to_owned();
        let own = graph.task(task).function().component;
        let component = self.component_at(&upload, own).await?;
        let component =
            component.ok_or_else(|| ReplayFailure::NoComponent(key.clone(), graph.components()[own as usize].digest))?;
        let mut others = Vec::new();
        if may_delegate(&component) {
            for position in (0..graph.components().len() as u32).filter(|position| *position != own) {
                others.extend(self.component_at(&upload, position).await?.map(|bytes| (position, bytes)));
            }
        }
        let missing: Vec<TaskIndex> = inputs_of(&graph, task).into_iter().filter(|input| !results.contains_key(input)).collect();
        let mut is_granted = !graph.task(task).settings().grants.is_empty();
        let recomputed = missing.iter().map(|input| graph.task(*input).key().to_owned()).collect();
        if !missing.is_empty() {
            is_granted |= ancestors(&graph, &missing).iter().any(|task| !graph.task(*task).settings().grants.is_empty());
            self.recompute(upload, &key, &missing, &mut results).await?;
        }
        let mut parts: HashMap<Reference, Bytes> = HashMap::new();
        for reference in graph.task(task).references() {
            let whole = &results[&reference.task];
            let part = follow(whole, reference.path.iter().map(PathStep::as_step)).map_err(|error| {
                ReplayFailure::Input(format!("the result of `{}`: {error}", graph.task(reference.task).key()))
            })?;
            let part = if reference.path.is_empty() { whole.clone() } else { Bytes::copy_from_slice(&part) };
            parts.insert(reference, part);
        }
        let file = graph.replay_of(task, &component, &others, |reference| parts.get(reference).cloned())?;
        Ok(Replay { file, recomputed, is_granted })
    }

    /// The bytes of a component of a graph, from this machine or from the cluster.
    async fn component_at(&self, upload: &Upload, position: u32) -> Result<Option<Bytes>, ClientError> {
        let digest = upload.graph.components()[position as usize].digest;
        let here = upload.components.iter().find(|(known, _)| *known == digest).and_then(|(_, bytes)| bytes.clone());
        match here {
            Some(bytes) => Ok(Some(bytes)),
            None => self.component(digest).await,
        }
    }

    /// Runs a graph for the results of some of its tasks.
    async fn recompute(
        &self,
        upload: Upload,
        key: &str,
        missing: &[TaskIndex],
        results: &mut BTreeMap<TaskIndex, Bytes>,
    ) -> Result<(), ReplayFailure> {
        let outputs: Vec<Reference> = missing.iter().map(|task| Reference::whole(*task)).collect();
        let file = Bytes::from(upload.graph.with_outputs(&outputs));
        let graph = Graph::read(file.clone()).map_err(ClientError::from)?;
        let submission = self.submit_upload(Upload { graph, file, components: upload.components }).await?;
        let outcome = submission.wait().await?;
        for (task, output) in missing.iter().zip(outcome.outputs) {
            let bytes = output.value.map_err(|error| match error {
                OutputError::Client(error) => ReplayFailure::Client(error),
                OutputError::NoPart(refusal) => ReplayFailure::Client(ClientError::Refused(refusal)),
                OutputError::Failed => ReplayFailure::NoInput {
                    key: key.to_owned(),
                    input: output.name,
                    cause: outcome.failures.first().cloned().map(Box::new),
                },
            })?;
            results.insert(*task, bytes);
        }
        Ok(())
    }
}

fn find(graph: &Graph, key: &str) -> Result<TaskIndex, ReplayFailure> {
    let found = graph.tasks().find(|task| task.key() == key).map(|task| task.index());
    found.ok_or_else(|| ReplayFailure::NoTask(key.to_owned()))
}

/// The task of a file whose key a key goes on from: the task that writes it, or wrote what does.
fn writer_of(graph: &Graph, key: &str) -> Option<TaskIndex> {
    let writers = graph.tasks().filter(|task| key.strip_prefix(task.key()).is_some_and(|rest| rest.starts_with('/')));
    writers.max_by_key(|task| task.key().len()).map(|task| task.index())
}

/// Whether a component's tasks may end in calls of other components of their graph.
fn may_delegate(component: &[u8]) -> bool {
    Interface::read(component).is_ok_and(|interface| interface.imports().iter().any(|name| name == DELEGATE_INTERFACE))
}

/// The tasks whose results it needs, each once.
fn inputs_of(graph: &Graph, task: TaskIndex) -> Vec<TaskIndex> {
    graph.task(task).dependencies().to_vec()
}

/// Tasks and everything that they need.
fn ancestors(graph: &Graph, tasks: &[TaskIndex]) -> Vec<TaskIndex> {
    let mut seen = vec![false; graph.len()];
    let mut found = tasks.to_vec();
    tasks.iter().for_each(|task| seen[task.0 as usize] = true);
    let mut next = 0;
    while let Some(task) = found.get(next).copied() {
        next += 1;
        for dependency in graph.task(task).dependencies() {
            if !std::mem::replace(&mut seen[dependency.0 as usize], true) {
                found.push(*dependency);
            }
        }
    }
    found
}
