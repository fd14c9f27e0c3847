//! Runs one call: a fresh store, a fresh instance, the call, and everything dropped again.

use crate::abi::{self, Lifted};
use crate::budget::Watch;
use crate::call::{Call, Outcome};
use crate::failure::{self, Failed};
use crate::function::Function;
use crate::log::TailLog;
use crate::state::{Stop, TaskState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;
use wasm_tasks_protocol::limits::HANDLES_MAX;
use wasm_tasks_protocol::{ErrorCode, TaskError};
use wasmtime::{Store, UpdateDeadline};

/// What is left of a store.
struct Finished {
    result: wasmtime::Result<Lifted>,
    stdout: TailLog,
    stderr: TailLog,
    memory_peak_bytes: u64,
    memory_refused: bool,
    denied: Option<String>,
    fuel_used: Option<u64>,
}

/// Runs a call. Never panics: a panic in a host function fails that task alone.
pub(crate) fn run(function: &Function, call: &Call<'_>) -> Outcome {
    let start = Instant::now();
    if call.cancel.is_cancelled() {
        return refused(TaskError::new(ErrorCode::Cancelled, "the task was cancelled before it began"), start);
    }
    if call.limits.fuel.is_some() && function.component().runtime().profile() == crate::engine::Profile::Plain {
        let error = TaskError::new(ErrorCode::WorkerFault, "a task with a fuel limit needs its component in the metered profile");
        return refused(error, start);
    }
    let finished = catch_unwind(AssertUnwindSafe(|| {
        abi::scope::with_scope(call, function, |scope| in_fresh_store(function, call, TaskState::new(scope, start)))
    }));
    match finished {
        Ok(finished) => outcome(function, call, finished, start),
        Err(_) => {
            refused(TaskError::new(ErrorCode::WorkerFault, "the sandbox failed while it ran the task; its log has more"), start)
        }
    }
}

/// The outcome of a call that never ran, or of which nothing is left.
pub(crate) fn refused(error: TaskError, start: Instant) -> Outcome {
    Outcome {
        result: Err(error),
        is_delegation: false,
        stdout: Vec::new(),
        stderr: Vec::new(),
        logs_truncated: false,
        memory_peak_bytes: 0,
        fuel_used: None,
        wall: start.elapsed(),
    }
}

fn in_fresh_store(function: &Function, call: &Call<'_>, state: TaskState) -> Finished {
    let runtime = function.component().runtime();
    let _running = runtime.enter();
    let mut store = Store::new(runtime.engine(), state);
    let result = call_in(&mut store, function, call);
    let fuel_used = store.get_fuel().ok().map(|left| call.limits.fuel.unwrap_or(u64::MAX) - left);
    let state = store.data_mut();
    Finished {
        result,
        stdout: std::mem::take(&mut state.stdout),
        stderr: std::mem::take(&mut state.stderr),
        memory_peak_bytes: state.memory.peak(),
        memory_refused: state.memory.is_refused(),
        denied: state.denied.take(),
        fuel_used,
    }
}

fn call_in(store: &mut Store<TaskState>, function: &Function, call: &Call<'_>) -> wasmtime::Result<Lifted> {
    store.limiter(|state| &mut state.memory);
    // Before instantiation, whose start functions are guest code.
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|store| match store.data().check_time() {
        Ok(()) => Ok(UpdateDeadline::Continue(1)),
        Err(stop) => Err(stop.into()),
    });
    store.set_hostcall_fuel(usize::try_from(call.limits.result_bytes_max).unwrap_or(usize::MAX).saturating_add(HOSTCALL_BYTES));
    store.set_max_component_handles(HANDLES_MAX);
    if function.component().runtime().profile() == crate::engine::Profile::Metered {
        store.set_fuel(call.limits.fuel.unwrap_or(u64::MAX))?;
    }
    let instance = function.component().pre().instantiate(&mut *store)?;
    function.component().runtime().count_instance();
    let Some(func) = instance.get_func(&mut *store, function.index()) else {
        wasmtime::bail!("the export is not a function of the instance");
    };
    let watch = Watch::until(call, store.data().deadline);
    let lifted = abi::invoke(wasmtime::AsContextMut::as_context_mut(store), func, function.signature(), call, &watch)?;
    // A guest that ended just in time may have been cancelled all the same.
    if call.cancel.is_cancelled() {
        return Err(Stop::Cancelled.into());
    }
    Ok(lifted)
}

/// What one host call may copy out of a guest, besides the result's limit.
const HOSTCALL_BYTES: usize = 16 << 20;

fn outcome(function: &Function, call: &Call<'_>, finished: Finished, start: Instant) -> Outcome {
    let logs_truncated = finished.stdout.is_truncated() || finished.stderr.is_truncated();
    let stdout = finished.stdout.into_bytes();
    let stderr = finished.stderr.into_bytes();
    let (result, is_delegation) = match finished.result {
        Err(error) => match error.downcast() {
            Ok(Stop::Delegated(_)) if call.cancel.is_cancelled() => (Err(Stop::Cancelled.into()), false),
            Ok(Stop::Delegated(tasks)) => (Ok(Lifted::Value(tasks)), true),
            Ok(stop) => (Err(stop.into()), false),
            Err(error) => (Err(error), false),
        },
        result => (result, false),
    };
    let error = match result {
        Ok(Lifted::Value(bytes)) => {
            return Outcome {
                result: Ok(bytes),
                is_delegation,
                stdout,
                stderr,
                logs_truncated,
                memory_peak_bytes: finished.memory_peak_bytes,
                fuel_used: finished.fuel_used,
                wall: start.elapsed(),
            };
        }
        Ok(Lifted::Err(value)) => failure::guest_error(value),
        Err(error) => {
            failure::translate(&Failed { error: &error, limits: &call.limits, memory_refused: finished.memory_refused })
        }
    };
    let error =
        failure::complete(error, function, finished.denied.as_deref(), &stderr, finished.memory_peak_bytes, finished.fuel_used);
    Outcome {
        result: Err(error),
        is_delegation: false,
        stdout,
        stderr,
        logs_truncated,
        memory_peak_bytes: finished.memory_peak_bytes,
        fuel_used: finished.fuel_used,
        wall: start.elapsed(),
    }
}
