//! What the actor is told.

use crate::delegation::Delegated;
use crate::known::Known;
use crate::loads::Module;
use crate::submit::{Extension, Prepared};
use std::sync::Arc;
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, oneshot};
use wasm_tasks_protocol::ids::{Attempt, GraphId, TaskIndex, WorkerId};
use wasm_tasks_protocol::message::{FromClient, FromWorker, Refusal, ToClient, ToWorker};
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_transport::{ControlSender, IncomingRequest, Peer, Replier};

/// A client's connection; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SessionId(pub(crate) u64);

/// One thing for the actor.
#[derive(Debug)]
pub(crate) enum Input {
    WorkerAttached {
        worker: WorkerId,
        peer: Peer,
        sender: ControlSender<ToWorker>,
    },
    WorkerSaid {
        worker: WorkerId,
        batch: Vec<FromWorker>,
        /// Given back when the batch was taken: see `forward`.
        permit: OwnedSemaphorePermit,
    },
    WorkerGone {
        worker: WorkerId,
        reason: String,
    },
    ClientAttached {
        session: SessionId,
        peer: Peer,
        sender: ControlSender<ToClient>,
    },
    ClientSaid {
        session: SessionId,
        batch: Vec<FromClient>,
        permit: OwnedSemaphorePermit,
    },
    ClientGone {
        session: SessionId,
    },
    /// A checked graph.
    Submitted {
        session: SessionId,
        graph: GraphId,
        prepared: Box<Prepared>,
        accepted: oneshot::Sender<Result<(), Refusal>>,
    },
    /// Components that tasks of a checked graph will need are to be loaded before it begins.
    Loading {
        session: SessionId,
        components: Vec<Module>,
        loaded: oneshot::Sender<()>,
    },
    /// Somebody wants to extend a graph: what is known of it, unless it cannot be extended.
    Extending {
        graph: GraphId,
        known: oneshot::Sender<Result<Arc<tokio::sync::Mutex<Known>>, Refusal>>,
    },
    /// A checked fragment.
    Extended {
        graph: GraphId,
        extension: Box<Extension>,
        accepted: oneshot::Sender<Result<(), Refusal>>,
    },
    /// Tasks that an attempt ended in were checked. Whoever has `known` may add to the graph.
    Delegated {
        report: DelegationReport,
        checked: Box<Result<Delegated, Refusal>>,
        known: OwnedMutexGuard<Known>,
    },
    /// A request that needs what the actor knows.
    Asked {
        asker: Asker,
        request: IncomingRequest,
    },
    /// A worker cannot give a result that somebody wants; the output is fetched again when it was made again.
    Unreadable {
        worker: WorkerId,
        task: TaskIndex,
        fetch: OutputFetch,
    },
    /// Stop.
    Shutdown {
        done: oneshot::Sender<()>,
    },
}

/// Somebody who wants an output.
#[derive(Debug)]
pub(crate) struct OutputFetch {
    pub(crate) graph: GraphId,
    pub(crate) position: u32,
    pub(crate) reply: Replier,
    /// Holders that could not give it.
    pub(crate) tries: u8,
}

/// An attempt that ended in tasks, and how.
#[derive(Clone, Debug)]
pub(crate) struct DelegationReport {
    pub(crate) worker: WorkerId,
    pub(crate) attempt: Attempt,
    pub(crate) run: Duration,
    pub(crate) memory_peak_bytes: u64,
}

/// Who makes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    Worker(WorkerId),
    Client(SessionId),
}
