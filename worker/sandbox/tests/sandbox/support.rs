//! What the tests share: one engine, guests, and short ways to call and to write values.

use bytes::Bytes;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use wasm_tasks_protocol::value_type::Step;
use wasm_tasks_protocol::{ComponentDigest, TaskError, Value};
use wasm_tasks_sandbox::{
    Arguments, Call, CancelFlag, Component, Engine, EngineSettings, Function, Grants, Limits, LoadError, Outcome, Profile,
    Resolve, ResolveError, Resolved, follow,
};

/// The engine of all tests. Its cache outlives the run, so the big guests are compiled once.
pub(crate) static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let cache_dir = Some(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("sandbox-cache"));
    Engine::new(EngineSettings { cache_dir, slots: 16, ..EngineSettings::default() }).unwrap()
});

/// An engine without a cache, for components that are made for one test.
pub(crate) static FRESH: LazyLock<Engine> =
    LazyLock::new(|| Engine::new(EngineSettings { slots: 16, components_max: 8, ..EngineSettings::default() }).unwrap());

/// Where `cargo xtask guests` puts a guest.
pub(crate) fn guest_path(name: &str) -> PathBuf {
    // This program is in `target/PROFILE/deps`, wherever the target folder is.
    let test = std::env::current_exe().expect("the path of this program");
    let target = test.ancestors().nth(3).expect("tests are in target/PROFILE/deps");
    target.join("guests").join(format!("{name}.wasm"))
}

/// A guest that `cargo xtask guests` builds.
pub(crate) fn guest_bytes(name: &str) -> Bytes {
    let path = guest_path(name);
    match std::fs::read(&path) {
        Ok(bytes) => bytes.into(),
        Err(error) => panic!("the guest `{}` cannot be read ({error}); run `cargo xtask guests`", path.display()),
    }
}

pub(crate) fn guest_in(name: &str, profile: Profile) -> Arc<Component> {
    let bytes = guest_bytes(name);
    ENGINE.load(ComponentDigest::of(&bytes), || Some(bytes.clone()), profile).unwrap()
}

pub(crate) fn guest(name: &str) -> Arc<Component> {
    guest_in(name, Profile::Plain)
}

/// A component from its text.
pub(crate) fn load_text(text: &str) -> Result<Arc<Component>, LoadError> {
    let bytes = Bytes::from(wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}")));
    FRESH.load(ComponentDigest::of(&bytes), || Some(bytes.clone()), Profile::Plain)
}

pub(crate) fn text(text: &str) -> Arc<Component> {
    load_text(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A component with one function `f`: definitions of types, its signature, and the body of a core module whose memory `mem`
/// has `pages` pages and which exports `f` and `realloc`.
pub(crate) fn module_text(definitions: &str, signature: &str, pages: u32, core: &str, encoding: &str) -> String {
    format!(
        r#"(component {definitions}
  (core module $m (memory (export "mem") {pages}) {core})
  (core instance $i (instantiate $m))
  (func (export "f") {signature}
    (canon lift (core func $i "f") (memory (core memory $i "mem")) (realloc (core func $i "realloc")) string-encoding={encoding})))"#
    )
}

/// A `realloc` that hands out memory from 16384 on, one piece after the other.
pub(crate) const BUMP: &str = r#"(global $p (mut i32) (i32.const 16384))
  (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $r i32)
    (local.set $r (i32.and (i32.add (global.get $p) (i32.sub (local.get 2) (i32.const 1))) (i32.sub (i32.const 0) (local.get 2))))
    (global.set $p (i32.add (local.get $r) (local.get 3)))
    (memory.copy (local.get $r) (local.get 0) (local.get 1))
    (local.get $r))"#;

/// How a call deviates from the usual.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) bound: &'a [u8],
    pub(crate) args: &'a [u8],
    pub(crate) resolve: &'a dyn Resolve,
    pub(crate) limits: Limits,
    pub(crate) seed: u64,
    pub(crate) grants: Grants,
}

impl Default for Case<'_> {
    fn default() -> Self {
        let limits = Limits { wall: Duration::from_secs(60), ..Limits::default() };
        Case { bound: &[], args: &[0x90], resolve: &(), limits, seed: 0, grants: Grants::default() }
    }
}

impl Case<'_> {
    pub(crate) fn run(&self, function: &Function) -> Outcome {
        self.run_cancellable(function, &CancelFlag::new())
    }

    pub(crate) fn run_cancellable(&self, function: &Function, cancel: &CancelFlag) -> Outcome {
        function.call(&self.call(cancel))
    }

    pub(crate) fn call<'c>(&'c self, cancel: &'c CancelFlag) -> Call<'c> {
        let args = Arguments { bound: self.bound, bytes: self.args, resolve: self.resolve };
        Call { args, limits: self.limits, seed: self.seed, grants: self.grants, cancel }
    }
}

/// Calls with an array of arguments.
pub(crate) fn call(component: &Component, export: &str, args: &[Value]) -> Outcome {
    Case { args: &array(args), ..Case::default() }.run(&component.function(export).unwrap())
}

pub(crate) fn ok(outcome: Outcome) -> Value {
    match outcome.result {
        Ok(bytes) => Value::from_msgpack(&bytes).unwrap(),
        Err(error) => panic!("{error}\n{error:?}"),
    }
}

pub(crate) fn err(outcome: Outcome) -> TaskError {
    match outcome.result {
        Ok(bytes) => panic!("no error: {:?}", Value::from_msgpack(&bytes)),
        Err(error) => error,
    }
}

pub(crate) fn array(args: &[Value]) -> Vec<u8> {
    Value::Array(args.to_vec()).to_msgpack()
}

pub(crate) fn int(value: i64) -> Value {
    Value::int(value)
}

pub(crate) fn string(text: &str) -> Value {
    Value::Str(text.to_owned())
}

pub(crate) fn map(pairs: &[(&str, Value)]) -> Value {
    Value::Map(pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
}

/// A reference to an entry of `data`.
pub(crate) fn data(position: u8) -> Value {
    Value::Ext(2, vec![position])
}

/// Values by position, as a worker has them.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) tasks: HashMap<u32, Vec<u8>>,
    pub(crate) values: HashMap<u32, Vec<u8>>,
    pub(crate) raw: HashMap<u32, Vec<u8>>,
}

impl Resolve for Table {
    fn task(&self, position: u32, path: &[Step<'_>]) -> Result<Resolved<'_>, ResolveError> {
        follow(self.tasks.get(&position).ok_or(ResolveError::Missing)?, path)
    }

    fn data(&self, position: u32) -> Result<Resolved<'_>, ResolveError> {
        if let Some(raw) = self.raw.get(&position) {
            return Ok(Resolved::Raw(raw));
        }
        self.values.get(&position).map(|value| Resolved::Value(value)).ok_or(ResolveError::Missing)
    }
}
