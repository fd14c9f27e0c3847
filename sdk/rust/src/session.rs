//! Futures: calls that are made one by one, whose results come while others are made.
//!
//! Owns what users see of them. Behind it is one graph that grows: `ledger` knows what of it was written and what became of
//! it, `driver` joins that with the cluster.

mod driver;
mod error;
mod future;
mod ledger;
mod tables;

pub use error::FutureError;
pub use future::{Completed, TaskFuture, as_completed, gather};

use self::ledger::{Call, Ledger};
use crate::client::{Client, Growing};
use crate::error::ClientError;
use crate::graph::{
    Args, Component, Data, Function, GraphFileError, IntoArgument, Keys, Task, read_component, without_references,
};
use bytes::Bytes;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use wasm_tasks_protocol::graph::{Arguments, DataEncoding, Dynamic, Options};
use wasm_tasks_protocol::{ComponentDigest, GraphId, TaskIndex, Type};

/// Makes calls and gives futures for their results. Cheap to clone.
///
/// When the last clone and the last future are dropped, what still runs is stopped and all results are let go, unless they
/// were [published](Session::publish). A connection that breaks ends it too: every future says so.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use wasm_tasks::{Client, EmbeddedSettings, args, gather};
///
/// let client = Client::embedded(EmbeddedSettings::default()).await?;
/// let session = client.session("squares").await?;
/// let calc = session.component_file("calc.wasm")?;
/// let (mul, sum) = (session.function(&calc, "mul"), session.function(&calc, "sum"));
/// let squares = session.map(&mul, (0..10).map(|n| args![n, n]));
/// let total = session.submit(&sum, args![squares.clone()]);
/// let values: Vec<i64> = gather(&squares).await?;
/// assert_eq!(total.result::<i64>().await?, values.iter().sum::<i64>());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

/// What users hold; the driver does not.
struct Inner {
    client: Client,
    growing: Growing,
    shared: Arc<Shared>,
    keys: Mutex<Keys>,
}

/// What users and the driver share.
#[derive(Default)]
struct Shared {
    ledger: Mutex<Ledger>,
    changed: Notify,
    is_over: AtomicBool,
    is_published: AtomicBool,
}

impl Shared {
    /// Must not be held over an `await`.
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn change<T>(&self, change: impl FnOnce(&mut Ledger) -> T) -> T {
        let changed = change(&mut self.shared.ledger());
        self.shared.changed.notify_one();
        changed
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        self.shared.changed.notify_one();
    }
}

impl Client {
    /// Begins a session; the name is for `wasm-tasks status`.
    ///
    /// # Errors
    /// As [`Client::submit`].
    pub async fn session(&self, name: &str) -> Result<Session, ClientError> {
        let options = Options { name: Some(name.to_owned()), ..Options::default() };
        let (growing, growth) = self.grow(options).await?;
        let shared = Arc::new(Shared::default());
        tokio::spawn(driver::drive(shared.clone(), growing.clone(), growth));
        Ok(Session { inner: Arc::new(Inner { client: self.clone(), growing, shared, keys: Mutex::default() }) })
    }
}

impl Session {
    /// The id of its graph.
    pub fn id(&self) -> GraphId {
        self.inner.growing.id()
    }

    /// Adds a component by its file, which is read now.
    ///
    /// # Errors
    /// [`GraphFileError::Read`].
    pub fn component_file(&self, path: impl AsRef<Path>) -> Result<Component, GraphFileError> {
        let (name, bytes) = read_component(path.as_ref())?;
        Ok(self.component(ComponentDigest::of(&bytes), name, Some(bytes.into())))
    }

    /// Adds a component by its bytes.
    pub fn component_bytes(&self, bytes: impl Into<Bytes>) -> Component {
        let bytes = bytes.into();
        self.component(ComponentDigest::of(&bytes), None, Some(bytes))
    }

    /// Adds a component that the cluster has.
    pub fn component_digest(&self, digest: ComponentDigest, name: Option<&str>) -> Component {
        self.component(digest, name.map(str::to_owned), None)
    }

    fn component(&self, digest: ComponentDigest, name: Option<String>, bytes: Option<Bytes>) -> Component {
        Component::at_position(self.change(|ledger| ledger.tables.add_component(tables::Component { digest, name, bytes })))
    }

    /// Adds an export of a component: `ns:pkg/interface@1.2.0#func`, or `func`.
    ///
    /// # Panics
    /// When the component is of another session that has more of them.
    pub fn function(&self, component: &Component, export: &str) -> Function {
        self.function_with(component, export, None, Options::default())
    }

    /// Adds an export with options for all its calls; a dynamic one takes and returns values of any type.
    ///
    /// # Panics
    /// As [`Session::function`].
    pub fn function_with(&self, component: &Component, export: &str, dynamic: Option<Dynamic>, options: Options) -> Function {
        let component = component.position();
        let function = tables::Function { component, export: export.to_owned(), dynamic, options };
        let position = self.change(|ledger| {
            assert!(ledger.tables.has_component(component), "the component is of another session");
            ledger.tables.add_function(function)
        });
        Function::at_position(position, export)
    }

    /// Hands over a value once, however many calls take it.
    ///
    /// # Errors
    /// [`GraphFileError::ReferenceInData`] when there are futures in it.
    pub fn scatter(&self, value: impl IntoArgument, ty: Option<Type>) -> Result<Data, GraphFileError> {
        let value = without_references(value.into_argument()).ok_or(GraphFileError::ReferenceInData)?;
        Ok(self.data(value.to_file_encoding().to_msgpack().into(), DataEncoding::Value, ty))
    }

    /// Hands over bytes once, a `list<u8>`.
    pub fn scatter_bytes(&self, bytes: impl Into<Bytes>) -> Data {
        self.data(bytes.into(), DataEncoding::Raw, None)
    }

    fn data(&self, bytes: Bytes, encoding: DataEncoding, ty: Option<Type>) -> Data {
        Data::at_position(self.change(|ledger| ledger.tables.add_data(tables::Data { bytes, encoding, ty })))
    }

    /// Runs a call as soon as what it needs is there. What is wrong with it is said by the future.
    ///
    /// # Panics
    /// When the function is of another session that has more of them; so do the two below.
    pub fn submit(&self, function: &Function, args: Args) -> TaskFuture {
        self.call(None, function, Arguments::Positional(args.into_list()), None)
    }

    /// One call for each list of arguments.
    pub fn map(&self, function: &Function, calls: impl IntoIterator<Item = Args>) -> Vec<TaskFuture> {
        calls.into_iter().map(|args| self.submit(function, args)).collect()
    }

    /// Runs a call with everything that a task can have. Keys are unique in a session; without one it is made.
    pub fn submit_with(&self, key: Option<&str>, function: &Function, arguments: Arguments, options: Options) -> TaskFuture {
        self.call(key, function, arguments, Some(Box::new(options)))
    }

    fn call(&self, key: Option<&str>, function: &Function, arguments: Arguments, options: Option<Box<Options>>) -> TaskFuture {
        let key: Arc<str> = {
            let mut keys = self.inner.keys.lock().unwrap_or_else(PoisonError::into_inner);
            match key {
                Some(key) => keys.choose(key).into(),
                None => keys.free(function.label()).into(),
            }
        };
        let position = function.position();
        let (number, settled) = self.change(|ledger| {
            assert!(ledger.tables.has_function(position), "the function is of another session");
            let number = ledger.next_number();
            (number, ledger.submit(Call { key: key.clone(), function: position, arguments, options }))
        });
        TaskFuture::new(self.inner.clone(), Task::new(TaskIndex(number), key), settled)
    }

    /// Keeps what was submitted under a name, for everybody, also when this session is over.
    ///
    /// # Errors
    /// As [`Client::publish`].
    pub async fn publish(&self, name: &str) -> Result<(), ClientError> {
        self.inner.client.publish(self.id(), name).await?;
        self.inner.shared.is_published.store(true, Ordering::Release);
        Ok(())
    }

    fn change<T>(&self, change: impl FnOnce(&mut Ledger) -> T) -> T {
        self.inner.change(change)
    }
}
