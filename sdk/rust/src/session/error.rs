//! Why a future has no value.

use crate::decode::DecodeError;
use crate::error::ClientError;
use std::sync::Arc;
use wasm_tasks_protocol::message::TaskFailure;

/// Why a future has no value. Cheap to clone, since everything that needs a failed task gets it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FutureError {
    /// The task failed, or one that it needs.
    #[error("task `{}` failed [{}]: {}", .0.key, .0.error.code, .0.error.message)]
    Failed(Arc<TaskFailure>),
    /// It was stopped, or what it needs was.
    #[error("task `{0}` was cancelled")]
    Cancelled(Arc<str>),
    /// The call is wrong, or the connection is lost.
    #[error(transparent)]
    Client(ClientError),
    /// The value is not of the type that was asked for.
    #[error("the result of `{key}`: {error}")]
    Decode {
        /// The task.
        key: Arc<str>,
        /// Why.
        #[source]
        error: DecodeError,
    },
}
