//! The bare wasmtime loop, for measuring: a store, an instance, a monomorphic `TypedFunc` call, and all dropped again, with
//! the same configuration and linker that tasks have. For benchmarks and tests; nothing else should use it.

pub use crate::abi::derived::Row;

use crate::abi::scope::{Scope, with_scope};
use crate::call::Call;
use crate::function::Function;
use crate::state::TaskState;
use std::time::Instant;
use wasmtime::component::{ComponentNamedList, Lift, Lower};
use wasmtime::{AsContextMut, Store};

/// Why a bare call failed, in wasmtime's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BareError(String);

/// A function to call barely. Limits, deadlines and logs are not looked at.
#[derive(Clone, Debug)]
pub struct Bare {
    function: Function,
}

impl Bare {
    /// Prepares a function.
    pub fn new(function: &Function) -> Bare {
        Bare { function: function.clone() }
    }

    /// `(s64, s64) -> s64`, such as `add`; repeats it and returns the last result. `call` is not looked at but for grants.
    ///
    /// # Errors
    /// When the export has another signature or fails.
    pub fn add(&self, call: &Call<'_>, a: i64, b: i64, times: u32) -> Result<i64, BareError> {
        self.repeat(call, times, |store, scope, start| self.once::<_, (i64,)>(store, scope, start, (a, b)).map(|(sum,)| sum))
    }

    /// `(list<u8>) -> list<u8>`
    ///
    /// # Errors
    /// When the export has another signature or fails.
    pub fn bytes(&self, call: &Call<'_>, bytes: &[u8]) -> Result<Vec<u8>, BareError> {
        self.repeat(call, 1, |store, scope, start| {
            self.once::<_, (Vec<u8>,)>(store, scope, start, (bytes,)).map(|(bytes,)| bytes)
        })
    }

    /// `(list<f64>) -> list<f64>`
    ///
    /// # Errors
    /// When the export has another signature or fails.
    pub fn floats(&self, call: &Call<'_>, floats: &[f64]) -> Result<Vec<f64>, BareError> {
        self.repeat(call, 1, |store, scope, start| {
            self.once::<_, (Vec<f64>,)>(store, scope, start, (floats,)).map(|(floats,)| floats)
        })
    }

    /// `(list<f64>) -> f64`
    ///
    /// # Errors
    /// When the export has another signature or fails.
    pub fn sum(&self, call: &Call<'_>, floats: &[f64]) -> Result<f64, BareError> {
        self.repeat(call, 1, |store, scope, start| self.once::<_, (f64,)>(store, scope, start, (floats,)).map(|(sum,)| sum))
    }

    /// `(list<record {id: u32, x: f64, label: string}>) -> ` the same
    ///
    /// # Errors
    /// When the export has another signature or fails.
    pub fn rows(&self, call: &Call<'_>, rows: &[Row]) -> Result<Vec<Row>, BareError> {
        self.repeat(call, 1, |store, scope, start| self.once::<_, (Vec<Row>,)>(store, scope, start, (rows,)).map(|(rows,)| rows))
    }

    fn repeat<R: 'static>(
        &self,
        call: &Call<'_>,
        times: u32,
        once: impl Fn(&wasmtime::Engine, Scope, Instant) -> wasmtime::Result<R>,
    ) -> Result<R, BareError> {
        let runtime = self.function.component().runtime();
        let _running = runtime.enter();
        let start = Instant::now();
        with_scope(call, &self.function, |scope| {
            let mut last = Err(wasmtime::Error::msg("called no times"));
            for _ in 0..times {
                last = once(runtime.engine(), scope, start);
            }
            last
        })
        .map_err(|error| BareError(format!("{error:#}")))
    }

    fn once<P, R>(&self, engine: &wasmtime::Engine, scope: Scope, start: Instant, params: P) -> wasmtime::Result<R>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let mut store = Store::new(engine, TaskState::new(scope, start));
        store.set_epoch_deadline(u64::MAX / 2);
        store.set_hostcall_fuel(usize::MAX);
        let instance = self.function.component().pre().instantiate(&mut store)?;
        self.function.component().runtime().count_instance();
        let func = instance.get_typed_func::<P, R>(&mut store, self.function.index())?;
        func.call(store.as_context_mut(), params)
    }
}
