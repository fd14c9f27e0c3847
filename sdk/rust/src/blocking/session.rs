//! Futures for programs without a runtime.

use super::Client;
use crate::error::ClientError;
use crate::graph::{Args, Component, Data, Function, GraphFileError, IntoArgument, Part};
use crate::session::FutureError;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Runtime;
use wasm_tasks_protocol::graph::{Argument, Arguments, Dynamic, Options};
use wasm_tasks_protocol::{GraphId, Type};

/// [`crate::Session`], blocking.
#[derive(Clone)]
pub struct Session {
    session: crate::Session,
    runtime: Arc<Runtime>,
}

/// [`crate::TaskFuture`], blocking.
#[derive(Clone)]
pub struct TaskFuture {
    future: crate::TaskFuture,
    runtime: Arc<Runtime>,
}

/// [`crate::Completed`], blocking: an iterator.
pub struct Completed {
    completed: crate::Completed,
    runtime: Arc<Runtime>,
}

impl Client {
    /// Begins a session; the name is for `wasm-tasks status`.
    ///
    /// # Errors
    /// As [`crate::Client::session`].
    pub fn session(&self, name: &str) -> Result<Session, ClientError> {
        let session = self.runtime.block_on(self.client.session(name))?;
        Ok(Session { session, runtime: self.runtime.clone() })
    }
}

impl Session {
    /// The id of its graph.
    pub fn id(&self) -> GraphId {
        self.session.id()
    }

    /// Adds a component by its file, which is read now.
    ///
    /// # Errors
    /// [`GraphFileError::Read`].
    pub fn component_file(&self, path: impl AsRef<Path>) -> Result<Component, GraphFileError> {
        self.session.component_file(path)
    }

    /// Adds a component by its bytes.
    pub fn component_bytes(&self, bytes: impl Into<Bytes>) -> Component {
        self.session.component_bytes(bytes)
    }

    /// Adds an export of a component.
    ///
    /// # Panics
    /// As [`crate::Session::function`].
    pub fn function(&self, component: &Component, export: &str) -> Function {
        self.session.function(component, export)
    }

    /// Adds an export with options for all its calls.
    ///
    /// # Panics
    /// As [`crate::Session::function`].
    pub fn function_with(&self, component: &Component, export: &str, dynamic: Option<Dynamic>, options: Options) -> Function {
        self.session.function_with(component, export, dynamic, options)
    }

    /// Hands over a value once, however many calls take it.
    ///
    /// # Errors
    /// As [`crate::Session::scatter`].
    pub fn scatter(&self, value: impl IntoArgument, ty: Option<Type>) -> Result<Data, GraphFileError> {
        self.session.scatter(value, ty)
    }

    /// Hands over bytes once.
    pub fn scatter_bytes(&self, bytes: impl Into<Bytes>) -> Data {
        self.session.scatter_bytes(bytes)
    }

    /// Runs a call as soon as what it needs is there.
    ///
    /// # Panics
    /// As [`crate::Session::submit`].
    pub fn submit(&self, function: &Function, args: Args) -> TaskFuture {
        self.future(self.session.submit(function, args))
    }

    /// One call for each list of arguments.
    pub fn map(&self, function: &Function, calls: impl IntoIterator<Item = Args>) -> Vec<TaskFuture> {
        calls.into_iter().map(|args| self.submit(function, args)).collect()
    }

    /// Runs a call with everything that a task can have.
    pub fn submit_with(&self, key: Option<&str>, function: &Function, arguments: Arguments, options: Options) -> TaskFuture {
        self.future(self.session.submit_with(key, function, arguments, options))
    }

    fn future(&self, future: crate::TaskFuture) -> TaskFuture {
        TaskFuture { future, runtime: self.runtime.clone() }
    }

    /// The values of futures, in their order.
    ///
    /// # Errors
    /// As [`crate::gather`].
    pub fn gather<T: DeserializeOwned>(&self, futures: &[TaskFuture]) -> Result<Vec<T>, FutureError> {
        futures.iter().map(TaskFuture::result).collect()
    }

    /// Futures in the order in which they are done, whatever became of them.
    pub fn as_completed(&self, futures: impl IntoIterator<Item = TaskFuture>) -> Completed {
        let mut completed = Completed { completed: crate::Completed::default(), runtime: self.runtime.clone() };
        futures.into_iter().for_each(|future| completed.push(future));
        completed
    }

    /// Keeps what was submitted under a name.
    ///
    /// # Errors
    /// As [`crate::Session::publish`].
    pub fn publish(&self, name: &str) -> Result<(), ClientError> {
        self.runtime.block_on(self.session.publish(name))
    }
}

impl TaskFuture {
    /// The task's key.
    pub fn key(&self) -> &str {
        self.future.key()
    }

    /// Whether there is a value, or never will be.
    pub fn is_done(&self) -> bool {
        self.future.is_done()
    }

    /// Waits for the value: its typed encoding.
    ///
    /// # Errors
    /// As [`crate::TaskFuture::bytes`].
    pub fn bytes(&self) -> Result<Bytes, FutureError> {
        self.runtime.block_on(self.future.bytes())
    }

    /// Waits for the value, as a type of Rust.
    ///
    /// # Errors
    /// As [`crate::TaskFuture::result`].
    pub fn result<T: DeserializeOwned>(&self) -> Result<T, FutureError> {
        self.runtime.block_on(self.future.result())
    }

    /// Stops the task, and what needs it.
    pub fn cancel(&self) {
        self.future.cancel();
    }

    /// A field of the result, as an argument.
    pub fn field(&self, name: &str) -> Part {
        self.future.field(name)
    }

    /// An element of the result, as an argument.
    pub fn at(&self, index: u32) -> Part {
        self.future.at(index)
    }
}

impl Completed {
    /// Waits for one more.
    pub fn push(&mut self, future: TaskFuture) {
        let _inside = self.runtime.enter();
        self.completed.push(future.future);
    }
}

impl Iterator for Completed {
    type Item = TaskFuture;

    fn next(&mut self) -> Option<TaskFuture> {
        let future = self.runtime.block_on(self.completed.next())?;
        Some(TaskFuture { future, runtime: self.runtime.clone() })
    }
}

impl IntoArgument for &TaskFuture {
    fn into_argument(self) -> Argument {
        (&self.future).into_argument()
    }
}

impl IntoArgument for TaskFuture {
    fn into_argument(self) -> Argument {
        (&self).into_argument()
    }
}
