//! A graph that was handed over: what becomes of it, as futures and as events.

use super::Client;
use super::follow::{Followed, Known};
use super::outcome::{Outcome, Output, OutputError};
use crate::error::ClientError;
use crate::upload::Upload;
use bytes::Bytes;
use serde_json::Value as Json;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Semaphore;
use wasm_tasks_protocol::GraphId;
use wasm_tasks_protocol::graph::{Extent, Fragment, Reference};
use wasm_tasks_protocol::message::{GraphState, GraphSummary, OutputResult, Query, TaskFailure};

/// Outputs that are fetched at once. Each may have a gigabyte, and a stream can fill the link.
const FETCHES_MAX: usize = 8;

/// A graph that was accepted. Cheap to clone.
///
/// Dropping the last clone releases the graph's results in the cluster, unless [`Submission::detach`] was called.
#[derive(Clone)]
pub struct Submission {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    id: GraphId,
    /// Names of outputs; those of fragments that others added are missing.
    names: RwLock<Arc<Vec<String>>>,
    followed: Arc<Followed>,
    releases: AtomicBool,
}

/// Something that happened to a graph.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// How far it is; states in between may be left out.
    Progress(GraphState),
    /// A task failed for a reason of its own.
    Failed(TaskFailure),
    /// The output at a position is ready, or never will be: [`Submission::output`] tells at once.
    Output(usize),
    /// Nothing more will happen.
    Finished(GraphSummary),
}

/// A fragment that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extended {
    /// The positions of its outputs, for [`Submission::output`].
    pub outputs: Range<usize>,
    /// How far the graph's tables go now: where the next fragment goes on.
    pub extent: Extent,
}

/// What happens to a graph, in order. Made by [`Submission::events`].
pub struct Events {
    submission: Submission,
    state: GraphState,
    failures: usize,
    outputs: usize,
    is_finished: bool,
}

impl Submission {
    pub(super) fn new(client: Client, id: GraphId, names: Vec<String>, followed: Arc<Followed>) -> Submission {
        Submission {
            inner: Arc::new(Inner {
                client,
                id,
                names: RwLock::new(Arc::new(names)),
                followed,
                releases: AtomicBool::new(false),
            }),
        }
    }

    /// From here on there is something to release.
    pub(super) fn is_accepted(&self) {
        if !self.inner.releases.swap(true, Ordering::Relaxed) {
            self.inner.client.inner.connection.hold(self.inner.id);
        }
    }

    /// The graph's id.
    pub fn id(&self) -> GraphId {
        self.inner.id
    }

    /// The names of the outputs: the task's key, followed by the path as `.field` and `[index]`.
    /// Outputs that somebody else added since are not among them.
    pub fn output_names(&self) -> Arc<Vec<String>> {
        Arc::clone(&self.inner.names.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds a fragment; its outputs follow those that are there. Paths in it are relative to `folder`.
    ///
    /// # Errors
    /// [`ClientError::BaseMoved`] when somebody else extended the graph since the fragment was written, [`ClientError::Refused`]
    /// when it does not pass the scheduler's checks; and as [`Client::submit`].
    pub async fn extend(&self, fragment: impl Into<Bytes>, folder: &Path) -> Result<Extended, ClientError> {
        self.extend_upload(Upload::read(Fragment::read(fragment.into())?.into_tables(), folder)?).await
    }

    /// Adds a fragment whose files have been read.
    ///
    /// # Errors
    /// As [`Submission::extend`].
    pub async fn extend_upload(&self, fragment: Upload) -> Result<Extended, ClientError> {
        let tables = &fragment.graph;
        let first = tables.base().outputs as usize;
        let name = |output: &Reference| match tables.has_task(output.task) {
            true => tables.output_name(output),
            // The keys of earlier tasks are with the scheduler.
            false => output.to_string(),
        };
        let names: Vec<String> = tables.outputs().iter().map(name).collect();
        let count = first + names.len();
        // The first of them may come before the answer does.
        let before = {
            let mut known = self.inner.followed.known();
            let before = known.outputs.len();
            known.expect_outputs(count);
            before
        };
        match self.inner.client.extend(self.inner.id, fragment).await {
            Ok(extent) => {
                let mut all = self.inner.names.write().unwrap_or_else(PoisonError::into_inner);
                let all = Arc::make_mut(&mut all);
                if all.len() < count {
                    all.resize_with(count, String::new);
                }
                for (position, name) in (first..).zip(&names) {
                    all[position].clone_from(name);
                }
                Ok(Extended { outputs: first..count, extent })
            }
            Err(error) => {
                self.inner.followed.forget_outputs(before);
                Err(error)
            }
        }
    }

    /// Says that some outputs are no longer needed here. When nobody who follows the graph needs them, what runs only for them is
    /// stopped, and their results are let go.
    ///
    /// # Errors
    /// [`ClientError::Lost`].
    pub async fn release_outputs(&self, outputs: Vec<u32>) -> Result<(), ClientError> {
        self.inner.client.release_outputs(self.inner.id, outputs).await
    }

    /// How far it is.
    pub fn progress(&self) -> GraphState {
        self.inner.followed.known().state.clone()
    }

    /// Leaves the graph and its results in the cluster when this is dropped.
    pub fn detach(&self) {
        self.inner.let_go();
    }

    /// Says that its results are no longer needed, and waits until the scheduler has heard it; dropping does not wait.
    ///
    /// # Errors
    /// [`ClientError::Lost`].
    pub async fn release(&self) -> Result<(), ClientError> {
        if !self.inner.let_go() {
            return Ok(());
        }
        self.inner.client.release(self.inner.id).await?;
        match self.known().await {
            Ok(()) | Err(ClientError::Refused(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Tasks that wait and that no worker can run, and why: the first few. Worth asking when nothing moves.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn stuck(&self) -> Result<Vec<(String, String)>, ClientError> {
        let answer = self.inner.client.ask(Query::Stuck { graph: self.inner.id }).await?;
        let text = |task: &Json, name: &str| task[name].as_str().unwrap_or_default().to_owned();
        Ok(answer.as_array().into_iter().flatten().map(|task| (text(task, "key"), text(task, "text"))).collect())
    }

    /// Stops it.
    ///
    /// # Errors
    /// [`ClientError::Lost`].
    pub async fn cancel(&self) -> Result<(), ClientError> {
        self.inner.client.cancel(self.inner.id).await
    }

    /// Stops some of its tasks: see [`Client::cancel_tasks`].
    ///
    /// # Errors
    /// [`ClientError::Refused`] when there is no task with one of the keys.
    pub async fn cancel_tasks(&self, keys: &[String]) -> Result<(), ClientError> {
        self.inner.client.cancel_tasks(self.inner.id, keys).await
    }

    /// Waits for the output at a position: its typed encoding ([`decode`](crate::decode) makes Rust of it).
    ///
    /// # Errors
    /// [`OutputError::Failed`] when the task failed or was cancelled, [`OutputError::NoPart`] when the output's path leads nowhere in
    /// its result, [`OutputError::Client`] when it cannot be had.
    ///
    /// # Panics
    /// When the graph has fewer outputs.
    pub async fn output(&self, position: usize) -> Result<Bytes, OutputError> {
        let count = self.inner.followed.known().outputs.len();
        assert!(position < count, "output {position} of {count}");
        let ready = |known: &Known| match (known.outputs.get(position).unwrap_or(&None), known.ended()) {
            (Some(result), _) => Some(Ok(result.clone())),
            (None, Some(Ok(_))) => Some(Ok(OutputResult::Failed)),
            (None, Some(Err(error))) => Some(Err(error.clone())),
            (None, None) => None,
        };
        match self.inner.followed.until(ready).await.map_err(OutputError::Client)? {
            OutputResult::Inline(bytes) => Ok(bytes),
            OutputResult::Stored { .. } => {
                self.inner.client.fetch_output(self.inner.id, position as u32).await.map_err(|error| match error {
                    ClientError::Refused(refusal) => OutputError::NoPart(refusal),
                    error => OutputError::Client(error),
                })
            }
            OutputResult::Failed => Err(OutputError::Failed),
            OutputResult::Released => Err(OutputError::Client(ClientError::OutputGone(position as u32))),
        }
    }

    /// Waits until everything that was known when this was called is known here: after [`Client::attach`].
    ///
    /// # Errors
    /// [`ClientError::Lost`].
    pub async fn known(&self) -> Result<(), ClientError> {
        // Answers come after what was said before them.
        self.inner.client.ask(Query::Outputs { graph: self.inner.id }).await.map(drop)
    }

    /// The output at a position if it is ready, or never will be, by now; none when it may still come.
    ///
    /// # Panics
    /// When the graph has fewer outputs.
    pub async fn try_output(&self, position: usize) -> Option<Result<Bytes, OutputError>> {
        let is_known = {
            let known = self.inner.followed.known();
            known.outputs[position].is_some() || known.ended().is_some()
        };
        if is_known { Some(self.output(position).await) } else { None }
    }

    /// Waits until nothing more will happen. Outputs are not fetched.
    ///
    /// # Errors
    /// [`ClientError::Lost`] when the connection breaks before, [`ClientError::UnknownGraph`].
    pub async fn finished(&self) -> Result<GraphSummary, ClientError> {
        self.inner.followed.until(|known| known.ended().cloned()).await
    }

    /// Waits for everything and fetches the outputs. A task that failed is no error of this.
    ///
    /// # Errors
    /// As [`Submission::finished`].
    pub async fn wait(&self) -> Result<Outcome, ClientError> {
        let summary = self.finished().await?;
        let fetches = Arc::new(Semaphore::new(FETCHES_MAX));
        // Most outputs came with the messages: only the others are worth a task of the runtime.
        let mut values: Vec<Option<Result<Bytes, OutputError>>> = Vec::new();
        {
            let known = self.inner.followed.known();
            values.extend(known.outputs.iter().map(|result| match result {
                Some(OutputResult::Inline(bytes)) => Some(Ok(bytes.clone())),
                Some(OutputResult::Stored { .. } | OutputResult::Released) => None,
                Some(OutputResult::Failed) | None => Some(Err(OutputError::Failed)),
            }));
        }
        let mut fetching = tokio::task::JoinSet::new();
        for position in (0..values.len()).filter(|position| values[*position].is_none()) {
            let permit = fetches.clone().acquire_owned().await;
            let submission = self.clone();
            fetching.spawn(async move {
                let value = submission.output(position).await;
                drop(permit);
                (position, value)
            });
        }
        while let Some(fetched) = fetching.join_next().await {
            let (position, value) = fetched.map_err(|_| ClientError::Answer("fetching an output was interrupted"))?;
            values[position] = Some(value);
        }
        let names = self.output_names();
        let name = |position: usize| names.get(position).cloned().unwrap_or_default();
        let output = |(position, value): (usize, Option<_>)| Output {
            name: name(position),
            value: value.unwrap_or(Err(OutputError::Failed)),
        };
        let outputs = values.into_iter().enumerate().map(output).collect();
        let known = self.inner.followed.known();
        Ok(Outcome { outputs, failures: known.failures.clone(), failures_omitted: known.failures_omitted, summary })
    }

    /// The failures heard of so far.
    pub fn failures(&self) -> Vec<TaskFailure> {
        self.inner.followed.known().failures.clone()
    }

    /// What happens to it, from the beginning.
    pub fn events(&self) -> Events {
        Events { submission: self.clone(), state: GraphState::default(), failures: 0, outputs: 0, is_finished: false }
    }
}

impl Inner {
    /// Whether that was the last of this client that needed the results.
    fn let_go(&self) -> bool {
        self.releases.swap(false, Ordering::Relaxed) && self.client.inner.connection.let_go(self.id)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.let_go()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let (client, id) = (self.client.clone(), self.id);
            runtime.spawn(async move { client.release(id).await });
        }
    }
}

impl Events {
    /// The next thing that happens; none after [`Event::Finished`].
    ///
    /// # Errors
    /// [`ClientError::Lost`] when the connection breaks, [`ClientError::UnknownGraph`].
    pub async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        if self.is_finished {
            return Ok(None);
        }
        let inner = self.submission.inner.clone();
        let event = inner.followed.until(|known| self.look(known)).await?;
        self.is_finished = matches!(event, Event::Finished(_));
        Ok(Some(event))
    }

    fn look(&mut self, known: &Known) -> Option<Result<Event, ClientError>> {
        if let Some(failure) = known.failures.get(self.failures) {
            self.failures += 1;
            return Some(Ok(Event::Failed(failure.clone())));
        }
        if let Some(position) = known.arrived.get(self.outputs) {
            self.outputs += 1;
            return Some(Ok(Event::Output(*position as usize)));
        }
        if known.state != self.state {
            self.state = known.state.clone();
            return Some(Ok(Event::Progress(known.state.clone())));
        }
        known.ended().cloned().map(|end| end.map(Event::Finished))
    }
}
