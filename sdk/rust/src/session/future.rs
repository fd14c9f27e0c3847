//! Results that are to come.

use super::Inner;
use super::error::FutureError;
use super::ledger::Settled;
use crate::decode::decode;
use crate::graph::{IntoArgument, Part, Task};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;
use wasm_tasks_protocol::graph::Argument;

/// The result of a call of a [`Session`](super::Session). Cheap to clone.
///
/// As an argument of another call of the session it stands for the result. When its last clone is dropped, and nothing else
/// needs the result, the cluster lets go of it.
#[derive(Clone)]
pub struct TaskFuture {
    held: Arc<Held>,
}

struct Held {
    session: Arc<Inner>,
    task: Task,
    settled: watch::Receiver<Option<Settled>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.session.change(|ledger| ledger.let_go(self.task.index().0));
    }
}

impl fmt::Debug for TaskFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &*self.held.settled.borrow() {
            None => "pending",
            Some(Settled::Value(_) | Settled::Stored(_)) => "finished",
            Some(Settled::Failed(FutureError::Cancelled(_))) => "cancelled",
            Some(Settled::Failed(_)) => "failed",
        };
        f.debug_struct("TaskFuture").field("key", &self.key()).field("state", &state).finish()
    }
}

impl TaskFuture {
    pub(super) fn new(session: Arc<Inner>, task: Task, settled: watch::Receiver<Option<Settled>>) -> TaskFuture {
        TaskFuture { held: Arc::new(Held { session, task, settled }) }
    }

    /// The task's key.
    pub fn key(&self) -> &str {
        self.held.task.key()
    }

    /// Whether there is a value, or never will be.
    pub fn is_done(&self) -> bool {
        self.held.settled.borrow().is_some()
    }

    /// Waits until there is a value, or never will be. The value is not fetched.
    pub async fn done(&self) {
        self.settled().await;
    }

    async fn settled(&self) -> Settled {
        let mut settled = self.held.settled.clone();
        let found = settled.wait_for(Option::is_some).await.map(|found| found.clone());
        // The ledger tells each future something before it lets go of it, and lives as long as the session.
        found.ok().flatten().unwrap_or_else(|| Settled::Failed(FutureError::Cancelled(self.key().into())))
    }

    /// Waits for the value: its typed encoding.
    ///
    /// # Errors
    /// [`FutureError::Failed`] when the task failed or one that it needs, [`FutureError::Cancelled`], and [`FutureError::Client`]
    /// when the call was refused or the connection is lost.
    pub async fn bytes(&self) -> Result<Bytes, FutureError> {
        match self.settled().await {
            Settled::Value(bytes) => Ok(bytes),
            Settled::Stored(output) => self.held.session.growing.fetch(output).await.map_err(FutureError::Client),
            Settled::Failed(error) => Err(error),
        }
    }

    /// Waits for the value, as a type of Rust.
    ///
    /// # Errors
    /// As [`TaskFuture::bytes`], and [`FutureError::Decode`].
    pub async fn result<T: DeserializeOwned>(&self) -> Result<T, FutureError> {
        let bytes = self.bytes().await?;
        decode(&bytes).map_err(|error| FutureError::Decode { key: self.key().into(), error })
    }

    /// Stops the task, at once where it runs, and what needs it. A task that has ended is left alone.
    pub fn cancel(&self) {
        self.held.session.change(|ledger| ledger.cancel(self.held.task.index().0));
    }

    /// A field of the result, which is a record, as an argument.
    pub fn field(&self, name: &str) -> Part {
        self.held.task.field(name)
    }

    /// An element of the result, which is a tuple or a list, as an argument.
    pub fn at(&self, index: u32) -> Part {
        self.held.task.at(index)
    }
}

impl IntoArgument for &TaskFuture {
    fn into_argument(self) -> Argument {
        (&self.held.task).into_argument()
    }
}

impl IntoArgument for TaskFuture {
    fn into_argument(self) -> Argument {
        (&self).into_argument()
    }
}

/// Futures in the order in which they are done, whatever became of them: made by [`as_completed`].
#[derive(Default)]
pub struct Completed {
    waiting: JoinSet<TaskFuture>,
}

/// Futures in the order in which they are done. Needs a tokio runtime.
pub fn as_completed(futures: impl IntoIterator<Item = TaskFuture>) -> Completed {
    let mut completed = Completed::default();
    futures.into_iter().for_each(|future| completed.push(future));
    completed
}

impl Completed {
    /// Waits for one more.
    pub fn push(&mut self, future: TaskFuture) {
        self.waiting.spawn(async move {
            future.done().await;
            future
        });
    }

    /// The next that is done; none when there are no more.
    pub async fn next(&mut self) -> Option<TaskFuture> {
        // They only wait, so none can panic.
        self.waiting.join_next().await.and_then(Result::ok)
    }

    /// How many are still to come.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether all have come.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// The values of futures, in their order.
///
/// # Errors
/// What the first that has no value says.
pub async fn gather<T: DeserializeOwned>(futures: &[TaskFuture]) -> Result<Vec<T>, FutureError> {
    let mut values = Vec::with_capacity(futures.len());
    for future in futures {
        values.push(future.result().await?);
    }
    Ok(values)
}
