//! The handle of a running scheduler, and the tasks that read its links.

use crate::actor::Actor;
use crate::checks::Checks;
use crate::components::Components;
use crate::inbox::{Asker, Input, SessionId};
use crate::loads::Module;
use crate::submit::{self, NotExtended};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use wasm_tasks_judge::{Asker as Judged, Judge};
use wasm_tasks_protocol::ErrorCode;
use wasm_tasks_protocol::graph::Extent;
use wasm_tasks_protocol::ids::{GraphId, WorkerId};
use wasm_tasks_protocol::message::{FromClient, FromWorker, Refusal, ReplyHead, Request, ToClient, ToWorker};
use wasm_tasks_protocol::msgpack::Writer;
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_transport::{ControlReceiver, Incoming, IncomingRequest, Link, Peer, Replier};

/// Inputs that may wait for the actor. Whoever has more waits: links stop reading, and their peers stop sending.
const INBOX_MAX: usize = 8_192;
/// Graphs and fragments that are checked at the same time; each may need a few times its size in memory. No client has all of
/// these places.
const CHECKS_MAX: usize = 3;

/// How a scheduler behaves.
#[derive(Clone, Debug)]
pub struct SchedulerSettings {
    /// For people: program and version.
    pub name: String,
    /// How often workers report that they are well. Who says nothing for 15 times as long is cut off.
    pub heartbeat: Duration,
    /// How long a finished graph that nobody follows is kept.
    pub retention: Duration,
    /// How many tasks the finished graphs have together that nobody follows; the oldest go first.
    pub retained_tasks_max: usize,
    /// Bytes of components that are kept; those that no graph needs go first.
    pub components_bytes_max: usize,
    /// Validates components and reads their types.
    pub judge: Judge,
}

impl Default for SchedulerSettings {
    fn default() -> SchedulerSettings {
        SchedulerSettings {
            name: concat!("wasm-tasks ", env!("CARGO_PKG_VERSION")).to_owned(),
            heartbeat: Duration::from_millis(2_000),
            retention: Duration::from_millis(600_000),
            retained_tasks_max: 1 << 20,
            components_bytes_max: 4 << 30,
            judge: Judge::in_process(),
        }
    }
}

/// A running scheduler. Clones are the same scheduler; it ends by [`Scheduler::shutdown`].
#[derive(Clone, Debug)]
pub struct Scheduler {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    inbox: mpsc::Sender<Input>,
    components: Components,
    checks: Checks,
    next_id: AtomicU64,
}

impl Scheduler {
    /// Starts a scheduler on the current tokio runtime.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(settings: SchedulerSettings) -> Scheduler {
        let (inbox, inputs) = mpsc::channel(INBOX_MAX);
        let components = Components::new(settings.components_bytes_max, settings.judge.clone());
        let checks = Checks::new(CHECKS_MAX);
        tokio::spawn(Actor::new(settings, inbox.downgrade(), checks.clone()).run(inputs));
        Scheduler { shared: Arc::new(Shared { inbox, components, checks, next_id: AtomicU64::new(1) }) }
    }

    /// Takes in a worker. Returns at once; the worker is served until its link closes.
    pub fn attach_worker(&self, link: Link<ToWorker, FromWorker>) {
        let worker = WorkerId(self.shared.next_id.fetch_add(1, Ordering::Relaxed));
        let Link { sender, receiver, peer, incoming } = link;
        let shared = self.shared.clone();
        tokio::spawn(async move {
            let attached = Input::WorkerAttached { worker, peer, sender };
            if shared.inbox.send(attached).await.is_err() {
                return;
            }
            let judged = Judged::new("workers", worker.0);
            tokio::spawn(serve(shared.clone(), Asker::Worker(worker), judged, incoming));
            let reason = forward(&shared, receiver, |batch, permit| Input::WorkerSaid { worker, batch, permit }).await;
            drop(shared.inbox.send(Input::WorkerGone { worker, reason }).await);
        });
    }

    /// Takes in a client. Returns at once; the client is served until its link closes.
    pub fn attach_client(&self, link: Link<ToClient, FromClient>) {
        let session = SessionId(self.shared.next_id.fetch_add(1, Ordering::Relaxed));
        let Link { sender, receiver, peer, incoming } = link;
        let shared = self.shared.clone();
        tokio::spawn(async move {
            let judged = judged(&peer, session);
            if shared.inbox.send(Input::ClientAttached { session, peer, sender }).await.is_err() {
                return;
            }
            tokio::spawn(serve(shared.clone(), Asker::Client(session), judged, incoming));
            forward(&shared, receiver, |batch, permit| Input::ClientSaid { session, batch, permit }).await;
            drop(shared.inbox.send(Input::ClientGone { session }).await);
        });
    }

    /// Stops: workers are told to leave, links close.
    pub async fn shutdown(&self) {
        let (done, wait) = oneshot::channel();
        if self.shared.inbox.send(Input::Shutdown { done }).await.is_ok() {
            drop(wait.await);
        }
    }
}

/// Batches of one link that may wait for the actor. Whoever says more is read later, so that a flood fills neither the inbox
/// nor the memory, and others are heard in between.
const LINK_BATCHES_MAX: usize = 2;

/// Hands batches to the actor until the link ends; says why it did.
async fn forward<R>(
    shared: &Shared,
    mut receiver: ControlReceiver<R>,
    input: impl Fn(Vec<R>, OwnedSemaphorePermit) -> Input,
) -> String
where
    R: serde::de::DeserializeOwned + Send + 'static,
{
    let room = Arc::new(Semaphore::new(LINK_BATCHES_MAX));
    loop {
        match receiver.recv().await {
            Ok(batch) if batch.is_empty() => {}
            Ok(batch) => {
                let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return "the scheduler stopped".to_owned() };
                if shared.inbox.send(input(batch, permit)).await.is_err() {
                    return "the scheduler stopped".to_owned();
                }
            }
            Err(error) => return error.to_string(),
        }
    }
}

/// For whom a client's components and graphs are checked.
pub(crate) fn judged(peer: &Peer, session: SessionId) -> Judged {
    let identity = peer.identity();
    Judged::new(format!("{identity} of tenant {}", identity.tenant.0), session.0)
}

/// A client for whom something is checked, and whether it is still there.
#[derive(Clone)]
struct Checked {
    judged: Judged,
    is_gone: watch::Receiver<bool>,
}

impl Checked {
    /// Waits for a check, unless its client goes: then it is dropped.
    async fn unless_gone<T, E: From<Refusal>>(&self, check: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let mut is_gone = self.is_gone.clone();
        tokio::select! {
            checked = check => checked,
            _ = is_gone.wait_for(|is_gone| *is_gone) => {
                Err(Refusal::new(ErrorCode::Cancelled, "its client went while it was checked").into())
            }
        }
    }
}

/// Serves the requests of one link. Those that take long run beside each other.
async fn serve(shared: Arc<Shared>, asker: Asker, judged: Judged, mut incoming: Incoming) {
    // Dropped when the link ends, which ends what is being checked for it.
    let (_here, is_gone) = watch::channel(false);
    let checked = Checked { judged, is_gone };
    while let Some(asked) = incoming.next().await {
        let shared = shared.clone();
        match (&asked.request, asker) {
            (
                Request::MissingComponents { .. }
                | Request::UploadComponent { .. }
                | Request::SubmitGraph { .. }
                | Request::ExtendGraph { .. },
                Asker::Client(session),
            ) => {
                let checked = checked.clone();
                tokio::spawn(async move { from_client(&shared, session, &checked, asked).await });
            }
            (Request::FetchComponent { digest }, Asker::Worker(_) | Asker::Client(_)) => {
                let found = shared.components.find(digest).map(|stored| stored.bytes.clone());
                tokio::spawn(reply_found(asked.reply, found));
            }
            (Request::FetchData { .. }, Asker::Worker(_))
            | (Request::FetchResult { .. }, Asker::Worker(_) | Asker::Client(_))
            | (
                Request::FetchOutput { .. }
                | Request::FetchGraph { .. }
                | Request::CancelTasks { .. }
                | Request::Publish { .. }
                | Request::Unpublish { .. },
                Asker::Client(_),
            ) => {
                if shared.inbox.send(Input::Asked { asker, request: asked }).await.is_err() {
                    return;
                }
            }
            (
                Request::SubmitGraph { .. }
                | Request::ExtendGraph { .. }
                | Request::MissingComponents { .. }
                | Request::UploadComponent { .. }
                | Request::FetchData { .. }
                | Request::FetchOutput { .. }
                | Request::FetchGraph { .. }
                | Request::CancelTasks { .. }
                | Request::Publish { .. }
                | Request::Unpublish { .. }
                | Request::FetchLogs { .. },
                Asker::Worker(_) | Asker::Client(_),
            ) => {
                let refusal =
                    Refusal::new(ErrorCode::ProtocolViolation, "this request is not for a scheduler, or not from this role");
                tokio::spawn(asked.reply.send(ReplyHead::Refused(refusal), Bytes::new()));
            }
        }
    }
}

/// Answers with what was found, or that nothing was.
pub(crate) async fn reply_found(reply: Replier, found: Option<Bytes>) {
    let (head, body) = match found {
        Some(bytes) => (ReplyHead::Ok { total: bytes.len() as u64 }, bytes),
        None => (ReplyHead::NotFound, Bytes::new()),
    };
    // An asker that is gone needs no answer.
    drop(reply.send(head, body).await);
}

async fn from_client(shared: &Shared, session: SessionId, checked: &Checked, asked: IncomingRequest) {
    let IncomingRequest { request, body, reply } = asked;
    let answer = match request {
        Request::MissingComponents { digests } => {
            let missing = shared.components.missing(&digests);
            let mut out = Writer::new();
            out.array(missing.len());
            missing.iter().for_each(|position| out.uint(u64::from(*position)));
            return reply_found(reply, Some(out.into_bytes().into())).await;
        }
        Request::UploadComponent { digest } => {
            checked.unless_gone(shared.components.add(&checked.judged, digest, body)).await.map(drop)
        }
        Request::SubmitGraph { graph } => submit(shared, session, checked, graph, body).await,
        Request::ExtendGraph { graph } => {
            let (head, extent) = match extend(shared, session, checked, graph, body).await {
                Ok(extent) => (ReplyHead::Ok { total: 0 }, Some(extent)),
                Err(NotExtended { refusal, extent }) => (ReplyHead::Refused(refusal), extent),
            };
            let mut out = Writer::new();
            if let Some(extent) = extent {
                extent.write(&mut out);
            }
            drop(reply.send(head, out.into_bytes().into()).await);
            return;
        }
        Request::FetchComponent { .. }
        | Request::FetchData { .. }
        | Request::FetchOutput { .. }
        | Request::FetchResult { .. }
        | Request::FetchGraph { .. }
        | Request::CancelTasks { .. }
        | Request::Publish { .. }
        | Request::Unpublish { .. }
        | Request::FetchLogs { .. } => unreachable!("`serve` sends others elsewhere"),
    };
    let head = match answer {
        Ok(()) => ReplyHead::Ok { total: 0 },
        Err(refusal) => ReplyHead::Refused(refusal),
    };
    drop(reply.send(head, Bytes::new()).await);
}

async fn submit(shared: &Shared, session: SessionId, checked: &Checked, graph: GraphId, file: Bytes) -> Result<(), Refusal> {
    let prepared = checked.unless_gone(async {
        let read = in_background(shared, checked, move || submit::read(file)).await?;
        let components = shared.components.of(&read, &checked.judged).await?;
        let is_gone = checked.is_gone.clone();
        let checking = move || submit::prepare(read, components, &|| is_gone.has_changed().is_ok());
        in_background(shared, checked, checking).await
    });
    let prepared = prepared.await?;
    let modules = submit::modules(&prepared.plan, Extent::default(), &[]);
    checked.unless_gone(load(shared, session, modules)).await?;
    let (accepted, wait) = oneshot::channel();
    let input = Input::Submitted { session, graph, prepared: Box::new(prepared), accepted };
    let stopped = || Refusal::new(ErrorCode::Unreachable, "the scheduler is stopping");
    shared.inbox.send(input).await.map_err(|_| stopped())?;
    wait.await.map_err(|_| stopped())?
}

/// Has workers load what tasks will run from.
async fn load(shared: &Shared, session: SessionId, components: Vec<Module>) -> Result<(), Refusal> {
    let (loaded, wait) = oneshot::channel();
    let stopped = || Refusal::new(ErrorCode::Unreachable, "the scheduler is stopping");
    shared.inbox.send(Input::Loading { session, components, loaded }).await.map_err(|_| stopped())?;
    wait.await.map_err(|_| stopped())
}

/// Adds a fragment. Gives how far the graph's tables go with it.
async fn extend(
    shared: &Shared,
    session: SessionId,
    checked: &Checked,
    graph: GraphId,
    file: Bytes,
) -> Result<Extent, NotExtended> {
    let stopped = || Refusal::new(ErrorCode::Unreachable, "the scheduler is stopping");
    let (known, wait) = oneshot::channel();
    shared.inbox.send(Input::Extending { graph, known }).await.map_err(|_| stopped())?;
    // Held until the fragment is in, so that those which come at the same time are checked against each other.
    let known = wait.await.map_err(|_| stopped())??.lock_owned().await;
    let prepared = checked.unless_gone(async {
        let reading = move || {
            let read = submit::read_fragment(file, graph, &known);
            Ok((known, read))
        };
        let (mut known, read) = in_background(shared, checked, reading).await?;
        let read = read?;
        let components = shared.components.of(&read, &checked.judged).await?;
        let is_gone = checked.is_gone.clone();
        let extending = move || {
            let is_wanted = || is_gone.has_changed().is_ok();
            let extended = submit::extension(read, None, &mut known, components, &is_wanted)?;
            Ok((known, extended))
        };
        Ok::<_, NotExtended>(in_background(shared, checked, extending).await?)
    });
    let (mut known, (extension, addition)) = prepared.await?;
    let modules = submit::modules(&extension.plan, extension.part.base(), &known.settings);
    checked.unless_gone(load(shared, session, modules)).await?;
    let (accepted, wait) = oneshot::channel();
    let input = Input::Extended { graph, extension: Box::new(extension), accepted };
    shared.inbox.send(input).await.map_err(|_| stopped())?;
    wait.await.map_err(|_| stopped())??;
    known.take_in(addition);
    Ok(known.parts.numbering().extent())
}

/// Runs a check on a thread of its own. A panic there is a bug, and the submitter's to know.
async fn in_background<T: Send + 'static>(
    shared: &Shared,
    checked: &Checked,
    check: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let permit = shared.checks.acquire(&checked.judged).await;
    // The thread has the permit: it goes on when nobody waits for it any more.
    let checking = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        check()
    });
    checking.await.unwrap_or_else(|_| {
        Err(Refusal::new(ErrorCode::WorkerFault, "the check failed for a reason of the scheduler's; its log says more"))
    })
}
