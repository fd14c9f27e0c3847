//! A client: one connection to a scheduler, in this process or elsewhere, shared by everything that uses it.
//!
//! Owns requests and questions. What becomes of a graph is [`Submission`]'s; how a message finds its graph is
//! `connection`'s.

mod connection;
mod embedded;
mod follow;
mod growing;
mod outcome;
mod replay;
mod room;
mod shared;
mod submission;

pub use embedded::EmbeddedSettings;
pub use growing::{Growing, Grown, Growth};
pub use outcome::{NoValue, Outcome, Output, OutputError};
pub use replay::{Replay, ReplayFailure};
pub use submission::{Event, Events, Extended, Submission};

use self::connection::Connection;
use self::embedded::Embedded;
use crate::check::refused_upload;
use crate::error::ClientError;
use crate::upload::Upload;
use bytes::Bytes;
use serde_json::Value as Json;
use std::path::Path;
use std::sync::Arc;
use wasm_tasks_protocol::graph::{Extent, Graph};
use wasm_tasks_protocol::message::{FromClient, Query, ReplyHead, Request, ToClient};
use wasm_tasks_protocol::msgpack::Reader;
use wasm_tasks_protocol::{ComponentDigest, ErrorCode, GraphId};
use wasm_tasks_transport::{Credentials, Dialer, Link, Role, resolve};

/// Runs graphs. Cheap to clone; all clones share one connection.
///
/// Needs a tokio runtime with timers and I/O on; [`blocking::Client`](crate::blocking::Client) brings its own.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use wasm_tasks::{Client, EmbeddedSettings, Graph, args};
///
/// let mut graph = Graph::new();
/// let calc = graph.component_file("calc.wasm")?;
/// let add = graph.function(&calc, "add");
/// graph.call(&add, args![1, 2]);
///
/// let client = Client::embedded(EmbeddedSettings::default()).await?;
/// let outcome = client.submit(graph.to_bytes()?, ".".as_ref()).await?.wait().await?;
/// let sum: i64 = outcome.decode("add-1")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    connection: Connection,
    /// The cluster of this process, where it is one.
    embedded: Option<Embedded>,
}

impl Client {
    /// Starts a scheduler and a worker with all cores in this process.
    ///
    /// # Errors
    /// [`ClientError::Start`] when the engine cannot be made.
    pub async fn embedded(settings: EmbeddedSettings) -> Result<Client, ClientError> {
        let (embedded, link) = Embedded::start(settings).await?;
        Client::open(link, Some(embedded)).await
    }

    /// Connects to a scheduler at `HOST:PORT` with the credentials of a folder.
    ///
    /// # Errors
    /// [`ClientError::Address`], [`ClientError::Credentials`] and [`ClientError::Dial`].
    pub async fn connect(address: &str, credentials: &Path) -> Result<Client, ClientError> {
        let addresses = resolve(address).await.map_err(|error| ClientError::address(address, &error))?;
        // Credentials that are made here fit only a scheduler of this machine, which finds them in the same folder.
        let is_near = addresses.iter().all(|address| address.ip().is_loopback());
        let credentials = if is_near { Credentials::load_or_create(credentials) } else { Credentials::load(credentials) }?;
        let dialer = Dialer::new(&credentials, Role::Client)?;
        Client::open(dialer.dial_any(&addresses, Role::Scheduler).await?, None).await
    }

    async fn open(link: Link<FromClient, ToClient>, embedded: Option<Embedded>) -> Result<Client, ClientError> {
        let connection = Connection::open(link).await?;
        Ok(Client { inner: Arc::new(Inner { connection, embedded }) })
    }

    /// Whether the cluster is in this process.
    pub fn is_embedded(&self) -> bool {
        self.inner.embedded.is_some()
    }

    /// Hands over a graph file. Paths in it are relative to `folder`.
    ///
    /// # Errors
    /// [`ClientError::Upload`] when the graph or a file that it names is wrong, [`ClientError::Refused`] when it does
    /// not pass the scheduler's checks; nothing has run then.
    pub async fn submit(&self, graph: impl Into<Bytes>, folder: &Path) -> Result<Submission, ClientError> {
        let upload = Upload::read(Graph::read(graph.into())?, folder)?;
        self.submit_upload(upload).await
    }

    /// Hands over a graph whose files have been read.
    ///
    /// # Errors
    /// As [`Client::submit`].
    pub async fn submit_upload(&self, upload: Upload) -> Result<Submission, ClientError> {
        if let Some(embedded) = &self.inner.embedded {
            embedded.room().check(&upload.graph)?;
        }
        self.upload_components(&upload).await?;
        let id = random_id()?;
        let names: Vec<String> = upload.graph.outputs().iter().map(|output| upload.graph.output_name(output)).collect();
        let followed = self.inner.connection.follow(id, Some(names.len()));
        let submission = Submission::new(self.clone(), id, names, followed);
        self.request(Request::SubmitGraph { graph: id }, upload.file).await?;
        submission.is_accepted();
        Ok(submission)
    }

    /// How far the tables of a graph go: where a fragment goes on.
    ///
    /// # Errors
    /// [`ClientError::Refused`] when it is not known.
    pub async fn extent(&self, graph: GraphId) -> Result<Extent, ClientError> {
        let answer = self.ask(Query::Extent { graph }).await?;
        let count = |name: &str| answer[name].as_u64().and_then(|count| u32::try_from(count).ok());
        let extent = || {
            Some(Extent {
                components: count("components")?,
                functions: count("functions")?,
                data: count("data")?,
                tasks: count("tasks")?,
                outputs: count("outputs")?,
            })
        };
        extent().ok_or(ClientError::Answer("the extent of a graph is not five numbers"))
    }

    /// Adds a fragment to a graph, and gives how far its tables go then.
    async fn extend(&self, graph: GraphId, fragment: Upload) -> Result<Extent, ClientError> {
        if let Some(embedded) = &self.inner.embedded {
            embedded.room().check(&fragment.graph)?;
        }
        self.upload_components(&fragment).await?;
        let extent = |body: &[u8]| {
            Extent::from_msgpack(body).map_err(|_| ClientError::Answer("the extent of a graph is not five numbers"))
        };
        match self.inner.connection.request(Request::ExtendGraph { graph }, fragment.file).await? {
            (ReplyHead::Ok { .. }, body) => extent(&body),
            (ReplyHead::Refused(refusal), body) if refusal.code == ErrorCode::BaseMoved => {
                Err(ClientError::BaseMoved { refusal, extent: extent(&body)? })
            }
            (ReplyHead::Refused(refusal), _) => Err(ClientError::Refused(refusal)),
            (ReplyHead::NotFound, _) => Err(ClientError::UnknownGraph(graph)),
        }
    }

    /// Says that some outputs of a graph are no longer needed here.
    async fn release_outputs(&self, graph: GraphId, outputs: Vec<u32>) -> Result<(), ClientError> {
        self.inner.connection.send(FromClient::ReleaseOutputs { graph, outputs }).await
    }

    async fn upload_components(&self, upload: &Upload) -> Result<(), ClientError> {
        let components = &upload.components;
        if components.is_empty() {
            return Ok(());
        }
        let digests = components.iter().map(|(digest, _)| *digest).collect();
        let missing = self.request(Request::MissingComponents { digests }, Bytes::new()).await?;
        for position in positions(&missing).ok_or(ClientError::Answer("the missing components are no list of positions"))? {
            let (digest, bytes) =
                components.get(position).ok_or(ClientError::Answer("a missing component that was not asked about"))?;
            // One that this machine does not have either is refused with the graph, which names where it is needed.
            if let Some(bytes) = bytes {
                let uploaded = self.request(Request::UploadComponent { digest: *digest }, bytes.clone()).await;
                uploaded.map_err(|error| refused_component(error, &upload.graph, *digest))?;
            }
        }
        Ok(())
    }

    /// Follows a graph that was submitted before, from here or elsewhere.
    ///
    /// # Errors
    /// [`ClientError::UnknownGraph`].
    pub async fn attach(&self, graph: GraphId) -> Result<Submission, ClientError> {
        let names = match self.ask(Query::Outputs { graph }).await {
            Ok(Json::Array(names)) => names.iter().map(|name| name.as_str().unwrap_or_default().to_owned()).collect(),
            Ok(_) => return Err(ClientError::Answer("the names of outputs are no list")),
            Err(ClientError::Refused(refusal)) if refusal.code == wasm_tasks_protocol::ErrorCode::NotFound => {
                return Err(ClientError::UnknownGraph(graph));
            }
            Err(error) => return Err(error),
        };
        let names: Vec<String> = names;
        let followed = self.inner.connection.follow(graph, Some(names.len()));
        let submission = Submission::new(self.clone(), graph, names, followed);
        self.inner.connection.send(FromClient::Attach(graph)).await?;
        submission.is_accepted();
        Ok(submission)
    }

    /// Asks a question; the answer is JSON.
    ///
    /// # Errors
    /// [`ClientError::Refused`] when there is nothing to say about what was asked.
    pub async fn ask(&self, query: Query) -> Result<Json, ClientError> {
        let text = self.inner.connection.ask(query).await?;
        serde_json::from_str(&text).map_err(|_| ClientError::Answer("it is no JSON"))
    }

    /// Lets workers of these names or numbers leave without loss: they take nothing new, what runs finishes, and results that
    /// only they have are moved to others first. Returns when all of them are gone:
    /// `[{id, name, moved, moved_bytes, left, stopped, is_timed_out, is_lost}]`.
    ///
    /// After `within` they are let go, whatever they still have. With `gives_up` results that nobody can take are left behind at
    /// once; what is still needed of them is made again.
    ///
    /// # Errors
    /// [`ClientError::Refused`] when there is no such worker, [`ClientError::Lost`].
    pub async fn drain_workers(
        &self,
        workers: Vec<String>,
        within: Option<std::time::Duration>,
        gives_up: bool,
    ) -> Result<Json, ClientError> {
        let within = within.map(Into::into);
        let make = |number| FromClient::DrainWorkers { number, workers, within, gives_up };
        let text = self.inner.connection.answered(make).await?;
        serde_json::from_str(&text).map_err(|_| ClientError::Answer("it is no JSON"))
    }

    /// Stops a graph.
    ///
    /// # Errors
    /// [`ClientError::Lost`].
    pub async fn cancel(&self, graph: GraphId) -> Result<(), ClientError> {
        self.inner.connection.send(FromClient::Cancel(graph)).await
    }

    /// Says that results of a graph are no longer needed.
    ///
    /// # Errors
    /// [`ClientError::Lost`].
    pub async fn release(&self, graph: GraphId) -> Result<(), ClientError> {
        self.inner.connection.send(FromClient::Release(graph)).await
    }

    /// Ends the embedded cluster in good order. For a fleet, nothing needs to be done.
    pub async fn close(self) {
        if let Some(embedded) = &self.inner.embedded {
            embedded.shutdown().await;
        }
    }

    /// Makes a request; a refusal is an error.
    async fn request(&self, request: Request, body: Bytes) -> Result<Bytes, ClientError> {
        match self.inner.connection.request(request, body).await? {
            (ReplyHead::Ok { .. }, body) => Ok(body),
            (ReplyHead::Refused(refusal), _) => Err(ClientError::Refused(refusal)),
            (ReplyHead::NotFound, _) => Err(ClientError::Answer("it does not have what it must have")),
        }
    }

    /// Fetches an output, its path followed.
    async fn fetch_output(&self, graph: GraphId, output: u32) -> Result<Bytes, ClientError> {
        match self.inner.connection.request(Request::FetchOutput { graph, output }, Bytes::new()).await? {
            (ReplyHead::Ok { .. }, body) => Ok(body),
            (ReplyHead::Refused(refusal), _) => Err(ClientError::Refused(refusal)),
            (ReplyHead::NotFound, _) => Err(ClientError::OutputGone(output)),
        }
    }
}

fn positions(body: &[u8]) -> Option<Vec<usize>> {
    let mut reader = Reader::new(body);
    let len = reader.array().ok()?;
    (0..len).map(|_| usize::try_from(reader.int().ok()?).ok()).collect()
}

fn random_id() -> Result<GraphId, ClientError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| ClientError::Start(format!("the system gives no random bytes: {error}")))?;
    Ok(GraphId(id))
}

/// Says which entry of the graph a refused component is: the scheduler was asked about a digest only.
fn refused_component(error: ClientError, graph: &Graph, digest: ComponentDigest) -> ClientError {
    match error {
        ClientError::Refused(refusal) => ClientError::Refused(refused_upload(refusal, graph, digest)),
        error => error,
    }
}
