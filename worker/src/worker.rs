//! Starting a worker, and holding it.

use crate::inbox::{Inbox, Message, inbox};
use crate::lanes::Lanes;
use crate::peers::{PeerServer, Peers, listen};
use crate::runner::Runner;
use crate::settings::WorkerSettings;
use crate::shell::Shell;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use wasm_tasks_protocol::message::{FromWorker, ToWorker};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_transport::{Link, LinkError};

/// A worker, to be started.
#[derive(Debug)]
pub struct Worker;

/// Why a worker ended although nobody wanted it to.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WorkerError {
    /// The link to the scheduler failed.
    #[error("the link to the scheduler failed: {0}")]
    Link(#[source] LinkError),
    /// A bug: the worker's loop panicked.
    #[error("the worker's loop failed; its log has more")]
    Failed,
}

impl WorkerError {
    /// Whether a new worker may fare better.
    pub fn is_retryable(&self) -> bool {
        match self {
            WorkerError::Link(error) => error.is_retryable(),
            WorkerError::Failed => false,
        }
    }
}

impl Worker {
    /// Starts a worker whose tasks run in the sandbox. `link` leads to its scheduler. Without `peers` other workers' results
    /// come through the scheduler. Needs a tokio runtime with time.
    ///
    /// Make the engine for [`WorkerSettings::lanes`] calls at once.
    #[cfg(feature = "sandbox")]
    pub fn start(
        settings: WorkerSettings,
        engine: wasm_tasks_sandbox::Engine,
        link: Link<FromWorker, ToWorker>,
        peers: Option<PeerServer>,
    ) -> WorkerHandle {
        Worker::start_with(settings, crate::sandboxed::Sandboxed::new(engine), link, peers)
    }

    /// Starts a worker whose tasks run in something else.
    pub fn start_with<R: Runner>(
        settings: WorkerSettings,
        runner: R,
        link: Link<FromWorker, ToWorker>,
        peers: Option<PeerServer>,
    ) -> WorkerHandle {
        let (inbox, messages) = inbox::<R>();
        let addresses = peers.as_ref().map(PeerServer::addresses).unwrap_or_default();
        let offer = FromWorker::Joined(settings.offer(addresses));
        let (listener, dialer) = match peers.map(PeerServer::split) {
            Some((listener, dialer)) => (listener.map(Arc::new), Some(dialer)),
            None => (None, None),
        };
        let listening = listener.as_ref().map(|listener| tokio::spawn(listen(Arc::clone(listener), inbox.clone())));
        let (runner, wake) = (Arc::new(runner), Arc::new(Notify::new()));
        let lanes = Lanes::new(Arc::clone(&runner), Arc::clone(&wake), settings.name.clone());
        let shell = Shell::new(&settings, runner, lanes, Peers::new(dialer), link.peer.clone(), inbox.clone());
        let running = tokio::spawn(async move {
            let ended = shell.run(link, messages, wake, offer).await;
            if let (Some(listener), Some(listening)) = (listener, listening) {
                listener.close();
                listening.abort();
            }
            ended
        });
        WorkerHandle { running, drain: Box::new(Draining(inbox)) }
    }
}

/// A worker that runs. Dropping it does not end the worker: closing its link, or [`WorkerHandle::drain`], does.
pub struct WorkerHandle {
    running: JoinHandle<Result<(), WorkerError>>,
    drain: Box<dyn Drain>,
}

impl std::fmt::Debug for WorkerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerHandle").field("has_ended", &self.has_ended()).finish_non_exhaustive()
    }
}

impl WorkerHandle {
    /// Lets the worker finish what runs, give back the rest, wait until others have the results that only it has, and leave.
    /// The scheduler is told to let it go within a time: then what runs is stopped, and what nobody took is lost.
    pub fn drain(&self, within: Option<std::time::Duration>) {
        self.drain.drain(within.map(Into::into));
    }

    /// Whether the worker has ended.
    pub fn has_ended(&self) -> bool {
        self.running.is_finished()
    }

    /// Waits until the worker has ended, as [`WorkerHandle::end`] does, and keeps the handle: it may be drained meanwhile.
    ///
    /// # Errors
    /// As [`WorkerHandle::end`].
    ///
    /// # Panics
    /// When it is waited for again after it has ended.
    pub async fn ended(&mut self) -> Result<(), WorkerError> {
        (&mut self.running).await.unwrap_or(Err(WorkerError::Failed))
    }

    /// Waits until the worker has ended, with all its threads.
    ///
    /// # Errors
    /// [`WorkerError`] when it did not leave, but lost its link or failed.
    pub async fn end(self) -> Result<(), WorkerError> {
        self.running.await.unwrap_or(Err(WorkerError::Failed))
    }
}

/// Hides the runner's type from whoever holds a worker.
trait Drain: Send + Sync {
    fn drain(&self, within: Option<Duration>);
}

struct Draining<R: Runner>(Inbox<R>);

impl<R: Runner> Drain for Draining<R> {
    fn drain(&self, within: Option<Duration>) {
        let inbox = self.0.clone();
        match inbox.try_send(Message::Drain(within)) {
            Ok(()) => {}
            // Full, which passes, or closed, which is what was wanted.
            Err(error) => drop(tokio::spawn(async move { inbox.send(error.into_inner()).await.is_ok() })),
        }
    }
}
