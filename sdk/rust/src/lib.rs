//! Builds graphs of tasks and runs them: in this process, or on a fleet.
//!
//! * [`Graph`] writes graph files, with handles for components, functions and tasks.
//! * [`Client`] runs them: [`Client::embedded`] on all cores of this process, [`Client::connect`] on a scheduler.
//!   It is asynchronous and wants a tokio runtime; [`blocking::Client`] is the same for programs without one.
//! * [`Submission`] is a graph under way: futures for its outputs, events, cancel. [`Outcome`] is how it ended.
//! * [`Session`] makes calls one by one, with a [`TaskFuture`] for each result.
//! * [`decode()`] and [`to_json`] make something of a result.
//!
//! Owns what a user of Rust sees. What crosses a boundary is `wasm-tasks-protocol`'s, checks are the scheduler's.

pub mod blocking;
mod check;
mod client;
mod decode;
mod error;
mod graph;
mod home;
mod json;
mod reach;
mod report;
pub mod runs;
mod session;
mod upload;

pub use check::{CheckFailure, Checked, check_upload};
pub use client::{
    Client, EmbeddedSettings, Event, Events, Extended, Growing, Grown, Growth, NoValue, Outcome, Output, OutputError, Replay,
    ReplayFailure, Submission,
};
pub use decode::{DecodeError, decode, from_serde};
pub use error::ClientError;
pub use graph::{Args, Component, Data, Function, Graph, GraphFileError, IntoArgument, PackedNumber, Part, Task, packed};
pub use home::{Home, NoHome, Unwritable, create_private};
pub use json::{from_json, msgpack_to_json, to_json};
pub use reach::Reach;
pub use report::{failure_to_json, progress_to_json, state_of, summary_to_json};
pub use session::{Completed, FutureError, Session, TaskFuture, as_completed, gather};
pub use upload::{Upload, UploadError, component_bytes, folder_of, read_graph_file};
pub use wasm_tasks_judge::{Budgets, Judge, JudgeSettings, Program};
pub use wasm_tasks_protocol::graph::{Alternative, Argument, Arguments, Grant, LabelRule, Options, Resource};
pub use wasm_tasks_protocol::message::{GraphState, GraphSummary, OutputResult, Query, Refusal, TaskFailure};
pub use wasm_tasks_protocol::{ComponentDigest, ErrorCode, GraphId, TaskError, Type, Value};

/// Reads and checks a graph file, as a scheduler does before it looks at types.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn read_graph(
    bytes: impl Into<bytes::Bytes>,
) -> Result<wasm_tasks_protocol::graph::Graph, wasm_tasks_protocol::graph::GraphError> {
    wasm_tasks_protocol::graph::Graph::read(bytes.into())
}
