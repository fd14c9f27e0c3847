//! How a graph ended: its outputs, what failed, and the numbers.

use crate::decode::{DecodeError, decode};
use crate::error::ClientError;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use wasm_tasks_protocol::message::{GraphSummary, Refusal, TaskFailure};

/// All that is left of a graph that ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The outputs, in the order of the graph.
    pub outputs: Vec<Output>,
    /// Tasks that failed for a reason of their own.
    pub failures: Vec<TaskFailure>,
    /// Further ones, which were only counted.
    pub failures_omitted: u64,
    /// The numbers.
    pub summary: GraphSummary,
}

/// One output.
#[derive(Clone, Debug)]
pub struct Output {
    /// The task's key, followed by the path.
    pub name: String,
    /// The typed encoding, or why there is none.
    pub value: Result<Bytes, OutputError>,
}

/// Why there is no value.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OutputError {
    /// Its task failed, or what it depends on did, or the graph was cancelled.
    #[error("it was not computed; see the failures")]
    Failed,
    /// Its task has a result, in which the output's path leads nowhere.
    #[error("{}", .0.messages.join("\n"))]
    NoPart(Refusal),
    /// It was computed and cannot be had.
    #[error(transparent)]
    Client(ClientError),
}

/// Why [`Outcome::decode`] has nothing to give.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NoValue {
    /// There is no output of this name.
    #[error("the graph has no output `{0}`")]
    Unknown(String),
    /// There is one, without a value.
    #[error("output `{name}`: {error}")]
    Missing {
        /// The output.
        name: String,
        /// Why.
        #[source]
        error: OutputError,
    },
    /// The value is not of the type that was asked for.
    #[error("output `{name}`: {error}")]
    Decode {
        /// The output.
        name: String,
        /// Why.
        #[source]
        error: DecodeError,
    },
}

impl Outcome {
    /// Whether every task ended well.
    pub fn is_success(&self) -> bool {
        self.summary.failed == 0 && self.summary.dependents_failed == 0 && !self.summary.is_cancelled
    }

    /// The output of a name, as a type of Rust.
    ///
    /// # Errors
    /// [`NoValue`].
    pub fn decode<T: DeserializeOwned>(&self, name: &str) -> Result<T, NoValue> {
        let output = self.outputs.iter().find(|output| output.name == name).ok_or_else(|| NoValue::Unknown(name.to_owned()))?;
        match &output.value {
            Ok(bytes) => decode(bytes).map_err(|error| NoValue::Decode { name: name.to_owned(), error }),
            Err(error) => Err(NoValue::Missing { name: name.to_owned(), error: error.clone() }),
        }
    }
}
