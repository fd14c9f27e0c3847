//! What the shell's helpers tell it. Bounded: a helper waits when the shell is behind.

use crate::runner::Runner;
use crate::spill::SpillFile;
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::mpsc;
use wasm_tasks_protocol::TaskError;
use wasm_tasks_protocol::time::Duration;
use wasm_tasks_transport::IncomingRequest;
use wasm_tasks_worker_core::{ComponentId, FetchId, GraphKey, ResultId};

/// Messages that wait at most.
const INBOX_LEN: usize = 1_024;

/// Sends to the shell.
pub(crate) type Inbox<R> = mpsc::Sender<Message<R>>;

/// The shell's inbox, both ends.
pub(crate) fn inbox<R: Runner>() -> (Inbox<R>, mpsc::Receiver<Message<R>>) {
    mpsc::channel(INBOX_LEN)
}

/// Something that a helper did or heard.
pub(crate) enum Message<R: Runner> {
    /// A peer asks for something.
    Asked(IncomingRequest),
    /// A fetch ended.
    Fetched { fetch: FetchId, value: Option<Bytes> },
    /// A data entry is here, or cannot be had.
    DataLoaded { graph: GraphKey, position: u32, result: Result<(), TaskError> },
    /// A component was loaded, or cannot be.
    ComponentLoaded { component: ComponentId, took: Duration, result: Result<Arc<R::Module>, TaskError> },
    /// A result was written to disk, or could not be.
    Spilled { result: ResultId, took: Duration, file: std::io::Result<SpillFile> },
    /// A spilled result was read for a peer.
    ReadBack { result: ResultId, bytes: Bytes },
    /// A piece of a result was given to somebody, or could not be.
    Gave { bytes: u64 },
    /// The worker should leave, within this time where there is one.
    Drain(Option<Duration>),
}
