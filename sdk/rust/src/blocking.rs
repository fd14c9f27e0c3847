//! The client for programs without a runtime: every call waits. Owns a runtime, and nothing else.

mod session;

pub use session::{Completed, Session, TaskFuture};

use crate::client::EmbeddedSettings;
use crate::error::ClientError;
use crate::{Event, Extended, Outcome, OutputError, Replay, ReplayFailure};
use bytes::Bytes;
use serde_json::Value as Json;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Runtime;
use wasm_tasks_protocol::GraphId;
use wasm_tasks_protocol::message::{GraphState, GraphSummary, Query};

/// [`crate::Client`], blocking. Must not be used from within a tokio runtime: it panics there.
///
/// ```no_run
/// # fn example(graph: &wasm_tasks::Graph) -> Result<(), Box<dyn std::error::Error>> {
/// use wasm_tasks::{EmbeddedSettings, blocking::Client};
///
/// let client = Client::embedded(EmbeddedSettings::default())?;
/// let outcome = client.submit(graph.to_bytes()?, ".".as_ref())?.wait()?;
/// let sum: i64 = outcome.decode("add-1")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    // Before the runtime, which it needs to say goodbye.
    client: crate::Client,
    runtime: Arc<Runtime>,
}

/// [`crate::Submission`], blocking.
#[derive(Clone)]
pub struct Submission {
    submission: crate::Submission,
    runtime: Arc<Runtime>,
}

fn runtime() -> Result<Arc<Runtime>, ClientError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map(Arc::new).map_err(|error| ClientError::Start(format!("no threads for the client: {error}")))
}

impl Client {
    /// Starts a scheduler and a worker with all cores in this process.
    ///
    /// # Errors
    /// As [`crate::Client::embedded`].
    pub fn embedded(settings: EmbeddedSettings) -> Result<Client, ClientError> {
        let runtime = runtime()?;
        let client = runtime.block_on(crate::Client::embedded(settings))?;
        Ok(Client { client, runtime })
    }

    /// Connects to a scheduler at `HOST:PORT` with the credentials of a folder.
    ///
    /// # Errors
    /// As [`crate::Client::connect`].
    pub fn connect(address: &str, credentials: &Path) -> Result<Client, ClientError> {
        let runtime = runtime()?;
        let client = runtime.block_on(crate::Client::connect(address, credentials))?;
        Ok(Client { client, runtime })
    }

    /// Hands over a graph file.
    ///
    /// # Errors
    /// As [`crate::Client::submit`].
    pub fn submit(&self, graph: impl Into<Bytes>, folder: &Path) -> Result<Submission, ClientError> {
        let submission = self.runtime.block_on(self.client.submit(graph, folder))?;
        Ok(Submission { submission, runtime: self.runtime.clone() })
    }

    /// Follows a graph that was submitted before.
    ///
    /// # Errors
    /// As [`crate::Client::attach`].
    pub fn attach(&self, graph: GraphId) -> Result<Submission, ClientError> {
        let submission = self.runtime.block_on(self.client.attach(graph))?;
        Ok(Submission { submission, runtime: self.runtime.clone() })
    }

    /// Asks a question.
    ///
    /// # Errors
    /// As [`crate::Client::ask`].
    pub fn ask(&self, query: Query) -> Result<Json, ClientError> {
        self.runtime.block_on(self.client.ask(query))
    }

    /// Writes a task of a graph that the cluster knows as a graph of its own.
    ///
    /// # Errors
    /// As [`crate::Client::replay`].
    pub fn replay(&self, graph: GraphId, key: &str) -> Result<Replay, ReplayFailure> {
        self.runtime.block_on(self.client.replay(graph, key))
    }

    /// Gives a graph a name for everybody, and keeps it until the name is withdrawn.
    ///
    /// # Errors
    /// As [`crate::Client::publish`].
    pub fn publish(&self, graph: GraphId, name: &str) -> Result<(), ClientError> {
        self.runtime.block_on(self.client.publish(graph, name))
    }

    /// Withdraws a name.
    ///
    /// # Errors
    /// As [`crate::Client::unpublish`].
    pub fn unpublish(&self, name: &str) -> Result<(), ClientError> {
        self.runtime.block_on(self.client.unpublish(name))
    }

    /// Follows the graph that has a name.
    ///
    /// # Errors
    /// As [`crate::Client::attach_published`].
    pub fn attach_published(&self, name: &str) -> Result<Submission, ClientError> {
        let submission = self.runtime.block_on(self.client.attach_published(name))?;
        Ok(Submission { submission, runtime: self.runtime.clone() })
    }

    /// Says that results of a graph are no longer needed.
    ///
    /// # Errors
    /// As [`crate::Client::release`].
    pub fn release(&self, graph: GraphId) -> Result<(), ClientError> {
        self.runtime.block_on(self.client.release(graph))
    }

    /// Ends the embedded cluster in good order.
    pub fn close(self) {
        self.runtime.block_on(self.client.close());
    }
}

impl Submission {
    /// The graph's id.
    pub fn id(&self) -> GraphId {
        self.submission.id()
    }

    /// The names of the outputs.
    pub fn output_names(&self) -> Arc<Vec<String>> {
        self.submission.output_names()
    }

    /// How far it is.
    pub fn progress(&self) -> GraphState {
        self.submission.progress()
    }

    /// Waits for the output at a position.
    ///
    /// # Errors
    /// As [`crate::Submission::output`].
    pub fn output(&self, position: usize) -> Result<Bytes, OutputError> {
        self.runtime.block_on(self.submission.output(position))
    }

    /// Adds a fragment; paths in it are relative to `folder`.
    ///
    /// # Errors
    /// As [`crate::Submission::extend`].
    pub fn extend(&self, fragment: impl Into<Bytes>, folder: &Path) -> Result<Extended, ClientError> {
        self.runtime.block_on(self.submission.extend(fragment, folder))
    }

    /// Says that some outputs are no longer needed here.
    ///
    /// # Errors
    /// As [`crate::Submission::release_outputs`].
    pub fn release_outputs(&self, outputs: Vec<u32>) -> Result<(), ClientError> {
        self.runtime.block_on(self.submission.release_outputs(outputs))
    }

    /// Waits until nothing more will happen.
    ///
    /// # Errors
    /// As [`crate::Submission::finished`].
    pub fn finished(&self) -> Result<GraphSummary, ClientError> {
        self.runtime.block_on(self.submission.finished())
    }

    /// Waits for everything and fetches the outputs.
    ///
    /// # Errors
    /// As [`crate::Submission::wait`].
    pub fn wait(&self) -> Result<Outcome, ClientError> {
        self.runtime.block_on(self.submission.wait())
    }

    /// Calls `each` for everything that happens, until it ends or `each` returns false.
    ///
    /// # Errors
    /// As [`crate::Events::next`].
    pub fn for_each_event(&self, mut each: impl FnMut(Event) -> bool) -> Result<(), ClientError> {
        self.runtime.block_on(async {
            let mut events = self.submission.events();
            while let Some(event) = events.next().await? {
                if !each(event) {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Stops some of its tasks, and what needs them.
    ///
    /// # Errors
    /// As [`crate::Submission::cancel_tasks`].
    pub fn cancel_tasks(&self, keys: &[String]) -> Result<(), ClientError> {
        self.runtime.block_on(self.submission.cancel_tasks(keys))
    }

    /// Stops it.
    ///
    /// # Errors
    /// As [`crate::Submission::cancel`].
    pub fn cancel(&self) -> Result<(), ClientError> {
        self.runtime.block_on(self.submission.cancel())
    }
}
